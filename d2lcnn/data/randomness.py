"""Random numbers that are a hash of what they are for, never the state of a generator."""

import torch
from torch import Tensor

# splitmix64 (Steele, Lea and Flood, 2014), its constants as the int64 of the same bits: int64 arithmetic wraps around.
_GAMMA, _MIX1, _MIX2 = (c - 2**64 for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def random_bits(index: Tensor, *keys: int) -> Tensor:
    """64 random bits for each number in `index`, int64; different numbers get different bits."""
    state = torch.tensor(0)
    for key in keys:
        state = _mix(state + key + _GAMMA)
    return _mix(index * _GAMMA + int(state))


def _mix(x: Tensor) -> Tensor:
    # The masks clear the copies of the sign bit that a right shift of an int64 brings in.
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * _MIX1
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * _MIX2
    return x ^ (x >> 31 & (1 << 33) - 1)
