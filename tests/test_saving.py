"""Nets that are kept on disk, and what they say of pictures."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import d2lcnn
from d2lcnn import __main__ as cli
from d2lcnn.data import ImageData
from d2lcnn.nets import NETWORKS
from d2lcnn.saving import Classifier, load, save


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Small nets."""


def image_data(channels=1, size=28, classes=("light", "dark"), n=40):
    labels = torch.arange(n) % len(classes)
    noise = torch.randint(60, (n, channels, size, size), generator=torch.Generator().manual_seed(0))
    return ImageData((noise + 190 * (labels == 0).view(-1, 1, 1, 1)).to(torch.uint8), labels, list(classes))


def own_net(channels=1, size=28):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(channels, 4, 5, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_is_built_again(tmp_path, name, channels):
    data = image_data(channels)
    net = d2lcnn.network(name, "mini", num_classes=2, in_channels=channels)
    save(net, tmp_path / "net", data)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    found = load(tmp_path / "net")
    assert torch.equal(torch.get_rng_state(), state)
    assert same(found.net.state_dict(), net.state_dict()) and str(found.net) == str(net) and not found.net.training
    assert found.classes == data.classes and found.preparation == data.preparation()
    X, _ = next(iter(data.test()))
    assert torch.equal(found.net(X), net.eval()(X))
    save(found.net, tmp_path / "again", data)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()


@pytest.mark.parametrize(("name", "size"), [("lenet", 20), ("googlenet", 40)])
def test_another_size(tmp_path, name, size):
    data = image_data(3)
    save(d2lcnn.network(name, "mini", num_classes=2, in_channels=3, input_size=size), tmp_path / "net", data, size=size)
    found = load(tmp_path / "net")
    assert found.preparation.size == (size, size) and len(found.predict(data.images[:3])) == 3
    with pytest.raises(ValueError, match=r"does not fit|net must give"):
        save(d2lcnn.network("lenet", num_classes=2, input_size=32), tmp_path / "net", data)


def test_a_net_of_ones_own(tmp_path):
    data, net = image_data(), own_net()
    d2lcnn.fit(net, data.train(8), epochs=1, lr=0.01, device="cpu", progress=False)
    save(net, tmp_path / "net", data)
    assert same(load_file(tmp_path / "net"), net.state_dict())
    with pytest.raises(ValueError, match=r"is of a net that d2lcnn\.network did not build; give one built as it was"):
        load(tmp_path / "net")
    other = own_net()
    other(torch.zeros(2, 1, 28, 28))
    found = load(tmp_path / "net", other)
    assert found.net is other and same(other.state_dict(), net.state_dict())
    for wrong, message in (
        (nn.Linear(2, 2), "net must be built as"),
        (d2lcnn.lenet(), r"1\.weight is \(4,\) in the file, \(6, 1, 5, 5\) in net"),
    ):
        before = {name: value.clone() for name, value in wrong.state_dict().items()}
        with pytest.raises(ValueError, match=message):
            load(tmp_path / "net", wrong)
        assert same(before, wrong.state_dict())
    with pytest.raises(TypeError, match=r"net must be a torch\.nn\.Module, got the function lenet"):
        load(tmp_path / "net", d2lcnn.lenet)


def test_a_network_that_was_changed_is_one_of_ones_own(tmp_path):
    data, net = image_data(), d2lcnn.network("lenet", num_classes=2)
    net[2] = nn.ReLU()
    save(net, tmp_path / "net", data)
    with pytest.raises(ValueError, match="did not build"):
        load(tmp_path / "net")


def test_tied_weights_and_other_layouts(tmp_path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.Linear(784, 784), nn.Linear(784, 2)).to(torch.float64)
    net[2].weight = net[1].weight
    save(net.float(), tmp_path / "net", image_data())
    assert same(load(tmp_path / "net", net).net.state_dict(), net.state_dict())
    net = d2lcnn.network("lenet", num_classes=2).to(memory_format=torch.channels_last)
    save(net, tmp_path / "net", image_data())
    assert same(load(tmp_path / "net").net.state_dict(), net.state_dict())


def test_damaged_and_foreign_files(tmp_path):
    path, data = tmp_path / "net", image_data()
    save(d2lcnn.network("lenet", num_classes=2), path, data)
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[:1000], whole[:-3], whole[:-9] + bytes([whole[-9] ^ 64]) + whole[-8:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="net is damaged") as got:
            load(path)
        assert len(str(got.value)) < 300
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(ValueError, match=r"is a safetensors file that d2lcnn\.save did not write"):
        load(path)
    content = {"version": 2}
    save_file({"weight": torch.ones(2)}, path, {"d2lcnn.classifier": json.dumps(content)})
    with pytest.raises(ValueError, match="is of version 2; this d2lcnn reads version 1"):
        load(path)
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"path must be a file that d2lcnn\.save wrote"):
            load(missing)


