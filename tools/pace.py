"""How long a chapter takes a reader, written into the table of book/teaching.md.

    python tools/pace.py      count words, exercises and figures of today's chapters, and renew the table

Reading is 200 words a minute for prose, half a minute for each cell of code that is to be read, and half a minute for a
figure; an easy exercise takes 5 minutes, one of middle difficulty 10, a hard one 20. Rounded to 5 minutes.
"""

import re
from pathlib import Path

import nbformat
from notebooks import ROOT, notebooks

WORDS_A_MINUTE = 200
CELL, FIGURE = 0.5, 0.5  # minutes
EXERCISE = {"easy": 5, "medium": 10, "hard": 20}  # minutes
PAGE = ROOT / "book" / "teaching.md"
HEAD = "| chapter | words | reading, minutes | exercises | exercises, minutes | hours in all |"


def pace(path: Path) -> tuple[int, float, int, int]:
    """Return the words of a chapter's prose, the minutes to read it, how many exercises it has, and their minutes."""
    cells = nbformat.read(path, as_version=4).cells
    start = next(k for k, cell in enumerate(cells) if "## Exercises" in cell.source)
    prose = " ".join(cell.source for cell in cells[:start] if cell.cell_type == "markdown")
    words = len(re.findall(r"\w+", re.sub(r"\$.*?\$|\]\(.*?\)", " ", prose, flags=re.S)))
    code = [cell for cell in cells[:start] if cell.cell_type == "code"]
    figures = sum("figure" in cell.metadata.get("tags", []) for cell in code)
    levels = re.findall(r"^### Exercise .+ \((\w+)\)$", "\n".join(cell.source for cell in cells), flags=re.M)
    reading = words / WORDS_A_MINUTE + CELL * (len(code) - figures) + FIGURE * figures
    return words, reading, len(levels), sum(EXERCISE[level] for level in levels)


def table() -> list[str]:
    """Return the lines of the table, one for each chapter and one for all."""
    rows = [(path.stem, *pace(path)) for path in notebooks()]
    sums = [sum(column) for column in list(zip(*rows))[1:]]
    lines = [HEAD, "|" + " --- |" * HEAD.count(" | ") + " --- |"]
    for name, words, reading, count, minutes in [*rows, ("all", *sums)]:
        title = f"[{int(name[:2])} {name[3:]}]({name}.ipynb)" if name != "all" else "all"
        hours = f"{(reading + minutes) / 60:.1f}"
        lines.append(f"| {title} | {round(words, -2):,} | {5 * round(reading / 5)} | {count} | {minutes} | {hours} |")
    return lines


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(HEAD)
    end = re.compile(r"\n(?!\|)").search(text, start).start()
    PAGE.write_text(text[:start] + "\n".join(table()) + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
