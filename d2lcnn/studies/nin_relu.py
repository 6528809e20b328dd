"""What does a ReLU on the logits cost? (chapter 8)"""

import torch
from torch import nn

from d2lcnn.data import ImageData
from d2lcnn.nets import he_init, nin
from d2lcnn.studies.protocol import Protocol, Study, Variant


def nin_ending(final_relu: bool, start: str) -> nn.Sequential:
    """The mini network with or without its last ReLU, drawn by `he_init` ("he") or as PyTorch does ("torch")."""
    net = nin(stem=(3, 1, 1), widths=(16, 48, 96), dropout=0.0, final_relu=final_relu)
    return he_init(net) if start == "he" else net


@torch.no_grad()
def measure(net: nn.Module, data: ImageData, device: torch.device) -> dict[str, int]:
    """How many classes are given to no test picture at all."""
    answers = torch.cat([net(X).argmax(1).cpu() for X, _ in data.test().on(device)])
    return {"classes_never_named": 10 - len(answers.unique())}


STUDY = Study(
    "nin_relu",
    "Does a ReLU on the logits cost accuracy, or whole classes, from He's start and from PyTorch's?",
    {
        f"{'relu' if final_relu else 'no_relu'}_{start}": Variant(
            nin_ending,
            Protocol(input_size=28, epochs=2, lr=4e-3, batch_size=64, weight_decay=0.05),
            {"final_relu": final_relu, "start": start},
        )
        for start in ("he", "torch")
        for final_relu in (True, False)
    },
    minutes=18,
    measure=measure,
)
