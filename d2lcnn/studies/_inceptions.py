"""GoogLeNet's mini network, its blocks cut and changed: what the studies of Inception build."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.nets import he_init

# The channels of its three Inception blocks: 1x1, (reduction, 3x3), (reduction, 5x5), 1x1 after the pooling.
BLOCKS = ((16, (16, 32), (8, 16), 16), (32, (24, 48), (8, 16), 16), (64, (40, 80), (8, 32), 32))


class Branches(nn.Module):
    """Layers side by side, joined along the channels: (N, C, H, W) to (N, all their channels, H, W)."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, X: Tensor) -> Tensor:
        """Return the branches' outputs, joined along the channels."""
        return torch.cat([branch(X) for branch in self.branches], dim=1)


def conv(in_c: int, out_c: int, kernel_size: int) -> nn.Sequential:
    """A convolution that keeps height and width, and its ReLU."""
    return nn.Sequential(nn.Conv2d(in_c, out_c, kernel_size, padding=kernel_size // 2), nn.ReLU())


def with_blocks(blocks: Sequence[nn.Module], channels: int) -> nn.Sequential:
    """The mini network's stem and end, with these three blocks, the first of 48 channels, the last to `channels`."""
    first, second, third = blocks
    return he_init(
        nn.Sequential(
            conv(1, 16, 5),
            nn.MaxPool2d(3, 2, 1),  # (N, 16, 14, 14)
            conv(16, 16, 1),
            conv(16, 48, 3),
            nn.MaxPool2d(3, 2, 1),  # (N, 48, 7, 7)
            first,
            nn.MaxPool2d(3, 2, 1),  # (N, 80, 4, 4)
            second,
            third,  # (N, 208, 4, 4)
            GlobalAvgPool2d(),
            FlattenLayer(),
            nn.Linear(channels, 10),
        )
    )


def inceptions(without: str = "", reduction: float = 1.0) -> nn.Sequential:
    """The mini network `without` one kind of branch ("1x1", "3x3", "5x5", "pool"), its reductions times a number.

    With `reduction` 0 there are none: 3x3 and 5x5 take all the channels.
    """
    blocks, in_c = [], 48
    for c1, c2, c3, c4 in BLOCKS:
        branches = {"1x1": conv(in_c, c1, 1)}
        for name, kernel_size, (reduced, out_c) in (("3x3", 3, c2), ("5x5", 5, c3)):
            narrow = round(reduced * reduction)
            reduce = [conv(in_c, narrow, 1)] if narrow else []
            branches[name] = nn.Sequential(*reduce, conv(narrow or in_c, out_c, kernel_size))
        branches["pool"] = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(in_c, c4, 1))
        widths = {"1x1": c1, "3x3": c2[1], "5x5": c3[1], "pool": c4}
        kept = [name for name in branches if name != without]
        blocks.append(Branches(*(branches[name] for name in kept)))
        in_c = sum(widths[name] for name in kept)
    return with_blocks(blocks, in_c)
