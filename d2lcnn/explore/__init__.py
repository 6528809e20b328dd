"""Figures that move: each function makes one, and a notebook or a browser shows it, without fetching anything.

The operations run in the reader's browser, on the numbers and with the networks of the book.
"""

from d2lcnn.explore.by_hand import convolution, shapes
from d2lcnn.explore.page import Figure
from d2lcnn.explore.trained import lenet, network

__all__ = ["Figure", "convolution", "lenet", "network", "shapes"]
