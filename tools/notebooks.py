"""Which notebooks are stale, and running them again.

A notebook is stale where the hash in its metadata differs from the hash of what its outputs come from: its own code but
for the set-up cell, the modules of the package that its names lead to (comments and docstrings aside), and the files
that lie beside these, such as the recorded runs.

    python tools/notebooks.py stale            list the stale notebooks
    python tools/notebooks.py execute [PATH]   run the stale ones (or just these, stale or not) and store their outputs
    python tools/notebooks.py uses [PATH]      list the modules that each notebook (or just these) depends on
"""

import ast
import hashlib
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "d2lcnn"
KEY = "d2lcnn"


def notebooks() -> list[Path]:
    """Return the book's notebooks in reading order."""
    return sorted((ROOT / "book").glob("*.ipynb"))


def source_hash(notebook: nbformat.NotebookNode, package: Path = PACKAGE) -> str:
    """Return the hash of everything that a notebook's outputs come from."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []):
            digest.update(cell.source.encode() + b"\0")
    modules = uses(notebook, package)
    for path in modules:
        digest.update(_code(path.read_text(encoding="utf-8")).encode())
    studies = {package / "records" / path.stem for path in modules if path.parent == package / "studies"}
    for folder in sorted({path.parent for path in modules} | set(filter(Path.is_dir, studies))):
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix != ".py" and not path.name.startswith("."):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def uses(notebook: nbformat.NotebookNode, package: Path = PACKAGE) -> list[Path]:
    """Return the modules that a notebook's names lead to, and those that the names in these lead to in turn.

    Nothing is imported. A module that only hands a name on, as an `__init__` does, is not among them. Where it cannot
    be told what is used, as with `getattr(d2lcnn, name)`, everything from that module down is.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    # Of IPython's own commands one installs; what another uses cannot be told.
    text = re.sub(r"^( *)%pip .*", r"\1pass", text, flags=re.M)
    text = re.sub(r"^( *)[%!]+(?=\w).*", rf"\1{package.name}", text, flags=re.M)
    # Of the chapters of `checks` and of the studies those that it names.
    named = {f"{package.name}.checks.chapter{n}" for n in re.findall(r"\bcheck\(\s*[\"'](\d+)\.", text)}
    named |= {f"{package.name}.studies.{name}" for name in re.findall(r"[\"'](\w+)[\"']", text)}
    return _Package(package, named).used_by(_Source(text))


def is_stale(path: Path) -> bool:
    """Return whether the notebook's outputs come from other code than today's."""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get(KEY, {}).get("source_hash") != source_hash(notebook)


def execute(path: Path) -> None:
    """Run a notebook from its own folder and replace it atomically, outputs and hash stored."""
    from nbclient import NotebookClient

    from d2lcnn._files import replacing  # with the package comes torch, for which a list need not wait

    notebook = nbformat.read(path, as_version=4)
    os.environ.setdefault("OMP_NUM_THREADS", "2")  # sums depend on the number of threads
    os.environ["D2LCNN_PROGRESS"] = "off"  # its solutions are nobody's progress
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


@cache
def _code(text: str) -> str:
    return repr(_bare(ast.parse(text)))


