"""Paired tests: against SciPy, by hand, and on data of which the answer is known."""

import random
from itertools import product

import pytest
import torch
from scipy import stats

from d2lcnn import statistics


@pytest.mark.parametrize("seed", range(20))
def test_sign_flip_test_is_scipys(seed):
    draw = random.Random(seed)
    differences = [draw.gauss(draw.choice([0, 1]), 1) for _ in range(draw.randint(2, 9))]
    expected = stats.permutation_test(
        (differences,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=10**6
    )
    assert statistics.sign_flip_test(differences) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 12])
def test_the_smallest_p_of_n_pairs(n):
    assert statistics.sign_flip_test([0.1] * n) == statistics.sign_flip_test([-0.3] * n) == 2 / 2**n


def test_sums_equal_on_paper_count_as_equal():
    # 0.1 + 0.2 - 0.3 is not 0 in binary.
    assert statistics.sign_flip_test([0.1, 0.2, -0.3]) == 1
    differences = [0.0003, 0.0001, -0.0002]
    whole = [3, 1, -2]
    far = sum(abs(sum(s * d for s, d in zip(signs, whole))) >= 2 for signs in product((1, -1), repeat=3))
    assert statistics.sign_flip_test(differences) == far / 8


def test_p_is_right_where_there_is_no_difference():
    draw = random.Random(0)
    ps = [statistics.sign_flip_test([draw.gauss(0, 1) for _ in range(6)]) for _ in range(1000)]
    for level in (2 / 64, 8 / 64, 32 / 64):
        assert sum(p <= level for p in ps) / 1000 == pytest.approx(level, abs=0.05)


def test_paired():
    found = statistics.paired([0.91, 0.90, 0.92], torch.full((3,), 0.90, dtype=torch.float64))
    assert found.pairs == 3 and found.difference == pytest.approx(0.01) and found.spread == pytest.approx(0.01)
    assert found.p == statistics.sign_flip_test([0.01, 0, 0.02])
    assert repr(found) == "+0.0100 ± 0.0100 over 3 pairs, p = 0.5"


@pytest.mark.parametrize("seed", range(10))
def test_mcnemar_is_the_binomial_test(seed):
    draw = random.Random(seed)
    first, second = ([draw.random() < share for _ in range(60)] for share in (0.7, 0.5))
    found = statistics.mcnemar(first, torch.tensor(second))
    assert found.only_first == sum(a > b for a, b in zip(first, second))
    assert found.only_second == sum(b > a for a, b in zip(first, second))
    expected = stats.binomtest(found.only_first, found.only_first + found.only_second).pvalue
    assert found.p == pytest.approx(expected)


def test_the_same_answers_tell_nothing():
    assert statistics.mcnemar([True, False], [True, False]) == (0, 0, 1)
    assert repr(statistics.mcnemar([1, 1, 0], [0, 1, 0])) == "right alone: 1 and 0 pictures, p = 1"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: statistics.paired([1, 2], [1, 2, 3]), ValueError, "first and second .* got 2 and 3"),
        (lambda: statistics.paired([1], [2]), ValueError, "at least 2 values each, got 1"),
        (lambda: statistics.paired("ab", [1, 2]), TypeError, "first must be a list of numbers, got"),
        (lambda: statistics.paired([1, float("nan")], [1, 2]), ValueError, "first must hold finite numbers"),
        (lambda: statistics.sign_flip_test([]), ValueError, "differences must hold 1 to 20 numbers, got 0"),
        (lambda: statistics.sign_flip_test([1] * 21), ValueError, "differences must hold 1 to 20 numbers, got 21"),
        (lambda: statistics.sign_flip_test(3), TypeError, "differences must be a list of numbers, got"),
        (lambda: statistics.mcnemar([True], [True, False]), ValueError, "got 1 and 2 values"),
        (lambda: statistics.mcnemar([], []), ValueError, "got 0 and 0 values"),
        (lambda: statistics.mcnemar([0.9], [0.8]), TypeError, "first must be a list of True and False, got"),
        (lambda: statistics.mcnemar([True], 3), TypeError, "second must be a list of True and False, got"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
