"""Exercises of chapter 2: padding and stride."""

import torch
import torch.nn.functional as F

from d2lcnn.checks._answers import call, number, same


def exercise_1(answer) -> None:
    """The output shape of a layer."""
    hint = "For each axis: the padded length less the kernel, divided by the stride, rounded down, plus one."
    same(answer, (3, 4), "the pair (height, width)", hint)


def exercise_2(answer) -> None:
    """The padding behind AlexNet's 55."""
    hint = (
        "(224 + 2 * padding - 11) // 4 + 1 must be 55; more padding than needed gives 55 too, but is not the smallest."
    )
    same(answer, 2, "the padding per side", hint)


def exercise_3(answer) -> None:
    """How many elements the floor drops."""
    for n, k, padding, stride in (
        (7, 3, 0, 2),
        (8, 3, 0, 2),
        (224, 11, 0, 4),
        (224, 11, 2, 4),
        (10, 2, 1, 5),
        (5, 5, 0, 3),
    ):
        last = (n + 2 * padding - k) // stride * stride + k
        hint = "The last window ends at the last multiple of the stride plus the kernel: what is left after it?"
        on = f"the setting n={n}, k={k}, padding={padding}, stride={stride}"
        left = torch.tensor(number(call(answer, n, k, padding, stride)))
        same(left, torch.tensor(n + 2 * padding - last), on, hint)


def exercise_4(answer) -> None:
    """Same size with any kernel."""
    X = torch.arange(30.0).reshape(5, 6)
    for k_h, k_w in ((3, 3), (2, 2), (4, 1), (1, 4)):
        K = torch.arange(float(k_h * k_w)).reshape(k_h, k_w)
        expected = F.conv2d(F.pad(X, ((k_w - 1) // 2, k_w // 2, (k_h - 1) // 2, k_h // 2))[None, None], K[None, None])[
            0, 0
        ]
        hint = "Pad (k - 1) // 2 on the left and at the top, and what remains of k - 1 on the right and at the bottom."
        same(call(answer, X, K), expected, f"a 5 by 6 input and a {k_h} by {k_w} kernel", hint)
