"""Do dropout and augmentation help, and when? (chapter 6)"""

import torch
from torch import nn

from d2lcnn.data import ImageData
from d2lcnn.nets import AlexNet, he_init
from d2lcnn.studies.protocol import Protocol, Study, Variant


def narrow_alexnet(dropout: float) -> AlexNet:
    """The mini network of half its width."""
    widths = (8, 16, 24, 24, 48)
    return he_init(AlexNet(10, 1, 28, (5, 1, 2), widths, fc_hidden_units=128, dropout=dropout))


@torch.no_grad()
def measure(net: nn.Module, data: ImageData, device: torch.device) -> dict[str, float]:
    """Accuracy on the pictures it was trained on, at most 5,000 of them, as they are and without dropout."""
    images, labels = data.split("train")
    normalised = data.preparation().on(device)
    right = [
        (net(normalised(X.to(device))).argmax(1) == y.to(device)).sum().item()
        for X, y in zip(images[:5000].split(1000), labels[:5000].split(1000))
    ]
    return {"seen_accuracy": sum(right) / min(5000, len(images))}


_METHODS = {"neither": (0.0, False), "dropout": (0.5, False), "augmentation": (0.0, True), "both": (0.5, True)}

STUDY = Study(
    "dropout",
    "Does dropout in the fully connected layers, or do shifted and mirrored pictures, help on pictures not seen, with "
    "1,000, 4,000 and 55,000 pictures to train on?",
    {
        f"{method}_{examples}": Variant(
            narrow_alexnet,
            Protocol(
                input_size=28,
                epochs=epochs,
                lr=3e-3,
                batch_size=64,
                weight_decay=0.05,
                flip=augment,
                shift=2 * augment,
                examples=examples,
            ),
            {"dropout": dropout},
        )
        for examples, epochs in ((1000, 80), (4000, 40), (55_000, 6))
        for method, (dropout, augment) in _METHODS.items()
    },
    minutes=30,
    measure=measure,
)
