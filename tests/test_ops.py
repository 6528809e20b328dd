"""The operations by hand give what torch.nn.functional and scipy.signal give, and refuse what these refuse."""

import re
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from torch.testing import assert_close

from d2lcnn.geometry import pair, same_padding
from d2lcnn.ops import (
    convolve2d,
    corr2d,
    corr2d_im2col,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_multi_in_out_1x1,
    pool2d,
)

# Derandomised, so that a red run is red again; no deadline, since the cores are shared.
repeatable = settings(deadline=None, derandomize=True, max_examples=200)


pytestmark = pytest.mark.usefixtures("one_thread")


FLOATS = (torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.int64)


class Window(NamedTuple):
    shape: tuple[int, int]
    kernel: int | tuple[int, int]
    padding: int | tuple[int, int]
    stride: int | tuple[int, int] | None
    dilation: int | tuple[int, int]

    @property
    def settings(self) -> dict:
        return {"padding": self.padding, "stride": self.stride, "dilation": self.dilation}


def sizes(least: int, most: int) -> st.SearchStrategy:
    number = st.integers(least, most)
    return number | st.tuples(number, number)


def fitting_shape(draw: st.DrawFn, kernel, padding, dilation) -> tuple[int, int]:
    axes = zip(pair(kernel), pair(padding), pair(dilation), strict=True)
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in axes]
    return tuple(draw(st.integers(n, n + 5)) for n in least)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """A window that fits its padded input, sometimes exactly."""
    kernel, padding, dilation = draw(sizes(1, 4)), draw(sizes(0, 3)), draw(sizes(1, 3))
    shape = fitting_shape(draw, kernel, padding, dilation)
    return Window(shape, kernel, padding, draw(sizes(1, 3)), dilation)


