"""d2lcnn: the package beside a book about convolutional networks that runs.

Everything a chapter uses is here: `d2lcnn.corr2d`, `d2lcnn.lenet`, `d2lcnn.fit`, `d2lcnn.check`, ...
"""

from importlib import import_module

from d2lcnn import explore, records
from d2lcnn.checks import check, hint, progress
from d2lcnn.data import Augment, FashionMNIST, ImageData
from d2lcnn.geometry import grow_field, output_size, pair, receptive_field, same_padding
from d2lcnn.history import History
from d2lcnn.layers import Conv2D, FlattenLayer, GlobalAvgPool2d, Reshape
from d2lcnn.nets import (
    AlexNet,
    Inception,
    glorot_init,
    googlenet,
    he_init,
    lenet,
    network,
    nin,
    nin_block,
    vgg,
    vgg_block,
)
from d2lcnn.ops import (
    convolve2d,
    corr2d,
    corr2d_im2col,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_multi_in_out_1x1,
    pool2d,
)
from d2lcnn.tracing import trace
from d2lcnn.training import evaluate, fit

# Imported when first asked for, so that `import d2lcnn` stays as light as torch.
_LAZY = {
    "d2lcnn.d2l_bridge": ("D2LClassifier", "D2LData", "train_with_d2l"),
    "d2lcnn.figures": (
        "draw_grid",
        "plot_history",
        "plot_records",
        "show_1x1",
        "show_channels",
        "show_confusion",
        "show_correlation",
        "show_graph",
        "show_im2col",
        "show_images",
        "show_layers",
        "show_pooling",
        "show_receptive_field",
        "show_stack",
    ),
    "d2lcnn.saving": ("Classifier", "load", "save"),
}


__all__ = [
    "AlexNet",
    "Augment",
    "Conv2D",
    "FashionMNIST",
    "FlattenLayer",
    "GlobalAvgPool2d",
    "History",
    "ImageData",
    "Inception",
    "Reshape",
    "check",
    "convolve2d",
    "corr2d",
    "corr2d_im2col",
    "corr2d_multi_in",
    "corr2d_multi_in_out",
    "corr2d_multi_in_out_1x1",
    "evaluate",
    "explore",
    "fit",
    "glorot_init",
    "grow_field",
    "googlenet",
    "he_init",
    "hint",
    "lenet",
    "network",
    "nin",
    "nin_block",
    "output_size",
    "pair",
    "pool2d",
    "progress",
    "receptive_field",
    "records",
    "same_padding",
    "trace",
    "vgg",
    "vgg_block",
    *(name for names in _LAZY.values() for name in names),
]


def __getattr__(name: str):
    for module, names in _LAZY.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'd2lcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
