"""The arithmetic of shapes agrees with torch's real shapes, and receptive fields with those that autograd measures."""

import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from d2lcnn.geometry import grow_field, output_size, pair, receptive_field, same_padding
from d2lcnn.ops import corr2d

# Derandomised, so that a red run is red again; no deadline, since the cores are shared.
repeatable = settings(deadline=None, derandomize=True, max_examples=300)


pytestmark = pytest.mark.usefixtures("one_thread")


def sizes(least: int, most: int) -> st.SearchStrategy:
    number = st.integers(least, most)
    return number | st.tuples(number, number)


def refused(*parts: object):
    """A ValueError whose message holds every part, in this order."""
    return pytest.raises(ValueError, match="(?s)" + ".*".join(re.escape(str(part)) for part in parts))


# Shapes


@repeatable
@given(sizes(1, 20), sizes(1, 6), sizes(0, 4), sizes(1, 4), sizes(1, 4))
def test_output_size_is_the_shape_that_torch_returns(n, k, padding, stride, dilation):
    try:
        Y = F.conv2d(torch.ones(1, 1, *pair(n)), torch.ones(1, 1, *pair(k)), None, stride, padding, dilation)
    except RuntimeError:
        with refused("larger than the padded input"):
            output_size(n, k, padding, stride, dilation)
    else:
        size = output_size(n, k, padding, stride, dilation)
        assert pair(size) == tuple(Y.shape[2:])
        assert isinstance(size, int) == all(isinstance(value, int) for value in (n, k, padding, stride, dilation))


@repeatable
@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 4))
def test_padding_k_less_1_in_all_gives_n_over_s_rounded_up(n, k, stride):
    row = F.pad(torch.ones(1, 1, n), ((k - 1) // 2, k // 2))
    assert F.conv1d(row, torch.ones(1, 1, k), stride=stride).shape[2] == -(-n // stride)


def test_with_a_dilation_that_padding_is_no_longer_enough():
    assert output_size(10, 3, padding=1, dilation=2) == 8
    assert output_size(10, 3, padding=same_padding(3, dilation=2), dilation=2) == 10


@repeatable
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.data())
def test_output_size_of_pooling_is_torchs(n, k, stride, dilation, data):
    padding = data.draw(st.integers(0, k // 2), label="padding")
    try:
        Y = F.max_pool2d(torch.ones(1, n, n), k, stride, padding, dilation)
    except RuntimeError:
        with refused("larger than the padded input"):
            output_size(n, k, padding, stride, dilation)
    else:
        assert output_size(n, k, padding, stride, dilation) == Y.shape[-1]


@repeatable
@given(st.integers(1, 200), st.integers(1, 12), st.integers(0, 9), st.integers(1, 9), st.integers(1, 5))
def test_output_size_counts_the_places_where_the_window_fits(n, k, padding, stride, dilation):
    span = 1 + dilation * (k - 1)
    places = [start for start in range(0, n + 2 * padding, stride) if start + span <= n + 2 * padding]
    if places:
        assert output_size(n, k, padding, stride, dilation) == len(places)
    else:
        with refused(f"{n} + 2 * {padding} = {n + 2 * padding}", f"input {n}", f"window {k}"):
            output_size(n, k, padding, stride, dilation)


def test_output_size_takes_each_axis_apart():
    assert output_size((8, 9), (3, 5), (0, 1), (3, 4)) == (2, 2)
    assert output_size((9, 8), (5, 3), (1, 0), (4, 3)) == (2, 2)
    assert output_size(224, (11, 3), stride=(4, 1)) == (54, 222)
    assert output_size([8, 9], [3, 5], [0, 1], [3, 4], [1, 1]) == (2, 2)
    assert output_size(torch.ones(8, 9).shape, 3) == (6, 7)


@repeatable
@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 6))
def test_a_padding_that_keeps_the_size_divides_it_by_a_stride_that_divides_it(quotient, m, stride):
    n, k = quotient * stride, 2 * m + 1
    assert output_size(n, k, same_padding(k), stride) == n // stride


@repeatable
@given(sizes(1, 30), sizes(1, 9), sizes(1, 4))
def test_same_padding_keeps_the_size_or_says_why_it_cannot(n, k, dilation):
    odd_total = [d * (kernel - 1) % 2 for kernel, d in zip(pair(k), pair(dilation), strict=True)]
    if any(odd_total):
        with refused("odd", f"got {k}"):
            same_padding(k, dilation)
    else:
        padding = same_padding(k, dilation)
        assert pair(output_size(n, k, padding, dilation=dilation)) == pair(n)
        assert isinstance(padding, int) == (isinstance(k, int) and isinstance(dilation, int))


def test_same_padding_of_the_textbook():
    assert [same_padding(2 * m + 1) for m in range(5)] == [0, 1, 2, 3, 4]
    assert same_padding((5, 3)) == (2, 1)
    assert same_padding([5, 3]) == (2, 1)
    assert same_padding(3, dilation=(1, 2)) == (1, 2)
    assert same_padding(2, dilation=2) == 1
    with refused("odd", "got 2", "1 padding elements in all", "two sides"):
        same_padding(2)
    with refused("odd", "got (3, 4)", "3 padding elements"):
        same_padding((3, 4))


# Receptive fields

layers = st.lists(
    st.tuples(st.integers(1, 4))
    | st.tuples(st.integers(1, 4), st.integers(1, 3))
    | st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    max_size=4,
)


def seen_by(element: int, stack: list[tuple[int, ...]], pooled: bool) -> tuple[int, int]:
    """First and last input element that output `element` depends on, measured by autograd.

    Weights are positive and pools average, so that no dependence cancels or loses a race; between first and last a
    dilated window leaves holes.
    """
    x = torch.ones(1, 1, 500, dtype=torch.float64, requires_grad=True)  # four layers of the above see 442 at most
    y = x
    for layer in stack:
        kernel, stride, dilation = (*layer, 1, 1)[:3]
        if pooled and dilation == 1:
            y = F.avg_pool1d(y, kernel, stride)
        else:
            y = F.conv1d(y, torch.ones(1, 1, kernel, dtype=y.dtype), None, stride, 0, dilation)
    y[0, 0, element].backward()
    seen = x.grad[0, 0].nonzero().flatten()
    return int(seen[0]), int(seen[-1])


@settings(repeatable, max_examples=150)
@given(layers, st.booleans())
def test_receptive_field_is_what_autograd_measures(stack, pooled):
    first, last = seen_by(0, stack, pooled)
    assert receptive_field(stack) == last - first + 1


@settings(repeatable, max_examples=150)
@given(layers, st.booleans())
def test_grow_field_tells_how_far_neighbours_lie_apart(stack, pooled):
    field, jump = 1, 1
    for layer in stack:
        field, jump = grow_field(field, jump, *layer)
    first, last = seen_by(1, stack, pooled)
    assert (field, jump) == (last - first + 1, first - seen_by(0, stack, pooled)[0])


@repeatable
@given(layers)
def test_a_stack_needs_its_receptive_field_as_input(stack):
    def outputs(n: int) -> int:
        for layer in stack:
            kernel, stride, dilation = (*layer, 1, 1)[:3]
            n = output_size(n, kernel, 0, stride, dilation)
        return n

    field, jump = 1, 1
    for layer in stack:
        field, jump = grow_field(field, jump, *layer)
    assert outputs(field) == outputs(field + jump - 1) == 1
    assert outputs(field + jump) == 2
    if field > 1:
        with refused("larger than the padded input"):
            outputs(field - 1)


def test_two_by_two_after_two_by_two_sees_nine_inputs():
    assert receptive_field([(2,), (2,)]) == 3
    X = torch.ones(6, 6, requires_grad=True)
    K = torch.full((2, 2), 0.5)
    corr2d(corr2d(X, K), K)[1, 2].backward()
    assert X.grad.count_nonzero() == 9
    assert X.grad[1:4, 2:5].all()


def test_receptive_fields_of_the_textbook():
    assert receptive_field([]) == 1
    assert receptive_field([(3,)] * 2) == receptive_field([(5,)]) == 5
    assert receptive_field([(3,)] * 3) == receptive_field([(7,)]) == 7
    assert receptive_field([(5,), (2, 2), (5,), (2, 2)]) == 16  # LeNet, up to its dense layers
    assert receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)]) == 15
    assert receptive_field([[3, 2], [3]]) == 7
    assert grow_field(1, 1, 3, 2) == (3, 2)
    assert grow_field(3, 2, 3, 2) == (7, 4)
    assert grow_field(3, 2, 3, dilation=4) == (19, 2)


