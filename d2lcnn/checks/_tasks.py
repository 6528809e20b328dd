"""The kinds of tasks: each holds what is right, the slips that readers make, a hint for each, and judges an answer."""

import copy
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from d2lcnn.checks._answers import (
    Calls,
    Changed,
    NotTried,
    Wrong,
    agrees,
    call,
    compared,
    given,
    kind_of,
    number,
    numbers,
    pad,
    relation,
    safely,
    show,
    tensor,
)
from d2lcnn.checks._guard import SECONDS


@dataclass(frozen=True)
class Exercise:
    """One exercise: `task` is called with the answer and raises NotTried or Wrong; three `hints`, from idea to case."""

    level: str  # easy, medium or hard
    kind: str  # predict, compute, explain, debug or design
    task: Callable[[Any], None]
    hints: tuple[str, str, str]
    seconds: float = SECONDS


@dataclass(frozen=True)
class Number:
    """One number. `slips` maps wrong numbers to hints, `within` is how far off an answer may be."""

    right: float
    what: str
    slips: Mapping[float, str] = field(default_factory=dict)
    hint: str = ""
    within: float = 0.0

    def __call__(self, answer: Any) -> None:
        self.judge(number(answer))

    def judge(self, value: float) -> None:
        if abs(value - self.right) <= self.within + 1e-9 * abs(self.right):
            return
        said = f"{self.what[0].upper()}{self.what[1:]}: {_number_text(value)} is not right."
        raise Wrong(f"{said}{pad(self._slip(value))}")

    def _slip(self, value: float) -> str:
        for slip, hint in self.slips.items():
            if math.isclose(value, slip, rel_tol=1e-4 if isinstance(slip, float) else 1e-9, abs_tol=1e-9):
                return hint
        if isinstance(self.right, int) and value != int(value):
            return (
                f"It is a whole number.{pad(self.hint if abs(value - self.right) > 1 else 'Which way is it rounded?')}"
            )
        for slip, hint in self.slips.items():  # the same slip, rounded by hand
            if not isinstance(slip, int) and slip and abs(value - slip) < 0.006 * abs(slip):
                return hint
        if value == -self.right:
            return "The sign is the other way round."
        if self.right and value > 0:
            ratio = value / self.right
            told = {
                2: "Something is counted twice.",
                0.5: "Something is counted once of which there are two.",
                100: "Is it a share, or per cent?",
                1000: "Look at the units.",
            }
            for factor, text in told.items():
                if math.isclose(ratio, factor, rel_tol=1e-6):
                    return f"{text}{pad(self.hint)}"
        size = "large" if value > self.right else "small"
        return f"It is too {size}.{pad(self.hint)}"


@dataclass(frozen=True)
class Numbers:
    """Several numbers with names. `slips` maps wrong tuples to hints, `parts` a name to what a wrong one is told."""

    right: tuple[float, ...]
    names: tuple[str, ...]
    slips: Mapping[tuple[float, ...], str] = field(default_factory=dict)
    parts: Mapping[str, Mapping[float, str]] = field(default_factory=dict)
    hint: str = ""
    within: float = 0.0

    def __call__(self, answer: Any) -> None:
        given = numbers(answer, len(self.right), ", ".join(self.names))
        if given in self.slips:
            raise Wrong(f"{_number_texts(given)} is not right. {self.slips[given]}")
        if given == self.right[::-1] and len(set(self.right)) > 1:
            raise Wrong(
                f"{_number_texts(given)}: the right numbers, in the wrong order: ({', '.join(self.names)}) is asked."
            )
        for value, right, name in zip(given, self.right, self.names):
            Number(right, f"the {name}", self.parts.get(name, {}), self.hint, self.within).judge(value)


