"""Trying a net out on its first batches, so that what cannot work is said before hours of training."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from d2lcnn._modes import tried_out
from d2lcnn.training.batches import batches, check_batch, smallest_batch
from d2lcnn.training.layout import copied, settled
from d2lcnn.training.machine import Machine
from d2lcnn.training.scores import check_scores, in_short


def try_out(net: nn.Module, machine: Machine, *, may_lower: bool, **sources: Iterable | None) -> Machine:
    """Try the first batch of each source; gives lazy layers their shapes, and the machine classes, layout, precision.

    Raises ValueError where the net cannot take them.
    """
    alone = replace(machine, rank=0, world_size=1)
    classes, examples = 0, []
    for name, source in sources.items():
        if source is None:
            continue
        X, y = next(iter(batches(source, alone)))
        if len(y) == 0:
            raise ValueError(f"{name} must hold examples, its first batch has none")
        examples.append(X[:2])
        try:
            with tried_out(net):
                scores = net(X[:2])
        except Exception as error:
            shape, reason = tuple(X.shape), in_short(error)
            raise ValueError(f"net must take X of shape {shape}, the first batch of {name}, but: {reason}") from error
        check_scores(scores, y[:2], getattr(source, "num_classes", 0))
        classes = scores.shape[1]
        check_batch((X, y.cpu()), classes)
    _check_single_image(net, examples[0][:1], sources["train"], machine)
    return replace(settled(net, machine, examples, trains=True, may_lower=may_lower), classes=classes)


def _check_single_image(net: nn.Module, X: torch.Tensor, train: Iterable, machine: Machine) -> None:
    """Raise ValueError where a batch will hold one image alone, of which the net needs several."""
    if smallest_batch(train, machine) != 1 or (trial := copied(net)) is None:
        return
    try:
        with torch.no_grad():
            trial.train()(X)
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            raise ValueError(
                "train must not hold a batch of a single image, which the net's batch normalisation cannot take in "
                "training; choose another batch size, or leave a last batch of one image out"
            ) from error
    except Exception:  # what else it may be, the training says
        return
