"""The contract every chapter keeps, beside what nbval checks by running it."""

import ast
import copy
import inspect
import os
import re
import subprocess
import sys
from itertools import pairwise
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
        assert len(drawn) == ("figure" in tags(cell)), cell.source
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
    assert len(numbers) >= 3
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
    next(cell for cell in notebook.cells if cell.cell_type == "code").source += "\n1 + 1"
    nbformat.write(notebook, path)
    assert notebooks.is_stale(path)


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