@st.composite
def pools(draw: st.DrawFn, max_dilation: int) -> Window:
    """A pooling window with a padding that torch allows: at most half of it."""
    kernel, dilation = draw(sizes(1, 4)), draw(sizes(1, max_dilation))
    k_h, k_w = pair(kernel)
    padding = draw(st.integers(0, min(k_h, k_w) // 2) | st.tuples(st.integers(0, k_h // 2), st.integers(0, k_w // 2)))
    shape = fitting_shape(draw, kernel, padding, dilation)
    return Window(shape, kernel, padding, draw(st.none() | sizes(1, 3)), dilation)


class Source:
    """Random tensors from a seed that hypothesis draws, some of them not contiguous."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, dtype: torch.dtype = torch.float64, bits: int = 40) -> torch.Tensor:
        transposed = len(shape) > 1 and bool(torch.randint(2, (), generator=self.generator))
        if transposed:
            shape = (*shape[:-2], shape[-1], shape[-2])
        if dtype.is_floating_point:
            X = torch.randn(shape, generator=self.generator, dtype=dtype)
        else:
            X = torch.randint(-(2**bits), 2**bits, shape, generator=self.generator, dtype=dtype)
        return X.mT if transposed else X

    def kernel(self, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        # Products of 40 and 16 bits are beyond float64's 53, so that a detour over floats would show,
        # and sums of up to 48 of them still fit int64.
        return self(*shape, dtype=dtype, bits=16)

    def __repr__(self) -> str:
        return f"Source({self.generator.initial_seed()})"


sources = st.builds(Source, st.integers(0, 2**32 - 1))
dtypes = st.sampled_from(DTYPES)
channels = st.integers(1, 3)


def torch_conv2d(X: torch.Tensor, K: torch.Tensor, window: Window) -> torch.Tensor:
    """F.conv2d for X and K with any of the ranks that ours take."""
    weight = K.reshape((1,) * (4 - K.dim()) + K.shape)
    Y = F.conv2d(X.reshape((1,) * (4 - X.dim()) + X.shape), weight, **window.settings)[0]
    return Y if K.dim() == 4 else Y[0]


def torch_pool2d(X: torch.Tensor, window: Window, mode: str) -> torch.Tensor:
    images = X.reshape(-1, 1, *X.shape[-2:])
    if mode == "max":
        Y = F.max_pool2d(images, window.kernel, window.stride, window.padding, window.dilation)
    else:
        Y = F.avg_pool2d(images, window.kernel, window.stride, window.padding)
    return Y.reshape(*X.shape[:-2], *Y.shape[-2:])


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal shapes and dtypes; values exact for integers, within assert_close's tolerances for floats."""
    exact = {} if expected.is_floating_point() else {"rtol": 0, "atol": 0}
    assert_close(actual, expected, **exact)


def assert_same_gradients(ours, theirs, inputs: tuple[torch.Tensor, ...], source: Source) -> None:
    inputs = tuple(value.detach().clone().requires_grad_() for value in inputs)
    Y, Z = ours(*inputs), theirs(*inputs)
    weights = source(*Z.shape, dtype=Z.dtype)
    for mine, other in zip(
        torch.autograd.grad(Y, inputs, weights), torch.autograd.grad(Z, inputs, weights), strict=True
    ):
        assert_close(mine, other)


def refused(*parts: object):
    """A ValueError whose message holds every part, in this order."""
    return pytest.raises(ValueError, match="(?s)" + ".*".join(re.escape(str(part)) for part in parts))


# Against torch


@repeatable
@given(windows(), dtypes, sources)
def test_corr2d_equals_torch(window, dtype, source):
    X, K = source(*window.shape, dtype=dtype), source.kernel(*pair(window.kernel), dtype=dtype)
    before = X.clone(), K.clone()
    assert_same(corr2d(X, K, **window.settings), torch_conv2d(X, K, window))
    assert torch.equal(X, before[0]) and torch.equal(K, before[1])


@repeatable
@given(windows(), dtypes, sources)
def test_convolve2d_is_corr2d_with_the_kernel_turned_by_half_a_turn(window, dtype, source):
    X, K = source(*window.shape, dtype=dtype), source.kernel(*pair(window.kernel), dtype=dtype)
    assert_same(convolve2d(X, K, **window.settings), torch_conv2d(X, K.rot90(2), window))


@repeatable
@given(windows(), channels, dtypes, sources)
def test_corr2d_multi_in_equals_torch(window, c_i, dtype, source):
    X, K = source(c_i, *window.shape, dtype=dtype), source.kernel(c_i, *pair(window.kernel), dtype=dtype)
    assert_same(corr2d_multi_in(X, K, **window.settings), torch_conv2d(X, K, window))


@settings(repeatable, max_examples=100)
@given(windows(), channels, channels, dtypes, sources)
def test_corr2d_multi_in_out_equals_torch(window, c_i, c_o, dtype, source):
    X, K = source(c_i, *window.shape, dtype=dtype), source.kernel(c_o, c_i, *pair(window.kernel), dtype=dtype)
    assert_same(corr2d_multi_in_out(X, K, **window.settings), torch_conv2d(X, K, window))


@repeatable
@given(st.integers(1, 6), st.integers(1, 6), channels, channels, dtypes, sources)
def test_corr2d_multi_in_out_1x1_equals_torch_and_the_loops(h, w, c_i, c_o, dtype, source):
    X, K = source(c_i, h, w, dtype=dtype), source.kernel(c_o, c_i, 1, 1, dtype=dtype)
    Y = corr2d_multi_in_out_1x1(X, K)
    assert_same(Y, F.conv2d(X[None], K)[0])
    assert_same(Y, corr2d_multi_in_out(X, K))


@repeatable
@given(windows(), dtypes, sources)
def test_corr2d_im2col_equals_torch_on_one_picture(window, dtype, source):
    X, K = source(*window.shape, dtype=dtype), source.kernel(*pair(window.kernel), dtype=dtype)
    assert_same(corr2d_im2col(X, K, **window.settings), torch_conv2d(X, K, window))


@repeatable
@given(windows(), channels, channels, dtypes, sources)
def test_corr2d_im2col_equals_torch_with_channels(window, c_i, c_o, dtype, source):
    X, K = source(c_i, *window.shape, dtype=dtype), source.kernel(c_o, c_i, *pair(window.kernel), dtype=dtype)
    assert_same(corr2d_im2col(X, K, **window.settings), torch_conv2d(X, K, window))


leading = st.lists(st.integers(1, 3), max_size=3)


@repeatable
@given(pools(max_dilation=3), leading, dtypes, sources, st.booleans())
def test_max_pooling_equals_torch(window, leading, dtype, source, negative):
    X = source(*leading, *window.shape, dtype=dtype)
    if negative:  # a padding with zeros would win every border window
        X = -X.abs() - 1
    assert_same(pool2d(X, window.kernel, "max", **window.settings), torch_pool2d(X, window, "max"))


@repeatable
@given(pools(max_dilation=1), leading, st.sampled_from(FLOATS), sources)
def test_average_pooling_equals_torch(window, leading, dtype, source):
    X = source(*leading, *window.shape, dtype=dtype)
    assert_same(pool2d(X, window.kernel, "avg", **window.settings), torch_pool2d(X, window, "avg"))


@pytest.mark.parametrize("mode", ["max", "avg"])
def test_pool2d_steps_by_its_window_unless_told(mode):
    X = torch.arange(48.0).reshape(6, 8)
    assert_same(pool2d(X, (2, 3), mode), pool2d(X, (2, 3), mode, stride=(2, 3)))
    assert pool2d(X, (2, 3), mode).shape == (3, 2)


def test_pool2d_takes_the_maximum_unless_told():
    assert_same(pool2d(torch.arange(4.0).reshape(2, 2), 2), torch.tensor([[3.0]]))


@repeatable
@given(st.integers(1, 6), st.integers(1, 6), sizes(1, 4), sizes(0, 2), sizes(1, 3), sizes(1, 3), sources)
def test_what_torch_refuses_is_refused_and_nothing_else(h, w, kernel, padding, stride, dilation, source):
    window = Window((h, w), kernel, padding, stride, dilation)
    X, K = source(h, w), source.kernel(*pair(kernel))
    operations = [corr2d, convolve2d, corr2d_im2col]
    try:
        torch_conv2d(X, K, window)
    except RuntimeError:
        for operation in operations:
            with refused("padded input", f"input {h} x {w}", f"window {' x '.join(map(str, pair(kernel)))}"):
                operation(X, K, **window.settings)
    else:
        for operation in operations:
            operation(X, K, **window.settings)
    try:
        torch_pool2d(X, window, "max")
    except RuntimeError:
        with pytest.raises(ValueError, match=r"padding must be at most half|larger than the padded input"):
            pool2d(X, kernel, **window.settings)
    else:
        pool2d(X, kernel, **window.settings)


# Against scipy


@repeatable
@given(windows(), dtypes, sources)
def test_valid_mode_equals_scipy(window, dtype, source):
    k_h, k_w = pair(window.kernel)
    h, w = window.shape
    X, K = source(h + k_h, w + k_w, dtype=dtype), source.kernel(k_h, k_w, dtype=dtype)
    assert_same(corr2d(X, K), torch.from_numpy(signal.correlate2d(X.numpy(), K.numpy(), "valid")))
    assert_same(convolve2d(X, K), torch.from_numpy(signal.convolve2d(X.numpy(), K.numpy(), "valid")))


@repeatable
@given(windows(), dtypes, sources)
def test_full_mode_equals_scipy(window, dtype, source):
    k_h, k_w = pair(window.kernel)
    X, K = source(*window.shape, dtype=dtype), source.kernel(k_h, k_w, dtype=dtype)
    padding = (k_h - 1, k_w - 1)
    assert_same(corr2d(X, K, padding), torch.from_numpy(signal.correlate2d(X.numpy(), K.numpy(), "full")))
    assert_same(convolve2d(X, K, padding), torch.from_numpy(signal.convolve2d(X.numpy(), K.numpy(), "full")))


@repeatable
@given(st.integers(3, 8), st.integers(3, 8), st.sampled_from([1, 3]), st.sampled_from([1, 3]), dtypes, sources)
def test_same_padding_is_scipys_mode_same(h, w, k_h, k_w, dtype, source):
    X, K = source(h, w, dtype=dtype), source.kernel(k_h, k_w, dtype=dtype)
    padding = same_padding((k_h, k_w))
    assert_same(corr2d(X, K, padding), torch.from_numpy(signal.correlate2d(X.numpy(), K.numpy(), "same")))
    assert_same(convolve2d(X, K, padding), torch.from_numpy(signal.convolve2d(X.numpy(), K.numpy(), "same")))


def test_flipping_one_axis_only_is_no_convolution():
    X, K = torch.arange(9).reshape(3, 3), torch.arange(4).reshape(2, 2)
    both = torch.from_numpy(signal.convolve2d(X.numpy(), K.numpy(), "valid"))
    assert torch.equal(convolve2d(X, K), both)
    assert not any(torch.equal(corr2d(X, K.flip(axis)), both) for axis in (0, 1))


# Gradients


@settings(repeatable, max_examples=40)
@given(windows(), st.sampled_from([corr2d, corr2d_im2col]), sources)
def test_gradients_of_corr2d_equal_torchs(window, operation, source):
    inputs = source(*window.shape), source.kernel(*pair(window.kernel))
    assert_same_gradients(
        lambda X, K: operation(X, K, **window.settings), lambda X, K: torch_conv2d(X, K, window), inputs, source
    )


@settings(repeatable, max_examples=40)
@given(windows(), channels, channels, st.sampled_from([corr2d_multi_in_out, corr2d_im2col]), sources)
def test_gradients_with_channels_equal_torchs(window, c_i, c_o, operation, source):
    inputs = source(c_i, *window.shape), source.kernel(c_o, c_i, *pair(window.kernel))
    assert_same_gradients(
        lambda X, K: operation(X, K, **window.settings), lambda X, K: torch_conv2d(X, K, window), inputs, source
    )


@settings(repeatable, max_examples=40)
@given(st.sampled_from(["max", "avg"]).flatmap(lambda m: st.tuples(st.just(m), pools(3 if m == "max" else 1))), sources)
def test_gradients_of_pooling_equal_torchs(mode_and_window, source):
    mode, window = mode_and_window
    assert_same_gradients(
        lambda X: pool2d(X, window.kernel, mode, **window.settings),
        lambda X: torch_pool2d(X, window, mode),
        (source(2, *window.shape),),
        source,
    )


def test_elements_that_tie_for_a_maximum_share_its_gradient():
    X = torch.zeros(2, 2, requires_grad=True)
    pool2d(X, 2).sum().backward()
    assert_same(X.grad, torch.full((2, 2), 0.25))


# Numbers that textbooks print

X3 = torch.arange(9.0).reshape(3, 3)
K2 = torch.arange(4.0).reshape(2, 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", [corr2d, corr2d_im2col])
def test_corr2d_of_the_textbook(operation, dtype):
    assert torch.equal(operation(X3.to(dtype), K2.to(dtype)), torch.tensor([[19, 25], [37, 43]], dtype=dtype))


def test_convolve2d_of_the_textbook():
    # 0*3 + 1*2 + 3*1 + 4*0 = 5: the kernel's last element meets the window's first
    assert torch.equal(convolve2d(X3, K2), torch.tensor([[5.0, 11.0], [23.0, 29.0]]))


def test_padding_and_stride_of_the_textbook():
    assert torch.equal(corr2d(X3, K2, padding=1, stride=(3, 2)), torch.tensor([[0.0, 8.0], [6.0, 8.0]]))


def test_channels_of_the_textbook():
    X, K = torch.stack([X3, X3 + 1]), torch.stack([K2, K2 + 1])
    one = torch.tensor([[56.0, 72.0], [104.0, 120.0]])
    assert torch.equal(corr2d_multi_in(X, K), one)
    three = torch.stack([one, torch.tensor([[76.0, 100.0], [148.0, 172.0]]), torch.tensor([[96, 128], [192, 224]])])
    K = torch.stack([K, K + 1, K + 2])
    assert torch.equal(corr2d_multi_in_out(X, K), three)
    assert torch.equal(corr2d_im2col(X, K), three)


def test_pooling_of_the_textbook():
    assert torch.equal(pool2d(X3, 2, stride=1), torch.tensor([[4.0, 5.0], [7.0, 8.0]]))
    assert torch.equal(pool2d(X3, 2, "avg", stride=1), torch.tensor([[2.0, 3.0], [5.0, 6.0]]))
    X = torch.arange(16.0).reshape(4, 4)
    assert torch.equal(pool2d(X, 3), torch.tensor([[10.0]]))
    assert torch.equal(pool2d(X, 3, padding=1, stride=2), torch.tensor([[5.0, 7.0], [13.0, 15.0]]))
    assert torch.equal(pool2d(X, (2, 3), padding=(0, 1), stride=(2, 3)), torch.tensor([[5.0, 7.0], [13.0, 15.0]]))


def test_zeros_of_the_padding_count_in_an_average_and_never_win_a_maximum():
    X = torch.full((2, 2), -4.0)
    assert torch.equal(pool2d(X, 2, "avg", padding=1), torch.full((2, 2), -1.0))
    assert torch.equal(pool2d(X, 2, "max", padding=1), X)
    assert torch.equal(pool2d(X.long(), 2, "max", padding=1), X.long())


# Dtypes


@pytest.mark.parametrize("x_dtype", DTYPES)
@pytest.mark.parametrize("k_dtype", DTYPES)
def test_corr2d_promotes_as_torch_arithmetic_does(x_dtype, k_dtype):
    Y = corr2d(X3.to(x_dtype), K2.to(k_dtype))
    assert_same(Y, torch.tensor([[19, 25], [37, 43]], dtype=torch.promote_types(x_dtype, k_dtype)))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_average_pooling_needs_floats(dtype):
    with refused("floating-point", "avg", dtype):
        pool2d(X3.to(dtype), 2, "avg")


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_maximum_pooling_needs_an_order(dtype):
    with refused("floating-point or integer", "max", dtype):
        pool2d(X3.to(dtype), 2)


def test_matrix_products_need_one_dtype():
    for x_dtype, k_dtype in [(torch.int64, torch.float32), (torch.float32, torch.float64)]:
        X, K = X3.to(x_dtype), K2.to(k_dtype)
        for operation, arguments in [
            (corr2d_im2col, (X, K)),
            (corr2d_im2col, (X[None], K[None, None])),
            (corr2d_multi_in_out_1x1, (X[None], K[:1, :1, None, None])),
        ]:
            with refused("same dtype", x_dtype, k_dtype):
                operation(*arguments)


@pytest.mark.parametrize("operation", [corr2d, convolve2d, corr2d_im2col])
def test_booleans_are_not_summed_to_a_boolean(operation):
    with refused("numeric dtype", "torch.bool"):
        operation(X3.bool(), K2.bool())


# Refused shapes and settings

ONE_PICTURE = [corr2d, convolve2d, corr2d_im2col]
ALL = [
    (corr2d, X3, K2),
    (convolve2d, X3, K2),
    (corr2d_multi_in, X3[None], K2[None]),
    (corr2d_multi_in_out, X3[None], K2[None, None]),
    (corr2d_im2col, X3, K2),
    (corr2d_im2col, X3[None], K2[None, None]),
    (pool2d, X3, 2),
    (pool2d, X3[None], (2, 2)),
]
BAD_SETTINGS = [
    ("stride", 0, 1),
    ("stride", (1, 0), 1),
    ("stride", -1, 1),
    ("stride", 1.5, 1),
    ("stride", True, 1),
    ("padding", -1, 0),
    ("padding", (0, -1), 0),
    ("padding", "same", 0),
    ("padding", (1, 1, 1), 0),
    ("padding", None, 0),
    ("padding", 0.5, 0),
    ("dilation", 0, 1),
    ("dilation", (2, -1), 1),
    ("dilation", (1,), 1),
    ("dilation", "2", 1),
]


@pytest.mark.parametrize("name, value, least", BAD_SETTINGS, ids=lambda value: repr(value))
def test_settings_out_of_range_are_refused_by_name(name, value, least):
    for operation, X, K in ALL:
        with refused(f"{name} must be an int of at least {least}, or a pair", f"got {value!r}"):
            operation(X, K, **{name: value})


def test_lists_are_pairs_too():
    for operation, X, K in ALL:
        expected = operation(X, K, padding=(0, 1), stride=(1, 2), dilation=(1, 2))
        assert_same(operation(X, K, padding=[0, 1], stride=[1, 2], dilation=[1, 2]), expected)


@pytest.mark.parametrize("operation", ONE_PICTURE)
def test_a_kernel_larger_than_the_padded_input_is_refused_with_both_shapes(operation):
    for shape, padding, axis, padded in [
        ((4, 2), 0, "height 4", "3 + 2 * 0 = 3"),
        ((2, 6), 1, "width 6", "3 + 2 * 1 = 5"),
        ((6, 2), (1, 9), "height 6", "3 + 2 * 1 = 5"),
    ]:
        with refused(axis, padded, "input 3 x 3", f"window {shape[0]} x {shape[1]}"):
            operation(X3, torch.ones(shape), padding=padding)
    with refused("height 2 dilated by 3 (span 4)", "3 + 2 * 0 = 3", "input 3 x 3", "window 2 x 2"):
        operation(X3, K2, dilation=3)


def test_channelled_operations_refuse_a_kernel_that_does_not_fit():
    X, K = torch.ones(2, 3, 4), torch.ones(5, 2, 2, 5)
    for operation, kernel in [(corr2d_multi_in, K[0]), (corr2d_multi_in_out, K), (corr2d_im2col, K)]:
        with refused("width 5", "input 3 x 4", "window 2 x 5"):
            operation(X, kernel)


def test_channels_that_differ_are_refused_with_both_shapes():
    X, K = torch.ones(3, 4, 4), torch.ones(5, 2, 1, 1)
    with refused("input channels", "X (3, 4, 4) with 3", "K (2, 1, 1) with 2"):
        corr2d_multi_in(X, K[0])
    for operation in (corr2d_multi_in_out, corr2d_multi_in_out_1x1, corr2d_im2col):
        with refused("input channels", "X (3, 4, 4) with 3", "K (5, 2, 1, 1) with 2"):
            operation(X, K)


def test_im2col_refuses_channels_on_one_side_only():
    with refused("both have channel axes", "X (3, 3)", "K (1, 1, 2, 2)"):
        corr2d_im2col(X3, K2[None, None])
    with refused("both have channel axes", "X (1, 3, 3)", "K (2, 2)"):
        corr2d_im2col(X3[None], K2)


RANKS = [
    (corr2d, "2", "2"),
    (convolve2d, "2", "2"),
    (corr2d_multi_in, "3", "3"),
    (corr2d_multi_in_out, "3", "4"),
    (corr2d_multi_in_out_1x1, "3", "4"),
    (corr2d_im2col, "2 or 3", "2 or 4"),
]


@pytest.mark.parametrize("operation, x_ranks, k_ranks", RANKS)
def test_wrong_ranks_are_refused_with_the_shape(operation, x_ranks, k_ranks):
    def ones(rank: int) -> torch.Tensor:
        return torch.ones((1,) * rank)

    good_x, good_k = ones(int(x_ranks[0])), ones(int(k_ranks[0]))
    operation(good_x, good_k)
    for rank in range(6):
        shape = (1,) * rank
        if str(rank) not in x_ranks:
            with refused(f"X must be a tensor with {x_ranks} axes", f"got shape {shape}"):
                operation(ones(rank), good_k)
        if str(rank) not in k_ranks:
            with refused(f"K must be a tensor with {k_ranks} axes", f"got shape {shape}"):
                operation(good_x, ones(rank))
    with refused("X must be a tensor", x_ranks, "got list"):
        operation([[1.0]], good_k)
    with refused("K must be a tensor", k_ranks, "got list"):
        operation(good_x, [[1.0]])


@pytest.mark.parametrize("operation, x_ranks, k_ranks", RANKS)
def test_empty_tensors_are_refused(operation, x_ranks, k_ranks):
    x_rank, k_rank = int(x_ranks[-1]), int(k_ranks[-1])
    X, K = torch.ones((1,) * x_rank), torch.ones((1,) * k_rank)
    for axis in range(x_rank):
        empty = X.narrow(axis, 0, 0)
        with refused("X must be", "none of length 0", f"got shape {tuple(empty.shape)}"):
            operation(empty, K)
    for axis in range(k_rank):
        empty = K.narrow(axis, 0, 0)
        with refused("K must be", "none of length 0", f"got shape {tuple(empty.shape)}"):
            operation(X, empty)


def test_1x1_refuses_another_kernel():
    for shape in [(2, 1, 2, 1), (2, 1, 1, 2), (2, 1, 3, 3)]:
        with refused("(c_o, c_i, 1, 1)", f"got {shape}"):
            corr2d_multi_in_out_1x1(X3[None], torch.ones(shape))


def test_pool2d_refuses_what_it_cannot_pool():
    with refused('"max" or "avg"', "got 'min'"):
        pool2d(X3, 2, "min")
    with refused("2 axes or more", "got shape (3,)"):
        pool2d(X3[0], 2)
    with refused("2 axes or more", "got list"):
        pool2d([[1.0]], 1)
    with refused("height 4", "3 + 2 * 0 = 3", "input 3 x 3", "window 4 x 2"):
        pool2d(X3, (4, 2))
    with refused("dilation must be 1", "average", "got (1, 2)"):
        pool2d(X3, 2, "avg", dilation=(1, 2))


@pytest.mark.parametrize("mode", ["max", "avg"])
@pytest.mark.parametrize("pool_size, padding", [(3, 2), (1, 1), ((2, 3), (2, 1)), ((4, 2), (2, 2))])
def test_pool2d_refuses_a_padding_of_more_than_half_its_window(mode, pool_size, padding):
    with refused("at most half of pool_size", pool_size, f"got {padding}"):
        pool2d(X3, pool_size, mode, padding)


@pytest.mark.parametrize("pool_size", [0, -1, (2, 0), (2,), "2", None, 2.0])
def test_pool2d_refuses_a_window_that_is_none(pool_size):
    with refused("pool_size must be an int of at least 1, or a pair", f"got {pool_size!r}"):
        pool2d(X3, pool_size)
