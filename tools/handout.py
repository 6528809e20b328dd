"""A handout of the book for a class, and the key to it.

    python tools/handout.py FOLDER     FOLDER/handout: the chapters without solutions; FOLDER/key: the solutions alone

The handout runs as it is: what a solution defines is used nowhere else. Outputs stay, but for those of the exercises,
which are empty until somebody runs them. Answers to questions within the text (cells tagged `answer`) are left out.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat
from notebooks import ROOT, notebooks

KEPT = r"answer$|solution:"  # tags of what goes into the key


def tag(cell: nbformat.NotebookNode) -> str:
    """Return the tag by which a cell belongs to the key, or nothing."""
    return next((tag for tag in cell.metadata.get("tags", []) if re.match(KEPT, tag)), "")


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook for the class; the given one stays as it is."""
    handout = nbformat.from_dict(notebook)
    handout.cells = [cell for cell in handout.cells if not tag(cell)]
    for cell in handout.cells:
        if any(tag.startswith("exercise:") for tag in cell.metadata.get("tags", [])):
            cell.outputs, cell.execution_count = [], None
    return handout


def key(notebook: nbformat.NotebookNode) -> str:
    """Return the solutions of a chapter as Markdown, each under its exercise."""
    parts = [notebook.cells[0].source.splitlines()[0]]
    task = ""
    for cell in notebook.cells:
        if cell.source.startswith("### Exercise"):
            task = cell.source.splitlines()[0].removeprefix("### ")
        if tag(cell).startswith("solution:"):
            code = cell.source.split("\n", 1)[1]
            parts.append(f"## {task}\n\n```python\n{code}\n```")
        elif tag(cell):
            parts.append(cell.source)
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """Write handout and key of every chapter into `folder`, anew; the rest of it stays."""
    for name in ("handout", "key"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(without_solutions(notebook), folder / "handout" / path.name)
        (folder / "key" / f"{path.stem}.md").write_text(key(notebook), encoding="utf-8")
    for path in sorted((ROOT / "book").glob("*.md")):
        shutil.copy(path, folder / "handout")  # where the chapters' links lead


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/handout.py FOLDER")
    write(Path(sys.argv[1]))
    print(f"{sys.argv[1]}/handout for the class, {sys.argv[1]}/key for you")
