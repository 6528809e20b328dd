"""What the checks of all chapters share: calling what a reader wrote, reading what came, and comparing it."""

import copy
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from d2lcnn.checks._guard import Overtime

LONGEST = 10_000  # elements that are taken from what may never end
_EMPTY = {(lambda: ...).__code__.co_code, (lambda: None).__code__.co_code}


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
    """Return the answer, what it yields as a list; raises NotTried where it is, or holds, the untouched dots."""
    if isinstance(answer, Iterator):
        answer = list(islice(answer, LONGEST))
    if answer is ... or (isinstance(answer, (tuple, list)) and any(part is ... for part in answer)):
        raise NotTried("Replace the dots, then run the cell again.")
    return answer


def call(function: Callable, *args: Any, hint: str = "", names: Sequence[str] = (), within: Any = None) -> Any:
    """Call the reader's function or network on copies of `args`, `within` a context; what it yields comes as a list.

    Raises NotTried where its body is dots, Wrong where it raises, returns nothing or changes what it is given.
    """
    if not callable(function):
        raise Wrong(f"A function is expected, but this is {show(function)}.{pad(hint)}")
    copies = copy.deepcopy(args)
    kind = "network" if isinstance(function, nn.Module) else "function"
    try:
        with within or nullcontext():
            result = function(*copies)
            if isinstance(result, Iterator):
                result = list(islice(result, LONGEST + 1))
    except (KeyboardInterrupt, Overtime):
        raise
    except BaseException as error:  # SystemExit and GeneratorExit, too: a check never raises
        place = f"On {given(args, names)} your" if args else "Your"
        raise Wrong(f"{place} {kind} {_failure(error)}{pad(hint)}") from None
    if isinstance(result, list) and len(result) > LONGEST:
        raise Wrong(f"On {given(args, names)} what your {kind} gives does not end: it is longer than {LONGEST:,}.")
    if result is None or result is ...:
        code = getattr(function, "__code__", None)
        if kind == "function" and (code is None or code.co_code in _EMPTY):
            raise NotTried("The function returns nothing: replace the dots, and end with `return`.")
        place = "`forward` of your network" if kind == "network" else "Your function"
        raise Wrong(f"{place} returns nothing: end it with `return`.")
    for place, (arg, after) in enumerate(zip(args, copies)):
        if not unchanged(arg, after):
            raise Changed(arg, names[place] if place < len(names) else "what it is given", result)
    return result


class Changed(Wrong):
    """The reader's function changed what it was given; `result` is what it returned."""

    def __init__(self, arg: Any, name: str, result: Any) -> None:
        way = {Tensor: "X.clone()", nn.Module: "copy.deepcopy(net)", dict: "dict(points)", list: "list(values)"}
        copied = next((text for kind, text in way.items() if isinstance(arg, kind)), "a copy")
        super().__init__(
            f"Your function changes {name} itself, which its caller still needs: work on a copy ({copied})."
        )
        self.result = result


def unchanged(before: Any, after: Any) -> bool:
    """Return whether a value is what it was: tensors to the bit, modules with their parameters and modes."""
    if isinstance(before, Tensor):
        return (
            isinstance(after, Tensor)
            and (before.shape, before.dtype) == (after.shape, after.dtype)
            and torch.equal(before.detach(), after.detach())
        )
    if isinstance(before, nn.Module):
        old, new = before.state_dict(), after.state_dict()
        modes = [module.training for module in before.modules()] == [module.training for module in after.modules()]
        return modes and old.keys() == new.keys() and all(unchanged(old[name], new[name]) for name in old)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if isinstance(before, dict):
        return list(before) == list(after) and all(unchanged(before[name], after[name]) for name in before)
    return callable(before) or before == after


def _failure(error: BaseException) -> str:
    text = safely(str, error)
    if isinstance(error, SystemExit):
        return "calls exit: a function ends with `return`."
    if isinstance(error, MemoryError) or "allocate" in text or "not enough memory" in text:
        return "wants more memory than a check allows (2 GB): the task needs far less."
    if isinstance(error, RecursionError):
        return "calls itself without end: RecursionError."
    return f"raised {cut(f'{type(error).__name__}: {text}', 300)}"


def cut(text: str, length: int) -> str:
    """Return the text on one line, at most `length` characters of it."""
    text = " ".join(text[: 4 * length].split())
    return text if len(text) <= length else f"{text[: length - 3]}..."


def pad(hint: str) -> str:
    """Return the hint with a space before it, or nothing where there is none."""
    return f" {hint}" if hint else ""


def safely(function: Callable, value: Any) -> str:
    """Return function(value), or a word where that fails: a reader's class may do anything."""
    try:
        return function(value)
    except Exception:
        return f"<{type(value).__name__}>"


