"""What a net makes of a batch: the loss, and how many answers are right."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lcnn.training.batches import check_labels
from d2lcnn.training.machine import Machine


def score(net: nn.Module, X: Tensor, y: Tensor, machine: Machine) -> tuple[Tensor, Tensor]:
    """Summed loss and number of right answers, left on the device."""
    rows = len(y)
    if rows == 0:
        # A process whose share is empty must take part in the backward pass too, or the others wait for it.
        X, y = X.new_zeros(1, *X.shape[1:]), y.new_zeros(1)
    try:
        with machine.autocast():
            scores = net(machine.laid_out(X))
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"net must take X of shape {tuple(X.shape)}, but: {in_short(error)}") from error
    check_scores(scores, y, machine.classes)
    if not machine.classes:
        # On a GPU a label outside the classes would end the process.
        check_labels(y.cpu(), scores.shape[1])
    losses = F.cross_entropy(scores.to(machine.dtype), y, reduction="none")
    return losses[:rows].sum(), (scores.detach().argmax(1) == y)[:rows].sum()


def check_scores(scores: Any, y: Tensor, classes: int) -> None:
    """Raise ValueError unless `scores` holds a row an example and a column a class."""
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(y):
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"net must give scores of shape (N, classes), here ({len(y)}, classes), got {got}")
    if scores.shape[1] < classes:
        raise ValueError(f"net must have {classes} outputs, one a class, got {scores.shape[1]}")


def in_short(error: Exception) -> str:
    """An error's own words, cut where they grow long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 180 else f"{text[:177]}..."
