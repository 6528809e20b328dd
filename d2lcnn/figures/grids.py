"""Small tensors drawn as grids of numbers: windows that slide, channels that add up, fields that grow."""

from collections.abc import Sequence, Set
from numbers import Real
from typing import Any

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_rgba
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.figures import given
from d2lcnn.geometry import Size, _check_layers, grow_field, output_size, pair
from d2lcnn.ops import _check_channels, corr2d, corr2d_im2col, corr2d_multi_in_out_1x1, pool2d

INPUT, KERNEL, OUTPUT = "#2b6cb0", "#d9730d", "#2f855a"
INK, FAINT = "#1a202c", "#a0aec0"
SLANT, WIDTH = 0.32, 0.8  # of the squares of a receptive field, seen from the side
Cells = Set[tuple[int, int]]


def draw_grid(
    ax: Axes,
    values: Tensor,
    *,
    origin: tuple[float, float] = (0, 0),
    colour: str = INPUT,
    marked: Cells = frozenset(),
    dashed: Cells = frozenset(),
    title: str = "",
) -> tuple[float, float]:
    """Draw `values` (h, w) as a grid of numbers whose top left corner is at `origin` (x, y down).

    `marked` cells (row, column) are shaded strongly, `dashed` ones drawn as padding. Returns the grid's right edge and
    middle height.

    Raises TypeError and ValueError for other values, and for cells outside the grid.
    """
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be Axes of matplotlib, such as plt.gca(); got {described(ax)}")
    if not is_color_like(colour):
        raise ValueError(f"colour must be one that matplotlib knows; got {described(colour)}")
    values = given.tensor("values", values, 2)
    x0, y0 = given.pair("origin", origin, Real)
    h, w = values.shape
    marked, dashed = _checked_cells("marked", marked, h, w), _checked_cells("dashed", dashed, h, w)
    for r in range(h):
        for c in range(w):
            padded = (r, c) in dashed
            strength = 0.55 if (r, c) in marked else 0.0 if padded else 0.12
            style: dict[str, Any] = {"facecolor": to_rgba(colour, strength), "edgecolor": FAINT if padded else INK}
            cell = Rectangle(
                (x0 + c, y0 + r), 1, 1, lw=0.8, ls="--" if padded else "-", zorder=1 if padded else 2, **style
            )
            ax.add_patch(cell)
            ink = FAINT if padded and (r, c) not in marked else INK
            ax.text(x0 + c + 0.5, y0 + r + 0.52, _number(values[r, c]), ha="center", va="center", color=ink, zorder=3)
    if title:
        ax.text(x0 + w / 2, y0 - 0.25, title, ha="center", va="bottom", color=colour, weight="bold")
    return x0 + w, y0 + h / 2


def show_correlation(
    X: Tensor, K: Tensor, *, at: tuple[int, int] = (0, 0), padding: Size = 0, stride: Size = 1
) -> None:
    """Show how one element of corr2d(X, K, padding, stride) comes about: X (h, w), K (k_h, k_w), the element `at`.

    Raises TypeError and ValueError for an `at` outside the output, and as `corr2d` does.
    """
    X, K = given.tensor("X", X), given.tensor("K", K)
    Y = corr2d(X, K, padding, stride)
    at = _checked_at(at, Y)
    window, padded, dashed = _window(X, tuple(K.shape), at, padding, stride)
    fig, ax = plt.subplots(layout="none")
    right, middle = draw_grid(ax, padded, marked=window, dashed=dashed, title=f"input X  {_size(X)}")
    for values, colour, sign, marked, title in (
        (K, KERNEL, "⋆", _cells(K), f"kernel K  {_size(K)}"),
        (Y, OUTPUT, "=", {at}, f"output Y  {_size(Y)}"),
    ):
        ax.text(right + 1.1, middle, sign, ha="center", va="center", fontsize=17)
        origin = (right + 2.2, middle - values.shape[0] / 2)
        right, _ = draw_grid(ax, values, origin=origin, colour=colour, marked=marked, title=title)
    pairs = zip(padded[_rows(window), _columns(window)].flatten().tolist(), K.flatten().tolist())
    terms = [f"{_number(x)}×{_signed(k)}" for x, k in pairs]
    if len(terms) <= 9:
        ax.text(right / 2, padded.shape[0] + 0.6, " + ".join(terms) + f" = {_number(Y[at])}", ha="center", va="top")
    _finish(fig, ax)


