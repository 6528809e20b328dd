"""Pictures side by side."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_rgb
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.figures.given import count, listed, tensor, texts

MARK = "magenta"  # where there is no number to draw
FEW = 64  # pictures; for more, axes for each take too long
LEAST = 0.1  # inches; a smaller one of many pictures cannot be seen
FILLED = 0.92  # of the room that one of many has


def show_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[Any] | None = None,
    columns: int | None = None,
    *,
    signed: bool = False,
    height: float | None = None,
) -> None:
    """Show pictures in a grid.

    `images` is (N, C, H, W) with C 1 or 3, (N, H, W), or a sequence of such pictures of any sizes: tensors, arrays or
    lists of real numbers. `titles` are as many texts or numbers. `height` is a row's height in inches.

    Grey pictures are each scaled by itself, from its least value to its greatest. With `signed`, those that have
    negative values show these blue, zero white and positive values red. Colour pictures show integers of 0 to 255 and
    floats of 0 to 1 as they are; one that has other values is scaled as a whole, from the least value of its channels
    to the greatest. NaN and infinity are magenta.

    There are 8 `columns` where nothing is said; of more than 64 pictures without titles as many as there are rows.

    Raises TypeError and ValueError for other pictures, other titles than one for each, and more than can be seen.
    """
    pictures = _pictures(images)
    labels = None if titles is None else texts("titles", titles)
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"titles must be as many as images, {len(pictures)}; got {len(labels)}")
    if height is not None and (not isinstance(height, Real) or not 0 < height < math.inf):
        kind = ValueError if isinstance(height, Real) else TypeError
        raise kind(f"height must be a number of inches above 0; got {described(height)}")
    if columns is None:
        columns = 8 if len(pictures) <= FEW or labels else math.ceil(len(pictures) ** 0.5)
    columns = min(count("columns", columns), len(pictures))
    rows = math.ceil(len(pictures) / columns)
    side = min(7 / columns, 2.6) if height is None else float(height)
    # The layout that makes room for longer titles takes too long for many pictures.
    lines = max(label.count("\n") for label in labels) if labels and len(pictures) > FEW else 0
    high = rows * (side + (0.22 + 0.14 * lines) * bool(labels))
    _check_seen(len(pictures), min(side, 7 / columns), high)
    shades = [_shade(picture, signed) for picture in pictures]
    if len(pictures) > FEW:
        _draw_close(shades, labels, columns, side, high)
    else:
        _, axes = plt.subplots(rows, columns, figsize=(7, high), squeeze=False)
        for ax in axes.flat:
            ax.axis("off")
        for k, (ax, (values, scale)) in enumerate(zip(axes.flat, shades)):
            ax.imshow(values, **scale)
            if labels:
                ax.set_title(labels[k], fontsize=8)
    plt.show()


def _draw_close(shades: list, labels: list[str] | None, columns: int, side: float, high: float) -> None:
    """The same in one pair of axes, whose unit is the inch."""
    fig, ax = plt.subplots(figsize=(7, high), layout="none")
    fig.subplots_adjust(0, 0, 1, 1)
    ax.axis("off")
    ax.autoscale(False)
    wide, row = 7 / columns, high / math.ceil(len(shades) / columns)
    for k, (values, scale) in enumerate(shades):
        top, left = row * (k // columns), wide * (k % columns)
        inch = FILLED * min(wide / values.shape[1], side / values.shape[0])
        w, h = values.shape[1] * inch / 2, values.shape[0] * inch / 2
        x, y = left + wide / 2, top + row - side / 2
        ax.imshow(values, extent=(x - w, x + w, y + h, y - h), aspect="auto", **scale)
        if labels:
            ax.text(x, y - h - 0.03, labels[k], fontsize=8, ha="center", va="bottom")
    ax.set(xlim=(0, 7), ylim=(high, 0))


def _pictures(images: Any) -> list[Tensor]:
    allowed = "(N, C, H, W), (N, H, W) or a sequence of pictures"
    if isinstance(images, (Tensor, np.ndarray)):
        if images.ndim not in (3, 4):
            raise ValueError(f"images must be {allowed}; got {described(images)}")
        images = list(tensor("images", images))
    pictures = [_picture(image) for image in listed("images", images, allowed)]
    if not pictures:
        raise ValueError("images must hold at least one picture; got none")
    return pictures


def _picture(image: Any) -> Tensor:
    """The image as (H, W) or (H, W, 3)."""
    image = tensor("each image", image)
    shape = tuple(image.shape)
    image = image[0] if image.dim() == 3 and shape[0] == 1 else image
    if 0 in shape or (image.dim() != 2 and (image.dim() != 3 or shape[0] != 3)):
        raise ValueError(f"each image must be (H, W), (1, H, W) or (3, H, W), none of length 0; got {shape}")
    return image if image.dim() == 2 else image.permute(1, 2, 0)


def _check_seen(number: int, side: float, high: float) -> None:
    # Matplotlib draws no figure of more pixels.
    tallest = (2**16 - 1) / mpl.rcParams["figure.dpi"]
    if (number > FEW and side < LEAST) or high > tallest:
        small = f"each {side:.2g} inches wide" if side < LEAST else f"a figure {high:,.0f} inches tall"
        raise ValueError(f"images must be few enough to be seen; got {number:,}, which makes {small}: show some")


def _shade(picture: Tensor, signed: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """What imshow is to draw of a picture, and how."""
    if picture.dtype == torch.uint8 and picture.dim() == 3:
        return picture.numpy(), {}
    # Colours in double precision, where the width of no range of float32 overflows.
    values = picture.double() if picture.dim() == 3 else picture.float()
    finite = values.isfinite()
    known = values[finite] if finite.any() else torch.zeros(1)
    low, high = float(known.min()), float(known.max())
    if picture.dim() == 3:
        return _colours(values, _range(picture.dtype, low, high), finite.all(2)), {}
    limit = max(-low, high)
    scale: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed and low < 0 else {}
    if not finite.all():
        cmap = plt.get_cmap(scale.get("cmap")).with_extremes(bad=MARK)
        scale = {"vmin": low, "vmax": high} | scale | {"cmap": cmap}
    return values.numpy(), scale


def _range(dtype: torch.dtype, low: float, high: float) -> tuple[float, float]:
    """What is drawn black and what is drawn in full colour, in a picture of values from low to high."""
    if dtype.is_floating_point or dtype == torch.bool:
        # Half a shade beyond the ends cannot be seen: such are rounding errors.
        natural, slack = 1, 1 / 510
    else:
        natural, slack = 255, 0
    return (0, natural) if -slack <= low and high <= natural + slack else (low, high)


def _colours(values: Tensor, ends: tuple[float, float], finite: Tensor) -> np.ndarray:
    low, high = ends
    shades = ((values - low) / ((high - low) or 1)).clamp(0, 1).float()
    shades[~finite] = torch.tensor(to_rgb(MARK))
    return shades.numpy()
