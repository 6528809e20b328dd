"""Exercises of chapter 3: channels."""

import torch
from torch import nn

from d2lcnn.checks._answers import Wrong, call, same, tensor
from d2lcnn.ops import corr2d_multi_in_out_1x1


def exercise_1(answer) -> None:
    """Parameters of a convolutional layer."""
    hint = "64 kernels, each with a weight for every element of a 3 by 7 by 7 window; and each adds a bias."
    same(answer, 64 * 3 * 7 * 7 + 64, "the number of parameters", hint)


def exercise_2(answer) -> None:
    """Grey as a 1x1 convolution."""
    K = tensor(answer).float()
    if tuple(K.shape) != (1, 3, 1, 1):
        raise Wrong(f"1 output channel, 3 input channels, 1 by 1: the shape (1, 3, 1, 1), not {tuple(K.shape)}.")
    X = torch.eye(3).reshape(3, 1, 3)
    expected = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 1, 3)
    same(corr2d_multi_in_out_1x1(X, K), expected, "one red, one green and one blue pixel")


def exercise_3(answer) -> None:
    """A linear layer at every pixel."""
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.arange(6.0).reshape(2, 3))
        linear.bias.copy_(torch.tensor([1.0, -1.0]))
    X = torch.arange(24.0).reshape(3, 2, 4)
    expected = (
        corr2d_multi_in_out_1x1(X, linear.weight.detach()[:, :, None, None]) + linear.bias.detach()[:, None, None]
    )
    hint = "Move the channels to the last axis, apply the layer, and move them back."
    same(call(answer, linear, X), expected, "nn.Linear(3, 2) and an X of shape (3, 2, 4)", hint)


def exercise_4(answer) -> None:
    """The side at which a fully connected layer passes a thousand million weights."""
    same(answer, 178, "the smallest n", "There are n * n inputs and n * n outputs, so n to the fourth power weights.")
