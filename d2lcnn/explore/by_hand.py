"""Figures to chapters 1 to 4: operations on a few numbers, a photograph, a garment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.data import FashionMNIST
from d2lcnn.data.fashion_mnist import CLASSES
from d2lcnn.explore.page import Figure, grid, packed, pictures, whole
from d2lcnn.geometry import output_size

_BAND = [[1.0, 1, 0, 0, 0, 0, 1, 1]] * 6


def garments() -> Tensor:
    """A test picture of each class, uint8 (10, 1, 28, 28)."""
    images, labels = FashionMNIST().split("test")
    return images[[int((labels == c).nonzero()[1]) for c in range(10)]]


def convolution(X: Any = None, K: Any = None, picture: Tensor | None = None) -> Figure:
    """Slide a kernel over an input, change every number, and see each sum written out (chapter 1).

    X (h, w) and K (k_h, k_w) hold up to 12 and 5 numbers along an axis; by default a picture of a band, and the kernel
    [1, -1]. `picture`, 28 by 28, is the garment to choose in place of X. Raises TypeError and ValueError for others,
    and for a K larger than X.
    """
    X, K = grid("X", _BAND if X is None else X), grid("K", [[1.0, -1.0]] if K is None else K, most=5)
    if len(K) > len(X) or len(K[0]) > len(X[0]):
        raise ValueError(f"K must fit on X, {len(X)} by {len(X[0])}; got {len(K)} by {len(K[0])}")
    picture = garments()[2:3] if picture is None else pictures("picture", picture, 1)[:1]
    if picture.shape[2:] != (28, 28):
        raise ValueError(f"picture must be 28 by 28; got shape {tuple(picture.shape)}")
    data = {"X": X, "K": K, "garment": packed(picture), "side": 28}
    return Figure("convolution", "slide a kernel over an input", data)


def shapes(n: int = 7, k: int = 3, padding: int = 0, stride: int = 2, dilation: int = 1) -> Figure:
    """See where a layer's windows fall on one axis, what the rounding drops, and how layers widen the view (chapter 2).

    The figure begins with n elements, at most 14, and these settings: k to 7, padding to 3, stride to 4, dilation to 3.
    Raises TypeError and ValueError for others, and where the window does not fit.
    """
    layer = {}
    for name, value, low, high in (
        ("n", n, 1, 14),
        ("k", k, 1, 7),
        ("padding", padding, 0, 3),
        ("stride", stride, 1, 4),
        ("dilation", dilation, 1, 3),
    ):
        layer[name if len(name) == 1 else name[0]] = whole(name, value, low, high)
    output_size(n, k, padding, stride, dilation)
    layers = [{"k": 7, "p": 3, "s": 2, "d": 1}, {"k": 3, "p": 1, "s": 2, "d": 1}, {"k": 3, "p": 1, "s": 1, "d": 1}]
    data = {"layer": layer, "layers": layers, "size": 64}
    return Figure("shapes", "how large is the output, and what does it see?", data)


def channels(X: Any = None) -> Figure:
    """Mix a picture's red, green and blue by the three weights of a 1x1 kernel, and read every pixel (chapter 3).

    X (3, h, w) is uint8 or from 0 to 1, at most 160 pixels a side; by default matplotlib's photograph of Grace Hopper.
    Raises TypeError and ValueError for others.
    """
    X = pictures("X", _portrait() if X is None else X, 3)
    if max(X.shape[2:]) > 160:
        raise ValueError(f"X must be at most 160 by 160 pixels; got shape {tuple(X.shape)}")
    data = {"image": packed(X[0]), "shape": list(X.shape[1:])}
    return Figure("channels", "three weights make a picture of a picture", data)


def pooling(images: Tensor | None = None, names: list[str] | None = None) -> Figure:
    """Move a garment, and see how much its edges change before and after a pooling (chapter 4).

    `images` (N, 1, 28, 28) are uint8 or from 0 to 1, with a name each; by default a test picture of each class. Raises
    TypeError and ValueError for others.
    """
    images = garments() if images is None else pictures("images", images, 1)
    names = list(CLASSES[: len(images)] if names is None else names)
    if images.shape[2:] != (28, 28):
        raise ValueError(f"images must be 28 by 28; got shape {tuple(images.shape)}")
    if len(names) != len(images) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names must hold a text for each of {len(images)} images; got {described(names)}")
    data = {"images": packed(images), "names": names, "first": min(7, len(names) - 1)}
    return Figure("pooling", "move the picture: how much does the output change?", data)


def _portrait() -> Tensor:
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)[:, 0:480:4, 16:496:4]