class Function:
    """A function, tried on `cases` (tuples of arguments) beside `right`.

    `slips` are pairs of a wrong function and the hint for whoever wrote it; `planted` is the function that the exercise
    hands out with its mistake; `must` looks at the names of torch's functions that were called in the first case, and
    returns what is wrong with them; `after` is called with the answer once all numbers are right. Besides the cases the
    answer gets float64 and non-contiguous tensors: if it fails there it is not refused, since no task asks for it, but
    what it computes there must be right.
    """

    def __init__(
        self,
        right: Callable,
        cases: Sequence[tuple],
        slips: Sequence[tuple[Callable, str]] = (),
        hint: str = "",
        planted: Callable | None = None,
        must: Callable[[list[str]], str] | None = None,
        after: Callable[[Any], None] | None = None,
        unordered: bool = False,
    ) -> None:
        self.right, self.cases, self.slips, self.hint = right, list(cases), slips, hint
        self.planted, self.must, self.after, self.unordered = planted, must, after, unordered
        self.names = list(inspect.signature(right).parameters)

    def __call__(self, answer: Any) -> None:
        results, trouble, changed = [], None, None
        for case in self.cases:
            expected = self._run(self.right, case)
            try:
                result = call(answer, *case, names=self.names)
            except Changed as change:
                result, changed = change.result, changed or change
            except Wrong as error:
                results.append(error)
                trouble = trouble or (case, expected, error)
                continue
            try:
                result = self._read(result, expected)
            except Wrong as error:
                # Of its kind it is all along: one case is enough.
                raise Wrong(
                    f"On {given(case, self.names)}: {error}{pad(self._slip([*results, result]) or self.hint)}"
                ) from None
            results.append(result)
            if not _equal(result, expected):
                trouble = trouble or (case, expected, result)
        if trouble:
            self._explain(answer, results, *trouble)
        if changed:
            raise changed
        self._look_closer(answer)

    def _run(self, function: Callable, case: tuple) -> Any:
        # On copies: a slip, too, may change what it is given.
        with torch.no_grad():
            result = _plain(function(*copy.deepcopy(case)))
        return sorted(set(result)) if self.unordered else result

    def _read(self, result: Any, expected: Any) -> Any:
        if isinstance(expected, Tensor):
            return tensor(result)
        if isinstance(expected, bool):
            return bool(number(result))
        if isinstance(expected, (int, float)):
            return number(result)
        if isinstance(expected, tuple):
            return numbers(result, len(expected), "in this order")
        if isinstance(result, (str, bytes)) or not hasattr(result, "__iter__"):
            raise Wrong(f"a list of names is expected, but this is {kind_of(result)}.")
        names = [str(part) for part in result]
        return sorted(set(names)) if self.unordered else names

    def _explain(self, answer: Any, results: list, case: tuple, expected: Any, result: Any) -> None:
        if self.planted and self._behaves(self.planted, results):
            raise NotTried("The cell computes what it did: the mistake is still in it.")
        hint = self._slip(results)
        if isinstance(result, Wrong):
            raise Wrong(f"{result}{pad(hint or self.hint)}")
        if not hint:
            distinct = [r for r in results if not isinstance(r, Wrong)]
            if len(distinct) > 1 and all(_equal(r, distinct[0]) for r in distinct):
                hint = "It gives the same for every input: does it use its arguments, or names of the notebook?"
            elif isinstance(expected, Tensor):
                hint = relation(result, expected)
            hint = hint or _number_relation(result, expected) or self.hint
        said = compared(result, expected) if isinstance(expected, Tensor) else _compared(result, expected)
        raise Wrong(f"On {given(case, self.names)} {said}{pad(hint)}")

    def _slip(self, results: list) -> str:
        for function, hint in self.slips:
            if self._behaves(function, results):
                return hint
        return ""

    def _behaves(self, function: Callable, results: list) -> bool:
        """Return whether `function` gives these results, failures where they are failures; and fails not everywhere."""
        alike = 0
        for case, result in zip(self.cases, results):
            try:
                own = self._run(function, case)
            except Exception:
                if not isinstance(result, Wrong):
                    return False
                continue
            if isinstance(result, Wrong) or not _equal(result, own):
                return False
            alike += 1
        return alike > 0

    def _look_closer(self, answer: Any) -> None:
        case, expected = self.cases[0], self._run(self.right, self.cases[0])
        if not _equal(self._read(call(answer, *case, names=self.names), expected), expected):
            raise Wrong(
                f"Called twice on {given(case, self.names)} it gives two answers: it keeps something from call to call."
            )
        for case in self.cases[:3]:
            for words, other in _variants(case):
                expected = self._run(self.right, other)
                try:
                    result = self._read(call(answer, *other, names=self.names), expected)
                except Changed as change:
                    raise change from None
                except Wrong:
                    continue
                if not _equal(result, expected):
                    said = compared(result, expected) if isinstance(expected, Tensor) else _compared(result, expected)
                    raise Wrong(f"On {words}, {given(other, self.names)}, {said}")
        if self.must:
            calls = Calls()
            call(answer, *self.cases[0], names=self.names, within=calls)
            complaint = self.must(calls.names)
            if complaint:
                raise Wrong(f"The numbers are right, but {complaint}")
        if self.after:
            self.after(answer)


@dataclass(frozen=True)
class Statements:
    """Which of these are true? `options` maps a letter to (is it true, why)."""

    options: Mapping[str, tuple[bool, str]]

    def __call__(self, answer: Any) -> None:
        chosen = _letters(answer, self.options)
        for letter, (true, why) in self.options.items():
            if (letter in chosen) != true:
                raise Wrong(f"{letter} is {'true, too' if true else 'not true'}: {why}")


