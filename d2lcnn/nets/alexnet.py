"""AlexNet (Krizhevsky et al., 2012) and a mini network of the same layers for 28x28."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from d2lcnn.nets.recipe import Recipe, Variant
from d2lcnn.nets.sizes import _check_length, _check_positive, flat_features
from d2lcnn.nets.weights import he_init


class AlexNet(nn.Module):
    """AlexNet (chapter 6): (N, in_channels, input_size, input_size) to (N, num_classes).

    `conv` holds five convolutions, `fc` three fully connected layers: 46,764,746 parameters with the default arguments.
    `stem` is the first convolution's (kernel size, stride, padding), `widths` the output channels of all five.
    Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012.

    Raises ValueError naming the layer where the map vanishes if the input is too small.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        input_size: int = 224,
        stem: tuple[int, int, int] = (11, 4, 0),
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        fc_hidden_units: int = 4096,
        dropout: float = 0.5,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        _check_positive(
            num_classes=num_classes, in_channels=in_channels, input_size=input_size, fc_hidden_units=fc_hidden_units
        )
        _check_length("stem", stem, 3)
        _check_length("widths", widths, 5)
        super().__init__()
        c1, c2, c3, c4, c5 = widths
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, c1, *stem),  # (N, 96, 54, 54)
            activation(),
            nn.MaxPool2d(3, 2),  # (N, 96, 26, 26)
            nn.Conv2d(c1, c2, 5, 1, 2),  # (N, 256, 26, 26): same padding from here
            activation(),
            nn.MaxPool2d(3, 2),  # (N, 256, 12, 12)
            nn.Conv2d(c2, c3, 3, 1, 1),  # (N, 384, 12, 12)
            activation(),
            nn.Conv2d(c3, c4, 3, 1, 1),  # (N, 384, 12, 12)
            activation(),
            nn.Conv2d(c4, c5, 3, 1, 1),  # (N, 256, 12, 12)
            activation(),
            nn.MaxPool2d(3, 2),  # (N, 256, 5, 5)
        )
        self.fc = nn.Sequential(
            nn.Linear(flat_features(self.conv, in_channels, input_size), fc_hidden_units),  # 256 * 5 * 5 features
            activation(),
            nn.Dropout(dropout),
            nn.Linear(fc_hidden_units, fc_hidden_units),
            activation(),
            nn.Dropout(dropout),
            nn.Linear(fc_hidden_units, num_classes),
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, num_classes) of a batch of images."""
        X = self.conv(X)  # (N, 256, 5, 5)
        X = X.flatten(1)  # (N, 6400)
        return self.fc(X)  # (N, num_classes)


def alexnet_mini(num_classes: int = 10, in_channels: int = 1, input_size: int = 28) -> AlexNet:
    """AlexNet for small images: its first convolution keeps 28x28; narrow layers, little dropout, weights by `he_init`.

    Raises ValueError as `AlexNet` does.
    """
    widths = (16, 32, 48, 48, 96)
    return he_init(AlexNet(num_classes, in_channels, input_size, (5, 1, 2), widths, fc_hidden_units=256, dropout=0.2))


def _full(**options: Any) -> AlexNet:
    return he_init(AlexNet(**options))


VARIANTS = {
    "full": Variant(_full, Recipe(input_size=224, epochs=10, lr=1e-3, weight_decay=0.05, flip=True)),
    "mini": Variant(alexnet_mini, Recipe(input_size=28, epochs=5, lr=3e-3, batch_size=64, weight_decay=0.05)),
}
