"""The five networks with about as many multiplications each. (chapter 10)"""

from dataclasses import asdict, replace

from torch import nn

from d2lcnn.layers import FlattenLayer
from d2lcnn.nets import NETWORKS, AlexNet, glorot_init, he_init, network, nin, vgg
from d2lcnn.studies.protocol import Protocol, Study, Variant


def resized(network_name: str) -> nn.Module:
    """A mini network, its widths changed until a picture takes 3.3 to 3.4 million multiplications."""
    if network_name == "lenet":
        return glorot_init(_wide_lenet())
    if network_name == "alexnet":
        return he_init(AlexNet(10, 1, 28, (5, 1, 2), (12, 25, 38, 38, 76), fc_hidden_units=256, dropout=0.2))
    if network_name == "vgg":
        conv_arch = ((1, 1, 14), (1, 14, 29), (2, 29, 60))
        return he_init(vgg(conv_arch, 60 * 3 * 3, fc_hidden_units=256, dropout=0.2))
    if network_name == "nin":
        return he_init(nin(stem=(3, 1, 1), widths=(11, 34, 66), dropout=0.0, final_relu=False))
    return network("googlenet", "mini")


def _wide_lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 22, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(2),  # (N, 22, 14, 14)
        nn.Conv2d(22, 50, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(2),  # (N, 50, 5, 5)
        FlattenLayer(),
        nn.Linear(50 * 5 * 5, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )


STUDY = Study(
    "five_equal",
    "How do the five networks compare where a picture takes about as many multiplications in each, and each sees every "
    "picture five times?",
    {
        name: Variant(resized, Protocol(**asdict(replace(sizes["mini"].recipe, epochs=5))), {"network_name": name})
        for name, sizes in NETWORKS.items()
    },
    minutes=32,
)
