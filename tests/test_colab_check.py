"""What `make colab-check` holds to be the same, and with which versions."""

import re
import subprocess
import tomllib

import colab_check
import nbformat
import pytest
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_notebook, new_output


def cell(*outputs, tags=()):
    return new_code_cell("1", outputs=list(outputs), metadata={"tags": list(tags)})


def display(**data):
    return new_output("display_data", data={kind.replace("_", "/"): value for kind, value in data.items()})


STORED = cell(
    new_output("stream", name="stdout", text="a\n"), display(image_png="iVBO", text_plain="<Figure size 3x4>")
)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (STORED, True),
        (cell(*STORED.outputs[:1], display(image_png="0000", text_plain="<Figure size 640x480 with 1 Axes>")), True),
        (cell(*STORED.outputs[:1], display(text_plain="<Figure size 3x4>")), False),
        (cell(new_output("stream", name="stdout", text="b\n"), *STORED.outputs[1:]), False),
        (cell(*STORED.outputs, new_output("stream", name="stderr", text="UserWarning")), False),
        (cell(*STORED.outputs[:1]), False),
        (cell(*STORED.outputs, *STORED.outputs[1:]), False),
    ],
)
def test_a_cell_must_print_what_is_stored_and_show_as_many_pictures(other, same):
    assert (colab_check.compared(other) == colab_check.compared(STORED)) == same


def test_of_a_cell_that_depends_on_the_machine_pictures_alone_are_compared():
    def trained(*outputs):
        return colab_check.compared(cell(*outputs, tags=["nbval-ignore-output"]))

    assert trained(display(text_plain="0.91")) == trained(display(text_plain="0.92")) == {}
    assert trained(display(image_png="iVBO")) != trained()


def test_the_versions_are_colab_s_and_what_pyproject_asks_for():
    pins = colab_check.requirements("colab")
    assert {"torch", "numpy", "matplotlib", "ipython", "ipykernel"} <= {pin.split("==")[0] for pin in pins}
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+|safetensors", pin) for pin in pins)
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert colab_check.requirements("newest")[: len(asked)] == asked
    needed = {re.match(r"\w+", requirement)[0] for requirement in asked}
    assert needed <= {pin.split("==")[0] for pin in pins}, "what Colab is not known to have"


def test_a_copy_asks_the_server_of_the_check(tmp_path):
    set_up = new_code_cell('package = "https://me.github.io/mine/d2lcnn-0.1.0-py3-none-any.whl"')
    chapter = tmp_path / "01-a.ipynb"
    nbformat.write(new_notebook(cells=[set_up]), chapter)
    (tmp_path / "empty").mkdir()
    copy = colab_check.copy_of(chapter, tmp_path / "empty", "http://127.0.0.1:1")
    assert nbformat.read(copy, as_version=4).cells[0].source == (
        'package = "http://127.0.0.1:1/d2lcnn-0.1.0-py3-none-any.whl"'
    )
    nbformat.write(new_notebook(cells=[new_code_cell('package = ".."')]), chapter)
    with pytest.raises(SystemExit, match="names no wheel: run `make site` first"):
        colab_check.copy_of(chapter, tmp_path / "empty", "http://127.0.0.1:1")


def test_only_the_package_may_be_new(tmp_path, monkeypatch):
    chapter = tmp_path / "01-a.ipynb"
    notebook = new_notebook(cells=[STORED])
    nbformat.write(notebook, chapter)
    monkeypatch.setattr(colab_check, "run", lambda *given: (notebook, ""))
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: None)

    def wrong(after, before=frozenset({"torch==2.11.0"})):
        states = iter([before, before | after if isinstance(after, set) else after])
        monkeypatch.setattr(colab_check, "frozen", lambda interpreter: next(states))
        return colab_check.what_goes_wrong(chapter, "python", "http://127.0.0.1:1")

    assert wrong({"d2lcnn @ http://127.0.0.1:1/d2lcnn.whl"}) == []
    for after in (set(), {"d2lcnn @ x", "tqdm==1"}, frozenset({"torch==2.12.0", "d2lcnn @ x"})):
        assert len(wrong(after)) == 1
