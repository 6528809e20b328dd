"""The chapters' small layers equal their torch counterparts, gradients included."""

import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

from d2lcnn.geometry import pair
from d2lcnn.layers import Conv2D, FlattenLayer, GlobalAvgPool2d, Reshape

# Derandomised, so that a red run is red again; no deadline, since the cores are shared.
repeatable = settings(deadline=None, derandomize=True, max_examples=50)


pytestmark = pytest.mark.usefixtures("one_thread")


seeds = st.integers(0, 2**32 - 1)
batches = st.tuples(*[st.integers(1, 5)] * 4)


def images(shape: tuple[int, ...], seed: int, channels_last: bool) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.to(memory_format=torch.channels_last) if channels_last else x


# Conv2D


@repeatable
@given(st.integers(1, 4) | st.tuples(st.integers(1, 4), st.integers(1, 4)), seeds, st.data())
def test_conv2d_layer_and_its_gradients_equal_torchs(kernel_size, seed, data):
    h, w = (data.draw(st.integers(k, k + 5)) for k in pair(kernel_size))
    generator = torch.Generator().manual_seed(seed)
    layer = Conv2D(kernel_size).double()
    assert layer.weight.shape == pair(kernel_size)
    with torch.no_grad():
        layer.weight.normal_(generator=generator)
        layer.bias.normal_(generator=generator)
    X = torch.randn(h, w, generator=generator, dtype=torch.float64, requires_grad=True)
    inputs = (X, layer.weight, layer.bias)
    ours = layer(X)
    theirs = F.conv2d(X[None, None], layer.weight[None, None], layer.bias)[0, 0]
    assert_close(ours, theirs)
    cotangent = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    for mine, other in zip(
        torch.autograd.grad(ours, inputs, cotangent), torch.autograd.grad(theirs, inputs, cotangent), strict=True
    ):
        assert_close(mine, other)


def test_conv2d_layer_passes_gradcheck():
    layer = Conv2D((2, 3)).double()
    X = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)

    def call(X, weight, bias):
        return functional_call(layer, {"weight": weight, "bias": bias}, (X,))

    assert torch.autograd.gradcheck(call, (X, layer.weight, layer.bias))


def test_conv2d_layer_starts_with_a_random_kernel_and_no_bias():
    torch.manual_seed(0)
    layer, other = Conv2D((2, 3)), Conv2D((2, 3))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert not torch.equal(layer.weight, other.weight)
    assert torch.equal(layer.bias, torch.zeros(1))


def test_conv2d_layer_learns_the_edge_detector_from_data():
    X = torch.ones(6, 8)
    X[:, 2:6] = 0
    Y = X[:, :-1] - X[:, 1:]
    torch.manual_seed(0)
    layer = Conv2D((1, 2))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        ((layer(X) - Y) ** 2).sum().backward()
        optimizer.step()
    assert_close(layer.weight.detach(), torch.tensor([[1.0, -1.0]]), rtol=0, atol=0.05)


@pytest.mark.parametrize("kernel_size", [0, -1, (2, 0), (2,), (2, 3, 4), "3", 2.0, None])
def test_conv2d_layer_refuses_what_is_no_kernel_size(kernel_size):
    with pytest.raises(ValueError, match=rf"kernel_size must be .*at least 1.*got {re.escape(repr(kernel_size))}"):
        Conv2D(kernel_size)


def test_conv2d_layer_refuses_bad_inputs_as_corr2d_does():
    with pytest.raises(ValueError, match=r"input 2 x 5, window 3 x 3"):
        Conv2D(3)(torch.ones(2, 5))
    with pytest.raises(ValueError, match=r"2 axes.*got shape \(1, 5, 5\)"):
        Conv2D(3)(torch.ones(1, 5, 5))


# FlattenLayer, Reshape, GlobalAvgPool2d


@repeatable
@given(batches, seeds, st.booleans())
def test_flatten_keeps_the_order_of_channels_rows_columns(shape, seed, channels_last):
    x = images(shape, seed, channels_last)
    y = FlattenLayer()(x)
    assert y.shape == (shape[0], shape[1] * shape[2] * shape[3])
    assert y.tolist() == [[v for channel in example for row in channel for v in row] for example in x.tolist()]


@pytest.mark.parametrize("shape", [(3, 7), (3, 2, 5), (3, 2, 2, 2, 2), (1, 1), (0, 2, 3)])
def test_flatten_takes_any_number_of_axes(shape):
    x = torch.arange(torch.Size(shape).numel()).reshape(shape)
    assert torch.equal(FlattenLayer()(x), nn.Flatten()(x))


@repeatable
@given(batches, seeds, st.booleans())
def test_reshape_undoes_flatten(shape, seed, channels_last):
    x = images(shape, seed, channels_last)
    assert torch.equal(Reshape(*shape[1:])(FlattenLayer()(x)), x)
    assert torch.equal(Reshape(*shape[1:])(x), x)
    _, c, h, w = shape
    assert torch.equal(Reshape(1, w, c * h)(x), FlattenLayer()(x).view(-1, 1, w, c * h))


def test_reshape_makes_fashion_mnist_images_unless_told():
    x = torch.arange(2 * 784.0).reshape(2, 784)
    y = Reshape()(x)
    assert y.shape == (2, 1, 28, 28)
    assert y[1, 0, 2, 3] == 784 + 2 * 28 + 3
    assert Reshape()(torch.ones(3, 28, 28)).shape == (3, 1, 28, 28)


@repeatable
@given(batches, seeds, st.booleans())
def test_global_average_pooling_is_the_mean_of_each_channel(shape, seed, channels_last):
    x = images(shape, seed, channels_last)
    y = GlobalAvgPool2d()(x)
    assert y.shape == (*shape[:2], 1, 1)
    assert_close(y, x.sum((2, 3), keepdim=True) / (shape[2] * shape[3]))
    assert_close(y, nn.AdaptiveAvgPool2d(1)(x))


@pytest.mark.parametrize("layer", [FlattenLayer(), Reshape(2, 3, 4), GlobalAvgPool2d()], ids=lambda x: type(x).__name__)
def test_layers_can_be_traced_and_pass_gradients_on(layer):
    x = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    traced = torch.fx.symbolic_trace(layer)
    assert torch.equal(traced(x), layer(x))
    assert torch.autograd.gradcheck(layer, (x,))
