"""What the rooms of data are given: checked, and brought to one kind."""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2lcnn._words import described


def listed(items: Iterable[str], room: int) -> str:
    """The first of `items` that fit in `room` characters, one at least, and how many more there are."""
    items = [
        item if len(item) <= room else f"{item[: room // 2 - 2]}...{item[len(item) - room // 2 + 2 :]}"
        for item in items
    ]
    shown = [item for k, item in enumerate(items) if k == 0 or len(", ".join(items[: k + 1])) <= room]
    more = f" and {len(items) - len(shown):,} more" if len(shown) < len(items) else ""
    return ", ".join(shown) + more


def check_int(name: str, value: Any, low: int) -> int:
    """`value` as an int; raises TypeError for what is no integer, and ValueError for one below `low`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {described(value)}")
    if not low <= number < 2**63:
        raise ValueError(f"{name} must be at least {low} and below 2**63, got {described(number)}")
    return number


def check_index(name: str, value: Any, length: int) -> Tensor:
    """`value`, a 1-D tensor, array, list or range of numbers in [0, length), as an int64 tensor on the CPU."""
    found = _array(value)
    if found is not None and found.size == 0 and not isinstance(value, (Tensor, np.ndarray)):
        found = found.astype(np.int64)
    if found is None or found.dtype.kind not in "iu" or found.ndim != 1:
        raise TypeError(f"{name} must be whole numbers in 1-D, got {described(value)}")
    if len(found) and not 0 <= found.min() <= found.max() < length:
        raise ValueError(f"{name} must hold numbers in [0, {length}), got {found.min()} to {found.max()}")
    return torch.from_numpy(found.astype(np.int64))


def check_statistics(name: str, value: Any, channels: int) -> tuple[float, ...]:
    """`value` as the `mean` or `std` of each channel."""
    found = _array(value)
    if found is None or found.dtype.kind not in "fiu" or found.shape != (channels,):
        raise ValueError(f"{name} must hold one number for each of {channels} channels, got {described(value)}")
    numbers = tuple(found.astype(np.float64).tolist())
    # So written, NaN is outside.
    if not all(0 <= number <= 1 and (number > 0 or name == "mean") for number in numbers):
        allowed = "[0, 1]" if name == "mean" else "(0, 1]"
        raise ValueError(
            f"{name} must lie in {allowed}, for it is of pixels in [0, 1], got {described(numbers)}; "
            "divide what is of pixels 0 to 255 by 255"
        )
    return numbers


def check_classes(classes: Any) -> tuple[str, ...]:
    """`classes` as a tuple of names, all different."""
    names = classes.tolist() if isinstance(classes, np.ndarray) else classes
    if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        remedy = "; sorted(d, key=d.get) makes one of a dict d of labels" if isinstance(classes, dict) else ""
        raise TypeError(
            f"classes must be a list of names in the order of their labels, got {described(classes)}{remedy}"
        )
    if len(set(names)) < len(names):
        twice = listed([repr(name) for name in dict.fromkeys(names) if names.count(name) > 1], 100)
        raise ValueError(f"classes must differ in their names, got more than once: {twice}")
    return tuple(map(str, names))


def check_images(images: Any, labels: Any, num_classes: int) -> None:
    """Raise TypeError or ValueError unless `images` and `labels` are such as an ImageData takes."""
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor, got {described(value)}; torch.as_tensor makes one of an array")
    if images.dtype != torch.uint8:
        remedy = "(images * 255).round().to(torch.uint8) makes such of values in [0, 1]"
        if not images.is_floating_point():
            remedy = "images.to(torch.uint8) makes such of integers in 0 to 255"
        raise TypeError(f"images must be uint8 with values 0 to 255, got {images.dtype}; {remedy}")
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] not in (1, 3) or 0 in shape:
        remedy = ""
        if images.ndim == 3:
            remedy = "; images.unsqueeze(1) gives grey images their channel"
        elif images.ndim == 4 and shape[3] in (1, 3):
            remedy = "; images.permute(0, 3, 1, 2) brings the channels forward"
        elif images.ndim == 4 and shape[1] == 4:
            remedy = "; images[:, :3] leaves transparency out"
        raise ValueError(f"images must be of shape (N, 1 or 3, H, W), none of them 0, got {shape}{remedy}")
    if labels.dtype not in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        raise TypeError(f"labels must be integers, got {labels.dtype}; labels.long() makes such of whole numbers")
    if labels.ndim != 1 or len(labels) != len(images):
        remedy = ""
        if labels.ndim == 2 and len(labels) == len(images):
            remedy = "; labels.squeeze(1)" if labels.shape[1] == 1 else "; labels.argmax(1) makes such of one-hot rows"
        raise ValueError(
            "labels must be of shape (N,), one for each image, "
            f"got labels {tuple(labels.shape)} for images {shape}{remedy}"
        )
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(f"labels must lie in [0, {num_classes}), one of {num_classes} classes, got {low} to {high}")


def _array(value: Any) -> np.ndarray | None:
    """`value`, a tensor, an array or a sequence, as an array; None for anything else."""
    if not isinstance(value, (Tensor, np.ndarray, Sequence)) or isinstance(value, (str, bytes)):
        return None
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            # NumPy knows no bfloat16.
            value = value.double() if value.is_floating_point() else value
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
