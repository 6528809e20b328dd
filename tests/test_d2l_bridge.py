"""The bridge to d2l, both ways."""

import sys

import pytest
import torch
from torch import nn

from d2lcnn.data import ImageData
from d2lcnn.training import evaluate, fit

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
d2l = pytest.importorskip("d2l.torch", reason="d2l is not installed")

from d2lcnn import d2l_bridge  # noqa: E402
from d2lcnn.d2l_bridge import D2LClassifier, D2LData, train_with_d2l  # noqa: E402


@pytest.fixture
def data():
    labels = torch.arange(120) % 3
    noise = torch.randint(100, (120, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    images = (noise + 50 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return ImageData(images, labels, ["a", "b", "c"])


def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def test_our_net_and_data_in_their_trainer(data, capsys):
    net, epochs = make_net(), 6
    curves = train_with_d2l(net, data.train(16), data.validation(4), epochs=epochs, lr=0.1)
    assert {name: len(curves[name]) for name in ("loss", "val_loss", "val_accuracy")} == dict.fromkeys(
        ("loss", "val_loss", "val_accuracy"), epochs
    )
    assert curves["loss"][-1] < 0.7 * curves["loss"][0] and curves["seconds"] > 0
    assert curves["val_accuracy"][-1] == pytest.approx(evaluate(net, data.validation(4), precision="fp32").accuracy)
    assert not net.training and capsys.readouterr().out == ""


def test_their_trainer_does_what_it_says(data):
    """d2l's training is plain SGD on the mean loss: the same as ours with that optimizer and no schedule."""
    theirs, ours = make_net(), make_net()
    curves = train_with_d2l(theirs, data.train(16), epochs=2, lr=0.1)
    sgd = torch.optim.SGD(ours.parameters(), lr=0.1)
    fit(ours, data.train(16), epochs=2, optimizer=sgd, schedule=None, precision="fp32", device="cpu", progress=False)
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert curves["val_loss"] == curves["val_accuracy"] == [] and len(curves["loss"]) == 2


def test_objects_are_of_their_classes(data):
    net = make_net()
    model, module = D2LClassifier(net, lr=0.1), D2LData(data.train(16), data.test(4))
    assert isinstance(model, d2l.Classifier) and model.configure_optimizers().param_groups[0]["lr"] == 0.1
    assert isinstance(module, d2l.DataModule)
    assert len(module.train_dataloader()) == len(data.train(16)) and len(module.val_dataloader()) == len(data.test(4))
    model.board.display = False
    d2l.Trainer(max_epochs=1).fit(model, module)
    assert model.board.data["val_acc"]


def test_their_trainer_sees_another_order_each_epoch(data):
    loader = D2LData(data.train(96, seed=2)).train_dataloader()
    for epoch in range(3):
        ((X, y),) = loader
        X_expected, y_expected = next(data.train(96, seed=2).epoch(epoch))
        assert torch.equal(X, X_expected) and torch.equal(y, y_expected)


def test_their_module_and_data_in_our_fit():
    class Data(d2l.DataModule):
        def __init__(self):
            super().__init__()
            g = torch.Generator().manual_seed(0)
            self.batch_size = 16
            self.y = torch.arange(100) % 3
            self.X = torch.randn(100, 1, 8, 8, generator=g) + self.y.view(-1, 1, 1, 1)

        def get_dataloader(self, train):
            return self.get_tensorloader((self.X, self.y), train, slice(0, 80) if train else slice(80, None))

    torch.manual_seed(0)
    module, model = Data(), d2l.SoftmaxRegression(num_outputs=3, lr=0.1)
    train, val = module.train_dataloader(), module.val_dataloader()
    history = fit(model, train, val, epochs=5, lr=0.05, device="cpu", progress=False)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history.last["val_accuracy"] == evaluate(model, val).accuracy > 0.5


def test_without_d2l(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "d2l", None)
    for use in (
        lambda: D2LClassifier(make_net(), 0.1),
        lambda: D2LData(data.train(16)),
        lambda: d2l_bridge.train_with_d2l(make_net(), data.train(16), epochs=1, lr=0.1),
    ):
        with pytest.raises(ImportError, match="pip install --no-deps d2l"):
            use()
