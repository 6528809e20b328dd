"""Fashion-MNIST: 70,000 grey pictures of ten kinds of garments, from the four IDX files that ship with the package."""

import gzip
import hashlib
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from d2lcnn.data.images import ImageData

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

# Of the 55,000 training images' pixels in [0, 1]: written down to spare every start the computation.
MEAN, STD = 0.2860039882316563, 0.35302060767805465

SHA256 = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}


def FashionMNIST(root: str | PathLike[str] | None = None) -> ImageData:
    """Fashion-MNIST as `ImageData`: 28x28, one channel, 55,000 training, 5,000 validation and 10,000 test images.

    The validation images are 500 of each class, drawn once and for all from the original 60,000 training images; the
    test images are the original ones. `root` is a folder holding the same four files, by default the package's own.
    Raises FileNotFoundError for a missing file and OSError for one whose SHA-256 is not the expected one.
    """
    folder = Path(__file__).parent / "fashion_mnist" if root is None else Path(root)
    remedy = (
        "install d2lcnn anew to get it back"
        if root is None
        else "copy it anew, or call FashionMNIST() for the files that ship with d2lcnn"
    )
    train_images, train_labels, test_images, test_labels = (_read_idx(folder / name, remedy) for name in SHA256)
    images = torch.from_numpy(np.concatenate([train_images, test_images])).unsqueeze(1)
    labels = torch.from_numpy(np.concatenate([train_labels, test_labels])).long()
    test = torch.arange(len(train_labels), len(labels))
    return ImageData(images, labels, CLASSES, validation=5000 / 70000, test=test, mean=(MEAN,), std=(STD,))


def _read_idx(path: Path, remedy: str) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {remedy}")
    packed = path.read_bytes()
    digest = hashlib.sha256(packed).hexdigest()
    if digest != SHA256[path.name]:
        raise OSError(
            f"{path} is damaged or another file ({len(packed)} bytes, SHA-256 {digest[:8]}..., "
            f"expected {SHA256[path.name][:8]}...): {remedy}"
        )
    raw = gzip.decompress(packed)
    # IDX: two zero bytes, the type (8: uint8), the number of axes, each axis' length as a big-endian int32, the values.
    num_axes = raw[3]
    shape = np.frombuffer(raw, ">i4", num_axes, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * num_axes).reshape(shape)
