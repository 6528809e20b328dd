"""Chapters 1 to 4 by hand: what convolutional and pooling layers compute, written to be read.

Plain loops and views, checked against torch.nn.functional; `corr2d_im2col` is the fast one. Tensors here have no batch
axis: (h, w) is one picture, (c, h, w) one with channels. `padding` is per side, as in PyTorch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from d2lcnn.geometry import Size, _check_sizes, output_size, pair


def corr2d(X: Tensor, K: Tensor, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Tensor:
    """Two-dimensional cross-correlation of X (h, w) with the kernel K (k_h, k_w) (chapter 2).

    Returns Y of the shape that `output_size` gives; int64 stays exact.

    Raises ValueError for other ranks, a kernel larger than the padded input, or settings out of range.
    """
    _check_ranks(X, (2,), K, (2,))
    _check_sizes(padding=padding, stride=stride, dilation=dilation)
    (k_h, k_w), (p_h, p_w) = K.shape, pair(padding)
    (s_h, s_w), (d_h, d_w) = pair(stride), pair(dilation)
    size = output_size(X.shape, K.shape, padding, stride, dilation)
    Y = X.new_zeros(size, dtype=torch.result_type(X, K))
    X = F.pad(X, (p_w, p_w, p_h, p_h))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            top, left = i * s_h, j * s_w
            window = X[top : top + d_h * k_h : d_h, left : left + d_w * k_w : d_w]
            Y[i, j] = (window * K).sum()
    return Y


def convolve2d(X: Tensor, K: Tensor, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Tensor:
    """True convolution of X (h, w) with K (k_h, k_w): cross-correlation with K flipped on both axes (chapter 1).

    Without padding this is scipy.signal.convolve2d's mode "valid", with k - 1 per side its mode "full".

    Raises ValueError as `corr2d` does.
    """
    _check_ranks(X, (2,), K, (2,))
    return corr2d(X, K.flip(0, 1), padding, stride, dilation)


def corr2d_multi_in(X: Tensor, K: Tensor, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Tensor:
    """Cross-correlate each channel of X (c_i, h, w) with its own kernel in K (c_i, k_h, k_w) and add up (chapter 3).

    Returns Y (h', w').

    Raises ValueError where X and K differ in channels, and as `corr2d` does.
    """
    _check_channels(X, (3,), K, (3,))
    return sum(corr2d(x, k, padding, stride, dilation) for x, k in zip(X, K))


def corr2d_multi_in_out(X: Tensor, K: Tensor, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Tensor:
    """One `corr2d_multi_in` for each output channel (chapter 3).

    X (c_i, h, w) and K (c_o, c_i, k_h, k_w) give Y (c_o, h', w').

    Raises ValueError where X and K differ in input channels, and as `corr2d` does.
    """
    _check_channels(X, (3,), K, (4,))
    return torch.stack([corr2d_multi_in(X, k, padding, stride, dilation) for k in K])


def corr2d_multi_in_out_1x1(X: Tensor, K: Tensor) -> Tensor:
    """1x1 convolution as one matrix product over pixels (chapter 3).

    X (c_i, h, w) and K (c_o, c_i, 1, 1) give Y (c_o, h, w).

    Raises ValueError where K is not 1x1, or X and K differ in input channels or dtype.
    """
    _check_channels(X, (3,), K, (4,))
    _check_same_dtype(X, K)
    _check_1x1(K)
    c_i, h, w = X.shape
    c_o = K.shape[0]
    pixels = X.reshape(c_i, h * w)  # one column for each pixel
    return (K.reshape(c_o, c_i) @ pixels).reshape(c_o, h, w)


def corr2d_im2col(X: Tensor, K: Tensor, padding: Size = 0, stride: Size = 1, dilation: Size = 1) -> Tensor:
    """Cross-correlation as one matrix product: every window becomes a column (chapter 3).

    X (c_i, h, w) with K (c_o, c_i, k_h, k_w) gives Y (c_o, h', w'); X (h, w) with K (k_h, k_w) gives Y (h', w').

    Raises ValueError where X and K differ in input channels or dtype, and as `corr2d` does.
    """
    _check_channels(X, (2, 3), K, (2, 4))
    _check_same_dtype(X, K)
    _check_sizes(padding=padding, stride=stride, dilation=dilation)
    if X.dim() == 2:
        return corr2d_im2col(X[None], K[None, None], padding, stride, dilation)[0]
    (p_h, p_w), (s_h, s_w), (d_h, d_w) = pair(padding), pair(stride), pair(dilation)
    c_o, c_i, k_h, k_w = K.shape
    out_h, out_w = output_size(X.shape[1:], (k_h, k_w), padding, stride, dilation)
    X = F.pad(X, (p_w, p_w, p_h, p_h))
    span_h, span_w = d_h * (k_h - 1) + 1, d_w * (k_w - 1) + 1
    windows = X.unfold(1, span_h, s_h).unfold(2, span_w, s_w)[..., ::d_h, ::d_w]
    columns = windows.permute(0, 3, 4, 1, 2).reshape(c_i * k_h * k_w, out_h * out_w)
    return (K.reshape(c_o, -1) @ columns).reshape(c_o, out_h, out_w)


def pool2d(
    X: Tensor,
    pool_size: Size,
    mode: str = "max",
    padding: Size = 0,
    stride: Size | None = None,
    dilation: Size = 1,
) -> Tensor:
    """Pool X (..., h, w) over windows of pool_size: their maximum ("max") or their mean ("avg") (chapter 4).

    The stride is the window's size unless given. Maximum pooling pads with minus infinity, average pooling with zeros
    that count. Leading axes, channels among them, are pooled apart. Returns Y (..., h', w'). Elements that tie for
    a maximum share its gradient; torch gives it to one of them.

    Raises ValueError for an unknown mode, a padding of more than half the window, an average of integers (torch
    rounds int64, and has no other) or over a dilated window (torch has none), and as `output_size` does.
    """
    _check_pool(X, pool_size, mode, padding, dilation)
    stride = pool_size if stride is None else stride
    (k_h, k_w), (p_h, p_w) = pair(pool_size), pair(padding)
    (s_h, s_w), (d_h, d_w) = pair(stride), pair(dilation)
    out_h, out_w = output_size(X.shape[-2:], pool_size, padding, stride, dilation)
    lowest = -torch.inf if X.is_floating_point() else torch.iinfo(X.dtype).min
    X = F.pad(X, (p_w, p_w, p_h, p_h), value=lowest if mode == "max" else 0)
    Y = X.new_zeros((*X.shape[:-2], out_h, out_w))
    reduce = torch.amax if mode == "max" else torch.mean
    for i in range(out_h):
        for j in range(out_w):
            top, left = i * s_h, j * s_w
            window = X[..., top : top + d_h * k_h : d_h, left : left + d_w * k_w : d_w]
            Y[..., i, j] = reduce(window, (-2, -1))
    return Y


def _check_ranks(X: Tensor, x_ranks: tuple[int, ...], K: Tensor, k_ranks: tuple[int, ...]) -> None:
    for name, value, ranks in (("X", X, x_ranks), ("K", K, k_ranks)):
        if not isinstance(value, Tensor) or value.dim() not in ranks or 0 in value.shape:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            axes = f"{' or '.join(map(str, ranks))} axes, none of length 0"
            raise ValueError(f"{name} must be a tensor with {axes}; got {got}")
    if X.dtype == K.dtype == torch.bool:
        raise ValueError("X or K must have a numeric dtype; got torch.bool for both")


def _check_channels(X: Tensor, x_ranks: tuple[int, ...], K: Tensor, k_ranks: tuple[int, ...]) -> None:
    _check_ranks(X, x_ranks, K, k_ranks)
    if (X.dim() == 2) != (K.dim() == 2):
        raise ValueError(
            f"X and K must both have channel axes, or neither; got X {tuple(X.shape)} and K {tuple(K.shape)}"
        )
    c_x = X.shape[0] if X.dim() == 3 else 1
    c_k = K.shape[-3] if K.dim() >= 3 else 1
    if c_x != c_k:
        raise ValueError(
            f"X and K must have the same number of input channels; got X {tuple(X.shape)} with {c_x} "
            f"and K {tuple(K.shape)} with {c_k}"
        )


def _check_same_dtype(X: Tensor, K: Tensor) -> None:
    if X.dtype != K.dtype:
        raise ValueError(f"X and K must have the same dtype for a matrix product; got X {X.dtype} and K {K.dtype}")


def _check_1x1(K: Tensor) -> None:
    if K.shape[2:] != (1, 1):
        raise ValueError(f"K must have the shape (c_o, c_i, 1, 1); got {tuple(K.shape)}")


def _check_pool(X: Tensor, pool_size: Size, mode: str, padding: Size, dilation: Size) -> None:
    if not isinstance(X, Tensor) or X.dim() < 2:
        got = f"shape {tuple(X.shape)}" if isinstance(X, Tensor) else type(X).__name__
        raise ValueError(f"X must be a tensor with 2 axes or more; got {got}")
    if mode not in ("max", "avg"):
        raise ValueError(f'mode must be "max" or "avg"; got {mode!r}')
    _check_sizes(pool_size=pool_size, padding=padding, dilation=dilation)
    if not X.is_floating_point() and (mode == "avg" or X.is_complex() or X.dtype == torch.bool):
        allowed = "a floating-point" if mode == "avg" else "a floating-point or integer"
        raise ValueError(f"X must have {allowed} dtype for {mode} pooling; got {X.dtype}")
    if mode == "avg" and pair(dilation) != (1, 1):
        raise ValueError(f"dilation must be 1 for average pooling; got {dilation!r}")
    if any(2 * p > k for p, k in zip(pair(padding), pair(pool_size))):
        raise ValueError(f"padding must be at most half of pool_size {pool_size!r}; got {padding!r}")
