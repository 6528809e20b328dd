"""Which notebooks are stale, and running them again.

A notebook is stale where the hash in its metadata differs from the hash of what its outputs come from: its own code,
the package's code (comments and docstrings aside) and, where it reads them, the recorded runs.

    python tools/notebooks.py stale            list the stale notebooks
    python tools/notebooks.py execute [PATH]   run the stale ones (or just these, stale or not) and store their outputs
"""

import ast
import hashlib
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from d2lcnn._files import replacing

ROOT = Path(__file__).parent.parent
KEY = "d2lcnn"


def notebooks() -> list[Path]:
    """Return the book's notebooks in reading order."""
    return sorted((ROOT / "book").glob("*.ipynb"))


def source_hash(notebook: nbformat.NotebookNode) -> str:
    """Return the hash of everything that a notebook's outputs come from."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            digest.update(cell.source.encode() + b"\0")
    for path in sorted((ROOT / "d2lcnn").rglob("*.py")):
        if path.name != "__main__.py":  # the command line, which no chapter uses
            digest.update(repr(_code(ast.parse(path.read_text(encoding="utf-8")))).encode())
    if any("records" in cell.source for cell in notebook.cells if cell.cell_type == "code"):
        for path in sorted((ROOT / "d2lcnn" / "records").rglob("*.json")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_stale(path: Path) -> bool:
    """Return whether the notebook's outputs come from other code than today's."""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get(KEY, {}).get("source_hash") != source_hash(notebook)


def execute(path: Path) -> None:
    """Run a notebook from its own folder and replace it atomically, outputs and hash stored."""
    notebook = nbformat.read(path, as_version=4)
    os.environ.setdefault("OMP_NUM_THREADS", "2")  # sums depend on the number of threads
    os.environ["TQDM_DISABLE"] = "1"  # a live progress bar would be stored as a hundred lines
    resources = {"metadata": {"path": path.parent}}
    options = {"timeout": 900, "kernel_name": "python3", "coalesce_streams": True}
    NotebookClient(notebook, resources=resources, **options).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day: they would change at every run
    # What names this interpreter's patch release would differ on every machine.
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata[KEY] = {"source_hash": source_hash(notebook)}
    with replacing(path) as file:
        nbformat.write(notebook, file)


def _code(node: object) -> object:
    """Return a syntax tree without docstrings, positions and empty fields: the same on every Python version."""
    if isinstance(node, list):
        return [_code(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node):
        node.body = node.body[1:]
    fields = ((name, _code(value)) for name, value in ast.iter_fields(node))
    return type(node).__name__, [(name, value) for name, value in fields if value not in (None, [])]


def main() -> None:
    command, *paths = sys.argv[1:] or ["stale"]
    chosen = [Path(path).resolve() for path in paths] or [path for path in notebooks() if is_stale(path)]
    for path in chosen:
        print(path.relative_to(ROOT), flush=True)
        if command == "execute":
            execute(path)


if __name__ == "__main__":
    main()
