"""Pictures from folders and files, and what a Preparation makes of them."""

import json
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch.utils._python_dispatch import TorchDispatchMode

from d2lcnn.data import ImageData, Preparation, folders, pictures

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(height, width, channels=3, seed=0):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height, width):
    """Colours that change slowly, with which scaling and JPEG deal well."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return (np.stack([y, x, (x + y) / 2], 2) * 255).round().astype(np.uint8)


def save(path, picture=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(noise(9, 12)) if picture is None else picture
    picture.save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes of ten pictures each, in many sizes and forms."""
    for c, name in enumerate(("cat", "dog")):
        for k in range(10):
            array = noise(8 + 3 * k, 30 - 2 * k, 1 if k % 4 == 3 else 3, seed=10 * c + k)
            save(tmp_path / "pictures" / name / f"{k}.{('png', 'jpg', 'bmp')[k % 3]}", Image.fromarray(array))
    return tmp_path / "pictures"


def pixels(picture, size=(4, 4), channels=3):
    """(C, H, W) in 0 to 255, as a Preparation reads them."""
    unit = Preparation(size, channels, (0.0,) * channels, (1.0,) * channels)
    return (unit(picture)[0] * 255).round().long()


# A Preparation makes what batches hold


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, 5, 12, 31])
def test_a_file_becomes_what_the_batches_hold_of_it(folder, channels, size):
    data = ImageData.from_folder(folder, size=12, channels=channels, validation=0.2, test=0.3)
    paths = [path for name in data.classes for path in sorted((folder / name).iterdir())]
    assert len(data) == len(paths) == 20
    batches = torch.cat([X for X, _ in data.test(4, size=size)])
    chosen = [paths[i] for i in data.splits["test"]]
    assert batches.equal(data.prepare(chosen, size))
    for path, X in zip(chosen, batches):
        assert data.prepare(path, size).equal(X[None]) and data.prepare(str(path), size=size).equal(X[None])


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 6, 9), (3, 7, 7), (3, 9, 4)])
@pytest.mark.parametrize("size", [None, 3, 7, 20])
def test_tensors_of_the_images_become_the_same_batches(channels, height, width, size):
    images = torch.from_numpy(noise(20 * channels * height, width, 1)).view(20, channels, height, width)
    data = ImageData(images, torch.arange(20) % 2, ["a", "b"], test=0.3)
    X = torch.cat([X for X, _ in data.test(size=size)])
    same = data.images[data.splits["test"]]
    assert data.prepare(same, size).equal(X) and X.dtype == torch.float32
    assert data.prepare(list(same.numpy()), size).equal(X)
    assert data.prepare(same[0], size).equal(X[:1])
    assert X.shape[2:] == ((height, width) if size is None else (size, size))
    assert data.preparation(size).stored == (height, width)


