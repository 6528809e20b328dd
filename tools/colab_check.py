"""Run the published chapters as Colab does: in its versions, the package installed by the set-up cell and nothing else.

    python tools/colab_check.py              chapters 1 to 5 of _build/site with the versions of tools/colab.txt
    python tools/colab_check.py 1 2          these chapters
    python tools/colab_check.py --all        all of them
    python tools/colab_check.py --lowest     with the lowest versions that pyproject allows; --newest: with the newest
    python tools/colab_check.py --kernel P   in the environment of the interpreter P, such as that of Colab's own image

A chapter lies alone in an empty folder, the site's wheel is served from this machine, and what the cells print must be
what is stored, by nbval's rules. Before and after, `pip freeze` may differ in d2lcnn alone.
"""

import argparse
import functools
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "site"
# What a notebook needs beside the package, where no list says which version.
BESIDE = ["ipykernel", "scipy"]
# All that may differ from what is stored: how older versions name a figure in text, by another size.
EXCUSED = re.compile(r"<Figure size [^>]*>")
KERNEL = "d2lcnn-colab"


def requirements(versions: str) -> list[str]:
    """Return the pins of `colab`, `lowest` or `newest`."""
    if versions == "colab":
        lines = (ROOT / "tools" / "colab.txt").read_text().splitlines()
        return [line for line in lines if not line.startswith("#")]
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    if versions == "newest":
        return dependencies + BESIDE
    # Without this project's own overrides, which are for its locked environment.
    command = ["uv", "pip", "compile", "-", "--no-config", "--resolution", "lowest-direct", "--no-annotate", "--quiet"]
    command += ["--no-header", "--python-version", lowest_python()]
    compiled = subprocess.run(command, input="\n".join(dependencies), text=True, check=True, stdout=subprocess.PIPE)
    return compiled.stdout.splitlines() + BESIDE


def lowest_python() -> str:
    """Return the lowest Python that pyproject allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["requires-python"].removeprefix(">=")


def environment(folder: Path, versions: str, python: str) -> Path:
    """Make a fresh environment with pip, those versions and a stand-in for google.colab; return its interpreter."""
    venv = ["uv", "venv", "--quiet", "--seed", "--clear", str(folder), "--python"]
    if subprocess.run([*venv, python], check=False).returncode:
        print(f"Python {python} is not to be had here: checking with {sys.version.split()[0]} instead", flush=True)
        subprocess.run([*venv, sys.executable], check=True)
    interpreter = folder / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--no-config", "--python", str(interpreter), "-r", "-"]
    subprocess.run(install, input="\n".join(requirements(versions)), text=True, check=True)
    where = [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.check_output(where, text=True).strip())
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").touch()
    (packages / "google_colab.pth").write_text("import google.colab\n")  # there before a notebook's first cell
    return interpreter


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; gives its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


def copy_of(chapter: Path, folder: Path, address: str) -> Path:
    """Put a published chapter into a folder, its site now at another address."""
    text = chapter.read_text(encoding="utf-8")
    site = re.search(r'package = \\"(.+)/[^/]+\.whl\\"', text)
    if not site:
        sys.exit(f"{chapter} names no wheel: run `make site` first")
    copy = folder / chapter.name
    copy.write_text(text.replace(site[1], address), encoding="utf-8")
    return copy


def frozen(interpreter: Path) -> set[str]:
    return set(subprocess.check_output([str(interpreter), "-m", "pip", "freeze"], text=True).splitlines())


def run(chapter: Path, interpreter: Path, address: str) -> tuple[nbformat.NotebookNode, str]:
    """Run a published chapter alone in an empty folder; return it with its outputs, and the error that stopped it."""
    with tempfile.TemporaryDirectory() as support, tempfile.TemporaryDirectory() as empty:
        os.environ.update(kernel_of(interpreter, Path(support)))
        notebook = nbformat.read(copy_of(chapter, Path(empty), address), as_version=4)
        for cell in code(notebook):
            cell.outputs = []
        resources = {"metadata": {"path": empty}}
        client = NotebookClient(notebook, kernel_name=KERNEL, timeout=1200, coalesce_streams=True, resources=resources)
        try:
            client.execute()
        except CellExecutionError as error:
            return notebook, f"cell [{client.code_cells_executed}] raises {error.ename}: {error.evalue}"
    return notebook, ""


def kernel_of(interpreter: Path, folder: Path) -> dict[str, str]:
    """Describe a kernel in a folder; return the environment variables with which Jupyter finds it."""
    spec = folder / "kernels" / KERNEL / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(interpreter), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    return {"JUPYTER_PATH": str(folder), "IPYTHONDIR": str(folder / "ipython"), "NO_PROXY": "127.0.0.1"}


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def compared(cell: nbformat.NotebookNode) -> dict[str, list[str]]:
    """Return what must be the same: by nbval's rules, and that there is a picture, which nbval does not look for."""
    outputs = defaultdict(list)
    for output in cell.outputs:
        if output.output_type == "stream":
            outputs[output.name].append(output.text)
        for kind, value in output.get("data", {}).items():
            picture = kind in ("image/png", "image/jpeg")
            outputs[kind].append("a picture" if picture else EXCUSED.sub("<Figure>", value))
    ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
    return {kind: values for kind, values in outputs.items() if not ignored or kind.startswith("image/")}


