"""The arguments of `fit` and `evaluate`, before anything is computed."""

import math
import os
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from d2lcnn._words import described
from d2lcnn.training.batches import knows_epochs
from d2lcnn.training.machine import Machine


def check_net(net: Any) -> None:
    """Raise TypeError unless `net` is a module."""
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {described(net)}{_called(net)}")


def check_source(name: str, source: Any) -> None:
    """Raise TypeError unless `source` can be iterated over as batches."""
    if not hasattr(source, "__iter__") or isinstance(source, (str, bytes, dict, torch.Tensor, nn.Module)):
        raise TypeError(f"{name} must be batches (X, y), got {described(source)}{_called(source)}")


def _called(value: Any) -> str:
    return ", not yet called: put parentheses behind it" if callable(value) and hasattr(value, "__name__") else ""


def check_arguments(
    net: Any,
    train: Any,
    val: Any,
    epochs: Any,
    lr: Any,
    weight_decay: Any,
    optimizer: Any,
    schedule: Any,
    seed: Any,
    checkpoint: Any,
) -> None:
    """Raise TypeError or ValueError for what can be seen wrong in the arguments of `fit`."""
    check_net(net)
    for name, data in (("train", train), ("val", val)):
        if data is None and name == "val":
            continue
        if isinstance(data, Iterator):
            raise TypeError(
                f"{name} must give its batches anew each epoch, but a {type(data).__name__} does so only once"
            )
        check_source(name, data)
        if not hasattr(data, "__len__"):
            raise TypeError(f"{name} must be a sized collection of batches (X, y), got {described(data)}")
        try:
            length = len(data)
        except TypeError as error:  # a DataLoader of a stream
            raise TypeError(f"{name} must know how many batches it holds, but: {error}") from error
        if length == 0:
            raise ValueError(f"{name} must hold at least one batch, got none")
    if not isinstance(epochs, Integral) or isinstance(epochs, bool) or epochs < 1:
        raise ValueError(f"epochs must be a whole number above 0, got {described(epochs)}")
    if (lr is None) == (optimizer is None):
        got = f"lr={described(lr)} and optimizer={described(optimizer)}"
        raise ValueError(f"give either lr or an optimizer, which has its own, got {got}")
    if lr is not None and not (isinstance(lr, Real) and 0 < float(lr) < math.inf):
        raise ValueError(f"lr must be a number above 0, got {described(lr)}")
    if not isinstance(weight_decay, Real) or not 0 <= float(weight_decay) < math.inf:
        raise ValueError(f"weight_decay must be a number of at least 0, got {described(weight_decay)}")
    if not isinstance(seed, Integral):
        raise TypeError(f"seed must be a whole number, got {described(seed)}")
    _check_optimizer(net, optimizer)
    _check_schedule(schedule, optimizer)
    if checkpoint is not None:
        _check_checkpoint(checkpoint, train)


def _check_optimizer(net: nn.Module, optimizer: Any) -> None:
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be one of torch.optim's, got {described(optimizer)}")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError("optimizer must make a step from one gradient; an LBFGS asks for several")
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError("net must have parameters that require gradients, got none")
    own = {id(p) for p in net.parameters()}
    if optimizer is not None and not all(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("optimizer must be of this net's parameters, got others")


def _check_schedule(schedule: Any, optimizer: torch.optim.Optimizer | None) -> None:
    if isinstance(schedule, LRScheduler) and not isinstance(schedule, ReduceLROnPlateau):
        if schedule.optimizer is not optimizer:
            raise ValueError("schedule must be of the optimizer given, got another's")
    elif schedule not in ("one-cycle", None):
        got = described(schedule)
        raise ValueError(f'schedule must be "one-cycle", None or a scheduler that steps without a metric, got {got}')


def _check_checkpoint(checkpoint: Any, train: Iterable) -> None:
    if not isinstance(checkpoint, (str, os.PathLike)):
        raise TypeError(f"checkpoint must be the path of a file, got {described(checkpoint)}")
    if not knows_epochs(train):
        kind = type(train).__name__
        raise ValueError(f"checkpoint needs batches of an ImageData: a {kind} cannot say where in its order it is")
    path = Path(checkpoint).absolute()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        got = described(os.fspath(checkpoint))
        raise ValueError(f"checkpoint must be a file in a folder that is there and can be written to, got {got}")


def check_shareable(machine: Machine, *sources: Iterable | None) -> None:
    """Raise ValueError where several processes cannot each take their share of the batches."""
    if machine.world_size > 1 and not all(knows_epochs(data) for data in sources if data is not None):
        raise ValueError(
            "train and val must be batches of an ImageData, for other batches cannot be shared by processes"
        )