@dataclass(frozen=True)
class Order:
    """In which order? `right` is a string of letters; `why` maps two neighbours, such as "ca", to why c is before a."""

    right: str
    why: Mapping[str, str]

    def __call__(self, answer: Any) -> None:
        chosen = _letters(answer, self.right)
        if len(chosen) != len(self.right):
            missing = sorted(set(self.right) - set(chosen))
            raise Wrong(
                f"All {len(self.right)} have their place in the order, each once: {', '.join(missing)} is missing."
            )
        for first, second in zip(self.right, self.right[1:]):
            if chosen.index(first) > chosen.index(second):
                raise Wrong(f"{first} comes before {second}: {self.why[first + second]}")


def _letters(answer: Any, options: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The letters of "ac", "a, c", ["a", "c"], {"a", "c"}, in their order and each once."""
    allowed = sorted(options)
    span = f"{allowed[0]} to {allowed[-1]}"
    if isinstance(answer, dict) or not isinstance(answer, (str, list, tuple, set, frozenset)):
        raise Wrong(f'Letters are expected, {span}, such as "{allowed[0]}{allowed[-1]}"; this is {kind_of(answer)}.')
    ordered = sorted(map(str, answer)) if isinstance(answer, (set, frozenset)) else map(str, answer)
    text = answer if isinstance(answer, str) else " ".join(ordered)
    letters = re.findall(r"\w", text[:1000].lower().replace(" and ", " "))
    strange = [letter for letter in letters if letter not in allowed]
    if strange:
        raise Wrong(f"There is no option {show(strange[0])}: they go from {span}.")
    return list(dict.fromkeys(letters))


def _plain(value: Any) -> Any:
    """A result in the form in which answers are read: tensors detached, sizes as tuples."""
    if isinstance(value, Tensor):
        return value.detach()
    return tuple(value) if isinstance(value, torch.Size) else value


def _equal(result: Any, expected: Any) -> bool:
    if isinstance(result, Wrong):
        return False
    if isinstance(expected, Tensor):
        return isinstance(result, Tensor) and agrees(result, expected)
    if isinstance(expected, tuple):
        return isinstance(result, tuple) and len(result) == len(expected) and all(map(_equal, result, expected))
    if isinstance(expected, (int, float)) and not isinstance(result, (int, float)):
        return False
    if isinstance(expected, float) and isinstance(result, (int, float)):
        return abs(result - expected) <= 1e-5 * abs(expected) + 6e-5  # four decimals will do
    return result == expected


def _variants(case: tuple) -> list[tuple[str, tuple]]:
    """The case in float64 and in another order in memory, where its tensors allow it."""
    floats = [arg for arg in case if isinstance(arg, Tensor) and arg.is_floating_point()]
    variants = []
    if floats and not any(isinstance(arg, torch.nn.Module) for arg in case):
        variants.append(("float64", tuple(arg.double() if any(arg is f for f in floats) else arg for arg in case)))
    if any(isinstance(arg, Tensor) and arg.dim() > 1 for arg in case):
        turned = tuple(
            arg.mT.contiguous().mT if isinstance(arg, Tensor) and arg.dim() > 1 and not arg.requires_grad else arg
            for arg in case
        )
        variants.append(("tensors that are not contiguous in memory", turned))
    return variants


def _compared(result: Any, expected: Any) -> str:
    if isinstance(expected, list):
        missing = [name for name in expected if name not in result]
        extra = [name for name in result if name not in expected]
        parts = [f"{', '.join(names)} {word}" for names, word in ((missing, "missing"), (extra, "too many")) if names]
        return f"{safely(repr, expected)} is expected, but it is {show(result)}" + (
            f" ({'; '.join(parts)})." if parts else "."
        )
    return f"{_number_texts(expected)} is expected, but it is {_number_texts(result)}."


def _number_relation(result: Any, expected: Any) -> str:
    if not isinstance(result, (int, float)) or not isinstance(expected, (int, float)) or isinstance(expected, bool):
        return ""
    if expected and _equal(float(result), -float(expected)):
        return "The sign is the other way round."
    if expected and result and _equal(float(result), 1 / expected):
        return "It is upside down: what is divided by what?"
    if expected and _equal(float(result), 100.0 * expected):
        return "A share is expected, not per cent."
    if isinstance(expected, int) and result != int(result):
        return "It is a whole number."
    return ""


def _number_texts(value: Any) -> str:
    return f"({', '.join(map(_number_text, value))})" if isinstance(value, tuple) else _number_text(value)


def _number_text(value: Any) -> str:
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)
