"""What do LeNet's activation and its pooling cost? (chapter 5)"""

from torch import nn

from d2lcnn.nets import glorot_init, he_init, lenet
from d2lcnn.studies.protocol import Protocol, Study, Variant


def lenet_of(activation: str, pool: str) -> nn.Sequential:
    """LeNet with this activation and pooling, its weights drawn so that its signals keep their size."""
    activations = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
    pools = {"average": nn.AvgPool2d, "maximum": nn.MaxPool2d}
    net = lenet(activation=activations[activation], pool=pools[pool])
    if activation == "relu":
        return he_init(net)
    # Glorot and Bengio's variance makes up for a slope of 1, which tanh has at 0; the sigmoid's there is 1/4.
    return glorot_init(net, gain={"sigmoid": 4.0, "tanh": 1.0}[activation])


# For each the best of 0.001, 0.003, 0.01 and 0.03 for the validation pictures, by seed 100 and two epochs.
_LR = {"sigmoid": 3e-2, "tanh": 1e-2, "relu": 1e-2}

STUDY = Study(
    "lenet_parts",
    "Which activation and which pooling serve LeNet best, each activation with a start and a learning rate that suit "
    "it?",
    {
        f"{activation}_{pool}": Variant(
            lenet_of,
            Protocol(input_size=28, epochs=5, lr=_LR[activation]),
            {"activation": activation, "pool": pool},
        )
        for activation in ("sigmoid", "tanh", "relu")
        for pool in ("average", "maximum")
    },
    minutes=16,
)
