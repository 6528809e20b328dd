"""What a study is: one question, a few variants that differ in one thing, and a protocol that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from d2lcnn.data import ImageData
from d2lcnn.nets import Recipe


@dataclass(frozen=True)
class Protocol(Recipe):
    """A recipe and the pictures it trains on.

    `examples`: how many of the 55,000 training pictures, drawn anew by each seed, as many of each class as can be;
    `shift`: each is moved by up to so many pixels at random; `scrambled`: the pixels of all pictures, of training and
    of test, are put in another order, the same for all. Raises ValueError as a Recipe does.
    """

    examples: int = 55_000
    shift: int = 0
    scrambled: bool = False

    @property
    def augment(self) -> dict[str, Any] | None:
        """The keyword arguments of `Augment`, or None where the images stay as they are."""
        return {"flip": self.flip, "shift": self.shift} if self.flip or self.shift else None

    def prepare(self, data: ImageData, seed: int) -> ImageData:
        """The data that a run of this seed trains on and is tested by."""
        images, train = data.images, data.splits["train"]
        if self.scrambled:
            order = torch.randperm(images[0].numel(), generator=torch.Generator().manual_seed(0))
            images = images.flatten(1)[:, order].view_as(images)
        if self.examples < len(train):
            shuffled = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
            # By rank within its class, so that the first so many are as even as can be.
            labels = data.labels[shuffled]
            rank = torch.empty_like(labels)
            for c in range(len(data.classes)):
                rank[labels == c] = torch.arange(int((labels == c).sum()))
            train = shuffled[rank.argsort(stable=True)[: self.examples]]
        kept = torch.cat([train, data.splits["validation"], data.splits["test"]])
        n, m = len(train), len(data.splits["validation"])
        return ImageData(
            images[kept],
            data.labels[kept],
            data.classes,
            validation=torch.arange(n, n + m),
            test=torch.arange(n + m, len(kept)),
            mean=data.mean,
            std=data.std,
        )


@dataclass(frozen=True)
class Variant:
    """One of the ways that a study compares: the network is `build(**settings)`, trained as `protocol` says.

    `settings` are plain values and stand in the records beside the protocol.
    """

    build: Callable[..., nn.Module]
    protocol: Protocol
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides a run besides the seed, as it stands in a record, precision apart."""
        return asdict(self.protocol) | dict(self.settings)


@dataclass(frozen=True)
class Study:
    """A question, the variants that answer it, and about how many minutes 8 seeds take on two cores with bfloat16.

    `measure`, if any, takes (net, data, device) of a finished run and returns what else is to be recorded, numbers or
    lists of them by name.
    """

    name: str
    question: str
    variants: Mapping[str, Variant]
    minutes: int
    measure: Callable[[nn.Module, ImageData, torch.device], dict[str, Any]] | None = None
