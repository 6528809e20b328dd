"""The contract every chapter keeps, beside what nbval checks by running it."""

import ast
import copy
import inspect
import os
import re
import subprocess
import sys
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import nbformat
import notebooks
import pytest
import torch
import yaml
from conftest import ROOT

import d2lcnn
from d2lcnn import ops

PATHS = notebooks.notebooks()
MOVING = 'class="d2lcnn-explore"'  # in the HTML of a figure of d2lcnn.explore
TAGS = r"setup|figure|trains|hide-cell|nbval-ignore-output|defines:\w+|exercise:\d+\.\d+|solution:\d+\.\d+"


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def cells(path) -> list:
    return nbformat.read(path, as_version=4).cells


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def tagged(cells, prefix: str) -> list:
    return [cell for cell in cells if any(tag.startswith(prefix) for tag in tags(cell))]


def prose(cells) -> list[str]:
    """The lines of all Markdown, without code fences and formulas."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(r"```.*?```|\$\$.*?\$\$|`[^`\n]*`", "", text, flags=re.S)
    return text.splitlines()


def bullets(cells, heading: str) -> list[str]:
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, flags=re.S | re.M)
    assert section, f"no section '{heading}'"
    return re.findall(r"^- (.+)$", section[1], flags=re.M)


def test_the_table_of_contents_holds_every_notebook():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [ROOT / f"{chapter['file']}.ipynb" for part in toc["parts"] for chapter in part["chapters"]]
    assert [path for path in listed if path.exists()] == PATHS
    assert PATHS


def test_outputs_are_stored_and_in_order(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell.outputs) for cell in code) > len(code) / 2
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]


def test_what_a_cell_prints_is_one_output(cells):
    for cell in cells:
        assert sum(output.get("name") == "stdout" for output in cell.get("outputs", [])) <= 1, cell.source


def test_outputs_are_fit_to_store(cells):
    for cell in cells:
        if cell.cell_type != "code":
            continue
        assert not cell.source.rstrip().endswith(";"), cell.source
        for output in cell.outputs:
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert "\r" not in text and "it/s" not in text, "a live progress bar"
            assert str(ROOT) not in text and " at 0x" not in text, text
            assert "image/svg+xml" not in output.get("data", {})


def test_the_first_code_cell_is_the_set_up(path, cells):
    first = next(cell for cell in cells if cell.cell_type == "code")
    reference = next(cell for cell in nbformat.read(PATHS[0], as_version=4).cells if cell.cell_type == "code")
    assert first.source == reference.source
    assert tags(first) == ["setup"]


def test_colab_offers_a_gpu(path):
    metadata = nbformat.read(path, as_version=4).metadata
    assert metadata.accelerator == "GPU"
    assert metadata.colab.gpuType == "T4"
    assert metadata.kernelspec.name == "python3"


def test_figures_have_alt_text_and_numbered_captions(path, cells):
    chapter, count = int(path.stem[:2]), 0
    for cell, below in pairwise(cells):
        drawn = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        moving = [output for output in cell.get("outputs", []) if MOVING in output.get("data", {}).get("text/html", "")]
        assert len(drawn) + len(moving) == ("figure" in tags(cell)), cell.source
        assert all("text/plain" in output.data for output in moving)
        if drawn:
            count += 1
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 40, f"figure {count} needs a longer alt text: {alt!r}"
            assert below.source.startswith(f"*Figure {chapter}.{count}.* "), below.source
            assert below.source.splitlines()[0].rstrip().endswith(".")
    assert count >= 4


def test_markdown_is_portable(cells):
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert not re.search(r"^(:::|```\{)", text, flags=re.M), "a MyST directive"
    assert not re.search(r"\{[a-z-]+\}`", text), "a MyST role"
    assert not re.search(r"\[\^|^\[[^\]]+\]:", text, flags=re.M), "a footnote or a reference-style link"
    assert not re.search(r"</?[a-z]+[ >/]", re.sub(r"`[^`]*`", "", text)), "raw HTML"


def test_markdown_has_one_paragraph_a_line(cells):
    for above, below in zip(prose(cells), prose(cells)[1:]):
        starts_something = re.match(r"\s*([-*>|#]|\d+\.)", below)
        assert not (above.strip() and below.strip() and not starts_something), f"{above!r} / {below!r}"


def test_links_lead_somewhere(path, cells):
    for target in re.findall(r"\]\(([^)#]+)", "\n".join(c.source for c in cells if c.cell_type == "markdown")):
        assert target.startswith("https://") or (path.parent / target).is_file(), target


def test_the_glossary_holds_every_chinese_term(cells):
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"\(([\u4e00-\u9fff]+)\)", "\n".join(prose(cells)))
    assert terms
    assert [term for term in terms if term not in glossary] == []


def test_a_chapter_keeps_its_order(cells):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^##? .+", text, flags=re.M)
    assert headings[0].startswith("# ") and headings[1] == "## In this chapter you will"
    assert headings[-3:] == ["## Summary", "## Exercises", "## Further reading"]


def test_the_summary_answers_the_objectives_one_to_one(cells):
    objectives, answers = bullets(cells, "In this chapter you will"), bullets(cells, "Summary")
    assert 3 <= len(objectives) <= 5
    assert len(answers) == len(objectives)


def test_tags_are_from_the_list(cells):
    for cell in cells:
        for tag in tags(cell):
            assert re.fullmatch(TAGS, tag), tag


def test_what_trains_is_asserted(cells):
    trains = tagged(cells, "trains")
    if trains:
        first = cells.index(trains[0])
        after = [cell for cell in cells[first:] if cell not in tagged(cells, "solution:")]
        assert any(re.search(r"^\s*assert ", cell.source, flags=re.M) for cell in after)
        assert all("hide-cell" not in tags(cell) for cell in trains)


def test_exercises_have_checked_and_folded_solutions(path, cells):
    exercises, solutions = tagged(cells, "exercise:"), tagged(cells, "solution:")
    numbers = [tag.split(":")[1] for cell in exercises for tag in tags(cell) if tag.startswith("exercise:")]
    assert numbers == [f"{int(path.stem[:2])}.{n}" for n in range(1, len(numbers) + 1)]
    assert len(numbers) >= 8
    for number, exercise, solution in zip(numbers, exercises, solutions, strict=True):
        heading = cells[cells.index(exercise) - 1].source
        assert heading.startswith(f"### Exercise {number}: "), heading
        assert exercise.source.rstrip().splitlines()[-1].startswith(f'd2lcnn.check("{number}", ')
        assert "".join(o.text for o in exercise.outputs).startswith(f"Exercise {number}: not tried yet.")
        assert {f"solution:{number}", "hide-cell"} <= set(tags(solution))
        assert solution.source.startswith(f"# @title Solution {number}\n")
        assert solution.metadata.cellView == "form"
        assert "".join(o.text for o in solution.outputs).endswith(f"Exercise {number}: right!\n")


def test_no_notebook_is_stale(path):
    assert not notebooks.is_stale(path), "run `make execute`"


def test_other_code_makes_a_notebook_stale(tmp_path):
    notebook, path = nbformat.read(PATHS[0], as_version=4), tmp_path / "copy.ipynb"
    [cell for cell in notebook.cells if cell.cell_type == "code"][-1].source += "\n1 + 1"
    nbformat.write(notebook, path)
    assert notebooks.is_stale(path)


# A package in small: names handed on, a room that defines something itself, imports inside functions, files.
SMALL = {
    "__init__.py": """
        from importlib import import_module
        from d2lcnn import records
        from d2lcnn.checks import check
        from d2lcnn.data import Images
        from d2lcnn.nets import lenet, network
        from d2lcnn.ops import corr2d, quick
        _LAZY = {"d2lcnn.figures": ("draw",)}
        def __getattr__(name):
            return getattr(import_module("d2lcnn.figures"), name)
        """,
    "__main__.py": "import d2lcnn",
    "_fast.py": "def quick(): pass",
    "ops.py": """
        try:
            from ._fast import quick
        except ImportError:
            def quick(): pass
        def corr2d(): pass
        """,
    "layers.py": "from d2lcnn import ops\nclass Conv2D:\n    run = ops.corr2d",
    "data/__init__.py": "from .files import read\nfrom .images import Images",
    "data/files.py": "def read(): pass",
    "data/images.py": """
        class Images:
            def show(self):
                from ..figures import draw
                draw(self)
        """,
    "nets/__init__.py": """
        from d2lcnn.nets import lenet as _lenet, vgg as _vgg
        from d2lcnn.nets.lenet import lenet
        from d2lcnn.nets.vgg import vgg
        NETWORKS = [_lenet.SIZE, _vgg.SIZE]
        def network(): return NETWORKS
        """,
    "nets/lenet.py": "from d2lcnn.layers import Conv2D\nSIZE = 1\ndef lenet(): return Conv2D()",
    "nets/vgg.py": "SIZE = 2\ndef vgg(): pass",
    "figures/__init__.py": "from d2lcnn.figures.grids import draw\nfrom d2lcnn.figures.plots import plot",
    "figures/grids.py": "def draw(): pass",
    "figures/plots.py": "def plot(): pass",
    "figures/book.mplstyle": "figure.dpi: 100",
    "records/__init__.py": "def read(): pass",
    "records/lenet.json": "{}",
    "checks/__init__.py": """
        from importlib import import_module
        def check(exercise, answer):
            return import_module(f"d2lcnn.checks.chapter{exercise.split('.')[0]}")
        """,
    "checks/chapter2.py": "from d2lcnn.geometry import size\nanswer = size()",
    "checks/chapter7.py": "from d2lcnn.nets import vgg\nanswer = vgg()",
    "geometry.py": "def size(): pass",
    "studies/__init__.py": """
        from importlib import import_module
        def results(name):
            return import_module(f"d2lcnn.studies.{name}").STUDY
        """,
    "studies/depth.py": "from d2lcnn.nets import vgg\nSTUDY = vgg",
    "studies/shift.py": "STUDY = 1",
    "records/shift/one.json": "{}",
}


@pytest.fixture
def small(tmp_path) -> Path:
    for name, text in SMALL.items():
        file = tmp_path / "d2lcnn" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(inspect.cleandoc(text))
    return tmp_path / "d2lcnn"


def notebook_of(*sources: str):
    setup = nbformat.v4.new_code_cell("%pip install d2lcnn\nimport d2lcnn", metadata={"tags": ["setup"]})
    return nbformat.v4.new_notebook(cells=[setup, *map(nbformat.v4.new_code_cell, sources)])


def module_of(value) -> Path:
    return Path(inspect.getmodule(value).__file__)


EVERYTHING = " ".join(sorted(SMALL.keys() - {"__main__.py"}))


@pytest.mark.parametrize(
    ("source", "leads_to"),
    [
        ("1 + 1", ""),
        ("d2lcnn.corr2d()", "ops.py"),
        ("from d2lcnn import corr2d as c\nc()", "ops.py"),
        ("from d2lcnn import ops as o\no.corr2d()", "ops.py"),
        ("d2lcnn.quick()", "ops.py _fast.py"),
        ("d2lcnn.lenet()", "nets/lenet.py layers.py ops.py"),
        ("x = [d2lcnn.nets.lenet().conv[0] for _ in '12']", "nets/lenet.py layers.py ops.py"),
        ("d2lcnn.nets.vgg()", "nets/vgg.py"),
        ("from d2lcnn.nets import vgg\nvgg()", "nets/vgg.py"),
        ("import d2lcnn.nets.vgg", "nets/vgg.py"),
        ("import d2lcnn.nets.vgg as v\nv.vgg()", "nets/vgg.py"),
        ("d2lcnn.network()", "nets/__init__.py nets/lenet.py nets/vgg.py layers.py ops.py"),
        ("from d2lcnn.figures import *", "figures/__init__.py figures/grids.py figures/plots.py figures/book.mplstyle"),
        ("f = d2lcnn.figures", "figures/__init__.py figures/grids.py figures/plots.py figures/book.mplstyle"),
        ("d2lcnn.draw()", "figures/grids.py figures/book.mplstyle"),
        ("%pip install -q scipy\n(3\n % d2lcnn.corr2d())", "ops.py"),
        ("if True:\n    %time d2lcnn.corr2d()", EVERYTHING),
        ("d2lcnn.Images().show()", "data/images.py figures/grids.py figures/book.mplstyle"),
        ("from d2lcnn import records\nrecords.read()", "records/__init__.py records/lenet.json"),
        ('d2lcnn.check("2.1", 5)', "checks/__init__.py checks/chapter2.py geometry.py"),
        ('from d2lcnn import check\ncheck("7.3", 5)', "checks/__init__.py checks/chapter7.py nets/vgg.py"),
        (
            "d2lcnn.check(number, 5)",
            "checks/__init__.py checks/chapter2.py geometry.py checks/chapter7.py nets/vgg.py",
        ),
        ('d2lcnn.studies.results("shift")', "studies/__init__.py studies/shift.py records/shift/one.json"),
        ("from d2lcnn import studies\nstudies.results('depth')", "studies/__init__.py studies/depth.py nets/vgg.py"),
        (
            "d2lcnn.studies.results(name)",
            "studies/__init__.py studies/depth.py studies/shift.py records/shift/one.json nets/vgg.py",
        ),
        ("getattr(d2lcnn, name)()", EVERYTHING),
        ("d2lcnn.unheard_of()", EVERYTHING),
        ("import importlib\nimportlib.import_module(name)", EVERYTHING),
        ("import importlib\nimportlib.import_module('.vgg', 'd2lcnn.nets')", EVERYTHING),
        ("import importlib\nimportlib.import_module('d2lcnn.geometry')", "geometry.py"),
    ],
)
def test_a_notebook_is_stale_where_something_it_uses_has_changed(small, source, leads_to):
    notebook = notebook_of(source)
    before = notebooks.source_hash(notebook, small)
    changed = set()
    for name in SMALL:
        text = (small / name).read_text()
        (small / name).write_text(text + "\nchanged = 1")
        if notebooks.source_hash(notebook, small) != before:
            changed.add(name)
        (small / name).write_text(text)
    assert changed == set(leads_to.split())


@pytest.mark.parametrize("change", ["# A comment.\n{}", '"""A docstring."""\n{}', "\n\n{}\n", "{}  # Another."])
def test_how_a_module_is_explained_makes_nothing_stale(small, change):
    notebook, path = notebook_of("d2lcnn.draw()"), small / "figures" / "grids.py"
    before = notebooks.source_hash(notebook, small)
    path.write_text(change.format(path.read_text()))
    assert notebooks.source_hash(notebook, small) == before


def test_the_set_up_cell_makes_nothing_stale_and_the_others_do():
    one, two, three = notebook_of("1 + 1"), notebook_of("1 + 1"), notebook_of("1 + 2")
    two.cells[0].source = "%pip install elsewhere/d2lcnn\nimport d2lcnn"
    assert notebooks.source_hash(one) == notebooks.source_hash(two) != notebooks.source_hash(three)


@pytest.mark.parametrize("name", sorted({*d2lcnn.__all__, *(f"nets.{name}" for name in d2lcnn.nets.__all__)}))
def test_a_name_leads_to_the_module_that_defines_it(name):
    value, used = attrgetter(name)(d2lcnn), notebooks.uses(notebook_of(f"d2lcnn.{name}"))
    if inspect.getmodule(value):  # a constant does not tell
        assert module_of(value) in used
    assert ROOT / "d2lcnn" / "__init__.py" not in used


def test_a_chapter_depends_on_its_own_checks_and_on_what_it_trains_with(path):
    notebook = nbformat.read(path, as_version=4)
    used = notebooks.uses(notebook)
    checks = [module.stem for module in used if re.fullmatch(r"chapter\d+", module.stem)]
    assert checks == [f"chapter{int(path.stem[:2])}"]
    if tagged(notebook.cells, "trains"):
        assert module_of(d2lcnn.fit) in used


@pytest.mark.parametrize(("name", "does"), [("01-convolution", False), ("09-googlenet", True)])
def test_a_chapter_depends_on_no_network_that_it_does_not_use(name, does):
    used = notebooks.uses(nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4))
    for part in (d2lcnn.googlenet, d2lcnn.fit):
        assert (module_of(part) in used) == does


def core(node):
    """A definition without docstrings, annotations and leading guard calls, however it is formatted."""
    node = copy.deepcopy(node)
    for part in ast.walk(node):
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
            if ast.get_docstring(part):
                part.body = part.body[1:]
            while part.body and re.match(r"_check_\w+\(", ast.unparse(part.body[0])):
                part.body = part.body[1:]
        if isinstance(part, ast.FunctionDef):
            part.returns = None
        if isinstance(part, ast.arg):
            part.annotation = None
    # `d2lcnn.corr2d` on a page is `corr2d` in the package.
    return ast.unparse(node).replace("d2lcnn.", "").replace("nn.functional.", "F.")


def definition(source: str, name: str):
    found = [n for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == name]
    assert len(found) == 1, f"{name} is defined {len(found)} times"
    return found[0]


def defined_on_pages() -> list[tuple[Path, str, str]]:
    return [
        (path, tag.split(":")[1], cell.source)
        for path in PATHS
        for cell in nbformat.read(path, as_version=4).cells
        for tag in tags(cell)
        if tag.startswith("defines:")
    ]


@pytest.mark.parametrize(
    ("path", "name", "source"), defined_on_pages(), ids=lambda value: getattr(value, "stem", "")[:2]
)
def test_the_page_and_the_package_define_the_same(path, name, source):
    module = inspect.getmodule(getattr(d2lcnn, name))
    assert core(definition(source, name)) == core(definition(inspect.getsource(module), name))


def test_every_operation_is_defined_on_a_page():
    public = {
        name for name, value in vars(ops).items() if inspect.isfunction(value) and value.__module__ == ops.__name__
    }
    public = {name for name in public if not name.startswith("_")}
    names = [name for _, name, _ in defined_on_pages()]
    assert public | {"output_size", "grow_field", "receptive_field", "Conv2D"} <= set(names)
    assert len(names) == len(set(names))


def test_guards_and_annotations_are_all_that_the_comparison_forgives():
    package = "def f(X: int) -> int:\n    '''Doc.'''\n    _check_x(X)\n    return X + 1"
    assert core(definition(package, "f")) == core(definition("def f(X):\n    return X + 1  # so", "f"))
    assert core(definition(package, "f")) != core(definition("def f(X):\n    return X + 2", "f"))


def run_nbval(path: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-o", "addopts=", "-p", "no:cacheprovider", str(path)]
    return subprocess.run(command, cwd=path.parent, env=os.environ, capture_output=True, text=True, check=False)


def test_nbval_bites(tmp_path):
    notebook = nbformat.read(PATHS[1], as_version=4)
    printed = [k for k, cell in enumerate(notebook.cells) if cell.get("outputs") and "figure" not in tags(cell)]
    notebook.cells = notebook.cells[: printed[0] + 1]
    path = tmp_path / "copy.ipynb"
    nbformat.write(notebook, path)
    assert run_nbval(path).returncode == 0

    data = notebook.cells[-1].outputs[0].data
    assert "9" in data["text/plain"]
    data["text/plain"] = data["text/plain"].replace("9", "8", 1)
    nbformat.write(notebook, path)
    result = run_nbval(path)
    assert result.returncode == 1 and "1 failed" in result.stdout


@pytest.mark.parametrize("name", ["06-alexnet", "07-vgg", "08-nin", "09-googlenet"])
def test_one_variable_trains_the_full_network(name, monkeypatch):
    cells = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4).cells
    (code,) = (cell.source for cell in cells if cell.source.startswith('size = "mini"'))
    given = {}
    monkeypatch.setattr(d2lcnn, "fit", lambda net, train, val, **o: given.update(net=net, train=train, val=val, **o))
    names = {"d2lcnn": d2lcnn, "torch": torch, "data": d2lcnn.FashionMNIST()}
    exec(code.replace('size = "mini"', 'size = "full"', 1), names)
    recipe = d2lcnn.nets.variant(name[3:], "full").recipe
    assert given["train"].size == given["val"].size == recipe.input_size > 28 and given["train"].augment.flip
    assert (given["epochs"], given["lr"]) == (recipe.epochs, recipe.lr)
    assert str(given["net"]) == str(d2lcnn.network(name[3:], "full"))
