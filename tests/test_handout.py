"""What a class is handed out holds no solution, and the key holds them all."""

import ast
import re

import handout
import nbformat
import pace
import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "handout").mkdir()
    (folder / "handout" / "of-last-term.ipynb").write_text("")
    handout.write(folder)
    return folder


def statements(source):
    """The statements of a cell, each for itself, without imports, checks and what is shorter than a thought."""
    lines = [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return {line for line in lines if len(line) > 12 and not re.match(r"import |from |d2lcnn\.check|print", line)}


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and "setup" not in str(cell.metadata)]


@pytest.mark.parametrize("path", handout.notebooks(), ids=lambda path: path.stem)
def test_no_solution_is_left(folder, path):
    book = nbformat.read(path, as_version=4)
    handed = nbformat.read(folder / "handout" / path.name, as_version=4)
    nbformat.validate(handed)
    text = (folder / "handout" / path.name).read_text()
    assert "solution:" not in text and "@title Solution" not in text and "right!" not in text
    solutions = [cell for cell in book.cells if "solution:" in str(cell.metadata.get("tags"))]
    rest = [cell for cell in code(book) if cell not in solutions]
    # What the chapter itself, or a task, says already is no secret.
    known = set().union(*(statements(cell.source) for cell in rest))
    told = set().union(*(statements(cell.source) for cell in code(handed)))
    assert len(solutions) >= 8 and told <= known
    for solution in solutions:
        own = statements(solution.source) - known
        assert own or not statements(solution.source)
        assert not own & told


@pytest.mark.parametrize("path", handout.notebooks(), ids=lambda path: path.stem)
def test_everything_else_is_there_and_exercises_are_fresh(folder, path):
    book = nbformat.read(path, as_version=4)
    handed = nbformat.read(folder / "handout" / path.name, as_version=4)
    assert [cell.id for cell in handed.cells] == [cell.id for cell in book.cells if not handout.tag(cell)]
    exercises = [cell for cell in handed.cells if "exercise:" in str(cell.metadata.get("tags"))]
    assert len(exercises) >= 8 and not any(cell.outputs for cell in exercises)
    key = (folder / "key" / f"{path.stem}.md").read_text()
    assert key.count("## Exercise ") == len(exercises) and key.count("d2lcnn.check(") == len(exercises)


def test_the_folder_is_written_anew_and_links_lead_somewhere(folder):
    assert not (folder / "handout" / "of-last-term.ipynb").exists()
    for path in (folder / "handout").glob("*.ipynb"):
        for target in re.findall(r"\]\(([^)#:]+\.\w+)\)", path.read_text()):
            assert (folder / "handout" / target).exists(), target


def test_a_cell_tagged_answer_goes_into_the_key_alone():
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# Title", "A question?", "Because.")]
    cells[2].metadata["tags"] = ["answer"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert [cell.source for cell in handout.without_solutions(notebook).cells] == ["# Title", "A question?"]
    assert "Because." in handout.key(notebook) and len(notebook.cells) == 3


def test_make_handout_is_a_target():
    assert re.search(r"^handout: .*## ", (ROOT / "Makefile").read_text(), flags=re.M)


def test_the_table_of_hours_is_that_of_the_chapters():
    # Within what a few edited sentences change; `python tools/pace.py` renews it.
    text, lines = pace.PAGE.read_text(), pace.table()
    assert len(lines) == len(handout.notebooks()) + 3
    for line in lines[2:]:
        name, *numbers = [part.strip() for part in line.strip("|").split("|")]
        (stated,) = (row for row in text.splitlines() if row.startswith(f"| {name} |"))
        found = [float(part.replace(",", "")) for part in stated.strip("|").split("|")[1:]]
        expected = [float(part.replace(",", "")) for part in numbers]
        assert found[2:4] == expected[2:4]
        assert all(abs(a - b) <= 0.15 * b for a, b in zip(found, expected))
