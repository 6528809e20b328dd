"""Which exercises a reader has solved, kept in a small file in their own folder for data."""

import json
import os
import sys
from pathlib import Path

from d2lcnn._files import replacing

VARIABLE = "D2LCNN_PROGRESS"  # another path for the file, or "off"


def path() -> Path | None:
    """Return where the file is or would be, None where it is off."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or "~/AppData/Roaming"
    elif sys.platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(os.path.expanduser(base)) / "d2lcnn" / "progress.json"  # noqa: PTH111, since it never raises


def solved() -> set[str]:
    """Return the numbers of the exercises that are solved; none where the file is missing or unreadable."""
    file = path()
    try:
        return set(map(str, json.loads(file.read_text(encoding="utf-8"))["solved"])) if file else set()
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def note(exercise: str) -> None:
    """Add an exercise to the file; where that cannot be done, nothing happens."""
    file, before = path(), solved()
    if file is None or exercise in before or _solution_runs():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            json.dump({"solved": sorted(before | {exercise}, key=order)}, new)
    except OSError:
        pass


def order(exercise: str) -> tuple[int, ...]:
    """Return what exercises are sorted by: 9.2 before 10.1."""
    return tuple(int(part) for part in exercise.split(".") if part.isdecimal())


def place() -> str:
    """Return in words where the file is, and what to know of it."""
    file = path()
    if file is None:
        return f"Nothing is kept, since {VARIABLE} is off."
    if "google.colab" in sys.modules:
        return f"Kept in {file}. Colab's machine forgets it when it is given back."
    existing = next((folder for folder in (file, *file.parents) if folder.exists()), None)
    if existing is None or not os.access(existing, os.W_OK):
        return f"Nothing can be kept: {file} cannot be written. {VARIABLE} names another place."
    return f"Kept in {file}; {VARIABLE} names another place, or is off."


def _solution_runs() -> bool:
    """Whether the cell that runs is the book's own solution, which does not count as the reader's."""
    console = sys.modules.get("IPython")
    shell = console.get_ipython() if console else None
    cells = shell.user_ns.get("In") if shell is not None else None
    return bool(cells) and str(cells[-1]).startswith("# @title Solution")