def _bare(node: object) -> object:
    """Return a syntax tree without docstrings, positions and empty fields: the same on every Python version."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node):
        node.body = node.body[1:]
    fields = ((name, _bare(value)) for name, value in ast.iter_fields(node))
    return type(node).__name__, [(name, value) for name, value in fields if value not in (None, [])]


class _Source:
    """What a program defines and imports, and what it uses: a module each, and the names to follow from there."""

    def __init__(self, text: str, room: str = ""):
        tree = ast.parse(text)
        self.room = room  # where its relative imports start
        self.imports = defaultdict(set)
        self.used = set()
        self.looked_up = set()  # how the names begin that it makes up for `import_module`
        for node in ast.walk(tree):
            self._bind(node)
        self._use(tree)
        self.defined = set(_defined(tree.body))

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                self.imports[alias.asname or first].add((alias.name if alias.asname else first, ()))
                if rest:
                    self.used.add((alias.name, ()))
        elif isinstance(node, ast.ImportFrom):
            rooms = self.room.split(".")[: len(self.room.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*rooms, *filter(None, [node.module])])
            for alias in node.names:
                if alias.name == "*":
                    self.used.add((module, ()))
                else:
                    self.imports[alias.asname or alias.name].add((module, (alias.name,)))
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["_LAZY"]:
            for module, names in ast.literal_eval(node.value).items():
                for name in names:
                    self.imports[name].add((module, (name,)))

    def _use(self, node: ast.AST) -> None:
        base, names = node, ()
        while isinstance(base, ast.Attribute):
            base, names = base.value, (base.attr, *names)
        if isinstance(base, ast.Name) and base.id in self.imports:
            self.used |= {(module, (*first, *names)) for module, first in self.imports[base.id]}
        if isinstance(base, ast.Call) and ast.unparse(base.func).endswith(("import_module", "__import__")):
            name = base.args[0] if base.args else None
            if isinstance(name, ast.JoinedStr):
                name = name.values[0]
            start = name.value if isinstance(name, ast.Constant) else ""
            self.looked_up.add("" if start.startswith(".") else start)
        for child in ast.iter_child_nodes(base):
            self._use(child)


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    """The names that a program gives a value itself: not those it imports, not what stands inside its functions."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            yield from _defined(list(ast.iter_child_nodes(node)))


class _Package:
    """What leads where in a package, told from its source alone; modules go by their dotted names."""

    def __init__(self, folder: Path, named: set[str]):
        self.named = named
        self.choices = (f"{folder.name}.checks.chapter", f"{folder.name}.studies.")
        self.paths = {}
        for path in folder.rglob("*.py"):
            if path.name != "__main__.py":  # the command line, which no chapter uses
                parts = path.relative_to(folder.parent).with_suffix("").parts
                self.paths[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path

    def used_by(self, program: _Source) -> list[Path]:
        found, new = set(), self._next(program)
        while new:
            found |= new
            new = set().union(*(self._next(self._source(module)) for module in new)) - found
        return [self.paths[module] for module in sorted(found)]

    def _source(self, module: str) -> _Source:
        path = self.paths[module]
        room = module if path.name == "__init__.py" else module.rpartition(".")[0]
        return _source(path.read_text(encoding="utf-8"), room)

    def _next(self, source: _Source) -> set[str]:
        found = set().union(*(self._lead(module, names) for module, names in source.used))
        for start in source.looked_up:
            named = {module for module in self.paths if module.startswith(start)}
            found |= named & self.named if start in self.choices and named & self.named else named
        return found

    def _lead(self, module: str, names: tuple[str, ...], seen: frozenset = frozenset()) -> set[str]:
        """Return the modules that define `names[0]` of `module`; where none does, all from `module` down."""
        if module not in self.paths or (module, names) in seen:
            return set()
        found = set()
        if names:
            name, *rest = names
            source = self._source(module)
            if name in source.defined:
                found.add(module)
            for target, first in source.imports.get(name, ()):
                found |= self._lead(target, (*first, *rest), seen | {(module, names)})
            found = found or self._lead(f"{module}.{name}", tuple(rest))
        return found or {path for path in self.paths if f"{path}.".startswith(f"{module}.")}


@cache
def _source(text: str, room: str) -> _Source:
    return _Source(text, room)


def main() -> None:
    command, *paths = sys.argv[1:] or ["stale"]
    chosen = [Path(path).resolve() for path in paths] or [p for p in notebooks() if command == "uses" or is_stale(p)]
    for path in chosen:
        print(path.relative_to(ROOT), flush=True)
        if command == "execute":
            execute(path)
        elif command == "uses":
            print(*(f"  {module.relative_to(ROOT)}" for module in uses(nbformat.read(path, as_version=4))), sep="\n")


if __name__ == "__main__":
    main()
