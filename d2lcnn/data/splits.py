"""The images of a data set in three splits, none of which misses a class in silence."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.data.arguments import check_index, listed
from d2lcnn.data.randomness import random_bits


def draw_splits(labels: Tensor, classes: Sequence[str], validation: Any, test: Any, seed: int) -> dict[str, Tensor]:
    """The numbers of the images of "train", "validation" and "test", each in order.

    `validation` and `test` are fractions, or the numbers themselves. Raises TypeError or ValueError for anything else,
    and ValueError where a fraction leaves no training image of a class; warns where a split has none of one.
    """
    everything = torch.arange(len(labels))
    order = everything[random_bits(everything, seed).argsort()]
    sizes = labels.bincount(minlength=len(classes))
    used = torch.zeros(len(labels), dtype=torch.bool)
    parts = {"validation": _part("validation", validation, len(labels)), "test": _part("test", test, len(labels))}
    splits = {}
    # Numbers first, and test before validation: a fraction is drawn from what is left.
    for name in sorted(("test", "validation"), key=lambda name: isinstance(parts[name], float)):
        index = parts[name]
        if isinstance(index, float):
            free = order[~used[order]]
            of_class = free[labels[free].argsort(stable=True)].split(_counts(labels[free], classes).tolist())
            index = torch.cat([drawn[: round(parts[name] * size)] for drawn, size in zip(of_class, sizes.tolist())])
        if used[index].any():
            raise ValueError("validation and test must not share images")
        used[index] = True
        splits[name] = index.sort().values
    splits = {"train": everything[~used], "validation": splits["validation"], "test": splits["test"]}
    fractions = {name: part for name, part in parts.items() if isinstance(part, float) and part > 0}
    _check_splits({name: _counts(labels[index], classes) for name, index in splits.items()}, classes, fractions)
    return splits


def _part(name: str, value: Any, length: int) -> float | Tensor:
    if isinstance(value, Real):
        if isinstance(value, bool) or not 0 <= float(value) < 1:
            raise ValueError(f"{name} must be a fraction in [0, 1) or the numbers of images, got {described(value)}")
        return float(value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise TypeError(f"{name} must be a fraction in [0, 1) or the numbers of images, got {described(value)}")
    index = check_index(name, value, length)
    if len(index.unique()) != len(index):
        raise ValueError(f"{name} must hold each number once, got {len(index) - len(index.unique())} repeated")
    return index


def _counts(labels: Tensor, classes: Sequence[str]) -> Tensor:
    return labels.bincount(minlength=len(classes))


def _check_splits(counts: dict[str, Tensor], classes: Sequence[str], fractions: dict[str, float]) -> None:
    sizes = torch.stack(list(counts.values())).sum(0)

    def named(absent: Tensor, room: int) -> str:
        numbers = absent.nonzero().flatten().tolist()
        return listed([f"{described(classes[c])} ({sizes[c]:,} in all)" for c in numbers], room)

    untrained = (sizes > 0) & (counts["train"] == 0)
    drawn = sum((counts[name] for name in fractions), torch.zeros_like(sizes))
    if (untrained & (drawn > 0)).any():
        asked = " and ".join(f"{name}={fraction:g}" for name, fraction in fractions.items())
        raise ValueError(
            f"{asked} would leave no images for training of {named(untrained & (drawn > 0), 120)}: "
            "make the fractions smaller, add images, or leave such classes out"
        )
    if not counts["train"].any():
        raise ValueError("validation and test leave no images for training")
    missing = defaultdict(list)
    for name in counts:
        absent = (sizes > 0) & (counts[name] == 0)
        if absent.any() and (name == "train" or name in fractions):
            missing[tuple(absent.tolist())].append(name)
    if missing:
        room = 120 // len(missing)
        found = [
            f"of {named(torch.tensor(absent), room)} in {' and '.join(names)}" for absent, names in missing.items()
        ]
        tail = "a class is trained on, or judged, only where it has images"
        warnings.warn(f"no image {'; none '.join(found)}: {tail}", stacklevel=4)
