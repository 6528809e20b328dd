"""What the checks of all chapters share: reading an answer, and comparing it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class NotTried(Exception):
    """The reader has not replaced the dots."""


class Wrong(Exception):
    """The answer is wrong; the message says what was expected, on which input, and hints."""


def touched(answer: Any) -> Any:
    """Return the answer; raises NotTried where it is, or holds, the untouched dots."""
    if answer is ... or (isinstance(answer, (tuple, list)) and any(part is ... for part in answer)):
        raise NotTried
    return answer


def call(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the reader's function; raises NotTried where it returns nothing, Wrong where it raises."""
    if not callable(function):
        raise Wrong(f"A function is expected, but this is {show(function)}.")
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        shown = ", ".join(show(arg) for arg in args)
        raise Wrong(f"On the input {shown} your function raised {type(error).__name__}: {error}") from error
    if result is None or result is ...:
        raise NotTried
    return result


def same(answer: Any, expected: Any, on: str, hint: str = "") -> None:
    """Compare numbers, tuples of numbers or tensors; raises Wrong saying what was expected, on which input."""
    tail = f" {hint}" if hint else ""
    if isinstance(expected, Tensor):
        answer = tensor(answer)
        if answer.shape != expected.shape:
            raise Wrong(
                f"On {on} the shape {tuple(expected.shape)} is expected, but it is {tuple(answer.shape)}.{tail}"
            )
        if not torch.allclose(answer.double(), expected.double(), atol=1e-4):
            raise Wrong(f"On {on} this is expected: {show(expected)}; but it is {show(answer)}.{tail}")
    else:
        answer = tuple(answer) if isinstance(answer, (list, torch.Size)) else answer
        if answer != expected:
            raise Wrong(f"{on[0].upper()}{on[1:]}: {show(answer)} is not right.{tail}")


def tensor(answer: Any) -> Tensor:
    """Return the answer as a tensor; raises Wrong where it cannot be one."""
    try:
        return answer.detach() if isinstance(answer, Tensor) else torch.as_tensor(answer)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Wrong(f"A tensor is expected, but this is {show(answer)}.") from error


def show(value: Any) -> str:
    """Return a short, one-line text of a value: small tensors by their numbers, large ones by their shape."""
    if isinstance(value, Tensor):
        if value.numel() > 16:
            return f"a tensor of shape {tuple(value.shape)}"
        return str(
            [round(v, 3) for v in value.tolist()] if value.dim() == 1 and value.is_floating_point() else value.tolist()
        )
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
