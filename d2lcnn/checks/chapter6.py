"""Exercises of chapter 6: AlexNet."""

import math

import torch

from d2lcnn.checks._answers import Wrong, call, number, same, tensor


def exercise_1(answer) -> None:
    """Input without padding, and padding of 224 pixels, that give maps of 55 by 55."""
    try:
        side, padding = (number(part) for part in answer)
    except (TypeError, ValueError):
        raise Wrong("A pair is expected: the side of the input, and the padding per side.") from None
    hint = "55 windows of 11 pixels, 4 apart: the first begins at 0, the last at 4 * 54, and is 11 wide."
    same(side, 227, "the side of the input", hint)
    hint = "It is per side, as in PyTorch, and the smallest that leaves room for 55 windows."
    same(padding, 2, "the padding", hint)


def exercise_2(answer) -> None:
    """Parameters of AlexNet for three channels and a thousand classes."""
    hint = "96 kernels become three times as deep; the last layer has 4,096 weights and a bias for each class."
    same(number(answer), 50844008, "the number of parameters", hint)


def exercise_3(answer) -> None:
    """The standard deviation of he_init for 96 channels and 5 by 5 kernels."""
    hint = "Each output adds up 96 * 5 * 5 products; the variance is 2 over that, the deviation its square root."
    same(round(number(answer), 4), round(math.sqrt(2 / (96 * 25)), 4), "the standard deviation", hint)


def exercise_4(answer) -> None:
    """Dropout by hand."""
    ones = torch.ones(200, 200)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        half = tensor(call(answer, ones, 0.5))
        if half.shape != ones.shape:
            raise Wrong(f"On ones of shape (200, 200) the output's shape is {tuple(half.shape)}.")
        if any((half == 0).all(axis).any() != (half == 0).all() for axis in (0, 1)):
            raise Wrong("Whole rows or columns are dropped: each element is to be drawn for itself.")
        fifth = tensor(call(answer, 3 * ones, 0.2)).double()
        untouched = tensor(call(answer, torch.arange(-2.0, 3.0), 0.0))
        again = tensor(call(answer, ones, 0.5))
    same(untouched, torch.arange(-2.0, 3.0), "p = 0", "Nothing is dropped then.")
    for p, dropped, value in ((0.5, half.double(), 1.0), (0.2, fifth, 3.0)):
        share = (dropped == 0).double().mean().item()
        if abs(share - p) > 0.02:
            raise Wrong(f"With p = {p} a share of {p} is to become zero; here it was {share:.2f}.")
        kept, right = dropped[dropped != 0], value / (1 - p)
        if not torch.allclose(kept, torch.full_like(kept, right), atol=1e-4):
            hint = "Divide by the share that is kept, 1 - p, so that the mean stays."
            raise Wrong(f"With p = {p} a {value:g} that is kept is to become {right:g}. {hint}")
    if torch.equal(half, again):
        raise Wrong("Called twice, it dropped the same elements: draw them anew at each call.")


def exercise_5(answer) -> None:
    """Mirror the pictures whose flag is set."""
    X = torch.arange(36.0).reshape(3, 2, 2, 3)
    flags = torch.tensor([True, False, True])
    expected = torch.where(flags.view(-1, 1, 1, 1), X.flip(3), X)
    hint = "The last axis is the width; a flag for each picture wants the shape (N, 1, 1, 1)."
    result = tensor(call(answer, X, flags))
    if result.shape == X.shape and torch.equal(result, torch.where(flags.view(-1, 1, 1, 1), X.flip(2), X)):
        raise Wrong(f"The pictures stand on their heads. {hint}")
    if result.shape == X.shape and not torch.equal(result[1], X[1]):
        raise Wrong(f"The picture whose flag is False is to stay as it is. {hint}")
    same(result, expected, "three pictures with 2 channels of 2 by 3 and the flags True, False, True", hint)
