"""Exercises of chapter 1: convolution."""

import torch

from d2lcnn.checks._answers import Calls, Wrong, call, number, same, tensor
from d2lcnn.ops import corr2d


def exercise_1(answer) -> None:
    """A kernel for horizontal edges."""
    K = tensor(answer).float()
    if K.dim() != 2:
        raise Wrong(f"A kernel has two axes, such as torch.tensor([[1.0, 2.0]]); this one has {K.dim()}.")
    band = torch.ones(8, 6)
    band[2:6] = 0
    if corr2d(band.t(), K).abs().max() > 1e-4:
        raise Wrong("On a picture whose rows are all equal the output must be 0, but your kernel responds to it.")
    hint = "Subtract from each pixel its neighbour below."
    expected = corr2d(band, torch.tensor([[1.0], [-1.0]]))[:, :1]
    same(corr2d(band, K)[:, :1], expected, "the white picture with a black band across, in its first column,", hint)


def exercise_2(answer) -> None:
    """The sign of an edge under true convolution."""
    same(number(answer), -1.0, "at the edge from 1 to 0", "Flip the kernel first, then slide it over [1, 0].")


def exercise_3(answer) -> None:
    """Cross-correlation by looping over the kernel."""
    for h, w, k_h, k_w in ((3, 3, 2, 2), (6, 8, 1, 2), (9, 7, 3, 4)):
        X, K = torch.arange(float(h * w)).reshape(h, w), torch.arange(float(k_h * k_w)).reshape(k_h, k_w) - 2
        hint = "The copy that belongs to K[a, b] starts at row a and column b, and has the output's shape."
        same(call(answer, X, K), corr2d(X, K), f"a {h} by {w} input and a {k_h} by {k_w} kernel", hint)
    counts = set()
    for n in (10, 30):
        with Calls() as calls:
            call(answer, torch.zeros(n, n), torch.zeros(2, 2))
        counts.add(len(calls.names))
    if len(counts) > 1:
        raise Wrong("The numbers are right, but a loop runs over the output; let it run over the elements of K.")


def exercise_4(answer) -> None:
    """Layers of 5x5 needed to see 224 pixels."""
    same(
        answer, 56, "the number of layers", "One layer sees 5 pixels, two see 9: find where 1 + 4 * depth reaches 224."
    )