def show_pooling(
    X: Tensor,
    pool_size: Size,
    *,
    mode: str = "max",
    at: tuple[int, int] = (0, 0),
    padding: Size = 0,
    stride: Size | None = None,
) -> None:
    """Show how one element of pool2d(X, pool_size, mode, padding, stride) comes about: X (h, w), the element `at`.

    Raises TypeError and ValueError for an `at` outside the output, and as `pool2d` does.
    """
    X = given.tensor("X", X, 2)
    stride = pool_size if stride is None else stride
    Y = pool2d(X, pool_size, mode, padding, stride)
    at = _checked_at(at, Y)
    empty = float("-inf") if mode == "max" else 0
    window, padded, dashed = _window(X, pair(pool_size), at, padding, stride, empty)
    fig, ax = plt.subplots(layout="none")
    right, middle = draw_grid(ax, padded, marked=window, dashed=dashed, title=f"input X  {_size(X)}")
    label = f"{'maximum' if mode == 'max' else 'mean'} of each\n{' × '.join(map(str, pair(pool_size)))} window"
    ax.annotate("", (right + 2.9, middle), (right + 0.4, middle), arrowprops={"arrowstyle": "->", "color": INK})
    ax.text(right + 1.65, middle - 0.2, label, ha="center", va="bottom", fontsize=8)
    origin = (right + 3.3, middle - Y.shape[0] / 2)
    draw_grid(ax, Y, origin=origin, colour=OUTPUT, marked={at}, title=f"output Y  {_size(Y)}")
    _finish(fig, ax)


def show_channels(X: Tensor, K: Tensor, *, at: tuple[int, int] = (0, 0)) -> None:
    """Show how channels add up in corr2d_multi_in: X (c, h, w), K (c, k_h, k_w), the output element `at`.

    Raises TypeError and ValueError for other shapes, where X and K differ in their channels, and for an `at` outside
    the output.
    """
    X, K = given.tensor("X", X), given.tensor("K", K)
    _check_channels(X, (3,), K, (3,))
    Y = sum(corr2d(x, k) for x, k in zip(X, K))
    at = _checked_at(at, Y)
    fig, ax = plt.subplots(layout="none")
    step = X.shape[1] + 1.6
    total_middle = (len(X) * step - 1.6) / 2
    for c, (x, k) in enumerate(zip(X, K)):
        window, _, _ = _window(x, tuple(k.shape), at, 0, 1)
        right, middle = draw_grid(ax, x, origin=(0, c * step), marked=window, title=f"X[{c}]")
        for values, colour, sign, marked, title in (
            (k, KERNEL, "⋆", _cells(k), f"K[{c}]"),
            (corr2d(x, k), OUTPUT, "=", {at}, ""),
        ):
            ax.text(right + 0.9, middle, sign, ha="center", va="center", fontsize=17)
            origin = (right + 1.8, middle - values.shape[0] / 2)
            right, _ = draw_grid(ax, values, origin=origin, colour=colour, marked=marked, title=title)
        if c:
            ax.text(
                right - Y.shape[1] / 2, (c - 0.5) * step + X.shape[1] / 2, "+", ha="center", va="center", fontsize=15
            )
    ax.text(right + 0.9, total_middle, "=", ha="center", va="center", fontsize=17)
    origin = (right + 1.8, total_middle - Y.shape[0] / 2)
    draw_grid(ax, Y, origin=origin, colour=OUTPUT, marked={at}, title="Y")
    _finish(fig, ax)


def show_1x1(X: Tensor, K: Tensor, *, at: tuple[int, int] = (0, 0)) -> None:
    """Show how one pixel's channels are mixed in corr2d_multi_in_out_1x1 at the pixel `at`.

    X is (c_i, h, w), K (c_o, c_i, 1, 1).

    Raises TypeError and ValueError for an `at` outside the picture, and as `corr2d_multi_in_out_1x1` does.
    """
    X, K = given.tensor("X", X), given.tensor("K", K)
    Y = corr2d_multi_in_out_1x1(X, K)
    at = _checked_at(at, Y[0])
    fig, ax = plt.subplots(layout="none")
    right = -0.6
    for name, stack, colour in (("X", X, INPUT), ("Y", Y, OUTPUT)):
        for c, values in enumerate(stack):
            style = {"colour": colour, "marked": {at}, "title": f"{name}[{c}]"}
            right, middle = draw_grid(ax, values, origin=(right + 0.6, 0), **style)
        if name == "X":
            ax.annotate("", (right + 2.4, middle), (right + 0.3, middle), arrowprops={"arrowstyle": "->", "color": INK})
            label = f"weights\n{len(Y)} × {len(X)}"
            ax.text(right + 1.35, middle - 0.2, label, ha="center", va="bottom", fontsize=8)
            right += 2.1
    _finish(fig, ax)


