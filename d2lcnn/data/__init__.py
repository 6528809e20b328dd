"""Labelled images kept as uint8 tensors, and the batches made of them on the device that trains."""

from d2lcnn.data.fashion_mnist import FashionMNIST
from d2lcnn.data.images import Augment, Batches, ImageData

__all__ = ["Augment", "Batches", "FashionMNIST", "ImageData"]
