"""Freeze the book's environment: pyproject's `book` group -> requirements.lock and environment.yml."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = """\
# The book's exact environment for conda users; made by `make lock` from requirements.lock.
# d2l and the package itself come after it, as the README says:
#     pip install --no-deps d2l=={d2l}
#     pip install --no-deps -e .
name: d2lcnn
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
"""


def pins(lock: str) -> list[str]:
    """Return the requirement lines of a lock file, without their hashes."""
    return [line.removesuffix(" \\") for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]


def environment_yml(lock: str) -> str:
    """Return environment.yml for a lock: the same pins, without d2l, whose metadata demands releases of 2022."""
    d2l = next(pin for pin in pins(lock) if pin.startswith("d2l==")).split("==")[1]
    lines = [f'      - "{pin}"\n' for pin in pins(lock) if not pin.startswith("d2l==")]
    return HEADER.format(d2l=d2l) + "".join(lines)


def main() -> None:
    lock = ROOT / "requirements.lock"
    compile_ = ["uv", "pip", "compile", "pyproject.toml", "--group", "book", "--universal", "--python-version", "3.11"]
    quiet = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "--output-file", str(lock)]
    subprocess.run([*compile_, *quiet, *sys.argv[1:]], cwd=ROOT, check=True)
    (ROOT / "environment.yml").write_text(environment_yml(lock.read_text()))


if __name__ == "__main__":
    main()
