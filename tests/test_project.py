"""The house: what may import what, how light the package is, and that the environment's files agree."""

import ast
import re
import subprocess
import sys
import tomllib

import lock
import pytest
import torch
from conftest import ROOT

PACKAGE = ROOT / "d2lcnn"

# Which rooms a room may import when it is itself imported; what is imported inside a function is looked up when called.
ALLOWED = {
    "_files": set(),
    "_modes": set(),
    "_words": set(),
    "geometry": set(),
    "ops": {"geometry"},
    "layers": {"geometry", "ops"},
    "nets": {"_modes", "layers"},
    "data": set(),
    "history": set(),
    "training": {"_files", "_modes", "history"},
    "saving": {"_files", "_modes", "data", "nets"},
    "tracing": {"geometry", "layers"},
    "provenance": set(),
    "records": {"_files"},
    "statistics": set(),
    "studies": {"data", "layers", "nets", "provenance", "records", "statistics", "tracing", "training"},
    "weights": {"saving"},
    "explore": {"_files", "data", "geometry", "layers", "nets", "records", "tracing"},
    "figures": {"_modes", "geometry", "ops", "tracing"},
    "checks": {"_files", "geometry", "ops", "layers", "nets"},
    "d2l_bridge": {"training"},
}


def rooms_imported(path) -> set[str]:
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" if node.module == "d2lcnn" else node.module for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("d2lcnn.")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room not in ("__init__", "__main__"):
        assert rooms_imported(path) - {room, "_words"} <= ALLOWED[room]


def test_import_is_light():
    heavy = ("matplotlib", "torchvision", "d2l", "pandas", "scipy", "IPython", "nbformat")
    code = f"import d2lcnn, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_everything_public_is_there_and_documented():
    import d2lcnn

    for name in d2lcnn.__all__:
        assert getattr(d2lcnn, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'corr3d'"):
        _ = d2lcnn.corr3d


def test_the_fast_tests_leave_out_what_trains_and_nothing_else():
    from types import SimpleNamespace

    import conftest

    every = [*(ROOT / "tests").glob("test_*.py"), *(ROOT / "book").glob("*.ipynb")]

    def collected(fast):
        left_out = []
        hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
        items = [SimpleNamespace(path=path) for path in every]
        given = list(items)
        conftest.pytest_collection_modifyitems(SimpleNamespace(getoption=lambda name: fast, hook=hook), items)
        assert len(items) + len(left_out) == len(given) and all(item in items or item in left_out for item in given)
        return [item.path.name for item in items]

    fast, everything = collected(True), collected(False)
    assert set(everything) - set(fast) == {
        f"{n}.ipynb" for n in ("05-lenet", "06-alexnet", "07-vgg", "08-nin", "09-googlenet")
    }
    assert set(everything) == {path.name for path in every}
    # The longest first, and each of them there is.
    assert tuple(everything[: len(conftest.LONGEST)]) == conftest.LONGEST


def test_environment_yml_is_the_lock():
    assert (ROOT / "environment.yml").read_text() == lock.environment_yml((ROOT / "requirements.lock").read_text())


def test_the_lock_is_exact_and_holds_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text and "index-url" not in text
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert len(blocks) > 50
    for block in blocks:
        assert re.match(r"[\w.-]+==\S+", block) and "--hash=sha256:" in block, block[:80]


def test_the_package_asks_for_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        assert re.fullmatch(r"[a-z]+>=[\d.]+", requirement), requirement
    assert not any("d2l" in requirement for requirement in project["dependencies"])


def test_the_address_of_the_repository_stands_in_one_place():
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    spelling = "OWNER" + "/"
    texts = {name: (ROOT / name).read_text(errors="ignore") for name in files if not name.endswith(".gz")}
    assert [name for name, text in texts.items() if spelling in text] == ["_config.yml"]


class _Unspeakable:
    def __repr__(self):
        raise RuntimeError("no words")


def test_what_came_is_told_of_any_value():
    from d2lcnn._words import described

    for value in (_Unspeakable(), [_Unspeakable()], object(), len, int, "x" * 200, torch.zeros(2, 3), None):
        assert 0 < len(described(value)) < 80
    assert described(_Unspeakable()) == "a _Unspeakable"
