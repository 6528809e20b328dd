"""A mean, or fully connected layers? (chapter 8)"""

from torch import nn

from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.nets import he_init, nin
from d2lcnn.studies.protocol import Protocol, Study, Variant


def nin_with_head(head: str) -> nn.Sequential:
    """Three narrow NiN blocks, then the "average" of a map for each class, or "connected" layers."""
    body = nin(stem=(5, 1, 2), widths=(16, 32, 64))[:5]  # (N, 64, 6, 6)
    heads = {
        "average": (nn.Conv2d(64, 10, kernel_size=1), GlobalAvgPool2d(), FlattenLayer()),
        "connected": (FlattenLayer(), nn.Linear(64 * 6 * 6, 256), nn.ReLU(), nn.Linear(256, 10)),
    }
    return he_init(nn.Sequential(body, *heads[head]))


STUDY = Study(
    "nin_head",
    "Does a global average do better on pictures not seen than fully connected layers, with 200, 1,000, 4,000 and "
    "20,000 pictures to train on?",
    {
        f"{head}_{examples}": Variant(
            nin_with_head,
            Protocol(
                input_size=28, epochs=epochs, lr=3e-3, batch_size=batch_size, weight_decay=0.05, examples=examples
            ),
            {"head": head},
        )
        for examples, epochs, batch_size in ((200, 60, 20), (1000, 40, 50), (4000, 20, 64), (20_000, 8, 64))
        for head in ("average", "connected")
    },
    minutes=16,
)