def test_what_cannot_be_saved(tmp_path):
    data, path = image_data(), tmp_path / "net"
    with pytest.raises(TypeError, match=r"net must be a torch\.nn\.Module, got the function lenet"):
        save(d2lcnn.lenet, path, data)
    with pytest.raises(TypeError, match=r"data must be the ImageData that net was trained on, got a Batches"):
        save(d2lcnn.lenet(2), path, data.train(8))
    with pytest.raises(ValueError, match=r"net must give a score for each of 2 classes.*got"):
        save(d2lcnn.lenet(), path, data)

    class Counting(nn.Linear):
        def get_extra_state(self):
            return {"seen": 1}

    with pytest.raises(ValueError, match=r"net must hold its state in tensors, but 1\._extra_state is"):
        save(nn.Sequential(nn.Flatten(), Counting(784, 2)), path, data)
    assert list(tmp_path.iterdir()) == []


def test_predictions(tmp_path):
    data, net = image_data(), d2lcnn.network("lenet", num_classes=2)
    d2lcnn.fit(net, data.train(8), epochs=3, lr=0.01, device="cpu", progress=False)
    classifier = Classifier(net, data.classes, data.preparation())
    X, y = data.images[:5], data.labels[:5]
    Image.fromarray(X[0, 0].numpy()).save(tmp_path / "one.png")
    found = classifier.predict(X)
    assert [next(iter(row)) for row in found] == [data.classes[label] for label in y]
    for row in found:
        assert sum(row.values()) == pytest.approx(1, abs=1e-5) and list(row.values()) == sorted(row.values())[::-1]
    for same_picture in (
        tmp_path / "one.png",
        [str(tmp_path / "one.png")],
        X[:1],
        X[0],
        X[0, 0].numpy(),
        [Image.open(tmp_path / "one.png")],
    ):
        (row,) = classifier.predict(same_picture)
        assert row == pytest.approx(found[0], abs=1e-6)
    assert [next(iter(row)) for row in classifier.predict(255 - X, invert=True)] == [data.classes[label] for label in y]
    # Of many, a few are in memory at once.
    seen = []
    net.register_forward_pre_hook(lambda net, X: seen.append(len(X[0])))
    assert len(classifier.predict([X[0]] * 130)) == 130 and seen == [64, 64, 2]
    assert classifier.predict([]) == []


def test_twenty_photographs_in_ten_lines(tmp_path):
    """A folder of photographs: loaded, trained on, saved, loaded in a new process, predicted."""
    random = np.random.default_rng(0)
    for name, colour in (("sky", (60, 120, 230)), ("grass", (40, 160, 50))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(10):
            pixels = np.clip(random.normal(colour, 30, (60 + k, 80, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{k}.jpg")
    train = """
import d2lcnn
data = d2lcnn.ImageData.from_folder("photos", size=32)
net = d2lcnn.network("googlenet", "mini", num_classes=2, in_channels=3, input_size=32)
d2lcnn.fit(net, data.train(4), data.validation(), epochs=4, lr=2e-3, device="cpu", progress=False)
d2lcnn.save(net, "photos.safetensors", data)
"""
    use = """
import d2lcnn
classifier = d2lcnn.load("photos.safetensors")
for shares in classifier.predict(["photos/sky/1.jpg", "photos/grass/2.jpg"]):
    print(max(shares, key=shares.get), round(max(shares.values()), 2))
"""
    out = ""
    for code in (train, use):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        out = done.stdout
    assert [line.split()[0] for line in out.splitlines()] == ["sky", "grass"]


def run(*arguments):
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def test_train_and_predict_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        d2lcnn.data, "FashionMNIST", lambda root=None: image_data(classes=["light", *"abcdefghi"], n=200)
    )
    path = tmp_path / "net.safetensors"
    assert run("train", "lenet", "--device", "cpu", "--epochs", 1, "--save", path, "--quiet") == 0
    assert f"saved in {path}" in capsys.readouterr().out and [p.name for p in tmp_path.iterdir()] == [path.name]
    picture, broken = tmp_path / "one.png", tmp_path / "broken.png"
    Image.fromarray(np.full((50, 40, 3), 200, np.uint8)).save(picture)
    broken.write_bytes(picture.read_bytes()[:40])
    assert run("predict", broken, picture, "--net", path, "--top", 2) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{picture}: ") and out.count(", ") == 1 and out.count("\n") == 1
    assert err.count("\n") == 1 and str(broken) in err
    assert run("predict", picture, "--net", path, "--invert") == 0
    assert capsys.readouterr().out.count(", ") == 2
    assert run("predict", picture, "--net", picture) == 2 and "is damaged" in capsys.readouterr().err
    assert run("predict", picture, "--net", tmp_path / "no") == 1 and "there is none" in capsys.readouterr().err
    assert run("train", "lenet", "--save", tmp_path / "no" / "net") == 1 and "cannot write" in capsys.readouterr().err
