"""Are branches of several windows better than one window? (chapter 9)"""

from torch import nn

from d2lcnn.studies._inceptions import conv, inceptions, with_blocks
from d2lcnn.studies.protocol import Protocol, Study, Variant

# Widths for as many multiplications as the Inception blocks take.
_PLAIN, _REDUCED = (36, 48, 92), ((24, 64), (32, 96), (32, 86))


def googlenet_of(blocks: str) -> nn.Sequential:
    """The mini network; with a "plain" 3x3 convolution in the place of each block, or a "reduced" one after a 1x1."""
    if blocks == "inception":
        return inceptions()
    layers, in_c = [], 48
    for narrow, out_c in [(0, width) for width in _PLAIN] if blocks == "plain" else _REDUCED:
        layers.append(nn.Sequential(*([conv(in_c, narrow, 1)] if narrow else []), conv(narrow or in_c, out_c, 3)))
        in_c = out_c
    return with_blocks(layers, in_c)


STUDY = Study(
    "inception",
    "Is a network of Inception blocks better than one of 3x3 convolutions, or of 3x3 after 1x1 convolutions, with as "
    "many multiplications?",
    {
        blocks: Variant(
            googlenet_of,
            Protocol(input_size=28, epochs=3, lr=1.2e-2, weight_decay=0.05),
            {"blocks": blocks},
        )
        for blocks in ("inception", "plain", "reduced")
    },
    minutes=14,
)
