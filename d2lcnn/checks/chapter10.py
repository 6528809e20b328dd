"""Exercises of chapter 10: five networks compared."""

import math

import torch

from d2lcnn.checks._answers import call, number, same


def exercise_1(answer) -> None:
    """Memory of AlexNet's parameters in training."""
    hint = "Four numbers for each parameter, four bytes for each number."
    same(round(number(answer)), 748, "the number of megabytes", hint)


def exercise_2(answer) -> None:
    """The smallest p-value of dealing n and n at random."""
    for n in (1, 3, 5):
        hint = "There are math.comb(2 * n, n) ways to deal, all equally likely, and two of them are the extreme ones."
        expected = torch.tensor(2 / math.comb(2 * n, n))
        same(torch.tensor(number(call(answer, n))), expected, f"n = {n}", hint)


def exercise_3(answer) -> None:
    """What is off the Pareto front."""
    points = {"A": (1.0, 0.90), "B": (2.0, 0.89), "C": (3.0, 0.93), "D": (3.0, 0.92), "E": (1.0, 0.90)}
    points["F"] = (4.0, 0.93)
    hint = (
        "B costs more than A and is worse; D costs as much as C and is worse; F costs more than C and is no better; "
        "A and E are equal, so neither beats."
    )
    names = call(answer, points)
    same(sorted(set(map(str, names))), ("B", "D", "F"), f"the points {points}", hint)


def exercise_4(answer) -> None:
    """Test pictures needed to tell 0.920 from 0.923."""
    hint = "Set 0.003 equal to twice the square root, square both sides, and solve for n."
    same(round(number(answer)), 64299, "the number of pictures", hint)
