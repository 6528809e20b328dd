"""A network drawn from itself: what its layers hand on, one after another."""

import math
import weakref
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from d2lcnn._modes import tried_out
from d2lcnn.figures.grids import FAINT, INK, INPUT, KERNEL, OUTPUT

VECTOR = "#8b5fbf"
FONT = 8.5
# In inches: the page, the side of the largest map, from square to square of a stack, a bar's width, gaps.
PAGE, SIDE, SHIFT, BAR, GAP, LINE = 7.0, 0.75, 0.024, 0.1, 0.16, 0.07
Box = tuple[float, float, float, float]  # how far right, how far up, width, height


class _Stage(NamedTuple):
    label: str
    shape: tuple[int, ...]
    colour: str


def show_layers(net: nn.Module, X: Tensor, depth: int = 1) -> None:
    """Draw what the layers of `net` make of the batch X: maps (N, C, H, W) as stacked squares, vectors (N, F) as bars.

    `depth` 1 draws the children of `net`, a block as one stack; 2 opens the blocks, and so on. Layers without weights
    that keep the shape (activations, dropout) are left out. Sizes are compressed, so that all fit on a page: the side
    of a square grows with the square root of the map's, a stack with the logarithm of the channels, a bar with that of
    the features. The labels are exact.

    Raises ValueError where the layers at that depth do not run one after another or give something else than maps and
    vectors, and for an X that does not fit.
    """
    stages = _stages(net, X, depth)
    largest = max((max(stage.shape[2:]) for stage in stages if len(stage.shape) == 4), default=1)
    drawings = [_boxes(stage.shape, largest) for stage in stages]
    # The last square of a stack is its top right corner.
    sizes = [(right + w, up + h) for *_, (right, up, w, h) in drawings]
    # The axes' unit is the inch, so that what is measured can be placed.
    fig, ax = plt.subplots(layout="none")
    texts = [ax.text(0, 0, f"{s.label}\n{size_label(s.shape)}", ha="center", va="top", fontsize=FONT) for s in stages]
    labels = [(box.width / fig.dpi, box.height / fig.dpi) for box in (text.get_window_extent() for text in texts)]
    slots = [max(size[0], label[0]) + GAP for size, label in zip(sizes, labels)]
    rows = _rows(slots)
    page = max(sum(slots[k] for k in row) for row in rows)
    top = 0.0
    for row in rows:
        spare = (page - sum(slots[k] for k in row)) / len(row)
        tallest = max(sizes[k][1] for k in row)
        middle, x = top - tallest / 2, 0.0
        arrow = {"arrowstyle": "->", "color": FAINT, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (page, middle), (0, middle), arrowprops=arrow, zorder=0)
        for k in row:
            x += (slots[k] + spare) / 2
            for right, up, w, h in reversed(drawings[k]):
                corner = x - sizes[k][0] / 2 + right, middle - sizes[k][1] / 2 + up
                ax.add_patch(Rectangle(corner, w, h, fc=stages[k].colour, ec="white", lw=0.6))
            texts[k].set(position=(x, top - tallest - LINE), color=INK)
            x += (slots[k] + spare) / 2
        bottom = top - tallest - LINE - max(labels[k][1] for k in row)
        top = bottom - 2 * GAP
    ax.set(xlim=(-LINE, page + LINE), ylim=(bottom - LINE, LINE))
    ax.axis("off")
    fig.set_size_inches(page + 2 * LINE, 2 * LINE - bottom)
    fig.subplots_adjust(0, 0, 1, 1)
    plt.show()


def _boxes(shape: tuple[int, ...], largest: int) -> list[Box]:
    """The squares of a stack, front first, or a bar."""
    if len(shape) == 2:
        return [(0, 0, BAR, 0.07 * math.log2(1 + shape[1]))]
    channels, h, w = shape[1], *(SIDE * (side / largest) ** 0.5 for side in shape[2:])
    return [(c * SHIFT, c * SHIFT, w, h) for c in range(min(channels, 1 + round(2 * math.log2(channels))))]


def size_label(shape: tuple[int, ...]) -> str:
    """What one example's map or vector holds: channels @ height×width, or features."""
    return f"{shape[1]:,} @ {shape[2]}×{shape[3]}" if len(shape) == 4 else "×".join(f"{n:,}" for n in shape[1:])


