"""Figures of trained networks, which run in the page."""

from __future__ import annotations

from torch import Tensor, nn

from d2lcnn import nets
from d2lcnn._words import described
from d2lcnn.data import FashionMNIST, ImageData
from d2lcnn.explore.export import exported
from d2lcnn.explore.page import Figure, packed, pictures


def network(net: nn.Module, images: Tensor | None = None, *, data: ImageData | None = None) -> Figure:
    """Change a picture, and see every map of a trained `net`, and its scores, follow; any unit tells how it came about.

    `images` (N, C, H, W) are uint8 or from 0 to 1, by default a test picture of each class of `data`, on which net was
    trained (None: Fashion-MNIST); it also gives the classes and the normalisation. Weights are rounded to eight bits.

    Raises TypeError and ValueError for others, and ValueError for a net of layers that the page does not know or that
    does not give a score for each class.
    """
    return _network(net, images, data, "a network at work", "network")


def lenet(images: Tensor | None = None) -> Figure:
    """LeNet with its recorded weights, as `network` shows it (chapter 5)."""
    return _network(nets.network("lenet", weights="recorded"), images, None, "LeNet at work", "lenet")


def scene() -> Figure:
    """Drag garments about a scene, and see NiN's class maps and scores follow (chapter 8).

    The network is the mini one with its recorded weights; it was trained on single garments with a label.
    """
    height, width = 56, 84
    net = nets.network("nin", "mini", weights="recorded")
    data = FashionMNIST()
    images, labels = data.split("test")
    names = ["trouser", "bag", "ankle boot"]
    chosen = [int((labels == data.classes.index(name)).nonzero()[1]) for name in names]
    content = {
        "net": exported(net, (1, 1, height, width)),
        "images": packed(images[chosen]),
        "names": names,
        "places": [[4, 2], [26, 28], [2, 54]],
        "scene": [height, width],
        "classes": list(data.classes),
        "shown": data.classes.index("trouser"),
        "mean": float(f"{data.mean[0]:.6g}"),
        "std": float(f"{data.std[0]:.6g}"),
    }
    return Figure("scene", "where did it see that?", content)


def _network(net: nn.Module, images: Tensor | None, data: ImageData | None, title: str, name: str) -> Figure:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {described(net)}")
    if data is not None and not isinstance(data, ImageData):
        raise TypeError(f"data must be the ImageData that net was trained on, or None; got {described(data)}")
    data = FashionMNIST() if data is None else data
    names = []
    if images is None:
        images, labels = data.split("test")
        places = [(labels == c).nonzero().flatten() for c in range(len(data.classes))]
        # Of each class the second, where there is one: the first test picture of a sandal is an odd one.
        chosen = [int(found[min(1, len(found) - 1)]) for found in places if len(found)][:20]
        images, names = images[chosen], [data.classes[int(labels[k])] for k in chosen]
    images = pictures("images", images)
    channels = images.shape[1]
    if len(data.mean) != channels or channels not in (1, 3):
        raise ValueError(f"images must have {len(data.mean)} channels, as data has; got shape {tuple(images.shape)}")
    found = nets.check_input(net, (1, *images.shape[1:]))
    if found != (1, len(data.classes)):
        raise ValueError(f"net must give a score for each of {len(data.classes)} classes; got an output of {found}")
    content = {
        "net": exported(net, (1, *images.shape[1:])),
        "title": name,
        "images": packed(images),
        "shape": list(images.shape[1:]),
        "names": names,
        "classes": list(data.classes),
        "mean": [float(f"{value:.6g}") for value in data.mean],
        "std": [float(f"{value:.6g}") for value in data.std],
    }
    return Figure("network", title, content)
