"""Pictures, in files or in memory, made into the batches that a net is used on."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.data.arguments import check_int, check_statistics, listed

_ALLOWED = (
    "a path, a PIL image, a uint8 array or tensor (H, W) or (1 or 3, H, W), an array (H, W, 3), or a list of such"
)


@dataclass(frozen=True)
class Preparation:
    """How pictures become a batch: what a net must be saved with, besides its weights, to be used on pictures.

    A picture is turned as its EXIF says, laid on white where transparent, made grey (`channels` 1) or RGB (3), scaled
    until it just covers `stored`, (height, width) in pixels, cropped to its centre, normalised by `mean` and `std` (per
    channel, of pixels in [0, 1]) and resized to `size`, (height, width), by default `stored` too: as an `ImageData`
    whose images are of `stored` makes batches of `size`. Raises TypeError or ValueError for any other field.
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stored: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        stored = self.size if self.stored is None else self.stored
        fields: dict[str, Any] = {"size": _check_size("size", self.size), "stored": _check_size("stored", stored)}
        fields["channels"] = check_channels(self.channels)
        for name in ("mean", "std"):
            fields[name] = check_statistics(name, getattr(self, name), fields["channels"])
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __call__(self, pictures: Any, *, invert: bool = False) -> Tensor:
        """The batch, (N, C, H, W) float32 on the CPU, of one picture or a list of pictures.

        Each is a path, a PIL image, a uint8 array or tensor (H, W) or (1 or 3, H, W), or an array (H, W, 3); pictures
        may also be one array or tensor of four axes. `invert` makes black of white and white of black, as a net
        trained on white things on black, such as those of Fashion-MNIST, needs it for dark ones on white. Raises
        TypeError or ValueError for anything else, and OSError where there is no such file.
        """
        if not isinstance(pictures, (list, tuple)):
            many = isinstance(pictures, (np.ndarray, Tensor)) and pictures.ndim == 4
            pictures = list(pictures) if many else [pictures]
        if not pictures:
            raise ValueError("pictures must hold at least one, got none")
        X = torch.stack([_pixels(picture, self.stored or self.size, self.channels) for picture in pictures])
        return self.on("cpu")(255 - X if invert else X)

    def on(self, device: torch.device | str) -> Callable[[Tensor], Tensor]:
        """What makes float32 batches of `size` of uint8 ones of `stored`, (N, C, H, W) on `device`."""
        mean, std = (
            torch.tensor(v, device=device, dtype=torch.float32).view(1, -1, 1, 1) for v in (self.mean, self.std)
        )
        scale, offset = 1 / (255 * std), -mean / std

        def normalised(X: Tensor) -> Tensor:
            X = X.float().mul_(scale).add_(offset)
            # Interpolation weights add up to 1, so normalising first gives the same, on far fewer pixels.
            if self.size != self.stored:
                shrinks = any(new < old for new, old in zip(self.size, self.stored or self.size))
                X = F.interpolate(X, size=self.size, mode="bilinear", antialias=shrinks)
            return X

        return normalised


def check_channels(channels: Any) -> int:
    """`channels`; raises TypeError or ValueError unless it is 1 or 3."""
    if check_int("channels", channels, 1) not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels}")
    return int(channels)


def read(path: str | os.PathLike, size: tuple[int, int], channels: int) -> Tensor:
    """The picture in a file, (C, H, W) uint8 of `size`; raises ValueError for one that cannot be read."""
    from PIL import Image

    if os.path.isdir(path):  # noqa: PTH112, which raises for no name that is too long
        raise IsADirectoryError(f"a picture must be a file, but {name_of(path)} is a folder")
    if not os.path.isfile(path):  # noqa: PTH113
        raise FileNotFoundError(f"a picture must be a file, but there is none at {name_of(path)}")
    try:
        # What Pillow warns of is metadata, and sizes that are looked at below.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            # A large JPEG comes at a half, a quarter or an eighth of its size, yet twice as large as needed.
            image.draft(None, (2 * max(size),) * 2)
            pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
            if limit and pixels > limit:
                raise ValueError(f"{pixels:,} pixels, above PIL.Image.MAX_IMAGE_PIXELS")
            return _fitted(image, size, channels)
    except Exception as error:  # a damaged file may raise anything
        unknown = isinstance(error, Image.UnidentifiedImageError)
        reason = "no format that Pillow reads" if unknown else listed([str(error) or type(error).__name__], 80)
        raise ValueError(f"{name_of(path)} cannot be read as a picture: {reason}") from error


def name_of(path: str | os.PathLike) -> str:
    """`path` in quotes, in 120 characters at most."""
    return listed([repr(os.fspath(path))], 120)


def _check_size(name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (height, width) in pixels, got {described(value)}")
    height, width = (check_int(f"each of {name}", side, 1) for side in value)
    return height, width


def _pixels(picture: Any, size: tuple[int, int], channels: int) -> Tensor:
    from PIL import Image

    if isinstance(picture, (str, os.PathLike)):
        return read(picture, size, channels)
    if isinstance(picture, (np.ndarray, Tensor)):
        picture = Image.fromarray(_array(picture))
    elif not isinstance(picture, Image.Image):
        raise TypeError(f"a picture must be {_ALLOWED}, got {described(picture)}")
    return _fitted(picture, size, channels)


def _array(picture: np.ndarray | Tensor) -> np.ndarray:
    """The picture as (H, W) or (H, W, 3)."""
    shape, got = tuple(picture.shape), described(picture)
    if str(picture.dtype).removeprefix("torch.") != "uint8":
        remedy = "multiply values in [0, 1] by 255 and round them"
        raise TypeError(f"a picture must be uint8 with values 0 to 255, got {got}; {remedy}")
    first, last = (shape[0] in (1, 3), shape[-1] in (1, 3)) if len(shape) == 3 else (False, False)
    if first and last and isinstance(picture, np.ndarray):
        raise ValueError(f"a picture may have its channels first or last, here it could be either: {got}")
    values = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else picture
    if first:
        values = values.transpose(1, 2, 0)
    if 0 in shape or not (len(shape) == 2 or first or (last and isinstance(picture, np.ndarray))):
        remedy = "; picture.permute(2, 0, 1) brings its channels forward" if last else ""
        raise ValueError(f"a picture must be {_ALLOWED}, got {got}{remedy}")
    return np.ascontiguousarray(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)


def _fitted(image: Any, size: tuple[int, int], channels: int) -> Tensor:
    """The PIL image upright, in colours or grey, scaled and cropped: (C, H, W) uint8."""
    from PIL import Image, ImageOps

    if 0 in image.size:
        raise ValueError(f"a picture must have pixels, got a PIL image of {image.width}x{image.height}")
    form = image.format
    image = ImageOps.exif_transpose(image)
    # PNG and PGM hold 16 bits at most, which some versions of Pillow put into 32; conversion would make them white.
    if image.mode.startswith("I;16") or (image.mode == "I" and form in ("PNG", "PPM")):
        image = Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f'a picture must have 8 or 16 bits a channel, got the mode "{image.mode}", of no known range')
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        # Each premultiplied mode converts to its own twin alone.
        image = image.convert({"RGBa": "RGBA", "La": "LA"}.get(image.mode, image.mode)).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white
    image = image.convert("L" if channels == 1 else "RGB")
    image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).view(*size, channels).permute(2, 0, 1).contiguous()