def given(args: Sequence[Any], names: Sequence[str] = ()) -> str:
    """Return what a function was called with, in words: "X = [[0.0, 1.0]] and K = [[1.0]]"."""
    if not args:
        return "no input"
    names = list(names) + [""] * (len(args) - len(names))
    texts = [f"{name} = {show(arg)}" if name else f"the input {show(arg)}" for name, arg in zip(names, args)]
    return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + texts[-1]


def show(value: Any) -> str:
    """Return a short, one-line text of a value: small tensors by their numbers, large ones by their shape."""
    return cut(safely(_shown, value), 400 if isinstance(value, dict) else 300 if isinstance(value, Tensor) else 90)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        if value.is_meta or value.numel() > 16:
            return f"a tensor of shape {tuple(value.shape)}"
        value = value.detach().cpu()
        return str(_plain(value.double().tolist() if value.is_floating_point() else value.tolist()))
    if isinstance(value, nn.Module):
        return f"the network {type(value).__name__}" if list(value.children()) else repr(value)
    if isinstance(value, float):
        return str(_plain(float(value)))
    if isinstance(value, np.generic):
        return _shown(value.item())
    return f"the function {value.__name__}" if inspect.isroutine(value) else repr(value)


def _plain(value: Any) -> Any:
    """Numbers with the digits that a comparison by eye wants."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) and abs(value) < 1e4 else value


def tensor(answer: Any) -> Tensor:
    """Return the answer as a tensor on the CPU; raises Wrong where it cannot be one."""
    try:
        if (
            isinstance(answer, (list, tuple))
            and answer
            and all(isinstance(part, (list, tuple, Tensor)) for part in answer)
        ):
            return torch.stack([tensor(part) for part in answer])
        if isinstance(answer, Tensor):
            answer = answer.detach().cpu()
            return (answer.to_dense() if answer.layout is not torch.strided else answer).resolve_conj()
        # torch refuses an array with negative strides, such as a flipped one; a copy has none.
        return torch.as_tensor(answer.copy() if isinstance(answer, np.ndarray) else answer)
    except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
        raise Wrong(f"A tensor is expected, but this is {kind_of(answer)}.") from error


def number(answer: Any) -> float:
    """Return the answer as a number, also where it is the only element of something; raises Wrong where it is none."""
    if isinstance(answer, (str, bytes)):
        raise Wrong(f"A number is expected, but {show(answer)} is text: leave out the quotation marks.")
    try:
        value = answer if isinstance(answer, Real) else safe_item(answer)
        value = value if isinstance(value, int) and abs(value) > 2**53 else float(value)
    except (Wrong, ValueError, RuntimeError, TypeError, OverflowError) as error:
        raise Wrong(f"One number is expected, but this is {kind_of(answer)}.") from error
    if value != value or value in (math.inf, -math.inf):
        raise Wrong(f"A number is expected, but this is {value}: was something divided by 0?")
    return value


def safe_item(answer: Any) -> Any:
    """Return the only element of a tensor, an array or a list; raises Wrong, ValueError or RuntimeError otherwise."""
    if not isinstance(answer, (Tensor, np.ndarray, np.generic, list, tuple)) and hasattr(answer, "__float__"):
        return float(answer)
    value = tensor(answer)
    if value.is_complex():
        raise ValueError("complex")
    return value.item()


def kind_of(answer: Any) -> str:
    """Return in words what kind of thing came: "the text 'x'", "None", "the function f, not yet called"."""
    if answer is None:
        return "None: has a `return` been forgotten?"
    if isinstance(answer, str):
        return f"the text {show(answer)}"
    if inspect.isroutine(answer):
        return f"the function {getattr(answer, '__name__', '')} itself: was it called?"
    return show(answer)


def numbers(answer: Any, count: int, what: str) -> tuple[float, ...]:
    """Return the answer as `count` numbers; raises Wrong, naming `what` they are, where it is something else."""
    answer = answer.tolist() if isinstance(answer, (Tensor, np.ndarray)) else answer
    if isinstance(answer, (str, bytes, dict, set)) or not hasattr(answer, "__len__") or safely(len, answer) != count:
        words = {2: "A pair", 3: "Three numbers", 4: "Four numbers"}.get(count, f"{count} numbers")
        raise Wrong(f"{words} {'is' if count == 2 else 'are'} expected, ({what}), but this is {kind_of(answer)}.")
    return tuple(number(part) for part in answer)


def module(answer: Any, what: str = "network") -> nn.Module:
    """Return a copy of the reader's network, so that training mode, statistics and gradients stay as they were."""
    if not isinstance(answer, nn.Module):
        wanted = "call it" if isinstance(answer, type) or inspect.isroutine(answer) else "build one"
        if isinstance(answer, (list, tuple)) and answer and all(isinstance(part, nn.Module) for part in answer):
            wanted = "put the layers into nn.Sequential(*layers)"
        raise Wrong(
            f"A {what} is expected, an nn.Module, but this is {type(answer).__name__} ({show(answer)}): {wanted}."
        )
    try:
        return copy.deepcopy(answer)
    except Exception:  # a tensor with a history, a lock, an open file among its attributes
        raise Wrong(f"The {what} cannot be copied: keep layers and parameters in it, no results.") from None


