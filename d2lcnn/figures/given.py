"""What a figure is given: made a tensor, texts or numbers, or refused in words."""

from collections.abc import Iterable, Mapping, Set
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2lcnn._words import described


def tensor(name: str, value: Any, *ranks: int) -> Tensor:
    """`value`, whatever torch.as_tensor takes or a list of it, on the CPU and without gradient.

    Raises TypeError for anything else than real numbers, and ValueError for other numbers of axes than `ranks`.
    """
    found = _tensor(value)
    if found is None or found.is_complex() or found.is_quantized or found.layout != torch.strided:
        raise TypeError(f"{name} must be a tensor, an array or lists of real numbers; got {described(value)}")
    if ranks and (found.dim() not in ranks or 0 in found.shape):
        axes = f"{' or '.join(map(str, ranks))} axes, none of length 0"
        raise ValueError(f"{name} must be a tensor with {axes}; got {_sized(value, found)}")
    return found


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, (list, tuple)) and any(isinstance(item, (Tensor, np.ndarray)) for item in value):
        items = [_tensor(item) for item in value]
        alike = None not in items and len({item.shape for item in items}) == 1
        return torch.stack(items) if alike else None
    try:
        # A copy, since torch takes no negative strides, and warns of what it may not write to.
        return torch.as_tensor(np.array(value, order="C") if isinstance(value, np.ndarray) else value).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _sized(value: Any, found: Tensor) -> str:
    return described(value) if hasattr(value, "shape") else f"shape {tuple(found.shape)}"


def listed(name: str, values: Any, what: str, refused: tuple[type, ...] = (str, bytes)) -> list:
    """The items of `values`, or TypeError."""
    # A tensor without axes is Iterable too.
    if not isinstance(values, Iterable) or isinstance(values, refused) or getattr(values, "shape", None) == ():
        raise TypeError(f"{name} must be {what}; got {described(values)}")
    return values.tolist() if isinstance(values, (Tensor, np.ndarray)) else list(values)


def texts(name: str, values: Any) -> list[str]:
    """The texts of a list, an array or a tensor of texts and numbers. Raises TypeError for anything else."""
    # A dict or a set has no order to go by.
    found = listed(name, values, "a list of texts or numbers", (str, bytes, Mapping, Set))
    return [_text(name, value) for value in found]


def _text(name: str, value: Any) -> str:
    if isinstance(value, (Tensor, np.ndarray, list, tuple, nn.Module)):
        if getattr(value, "shape", None) != ():
            raise TypeError(f"{name} must hold texts or numbers; got {described(value)}")
        value = value.item()
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def count(name: str, value: Any) -> int:
    """An int of at least 1, or TypeError or ValueError."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise (ValueError if whole else TypeError)(f"{name} must be an int of at least 1; got {described(value)}")
    return int(value)


def pair(name: str, value: Any, kind: type = Integral) -> tuple:
    """Two numbers, or TypeError."""
    found = value.tolist() if isinstance(value, (Tensor, np.ndarray)) else value
    right = isinstance(found, (tuple, list)) and len(found) == 2
    if not right or not all(isinstance(number, kind) and not isinstance(number, bool) for number in found):
        numbers = "ints" if kind is Integral else "numbers"
        raise TypeError(f"{name} must be a pair of {numbers}; got {described(value)}")
    return tuple(found)


def check_net(net: Any) -> None:
    """Raise TypeError unless `net` is a module, not what makes one."""
    if not isinstance(net, nn.Module):
        made = callable(net) and hasattr(net, "__name__")
        hint = f", which makes a net when called: {net.__name__}()" if made else ""
        raise TypeError(f"net must be a torch.nn.Module; got {described(net)}{hint}")
