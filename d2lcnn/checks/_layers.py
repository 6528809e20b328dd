"""What a network does, seen from outside: which operations it calls, with which weights, and from what."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@dataclass
class Step:
    """One call: its function's name, the steps that its inputs come from, its weight and stride if it has them."""

    name: str
    sources: list[int]
    weight: Tensor | None = None
    stride: tuple[int, int] = (1, 1)
    window: int = 1


@dataclass
class Steps(TorchFunctionMode):
    """Within it, notes every call on tensors in order; no name or order of modules matters, only what is computed."""

    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._made: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no id is given twice

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if isinstance(result, Tensor):
            name = getattr(function, "__name__", "")
            step = Step(name, sorted({self._made[id(x)] for x in _tensors((args, kwargs)) if id(x) in self._made}))
            if name in ("conv2d", "linear"):
                step.weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
                step.window = max(step.weight.shape[2:]) if name == "conv2d" else 1
            values = [*args[2:], *kwargs.values()]
            if name == "conv2d":
                step.stride = _pair(kwargs.get("stride", args[3] if len(args) > 3 else 1))
            elif "max_pool2d" in name:
                size = kwargs.get("kernel_size", args[1] if len(args) > 1 else values[0])
                step.window = max(_pair(size))
            self.steps.append(step)
            self._made[id(result)] = len(self.steps) - 1
            self._kept.append(result)
        return result


def _pair(value) -> tuple[int, int]:
    return (
        (value, value)
        if isinstance(value, int)
        else tuple(value) * (3 - len(tuple(value)))
        if len(value) < 2
        else tuple(value)
    )


def _tensors(value) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [found for part in parts for found in _tensors(part)]


def steps_of(net: nn.Module, X: Tensor) -> tuple[list[Step], Tensor]:
    """Return what `net` does with X, and what comes out."""
    record = Steps()
    with torch.no_grad(), record:
        Y = net(X)
    return record.steps, Y


def redrawn(net: nn.Module, seed: int = 0) -> nn.Module:
    """Draw all parameters of `net` anew, so large that each of them shows in what comes out. Returns net."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=random) * (2 / fan_in) ** 0.5)
    return net


def vgg_like(X: Tensor, weights: list[tuple[Tensor, Tensor]], strides: list[int], pool: bool) -> Tensor:
    """Return what 3x3 convolutions with padding 1, each with a ReLU, make of X, and a pooling after them."""
    for (weight, bias), stride in zip(weights, strides):
        X = F.relu(F.conv2d(X, weight, bias, stride, padding=1))
    return F.max_pool2d(X, 2) if pool else X