def what_goes_wrong(chapter: Path, interpreter: Path, address: str) -> list[str]:
    """Run one published chapter; return what is not as it should be."""
    before = frozen(interpreter)
    ran, error = run(chapter, interpreter, address)
    after = frozen(interpreter)
    if error:
        return [error]
    wrong = []
    for stored, cell in zip(code(nbformat.read(chapter, as_version=4)), code(ran), strict=True):
        if compared(stored) != compared(cell):
            wrong.append(f"cell [{stored.execution_count}] gives {compared(cell)}, stored is {compared(stored)}")
    if before - after or [line.split(" @ ")[0] for line in after - before] != ["d2lcnn"]:
        wrong.append(f"`pip freeze` had {sorted(before - after)} and has {sorted(after - before)}")
    subprocess.run([str(interpreter), "-m", "pip", "uninstall", "--quiet", "--yes", "d2lcnn"], check=True)
    return wrong


def what_is_said_without_the_site(chapter: Path, interpreter: Path) -> str:
    """Run a chapter whose site cannot be reached; return all that the reader sees."""
    ran, _ = run(chapter, interpreter, "http://127.0.0.1:9")  # where nothing listens
    outputs = [output for cell in code(ran) for output in cell.outputs]
    return "".join(output.get("text", "") or "\n".join(output.get("traceback", [])) for output in outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "chapters", nargs="*", type=int, default=[1, 2, 3, 4, 5], help="their numbers; by default 1 to 5"
    )
    parser.add_argument("--all", action="store_true", help="all chapters")
    versions = parser.add_mutually_exclusive_group()
    versions.add_argument("--lowest", dest="versions", action="store_const", const="lowest", default="colab")
    versions.add_argument("--newest", dest="versions", action="store_const", const="newest")
    versions.add_argument("--kernel", type=Path, help="an interpreter whose environment is used as it is")
    parser.add_argument("--python", help="another Python than Colab's 3.13, or than the lowest with --lowest")
    args = parser.parse_args()

    published = sorted((SITE / "_sources" / "book").glob("[0-9]*.ipynb"))
    chapters = [path for path in published if args.all or int(path.name[:2]) in args.chapters]
    if not chapters:
        sys.exit("_build/site holds none of these chapters: run `make site` first")
    with tempfile.TemporaryDirectory() as folder, served(SITE) as address:
        python = args.python or (lowest_python() if args.versions == "lowest" else "3.13")
        interpreter = args.kernel or environment(Path(folder) / "venv", args.versions, python)
        said = what_is_said_without_the_site(chapters[0], interpreter)
        sentence = re.fullmatch(r"UsageError: d2lcnn could not be installed from \S+: [^.\n]+\.\n?", said)
        wrong = {} if sentence else {"without the site": [f"the reader sees: {said}"]}
        for chapter in chapters:
            print(chapter.name, flush=True)
            wrong[chapter.name] = what_goes_wrong(chapter, interpreter, address)
    for name, troubles in wrong.items():
        print(
            *(f"{name}: {trouble}" for trouble in troubles or ["as it is stored, and nothing else changed"]), sep="\n"
        )
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
