"""Does convolution earn its keep? (chapters 3 and 5)"""

from collections.abc import Callable
from itertools import pairwise

from torch import nn

from d2lcnn.nets import he_init, lenet
from d2lcnn.studies.protocol import Protocol, Study, Variant


def convolutional() -> nn.Sequential:
    """LeNet with ReLU and maximum pooling."""
    return he_init(lenet(activation=nn.ReLU, pool=nn.MaxPool2d))


def fully_connected(first: int, second: int = 0) -> nn.Sequential:
    """One hidden layer of `first` units, or a second one after it."""
    sizes = [784, first, *([second] if second else [])]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return he_init(nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], 10)))


# With each its learning rate: of 0.001, 0.003 and 0.01 the best for the validation pictures, by seed 100.
_NETS: dict[str, tuple[Callable[..., nn.Module], dict[str, int], float]] = {
    "conv": (convolutional, {}, 1e-2),
    "fc_same_parameters": (fully_connected, {"first": 77}, 3e-3),
    "fc_same_work": (fully_connected, {"first": 478, "second": 84}, 3e-3),
}

STUDY = Study(
    "convolution",
    "Is a convolutional network better than a fully connected one of as many parameters, or of as many "
    "multiplications, and is it still where the pixels of all pictures are scrambled?",
    {
        name + ("_scrambled" if scrambled else ""): Variant(
            build, Protocol(input_size=28, epochs=5, lr=lr, scrambled=scrambled), settings
        )
        for scrambled in (False, True)
        for name, (build, settings, lr) in _NETS.items()
    },
    minutes=10,
)