def test_a_new_process_prepares_the_same_from_json_and_shows_no_bar_if_told_so(folder):
    data = ImageData.from_folder(folder, size=12)
    preparation, path = data.preparation(9), folder / "cat" / "1.jpg"
    fields = json.dumps(asdict(preparation))
    assert Preparation(**json.loads(fields)) == preparation
    code = (
        "import json, sys, time; from d2lcnn.data import ImageData, Preparation, pictures\n"
        "print(Preparation(**json.loads(sys.argv[1]))(sys.argv[3]).numpy().tobytes().hex())\n"
        "read = pictures.read\n"
        "pictures.read = lambda *args: time.sleep(0.07) or read(*args)\n"
        "ImageData.from_folder(sys.argv[2], size=4)\n"
    )
    command = [sys.executable, "-c", code, fields, folder, path]
    there = subprocess.run(command, env=os.environ | {"TQDM_DISABLE": "1"}, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == preparation(path).numpy().tobytes().hex() and there.stderr == ""


def test_stored_is_the_size_unless_given():
    fields = ((5, 6), 1, (0.5,), (0.25,))
    assert Preparation(*fields).stored == (5, 6) and Preparation(*fields) == Preparation(*fields, stored=[5, 6])
    tensors = Preparation((5, 6), 3, torch.tensor([0.5] * 3), np.full(3, 0.25, np.float32))
    assert tensors.mean == (0.5,) * 3 and tensors.std == (0.25,) * 3 and all(type(m) is float for m in tensors.mean)
    uneven = Preparation((3, 12), 1, (0.0,), (1.0,), stored=(6, 9))
    X = torch.from_numpy(noise(6, 9, 1))
    expected = F.interpolate(X[None, None] / 255, size=(3, 12), mode="bilinear", antialias=True)
    torch.testing.assert_close(uneven(X), expected)


def test_every_kind_of_picture(tmp_path):
    colours, grey = noise(6, 8), noise(6, 8, 1)
    path = save(tmp_path / "a.png", Image.fromarray(colours))
    tensor = torch.from_numpy(colours).permute(2, 0, 1)
    same = [path, str(path), Image.open(path), Image.fromarray(colours), colours, tensor.numpy(), tensor]
    for picture in same:
        assert pixels(picture, (6, 8)).equal(tensor.long())
    for picture in (Image.fromarray(grey), grey, grey[None], grey[..., None], torch.from_numpy(grey)):
        assert pixels(picture, (6, 8), 1).equal(torch.from_numpy(grey)[None].long())
        assert pixels(picture, (6, 8), 3).equal(torch.from_numpy(grey).expand(3, 6, 8).long())
    preparation = Preparation((4, 4), 3, (0.5,) * 3, (0.5,) * 3)
    mixed = preparation([*same, grey])
    assert mixed.shape == (8, 3, 4, 4) and all(X.equal(mixed[0]) for X in mixed[:7])
    assert preparation(tuple(same)).equal(mixed[:7])
    for many in (torch.stack([tensor, tensor]), np.stack([colours, colours])):
        assert preparation(many).equal(mixed[:2])
    luma = (0.299 * tensor[0] + 0.587 * tensor[1] + 0.114 * tensor[2]).long()
    assert (pixels(colours, (6, 8), 1)[0] - luma).abs().max() <= 1
    flipped = colours[:, ::-1]  # of negative stride
    assert pixels(flipped, (6, 8)).equal(tensor.flip(2).long())


def test_a_picture_of_the_caller_stays_as_it_was(tmp_path):
    picture = Image.open(save(tmp_path / "a.jpg", Image.fromarray(smooth(200, 300)), exif=orientation(6)))
    pixels(picture, (8, 8))
    assert picture.size == (300, 200) and picture.getexif()[0x0112] == 6


def test_invert():
    preparation = Preparation((6, 8), 1, (0.25,), (0.5,))
    picture = noise(6, 8, 1)
    assert preparation(picture, invert=True).equal(preparation(255 - picture))
    data = ImageData(
        torch.from_numpy(noise(60, 8, 1)).view(10, 1, 6, 8), torch.arange(10) % 2, ["a", "b"], validation=0, test=0
    )
    assert data.prepare(picture, 9, invert=True).equal(data.prepare(255 - picture, 9))


# Scaling and cropping


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(40, 40, (8, 8)), (40, 60, (8, 8)), (61, 37, (8, 8)), (5, 9, (8, 8)), (33, 47, (6, 12)), (47, 33, (12, 6))],
)
def test_scaled_to_cover_and_cropped_to_the_centre(height, width, size):
    picture = smooth(height, width)
    scale = max(size[0] / height, size[1] / width)
    whole = F.interpolate(
        torch.from_numpy(picture).permute(2, 0, 1)[None].float(),
        size=(round(height * scale), round(width * scale)),
        mode="bilinear",
        antialias=scale < 1,
    )[0]
    top, left = (whole.shape[1] - size[0]) / 2, (whole.shape[2] - size[1]) / 2
    expected = whole[:, int(top) : int(top) + size[0], int(left) : int(left) + size[1]]
    # Half a pixel at most, where what is cut off is an odd number of them.
    found, step = pixels(picture, size), 255 / min(whole.shape[1:]) * 0.6 + 1
    assert found.shape == (3, *size) and (found - expected).abs().max() <= step


