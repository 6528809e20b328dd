"""NiN, the network in network (Lin et al., 2013), and a mini network of the same blocks for 28x28."""

from __future__ import annotations

from typing import Any

from torch import nn

from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_length, _check_positive
from d2lcnn.nets.weights import he_init


def nin_block(in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int) -> nn.Sequential:
    """NiN block (chapter 8): a convolution, then two 1x1 convolutions, which are linear layers over each pixel.

    (N, in_channels, H, W) to (N, out_channels, H', W'), as the first convolution has it. Raises ValueError where a
    number of channels is below 1.
    """
    _check_positive(in_channels=in_channels, out_channels=out_channels)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
    )


def nin(
    num_classes: int = 10,
    in_channels: int = 1,
    stem: tuple[int, int, int] = (11, 4, 0),
    widths: tuple[int, int, int] = (96, 256, 384),
    dropout: float = 0.5,
    final_relu: bool = True,
) -> nn.Sequential:
    """NiN (chapter 8): (N, in_channels, H, W) to (N, num_classes), with a global average in place of linear layers.

    `stem` is the first block's (kernel size, stride, padding), `widths` the channels of the first three blocks. The
    last block ends in a ReLU, so no logit is ever negative; `final_relu=False` leaves that ReLU off.
    Lin et al., "Network in network", 2013.

    Raises ValueError where a number is below 1. `check_input` tells which inputs are large enough.
    """
    _check_positive(num_classes=num_classes, in_channels=in_channels)
    _check_length("stem", stem, 3)
    _check_length("widths", widths, 3)
    c1, c2, c3 = widths
    head = nin_block(c3, num_classes, kernel_size=3, stride=1, padding=1)
    return nn.Sequential(
        nin_block(in_channels, c1, *stem),  # (N, 96, 54, 54) for 224x224
        nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 96, 26, 26)
        nin_block(c1, c2, kernel_size=5, stride=1, padding=2),  # (N, 256, 26, 26)
        nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 12, 12)
        nin_block(c2, c3, kernel_size=3, stride=1, padding=1),  # (N, 384, 12, 12)
        nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 384, 5, 5)
        nn.Dropout(dropout),
        head if final_relu else head[:-1],  # (N, num_classes, 5, 5)
        GlobalAvgPool2d(),  # (N, num_classes, 1, 1)
        FlattenLayer(),  # (N, num_classes)
    )


def nin_mini(num_classes: int = 10, in_channels: int = 1, final_relu: bool = False) -> nn.Sequential:
    """NiN for small images: a first convolution that keeps 28x28, narrower blocks, no dropout, weights by `he_init`.

    Raises ValueError where a number is below 1.
    """
    return he_init(nin(num_classes, in_channels, (3, 1, 1), (16, 48, 96), dropout=0.0, final_relu=final_relu))


def _full(**options: Any) -> nn.Sequential:
    # Without the ReLU on the logits: with it, a class whose logits die early is never learned.
    return he_init(nin(final_relu=False, **options))


VARIANTS = {
    "full": Variant(_full, Recipe(input_size=224, epochs=10, lr=1e-3, weight_decay=0.05, flip=True), sized=False),
    "mini": Variant(nin_mini, Recipe(input_size=28, epochs=4, lr=4e-3, batch_size=64, weight_decay=0.05), sized=False),
}
