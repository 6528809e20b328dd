"""A Sphinx extension: the package reference, read from the source without importing it (by sphinx-autoapi)."""

import ast
import functools
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


@functools.cache
def aliases(package: Path) -> dict[str, str]:
    """Return what the names of types that a package defines by an assignment, as `Size`, stand for."""
    body = [node for path in package.rglob("*.py") for node in ast.parse(path.read_text(encoding="utf-8")).body]
    assigned = [node for node in body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    found = {node.targets[0].id: node.value for node in assigned if isinstance(node.value, ast.BinOp | ast.Subscript)}
    return {name: ast.unparse(value) for name, value in found.items() if re.fullmatch("[A-Z][a-z]+", name)}


def shortened(annotations: str, spelled_out: dict[str, str]) -> str:
    """Return annotations without the modules that names are from, and with names of types spelled out."""
    short = re.sub(r"(?<!= )\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", annotations)
    return re.sub(r"(?<=[:>\[|,] )[A-Z]\w*|(?<=\[)[A-Z]\w*|^[A-Z]\w*", lambda m: spelled_out.get(m[0], m[0]), short)


def signature(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str | None, returns: str | None):
    """Shorten annotations; give a dataclass, whose `__init__` stands nowhere, the signature that its fields make."""
    spelled_out = aliases(Path(app.srcdir) / app.config.autoapi_dirs[0])
    if what == "apiclass" and arguments in (None, "", "()"):
        fields = [child for child in obj.children if child.type == "attribute" and child.annotation]
        defaults = {field.name: "" if field.value is None else f" = {field.value}" for field in fields}
        arguments = "(" + ", ".join(f"{f.name}: {f.annotation}{defaults[f.name]}" for f in fields) + ")"
        arguments = "" if arguments == "()" else arguments
    return shortened(arguments or "", spelled_out), returns and shortened(returns, spelled_out)


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out attributes without a docstring, and what a module imports where nothing asks for it."""
    if obj.type in ("attribute", "data") and not obj.docstring:
        return True
    return True if obj.imported and not options.imported_members else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in a build."""
    app.setup_extension("autoapi.extension")
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
