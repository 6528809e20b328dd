"""Draw what the front page opens with, from numbers that the package computes: `python tools/front.py`.

It writes `book/convolution.svg` and, from it, the social card `_static/card.png` (with a Chromium).
"""

import math
import shutil
from pathlib import Path

import torch

import d2lcnn
from d2lcnn.figures import grids

ROOT = Path(__file__).parent.parent
DRAWING, CARD = ROOT / "book" / "convolution.svg", ROOT / "_static" / "card.png"
KERNEL = torch.tensor([[-1.0, 0.0, 1.0]] * 3)
CELL, LEVELS = 7, 12
LEFT, MIDDLE, RIGHT, TOP = 2, 260, 420, 40


def numbers() -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    """Return the second test picture, what the kernel makes of it, and where its answer is largest."""
    picture = d2lcnn.FashionMNIST().split("test")[0][1, 0] / 255
    answer = d2lcnn.corr2d(picture, KERNEL)
    return picture, answer, divmod(int(answer.argmax()), answer.shape[1])


def pixels(values: torch.Tensor, x: int, y: int, colour: str) -> list[str]:
    """Return the cells of a matrix of values from 0 to 1 as one path for each strength of the colour."""
    levels = (values.clamp(0, 1) * LEVELS).round().int().tolist()
    paths = []
    for level in range(1, LEVELS + 1):
        cells = [(r, c) for r, row in enumerate(levels) for c, value in enumerate(row) if value == level]
        squares = "".join(f"M{x + CELL * c} {y + CELL * r}h{CELL}v{CELL}h-{CELL}z" for r, c in cells)
        if squares:
            fill = f'fill="{colour}" fill-opacity="{level / LEVELS:.2f}"'
            paths.append(f'<path shape-rendering="crispEdges" {fill} d="{squares}"/>')
    return paths


def box(x: float, y: float, width: float, colour: str, more: str = "") -> str:
    """Return an empty square."""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{width}" fill="none" stroke="{colour}" {more}/>'


def drawing() -> str:
    """Return the picture of a convolution at work, as SVG that takes the colour of the text around it."""
    picture, answer, (row, column) = numbers()
    largest = float(answer.abs().max())
    side, cell = CELL * picture.shape[0], 32
    out, kernel_top = TOP + CELL, TOP + (side - 3 * cell) // 2
    window = (LEFT + CELL * column, TOP + CELL * row)
    place = (RIGHT + CELL * column, out + CELL * row)
    described = (
        f"A picture of {math.prod(picture.shape)} pixels, a pullover; a kernel of nine weights, which lies over three "
        f"by three of them; and the {math.prod(answer.shape)} sums that it makes: orange where the pullover begins, "
        f"blue where it ends. The largest is {largest:.2f}."
    )
    right, bottom = window[0] + 3 * CELL, window[1] + 3 * CELL
    ends = kernel_top + 3 * cell
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 260" role="img" aria-label="{described}">',
        '<g font-family="system-ui, sans-serif" font-size="17" fill="currentColor" text-anchor="middle">',
        f'<path d="M{right} {window[1]}L{MIDDLE} {kernel_top}M{right} {bottom}L{MIDDLE} {ends}'
        f"M{MIDDLE + 3 * cell} {kernel_top}L{place[0]} {place[1]}"
        f'M{MIDDLE + 3 * cell} {ends}L{place[0]} {place[1] + CELL}" '
        f'stroke="{grids.KERNEL}" stroke-dasharray="4 3" stroke-opacity="0.7" fill="none"/>',
        *pixels(picture, LEFT, TOP, "currentColor"),
        *pixels(answer / largest, RIGHT, out, grids.KERNEL),
        *pixels(-answer / largest, RIGHT, out, grids.INPUT),
        box(LEFT, TOP, side, "currentColor", 'stroke-opacity="0.4"'),
        box(RIGHT, out, CELL * answer.shape[0], "currentColor", 'stroke-opacity="0.4"'),
    ]
    lines += [
        box(*window, 3 * CELL, grids.KERNEL, 'stroke-width="3"'),
        box(*place, CELL, grids.KERNEL, 'stroke-width="3"'),
    ]
    for r in range(3):
        for c in range(3):
            x, y = MIDDLE + cell * c, kernel_top + cell * r
            lines.append(box(x, y, cell, grids.KERNEL, 'stroke-width="1.5"'))
            weight = f"{KERNEL[r, c]:.0f}".replace("-", "\N{MINUS SIGN}")
            lines.append(f'<text x="{x + cell / 2}" y="{y + cell / 2 + 6}">{weight}</text>')
    labels = [
        (LEFT + side / 2, TOP - 14, "28 × 28 pixels"),
        (MIDDLE + 1.5 * cell, TOP - 14, "9 weights"),
        (RIGHT + CELL * 13, TOP - 14, "26 × 26 sums"),
        (MIDDLE + 1.5 * cell, ends + 32, "nine products,"),
        (MIDDLE + 1.5 * cell, ends + 53, f"one sum: {largest:.2f}"),
    ]
    lines += [f'<text x="{x}" y="{y}">{text}</text>' for x, y, text in labels]
    return "\n".join([*lines, "</g>", "</svg>", ""])


def card(svg: str) -> None:
    """Photograph the picture under the book's name, in the size that links are shown with."""
    from playwright.sync_api import sync_playwright

    style = "body{margin:60px 75px;font:44px system-ui,sans-serif;color:#222} svg{width:1050px}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 630})
        page.set_content(f"<style>{style}</style><b>Convolutional Networks, Computed</b>{svg}")
        page.screenshot(path=CARD)
        browser.close()


if __name__ == "__main__":
    DRAWING.write_text(drawing(), encoding="utf-8")
    card(drawing())
