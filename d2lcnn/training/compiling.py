"""torch.compile, where it works."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch

from d2lcnn.training.batches import knows_epochs
from d2lcnn.training.machine import Machine


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile works here; warns where it does not."""
    try:
        torch.compile(lambda X: X.cos() + 1)(torch.ones(8, device=device))
    except Exception as error:  # of many types: no C++ compiler, no Triton, a Python that is too new
        warnings.warn(f"trained without torch.compile, which does not work here: {error}", stacklevel=3)
        return False
    return True


def compile_options(machine: Machine, train: Iterable) -> dict[str, Any]:
    """How torch.compile is to work: on a lone GPU it records the forward and the backward pass, a launch each then."""
    # Anew for every size of a batch: an ImageData's have two at most.
    replays = machine.device.type == "cuda" and machine.world_size == 1 and knows_epochs(train)
    return {"mode": "reduce-overhead", "dynamic": False} if replays else {}
