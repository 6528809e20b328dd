"""What a published chapter is made of; the whole site is looked at in test_pages.py."""

import subprocess
import sys
from types import SimpleNamespace

import nbformat
import notebooks
import publish
import pytest
from IPython.core.interactiveshell import InteractiveShell
from publish import Address

PATH = notebooks.notebooks()[0]
SITE, WHEEL = "https://me.github.io/mine", "d2lcnn-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("https://github.com/me/mine", "https://me.github.io/mine"),
        ("https://github.com/me/mine/", "https://me.github.io/mine"),
        ("https://github.com/me/mine.git", "https://me.github.io/mine"),
        ("https://github.com/Some-One/My.Book_2", "https://some-one.github.io/My.Book_2"),
        ("https://github.com/Me/me.github.io", "https://me.github.io"),
    ],
)
def test_an_address_leads_to_its_pages(text, site):
    assert Address.parse(text).site == site


@pytest.mark.parametrize(
    "text",
    ["", "me/mine", "github.com/me/mine", "http://github.com/me/mine", "https://github.com/me"]
    + ["https://gitlab.com/me/mine", "https://github.com/me/mine/tree/main", "https://github.com/mé/mine"],
)
def test_what_colab_cannot_open_is_refused(text):
    with pytest.raises(ValueError, match=r"ADDRESS must be like https://github\.com/me/mine, got '"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/Them/d2lcnn", "https://github.com/Me/mine"),
        (
            "https://colab.research.google.com/github/Them/d2lcnn/blob/x",
            "https://colab.research.google.com/github/Me/mine/blob/x",
        ),
        ("https://them.github.io/d2lcnn/book", "https://me.github.io/mine/book"),
        ("https://Them.github.io/d2lcnn", "https://me.github.io/mine"),
        ("The d2lcnn authors, by them", "The d2lcnn authors, by them"),
    ],
)
def test_one_repository_is_put_for_another(text, expected):
    assert Address("Me", "mine").put_for(Address("Them", "d2lcnn"), text) == expected


def test_a_published_chapter_differs_in_its_set_up_and_its_links_alone():
    cells = [
        nbformat.v4.new_markdown_cell(
            "[a](02-padding.ipynb#what), [b](references.md), [c](https://x.org/a.md), [d](#e)"
        ),
        nbformat.v4.new_code_cell(f"{publish.IN_A_CLONE}\n1 + 1", metadata={"tags": ["setup"]}),
        nbformat.v4.new_code_cell('"[a](b.md)"'),
    ]
    before = nbformat.v4.new_notebook(cells=cells)
    after = publish.published(before, SITE, WHEEL)
    assert [cell.source for cell in after.cells] == [
        f"[a]({SITE}/book/02-padding.html#what), [b]({SITE}/book/references.html), [c](https://x.org/a.md), [d](#e)",
        f'package = "{SITE}/{WHEEL}"\n1 + 1',
        '"[a](b.md)"',
    ]
    assert before.cells[1].source.startswith(publish.IN_A_CLONE)


def set_up(package: str) -> str:
    cell = next(cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code")
    assert publish.IN_A_CLONE in cell.source
    return cell.source.replace(publish.IN_A_CLONE, f'package = "{package}"').split("import matplotlib")[0]


@pytest.fixture
def pip(monkeypatch):
    """Stands where the set-up cell asks whether the package is there, and where it calls pip."""
    calls = SimpleNamespace(commands=[], missing=True, returncode=0)

    def run(command, **options):
        calls.commands.append(command)
        return SimpleNamespace(returncode=calls.returncode)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if calls.missing else name)
    return calls


def test_the_set_up_installs_nothing_where_the_package_is(pip):
    pip.missing = False
    exec(set_up(f"{SITE}/{WHEEL}"), {})
    assert pip.commands == []


def test_the_set_up_installs_the_package_and_changes_nothing_else(pip):
    exec(set_up(f"{SITE}/{WHEEL}"), {})
    assert pip.commands == [[sys.executable, "-m", "pip", "install", "--no-deps", f"{SITE}/{WHEEL}"]]


def test_the_set_up_says_in_one_sentence_what_to_do_where_it_cannot_install(pip, capfd):
    pip.returncode = 1
    result = InteractiveShell().run_cell(set_up(f"{SITE}/{WHEEL}") + "\nprint('went on')")
    assert not result.success
    said = "".join(capfd.readouterr())
    assert said == (
        f"UsageError: d2lcnn could not be installed from {SITE}/{WHEEL}: see that this machine reaches the "
        "internet and run this cell again, or open the chapter anew from the book's pages.\n"
    )
