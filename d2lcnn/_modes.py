"""Running a network just to see what it gives."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def tried_out(net: nn.Module) -> Iterator[None]:
    """Within it, net is in eval mode and gathers no gradients; after it, every module is in the mode it was in."""
    modes = [(module, module.training) for module in net.modules()]
    # Dropout would draw random numbers and move the caller's generator.
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
