"""Batches (X, y) as a run takes them: checked, and brought to the device."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.training.machine import Machine


def knows_epochs(source: Iterable) -> bool:
    """Whether `source` is batches of an ImageData, or does as these do."""
    return callable(getattr(source, "epoch", None))


def batches(source: Iterable, machine: Machine, epoch: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of the batches of `source`."""
    # Not on mps, which may read a batch after it is gone.
    ahead = {"non_blocking": machine.device.type == "cuda"}
    for batch in source.epoch(epoch, machine.rank, machine.world_size) if knows_epochs(source) else source:
        X, y = check_batch(batch, machine.classes)
        yield X.to(machine.device, machine.dtype, **ahead), y.to(machine.device, torch.int64, **ahead)


def smallest_batch(source: Iterable, machine: Machine) -> int | None:
    """The number of examples in the smallest batch that a process gets of `source`, None where it is not known."""
    loader = source if isinstance(source, torch.utils.data.DataLoader) else None
    if loader is not None and (loader.batch_size is None or not hasattr(loader.dataset, "__len__")):
        return None
    if knows_epochs(source) or loader is not None:
        number = source.num_examples if loader is None else len(loader.sampler)
        size = source.batch_size
        last = 0 if loader is not None and loader.drop_last else number % size
        # A process whose share is empty takes part with one example.
        return max(1, (last or size) // machine.world_size)
    return min(len(y) for _, y in source) if isinstance(source, Sequence) else None


def advice(source: Iterable, machine: Machine, epoch: int = 0) -> str:
    """What to do about a loss that is not finite: mend the data where these are not, or else learn more slowly."""
    for step, (X, _) in enumerate(batches(source, machine, epoch), 1):
        if bad := int(X.numel() - X.isfinite().sum()):
            return f"X of batch {step} holds {bad:,} values that are nan or infinite: mend the data first"
    return "a smaller lr often helps"


def check_batch(batch: Any, classes: int) -> tuple[Tensor, Tensor]:
    """The batch's X and y; raises TypeError or ValueError for what is no batch of so many classes (0: not known)."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        got = described(batch)
        if isinstance(batch, (tuple, list)):
            got = f"{type(batch).__name__} of {len(batch)}: {', '.join(type(part).__name__ for part in batch[:4])}"
        raise TypeError(f"a batch must be a pair of tensors (X, y), got {got}; torch.as_tensor makes tensors of arrays")
    X, y = batch
    if not X.is_floating_point() or X.ndim < 2:
        raise TypeError(f"X must be floating, of shape (N, ...), got {X.dtype} of shape {tuple(X.shape)}")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool or y.ndim != 1:
        raise TypeError(f"y must be integer class numbers, of shape (N,), got {y.dtype} of shape {tuple(y.shape)}")
    if len(X) != len(y):
        raise ValueError(f"X and y must be of the same length, got {len(X)} and {len(y)}")
    if classes:
        check_labels(y, classes)
    return X, y


def check_labels(y: Tensor, classes: int) -> None:
    """Raise ValueError for a label outside the classes."""
    # A GPU would have to be waited for; of labels that are there from the start, the first batch must do.
    if y.device.type != "cpu" or len(y) == 0:
        return
    low, high = (int(bound) for bound in y.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(f"y must lie in [0, {classes}), as the net has {classes} outputs, got {low} to {high}")
