"""A network and data of ours in d2l.Trainer (Dive into Deep Learning, d2l 1.0.3), for comparison.

The other way needs no bridge: `fit` trains a d2l module, which is an nn.Module, on a d2l data module's
`train_dataloader()` and `val_dataloader()`, which are DataLoaders.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from d2lcnn.training.batches import knows_epochs


def D2LClassifier(net: nn.Module, lr: float) -> Any:
    """A d2l.Classifier around `net`, (N, ...) to (N, classes), which d2l trains by plain SGD at the learning rate `lr`.

    Raises ImportError where d2l is missing.
    """
    d2l = _import_d2l()

    class Classifier(d2l.Classifier):
        def __init__(self) -> None:
            super().__init__(plot_train_per_epoch=1)
            self.net, self.lr = net, lr

    return Classifier()


def D2LData(train: Iterable, val: Iterable | None = None) -> Any:
    """A d2l.DataModule that serves batches (X, y), such as those of an `ImageData`, in another order each epoch.

    Raises ImportError where d2l is missing.
    """
    d2l = _import_d2l()

    class Data(d2l.DataModule):
        def train_dataloader(self) -> "_Epochs":
            return _Epochs(train)

        def val_dataloader(self) -> "_Epochs | None":
            return None if val is None else _Epochs(val)

    return Data()


def train_with_d2l(
    net: nn.Module,
    train: Iterable,
    val: Iterable | None = None,
    *,
    epochs: int,
    lr: float,
    display: bool = False,
) -> dict[str, Any]:
    """Train `net` by d2l.Trainer: SGD at the learning rate `lr`, on the CPU; leaves it in eval mode.

    Returns loss, val_loss and val_accuracy, lists with one number an epoch (d2l's means over batches), and seconds,
    all in all. `display` shows d2l's animated plot. Raises ImportError where d2l is missing.
    """
    d2l = _import_d2l()
    model = D2LClassifier(net, lr)
    model.board.display = display
    start = time.perf_counter()
    d2l.Trainer(max_epochs=epochs).fit(model, D2LData(train, val))
    seconds = time.perf_counter() - start
    net.eval()
    names = {"loss": "train_loss", "val_loss": "val_loss", "val_accuracy": "val_acc"}
    curves = {name: [float(point.y) for point in model.board.data.get(label, [])] for name, label in names.items()}
    return curves | {"seconds": seconds}


class _Epochs:
    """Goes on to the next epoch each time it is iterated over; d2l does not count for its data."""

    def __init__(self, source: Iterable) -> None:
        self.source, self.epoch = source, 0

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = self.source.epoch(self.epoch) if knows_epochs(self.source) else iter(self.source)
        self.epoch += 1
        return batches


def _import_d2l() -> Any:
    try:
        from d2l import torch as d2l
    except ImportError as error:
        advice = "pip install --no-deps d2l, for with its dependencies it would downgrade numpy and others"
        raise ImportError(f"this needs the d2l package ({error}): {advice}") from error
    return d2l
