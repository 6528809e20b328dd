"""What the checks of all chapters share: reading an answer, and comparing it."""

import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class NotTried(Exception):
    """The reader has not replaced the dots; the message says what to do."""


class Wrong(Exception):
    """The answer is wrong; the message says what was expected, on which input, and hints."""


class Calls(TorchFunctionMode):
    """Within it, notes the names of torch's functions that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.names.append(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


def touched(answer: Any) -> Any:
    """Return the answer; raises NotTried where it is, or holds, the untouched dots."""
    if answer is ... or (isinstance(answer, (tuple, list)) and any(part is ... for part in answer)):
        raise NotTried("Replace the dots, then run the cell again.")
    return answer


def call(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the reader's function or network; raises NotTried where it returns nothing, Wrong where it raises."""
    if not callable(function):
        raise Wrong(f"A function is expected, but this is {show(function)}.")
    # Copies, since a function that works in place would change what it is compared with.
    copies = [arg.clone() if isinstance(arg, Tensor) else arg for arg in args]
    try:
        result = function(*copies, **kwargs)
    except Exception as error:
        shown = ", ".join(show(arg) for arg in args)
        kind = "network" if isinstance(function, nn.Module) else "function"
        raise Wrong(f"On the input {shown} your {kind} raised {type(error).__name__}: {error}") from error
    if result is None or result is ...:
        # A body of dots and a forgotten `return` look the same from here.
        raise NotTried("The function returns nothing: replace the dots, and end with `return`.")
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
        answer = answer.tolist() if hasattr(answer, "tolist") else answer  # a tensor, or NumPy's
        answer = tuple(answer) if isinstance(answer, (list, torch.Size)) else answer
        answer = answer[0] if isinstance(answer, tuple) and len(answer) == 1 else answer
        if answer != expected:
            raise Wrong(f"{on[0].upper()}{on[1:]}: {show(answer)} is not right.{tail}")


def tensor(answer: Any) -> Tensor:
    """Return the answer as a tensor on the CPU; raises Wrong where it cannot be one."""
    try:
        if isinstance(answer, Tensor):
            return answer.detach().cpu()
        # torch refuses an array with negative strides, such as a flipped one; a copy has none.
        return torch.as_tensor(answer.copy() if isinstance(answer, np.ndarray) else answer)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Wrong(f"A tensor is expected, but this is {show(answer)}.") from error


def number(answer: Any) -> float:
    """Return the answer as a number, also where it is the only element of something; raises Wrong where it is none."""
    try:
        return float(answer) if isinstance(answer, Real) and not isinstance(answer, int) else tensor(answer).item()
    except (Wrong, ValueError, RuntimeError) as error:
        raise Wrong(f"One number is expected, but this is {show(answer)}.") from error


def show(value: Any) -> str:
    """Return a short, one-line text of a value: small tensors by their numbers, large ones by their shape."""
    if isinstance(value, Tensor):
        if value.numel() > 16:
            return f"a tensor of shape {tuple(value.shape)}"
        return str((value.double().round(decimals=3) if value.is_floating_point() else value).tolist())
    text = f"the function {value.__name__}" if inspect.isfunction(value) else " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
