import gzip
import hashlib
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from d2lcnn.data import Augment, FashionMNIST, ImageData
from d2lcnn.data import fashion_mnist as fashion_module
from d2lcnn.data.images import _statistics
from d2lcnn.data.randomness import random_bits

FILES = Path(fashion_module.__file__).parent / "fashion_mnist"


@pytest.fixture(scope="module")
def fashion():
    return FashionMNIST()


def toy(n=103, channels=3, height=8, width=8, num_classes=4, **options):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=generator)
    # The first pixel of the first channel tells which image it is.
    images[:, 0, 0, 0] = torch.arange(n) % 256
    return ImageData(images, torch.arange(n) % num_classes, [f"class {c}" for c in range(num_classes)], **options)


def identities(data, X):
    """Numbers of the images in a batch, read back from the pixel that holds them."""
    return ((X[:, 0, 0, 0] * data.std[0] + data.mean[0]) * 255).round().int().tolist()


def digest(tensor):
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


# Fashion-MNIST


def test_pixels_and_labels_equal_the_files(fashion):
    def values(name, header):
        return np.frombuffer(gzip.decompress((FILES / name).read_bytes())[header:], np.uint8)

    images = np.concatenate([values(f"{part}-images-idx3-ubyte.gz", 16) for part in ("train", "t10k")])
    labels = np.concatenate([values(f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k")])
    assert np.array_equal(fashion.images.numpy(), images.reshape(70000, 1, 28, 28))
    assert np.array_equal(fashion.labels.numpy(), labels)
    assert fashion.images.dtype == torch.uint8 and fashion.labels.dtype == torch.int64
    names = "t-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot"
    assert fashion.classes == tuple(names.split(", "))
    assert len(fashion) == 70000 and "55000 train, 5000 validation, 10000 test" in repr(fashion)


def test_fashion_split_is_stratified_disjoint_and_fixed(fashion):
    assert {name: len(index) for name, index in fashion.splits.items()} == {
        "train": 55000,
        "validation": 5000,
        "test": 10000,
    }
    assert torch.cat(list(fashion.splits.values())).sort().values.equal(torch.arange(70000))
    assert fashion.splits["test"].equal(torch.arange(60000, 70000))
    assert fashion.split("validation")[1].bincount().tolist() == [500] * 10
    assert fashion.split("train")[1].bincount().tolist() == [5500] * 10
    # Pinned: recorded accuracies hold for this split only.
    assert digest(fashion.splits["validation"]) == "7ff350deb6288d1eb96ae0bc0890f78dce7dce7049dfb371f652e505cae763ac"


def test_fashion_order_is_pinned(fashion):
    labels = torch.cat([y for _, y in fashion.train(5000, seed=7).epoch(3)])
    assert digest(labels) == "e77ad13f5b5549adcb7318a9dfe4e617ebc26f0e8ea968393b897144e41767af"


def test_fashion_statistics_are_those_of_the_training_split(fashion):
    assert _statistics(fashion.images, fashion.splits["train"]) == ((fashion_module.MEAN,), (fashion_module.STD,))
    X = torch.cat([X for X, _ in fashion.train(5000)]).double()
    assert abs(X.mean()) < 1e-5 and abs(X.std() - 1) < 1e-5


@pytest.mark.parametrize("name", list(fashion_module.SHA256))
@pytest.mark.parametrize("harm", ["flipped", "truncated", "missing"])
def test_damaged_file_is_named_with_a_remedy(tmp_path, name, harm):
    for original in FILES.glob("*.gz"):
        (tmp_path / original.name).symlink_to(original)
    (tmp_path / name).unlink()
    content = bytearray((FILES / name).read_bytes())
    if harm == "flipped":
        content[len(content) // 2] ^= 1
    elif harm == "truncated":
        del content[-1]
    if harm != "missing":
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileNotFoundError if harm == "missing" else OSError) as error:
        FashionMNIST(tmp_path)
    assert str(tmp_path / name) in str(error.value) and "ship with d2lcnn" in str(error.value)


def test_another_folder(tmp_path, fashion):
    for original in FILES.glob("*.gz"):
        (tmp_path / original.name).symlink_to(original)
    assert FashionMNIST(str(tmp_path)).images.equal(fashion.images)


# Splits of any images


def test_fractions_are_stratified_and_fixed():
    data = toy(400, validation=0.1, test=0.2, seed=5)
    assert {name: data.labels[index].bincount().tolist() for name, index in data.splits.items()} == {
        "train": [70] * 4,
        "validation": [10] * 4,
        "test": [20] * 4,
    }
    assert torch.cat(list(data.splits.values())).sort().values.equal(torch.arange(400))
    again, other = toy(400, validation=0.1, test=0.2, seed=5), toy(400, validation=0.1, test=0.2, seed=6)
    assert all(data.splits[name].equal(again.splits[name]) for name in data.splits)
    assert not data.splits["test"].equal(other.splits["test"])


def test_explicit_splits():
    data = toy(20, validation=torch.tensor([3, 1]), test=torch.tensor([19]))
    assert data.splits["validation"].tolist() == [1, 3] and data.splits["test"].tolist() == [19]
    images, labels = data.split("validation")
    assert images.equal(data.images[[1, 3]]) and labels.tolist() == [1, 3]
    mixed = toy(20, validation=0.2, test=torch.arange(4))
    assert len(mixed.splits["validation"]) == 4 and min(mixed.splits["validation"]) >= 4


@pytest.mark.parametrize(
    "numbers", [[3, 1], (3, 1), np.array([3, 1], np.int32), torch.tensor([3, 1], dtype=torch.uint8), range(3, 0, -2)]
)
def test_explicit_splits_are_any_sequence_of_numbers(numbers):
    data = toy(20, validation=numbers, test=[])
    assert data.splits["validation"].tolist() == [1, 3] and not len(data.splits["test"])
    assert data.splits["validation"].dtype == torch.int64 and len(data.splits["train"]) == 18


def few(*sizes, names=None, **options):
    """So many images of each class."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    return ImageData(images, labels, names or [f"class {c}" for c in range(len(sizes))], **options)


@pytest.mark.parametrize(
    "sizes, options, lost",
    [
        (
            (50, 2),
            {"validation": 0.3, "test": 0.3},
            "validation=0.3 and test=0.3 would leave .*'class 1' .2 in all.: make",
        ),
        ((50, 1), {"validation": 0.6, "test": 0}, "validation=0.6 would leave .*'class 1' .1 in all.: make"),
        ((2, 50, 2), {"validation": 0.3, "test": 0.3}, "'class 0' .2 in all., 'class 2' .2 in all."),
        # A fraction takes the last one that the numbers left.
        ((50, 2), {"validation": 0.5, "test": [50]}, "validation=0.5 would leave .*'class 1'"),
        ((2,) * 1000, {"validation": 0.3, "test": 0.3}, "'class 0' .* and 99. more: make"),
    ],
)
def test_fractions_leave_training_images_of_every_class(sizes, options, lost):
    with pytest.raises(ValueError, match=f"no images for training of.*{lost}|{lost}") as error:
        few(*sizes, **options)
    assert "no images for training of 'class" in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "sizes, options, missing",
    [
        ((50, 5), {}, "no image of 'class 1' (5 in all) in validation and test:"),
        ((50, 5), {"test": 0}, "no image of 'class 1' (5 in all) in validation:"),
        ((50, 5), {"test": 0.2}, "no image of 'class 1' (5 in all) in validation:"),
        ((50, 5, 3), {"test": 0.2, "validation": 0.1}, "'class 1' (5 in all), 'class 2' (3 in all) in validation:"),
        ((50, 5, 2), {"test": 0.2, "validation": 0.1}, "in validation; none of 'class 2' (2 in all) in test:"),
        ((50, 3, 0, 2), {}, "'class 1' (3 in all), 'class 3' (2 in all) in validation and test:"),
        # The caller's own choice, but nothing will be learned of it.
        ((50, 2), {"validation": [0, 50], "test": [1, 51]}, "no image of 'class 1' (2 in all) in train:"),
        ((50, 2), {"validation": 0, "test": [50, 51]}, "no image of 'class 1' (2 in all) in train:"),
        ((50, 2), {"validation": 0.1, "test": [50, 51]}, "no image of 'class 1' (2 in all) in train and validation:"),
    ],
)
def test_a_split_without_a_class_is_warned_of(sizes, options, missing):
    with pytest.warns(UserWarning) as caught:
        few(*sizes, **options)
    assert len(caught) == 1 and missing in str(caught[0].message) and caught[0].filename == __file__


@pytest.mark.parametrize(
    "sizes, options",
    [
        ((10, 10), {}),
        ((50, 2), {"validation": 0, "test": 0}),
        ((50, 2), {"validation": [0], "test": [1]}),
        ((50, 10, 0), {}),
        ((3, 3), {"validation": 0.3, "test": 0.3}),
    ],
)
def test_nothing_is_said_where_no_class_is_missing(sizes, options, recwarn):
    data = few(*sizes, **options)
    assert not recwarn.list and data.split("train")[1].unique().tolist() == [c for c, n in enumerate(sizes) if n]


def test_a_warning_of_many_classes_is_short():
    names = [f"a class whose name is longer than anyone would think, {c}" for c in range(300)]
    sizes = [4] * 100 + [2] * 100 + [1] * 100
    with pytest.warns(
        UserWarning, match=r"\.\.\..* and 299 more in validation; none of .* and 199 more in test"
    ) as caught:
        few(*sizes, names=names, validation=0.1, test=0.2)
    assert len(str(caught[0].message)) < 300


def test_random_splits_are_stratified_or_refused():
    for trial in range(200):
        generator = torch.Generator().manual_seed(trial)
        sizes = torch.randint(0, 12, (4,), generator=generator).tolist()
        validation, test = (torch.rand(2, generator=generator) * 0.6).tolist()
        if not any(sizes):
            continue
        wanted = [(min(round(test * n), n), round(validation * n)) for n in sizes]
        rest = [n - t - min(v, n - t) for n, (t, v) in zip(sizes, wanted)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if any(n and not left for n, left in zip(sizes, rest)):
                with pytest.raises(ValueError, match="no images for training"):
                    few(*sizes, validation=validation, test=test, seed=trial)
            else:
                data = few(*sizes, validation=validation, test=test, seed=trial)
                assert data.split("train")[1].bincount(minlength=4).tolist() == rest
                assert data.split("test")[1].bincount(minlength=4).tolist() == [t for t, _ in wanted]


# Batches


def test_every_example_once_and_last_batch_kept():
    data = toy()
    batches = data.train(16)
    n = len(data.splits["train"])
    assert batches.num_examples == n and batches.num_classes == 4 and batches.classes == data.classes
    seen = list(batches)
    assert len(seen) == len(batches) == -(-n // 16)
    assert [len(y) for _, y in seen] == [16] * (n // 16) + [n % 16]
    assert sorted(i for X, _ in seen for i in identities(data, X)) == data.splits["train"].tolist()
    for X, y in seen:
        assert X.dtype == torch.float32 and X.is_contiguous() and y.dtype == torch.int64
        assert data.labels[identities(data, X)].equal(y)


def test_order_depends_on_seed_and_epoch_alone():
    data = toy()

    def order(seed, epoch, batch_size=16):
        return [i for X, _ in data.train(batch_size, seed=seed).epoch(epoch) for i in identities(data, X)]

    batches = data.train(16, seed=1)
    list(batches.epoch(0))
    half_read = batches.epoch(2)
    next(half_read)
    assert [i for X, _ in batches.epoch(1) for i in identities(data, X)] == order(1, 1) == order(1, 1, 7)
    orders = [order(seed, epoch) for seed in range(4) for epoch in range(4)]
    assert len({tuple(o) for o in orders}) == 16
    assert order(0, 0) == [i for X, _ in data.train(16) for i in identities(data, X)]


def test_validation_and_test_come_in_order():
    data = toy()
    for name, batches in (("validation", data.validation(3)), ("test", data.test(3))):
        for epoch in (0, 1):
            seen = [i for X, _ in batches.epoch(epoch) for i in identities(data, X)]
            assert seen == data.splits[name].tolist()
    assert len(data.validation()) == 1


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_ranks_share_every_batch(world_size):
    data = toy(103, validation=0.0, test=torch.tensor([0]))
    batches = data.train(10, augment=Augment(), seed=2)
    whole = list(batches.epoch(1))
    shares = [list(batches.epoch(1, rank, world_size)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {len(batches)}
    assert len(whole[-1][1]) == 2
    for step, (X, y) in enumerate(whole):
        sizes = [len(share[step][1]) for share in shares]
        assert sum(sizes) == len(y) and max(sizes) - min(sizes) <= 1
        for rank in range(world_size):
            assert shares[rank][step][0].equal(X[rank::world_size])
            assert shares[rank][step][1].equal(y[rank::world_size])


def test_an_empty_share_keeps_its_shape():
    data = toy(21, validation=0.0, test=torch.tensor([0, 1, 2, 3]))
    *_, (X, y) = data.train(16, size=12, augment=Augment(brightness=0.1)).epoch(0, rank=1, world_size=2)
    assert X.shape == (0, 3, 12, 12) and y.shape == (0,)


def test_native_size_is_exact():
    data = toy(height=6, width=9)
    images, labels = data.split("test")
    ((X, y),) = data.test()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (data.mean, data.std))
    torch.testing.assert_close(X, (images / 255 - mean) / std)
    assert y.equal(labels)


@pytest.mark.parametrize("size", [5, 8, 13, 32])
def test_resize_equals_interpolate(size):
    data = toy()
    ((native, _),) = data.test()
    ((X, _),) = data.test(size=size)
    if size == 8:
        assert X.equal(native)
    else:
        assert X.equal(F.interpolate(native, size=(size, size), mode="bilinear", antialias=size < 8))
    # The same as resizing the pixels first, as others do.
    pixels = F.interpolate(data.split("test")[0].float(), size=(size, size), mode="bilinear", antialias=size < 8)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (data.mean, data.std))
    torch.testing.assert_close(X, (pixels / 255 - mean) / std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_statistics(channels):
    data = toy(channels=channels)
    pixels = data.split("train")[0].double().transpose(0, 1).flatten(1) / 255
    torch.testing.assert_close(torch.tensor(data.mean).double(), pixels.mean(1))
    torch.testing.assert_close(torch.tensor(data.std).double(), pixels.std(1, correction=0))
    X = torch.cat([X for X, _ in data.train(32)]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(X.mean(1), torch.zeros(channels), rtol=0, atol=1e-5)
    torch.testing.assert_close(X.std(1, correction=0), torch.ones(channels))
    given = toy(channels=channels, mean=[0.5] * channels, std=[0.5] * channels)
    torch.testing.assert_close(next(iter(given.test()))[0], given.split("test")[0] / 127.5 - 1)
    given = toy(channels=channels, mean=torch.zeros(channels))
    assert given.mean == (0.0,) * channels and given.std == data.std
    for kind in (tuple, torch.tensor, np.array, np.float32, lambda v: torch.tensor(v, dtype=torch.bfloat16)):
        given = toy(channels=channels, mean=kind([0.25] * channels), std=kind([1] * channels))
        assert given.mean == (0.25,) * channels and given.std == (1.0,) * channels
    exact = [1 / 3] * channels
    assert toy(channels=channels, mean=exact, std=np.array(exact)).mean == tuple(exact)


def test_a_constant_channel_stays_finite():
    data = ImageData(torch.zeros(20, 1, 2, 2, dtype=torch.uint8), torch.zeros(20, dtype=torch.uint8), ["nothing"])
    assert all(X.isfinite().all() for X, _ in data.train(4))


def test_on_another_device():
    data = toy()
    batches = data.train(16)
    there = batches.on("meta")
    assert batches.device == torch.device("cpu") and there.device == torch.device("meta")
    assert len(there) == len(batches) and data._tensors(there.device) is data._tensors(there.device)
    # Whatever is made for a batch must be made there.
    for X, y in data.train(16, size=12, augment=Augment(brightness=0.4)).on("meta").epoch(1):
        assert X.is_meta and y.is_meta and X.shape[1:] == (3, 12, 12)


def test_torch_dataloader(fashion):
    dataset = torch.utils.data.TensorDataset(*fashion.split("test"))
    X, y = next(iter(torch.utils.data.DataLoader(dataset, batch_size=32)))
    assert X.shape == (32, 1, 28, 28) and y.equal(fashion.labels[60000:60032])


# Augmentation


def test_random_bits_are_splitmix64():
    mask = 2**64 - 1

    def mix(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    gamma = 0x9E3779B97F4A7C15
    # The first value of the published generator with seed 0, then ours, in Python's unbounded integers.
    assert mix(gamma) == 0xE220A8397B1DCDAF
    state = mix((mix((12 + gamma) & mask) + 34 + gamma) & mask)
    expected = [mix((state + i * gamma) & mask) for i in range(1000)]
    assert [b & mask for b in random_bits(torch.arange(1000), 12, 34).tolist()] == expected


COLOURFUL = Augment(flip=True, shift=3, brightness=0.4, contrast=0.4, saturation=0.4)


@pytest.mark.parametrize("augment", [Augment(), COLOURFUL])
@pytest.mark.parametrize("size", [None, 12])
def test_augmentation_does_not_depend_on_the_batches(augment, size):
    data = toy()

    def pictures(batch_size, world_size=1):
        batches = data.train(batch_size, seed=4, augment=augment, size=size)
        order = data.splits["train"][random_bits(data.splits["train"] * 16, 4, 6).argsort()]
        found = {}
        for rank in range(world_size):
            for step, (X, _) in enumerate(batches.epoch(6, rank, world_size)):
                numbers = order[step * batch_size : (step + 1) * batch_size][rank::world_size]
                found |= dict(zip(numbers.tolist(), X, strict=True))
        return torch.stack([found[i] for i in data.splits["train"].tolist()])

    expected = pictures(16)
    for other in (pictures(16), pictures(5), pictures(1), pictures(16, world_size=3), pictures(100, world_size=7)):
        assert other.equal(expected)


def test_augmentation_changes_with_epoch_seed_and_example():
    data = toy()
    X = data.images[:1].expand(50, -1, -1, -1)
    index = torch.arange(50)
    one = COLOURFUL(X, index, seed=0, epoch=0)
    assert one.shape == X.shape and one.dtype == torch.uint8 and one.is_contiguous()
    assert len({digest(x) for x in one}) == 50
    assert not one.equal(COLOURFUL(X, index, seed=0, epoch=1)) and not one.equal(COLOURFUL(X, index, seed=1, epoch=0))


def test_shift_and_flip_are_crops_of_the_padded_image():
    X, index = toy(200).images, torch.arange(200)
    padded = F.pad(X, (2, 2, 2, 2))
    seen = set()
    for i, picture in enumerate(Augment(flip=True, shift=2)(X, index, seed=0, epoch=0)):
        fits = [
            (flip, dy, dx)
            for flip in (False, True)
            for dy in range(5)
            for dx in range(5)
            if (picture.flip(2) if flip else picture).equal(padded[i, :, dy : dy + 8, dx : dx + 8])
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) > 45  # of 50 possible ones
    assert Augment(flip=False, shift=0)(X, index, seed=0, epoch=0).equal(X)


def test_shifts_are_even():
    white = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8).expand(20000, -1, -1, -1)
    stays = (Augment(flip=False, shift=1)(white, torch.arange(20000), seed=0, epoch=0) > 0).float().mean()
    assert abs(stays - 1 / 9) < 0.01
    pair = torch.tensor([0, 1], dtype=torch.uint8).view(1, 1, 1, 2).expand(20000, -1, -1, -1)
    flipped = Augment(flip=True, shift=0)(pair, torch.arange(20000), seed=0, epoch=0)[..., 0].float().mean()
    assert abs(flipped - 0.5) < 0.02


def test_brightness_contrast_saturation():
    X, index = torch.full((500, 3, 2, 2), 100, dtype=torch.uint8), torch.arange(500)
    bright = Augment(flip=False, shift=0, brightness=0.5)(X, index, seed=0, epoch=0)
    assert bright.min() >= 50 and bright.max() <= 150 and bright.flatten(1).float().std(1).max() == 0
    assert abs(bright.float().mean() - 100) < 5
    # Contrast keeps a flat image, saturation a grey one.
    for option in ({"contrast": 0.5}, {"saturation": 0.5}):
        assert Augment(flip=False, shift=0, **option)(X, index, seed=0, epoch=0).equal(X)
    coloured = toy().images
    grey = (0.299 * coloured[:, 0] + 0.587 * coloured[:, 1] + 0.114 * coloured[:, 2]).mean((1, 2))
    changed = Augment(flip=False, shift=0, saturation=0.2)(coloured // 2 + 64, torch.arange(103), seed=0, epoch=0)
    after = (0.299 * changed[:, 0] + 0.587 * changed[:, 1] + 0.114 * changed[:, 2]).mean((1, 2))
    torch.testing.assert_close(after, grey / 2 + 64, rtol=0, atol=1.0)


@pytest.mark.parametrize(("option", "purpose"), [("brightness", 4), ("contrast", 5), ("saturation", 6)])
def test_colours_move_by_a_factor_of_their_own(option, purpose):
    index = torch.arange(300)
    X = torch.tensor([[60, 90], [120, 100], [60, 110]], dtype=torch.uint8).view(1, 3, 1, 2).expand(300, -1, -1, -1)
    Y = Augment(flip=False, shift=0, **{option: 0.4})(X, index, seed=3, epoch=2)
    uniform = (random_bits(index * 16 + purpose, 3, 2) >> 40 & 0xFFFFFF) / 2**24
    factor = (0.6 + 0.8 * uniform).view(-1, 1, 1, 1)
    luma = 0.299 * X[:, :1] + 0.587 * X[:, 1:2] + 0.114 * X[:, 2:]
    start = {"brightness": 0 * luma, "contrast": luma.mean((1, 2, 3), keepdim=True), "saturation": luma}[option]
    assert (Y - (start + factor * (X - start))).abs().max() < 0.51


def test_which_images_are_mirrored():
    index = torch.arange(300)
    X = torch.tensor([1, 2], dtype=torch.uint8).expand(300, 1, 1, 2)
    mirrored = Augment(flip=True, shift=0)(X, index, seed=3, epoch=2)[:, 0, 0, 0] == 2
    assert mirrored.equal((random_bits(index * 16 + 1, 3, 2) >> 40 & 0xFFFFFF) < 2**23)


def test_validation_is_never_augmented():
    data = toy()
    list(data.train(8, augment=COLOURFUL))
    for name, batches in (("validation", data.validation()), ("test", data.test())):
        assert identities(data, torch.cat([X for X, _ in batches])) == data.splits[name].tolist()


# Errors and drawing


def bad(images=None, labels=None, classes=("a", "b"), **options):
    images = torch.zeros(8, 1, 4, 4, dtype=torch.uint8) if images is None else images
    labels = torch.tensor([0, 1] * 4) if labels is None else labels
    return lambda: ImageData(images, labels, classes, **options)


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (bad(images=np.zeros((8, 1, 4, 4), np.uint8)), TypeError, "images must be a tensor, got ndarray"),
        (bad(images=torch.zeros(8, 1, 4, 4)), TypeError, "images must be uint8.*float32"),
        (bad(images=torch.zeros(8, 4, 4, dtype=torch.uint8)), ValueError, r"images.*\(N, 1 or 3, H, W\).*\(8, 4, 4\)"),
        (bad(images=torch.zeros(8, 4, 4, 1, dtype=torch.uint8)), ValueError, r"\(8, 4, 4, 1\)"),
        (bad(labels=torch.zeros(8)), TypeError, "labels must be integers, got torch.float32"),
        (bad(labels=torch.zeros(7).long()), ValueError, r"labels \(7,\) for images \(8, 1, 4, 4\)"),
        (bad(labels=torch.full((8,), 2)), ValueError, r"labels must lie in \[0, 2\).*got 2 to 2"),
        (bad(labels=torch.full((8,), -1)), ValueError, "got -1 to -1"),
        (bad(images=np.zeros((8, 1, 4, 4), np.uint8)), TypeError, "torch.as_tensor makes one of an array"),
        (bad(images=torch.zeros(8, 1, 4, 4)), TypeError, r"\(images \* 255\).round\(\).to\(torch.uint8\)"),
        (bad(images=torch.zeros(8, 1, 4, 4).long()), TypeError, r"int64; images.to\(torch.uint8\)"),
        (bad(images=torch.zeros(8, 4, 4, 3, dtype=torch.uint8)), ValueError, r"images.permute\(0, 3, 1, 2\) brings"),
        (bad(images=torch.zeros(8, 4, 4, dtype=torch.uint8)), ValueError, r"images.unsqueeze\(1\)"),
        (bad(images=torch.zeros(8, 4, 5, 5, dtype=torch.uint8)), ValueError, r"images\[:, :3\]"),
        (bad(labels=[0, 1] * 4), TypeError, r"labels must be a tensor, got \[0, 1, .*as_tensor"),
        (bad(labels=torch.zeros(8, 1).long()), ValueError, r"labels.squeeze\(1\)"),
        (bad(labels=torch.zeros(8, 2).long()), ValueError, r"labels.argmax\(1\)"),
        (bad(classes="ab"), TypeError, "classes must be a list of names in the order of their labels, got 'ab'"),
        (bad(classes=2), TypeError, "classes must be a list of names.*got 2"),
        (bad(classes={"dog": 1, "cat": 0}), TypeError, r"got {'dog': 1, 'cat': 0}; sorted\(d, key=d.get\)"),
        (bad(classes={"a", "b"}), TypeError, "classes must be a list of names"),
        (bad(classes=["a", 2]), TypeError, r"classes must be a list of names.*got \['a', 2\]"),
        (bad(classes=np.arange(2)), TypeError, "classes must be a list of names.*got ndarray of int64"),
        (bad(classes=(name for name in "ab")), TypeError, "classes must be a list of names.*got a?.*generator"),
        (bad(classes=["a", "b", "a"]), ValueError, "classes must differ in their names, got more than once: 'a'"),
        (bad(classes=["x" * 500] * 900), ValueError, "got more than once: 'xxx"),
        (bad(classes=[]), ValueError, r"labels must lie in \[0, 0\)"),
        (bad(mean=(90.0,), std=(55.0,)), ValueError, r"mean must lie in \[0, 1\].*got \(90.0,\); divide.*by 255"),
        (bad(std=(55.0,)), ValueError, r"std must lie in \(0, 1\].*got \(55.0,\)"),
        (bad(std=[0]), ValueError, r"std must lie in \(0, 1\].*got \(0.0,\)"),
        (bad(std=[-0.5]), ValueError, "std must lie in"),
        (bad(mean=[-0.5]), ValueError, "mean must lie in"),
        (bad(mean=torch.tensor([float("nan")])), ValueError, "mean must lie in.*nan"),
        (bad(std=np.array([np.inf])), ValueError, "std must lie in.*inf"),
        (bad(mean=["0.5"]), ValueError, "mean must hold one number for each"),
        (bad(mean=[0.5j]), ValueError, "mean must hold one number for each"),
        (bad(mean=torch.tensor([0.5j])), ValueError, "mean must hold one number for each"),
        (bad(mean=[True]), ValueError, "mean must hold one number for each"),
        (bad(mean={0.5}), ValueError, "mean must hold one number for each"),
        (bad(mean=[[0.5]]), ValueError, "mean must hold one number for each"),
        (bad(mean=[[0.5], 1]), ValueError, "mean must hold one number for each"),
        (bad(std="x"), ValueError, "std must hold one number for each"),
        (bad(std=torch.ones(1).to_sparse()), ValueError, "std must hold one number for each"),
        (bad(validation="0.1"), TypeError, "validation must be a fraction.*got '0.1'"),
        (bad(validation=True), ValueError, "validation must be a fraction.*got True"),
        (bad(validation=None), TypeError, "validation must be a fraction.*got None"),
        (bad(validation=float("nan")), ValueError, "validation must be a fraction.*got nan"),
        (bad(validation=100), ValueError, r"validation must be a fraction in \[0, 1\) or the numbers.*got 100"),
        (bad(validation=[1.5, 2.0]), TypeError, r"validation must be whole numbers in 1-D, got \[1.5, 2.0\]"),
        (bad(validation=[True] + [False] * 7), TypeError, "validation must be whole numbers"),
        (bad(validation=[[1, 2]]), TypeError, "validation must be whole numbers"),
        (bad(validation=[[1, 2], 3]), TypeError, "validation must be whole numbers"),
        (bad(validation=["1"]), TypeError, "validation must be whole numbers"),
        (bad(validation={1, 2}), TypeError, "validation must be whole numbers"),
        (bad(validation=torch.tensor(1)), TypeError, "validation must be whole numbers"),
        (bad(validation=range(7, 9)), ValueError, r"validation must hold numbers in \[0, 8\), got 7 to 8"),
        (bad(validation=[-1]), ValueError, r"validation must hold numbers in \[0, 8\), got -1 to -1"),
        (bad(validation=[1, 1]), ValueError, "validation must hold each number once, got 1 repeated"),
        (bad(seed=True), TypeError, "seed must be an integer, got True"),
        (bad(seed=10**400), ValueError, r"seed must be at least 0 and below 2\*\*63, got int 1000"),
        (bad(mean=[0.1, 0.2], std=[1.0]), ValueError, "mean must hold one number for each of 1 channels"),
        (bad(mean=0.5), ValueError, "mean must hold one number for each of 1 channels, got 0.5"),
        (bad(validation=1.5), ValueError, r"validation must be a fraction in \[0, 1\).*1.5"),
        (bad(validation=0.5, test=0.5), ValueError, "leave no images for training"),
        (bad(test=torch.tensor([8])), ValueError, r"test must hold numbers in \[0, 8\), got 8 to 8"),
        (bad(test=torch.tensor([1, 1])), ValueError, "test must hold each number once"),
        (bad(test=torch.tensor([0.5])), TypeError, "test must be whole numbers in 1-D, got Tensor of torch.float32"),
        (bad(test=torch.tensor([1]), validation=torch.tensor([1])), ValueError, "must not share images"),
        (lambda: toy().split("valid"), ValueError, "split must be one of train, validation, test, got 'valid'"),
        (lambda: toy(validation=0.0).validation(), ValueError, "validation split holds no images"),
        (lambda: toy().train(0), ValueError, "batch_size must be at least 1.*got 0"),
        (lambda: toy().split(["train"]), ValueError, r"split must be one of.*got \['train'\]"),
        (lambda: toy().train(2.5), TypeError, "batch_size must be an integer, got 2.5"),
        (lambda: toy().train(True), TypeError, "batch_size must be an integer, got True"),
        (lambda: toy().train("8"), TypeError, "batch_size must be an integer, got '8'"),
        (lambda: toy().train(8, size=True), TypeError, "size must be an integer, got True"),
        (lambda: toy().train(8, size=(8, 8)), TypeError, r"size must be an integer, got \(8, 8\)"),
        (lambda: toy().train(8, augment=True), TypeError, "augment must be None or an Augment.*got True"),
        (lambda: toy().train(8, augment=Augment), TypeError, "augment must be None or an Augment.*class Augment"),
        (lambda: toy().train(8, augment=torch.flip), TypeError, "augment must be None or an Augment.*function flip"),
        (lambda: toy().train(8, device="gpu"), ValueError, "device must be a torch.device or its name.*got 'gpu'"),
        (lambda: toy().train(8, device=[1]), ValueError, r"device must be a torch.device or its name.*got \[1\]"),
        (lambda: toy().train(8).on("gpu"), ValueError, "device must be a torch.device or its name.*got 'gpu'"),
        (lambda: toy().show("x"), TypeError, "examples must be whole numbers in 1-D, got 'x'"),
        (lambda: toy().show(0), ValueError, "examples must be at least 1.*got 0"),
        (lambda: toy().show(-3), ValueError, "examples must be at least 1.*got -3"),
        (lambda: toy().show(True), TypeError, "examples must be an integer, got True"),
        (lambda: toy().show(2.5), TypeError, "examples must be an integer, got 2.5"),
        (lambda: toy().show([0, 99]), ValueError, r"examples must hold numbers in \[0, 81\), got 0 to 99"),
        (lambda: toy().show([0.5]), TypeError, "examples must be whole numbers"),
        (lambda: toy(validation=0).show(split="validation"), ValueError, "the validation split holds no images"),
        (lambda: toy().train(4, size=0), ValueError, "size must be at least 1.*got 0"),
        (lambda: toy().train(4, seed=-1), ValueError, "seed must be at least 0.*got -1"),
        (lambda: toy().train(4).epoch(-1), ValueError, "epoch must be at least 0.*got -1"),
        (lambda: toy().train(4).epoch(0, rank=2, world_size=2), ValueError, "rank must be below world_size=2, got 2"),
        (lambda: toy().train(4).epoch(0, rank=-1), ValueError, "rank must be at least 0.*got -1"),
        (lambda: toy().train(4).epoch(0, world_size=0), ValueError, "world_size must be at least 1.*got 0"),
        (lambda: toy(channels=1).train(4, augment=COLOURFUL), ValueError, "saturation=0.4 needs 3 channels"),
        (lambda: Augment(shift=-1), ValueError, "shift must be at least 0.*got -1"),
        (lambda: Augment(contrast=1.5), ValueError, "contrast must be between 0 and 1, got 1.5"),
        (lambda: Augment(contrast=float("nan")), ValueError, "contrast must be between 0 and 1, got nan"),
        (lambda: Augment(brightness="much"), TypeError, "brightness must be a number between 0 and 1, got 'much'"),
        (lambda: Augment(shift=True), TypeError, "shift must be an integer, got True"),
        (lambda: Augment(flip="left"), TypeError, "flip must be True or False, got 'left'"),
    ],
)
def test_errors_name_what_came_and_what_is_allowed(call, kind, message):
    with pytest.raises(kind, match=message) as error:
        call()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("classes", [("b", "a"), np.array(["b", "a"]), ["b", "a"]])
def test_classes_are_names_in_order(classes):
    data = bad(classes=classes, validation=0, test=0)()
    assert data.classes == ("b", "a") and all(type(name) is str for name in data.classes)


def test_show_draws_images_with_their_class_names(monkeypatch):
    figures = types.ModuleType("d2lcnn.figures")
    drawn = []
    figures.show_images = lambda images, titles, columns: drawn.append((images, titles, columns))
    monkeypatch.setitem(sys.modules, "d2lcnn.figures", figures)
    data = toy()
    data.show(5, columns=3)
    images, titles, columns = drawn.pop()
    assert images.equal(data.split("train")[0][:5]) and columns == 3
    assert titles == [data.classes[y] for y in data.split("train")[1][:5]]
    for examples in ([4, 0], (4, 0), np.array([4, 0]), torch.tensor([4, 0])):
        data.show(examples, split="test")
        images, titles, _ = drawn.pop()
        assert images.equal(data.split("test")[0][[4, 0]])
    data.show(np.int64(2))
    assert len(drawn.pop()[0]) == 2
