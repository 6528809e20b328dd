"""What size of input a network can take."""

from __future__ import annotations

import torch
from torch import nn

from d2lcnn._modes import tried_out


def check_input(net: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of net's output for an input of `shape` (N, C, H, W), found by running blank images through it.

    Raises ValueError naming the layer that cannot take what reaches it: where the map vanishes, or where the number of
    channels or features differs.
    """
    reached: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    hooks = [
        module.register_forward_pre_hook(lambda m, args, name=name: reached.append((name, m, tuple(args[0].shape))))
        for name, module in net.named_modules()
        if not any(module.children())
    ]
    try:
        with tried_out(net):
            output = net(next(net.parameters(), torch.empty(0)).new_zeros(shape))
    except (RuntimeError, IndexError, TypeError) as error:
        where = "it does not fit the network"
        if reached:
            name, module, got = reached[-1]
            where = f"layer {name} ({type(module).__name__}) gets {got}"
        raise ValueError(f"input of shape {tuple(shape)} does not fit: {where}: {error}") from None
    finally:
        for hook in hooks:
            hook.remove()
    if output.shape[0] != shape[0]:
        raise ValueError(
            f"input of shape {tuple(shape)} does not fit: {shape[0]} examples go in and {output.shape[0]} come out"
        )
    return tuple(output.shape)


def flat_features(conv: nn.Module, in_channels: int, input_size: int) -> int:
    """Return how many features per example `conv` hands on for images of `input_size` pixels, height and width.

    Raises ValueError naming the layer where the map vanishes if the input is too small.
    """
    _check_positive(in_channels=in_channels, input_size=input_size)
    _, channels, height, width = check_input(conv, (1, in_channels, input_size, input_size))
    return channels * height * width


def _check_length(name: str, value: object, length: int) -> None:
    if not isinstance(value, (tuple, list)) or len(value) != length:
        raise ValueError(f"{name} must be a tuple of {length}, got {value!r}")


def _check_positive(**counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, got {value!r}")
