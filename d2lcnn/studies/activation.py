"""What did the ReLU buy? (chapter 6)"""

from torch import nn

from d2lcnn.nets import AlexNet, he_init
from d2lcnn.studies.protocol import Protocol, Study, Variant


def alexnet_with(activation: str, start: str) -> AlexNet:
    """The mini network with this activation, its weights drawn by `he_init` ("he") or as PyTorch does ("torch")."""
    activations = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
    net = AlexNet(10, 1, 28, (5, 1, 2), (16, 32, 48, 48, 96), 256, dropout=0.2, activation=activations[activation])
    return he_init(net) if start == "he" else net


STUDY = Study(
    "activation",
    "Does AlexNet's mini network learn as well with sigmoid or tanh as with ReLU, from PyTorch's start and from He's?",
    {
        f"{activation}_{start}": Variant(
            alexnet_with,
            Protocol(input_size=28, epochs=2, lr=3e-3, batch_size=64, weight_decay=0.05),
            {"activation": activation, "start": start},
        )
        for activation in ("sigmoid", "tanh", "relu")
        for start in ("torch", "he")
    },
    minutes=16,
)
