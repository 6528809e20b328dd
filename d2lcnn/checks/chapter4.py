"""Exercises of chapter 4: pooling."""

import torch

from d2lcnn.checks._answers import Calls, Wrong, call, same, tensor
from d2lcnn.ops import corr2d, pool2d


def exercise_1(answer) -> None:
    """Average pooling as a cross-correlation."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong("The answer is a pair: the kernel and the stride.")
    K, stride = tensor(answer[0]).float(), answer[1]
    stride = stride.tolist() if hasattr(stride, "tolist") else stride  # a tensor, or NumPy's
    X = (torch.arange(24.0) ** 3 % 17).reshape(4, 6)
    hint = "Each of the four elements counts equally, and windows do not overlap."
    expected = pool2d(X, 2, mode="avg")
    same(corr2d(X, K, stride=stride), expected, "a 4 by 6 input", hint)


def exercise_2(answer) -> None:
    """Minimum pooling from maximum pooling."""
    X = torch.tensor([[3.0, 1.0, -2.0, 5.0], [4.0, 7.0, 0.0, -1.0], [9.0, 8.0, 6.0, 2.0]])
    for size in (2, (1, 2), (3, 4)):
        hint = "The smallest of some numbers is the largest of their negatives, negated."
        expected = -pool2d(-X, size)
        same(call(answer, X, size), expected, f"a 3 by 4 input and the window {size}", hint)


def exercise_3(answer) -> None:
    """The output size of AlexNet's first pooling."""
    same(answer, (26, 26), "the pair (height, width)", "(54 - 3) divided by 2, rounded down, plus one.")


def exercise_4(answer) -> None:
    """A maximum from ReLU."""
    a, b = torch.tensor([1.0, -2.0, 3.0, 0.0]), torch.tensor([2.0, -5.0, 3.0, -1.0])
    hint = "relu(a - b) is how much a exceeds b, and 0 where it does not."
    with Calls() as calls:
        larger = call(answer, a, b)
    same(larger, torch.maximum(a, b), "a = [1, -2, 3, 0] and b = [2, -5, 3, -1]", hint)
    if not {"relu", "relu_"} & set(calls.names):
        raise Wrong(f"The numbers are right; now get them with torch.relu, + and - alone. {hint}")
