"""Labelled images as uint8 tensors, their splits, and batches that are made whole on the device.

Everything random here is a hash of (seed, epoch, index of the example), never the state of a generator. So a run can be
resumed or spread over many processes and still see the same examples, augmented in the same way.
"""

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.data import folders
from d2lcnn.data.arguments import check_classes, check_images, check_index, check_int, check_statistics, listed
from d2lcnn.data.pictures import Preparation, check_channels
from d2lcnn.data.randomness import random_bits
from d2lcnn.data.splits import draw_splits

Device = torch.device | str | None

# What each example's random numbers of one epoch are for; room for more without changing what these draw.
_ORDER, _FLIP, _SHIFT_Y, _SHIFT_X, _BRIGHTNESS, _CONTRAST, _SATURATION = range(7)
_NUMBERS_PER_EXAMPLE = 16


@dataclass(frozen=True)
class Augment:
    """Random changes of training images, each example's own in each epoch.

    `flip`: mirror left and right with probability 1/2. `shift`: move by up to so many pixels of the original image
    along each axis, zeros moving in. `brightness`, `contrast`, `saturation` (colour only): each a number b in [0, 1],
    multiplying by a factor drawn from [1 - b, 1 + b]. Raises TypeError or ValueError for any other value.
    """

    flip: bool = True
    shift: int = 2
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.flip, bool):
            raise TypeError(f"flip must be True or False, got {described(self.flip)}")
        check_int("shift", self.shift, 0)
        for name in ("brightness", "contrast", "saturation"):
            value = getattr(self, name)
            if not isinstance(value, Real):
                raise TypeError(f"{name} must be a number between 0 and 1, got {described(value)}")
            if not 0 <= float(value) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {described(value)}")

    def __call__(self, X: Tensor, index: Tensor, *, seed: int, epoch: int) -> Tensor:
        """Augmented copy of `X`, (N, C, H, W) uint8, whose examples have the numbers `index`, (N,) int64."""
        purposes = torch.arange(_SATURATION + 1, device=index.device).view(-1, 1)
        bits = random_bits(index * _NUMBERS_PER_EXAMPLE + purposes, seed, epoch)
        # 24 bits fill a float32 exactly, so every device draws the same numbers.
        uniform = (bits >> 40 & 0xFFFFFF).float() / 2**24

        def factor(strength: float, purpose: int) -> Tensor:
            return (1 + strength * (2 * uniform[purpose] - 1)).view(-1, 1, 1, 1)

        if self.shift:
            # Every shifted crop is a view of the padded image; choosing one copies only that one.
            crops = F.pad(X, (self.shift,) * 4).unfold(2, X.shape[2], 1).unfold(3, X.shape[3], 1)
            dy, dx = (uniform[_SHIFT_Y : _SHIFT_X + 1] * (2 * self.shift + 1)).long()
            X = crops[torch.arange(len(X), device=X.device), :, dy, dx]
        if self.flip:
            X = torch.where((uniform[_FLIP] < 0.5).view(-1, 1, 1, 1), X.flip(3), X)
        if self.brightness or self.contrast or self.saturation:
            X = X.float()
            if self.brightness:
                X = (X * factor(self.brightness, _BRIGHTNESS)).clamp_(0, 255)
            if self.contrast:
                mean = _grey(X).mean((1, 2, 3), keepdim=True)
                X = torch.lerp(mean, X, factor(self.contrast, _CONTRAST)).clamp_(0, 255)
            if self.saturation:
                X = torch.lerp(_grey(X), X, factor(self.saturation, _SATURATION)).clamp_(0, 255)
            X = X.round_().to(torch.uint8)
        return X


