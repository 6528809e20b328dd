"""A network drawn from itself: what its layers hand on, one after another."""

import itertools
import math
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from d2lcnn._modes import tried_out
from d2lcnn._words import described
from d2lcnn.figures.given import check_net, count, tensor
from d2lcnn.figures.grids import FAINT, INK, INPUT, KERNEL, OUTPUT
from d2lcnn.tracing import tensors_in

VECTOR = "#8b5fbf"
FONT = 8.5
# In inches: the page, the side of the largest map, from square to square of a stack, a bar's width, gaps.
PAGE, SIDE, SHIFT, BAR, GAP, LINE = 7.0, 0.75, 0.024, 0.1, 0.16, 0.07
Box = tuple[float, float, float, float]  # how far right, how far up, width, height


class _Stage(NamedTuple):
    """What one call gave. The number of the call makes two calls of one layer two stages."""

    label: str
    shape: tuple[int, ...]
    layer: bool
    call: int


_Way = tuple[_Stage, ...] | str


def show_layers(net: nn.Module, X: Tensor, depth: int = 1) -> None:
    """Draw what the layers of `net` make of the batch X: maps (N, C, H, W) as stacked squares, vectors (N, F) as bars.

    `depth` 1 draws the children of `net`, a block as one stack; 2 opens the blocks, and so on. Functions called between
    them are drawn where they give maps or vectors of another shape. Layers without weights that keep the shape
    (activations, dropout) are left out. Sizes are compressed, so that all fit on a page: the side
    of a square grows with the square root of the map's, a stack with the logarithm of the channels, a bar with that of
    the features. The labels are exact.

    Raises TypeError for a net that is no module; ValueError where the layers at that depth do not run one after another
    or give something else than maps and vectors, and for an X that does not fit.
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
                ax.add_patch(Rectangle(corner, w, h, fc=_colour(stages[k]), ec="white", lw=0.6))
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


def _stages(net: nn.Module, X: Tensor, depth: int) -> tuple[_Stage, ...]:
    """What the parts of net at this depth hand on, as seen in one run."""
    check_net(net)
    parts = _parts(net, count("depth", depth))
    if not parts:
        raise ValueError(f"net must be a module that holds layers; got {described(net)}")
    if any(isinstance(module, torch.jit.ScriptModule) for module in (net, *parts)):
        raise ValueError("net must be one whose layers can be watched; got a scripted one")
    batch = X if isinstance(X, Tensor) else tensor("X", X)
    if batch.dim() not in (2, 4):
        raise ValueError(f"X must be maps (N, C, H, W) or vectors (N, F); got {described(X)}")
    if batch is not X and batch.is_floating_point():
        batch = batch.to(torch.get_default_dtype())  # NumPy's is another
    watch, wrong = _Watch(batch), []

    def before(part: nn.Module, args: tuple) -> None:
        watch.inside += 1

    def after(part: nn.Module, args: tuple, output: Tensor) -> None:
        watch.inside -= 1
        if len(args) == 1 and all(isinstance(value, Tensor) for value in (args[0], output)):
            watch.layer(_name(part, parts), part, args[0], output)
        else:
            wrong.append(f"layers must take one tensor and give one; {parts[part]} does not")

    hooks = [part.register_forward_pre_hook(before) for part in parts]
    hooks += [part.register_forward_hook(after) for part in parts]
    try:
        with tried_out(net), watch:
            output = net(batch)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        reason = reason if len(reason) < 180 else f"{reason[:180]}..."
        wrong.append(f"X of shape {tuple(batch.shape)} does not fit net: {reason}")
    finally:
        for hook in hooks:
            hook.remove()
    if wrong:
        raise ValueError(wrong[0])
    if not isinstance(output, Tensor):
        raise ValueError(f"net must give one tensor; got {type(output).__name__}")
    return watch.stages(output, depth)


class _Watch(TorchFunctionMode):
    """Keeps for each tensor made of X outside the layers how it came about: its stages, or what joined branches."""

    def __init__(self, X: Tensor) -> None:
        super().__init__()
        self.inside = 0  # a layer
        self._calls = itertools.count()
        self._ways: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._ways[X] = (_Stage("input", tuple(X.shape), False, next(self._calls)),)

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        output = func(*args, **(kwargs or {}))
        ways = [self._ways[x] for x in tensors_in((args, kwargs)) if x in self._ways]
        if ways and not self.inside:
            name, call = getattr(func, "__name__", "function").strip("_"), next(self._calls)
            for value in tensors_in(output):
                self._ways[value] = _further(ways, name, tuple(value.shape), call)
        return output

    def layer(self, name: str, part: nn.Module, x: Tensor, output: Tensor) -> None:
        way = self._ways.get(x)
        if isinstance(way, tuple) and (output.shape != x.shape or list(part.parameters())):
            way += (_Stage(name, tuple(output.shape), True, next(self._calls)),)
        if way:
            self._ways[output] = way

    def stages(self, output: Tensor, depth: int) -> tuple[_Stage, ...]:
        way = self._ways.get(output)
        if way is None:
            raise ValueError("net must make its output of X by layers and functions of torch that can be followed")
        if isinstance(way, str):
            raise ValueError(f"layers at depth {depth} must run one after another; {way} joins branches")
        odd = [(s.label, s.shape) for s in way if len(s.shape) not in (2, 4)]
        if way[-1].shape != tuple(output.shape):
            odd.append(("the output", tuple(output.shape)))
        if odd:
            raise ValueError(f"only maps (N, C, H, W) and vectors (N, F) can be drawn; {odd[0][0]} is {odd[0][1]}")
        return way


def _further(ways: list[_Way], name: str, shape: tuple[int, ...], call: int) -> _Way:
    """The way of what a function makes of tensors that came these ways."""
    for way in ways:
        if isinstance(way, str):
            return way
    if len({tuple(stage for stage in way if stage.layer) for way in ways}) > 1:
        return name
    # Functions alone may lead apart and together again: what they do is then one stage.
    way = tuple(stages[0] for stages in zip(*ways) if len(set(stages)) == 1)
    before = way[-1].shape
    if shape == before or len(shape) not in (2, 4):
        return way
    flat = name in ("view", "reshape") and len(before) == 4 and shape == (before[0], math.prod(before[1:]))
    return (*way, _Stage("flatten" if flat else name, shape, False, call))


def _colour(stage: _Stage) -> str:
    if len(stage.shape) == 2:
        return VECTOR
    if stage.label == "input" and not stage.call:
        return INPUT
    return OUTPUT if "pool" in stage.label.lower() else KERNEL if stage.layer else FAINT


def _parts(module: nn.Module, depth: int, path: str = "") -> dict[nn.Module, str]:
    """The modules `depth` levels below, or those above that hold no others, with their paths."""
    parts: dict[nn.Module, str] = {}
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