def show_im2col(X: Tensor, K: Tensor) -> None:
    """Show corr2d_im2col(X, K) as one product: X (h, w), K (k_h, k_w); every window of X becomes a column.

    Raises TypeError and ValueError for other shapes.
    """
    X, K = given.tensor("X", X, 2), given.tensor("K", K, 2)
    # The matrix product takes one dtype.
    X, K = (values.to(torch.result_type(X, K)) for values in (X, K))
    Y = corr2d_im2col(X, K).reshape(1, -1)
    columns = X.unfold(0, K.shape[0], 1).unfold(1, K.shape[1], 1).flatten(2).flatten(0, 1).T
    fig, ax = plt.subplots(layout="none")
    middle = len(columns) / 2
    right, _ = draw_grid(ax, X, origin=(0, middle - X.shape[0] / 2), marked=_cells(K), title="input X")
    ax.annotate("", (right + 1.6, middle), (right + 0.3, middle), arrowprops={"arrowstyle": "->", "color": INK})
    right += 1.0
    for values, colour, sign, marked, title in (
        (K.reshape(1, -1), KERNEL, "", _cells(K.reshape(1, -1)), "K as a row"),
        (columns, INPUT, "×", _cells(columns[:, :1]), "a column for each window"),
        (Y, OUTPUT, "=", {(0, 0)}, "Y as a row"),
    ):
        ax.text(right + 0.5, middle, sign, ha="center", va="center", fontsize=17)
        origin = (right + 1.0, middle - values.shape[0] / 2)
        right, _ = draw_grid(ax, values, origin=origin, colour=colour, marked=marked, title=title)
    _finish(fig, ax)


def show_receptive_field(kernels: list[int]) -> None:
    """Show what one element sees through a stack of stride-1 layers with these square kernels, first layer first.

    Raises TypeError and ValueError for anything but a list of ints of at least 1.
    """
    kernels = given.listed("kernels", kernels, "a list of ints of at least 1")
    kernels = [given.count("each of kernels", k) for k in kernels]
    if not kernels:
        raise ValueError("kernels must hold at least one; got none")
    sizes = [1]
    for k in reversed(kernels):
        sizes.insert(0, sizes[0] + k - 1)
    _, ax = plt.subplots(figsize=(7, 2.8), layout="none")
    tall = sizes[0] * (1 + SLANT) / 2
    x, seen_corners, element_corners = 0.0, [], []
    for depth, n in enumerate(sizes):
        last = depth == len(sizes) - 1
        seen = 1 if last else kernels[depth]
        y = -n * (1 + SLANT) / 2
        for r in range(n):
            for c in range(n):
                shade = to_rgba(OUTPUT if depth else INPUT, 0.55 if max(r, c) < seen else 0.12)
                ax.add_patch(Polygon(_slanted(x, y, r, c, 1), fc=shade, ec=INK, lw=0.8, zorder=2))
        seen_corners.append(_slanted(x, y, 0, 0, seen))
        element_corners.append(_slanted(x, y, 0, 0, 1))
        name = "one element" if last else f"after layer {depth}" if depth else "input"
        ax.text(x + n * WIDTH / 2, tall + 0.5, f"{name}\n{n} × {n}", ha="center", va="top", fontsize=8)
        x += n * WIDTH + 2 + 0.3 * sizes[0]
    for near, far in zip(seen_corners, element_corners[1:]):
        for start, end in zip(near, far):
            ax.plot(*zip(start, end), color=KERNEL, lw=0.9, zorder=1)
    ax.set(xlim=(-0.5, x - 1), ylim=(tall * 1.35 + 1.2, -tall - 0.3))
    ax.set_aspect("equal")
    ax.axis("off")
    plt.show()


