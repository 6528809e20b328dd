"""Labelled images kept as uint8 tensors, the batches made of them on the device that trains, and of other pictures."""

from d2lcnn.data.fashion_mnist import FashionMNIST
from d2lcnn.data.images import Augment, Batches, ImageData
from d2lcnn.data.pictures import Preparation

__all__ = ["Augment", "Batches", "FashionMNIST", "ImageData", "Preparation"]
