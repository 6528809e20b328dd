"""A network drawn from its trace: boxes and arrows, branches side by side."""

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from torch import nn

from d2lcnn.figures.given import check_net
from d2lcnn.figures.grids import FAINT, INK, INPUT, KERNEL, OUTPUT
from d2lcnn.figures.networks import FONT, LINE, PAGE, VECTOR, size_label
from d2lcnn.tracing import Node, trace

# "relu" and "ReLU" are one activation, whether a function or a layer.
# Of torch's activations those that keep the shape.
_KEEPING = set(nn.modules.activation.__all__) - {"MultiheadAttention", "GLU"}
ACTIVATIONS = {name.lower(): name for name in _KEEPING}
RISE, BESIDE = 0.25, 0.16  # inches between boxes
TALL = 24.0  # inches; a graph as tall is scrolled through, not seen
LEAST = 4.5  # points, of letters that can be read on a screen
Edge = tuple[str, str]


class _Column(NamedTuple):
    """A part of a graph, drawn from bottom to top; where its edges lie across it, from 0 to 1; two widths in inches."""

    nodes: dict[str, Node]
    lines: dict[Edge, float]
    ends: dict[str, list[float]]
    box: float
    page: float


def show_graph(net: nn.Module, shape: tuple[int, ...]) -> None:
    """Draw an input of `shape` (N, C, H, W) on its way up through `net`, branches side by side.

    A box is a layer or a function with its kernel, its stride and padding where these are not 1 and 0, and the channels
    and size of what it hands on. An activation is written into the box of the layer before it. What is taller than two
    feet is drawn smaller or in columns, left to right; the first box of a further column, dashed, is the last before.

    Raises ValueError for a net whose branches cross or that is too large to be read, and TypeError and ValueError as
    `trace` does.
    """
    check_net(net)
    nodes, activations = _merged(trace(net, shape).nodes)
    rows = _rows(nodes)
    _check_crossings(rows, *_columns(nodes))
    fig, ax = plt.subplots(layout="none")
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": FONT, "color": INK, "linespacing": 1.3}
    texts = {name: ax.text(0, 0, _label(node, activations[name], nodes), **style) for name, node in nodes.items()}
    extents = {name: text.get_window_extent() for name, text in texts.items()}
    # The axes' unit is the inch, so that what is measured can be placed.
    wide = {name: extent.width / fig.dpi + 2 * LINE for name, extent in extents.items()}
    high = [0.0] * (1 + max(rows.values()))
    for name, row in rows.items():
        high[row] = max(high[row], extents[name].height / fig.dpi + 2 * LINE)
    found = _arranged(nodes, rows, wide, high)
    if found is None:
        plt.close(fig)
        raise ValueError(
            f"net must be small enough to be read on a page, but it makes {len(nodes)} boxes: "
            "draw a part of it, with the shape that this part takes"
        )
    columns, scale = found
    page, tallest, labels = 0.0, 0.0, []
    for column in columns:
        y, tops, bottoms = 0.0, {}, {}
        for row in range(min(rows[name] for name in column.nodes), 1 + max(rows[name] for name in column.nodes)):
            for name in (name for name in column.nodes if rows[name] == row):
                again = nodes[name].inputs and not column.nodes[name].inputs
                left, right = (page + end(column.ends[name]) * column.page for end in (min, max))
                left, right = left - column.box / 2, right + column.box / 2
                colour = _colour(nodes[name])
                look: dict[str, Any] = {"fc": to_rgba(colour, 0.2), "ec": colour, "lw": 1, "ls": "--" if again else "-"}
                ax.add_patch(Rectangle((left, y), right - left, high[row], **look))
                labels.append(ax.text(0, 0, texts[name].get_text(), **style) if again else texts[name])
                labels[-1].set_position(((left + right) / 2, y + high[row] / 2))
                bottoms[name], tops[name] = y, y + high[row]
            y += high[row] + RISE
        for (source, target), x in column.lines.items():
            x = page + x * column.page
            arrow = {"arrowstyle": "-|>", "color": INK, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (x, bottoms[target]), (x, tops[source]), arrowprops=arrow)
        page, tallest = page + column.page, max(tallest, y - RISE)
    ax.set(xlim=(0, page), ylim=(-LINE, tallest + LINE))
    ax.axis("off")
    for text in labels:
        text.set_fontsize(FONT * scale)
    fig.set_size_inches(page * scale, (tallest + 2 * LINE) * scale)
    fig.subplots_adjust(0, 0, 1, 1)
    plt.show()


