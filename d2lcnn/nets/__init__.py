"""The five networks: blocks, full and mini networks, and the recipes that train them."""

from __future__ import annotations

import difflib

from torch import nn

from d2lcnn._words import described

# The module and the function of a network share a name: below, that name is the function.
from d2lcnn.nets import alexnet as _alexnet
from d2lcnn.nets import googlenet as _googlenet
from d2lcnn.nets import lenet as _lenet
from d2lcnn.nets import nin as _nin
from d2lcnn.nets import vgg as _vgg
from d2lcnn.nets.alexnet import AlexNet, alexnet_mini
from d2lcnn.nets.googlenet import INCEPTIONS, Inception, googlenet, googlenet_mini
from d2lcnn.nets.lenet import lenet
from d2lcnn.nets.nin import nin, nin_block, nin_mini
from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_positive, check_input, flat_features
from d2lcnn.nets.vgg import VGG11, vgg, vgg11, vgg_block, vgg_mini
from d2lcnn.nets.weights import glorot_init, he_init

NETWORKS: dict[str, dict[str, Variant]] = {
    "lenet": _lenet.VARIANTS,
    "alexnet": _alexnet.VARIANTS,
    "vgg": _vgg.VARIANTS,
    "nin": _nin.VARIANTS,
    "googlenet": _googlenet.VARIANTS,
}


def variant(name: str, size: str = "full") -> Variant:
    """Return how the network `name` is built and trained, in `size` "full" or "mini".

    Raises ValueError for an unknown name or size, with the nearest one there is.
    """
    variants = NETWORKS[_known("name", name, NETWORKS)]
    return variants[_known("size", size, variants)]


def network(
    name: str,
    size: str = "full",
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    input_size: int | None = None,
    weights: str | None = None,
) -> nn.Module:
    """Build the network `name` in `size` "full" or "mini", for images of `input_size` pixels (None: the recipe's).

    It keeps these arguments as `built_by`, so that it can be saved and built again. With `weights="recorded"` a mini
    network comes trained, in eval mode, as its record on Fashion-MNIST left it (`d2lcnn.weights` says which).

    Raises ValueError for an unknown name or size, for an input too small, naming the layer where the map vanishes, and
    where no such weights are recorded; OSError where their file is missing or damaged.
    """
    chosen = variant(name, size)
    if weights not in (None, "recorded"):
        raise ValueError(f'weights must be None or "recorded", got {described(weights)}')
    if weights and chosen is not NETWORKS[name]["mini"]:
        raise ValueError(f'weights are recorded of mini networks only; got {size!r} for size, not "mini"')
    input_size = chosen.recipe.input_size if input_size is None else input_size
    _check_positive(input_size=input_size)
    options = {"num_classes": num_classes, "in_channels": in_channels}
    # Networks that end in a global average need not know the size of their input.
    if chosen.sized:
        options["input_size"] = input_size
    net = chosen.build(**options)
    check_input(net, (1, in_channels, input_size, input_size))
    net.built_by = {"name": name, "size": size, **options, "input_size": input_size}
    if weights:
        from d2lcnn.weights import load_into  # which reads files by what saves nets, and this room

        load_into(net, name)
    return net


def _known(what: str, name: str, names) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{what} must be one of {', '.join(names)}, got {name!r}{hint}")


__all__ = [
    "INCEPTIONS",
    "NETWORKS",
    "VGG11",
    "AlexNet",
    "Inception",
    "Recipe",
    "Variant",
    "alexnet_mini",
    "check_input",
    "flat_features",
    "glorot_init",
    "googlenet",
    "googlenet_mini",
    "he_init",
    "lenet",
    "network",
    "nin",
    "nin_block",
    "nin_mini",
    "variant",
    "vgg",
    "vgg11",
    "vgg_block",
    "vgg_mini",
]
