"""A folder that holds a folder of pictures for each class, read into one tensor."""

import os
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.data import pictures
from d2lcnn.data.arguments import check_classes, listed

# Those of torchvision's ImageFolder, and others, read by Pillow or not, which would else be missing in silence.
SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
SUFFIXES += (".jfif", ".gif", ".avif", ".heic", ".heif")
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


def find(path: str | os.PathLike) -> tuple[tuple[str, ...], list[Path], Tensor]:
    """The names of the classes in a folder, the pictures' paths, and their labels, in one order on every file system.

    Links are followed, but into no folder a second time. Raises OSError for no such folder, and ValueError for one
    that holds no pictures by classes.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the path of a folder, got {described(path)}")
    root, name = Path(path), pictures.name_of(path)
    if not root.is_dir():
        error = NotADirectoryError if root.exists() else FileNotFoundError
        raise error(f"path must be a folder, but {name} is {'no folder' if root.exists() else 'not there'}")
    entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    folders = sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: _readable(entry.name))
    classes = check_classes([_readable(folder.name) for folder in folders])
    if classes and {name.lower() for name in classes} <= _SPLITS:
        raise ValueError(f"{name} holds splits, not classes: give one of its folders, such as {classes[0]!r}")
    if len(classes) < 2:
        found = f"got one, {described(classes[0])}" if classes else "got none"
        if not classes and (beside := sum(_is_picture(entry.name) for entry in entries)):
            found = f"got {beside:,} pictures beside one another; put those of each class into a folder of its own"
        raise ValueError(f"path must hold a folder for each of two classes or more, but {name} does not: {found}")
    # A link to what is above would give each class the pictures of all.
    above = {str(folder) for folder in (root.resolve(), *root.resolve().parents)}
    of_class = [_pictures(folder, set(above)) for folder in folders]
    if empty := [described(name) for name, found in zip(classes, of_class) if not found]:
        raise ValueError(
            f"no pictures of {listed(empty, 80)} in {listed([name], 60)}: leave out such folders; "
            f"read are {', '.join(suffix[1:] for suffix in SUFFIXES)}"
        )
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor([len(found) for found in of_class]))
    return classes, [picture for found in of_class for picture in found], labels


def read(paths: Sequence[Path], size: int, channels: int, *, skip_damaged: bool) -> tuple[Tensor, Tensor]:
    """The pictures, (N, C, size, size) uint8, and which of `paths` they are, (N,) int64.

    Raises ValueError for one that cannot be read; with `skip_damaged` warns of such, and leaves them out.
    """
    from tqdm import tqdm

    images = torch.from_numpy(np.empty((len(paths), channels, size, size), np.uint8))
    kept: list[int] = []
    damaged: list[str] = []
    for number, path in enumerate(tqdm(paths, unit="picture", leave=False, mininterval=0.5, delay=1)):
        try:
            images[len(kept)] = pictures.read(path, (size, size), channels)
            kept.append(number)
        except (OSError, ValueError) as error:
            if not skip_damaged:
                raise ValueError(f"{error}; skip_damaged=True leaves out what cannot be read") from error
            damaged.append(repr("/".join(path.parts[-2:])))
    if damaged:
        few = listed(damaged, 150)
        warnings.warn(
            f"left out {len(damaged):,} of {len(paths):,} pictures, which cannot be read: {few}", stacklevel=3
        )
    return images[: len(kept)], torch.tensor(kept, dtype=torch.int64)


def _pictures(folder: Path, seen: set[str]) -> list[Path]:
    """The pictures in and below `folder`, leaving out folders in `seen`, which grows."""
    found = []
    for inside, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(inside)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_readable)
        below = _readable(Path(inside).relative_to(folder).as_posix())
        found += [(below, _readable(name), Path(inside, name)) for name in files if _is_picture(name)]
    return [path for _, _, path in sorted(found)]


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _readable(name: str) -> str:
    """`name` as it can be printed anywhere, the same where file systems spell its accents in different ways."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode(errors="backslashreplace"))


def _raise(error: OSError) -> None:
    raise error