def tolerance(expected: Tensor) -> float:
    """Return how far an answer may be from what is expected: by the size of what is expected, not more."""
    finite = expected[expected.isfinite()]
    return 1e-4 * (finite.abs().max().item() if finite.numel() else 0.0) + 1e-7


def agrees(answer: Tensor, expected: Tensor) -> bool:
    """Return whether two tensors have the same shape and, within the tolerance, the same numbers."""
    if answer.shape != expected.shape or answer.is_complex():
        return False
    a, e = answer.double(), expected.double()
    return bool(((a == e) | ((a - e).abs() <= tolerance(e))).all())


def compared(answer: Tensor, expected: Tensor) -> str:
    """Return in words how the answer differs: both where they are small, else the first element that differs."""
    if answer.shape != expected.shape:
        return f"the shape {tuple(expected.shape)} is expected, but it is {tuple(answer.shape)}."
    if answer.is_complex():
        return "real numbers are expected, but these are complex."
    if expected.numel() <= 16:
        return f"{show(expected)} is expected, but it is {show(answer)}."
    wrong = ~((answer.double() - expected.double()).abs() <= tolerance(expected.double()))
    first = tuple(wrong.nonzero()[0].tolist())
    return (
        f"{show(expected[first])} is expected at {list(first)}, but it is {show(answer[first])} "
        f"({int(wrong.sum())} of {wrong.numel()} elements differ)."
    )


def same(answer: Any, expected: Tensor, on: str, hint: str = "") -> None:
    """Compare with a tensor; raises Wrong saying what was expected, and on which input."""
    answer = tensor(answer)
    if not agrees(answer, expected):
        raise Wrong(f"On {on} {compared(answer, expected)}{pad(hint or relation(answer, expected))}")


def relation(answer: Tensor, expected: Tensor) -> str:
    """Return what the answer has to do with what is expected, where that can be seen: turned, negated, scaled, ..."""
    if answer.shape != expected.shape:
        return _shape_relation(answer, expected)
    a, e = answer.double(), expected.double()
    if a.is_complex() or not a.isfinite().all():
        return "There is an infinite number, or nan, in it."
    if agrees(a, -e):
        return "The sign is the other way round."
    for axis in range(a.dim() - 1, -1, -1):
        if agrees(a.flip(axis), e):
            place = {a.dim() - 1: "left and right are", a.dim() - 2: "top and bottom are"}.get(
                axis, "the order of an axis is"
            )
            return f"The numbers are right, but {place} swapped."
    if a.dim() >= 2 and agrees(a.flip(-1, -2), e):
        return "The numbers are right, but turned by half a turn."
    if a.dim() >= 2 and a.shape[-1] == a.shape[-2] and agrees(a.mT, e):
        return "The numbers are right, but rows and columns are swapped."
    if agrees(a, e.clamp(min=0)):
        return "The negative numbers have become 0."
    if agrees(a, e.abs()):
        return "The signs are lost."
    if e.abs().max() > 0 and agrees(a, torch.zeros_like(e)):
        return "It is 0 everywhere: is the result ever added?"
    if agrees(a, e.round()) or agrees(a, e.trunc()):
        return "The decimals are lost: was something made an integer?"
    if a.numel() > 1 and e.std() > 0:
        factor = float((a * e).sum() / (e * e).sum())
        if factor and agrees(a / factor, e):
            return f"Everything is {factor:.4g} times what is expected."
        if agrees(a.flatten().sort()[0], e.flatten().sort()[0]):
            return "The numbers are right, but stand at other places."
    return ""


def _shape_relation(answer: Tensor, expected: Tensor) -> str:
    got, wanted = tuple(answer.shape), tuple(expected.shape)
    if [n for n in got if n != 1] == [n for n in wanted if n != 1]:
        return f"An axis of length 1 is {'too many' if len(got) > len(wanted) else 'missing'}."
    if sorted(got) == sorted(wanted):
        return "The axes stand in another order."
    if len(got) > len(wanted):
        return "There are too many axes: was a sum over one of them forgotten?"
    if len(got) < len(wanted):
        return "There are too few axes: was one of them summed up, or picked from?"
    return ""
