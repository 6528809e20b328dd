"""Small layers that the chapters share."""

import torch
from torch import Tensor, nn

from d2lcnn.geometry import Size, _check_sizes, pair
from d2lcnn.ops import corr2d


class Conv2D(nn.Module):
    """Convolutional layer for one picture X (h, w): a learned kernel and a scalar bias (chapter 1).

    `kernel_size` is (k_h, k_w), or one number for both. Raises ValueError for other kernel
    sizes, and as `corr2d` does.
    """

    def __init__(self, kernel_size: Size) -> None:
        _check_sizes(kernel_size=kernel_size)
        super().__init__()
        self.weight = nn.Parameter(torch.randn(pair(kernel_size)))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, X: Tensor) -> Tensor:
        """Return corr2d(X, weight) + bias."""
        return corr2d(X, self.weight) + self.bias


class FlattenLayer(nn.Module):
    """Flatten each example: (N, ...) to (N, features)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x with every axis but the first flattened."""
        return x.flatten(1)


class Reshape(nn.Module):
    """Give each example a shape, (1, 28, 28) unless told: (N, ...) to (N, channels, height, width)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape or (1, 28, 28)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with each example in that shape."""
        return x.reshape(-1, *self.shape)


class GlobalAvgPool2d(nn.Module):
    """Global average pooling: the mean of each channel, (N, C, H, W) to (N, C, 1, 1) (Lin et al., 2013)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of each channel."""
        return x.mean((2, 3), keepdim=True)
