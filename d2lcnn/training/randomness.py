"""The random generators while a run has them."""

import random
from contextlib import AbstractContextManager

import torch


def fork_generators(device: torch.device) -> AbstractContextManager:
    """Within it, the random generators of the CPU and of `device` are ours; after it, they are as they were."""
    if device.type == "cpu":
        return torch.random.fork_rng([])
    return torch.random.fork_rng([device], device_type=device.type)


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed these two, and no other device's, which torch.manual_seed would."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)


def mix(*keys: int) -> int:
    """One seed from several numbers."""
    # torch's CPU generator takes in 32 bits of its seed, so numbers placed side by side would be cut off.
    return random.Random(repr(keys)).getrandbits(32)
