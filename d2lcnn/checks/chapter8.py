"""Exercises of chapter 8: NiN."""

import torch
from torch import nn

from d2lcnn.checks._answers import Wrong, call, number, same, show
from d2lcnn.nets import nin


def exercise_1(answer) -> None:
    """Parameters of NiN's second block."""
    hint = "5 * 5 * 96 weights and a bias for each of 256 channels; then 256 weights and a bias for each, twice."
    same(number(answer), 746240, "the number of parameters", hint)


def exercise_2(answer) -> None:
    """A fully connected layer on a map, as a convolution."""
    for channels, height, width in ((1, 3, 3), (2, 3, 4)):
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            linear, X = nn.Linear(channels * height * width, 5), torch.randn(2, channels, height, width)
        conv = call(answer, linear, channels, height, width)
        if not isinstance(conv, nn.Conv2d):
            raise Wrong(f"An nn.Conv2d is expected, but your function returns {show(conv)}.")
        kernel, on = (5, channels, height, width), f"({channels}, {height}, {width})"
        hint = f"The window covers the whole map {on}, and 5 features come out: {kernel} is expected."
        same(tuple(conv.weight.shape), kernel, "the shape of the convolution's weight", hint)
        with torch.no_grad():
            expected = linear(X.flatten(1))[:, :, None, None]
            hint = "Give it the linear layer's own weight, reshaped, and its bias."
            same(call(conv, X), expected, f"two random inputs {on}", hint)


def exercise_3(answer) -> None:
    """The map of one class, of a network that ends in global average pooling."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = nin(stem=(3, 1, 1), widths=(4, 4, 4), final_relu=False).eval()
        X = torch.randn(2, 1, 40, 28)
    with torch.no_grad():
        expected = net[:-2](X)
        for k in (0, 7):
            hint = "Leave the last two layers off, and take channel k of every example."
            same(
                call(answer, net, X, k), expected[:, k], f"a small NiN, two random pictures of 40 by 28 and k={k}", hint
            )


def exercise_4(answer) -> None:
    """The smallest square picture that NiN takes."""
    hint = "Go backwards: what does the last pooling need at least, and what the layers before it?"
    same(number(answer), 67, "the side of the picture", hint)


def exercise_5(answer) -> None:
    """The best a class with a dead logit can hope for."""
    hint = "The other nine logits are 0 at the least, and then all ten are equal."
    same(round(number(answer), 3), 0.1, "the probability", hint)
