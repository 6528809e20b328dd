"""Exercises of chapter 7: VGG."""

import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.checks._answers import Wrong, call, number, same, tensor


def exercise_1(answer) -> None:
    """The blocks of VGG-16 for colour pictures."""
    blocks = tensor(answer)
    if blocks.shape != (5, 3):
        raise Wrong(
            "Five blocks are expected, each (num_convs, in_channels, out_channels): the shape (5, 3); "
            f"but it is {tuple(blocks.shape)}."
        )
    num_convs, in_channels, out_channels = blocks.double().T.tolist()
    if num_convs != [2, 2, 3, 3, 3]:
        raise Wrong("The blocks hold 2, 2, 3, 3 and 3 convolutions: thirteen, and three linear layers make 16.")
    if out_channels != [64, 128, 256, 512, 512]:
        raise Wrong("The blocks give as many channels as those of VGG-11.")
    if in_channels[0] != 3:
        raise Wrong("The first block takes the picture: how many channels has one in colour?")
    if in_channels[1:] != out_channels[:-1]:
        raise Wrong("A block takes as many channels as the block before it gives.")


def exercise_2(answer) -> None:
    """Weights of a stack of 3x3 layers as a share of those of one k x k layer."""
    hint = "(k - 1) / 2 layers of 3x3 see as far, with 9 weights each for every pair of channels; leave the biases out."
    for k, share in ((7, 27 / 49), (11, 45 / 121), (3, 1.0)):
        same(torch.tensor(number(call(answer, k))), torch.tensor(share), f"k={k}", hint)


def exercise_3(answer) -> None:
    """Features after the five blocks of VGG-11 for 96 by 96 pixels."""
    hint = "Halve 96 five times; the last block has 512 channels, and both height and width are left."
    same(number(answer), 512 * 3 * 3, "the number of features", hint)


def exercise_4(answer) -> None:
    """A VGG block that halves by the stride of its last convolution."""
    for num_convs, in_channels, out_channels in ((2, 3, 6), (1, 4, 5)):
        on = f"({num_convs}, {in_channels}, {out_channels})"
        block = call(answer, num_convs, in_channels, out_channels)
        if not isinstance(block, nn.Module):
            raise Wrong(f"On {on} a block is expected, an nn.Module, but this is {type(block).__name__}.")
        # One layer may stand at several places.
        layers = [layer for _, layer in block.named_modules(remove_duplicate=False)]
        if any("Pool" in type(layer).__name__ for layer in layers):
            raise Wrong(f"On {on} there is still a pooling in it; the last convolution is to take its place.")
        convs = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        if len(convs) != num_convs:
            raise Wrong(f"On {on} as many layers Conv2d as num_convs are expected; this has {len(convs)}.")
        strides = [layer.stride if isinstance(layer.stride, tuple) else (layer.stride,) * 2 for layer in convs]
        if strides != [(1, 1)] * (num_convs - 1) + [(2, 2)]:
            raise Wrong(f"On {on} only the last convolution has stride 2; here the strides are {strides}.")
        shape = tuple(tensor(call(block, torch.zeros(1, in_channels, 8, 8))).shape)
        hint = f"On {on}, 8 by 8 is to become 4 by 4, with {out_channels} channels."
        same(shape, (1, out_channels, 4, 4), "the output's shape", hint)
        weights = 9 * out_channels * (in_channels + (num_convs - 1) * out_channels)
        parameters = sum(p.numel() for p in block.parameters())
        hint = f"On {on}, {weights + num_convs * out_channels} are expected: every kernel is 3 by 3."
        same(parameters, weights + num_convs * out_channels, "the number of parameters", hint)
        X = torch.randn(1, in_channels, 8, 8, generator=torch.Generator().manual_seed(0))
        Y = X
        with torch.no_grad():
            for conv, (stride, _) in zip(convs, strides):
                Y = F.relu(F.conv2d(Y, conv.weight, conv.bias, stride, padding=1))
        if not torch.allclose(tensor(call(block, X)), Y, atol=1e-4):
            raise Wrong(
                f"On {on} a random picture becomes something else than by convolutions with padding 1, "
                "each of them followed by a ReLU."
            )