def test_every_size_is_taken():
    for height in (1, 2, 3, 7, 50, 1000):
        for width in (1, 2, 3, 7, 50, 1000):
            picture = Image.new("L", (width, height), 77)
            for size in ((1, 1), (3, 3), (7, 5), (1, 9), (28, 28)):
                assert pixels(picture, size, 1).equal(torch.full((1, *size), 77))


def test_a_strip_is_never_as_long_as_it_is_scaled(monkeypatch):
    made = []
    resize = Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda self, size, *a, **k: made.append(size) or resize(self, size, *a, **k)
    )
    assert pixels(Image.new("L", (40_000, 2), 9), (512, 512), 1).eq(9).all()
    assert made == [(512, 512)]


@pytest.mark.parametrize("size, decoded_to", [(64, (200, 150)), (250, (800, 600)), (700, (1600, 1200))])
def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(tmp_path, monkeypatch, size, decoded_to):
    path = save(tmp_path / "a.jpg", Image.fromarray(smooth(1200, 1600)), quality=95)
    decoded = []
    fit = ImageOps.fit
    monkeypatch.setattr(ImageOps, "fit", lambda image, *args: decoded.append(image.size) or fit(image, *args))
    found, whole = pixels(path, (size, size)), pixels(smooth(1200, 1600), (size, size))
    assert decoded == [decoded_to, (1600, 1200)]
    assert (found - whole).abs().max() <= 4


# Turned, transparent, and of every mode


