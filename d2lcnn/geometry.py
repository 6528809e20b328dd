"""Arithmetic of shapes: how large an output is, and how far back an output element can see. No torch needed."""

from collections.abc import Sequence

Size = int | tuple[int, int]


def pair(value: Size) -> tuple[int, int]:
    """Return (value, value) for a number, and a pair (vertical, horizontal) as it is."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def output_size(n: Size, k: Size, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Size:
    """Length of the output when a window of length k slides over n elements (chapter 2).

    All lengths count elements; `padding` is added on each side. With a pair anywhere, each axis is computed apart
    and the result is a pair (height, width).

    Raises ValueError for a negative padding, a stride, dilation or k below 1, or a window larger than the padded input.
    """
    _check_window(n, k, padding, stride, dilation)
    numbers = (n, k, padding, stride, dilation)
    if any(isinstance(value, (tuple, list)) for value in numbers):
        return tuple(output_size(*axis) for axis in zip(*map(pair, numbers)))
    span = dilation * (k - 1) + 1  # how far a dilated window reaches
    return (n + 2 * padding - span) // stride + 1


def same_padding(k: Size, dilation: Size = 1) -> Size:
    """Padding per side that keeps the size of the input at stride 1 (chapter 2): (k - 1) / 2 without dilation.

    Raises ValueError where no equal padding on both sides does it: for an even k (and an odd dilation).
    """
    _check_odd(k, dilation)
    if isinstance(k, (tuple, list)) or isinstance(dilation, (tuple, list)):
        return tuple(same_padding(*axis) for axis in zip(pair(k), pair(dilation)))
    return dilation * (k - 1) // 2


def grow_field(field: int, jump: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """One layer's step of the receptive field along one axis (chapter 2).

    `field` is how many input elements one element sees, `jump` how many input elements neighbours are apart.
    Returns both after a layer with this kernel, stride and dilation.
    """
    return field + dilation * (kernel - 1) * jump, jump * stride


def receptive_field(layers: Sequence[tuple[int, ...]]) -> int:
    """Receptive field, in input elements along one axis, of a stack of layers (chapter 2).

    Each layer is (kernel,), (kernel, stride) or (kernel, stride, dilation), first layer first.

    Raises ValueError for a layer of another form, or with anything in it but ints of at least 1.
    """
    _check_layers(layers)
    field, jump = 1, 1
    for layer in layers:
        field, jump = grow_field(field, jump, *layer)
    return field


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_sizes(**sizes: Size) -> None:
    for name, value in sizes.items():
        least = 0 if name == "padding" else 1
        if len(pair(value)) != 2 or not all(_is_count(v, least) for v in pair(value)):
            raise ValueError(f"{name} must be an int of at least {least}, or a pair of them; got {value!r}")


def _check_window(n: Size, k: Size, padding: Size, stride: Size, dilation: Size) -> None:
    _check_sizes(n=n, k=k, padding=padding, stride=stride, dilation=dilation)
    for axis, size, kernel, p, d in zip(("height", "width"), *map(pair, (n, k, padding, dilation))):
        if d * (kernel - 1) + 1 > size + 2 * p:
            dilated = f" dilated by {d} (span {d * (kernel - 1) + 1})" if d > 1 else ""
            raise ValueError(
                f"the window does not fit: {axis} {kernel}{dilated} is larger than the padded input, "
                f"{size} + 2 * {p} = {size + 2 * p} (input {_shape(n)}, window {_shape(k)})"
            )


def _check_odd(k: Size, dilation: Size) -> None:
    _check_sizes(k=k, dilation=dilation)
    for kernel, d in zip(pair(k), pair(dilation)):
        if d * (kernel - 1) % 2:
            raise ValueError(
                f"k must be odd, got {k!r}: an even window needs {d * (kernel - 1)} padding elements in all, "
                "which cannot be split evenly between two sides"
            )


def _check_layers(layers: Sequence[tuple[int, ...]]) -> None:
    if not isinstance(layers, (tuple, list)):
        raise ValueError(f"layers must be a list of layers, first layer first; got {type(layers).__name__}")
    for layer in layers:
        if not isinstance(layer, (tuple, list)) or not 1 <= len(layer) <= 3 or not all(_is_count(v, 1) for v in layer):
            raise ValueError(
                "layers must hold (kernel,), (kernel, stride) or (kernel, stride, dilation), "
                f"each an int of at least 1; got {layer!r}"
            )


def _shape(value: Size) -> str:
    return " x ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
