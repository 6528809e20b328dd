"""The trained mini networks that ship with the package."""

import pytest
import torch

import d2lcnn
from d2lcnn import records, weights

NAMES = tuple(d2lcnn.nets.NETWORKS)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return d2lcnn.FashionMNIST()


@pytest.mark.parametrize("name", NAMES)
def test_it_scores_as_its_record_says(name, data):
    (record,) = [r for r in records.read() if records.name(r) == weights.RECORDED[name][1]]
    assert (record["network"], record["variant"], record["seed"]) == (name, "mini", 0)
    net = d2lcnn.network(name, "mini", weights="recorded")
    assert not net.training
    scores = d2lcnn.evaluate(net, data.test(), precision="fp32")
    # Rounded to 16 bits and computed in 32, of ten thousand pictures ten at most change sides.
    assert abs(scores.accuracy - record["test_accuracy"]) <= 0.001
    assert abs(scores.loss - record["test_loss"]) <= 0.001


def test_they_are_small_and_all_there():
    files = {path.stem: path.stat().st_size for path in weights.FOLDER.glob("*.safetensors")}
    assert set(files) == set(NAMES) == set(weights.RECORDED)
    assert sum(files.values()) < 2e6


def test_the_full_lenet_is_the_mini_one():
    assert torch.equal(
        d2lcnn.network("lenet", weights="recorded")[1].weight,
        d2lcnn.network("lenet", "mini", weights="recorded")[1].weight,
    )


def test_a_network_without_padding_to_a_size_takes_larger_pictures():
    net = d2lcnn.network("nin", "mini", input_size=64, weights="recorded")
    assert net(torch.zeros(1, 1, 64, 64)).shape == (1, 10)


def test_weights_leave_the_random_numbers_to_the_network():
    torch.manual_seed(3)
    d2lcnn.network("lenet")
    expected = torch.rand(1)
    torch.manual_seed(3)
    d2lcnn.network("lenet", weights="recorded")
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "vgg", "size": "full"}, "mini networks only; got 'full' for size"),
        ({"name": "vgg", "size": "mini", "num_classes": 3}, "net must be built as the one in"),
        ({"name": "nin", "size": "mini", "in_channels": 3}, "net must be built as the one in"),
        ({"name": "nin", "size": "mini", "weights": "imagenet"}, "None or \"recorded\", got 'imagenet'"),
        ({"name": "nin", "size": "mini", "weights": True}, 'None or "recorded", got True'),
    ],
)
def test_what_was_not_recorded_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        d2lcnn.network(**{"weights": "recorded", **arguments})
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("damage", ["missing", "cut short", "a bit turned", "another network"])
def test_a_damaged_file_is_one_clear_error(damage, tmp_path, monkeypatch):
    content = bytearray((weights.FOLDER / "lenet.safetensors").read_bytes())
    if damage == "cut short":
        content = content[:1000]
    elif damage == "a bit turned":
        content[-7] ^= 1
    elif damage == "another network":
        content = (weights.FOLDER / "nin.safetensors").read_bytes()
    if damage != "missing":
        (tmp_path / "lenet.safetensors").write_bytes(content)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(OSError, match="missing" if damage == "missing" else "damaged or another file") as error:
        d2lcnn.network("lenet", weights="recorded")
    assert "install d2lcnn anew" in str(error.value) and len(str(error.value)) < 300
