"""Deeper or wider? (chapter 7)"""

from torch import nn

from d2lcnn.nets import he_init, vgg
from d2lcnn.studies.protocol import Protocol, Study, Variant


def vgg_of(convs: int, width: int) -> nn.Sequential:
    """Three blocks of so many convolutions each, of `width`, twice and four times as many channels."""
    conv_arch = ((convs, 1, width), (convs, width, 2 * width), (convs, 2 * width, 4 * width))
    return he_init(vgg(conv_arch, 4 * width * 3 * 3, fc_hidden_units=128, dropout=0.2))


STUDY = Study(
    "depth",
    "Do more convolutions in a block, or twice as many channels, make a VGG better, and which of the two buys more for "
    "its multiplications?",
    {
        f"{convs}_convolutions_{'wide' if width == 16 else 'narrow'}": Variant(
            vgg_of,
            Protocol(input_size=28, epochs=3, lr=3e-3, batch_size=64, weight_decay=0.05),
            {"convs": convs, "width": width},
        )
        for width in (8, 16)
        for convs in (1, 2, 3)
    },
    minutes=20,
)
