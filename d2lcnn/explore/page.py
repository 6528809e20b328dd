"""A figure that moves, as HTML that holds all it needs."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2lcnn._files import replacing
from d2lcnn._words import described

FOLDER = Path(__file__).parent
# What sphinx-book-theme paints behind every output in the dark, the figure paints itself.
_LIGHT = """html[data-theme="dark"] .bd-content div.cell_output .text_html:has(> .d2lcnn-explore) {
  background: none; color: var(--pst-color-text-base); padding: 0; }"""


class Figure:
    """A figure that the reader can handle, made by a function of `d2lcnn.explore`; notebooks show it.

    It is HTML and JavaScript in one piece that fetches nothing, the same for the same arguments on every machine.
    """

    def __init__(self, script: str, title: str, data: dict[str, Any]) -> None:
        self.title = title
        self._script, self._data = script, data

    def __repr__(self) -> str:
        return f"A figure to play with, for a notebook or a browser: {self.title}"

    def _repr_html_(self) -> str:
        data = json.dumps(self._data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
        scripts = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in ("runtime", self._script)]
        code = "\n".join(scripts)
        key = hashlib.sha256((code + data).encode()).hexdigest()[:12]
        note = "It moves where its script may run: on the book's page, or once this cell is run in a notebook."
        return (
            f'<div class="d2lcnn-explore" data-d2lcnn="{key}">\n<style>{_LIGHT}</style>\n'
            f"<p><em>A figure to play with: {html.escape(self.title)}.</em> {note}</p>\n</div>\n"
            f'<script>\n(() => {{\n"use strict";\n{code}\nstart("{key}", text, {data}, build);\n}})();\n</script>'
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the figure to `path` as a page of its own, which any browser opens; one that is there is replaced."""
        with replacing(Path(path)) as file:
            file.write(
                f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
                f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f"<title>{html.escape(self.title)}</title>\n"
                "<style>:root { color-scheme: light dark; color: CanvasText; } body { margin: 1rem auto; "
                "max-width: 46rem; padding: 0 0.5rem; } h1 { position: absolute; clip-path: inset(50%); }</style>\n"
                f"<main>\n<h1>{html.escape(self.title)}</h1>\n{self._repr_html_()}\n</main>\n</html>\n"
            )


def packed(values: Tensor) -> str:
    """A tensor's bytes in base64."""
    return base64.b64encode(values.contiguous().numpy().tobytes()).decode()


def grid(name: str, value: Any, least: int = 1, most: int = 12) -> list[list[float]]:
    """A small array of numbers (h, w), `least` to `most` rows and columns, rounded to six digits.

    Raises TypeError for anything else than real numbers, ValueError for other shapes and numbers that are not finite.
    """
    try:
        found = torch.as_tensor(value).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a tensor or lists of real numbers; got {described(value)}") from None
    if found.dim() != 2 or not all(least <= n <= most for n in found.shape):
        raise ValueError(f"{name} must have two axes of {least} to {most} each; got shape {tuple(found.shape)}")
    if not found.isfinite().all():
        raise ValueError(f"{name} must hold finite numbers; got {described(value)}")
    return [[float(f"{number:.6g}") for number in row] for row in found.tolist()]


def pictures(name: str, value: Any, channels: int | None = None) -> Tensor:
    """uint8 pictures (N, C, H, W) of what is uint8 or from 0 to 1, with any of the first two axes left out.

    Raises TypeError for anything else than a tensor of these, ValueError for other shapes or values.
    """
    if not isinstance(value, Tensor) or not (value.dtype == torch.uint8 or value.is_floating_point()):
        raise TypeError(f"{name} must be a tensor of uint8, or of floats from 0 to 1; got {described(value)}")
    found = value.detach().cpu()
    if not 2 <= found.dim() <= 4 or 0 in found.shape:
        raise ValueError(f"{name} must have the shape (N, C, H, W) or a part of it; got {tuple(value.shape)}")
    found = found.reshape((1,) * (4 - found.dim()) + tuple(found.shape))
    if channels is not None and found.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channels; got shape {tuple(value.shape)}")
    if found.dtype != torch.uint8:
        if not (found.min() >= 0 and found.max() <= 1):
            raise ValueError(f"{name} must hold floats from 0 to 1; got {found.min():.3g} to {found.max():.3g}")
        found = (found.double() * 255).round().to(torch.uint8)
    return found


def whole(name: str, value: Any, least: int, most: int) -> int:
    """An int from `least` to `most`, or TypeError or ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int from {least} to {most}; got {described(value)}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}; got {value}")
    return value