def orientation(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("number", range(1, 9))
def test_exif_orientation(tmp_path, suffix, number):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[16:, :24], upright[:16, 24:] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    # How a camera held so would store it, the inverse of what EXIF prescribes.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[number]
    lossless = {"lossless": True} if suffix == "webp" else {}
    picture = Image.fromarray(np.ascontiguousarray(stored))
    path = save(tmp_path / f"a.{suffix}", picture, exif=orientation(number), **lossless)
    found = pixels(path, (32, 48))
    expected = torch.from_numpy(upright).permute(2, 0, 1)
    assert ((found - expected).abs() < 60).float().mean() > 0.9


def test_damaged_metadata_harm_no_picture(tmp_path, recwarn):
    path = save(tmp_path / "a.jpg", Image.fromarray(smooth(20, 20)), exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12")
    assert pixels(path, (20, 20)).shape == (3, 20, 20)
    assert not recwarn.list


GREY = np.arange(256).reshape(16, 16)
# Some between two of 8 bits, nearer to the one it came from.
FINE_GREY = (GREY * 257 + np.where(GREY % 2, -120, 120)).clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_greys_of_16_bits_keep_their_shades(tmp_path, suffix, channels):
    path = tmp_path / f"a.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 16 16 65535\n" + FINE_GREY.astype(">u2").tobytes())
    else:
        Image.fromarray(FINE_GREY).save(path)
    assert pixels(path, (16, 16), channels).equal(torch.from_numpy(GREY).expand(channels, 16, 16))


def transparent(mode):
    """White in a red frame: the middle shows nothing of its black."""
    picture = Image.new("RGBA", (8, 8), (200, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (2, 2, 6, 6))
    if mode in ("LA", "La"):
        return picture.convert("LA").convert(mode)
    return picture.convert("RGBA").convert(mode) if mode != "RGBA" else picture


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La"])
def test_what_is_transparent_is_white(mode):
    found = pixels(transparent(mode), (8, 8))
    assert found[:, 3:5, 3:5].eq(255).all()
    frame = torch.tensor([200, 0, 0]) if "RGB" in mode else torch.full((3,), 60)
    assert (found[:, 0, 0] - frame).abs().max() <= 1


@pytest.mark.parametrize("kind", ["palette", "palette of alphas", "colour key", "grey key"])
def test_transparency_of_a_palette_or_a_key_is_white(tmp_path, kind):
    path = tmp_path / "a.png"
    if kind.startswith("palette"):
        picture = Image.new("P", (8, 8), 1)
        picture.putpalette([0, 0, 0, 200, 0, 0])
        key = bytes([0, 255]) if kind == "palette of alphas" else 0
    else:
        picture = Image.new("RGB" if kind == "colour key" else "L", (8, 8), "red")
        key = (0, 0, 0) if kind == "colour key" else 0
    picture.paste(0 if picture.mode != "RGB" else (0, 0, 0), (2, 2, 6, 6))
    picture.save(path, transparency=key)
    found = pixels(path, (8, 8))
    assert found[:, 3:5, 3:5].eq(255).all() and found[1, 0, 0] < 100


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_keeps_its_colours(mode, channels):
    picture = Image.new("RGB", (8, 8), "white")
    picture.paste("black", (0, 0, 4, 8))
    found = pixels(picture.convert(mode), (8, 8), channels)
    assert found[:, :, :3].max() <= 2 and found[:, :, 5:].min() >= 253


def test_a_jpeg_of_cmyk(tmp_path):
    path = save(tmp_path / "a.jpg", Image.new("RGB", (8, 8), (250, 10, 10)).convert("CMYK"))
    assert (pixels(path)[:, 0, 0] - torch.tensor([250, 10, 10])).abs().max() <= 8


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_mode_of_no_known_range_is_refused(tmp_path, mode):
    path = save(tmp_path / "a.tif", Image.new(mode, (8, 8), 3))
    with pytest.raises(ValueError, match=f'8 or 16 bits a channel, got the mode "{mode}"'):
        pixels(Image.new(mode, (8, 8), 3))
    with pytest.raises(ValueError, match=f"a.tif' cannot be read as a picture.*{mode}"):
        pixels(path)


# Folders


def test_the_layout_of_torchvision(tmp_path):
    from torchvision.datasets import ImageFolder

    root = tmp_path / "pictures"
    names = [
        "b/2.png",
        "b/10.PNG",
        "b/x-y/1.jpg",
        "b/x/1.Jpeg",
        "b/x/y/0.bmp",
        "b/x.y/1.webp",
        "a/1.ppm",
        "a/sub/1.tif",
    ]
    names += ["B/é.png", "ü ñ/日本 🐈.jpg", "ü ñ/a'b\n.png", "0/-.gif.png", "0/%s{}.png"]
    for k, name in enumerate(names):
        save(root / name, Image.fromarray(noise(6, 6, seed=k)), **({"format": "JPEG"} if "eg" in name.lower() else {}))
    for name in ("a/notes.txt", "b/Thumbs.db", "b/no-suffix", "README.md", "stray.csv"):
        (root / name).write_text("nothing")
    theirs = ImageFolder(root)
    classes, paths, labels = folders.find(root)
    assert list(classes) == theirs.classes
    assert [(str(path), int(label)) for path, label in zip(paths, labels)] == theirs.samples
    data = ImageData.from_folder(root, size=6, validation=0, test=0)
    assert data.classes == classes and data.labels.tolist() == theirs.targets
    for path, image in zip(paths, data.images):
        assert image.equal(pixels(path, (6, 6)).to(torch.uint8))


def test_the_order_is_the_same_whatever_the_file_system_says(folder, monkeypatch):
    expected = folders.find(folder)[1]
    walk, iterdir = os.walk, Path.iterdir
    monkeypatch.setattr(
        os, "walk", lambda *args, **options: ((root, d[::-1], f[::-1]) for root, d, f in walk(*args, **options))
    )
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed(list(iterdir(self))))
    assert folders.find(folder)[1] == expected


def test_what_is_hidden_is_left_out(folder):
    save(folder / ".ipynb_checkpoints" / "1.png")
    save(folder / "cat" / ".ipynb_checkpoints" / "1.png")
    (folder / "dog" / "._1.jpg").write_bytes(b"of macOS")
    (folder / ".DS_Store").write_bytes(b"")
    data = ImageData.from_folder(str(folder), size=4)
    assert data.classes == ("cat", "dog") and len(data) == 20


def test_links_are_followed_once(folder, tmp_path):
    elsewhere = save(tmp_path / "elsewhere" / "1.png").parent
    (folder / "emu").symlink_to(elsewhere)  # a class
    (folder / "cat" / "more").symlink_to(elsewhere)
    (folder / "cat" / "more again").symlink_to(elsewhere)
    (folder / "dog" / "one.png").symlink_to(elsewhere / "1.png")
    for name, target in (("up", folder), ("self", folder / "dog"), ("all", Path("/")), ("away", folder / "cat")):
        (folder / "dog" / name).symlink_to(target)
    (folder / "cat" / "back").symlink_to(folder / "dog")
    classes, paths, labels = folders.find(folder)
    below = [str(path.relative_to(folder)) for path in paths]
    assert classes == ("cat", "dog", "emu")
    assert labels.bincount().tolist() == [22, 22, 1]
    assert "dog/one.png" in below and "emu/1.png" in below and "cat/back/one.png" in below
    assert sum(name.startswith("cat/more") for name in below) == 1


def test_names_that_are_no_text(tmp_path):
    # Latin-1, and an e with a combining accent.
    for name in (os.fsdecode(b"\xe9"), "e\u0301"):
        save(tmp_path / name / "1.png", Image.new("L", (4, 4)))
    data = ImageData.from_folder(tmp_path, size=4, validation=0, test=0)
    assert data.classes == ("\\xe9", "é")


def test_options_are_those_of_the_constructor(folder):
    data = ImageData.from_folder(
        folder, size=7, channels=1, validation=[0, 10], test=0.3, seed=3, mean=[0.5], std=[0.2]
    )
    same = ImageData(data.images, data.labels, data.classes, validation=[0, 10], test=0.3, seed=3)
    assert data.images.shape == (20, 1, 7, 7) and data.images.dtype == torch.uint8
    assert all(data.splits[name].equal(same.splits[name]) for name in data.splits)
    assert data.mean == (0.5,) and data.std == (0.2,) and len(data.splits["test"]) == 6
    default = ImageData.from_folder(folder, size=7)
    assert default.images.shape == (20, 3, 7, 7) and len(default.splits["test"]) == 2


def test_the_images_are_held_once(tmp_path):
    for k in range(600):
        save(tmp_path / "ab"[k % 2] / f"{k}.bmp", Image.fromarray(smooth(8, 8)))

    class Largest(TorchDispatchMode):
        made = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **kwargs or {})
            if isinstance(result, torch.Tensor) and not any(
                isinstance(a, torch.Tensor) and a.untyped_storage().data_ptr() == result.untyped_storage().data_ptr()
                for a in args
            ):
                self.made = max(self.made, result.untyped_storage().nbytes())
            return result

    tracemalloc.start()
    with Largest() as largest:
        data = ImageData.from_folder(tmp_path, size=64)
    peak = tracemalloc.get_traced_memory()[1]  # of NumPy's arrays, one of which is the images
    tracemalloc.stop()
    whole = data.images.numel()
    assert data.images.untyped_storage().nbytes() == whole <= peak < 1.3 * whole
    assert 0 < largest.made < 0.2 * whole


