"""Whether a difference is more than luck: runs paired by seed, and networks paired picture by picture (chapter 10)."""

import math
from collections.abc import Sequence
from itertools import product
from statistics import mean, stdev
from typing import Any, NamedTuple

from d2lcnn._words import described

# 2**20 ways to choose the signs are looked at in about a second.
_MOST_PAIRS = 20


class Paired(NamedTuple):
    """What pairs of runs say: how many, the mean of their differences, its sample standard deviation, and p."""

    pairs: int
    difference: float
    spread: float
    p: float

    def __repr__(self) -> str:
        return f"{self.difference:+.4f} ± {self.spread:.4f} over {self.pairs} pairs, p = {self.p:.2g}"


class McNemar(NamedTuple):
    """What two networks' answers say: how many pictures only the one, or only the other names right, and p."""

    only_first: int
    only_second: int
    p: float

    def __repr__(self) -> str:
        return f"right alone: {self.only_first:,} and {self.only_second:,} pictures, p = {self.p:.2g}"


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compare two ways to train: `first[i]` and `second[i]` are of runs that share all else, such as the seed.

    The differences are first minus second, p that of `sign_flip_test`. Raises ValueError for lists of different
    length, fewer than two pairs, and as that test does.
    """
    first, second = _numbers("first", first), _numbers("second", second)
    if len(first) != len(second):
        raise ValueError(f"first and second must be as long as each other, got {len(first)} and {len(second)} values")
    differences = [a - b for a, b in zip(first, second)]
    p = sign_flip_test(differences)
    if len(differences) < 2:
        raise ValueError(f"first and second must hold at least 2 values each, got {len(differences)}")
    return Paired(len(differences), mean(differences), stdev(differences), p)


def sign_flip_test(differences: Sequence[float]) -> float:
    """The exact p, two-sided, of differences between pairs, where neither way to train is the better one.

    Then each difference might as well have had the other sign. p is the share of all choices of signs whose mean lies
    at least as far from 0, so with n pairs it is never below 2 / 2**n: 0.0625 with 5, 0.0078 with 8.
    Fisher, "The design of experiments", 1935. Raises ValueError for none, more than 20, and numbers not finite.
    """
    differences = _numbers("differences", differences)
    if not 1 <= len(differences) <= _MOST_PAIRS:
        raise ValueError(f"differences must hold 1 to {_MOST_PAIRS} numbers, got {len(differences)}")
    # Sums that are equal on paper may differ in the last bits.
    limit = abs(sum(differences)) - 1e-9 * sum(map(abs, differences))
    sums = (sum(sign * d for sign, d in zip(signs, differences)) for signs in product((1, -1), repeat=len(differences)))
    return sum(abs(total) >= limit for total in sums) / 2 ** len(differences)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Compare two networks by the same pictures: `first[i]` and `second[i]` say which named picture i right.

    Only pictures that one of them misses count; p, two-sided and exact, is how likely so uneven a split of them is
    where each falls to either side like a coin. It weighs the luck of the test pictures, not that of the seeds.
    McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    Raises ValueError for lists of different length or empty ones, TypeError for what is not true or false.
    """
    first, second = _truths("first", first), _truths("second", second)
    if len(first) != len(second) or not first:
        raise ValueError(f"first and second must be as long as each other, got {len(first)} and {len(second)} values")
    only_first = sum(a and not b for a, b in zip(first, second))
    only_second = sum(b and not a for a, b in zip(first, second))
    n, fewer = only_first + only_second, min(only_first, only_second)
    p = min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)
    return McNemar(only_first, only_second, p)


def _numbers(name: str, values: Any) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a list of numbers, got {described(values)}") from None
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must hold finite numbers, got {described(numbers)}")
    return numbers


def _truths(name: str, values: Any) -> list[bool]:
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, (list, tuple)) or not all(value in (0, 1) for value in values):
        raise TypeError(f"{name} must be a list of True and False, got {described(values)}")
    return [bool(value) for value in values]
