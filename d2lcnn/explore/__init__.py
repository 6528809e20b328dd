"""Figures that move: each function makes one, and a notebook or a browser shows it, without fetching anything.

The operations run in the reader's browser, on the numbers and with the networks of the book.
"""

from d2lcnn.explore.by_hand import channels, convolution, pooling, shapes
from d2lcnn.explore.designs import inception, vgg
from d2lcnn.explore.page import Figure
from d2lcnn.explore.results import comparison
from d2lcnn.explore.trained import lenet, network, scene

__all__ = [
    "Figure",
    "channels",
    "comparison",
    "convolution",
    "inception",
    "lenet",
    "network",
    "pooling",
    "scene",
    "shapes",
    "vgg",
]
