"""A network drawn from itself: what every layer hands on."""

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from d2lcnn.figures.grids import INK, INPUT, KERNEL, OUTPUT


def show_layers(net: nn.Sequential, X: Tensor) -> None:
    """Draw what the layers of `net` make of the batch X: maps as stacked squares, vectors as bars.

    Layers that keep the shape (activations, dropout) are left out.

    Raises ValueError where `net` is not an nn.Sequential.
    """
    if not isinstance(net, nn.Sequential):
        raise ValueError(f"net must be an nn.Sequential; got {type(net).__name__}")
    stages = _stages(net, X)
    fig, ax = plt.subplots(figsize=(7, 2.7), layout="none")
    x, gap = 0.0, 15.0
    tallest = max((shape[-1] for _, shape in stages if len(shape) == 4), default=28)
    for name, shape in stages:
        if len(shape) == 4:
            _, channels, h, w = shape
            shown, shift = min(channels, 16), 1.1
            for c in reversed(range(shown)):
                colour = INPUT if name == "input" else OUTPUT if "Pool" in name else KERNEL
                left, top = x + c * shift, -h / 2 - c * shift + shown * shift / 2
                ax.add_patch(Rectangle((left, top), w, h, fc=colour, ec="white", lw=0.6, alpha=0.85))
            width, label = w + (shown - 1) * shift, f"{channels} @ {h}×{w}"
        else:
            height, width = tallest * 1.25 * (shape[1] / 400) ** 0.5, 3.5
            ax.add_patch(Rectangle((x, -height / 2), width, height, fc="#8b5fbf", ec="white", lw=0.6, alpha=0.85))
            label = str(shape[1])
        ax.text(x + width / 2, tallest * 0.72, f"{name}\n{label}", ha="center", va="top", fontsize=7, color=INK)
        x += width + gap + 6 * (len(shape) == 2)
    ax.set(xlim=(-4, x - gap + 4), ylim=(tallest * 1.05, -tallest * 0.75))
    ax.set_aspect("equal")
    ax.axis("off")
    fig.subplots_adjust(0, 0, 1, 1)
    plt.show()


def _stages(net: nn.Sequential, X: Tensor) -> list[tuple[str, tuple[int, ...]]]:
    stages = [("input", tuple(X.shape))]
    with torch.no_grad():
        for layer in net:
            X = layer(X)
            name = type(layer).__name__.removesuffix("Layer")
            if tuple(X.shape) != stages[-1][1] or isinstance(layer, (nn.Conv2d, nn.Linear)):
                stages.append((name, tuple(X.shape)))
    return stages
