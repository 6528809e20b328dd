"""How a network's weights begin."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Net = TypeVar("Net", bound=nn.Module)


def glorot_init(net: Net, gain: float = 4.0) -> Net:
    """Draw the weights of net's convolutions and linear layers anew, for sigmoids. Returns net (chapter 5).

    Uniform, of variance 2 * gain^2 / (fan-in + fan-out); a gain of 4 makes up for the sigmoid's slope of at most 1/4.
    Draws from torch's global generator.
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight, gain)
    return net


def he_init(net: Net) -> Net:
    """Draw the weights of net's convolutions and linear layers anew, for ReLU; biases become 0. Returns net.

    The variance is 2 / fan-in, so that signals keep their size through the depth of the network; torch's own start
    lets them shrink. Draws from torch's global generator.
    He et al., "Delving deep into rectifiers", 2015.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