def test_a_bar_only_where_it_takes_long(folder, capsys, monkeypatch):
    ImageData.from_folder(folder, size=4)
    assert capsys.readouterr().err == ""
    read = pictures.read
    monkeypatch.setattr(pictures, "read", lambda *args: time.sleep(0.07) or read(*args))
    ImageData.from_folder(folder, size=4)
    assert "picture/s" in capsys.readouterr().err


# Pictures that cannot be read


def bomb(path):
    """A PNG of a few bytes that says it had 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def harm(path, how):
    content = path.read_bytes()
    if how == "text":
        path.write_text("<html>not found</html>")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[: len(content) * 2 // 3])
    elif how == "header":
        path.write_bytes(content[:30])
    elif how == "bomb":
        bomb(path)
    elif how == "nowhere":
        path.unlink()
        path.symlink_to("nowhere.png")
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)


HARMS = ["text", "empty", "truncated", "header", "bomb", "nowhere", "pipe"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("how", HARMS)
def test_a_picture_that_cannot_be_read_is_named(folder, suffix, how):
    path = folder / "dog" / f"{'0' if suffix == 'png' else '1' if suffix == 'jpg' else '2'}.{suffix}"
    harm(path, how)
    with pytest.raises(ValueError, match="skip_damaged=True") as error:
        ImageData.from_folder(folder, size=8)
    assert f"dog/{path.name}" in str(error.value) and len(str(error.value)) < 300
    with pytest.warns(UserWarning, match=rf"left out 1 of 20 pictures.*'dog/{path.name}'") as caught:
        data = ImageData.from_folder(folder, size=8, validation=0, test=0, skip_damaged=True)
    assert caught[0].filename == __file__ and len(caught) == 1
    path.unlink()
    whole = ImageData.from_folder(folder, size=8, validation=0, test=0)
    assert data.images.equal(whole.images) and data.labels.equal(whole.labels) and len(data) == 19
    assert data.mean == whole.mean


def test_many_damaged_pictures_are_counted(folder):
    for k in range(60):
        (folder / "cat" / f"a rather long name of a picture that is damaged {k}.png").write_text("nothing")
    with pytest.warns(UserWarning, match="left out 60 of 80 pictures.* more") as caught:
        assert len(ImageData.from_folder(folder, size=8, skip_damaged=True)) == 20
    assert len(str(caught[0].message)) < 300


def test_a_class_that_cannot_be_read_at_all(folder):
    for path in (folder / "dog").iterdir():
        path.write_text("nothing")
    with (
        pytest.warns(UserWarning, match="left out 10 of 20"),
        pytest.raises(ValueError, match="no picture can be read of 'dog'"),
    ):
        ImageData.from_folder(folder, size=8, skip_damaged=True)


def test_more_pixels_than_pillow_allows(tmp_path, monkeypatch, recwarn):
    path = save(tmp_path / "a.png", Image.fromarray(smooth(30, 40)))
    photograph = save(tmp_path / "a.jpg", Image.fromarray(smooth(30, 40)))
    # Above it Pillow warns, above twice as many it refuses.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"a.png' cannot be read.*1,200 pixels, above PIL.Image.MAX_IMAGE_PIXELS"):
        pixels(path)
    # Decoded at a quarter of its size it has few.
    assert pixels(photograph, (3, 3)).shape == (3, 3, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert pixels(path).shape == (3, 4, 4)
    assert not recwarn.list


@pytest.mark.parametrize("picture", HARMS)
def test_prepare_names_what_cannot_be_read(tmp_path, picture):
    path = save(tmp_path / "a.png")
    harm(path, picture)
    kind = FileNotFoundError if picture in ("nowhere", "pipe") else ValueError
    with pytest.raises(kind, match=r"a\.png'") as error:
        pixels([noise(5, 5), path])
    assert len(str(error.value)) < 300


# Errors


def nothing(root):
    return root / "nowhere", FileNotFoundError, "nowhere' is not there"


def a_file(root):
    return save(root / "a.png"), NotADirectoryError, "a.png' is no folder"


def empty(root):
    return root, ValueError, "a folder for each of two classes.*got none"


def pictures_alone(root):
    for k in range(3):
        save(root / f"{k}.png")
    return root, ValueError, "got 3 pictures beside one another; put those of each class into a folder of its own"


def one_class(root):
    save(root / "cat" / "a.png")
    return root, ValueError, "a folder for each of two classes.*got one, 'cat'"


def an_empty_class(root):
    for name in "abcd":
        save(root / name / "1.png")
    (root / "b" / "1.png").unlink()
    (root / "d" / "1.png").rename(root / "d" / "1.mp4")
    return root, ValueError, "no pictures of 'b', 'd' in .*: leave out such folders; read are jpg, jpeg"


def many_empty_classes(root):
    for k in range(300):
        (root / f"a class with a long name {k}").mkdir()
    return root, ValueError, "no pictures of 'a class with a long name 0'.* and 2.. more"


def splits(root):
    for name in ("train/cat", "train/dog", "val/cat", "Test/dog"):
        save(root / name / "1.png")
    return root, ValueError, "holds splits, not classes: give one of its folders"


def one_split(root):
    save(root / "train" / "cat" / "1.png")
    return root, ValueError, "holds splits, not classes: give one of its folders, such as 'train'"


def a_link_to_itself(root):
    save(root / "cat" / "1.png")
    (root / "self").symlink_to(root)
    return root, ValueError, "no pictures of 'self'"


FAULTS = [nothing, a_file, empty, pictures_alone, one_class, an_empty_class, many_empty_classes]
FAULTS += [splits, one_split, a_link_to_itself]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_that_holds_no_classes_is_refused_in_words(tmp_path, fault, deep):
    root = (
        tmp_path
        / ("a folder with quite a long name" if deep else "r")
        / ("so deep that none can read it " * deep * 6 + "r")
    )
    root.mkdir(parents=True)
    path, kind, message = fault(root)
    if deep:
        # The middle of a long name is left out.
        message = "nowhere|." if fault is nothing else message.split(" in .*")[0]
    with pytest.raises(kind, match=message) as error:
        ImageData.from_folder(path, size=8)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"size": 0}, ValueError, "size must be at least 1"),
        ({"size": (8, 8)}, TypeError, r"size must be an integer, got \(8, 8\)"),
        ({"channels": 4}, ValueError, r"channels must be 1 \(grey\) or 3 \(RGB\), got 4"),
        ({"channels": "RGB"}, TypeError, "channels must be an integer, got 'RGB'"),
        ({"validation": 1.5}, ValueError, "validation must be a fraction"),
        ({"test": [20]}, ValueError, r"test must hold numbers in \[0, 20\)"),
        ({"test": 0.6, "validation": 0.4}, ValueError, "no images for training of 'cat' .10 in all., 'dog'"),
        ({"mean": [120.0] * 3}, ValueError, r"mean must lie in \[0, 1\]"),
        ({"std": [0.5]}, ValueError, "std must hold one number for each of 3 channels"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_arguments_are_refused_before_pictures_are_read(folder, monkeypatch, options, kind, message):
    monkeypatch.setattr(folders, "read", lambda *args, **options: pytest.fail("the pictures were read"))
    with pytest.raises(kind, match=message):
        ImageData.from_folder(folder, **{"size": 8, **options})


@pytest.mark.parametrize("path", [None, 3, b"folder", ["folder"]])
def test_a_path_of_another_kind(path):
    with pytest.raises(TypeError, match="path must be the path of a folder, got"):
        ImageData.from_folder(path, size=8)


def test_small_classes_warn_once(folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        save(folder / "emu" / "1.png")
        ImageData.from_folder(folder, size=8)
    assert [str(w.message) for w in caught] == [
        "no image of 'emu' (1 in all) in validation and test: "
        "a class is trained on, or judged, only where it has images"
    ]


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"size": 28}, TypeError, r"size must be a pair \(height, width\) in pixels, got 28"),
        ({"size": (28.0, 28)}, TypeError, "each of size must be an integer, got 28.0"),
        ({"size": (28, 0)}, ValueError, "each of size must be at least 1"),
        ({"size": (28, True)}, TypeError, "each of size must be an integer, got True"),
        ({"stored": [1]}, TypeError, r"stored must be a pair"),
        ({"channels": 2}, ValueError, r"channels must be 1 \(grey\) or 3 \(RGB\), got 2"),
        ({"channels": True}, TypeError, "channels must be an integer, got True"),
        ({"mean": (0.5,) * 3}, ValueError, "mean must hold one number for each of 1 channels"),
        ({"mean": (33.3,)}, ValueError, r"mean must lie in \[0, 1\].*got \(33.3,\); divide"),
        ({"std": (0.0,)}, ValueError, r"std must lie in \(0, 1\]"),
        ({"std": (float("nan"),)}, ValueError, r"std must lie in \(0, 1\].*nan"),
        ({"std": None}, ValueError, "std must hold one number for each of 1 channels, got None"),
    ],
)
def test_a_preparation_checks_its_fields(fields, kind, message):
    with pytest.raises(kind, match=message):
        Preparation(**{"size": (28, 28), "channels": 1, "mean": (0.5,), "std": (0.5,), **fields})


@pytest.mark.parametrize(
    ("picture", "kind", "message"),
    [
        (torch.rand(1, 28, 28), TypeError, r"must be uint8.*got Tensor of torch.float32.*multiply values in \[0, 1\]"),
        (np.zeros((28, 28)), TypeError, "must be uint8.*got ndarray of float64"),
        (np.zeros((28, 28), bool), TypeError, "must be uint8"),
        (torch.zeros(28, 28, dtype=torch.int64), TypeError, "must be uint8"),
        (torch.zeros(28, 28, 3, dtype=torch.uint8), ValueError, r"picture.permute\(2, 0, 1\) brings"),
        (torch.zeros(5, 28, 28, dtype=torch.uint8), ValueError, r"a picture must be a path.*\(5, 28, 28\)"),
        (torch.zeros(28, dtype=torch.uint8), ValueError, "a picture must be a path"),
        (torch.zeros(1, 0, 28, dtype=torch.uint8), ValueError, "a picture must be a path"),
        (torch.zeros(1, 1, 1, 28, 28, dtype=torch.uint8), ValueError, "a picture must be a path"),
        (np.zeros((3, 28, 3), np.uint8), ValueError, "channels first or last, here it could be either"),
        (np.zeros((28, 28, 4), np.uint8), ValueError, "a picture must be a path"),
        (Image.new("RGB", (0, 5)), ValueError, "must have pixels, got a PIL image of 0x5"),
        ("nowhere.png", FileNotFoundError, "there is none at 'nowhere.png'"),
        ("n" * 5000, FileNotFoundError, "there is none at 'nnn"),
        ("a\0b", FileNotFoundError, "there is none at"),
        (Path(__file__).parent, IsADirectoryError, "is a folder"),
        (b"bytes", TypeError, "a picture must be a path, a PIL image, .* got b'bytes'"),
        (3, TypeError, "a picture must be a path.*got 3"),
        (None, TypeError, "got None"),
        ([[[0, 1], [2, 3]]], TypeError, "a picture must be a path"),
        ({"a.png"}, TypeError, "or a list of such, got {'a.png'}"),
        ([], ValueError, "pictures must hold at least one, got none"),
        (torch.zeros(0, 1, 28, 28, dtype=torch.uint8), ValueError, "pictures must hold at least one"),
    ],
)
def test_a_preparation_refuses_in_words(picture, kind, message):
    preparation = Preparation((28, 28), 1, (0.5,), (0.5,))
    with pytest.raises(kind, match=message) as error:
        preparation(picture)
    assert len(str(error.value)) < 300


def test_sizes_of_prepared_batches_are_checked():
    data = ImageData(torch.zeros(4, 1, 3, 3, dtype=torch.uint8), torch.arange(4) % 2, ["a", "b"], validation=0, test=0)
    for call in (data.preparation, lambda size: data.prepare(noise(3, 3, 1), size)):
        with pytest.raises(TypeError, match=r"size must be an integer, got \(3, 3\)"):
            call((3, 3))
        with pytest.raises(ValueError, match="size must be at least 1"):
            call(0)