class ImageData:
    """Labelled images in three splits: train, validation and test.

    `images`: (N, C, H, W) uint8 with C = 1 (grey) or 3 (colour); `labels`: (N,) integers in [0, number of classes);
    `classes`: the classes' names, in the order of the labels. `validation` and `test` are each a fraction of all
    images, taken evenly from every class in a way fixed by `seed`, or the numbers of the images, in a 1-D tensor, array
    or list; the rest is for training. `mean` and `std` normalise the batches: per channel, of pixels in [0, 1], by
    default those of the training split. Attributes: `images`, `labels`, `classes`, `mean`, `std`, and `splits`, the
    numbers of each split's images. Raises TypeError or ValueError that says what came and what is allowed, as where
    fractions leave no training image of a class; warns of classes that are too small to be in every split.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: Sequence[str],
        *,
        validation: float | Sequence[int] | Tensor = 0.1,
        test: float | Sequence[int] | Tensor = 0.1,
        seed: int = 0,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.classes = check_classes(classes)
        check_images(images, labels, len(self.classes))
        given = _check_statistics(mean, std, images.shape[1])
        self.images, self.labels = images.cpu().contiguous(), labels.cpu().long()
        self.splits = draw_splits(self.labels, self.classes, validation, test, check_int("seed", seed, 0))
        computed = (None, None) if None not in given else _statistics(self.images, self.splits["train"])
        self.mean, self.std = (own if own is not None else other for own, other in zip(given, computed))
        self._on_device = {torch.device("cpu"): (self.images, self.labels)}

    @classmethod
    def from_folder(
        cls,
        path: str | os.PathLike[str],
        *,
        size: int,
        channels: int = 3,
        validation: float | Sequence[int] | Tensor = 0.1,
        test: float | Sequence[int] | Tensor = 0.1,
        seed: int = 0,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        skip_damaged: bool = False,
    ) -> "ImageData":
        """The pictures of a folder that holds a folder for each class, named as it is: ``path/class/**/picture.jpg``.

        Classes are sorted by name; what is hidden, has no picture's suffix or lies beside the class folders is left
        out. A picture is turned as its EXIF says, laid on white where transparent, made RGB (`channels` 3) or grey (1),
        scaled until its shorter side is `size` pixels, and cropped to the square in its centre. Memory: the tensor of
        all, (N, channels, size, size) uint8, and one picture as it was. A picture that cannot be read, as it is damaged
        or has more pixels than Pillow allows, raises a ValueError that names it, or with `skip_damaged` is left out and
        named in a warning. Raises OSError for no such folder, ValueError for fewer than two classes or one without
        pictures; the other arguments are those of an ImageData.
        """
        size, seed, channels = check_int("size", size, 1), check_int("seed", seed, 0), check_channels(channels)
        classes, paths, labels = folders.find(path)
        # What can be seen wrong is refused before the pictures are read, which takes long.
        _check_statistics(mean, std, channels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            draw_splits(labels, classes, validation, test, seed)
        images, kept = folders.read(paths, size, channels, skip_damaged=skip_damaged)
        labels = labels[kept]
        if not labels.bincount(minlength=len(classes)).all():
            lost = [repr(classes[c]) for c in range(len(classes)) if c not in labels]
            raise ValueError(f"no picture can be read of {listed(lost, 150)}: mend or leave out such classes")
        return cls(images, labels, classes, validation=validation, test=test, seed=seed, mean=mean, std=std)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        splits = ", ".join(f"{len(index)} {name}" for name, index in self.splits.items())
        return f"ImageData({len(self)} images of {shape}, {len(self.classes)} classes: {splits})"

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """The uint8 images (N, C, H, W) and int64 labels (N,) of the split "train", "validation" or "test"."""
        index = self._index(name)
        return self.images[index], self.labels[index]

    def train(
        self,
        batch_size: int,
        *,
        size: int | None = None,
        device: Device = None,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> "Batches":
        """Training batches, in another order each epoch; `size`: height and width in pixels (None: as they are)."""
        return Batches(self, "train", batch_size, size=size, device=device, shuffle=True, seed=seed, augment=augment)

    def validation(self, batch_size: int = 1000, *, size: int | None = None, device: Device = None) -> "Batches":
        """Batches of the validation split, in order, never augmented."""
        return Batches(self, "validation", batch_size, size=size, device=device)

    def test(self, batch_size: int = 1000, *, size: int | None = None, device: Device = None) -> "Batches":
        """Batches of the test split, in order, never augmented."""
        return Batches(self, "test", batch_size, size=size, device=device)

    def preparation(self, size: int | None = None) -> Preparation:
        """What makes other pictures such batches as those of this data of `size`."""
        height, width = self.images.shape[2:]
        side = None if size is None else check_int("size", size, 1)
        wanted = (height, width) if side is None else (side, side)
        return Preparation(wanted, self.images.shape[1], self.mean, self.std, (height, width))

    def prepare(self, pictures: Any, size: int | None = None, *, invert: bool = False) -> Tensor:
        """The batch X, (N, C, H, W) float32, of other pictures: see `Preparation`, which makes it."""
        return self.preparation(size)(pictures, invert=invert)

    def show(self, examples: int | Sequence[int] = 16, *, split: str = "train", columns: int = 8) -> None:
        """Draw the first `examples` images of a split, or those at the given places in it, titled by their class."""
        index = self._index(split)
        if not len(index):
            raise ValueError(f"the {split} split holds no images: {self!r}")
        if hasattr(examples, "__len__"):
            index = index[check_index("examples", examples, len(index))]
        else:
            index = index[: check_int("examples", examples, 1)]
        from d2lcnn.figures import show_images

        show_images(self.images[index], [self.classes[y] for y in self.labels[index]], columns=columns)

    def _index(self, split: str) -> Tensor:
        if not isinstance(split, str) or split not in self.splits:
            raise ValueError(f"split must be one of {', '.join(self.splits)}, got {described(split)}")
        return self.splits[split]

    def _tensors(self, device: torch.device) -> tuple[Tensor, Tensor]:
        # Moved once and shared by all splits: as uint8, even a large data set takes little of a device's memory.
        if device not in self._on_device:
            self._on_device[device] = (self.images.to(device), self.labels.to(device))
        return self._on_device[device]


class Batches:
    """Batches `(X, y)` of one split: X (N, C, H, W) float32, normalised; y (N,) int64; both on `device`.

    Made by `ImageData.train`, `.validation` and `.test`. `len()` is the number of batches, the last one smaller where
    the batch size does not divide `num_examples`; iterating gives epoch 0. Attributes: `batch_size`, `num_examples`,
    `classes`, `num_classes`, `size`, `device`, `seed`, `augment`. Raises ValueError for an empty split, a batch size
    or size below 1.
    """

    def __init__(
        self,
        data: ImageData,
        split: str,
        batch_size: int,
        *,
        size: int | None = None,
        device: Device = None,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> None:
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.size = None if size is None else check_int("size", size, 1)
        self.seed = check_int("seed", seed, 0)
        if augment is not None and not isinstance(augment, Augment):
            raise TypeError(f"augment must be None or an Augment, such as d2lcnn.Augment(), got {described(augment)}")
        self._data, self._index, self._shuffle = data, data._index(split), shuffle
        if not len(self._index):
            raise ValueError(f"the {split} split holds no images: {data!r}")
        if augment is not None and augment.saturation and data.images.shape[1] != 3:
            raise ValueError(f"saturation={augment.saturation} needs 3 channels, got {data!r}")
        self.num_examples, self.augment = len(self._index), augment
        self.classes, self.num_classes = data.classes, len(data.classes)
        self.device = _device(device)

    def __len__(self) -> int:
        return -(-self.num_examples // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.epoch(0)

    def on(self, device: Device) -> "Batches":
        """The same batches on another device."""
        other = copy.copy(self)
        other.device = _device(device)
        return other

    def epoch(self, n: int, rank: int = 0, world_size: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of epoch `n`, whose order depends on `(seed, n)` alone.

        With `world_size` processes, the one of number `rank` gets its share of every batch: as even as possible,
        empty where a small last batch does not go round, so that all take the same number of steps. Raises ValueError
        for a negative epoch and a rank outside [0, world_size).
        """
        n, rank = check_int("epoch", n, 0), check_int("rank", rank, 0)
        world_size = check_int("world_size", world_size, 1)
        if rank >= world_size:
            raise ValueError(f"rank must be below world_size={world_size}, got {rank}")
        return self._epoch(n, rank, world_size)

    def _epoch(self, n: int, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self._data._tensors(self.device)
        normalised = self._data.preparation(self.size).on(self.device)
        order = self._index
        if self._shuffle:
            order = order[random_bits(order * _NUMBERS_PER_EXAMPLE + _ORDER, self.seed, n).argsort()]
        order = order.to(self.device)
        for start in range(0, self.num_examples, self.batch_size):
            index = order[start : start + self.batch_size][rank::world_size]
            X = images.index_select(0, index)
            if self.augment is not None:
                X = self.augment(X, index, seed=self.seed, epoch=n)
            yield normalised(X), labels.index_select(0, index)


def _device(device: Device) -> torch.device:
    try:
        device = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        allowed = 'a torch.device or its name, such as "cpu" or "cuda"'
        raise ValueError(f"device must be {allowed}, got {described(device)}") from None
    # "cuda" becomes "cuda:0", lest the images be moved there twice.
    return torch.empty(0, device=device).device


def _grey(X: Tensor) -> Tensor:
    if X.shape[1] == 1:
        return X
    return 0.299 * X[:, 0:1] + 0.587 * X[:, 1:2] + 0.114 * X[:, 2:3]


def _check_statistics(mean: Any, std: Any, channels: int) -> tuple[tuple[float, ...] | None, ...]:
    pairs = (("mean", mean), ("std", std))
    return tuple(None if value is None else check_statistics(name, value, channels) for name, value in pairs)


def _statistics(images: Tensor, index: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation of each channel of the images numbered `index`."""
    # Counts of the 256 values are exact where a float32 sum over millions of pixels is not.
    channels = images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for some in index.split(256):
        for c in range(channels):
            counts[c] += torch.bincount(images[some, c].flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for count in counts:
        share = count.double() / count.sum()
        mean = float((share * values).sum())
        means.append(mean)
        # A channel that never changes has no spread to divide by.
        stds.append(float((share * (values - mean) ** 2).sum().sqrt()) or 1.0)
    return tuple(means), tuple(stds)