def _rows(widths: list[float]) -> list[list[int]]:
    """As few rows as fit on the page, all about as wide as one another: the indices in each."""

    def filled(limit: float) -> list[list[int]]:
        rows: list[list[int]] = [[]]
        for k, width in enumerate(widths):
            if rows[-1] and sum(widths[i] for i in rows[-1]) + width > limit:
                rows.append([])
            rows[-1].append(k)
        return rows

    few = len(filled(PAGE))
    limits = (sum(widths) / few + step / 20 for step in range(1000))
    return next(rows for limit in limits if len(rows := filled(limit)) <= few)


def _stages(net: nn.Module, X: Tensor, depth: int) -> list[_Stage]:
    """What the parts of net at this depth hand on, as seen in one run."""
    if not isinstance(depth, int) or depth < 1:
        raise ValueError(f"depth must be an int of at least 1; got {depth!r}")
    parts = _parts(net, depth) if isinstance(net, nn.Module) else {}
    if not parts:
        raise ValueError(f"net must be a module that holds layers; got {type(net).__name__}")
    if not isinstance(X, Tensor):
        raise ValueError(f"X must be a tensor; got {type(X).__name__}")
    stages = [_stage("input", tuple(X.shape), INPUT)]
    taken: list[weakref.ref] = []

    def between(x: Tensor) -> None:
        # The forward may do something that is no layer, such as x.flatten(1).
        before = stages[-1].shape
        if tuple(x.shape) != before:
            name = "flatten" if (len(before), x.dim()) == (4, 2) else "function"
            stages.append(_stage(name, tuple(x.shape), FAINT))

    def after(part: nn.Module, args: tuple, output: Tensor) -> None:
        if len(args) != 1 or not all(isinstance(value, Tensor) for value in (args[0], output)):
            raise ValueError(f"layers must take one tensor and give one; {parts[part]} does not")
        if any(tensor() is args[0] for tensor in taken):
            raise ValueError(
                f"layers at depth {depth} must run one after another; {parts[part]} takes what another layer has taken"
            )
        if output is not args[0]:
            taken.append(weakref.ref(args[0]))
        between(args[0])
        if tuple(output.shape) != stages[-1].shape or list(part.parameters()):
            name = _name(part, parts)
            stages.append(_stage(name, tuple(output.shape), OUTPUT if "Pool" in name else KERNEL))

    hooks = [part.register_forward_hook(after) for part in parts]
    try:
        with tried_out(net):
            output = net(X)
            if not isinstance(output, Tensor):
                raise ValueError(f"net must give one tensor; got {type(output).__name__}")
            between(output)
    except RuntimeError as error:
        raise ValueError(f"X of shape {tuple(X.shape)} does not fit net: {error}") from None
    finally:
        for hook in hooks:
            hook.remove()
    return stages


def _stage(label: str, shape: tuple[int, ...], colour: str) -> _Stage:
    if len(shape) not in (2, 4):
        raise ValueError(f"only maps (N, C, H, W) and vectors (N, F) can be drawn; {label} is {shape}")
    return _Stage(label, shape, VECTOR if len(shape) == 2 else colour)


def _parts(module: nn.Module, depth: int, path: str = "") -> dict[nn.Module, str]:
    """The modules `depth` levels below, or those above that hold no others, with their paths."""
    parts = {}
    for name, child in module.named_children():
        # A list of modules never runs itself.
        below = depth if isinstance(child, (nn.ModuleList, nn.ModuleDict)) else depth - 1
        opened = below and list(child.children())
        parts |= _parts(child, below, f"{path}{name}.") if opened else {child: path + name}
    return parts


def _name(part: nn.Module, parts: dict[nn.Module, str]) -> str:
    """A layer's kind, a block's name; blocks without a name are counted."""
    kind, name = type(part).__name__.removesuffix("Layer"), parts[part].rpartition(".")[2]
    if not list(part.children()):
        return kind
    if not name.isdigit():
        return name
    blocks = [other for other in parts if type(other) is type(part)]
    return f"block {blocks.index(part) + 1}" if isinstance(part, nn.Sequential) else kind
