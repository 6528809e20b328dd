"""A network drawn from its trace: boxes and arrows, branches side by side."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from torch import nn

from d2lcnn.figures.grids import FAINT, INK, INPUT, KERNEL, OUTPUT
from d2lcnn.figures.networks import FONT, LINE, PAGE, VECTOR, size_label
from d2lcnn.tracing import Node, trace

# "relu" and "ReLU" are one activation, whether a function or a layer.
# Of torch's activations those that keep the shape.
_KEEPING = set(nn.modules.activation.__all__) - {"MultiheadAttention", "GLU"}
ACTIVATIONS = {name.lower(): name for name in _KEEPING}
RISE, BESIDE = 0.25, 0.16  # inches between boxes
Edge = tuple[str, str]


def show_graph(net: nn.Module, shape: tuple[int, ...]) -> None:
    """Draw an input of `shape` (N, C, H, W) on its way up through `net`, branches side by side.

    A box is a layer or a function with its kernel, its stride and padding where these are not 1 and 0, and the channels
    and size of what it hands on. An activation is written into the box of the layer before it.

    Raises ValueError for a net whose branches cross, and TypeError and ValueError as `trace` does.
    """
    nodes, activations = _merged(trace(net, shape).nodes)
    rows = _rows(nodes)
    lines, narrowest = _columns(nodes)
    _check_crossings(rows, lines, narrowest)
    ends = {name: [x for edge, x in lines.items() if name in edge] or [0.5] for name in nodes}
    fig, ax = plt.subplots(layout="none")
    style = {"ha": "center", "va": "center", "fontsize": FONT, "color": INK, "linespacing": 1.3}
    texts = {name: ax.text(0, 0, _label(node, activations[name], nodes), **style) for name, node in nodes.items()}
    extents = {name: text.get_window_extent() for name, text in texts.items()}
    # The axes' unit is the inch, so that what is measured can be placed.
    wide = {name: extent.width / fig.dpi + 2 * LINE for name, extent in extents.items()}
    box = max(w for name, w in wide.items() if max(ends[name]) == min(ends[name]))
    page = max((box + BESIDE) / narrowest, *(w + BESIDE for w in wide.values()))
    y, tops, bottoms = 0.0, {}, {}
    for row in range(max(rows.values()) + 1):
        names = [name for name in nodes if rows[name] == row]
        high = max(extents[name].height for name in names) / fig.dpi + 2 * LINE
        for name in names:
            left, right = min(ends[name]) * page - box / 2, max(ends[name]) * page + box / 2
            colour = _colour(nodes[name])
            ax.add_patch(Rectangle((left, y), right - left, high, fc=to_rgba(colour, 0.2), ec=colour, lw=1))
            texts[name].set_position(((left + right) / 2, y + high / 2))
            bottoms[name], tops[name] = y, y + high
        y += high + RISE
    for (source, target), x in lines.items():
        arrow = {"arrowstyle": "-|>", "color": INK, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x * page, bottoms[target]), (x * page, tops[source]), arrowprops=arrow)
    ax.set(xlim=(0, page), ylim=(-LINE, y - RISE + LINE))
    ax.axis("off")
    # Wider than the page, everything shrinks alike.
    scale = min(1, PAGE / page)
    for text in texts.values():
        text.set_fontsize(FONT * scale)
    fig.set_size_inches(page * scale, (y - RISE + 2 * LINE) * scale)
    fig.subplots_adjust(0, 0, 1, 1)
    plt.show()


def _merged(nodes: tuple[Node, ...]) -> tuple[dict[str, Node], dict[str, str]]:
    """The nodes to draw, and for each the activation in its box, or ""."""
    uses = Counter(source for node in nodes for source in node.inputs)
    drawn: dict[str, Node] = {}
    activations: dict[str, str] = {}
    place: dict[str, str] = {}  # the box in which each node is
    for node in nodes:
        inputs = tuple(place[source] for source in node.inputs)
        activation = ACTIVATIONS.get(node.kind.replace("_", "").lower())
        before = inputs[0] if activation and len(inputs) == 1 and uses[node.inputs[0]] == 1 else None
        if before in drawn and drawn[before].inputs and not activations[before]:
            place[node.name], activations[before] = before, activation
        else:
            place[node.name], activations[node.name] = node.name, ""
            drawn[node.name] = replace(node, inputs=inputs)
    return drawn, activations


def _rows(nodes: dict[str, Node]) -> dict[str, int]:
    """The length of the longest path from the input to each node."""
    rows: dict[str, int] = {}
    for name, node in nodes.items():
        rows[name] = 1 + max((rows[source] for source in node.inputs), default=-1)
    return rows


def _columns(nodes: dict[str, Node]) -> tuple[dict[Edge, float], float]:
    """Where across the figure, from 0 to 1, each arrow runs upwards, and how wide the narrowest column is.

    A node shares the columns that lead to it among the arrows that leave it.
    """
    columns: dict[Edge, tuple[float, float]] = {}
    for name, node in nodes.items():
        spans = [columns[source, name] for source in node.inputs] or [(0, 1)]
        left, right = min(span[0] for span in spans), max(span[1] for span in spans)
        targets = [target for target in nodes if name in nodes[target].inputs]
        for k, target in enumerate(targets):
            width = (right - left) / len(targets)
            columns[name, target] = left + k * width, left + (k + 1) * width
    lines = {edge: (left + right) / 2 for edge, (left, right) in columns.items()}
    return lines, min((right - left for left, right in columns.values()), default=1)


def _check_crossings(rows: dict[str, int], lines: dict[Edge, float], narrowest: float) -> None:
    for row in range(max(rows.values()) + 1):
        here = {name: [x for edge, x in lines.items() if name in edge] for name in rows if rows[name] == row}
        taken = [(min(xs) - 0.49 * narrowest, max(xs) + 0.49 * narrowest) for xs in here.values() if xs]
        taken += [(x, x) for (source, target), x in lines.items() if rows[source] < row < rows[target]]
        taken.sort()
        if any(right > left for (_, right), (left, _) in pairwise(taken)):
            raise ValueError(f"branches of net must not cross, but they do at {', '.join(here)}")


def _label(node: Node, activation: str, nodes: dict[str, Node]) -> str:
    kind = node.kind.removesuffix("Layer") + (f" {node.kernel[0]}×{node.kernel[1]}" if node.kernel else "")
    settings = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    found = {name: getattr(node, name) for name in settings}
    details = [f"{name} {_short(value)}" for name, value in found.items() if value not in (None, settings[name])]
    joined = [nodes[source].shape[1] for source in node.inputs if len(nodes[source].shape) > 1]
    if node.kind == "cat" and sum(joined) == node.shape[1]:
        details.append(" + ".join(f"{channels:,}" for channels in joined))
    lines = [f"{kind} + {activation}" if activation else kind, ", ".join(details), size_label(node.shape)]
    return "\n".join(line for line in lines if line)


def _short(value: int | tuple[int, int]) -> str:
    return "×".join(map(str, dict.fromkeys(value))) if isinstance(value, tuple) else str(value)


def _colour(node: Node) -> str:
    if not node.inputs:
        return INPUT
    if len(node.inputs) > 1:
        return FAINT
    if len(node.shape) == 2:
        return VECTOR
    return OUTPUT if "pool" in node.kind.lower() else KERNEL
