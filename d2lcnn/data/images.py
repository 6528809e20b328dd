"""Labelled images as uint8 tensors, their splits, and batches that are made whole on the device.

Everything random here is a hash of (seed, epoch, index of the example), never the state of a generator. So a run can be
resumed or spread over many processes and still see the same examples, augmented in the same way.
"""

import copy
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

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
        _check_int("shift", self.shift, 0)
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)!r}")

    def __call__(self, X: Tensor, index: Tensor, *, seed: int, epoch: int) -> Tensor:
        """Augmented copy of `X`, (N, C, H, W) uint8, whose examples have the numbers `index`, (N,) int64."""
        purposes = torch.arange(_SATURATION + 1, device=index.device).view(-1, 1)
        bits = _random_bits(index * _NUMBERS_PER_EXAMPLE + purposes, seed, epoch)
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
    `classes`: the classes' names. `validation` and `test` are each a fraction of all images, taken evenly from every
    class in a way fixed by `seed`, or the numbers of the images as a 1-D tensor; the rest is for training. `mean` and
    `std` normalise the batches: per channel, of pixels in [0, 1], by default those of the training split.
    Attributes: `images`, `labels`, `classes`, `mean`, `std`, and `splits`, the numbers of each split's images. Raises
    TypeError or ValueError that says what came and what is allowed.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: Sequence[str],
        *,
        validation: float | Tensor = 0.1,
        test: float | Tensor = 0.1,
        seed: int = 0,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        _check_images(images, labels, classes)
        _check_int("seed", seed, 0)
        self.images, self.labels, self.classes = images.cpu().contiguous(), labels.cpu().long(), tuple(classes)
        self.splits = _split(self.labels, len(self.classes), validation, test, seed)
        if mean is None or std is None:
            computed_mean, computed_std = _statistics(self.images[self.splits["train"]])
            mean, std = (computed_mean if mean is None else mean), (computed_std if std is None else std)
        for name, value in (("mean", mean), ("std", std)):
            if not hasattr(value, "__len__") or len(value) != images.shape[1]:
                raise ValueError(f"{name} must hold one number for each of {images.shape[1]} channels, got {value!r}")
        if not all(value > 0 for value in std):
            raise ValueError(f"std must be above 0 in every channel, got {std!r}")
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._on_device = {torch.device("cpu"): (self.images, self.labels)}

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

    def show(self, examples: int | Sequence[int] = 16, *, split: str = "train", columns: int = 8) -> None:
        """Draw the first `examples` images of a split, or those at the given places in it, titled by their class."""
        from d2lcnn.figures import show_images

        index = self._index(split)
        index = index[:examples] if isinstance(examples, int) else index[torch.as_tensor(examples)]
        show_images(self.images[index], [self.classes[y] for y in self.labels[index]], columns=columns)

    def _index(self, split: str) -> Tensor:
        if split not in self.splits:
            raise ValueError(f"split must be one of {', '.join(self.splits)}, got {split!r}")
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
        _check_int("batch_size", batch_size, 1)
        _check_int("seed", seed, 0)
        if size is not None:
            _check_int("size", size, 1)
        self._data, self._index, self._shuffle = data, data._index(split), shuffle
        if not len(self._index):
            raise ValueError(f"the {split} split holds no images: {data!r}")
        if augment is not None and augment.saturation and data.images.shape[1] != 3:
            raise ValueError(f"saturation={augment.saturation} needs 3 channels, got {data!r}")
        self.batch_size, self.num_examples = batch_size, len(self._index)
        self.classes, self.num_classes = data.classes, len(data.classes)
        self.size, self.seed, self.augment = size, int(seed), augment
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
        _check_int("epoch", n, 0)
        _check_int("world_size", world_size, 1)
        _check_int("rank", rank, 0)
        if rank >= world_size:
            raise ValueError(f"rank must be below world_size={world_size}, got {rank}")
        return self._epoch(n, rank, world_size)

    def _epoch(self, n: int, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self._data._tensors(self.device)
        mean, std = (torch.tensor(v, device=self.device).view(1, -1, 1, 1) for v in (self._data.mean, self._data.std))
        scale, offset = 1 / (255 * std), -mean / std
        order = self._index
        if self._shuffle:
            order = order[_random_bits(order * _NUMBERS_PER_EXAMPLE + _ORDER, self.seed, n).argsort()]
        order = order.to(self.device)
        for start in range(0, self.num_examples, self.batch_size):
            index = order[start : start + self.batch_size][rank::world_size]
            X = images.index_select(0, index)
            if self.augment is not None:
                X = self.augment(X, index, seed=self.seed, epoch=n)
            X = X.float().mul_(scale).add_(offset)
            # Interpolation weights add up to 1, so normalising first gives the same, on far fewer pixels.
            if self.size is not None and X.shape[2:] != (self.size, self.size):
                shrinks = self.size < max(X.shape[2:])
                X = F.interpolate(X, size=(self.size, self.size), mode="bilinear", antialias=shrinks)
            yield X, labels.index_select(0, index)


def _device(device: Device) -> torch.device:
    # "cuda" becomes "cuda:0", lest the images be moved there twice.
    return torch.empty(0, device=device or "cpu").device


def _grey(X: Tensor) -> Tensor:
    if X.shape[1] == 1:
        return X
    return 0.299 * X[:, 0:1] + 0.587 * X[:, 1:2] + 0.114 * X[:, 2:3]


def _statistics(images: Tensor) -> tuple[list[float], list[float]]:
    # Counts of the 256 values are exact where a float32 sum over millions of pixels is not.
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for c in range(images.shape[1]):
        share = torch.bincount(images[:, c].flatten(), minlength=256).double() / images[:, c].numel()
        mean = float((share * values).sum())
        means.append(mean)
        # A channel that never changes has no spread to divide by.
        stds.append(float((share * (values - mean) ** 2).sum().sqrt()) or 1.0)
    return means, stds


def _split(
    labels: Tensor, num_classes: int, validation: float | Tensor, test: float | Tensor, seed: int
) -> dict[str, Tensor]:
    everything = torch.arange(len(labels))
    order = everything[_random_bits(everything, seed).argsort()]
    used = torch.zeros(len(labels), dtype=torch.bool)
    splits = {}
    # Index tensors first: a fraction is drawn from what they leave.
    parts = sorted({"test": test, "validation": validation}.items(), key=lambda part: not isinstance(part[1], Tensor))
    for name, part in parts:
        if isinstance(part, Tensor):
            index = _check_index(name, part, len(labels))
        elif 0 <= part < 1:
            free = order[~used[order]]
            wanted = (round(part * int((labels == c).sum())) for c in range(num_classes))
            index = torch.cat([free[labels[free] == c][:count] for c, count in enumerate(wanted)])
        else:
            raise ValueError(f"{name} must be a fraction in [0, 1) or a tensor of image numbers, got {part!r}")
        if used[index].any():
            raise ValueError("validation and test must not share images")
        used[index] = True
        splits[name] = index.sort().values
    splits = {"train": everything[~used], "validation": splits["validation"], "test": splits["test"]}
    if not len(splits["train"]):
        raise ValueError(f"validation={validation!r} and test={test!r} leave no images for training")
    return splits


# splitmix64 (Steele, Lea and Flood, 2014), its constants as the int64 of the same bits: int64 arithmetic wraps around.
_GAMMA, _MIX1, _MIX2 = (c - 2**64 for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _mix(x: Tensor) -> Tensor:
    # The masks clear the copies of the sign bit that a right shift of an int64 brings in.
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * _MIX1
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * _MIX2
    return x ^ (x >> 31 & (1 << 33) - 1)


def _random_bits(index: Tensor, *keys: int) -> Tensor:
    """64 random bits for each number in `index`, int64; different numbers get different bits."""
    state = torch.tensor(0)
    for key in keys:
        state = _mix(state + key + _GAMMA)
    return _mix(index * _GAMMA + int(state))


def _check_int(name: str, value: int, low: int) -> None:
    try:
        operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not low <= value < 2**63:
        raise ValueError(f"{name} must be at least {low} and below 2**63, got {value}")


def _check_index(name: str, index: Tensor, length: int) -> Tensor:
    if index.dtype != torch.int64 or index.ndim != 1:
        raise TypeError(f"{name} must be 1-D int64, got {index.dtype} of shape {tuple(index.shape)}")
    index = index.cpu()
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < length:
        raise ValueError(f"{name} must hold numbers in [0, {length}), got {int(index.min())} to {int(index.max())}")
    if len(index.unique()) != len(index):
        raise ValueError(f"{name} must hold each number once, got {len(index) - len(index.unique())} repeated")
    return index


def _check_images(images: Tensor, labels: Tensor, classes: Sequence[str]) -> None:
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(value).__name__} (torch.as_tensor makes one of it)")
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8 with values 0 to 255, got {images.dtype}")
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images must be of shape (N, 1 or 3, H, W), none of them 0, got {tuple(images.shape)}")
    if labels.dtype not in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    if labels.ndim != 1 or len(labels) != len(images):
        raise ValueError(
            "labels must be of shape (N,), one for each image, "
            f"got labels {tuple(labels.shape)} for images {tuple(images.shape)}"
        )
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"classes must be a sequence of names, got {classes!r}")
    if not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise ValueError(
            f"labels must lie in [0, {len(classes)}), one of {len(classes)} classes, "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
