"""What do NiN's 1x1 convolutions do for it? (chapter 8)"""

from torch import nn

from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.nets import he_init, nin_block
from d2lcnn.studies.protocol import Protocol, Study, Variant


def nin_of(ones: bool, w1: int, w2: int, w3: int) -> nn.Sequential:
    """The mini network of these widths, with the two 1x1 convolutions of each block or without them."""

    def block(*shape: int) -> nn.Sequential:
        full = nin_block(*shape)
        return full if ones else full[:2]

    return he_init(
        nn.Sequential(
            block(1, w1, 3, 1, 1),
            nn.MaxPool2d(3, 2),  # (N, w1, 13, 13)
            block(w1, w2, 5, 1, 2),
            nn.MaxPool2d(3, 2),  # (N, w2, 6, 6)
            block(w2, w3, 3, 1, 1),
            nn.MaxPool2d(3, 2),  # (N, w3, 2, 2)
            block(w3, 10, 3, 1, 1)[:-1],
            GlobalAvgPool2d(),
            FlattenLayer(),
        )
    )


_WIDTHS = {
    "nin": (True, 16, 48, 96),
    "without_1x1": (False, 16, 48, 96),
    "without_1x1_same_parameters": (False, 16, 58, 114),
}

STUDY = Study(
    "nin_block",
    "Is a NiN better with the two 1x1 convolutions of its blocks than without them, and than one without them that has "
    "as many parameters?",
    {
        name: Variant(
            nin_of,
            Protocol(input_size=28, epochs=3, lr=4e-3, batch_size=64, weight_decay=0.05),
            {"ones": ones, "w1": w1, "w2": w2, "w3": w3},
        )
        for name, (ones, w1, w2, w3) in _WIDTHS.items()
    },
    minutes=18,
)
