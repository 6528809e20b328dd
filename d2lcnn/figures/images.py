"""Pictures side by side."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from torch import Tensor


def show_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    signed: bool = False,
    height: float | None = None,
) -> None:
    """Show pictures in a grid, each scaled by itself.

    `images` is (N, C, H, W) with C 1 or 3, (N, H, W), or a sequence of such pictures of any sizes; uint8, or floats.
    With `signed`, pictures that have negative values show these blue, zero white and
    positive values red. `height` is a row's height in inches.

    Raises ValueError for other shapes, or titles that do not match the images in number.
    """
    pictures = [_picture(image) for image in images]
    if not pictures:
        raise ValueError("images must hold at least one picture; got none")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles must be as many as images, {len(pictures)}; got {len(titles)}")
    columns = min(columns or 8, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    side = min(7 / columns, 2.6) if height is None else height
    _, axes = plt.subplots(rows, columns, figsize=(7, rows * (side + 0.22 * bool(titles))), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for k, (ax, picture) in enumerate(zip(axes.flat, pictures)):
        limit = float(picture.abs().max())
        scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed and picture.min() < 0 else {}
        ax.imshow(picture.numpy(), **scale)
        if titles is not None:
            ax.set_title(titles[k], fontsize=8)
    plt.show()


def _picture(image: Tensor) -> Tensor:
    image = image.detach().cpu()
    image = image[0] if image.dim() == 3 and image.shape[0] == 1 else image
    if image.dim() == 3 and image.shape[0] == 3:
        image = image.permute(1, 2, 0)
        return image if image.dtype == torch.uint8 else image.float().clamp(0, 1)
    if image.dim() != 2:
        raise ValueError(f"each image must be (H, W), (1, H, W) or (3, H, W); got {tuple(image.shape)}")
    return image.float()
