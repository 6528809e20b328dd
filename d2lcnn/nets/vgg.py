"""VGG (Simonyan and Zisserman, 2014): VGG-11 and a mini network of the same blocks for 28x28."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from d2lcnn.layers import FlattenLayer
from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_length, _check_positive
from d2lcnn.nets.weights import he_init


def vgg_block(num_convs: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """VGG block (chapter 7): `num_convs` 3x3 convolutions that keep height and width, then a pooling that halves them.

    (N, in_channels, H, W) to (N, out_channels, H // 2, W // 2). Raises ValueError where a number is below 1.
    """
    _check_positive(num_convs=num_convs, in_channels=in_channels, out_channels=out_channels)
    layers = []
    for c in [in_channels] + [out_channels] * (num_convs - 1):
        layers += [nn.Conv2d(c, out_channels, kernel_size=3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))


def vgg(
    conv_arch: Sequence[tuple[int, int, int]],
    fc_features: int,
    fc_hidden_units: int = 4096,
    num_classes: int = 10,
    dropout: float = 0.5,
) -> nn.Sequential:
    """VGG network (chapter 7): a block for each (num_convs, in_channels, out_channels), then three linear layers.

    `fc_features` is how many features per example the last block hands on: its channels times its height and width.
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014.

    Raises ValueError where a number is below 1 or a block does not take the channels that the one before it gives.
    """
    _check_arch(conv_arch, fc_features=fc_features, fc_hidden_units=fc_hidden_units, num_classes=num_classes)
    blocks = {}
    for k, numbers in enumerate(conv_arch, 1):
        blocks[f"vgg_block_{k}"] = vgg_block(*numbers)
    fc = nn.Sequential(
        FlattenLayer(),
        nn.Linear(fc_features, fc_hidden_units),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(fc_hidden_units, fc_hidden_units),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(fc_hidden_units, num_classes),
    )
    return nn.Sequential(OrderedDict(**blocks, fc=fc))


# VGG-11 on images with one channel: (num_convs, in_channels, out_channels) of each block.
VGG11 = ((1, 1, 64), (1, 64, 128), (2, 128, 256), (2, 256, 512), (2, 512, 512))


def vgg11(num_classes: int = 10, in_channels: int = 1, input_size: int = 224, ratio: int = 1) -> nn.Sequential:
    """VGG-11 with every width divided by `ratio`: 128,806,154 parameters with the default arguments.

    Raises ValueError naming the block where the map vanishes if the input is too small, and for a ratio above 64.
    """
    _check_positive(num_classes=num_classes, in_channels=in_channels, input_size=input_size, ratio=ratio)
    if ratio > 64:
        raise ValueError(f"ratio must be at most 64, the width of the first block; got {ratio}")
    conv_arch = [(num_convs, c_in // ratio, c_out // ratio) for num_convs, c_in, c_out in VGG11]
    return _fitted(conv_arch, 4096 // ratio, num_classes, in_channels, input_size)


def vgg_mini(num_classes: int = 10, in_channels: int = 1, input_size: int = 28) -> nn.Sequential:
    """VGG for small images: three narrow blocks with four convolutions, less dropout, weights by `he_init`.

    Raises ValueError naming the block where the map vanishes if the input is too small.
    """
    _check_positive(num_classes=num_classes, in_channels=in_channels, input_size=input_size)
    conv_arch = ((1, 1, 16), (1, 16, 32), (2, 32, 64))
    return he_init(_fitted(conv_arch, 256, num_classes, in_channels, input_size, dropout=0.2))


def _fitted(
    conv_arch, fc_hidden_units: int, num_classes: int, in_channels: int, input_size: int, dropout: float = 0.5
) -> nn.Sequential:
    """A VGG whose first block takes `in_channels` and whose linear layers fit images of `input_size`."""
    (num_convs, _, out_channels), *rest = conv_arch
    side = input_size // 2 ** len(conv_arch)
    if side < 1:
        raise ValueError(
            f"input_size must be at least {2 ** len(conv_arch)}, since {len(conv_arch)} blocks halve it; "
            f"with {input_size} the map vanishes in vgg_block_{input_size.bit_length()}"
        )
    fc_features = conv_arch[-1][2] * side * side
    return vgg([(num_convs, in_channels, out_channels), *rest], fc_features, fc_hidden_units, num_classes, dropout)


def _check_arch(
    conv_arch: Sequence[tuple[int, int, int]], fc_features: int, fc_hidden_units: int, num_classes: int
) -> None:
    _check_positive(fc_features=fc_features, fc_hidden_units=fc_hidden_units, num_classes=num_classes)
    previous = None
    for i, block in enumerate(conv_arch, 1):
        _check_length(f"conv_arch: block {i}", block, 3)
        _, in_channels, out_channels = block
        if previous is not None and in_channels != previous:
            raise ValueError(
                f"conv_arch: block {i} must take the {previous} channels that block {i - 1} gives, got {in_channels}"
            )
        previous = out_channels


def _full(**options: int) -> nn.Sequential:
    # The whole VGG-11 takes days on a CPU. The D2L books, too, divide its channels by 4, but keep 4,096 hidden units.
    return he_init(vgg11(ratio=4, **options))


VARIANTS = {
    "full": Variant(_full, Recipe(input_size=224, epochs=10, lr=1e-3, weight_decay=0.05, flip=True)),
    "mini": Variant(vgg_mini, Recipe(input_size=28, epochs=4, lr=4e-3, batch_size=64, weight_decay=0.05)),
}