def show_stack(layers: Sequence[tuple[int, ...]], n: int) -> None:
    """Show from the side, on one axis of n elements, what the middle output of a stack of layers sees, and where.

    Each layer is (kernel,), (kernel, stride) or (kernel, stride, dilation), first layer first, none with padding. An
    element is drawn above the middle of its receptive field.

    Raises TypeError and ValueError for another n, ValueError for other layers and where a window does not fit.
    """
    _check_layers(layers)
    sizes, reach = [given.count("n", n)], [(1, 1)]
    for kernel, stride, dilation in (_in_full(layer) for layer in layers):
        sizes.append(output_size(sizes[-1], kernel, 0, stride, dilation))
        reach.append(grow_field(*reach[-1], kernel, stride, dilation))
    _, ax = plt.subplots(figsize=(7, 0.35 + 0.62 * len(sizes)), layout="none")
    step = n / 11  # between rows: the figure is as wide as n elements and the labels
    seen = {sizes[-1] // 2}
    for depth in reversed(range(len(sizes))):
        field, jump = reach[depth]
        middles = [i * jump + (field - 1) / 2 for i in range(sizes[depth])]
        for i, x in enumerate(middles):
            shade = to_rgba(OUTPUT if depth else INPUT, 0.55 if i in seen else 0.12)
            ax.add_patch(Rectangle((x - 0.45, depth * step - 0.45), 0.9, 0.9, fc=shade, ec=INK, lw=0.8, zorder=2))
        label = f"after layer {depth}: field {field}, jump {jump}" if depth else "input"
        ax.text(-1, depth * step, label, ha="right", va="center", fontsize=8)
        if depth:
            kernel, stride, dilation = _in_full(layers[depth - 1])
            below, below_jump = reach[depth - 1]
            read = {i: [i * stride + k * dilation for k in range(kernel)] for i in seen}
            for i, elements in read.items():
                for k in elements:
                    ends = (middles[i], k * below_jump + (below - 1) / 2)
                    ax.plot(ends, (depth * step, (depth - 1) * step), color=KERNEL, lw=0.9, zorder=1)
            seen = {k for elements in read.values() for k in elements}
    ax.set(xlim=(-n / 2.2, n), ylim=(-0.8, (len(sizes) - 1) * step + 0.8))
    ax.axis("off")
    plt.show()


def _in_full(layer: tuple[int, ...]) -> tuple[int, int, int]:
    """A layer's kernel, stride and dilation, 1 where it does not say."""
    return (*layer, 1, 1)[:3]


def _window(
    X: Tensor, k: tuple[int, int], at: tuple[int, int], padding: Size, stride: Size, empty: float = 0
) -> tuple[Cells, Tensor, Cells]:
    (p_h, p_w), (s_h, s_w) = pair(padding), pair(stride)
    # Integers know no minus infinity.
    padded = F.pad(X.double(), (p_w, p_w, p_h, p_h), value=empty)
    top, left = at[0] * s_h, at[1] * s_w
    window = {(top + r, left + c) for r in range(k[0]) for c in range(k[1])}
    dashed = _cells(padded) - {(r + p_h, c + p_w) for r, c in _cells(X)}
    return window, padded, dashed


def _rows(window: Cells) -> slice:
    return slice(min(r for r, _ in window), max(r for r, _ in window) + 1)


def _columns(window: Cells) -> slice:
    return slice(min(c for _, c in window), max(c for _, c in window) + 1)


def _slanted(x: float, y: float, row: int, column: int, side: int) -> list[tuple[float, float]]:
    corners = ((row, column), (row, column + side), (row + side, column + side), (row + side, column))
    return [(x + c * WIDTH, y + r + c * SLANT) for r, c in corners]


def _cells(values: Tensor) -> Cells:
    return {(r, c) for r in range(values.shape[0]) for c in range(values.shape[1])}


def _number(value: float | Tensor) -> str:
    value = float(value) + 0.0  # turns -0.0 into 0.0
    if value == float("-inf"):
        return "−∞"
    text = f"{value:.0f}" if value.is_integer() and abs(value) < 1e5 else f"{value:.3g}"
    return text.replace("-", "−")


def _signed(value: float) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)


def _size(X: Tensor) -> str:
    return " × ".join(map(str, X.shape))


def _checked_at(at: Any, Y: Tensor) -> tuple[int, int]:
    row, column = given.pair("at", at)
    if not (0 <= row < Y.shape[0] and 0 <= column < Y.shape[1]):
        raise ValueError(f"at must be an index into the output {tuple(Y.shape)}; got {row, column}")
    return row, column


def _checked_cells(name: str, cells: Any, h: int, w: int) -> Cells:
    cells = given.listed(name, cells, "a set of cells (row, column)")
    found = {given.pair(f"each of {name}", cell) for cell in cells}
    if outside := sorted((r, c) for r, c in found if not (0 <= r < h and 0 <= c < w)):
        raise ValueError(f"{name} must be cells of the {h} × {w} grid; got {outside[0]}")
    return found


def _finish(fig: plt.Figure, ax: Axes) -> None:
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.axis("off")
    texts = [text.get_position() for text in ax.texts]
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    top, bottom = min([top, *(y - 0.9 for _, y in texts)]), max([bottom, *(y + 0.5 for _, y in texts)])
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(bottom, top))
    # One cell is as large in every figure, as far as the page's width allows.
    cell = min(0.36, 7 / (right - left + 0.2))
    fig.set_size_inches((right - left + 0.2) * cell, (bottom - top) * cell)
    fig.subplots_adjust(0, 0, 1, 1)
    plt.show()