# Refusals


@pytest.mark.parametrize(
    "name, value, least",
    [
        *[(name, value, 1) for name in ("n", "k", "stride", "dilation") for value in (0, -1, (1, 0))],
        *[("padding", value, 0) for value in (-1, (0, -1), "same", None)],
        *[("k", value, 1) for value in ((3,), (3, 3, 3), 3.0, True, "3", None)],
    ],
)
def test_output_size_refuses_what_is_no_size(name, value, least):
    with refused(f"{name} must be an int of at least {least}, or a pair", f"got {value!r}"):
        output_size(**({"n": 5, "k": 3} | {name: value}))


@pytest.mark.parametrize("name", ["k", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (3, 0), (3,), (3, 3, 3), "3", None, 3.0])
def test_same_padding_refuses_what_is_no_size(name, value):
    with refused(f"{name} must be an int of at least 1, or a pair", f"got {value!r}"):
        same_padding(**({"k": 3} | {name: value}))


def test_a_window_that_does_not_fit_is_refused_with_both_shapes():
    with refused("height 6", "5 + 2 * 0 = 5", "input 5", "window 6"):
        output_size(5, 6)
    with refused("width 7", "4 + 2 * 1 = 6", "input 5 x 4", "window 3 x 7"):
        output_size((5, 4), (3, 7), 1)
    with refused("height 3 dilated by 3 (span 7)", "5 + 2 * 0 = 5", "input 5", "window 3"):
        output_size(5, 3, dilation=3)


@pytest.mark.parametrize("layer", [3, (), (1, 2, 3, 4), (0,), (3, 0), (3, 1, -1), (2.5,), ((3, 3),), ("3",), (True,)])
def test_receptive_field_refuses_what_is_no_layer(layer):
    with refused("(kernel,), (kernel, stride) or (kernel, stride, dilation)", "at least 1", f"got {layer!r}"):
        receptive_field([(3,), layer])
