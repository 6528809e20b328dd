"""LeNet (LeCun et al., 1998), as the D2L books simplify it."""

from __future__ import annotations

from typing import Any

from torch import nn

from d2lcnn.layers import FlattenLayer, Reshape
from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_positive
from d2lcnn.nets.weights import glorot_init


def lenet(
    num_classes: int = 10,
    in_channels: int = 1,
    input_size: int = 28,
    activation: type[nn.Module] = nn.Sigmoid,
    pool: type[nn.Module] = nn.AvgPool2d,
) -> nn.Sequential:
    """LeNet (chapter 5): (N, in_channels, input_size, input_size), or those pixels in any shape, to (N, num_classes).

    Two convolutions with pooling, then three fully connected layers: 61,706 parameters with the default arguments.
    LeCun et al., "Gradient-based learning applied to document recognition", 1998.

    Raises ValueError for a number below 1 and for an input too small for the second pooling.
    """
    _check_lenet(num_classes, in_channels, input_size)
    side = (input_size // 2 - 4) // 2  # 5 for 28 pixels
    return nn.Sequential(
        Reshape(in_channels, input_size, input_size),
        nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),  # (N, 6, 28, 28)
        activation(),
        pool(kernel_size=2, stride=2),  # (N, 6, 14, 14)
        nn.Conv2d(6, 16, kernel_size=5),  # (N, 16, 10, 10)
        activation(),
        pool(kernel_size=2, stride=2),  # (N, 16, 5, 5)
        FlattenLayer(),  # (N, 400)
        nn.Linear(16 * side * side, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, num_classes),
    )


def _check_lenet(num_classes: int, in_channels: int, input_size: int) -> None:
    _check_positive(num_classes=num_classes, in_channels=in_channels, input_size=input_size)
    if input_size < 12:
        raise ValueError(f"input_size must be at least 12, or the second pooling returns nothing; got {input_size}")


def _full(**options: Any) -> nn.Sequential:
    return glorot_init(lenet(**options))


# LeNet is small enough to be its own mini network.
VARIANTS = dict.fromkeys(("full", "mini"), Variant(_full, Recipe(input_size=28, epochs=10, lr=3e-2)))