def _arranged(
    nodes: dict[str, Node], rows: dict[str, int], wide: dict[str, float], high: list[float]
) -> tuple[list[_Column], float] | None:
    """The columns of a graph and how far to shrink them, or None where nobody could read them."""
    cuts = _cuts(nodes, rows, len(high))
    stops = [*cuts, len(high) - 1]

    def height(start: int, stop: int) -> float:
        return sum(high[start : stop + 1]) + RISE * (stop - start) + 2 * LINE

    @cache
    def column(start: int, stop: int) -> _Column:
        first = {cuts[start]: replace(nodes[cuts[start]], inputs=())} if start else {}
        others = {n: node for n, node in nodes.items() if rows[n] <= stop and (rows[n] > start or not start)}
        return _column(first | others, wide)

    def filled(limit: float, scale: float) -> list[_Column] | None:
        """Columns at most `limit` tall, each as tall as can be, unless they are too wide together."""
        spans = [(0, stops[0])]
        for stop in stops[1:]:
            start, end = spans[-1]
            if height(start, stop) <= limit:
                spans[-1] = start, stop
            else:
                spans.append((end, stop))
        found = [column(*span) for span in spans]
        fit = all(height(*span) <= limit for span in spans) and sum(c.page for c in found) <= PAGE / scale
        return found if fit else None

    whole = column(0, len(high) - 1)
    # Wider than the page, everything shrinks alike.
    scale = min(1, PAGE / whole.page)
    if height(0, len(high) - 1) * scale <= TALL:
        return [whole], scale
    for scale in (percent / 100 for percent in range(100, 0, -1) if percent / 100 * FONT >= LEAST):
        if filled(TALL / scale, scale):
            # Then the columns might as well be equally tall.
            limits = (step / 50 * TALL / scale for step in range(1, 51))
            return next(columns for limit in limits if (columns := filled(limit, scale))), scale
    return None


def _cuts(nodes: dict[str, Node], rows: dict[str, int], number: int) -> dict[int, str]:
    """The rows after which all goes on from one node, and that node."""
    crossing: list[set[str]] = [set() for _ in range(number)]
    for name, node in nodes.items():
        for source in node.inputs:
            for row in range(rows[source], rows[name]):
                crossing[row].add(source)
    lone = {row: next(iter(sources)) for row, sources in enumerate(crossing) if row and len(sources) == 1}
    return {row: name for row, name in lone.items() if rows[name] == row}


def _column(nodes: dict[str, Node], wide: dict[str, float]) -> _Column:
    lines, narrowest = _columns(nodes)
    ends = {name: [x for edge, x in lines.items() if name in edge] or [0.5] for name in nodes}
    box = max(wide[name] for name in nodes if max(ends[name]) == min(ends[name]))
    page = max((box + BESIDE) / narrowest, *(wide[name] + BESIDE for name in nodes))
    return _Column(nodes, lines, ends, box, page)


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
        keeps = before in drawn and drawn[before].shape == node.shape
        if keeps and drawn[before].inputs and not activations[before]:
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
            raise ValueError(f"branches of net must not cross, but they do at {', '.join(here)[:150]}")


def _label(node: Node, activation: str, nodes: dict[str, Node]) -> str:
    kind = node.kind.removesuffix("Layer") + (f" {node.kernel[0]}×{node.kernel[1]}" if node.kernel else "")
    settings = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    found = {name: getattr(node, name) for name in settings}
    details = [f"{name} {_short(value)}" for name, value in found.items() if value not in (None, settings[name])]
    joined = [nodes[source].shape[1] for source in node.inputs if len(nodes[source].shape) > 1]
    if node.kind == "cat" and len(joined) > 1 and sum(joined) == node.shape[1]:
        details.append(" + ".join(f"{channels:,}" for channels in joined))
    lines = [f"{kind} + {activation}" if activation else kind, ", ".join(details), size_label(node.shape)]
    return "\n".join(line for line in lines if line)


def _short(value: int | tuple[int, int]) -> str:
    return "×".join(map(str, dict.fromkeys(value))) if isinstance(value, tuple) else str(value)


def _colour(node: Node) -> str:
    if node.kind == "input":
        return INPUT
    if len(node.inputs) > 1:
        return FAINT
    if len(node.shape) == 2:
        return VECTOR
    return OUTPUT if "pool" in node.kind.lower() else KERNEL
