"""Exercises of chapter 5: LeNet."""

import torch
from torch import nn

from d2lcnn.checks._answers import Wrong, call, number, same, tensor


def exercise_1(answer) -> None:
    """Features after flattening a 32 by 32 input."""
    hint = "Follow the side: 32, then half of it, less 4, then half of that; and there are 16 channels."
    same(answer, 16 * 6 * 6, "the number of features", hint)


def exercise_2(answer) -> None:
    """LeNet with ReLU and maximum pooling."""
    if not isinstance(answer, nn.Module):
        raise Wrong(f"A network is expected, an nn.Module, but this is {type(answer).__name__}.")
    # One layer may stand at several places.
    kinds = [type(layer) for _, layer in answer.named_modules(remove_duplicate=False)]
    for old, new in ((nn.Sigmoid, nn.ReLU), (nn.AvgPool2d, nn.MaxPool2d)):
        if old in kinds:
            raise Wrong(f"There is still an {old.__name__} in it; put {new.__name__} in its place.")
    for kind, count in ((nn.ReLU, 4), (nn.MaxPool2d, 2)):
        if kinds.count(kind) != count:
            raise Wrong(f"{count} layers {kind.__name__} are expected; this has {kinds.count(kind)}.")
    if nn.Softmax in kinds or nn.LogSoftmax in kinds:
        raise Wrong("LeNet ends in ten scores: leave the softmax out, it is part of the loss.")
    # Called before it is counted, since lazy layers have no parameters until then.
    weight = next(answer.parameters())
    pictures = torch.zeros(2, 1, 28, 28, device=weight.device, dtype=weight.dtype)
    shape = tuple(tensor(call(answer, pictures)).shape)
    same(shape, (2, 10), "the output's shape for two pictures", "Ten scores for each picture are expected.")
    parameters = sum(p.numel() for p in answer.parameters())
    same(parameters, 61706, "the number of parameters", "61,706 are expected: the other layers stay as they were.")


def exercise_3(answer) -> None:
    """The loss of guessing among 1,000 classes."""
    hint = "Each class has the probability 1/1000; the loss is minus the natural logarithm of that."
    same(round(number(answer), 2), 6.91, "the loss", hint)


def exercise_4(answer) -> None:
    """Accuracy from a confusion matrix."""
    confusion = torch.tensor([[3, 1, 0], [2, 4, 0], [1, 1, 8]])
    hint = "Right predictions stand on the diagonal."
    accuracy = torch.tensor(number(call(answer, confusion)))
    same(accuracy, torch.tensor(0.75), "the matrix [[3, 1, 0], [2, 4, 0], [1, 1, 8]]", hint)
