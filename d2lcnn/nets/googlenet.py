"""GoogLeNet (Szegedy et al., 2014) without its auxiliary heads, and a mini network of the same blocks for 28x28."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_length, _check_positive
from d2lcnn.nets.weights import he_init


class Inception(nn.Module):
    """Inception block (chapter 9): four branches side by side, joined along the channels.

    `c1` to `c4` are the output channels of the branches' layers; `c2` and `c3` are pairs, (1x1 reduction, 3x3 or 5x5).
    (N, in_c, H, W) to (N, c1 + c2[1] + c3[1] + c4, H, W).
    Szegedy et al., "Going deeper with convolutions", 2014.

    Raises ValueError where a number of channels is below 1.
    """

    def __init__(self, in_c: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> None:
        _check_length("c2", c2, 2)
        _check_length("c3", c3, 2)
        _check_positive(in_c=in_c, c1=c1, c2_reduction=c2[0], c2=c2[1], c3_reduction=c3[0], c3=c3[1], c4=c4)
        super().__init__()
        # Kernels of three sizes; every layer keeps height and width.
        self.p1_1 = nn.Conv2d(in_c, c1, kernel_size=1)
        self.p2_1 = nn.Conv2d(in_c, c2[0], kernel_size=1)  # fewer for the 3x3
        self.p2_2 = nn.Conv2d(c2[0], c2[1], kernel_size=3, padding=1)
        self.p3_1 = nn.Conv2d(in_c, c3[0], kernel_size=1)  # and for the 5x5
        self.p3_2 = nn.Conv2d(c3[0], c3[1], kernel_size=5, padding=2)
        self.p4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.p4_2 = nn.Conv2d(in_c, c4, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the four branches' outputs, joined along the channels."""
        p1 = F.relu(self.p1_1(x))  # (N, c1, H, W)
        p2 = F.relu(self.p2_1(x))  # (N, c2[0], H, W)
        p2 = F.relu(self.p2_2(p2))  # (N, c2[1], H, W)
        p3 = F.relu(self.p3_1(x))  # (N, c3[0], H, W)
        p3 = F.relu(self.p3_2(p3))  # (N, c3[1], H, W)
        p4 = self.p4_1(x)  # (N, in_c, H, W)
        p4 = F.relu(self.p4_2(p4))  # (N, c4, H, W)
        # (N, c1 + c2[1] + c3[1] + c4, H, W)
        return torch.cat((p1, p2, p3, p4), dim=1)


# The channels (c1, c2, c3, c4) of every Inception block, stage by stage.
INCEPTIONS = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)


def googlenet(
    num_classes: int = 10,
    in_channels: int = 1,
    stem: tuple[int, int, int] = (7, 2, 3),
    pools: tuple[bool, bool, bool, bool] = (True, True, True, True),
    width: float = 1,
    inceptions: Sequence[Sequence[tuple]] = INCEPTIONS,
) -> nn.Sequential:
    """GoogLeNet without auxiliary heads (chapter 9): (N, in_channels, H, W) to (N, num_classes).

    Five stages b1 to b5, nine Inception blocks: 5,977,530 parameters with the default arguments. `stem` is the first
    convolution's (kernel size, stride, padding), `pools` says which of b1 to b4 end in a pooling that halves height and
    width, `width` multiplies all channels, `inceptions` holds (c1, c2, c3, c4) of the blocks in b3, b4 and b5.
    Szegedy et al., "Going deeper with convolutions", 2014.

    Raises ValueError where a number of channels is below 1.
    """
    _check_googlenet(num_classes, in_channels, stem, pools, width, inceptions)

    def scaled(channels):
        return tuple(map(scaled, channels)) if isinstance(channels, tuple) else max(1, round(channels * width))

    def pool(stage):
        return [nn.MaxPool2d(kernel_size=3, stride=2, padding=1)] if pools[stage] else []

    in_c = scaled(192)
    b1 = [nn.Conv2d(in_channels, scaled(64), *stem), nn.ReLU()]  # (N, 64, 48, 48) for 96x96, pooled to 24x24
    b2 = [nn.Conv2d(scaled(64), scaled(64), kernel_size=1), nn.ReLU()]
    b2 += [nn.Conv2d(scaled(64), in_c, kernel_size=3, padding=1), nn.ReLU()]  # (N, 192, 24, 24), pooled to 12x12
    b3, b4, b5 = [], [], []  # 480 channels, pooled to 6x6; 832 channels, pooled to 3x3; 1024 channels
    for stage, blocks in zip((b3, b4, b5), inceptions):
        for c1, c2, c3, c4 in map(scaled, blocks):
            stage.append(Inception(in_c, c1, c2, c3, c4))
            in_c = c1 + c2[1] + c3[1] + c4
    return nn.Sequential(
        OrderedDict(
            b1=nn.Sequential(*b1, *pool(0)),
            b2=nn.Sequential(*b2, *pool(1)),
            b3=nn.Sequential(*b3, *pool(2)),
            b4=nn.Sequential(*b4, *pool(3)),
            b5=nn.Sequential(*b5, GlobalAvgPool2d()),
            flatten=FlattenLayer(),
            fc=nn.Linear(in_c, num_classes),
        )
    )


def _check_googlenet(
    num_classes: int,
    in_channels: int,
    stem: tuple[int, int, int],
    pools: Sequence[bool],
    width: float,
    inceptions: Sequence[Sequence[tuple]],
) -> None:
    _check_positive(num_classes=num_classes, in_channels=in_channels)
    if len(pools) != 4:
        raise ValueError(f"pools must hold four of True and False, one for each of b1 to b4; got {pools!r}")
    _check_length("stem", stem, 3)
    _check_length("inceptions", inceptions, 3)
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width!r}")


# The same for the mini network, before its width of 1/4: multiples of 32, since a quarter of them fills the vector
# registers of a CPU.
MINI_INCEPTIONS = (
    ((64, (64, 128), (32, 64), 64),),
    ((128, (96, 192), (32, 64), 64),),
    ((256, (160, 320), (32, 128), 128),),
)


def googlenet_mini(num_classes: int = 10, in_channels: int = 1) -> nn.Sequential:
    """GoogLeNet for small images: a first convolution that keeps 28x28, three narrow blocks, weights by `he_init`.

    Raises ValueError where a number is below 1.
    """
    pools = (True, True, True, False)
    return he_init(googlenet(num_classes, in_channels, (5, 1, 2), pools, width=1 / 4, inceptions=MINI_INCEPTIONS))


def _full(**options: Any) -> nn.Sequential:
    return he_init(googlenet(**options))


VARIANTS = {
    "full": Variant(_full, Recipe(input_size=96, epochs=10, lr=1e-3, weight_decay=0.05, flip=True), sized=False),
    "mini": Variant(googlenet_mini, Recipe(input_size=28, epochs=5, lr=1.2e-2, weight_decay=0.05), sized=False),
}
