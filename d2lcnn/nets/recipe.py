"""How a network is trained: a recipe per network and variant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run besides the network, the data and the seed.

    `input_size` is the height and width of the images in pixels, `lr` the peak of the schedule, `flip` whether images
    are mirrored at random, `precision` one of "auto", "fp32", "bf16", "fp16".

    Raises ValueError where a number is out of its range.
    """

    input_size: int
    epochs: int
    lr: float
    batch_size: int = 128
    weight_decay: float = 0.0
    flip: bool = False
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("input_size", "epochs", "batch_size", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")

    @property
    def training(self) -> dict[str, Any]:
        """The keyword arguments of `fit`."""
        names = ("epochs", "lr", "weight_decay", "precision")
        return {name: getattr(self, name) for name in names}

    @property
    def augment(self) -> dict[str, Any] | None:
        """The keyword arguments of `Augment`, or None where the images stay as they are."""
        return {"flip": True, "shift": 0} if self.flip else None


PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Variant:
    """One size of a network: how it is built and the recipe that trains it.

    `build` takes num_classes, in_channels and, where `sized`, input_size in pixels.
    """

    build: Callable[..., nn.Module]
    recipe: Recipe
    sized: bool = True
