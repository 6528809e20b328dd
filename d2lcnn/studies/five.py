"""Which of the five networks is the best? (chapter 10)"""

from dataclasses import asdict

from torch import nn

from d2lcnn.nets import NETWORKS, network
from d2lcnn.studies.protocol import Protocol, Study, Variant


def mini(network_name: str) -> nn.Module:
    """A mini network of the book."""
    return network(network_name, "mini")


STUDY = Study(
    "five",
    "How do the five mini networks compare, each trained as its chapter does?",
    {
        name: Variant(mini, Protocol(**asdict(sizes["mini"].recipe)), {"network_name": name})
        for name, sizes in NETWORKS.items()
    },
    minutes=35,
)
