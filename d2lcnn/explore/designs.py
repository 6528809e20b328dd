"""Figures of networks to design: what their blocks cost."""

from __future__ import annotations

from d2lcnn.explore.page import Figure
from d2lcnn.nets import INCEPTIONS

# Convolutions of each block: configurations A, B, D and E of Simonyan and Zisserman (2014), and the book's own.
_VGG = {"VGG-11": (1, 1, 2, 2, 2), "VGG-13": (2,) * 5, "VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}


def vgg() -> Figure:
    """Design a VGG, and see its parameters, multiplications, memory and receptive field (chapter 7).

    It begins with the published networks, for grey pictures and ten classes as in the book, and the book's own two.
    """
    # The channels double from block to block, up to eight times those of the first.
    grey = {"in": 1, "classes": 10}
    presets = {name: {**grey, "convs": convs, "width": 64, "hidden": 4096, "size": 224} for name, convs in _VGG.items()}
    presets["VGG-11, a quarter as wide"] = presets["VGG-11"] | {"width": 16, "hidden": 1024}
    presets["the mini network"] = {**grey, "convs": (1, 1, 2, 0, 0), "width": 16, "hidden": 256, "size": 28}
    return Figure("vgg", "design a VGG: what does it cost?", {"presets": presets, "first": "VGG-11"})


def inception() -> Figure:
    """Design an Inception block, and see what each branch costs, with its reductions and without (chapter 9).

    It begins with GoogLeNet's nine blocks at 96 by 96 pixels, as in the book.
    """
    blocks, in_c = [], 192
    for size, stage in zip((12, 6, 3), INCEPTIONS):
        for c1, (r2, c2), (r3, c3), c4 in stage:
            blocks.append({"in": in_c, "c1": c1, "r2": r2, "c2": c2, "r3": r3, "c3": c3, "c4": c4, "size": size})
            in_c = c1 + c2 + c3 + c4
    return Figure("inception", "an Inception block: which branch costs what?", {"blocks": blocks})
