"""The order in memory in which a net is computed, and how many bits: others than the plain ones where that is the same.

Convolutions run faster on channels_last, where the channels of a pixel lie side by side, than in torch's own order
(N, C, H, W), and in 16 bits where the processor has them. But not every convolution is computed rightly so:

- oneDNN, which computes them on a CPU, overwrites memory or gives a wrong gradient of the kernel for 1x1 convolutions
  with a stride and fewer input channels than fill a vector register, 8 in AVX2 and 16 in AVX-512, on channels_last
  (its issue 6035, open at the end of 2026).
- In bfloat16 it leaves parts of a gradient or of the output unwritten where a place of the kernel or an output lies in
  the padding alone, where the stride is as large as the kernel or larger, and where the strides of the axes differ.

`is_ordinary` says which convolutions are sound in all of these; thousands of them were compared with the plain
computation, and tests/test_layout.py goes on with it. A net that holds another one is computed in torch's own order and
in 32 bits. So is one that does not give the same scores in both orders, such as one whose forward has
`view(len(X), -1)` behind a convolution.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from d2lcnn._modes import tried_out
from d2lcnn.training.machine import Machine
from d2lcnn.training.randomness import fork_generators, seed_generators

# Input channels that fill a vector register of AVX-512.
_REGISTER = 16


def is_ordinary(
    size: Sequence[int],
    weight: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool = False,
) -> bool:
    """Whether a CPU computes a convolution rightly in every layout and precision.

    `size` is the input's, (N, C, H, W), `weight` the kernel's, (channels out, channels in a group, K_h, K_w).
    """
    kernel = weight[2:]
    if transposed or len(kernel) not in (1, 2):
        return False
    if len(kernel) == 1:  # computed as two axes
        kernel, stride, size = (1, *kernel), (1, *stride), (*size[:2], 1, *size[2:])
        padding, dilation = (0, *padding), (1, *dilation)
    if stride[0] != stride[1]:
        return False
    if stride[0] > 1 and stride[0] >= min(kernel) and not (max(kernel) == 1 and weight[1] >= _REGISTER):
        return False
    return all(map(_touches, size[2:], kernel, stride, padding, dilation))


def _touches(n: int, k: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether along this axis every place of the kernel and every output meets at least one element of the input."""
    outputs = range(-padding, n + padding - dilation * (k - 1), stride)
    places = range(0, dilation * k, dilation)
    return all(any(0 <= start + place < n for start in outputs) for place in places) and all(
        any(0 <= start + place < n for place in places) for start in outputs
    )


class _Convolutions(TorchDispatchMode):
    """Within it, looks at every convolution that runs, whether a layer or a function calls it."""

    are_ordinary = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # What keeps torch.compile out of a mode takes seconds to import.
        return False

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function is torch.ops.aten.convolution.default:
            X, weight, _, stride, padding, dilation, transposed, *_ = args
            # A lone number stands for all axes.
            stride, padding, dilation = (
                list(value) * (weight.ndim - 2 if len(value) == 1 else 1) for value in (stride, padding, dilation)
            )
            self.are_ordinary &= is_ordinary(X.shape, weight.shape, stride, padding, dilation, transposed)
        return function(*args, **(kwargs or {}))


def settled(net: nn.Module, machine: Machine, examples: Sequence[Tensor], *, trains: bool, may_lower: bool) -> Machine:
    """`machine` in the layout and the precision in which `net` computes the same as in the plain ones, and faster.

    Tried out on `examples`, a few of every kind of batch; where it `trains`, in that mode too, on a copy of the net,
    which is gone with all that a forward changes. `may_lower`: 32 bits may take the place of the machine's 16.
    """
    plain = replace(machine, layout=torch.contiguous_format)
    if machine.device.type not in ("cpu", "cuda"):
        return plain
    net = getattr(net, "_orig_mod", net)  # what torch.compile has wrapped
    trial = copied(net)
    with fork_generators(machine.device), torch.no_grad():
        with _Convolutions() as convolutions:
            _outcome(trial or net, examples, plain.in_full())
            runs = trial is not None and (not trains or _outcome(trial, examples, plain.in_full(), training=True))
        # On a GPU cuDNN computes them.
        sound = machine.device.type == "cuda" or convolutions.are_ordinary
        expected = _outcome(trial or net, examples, plain)
        if may_lower and not (sound and expected):
            plain = plain.in_full()
        if trial is None or not (sound and runs and expected) or _share_memory(net):
            return plain
        fast = replace(plain, layout=torch.channels_last)
        trial.to(memory_format=fast.layout)
        same = _agree(expected, _outcome(trial, examples, fast), 0.05 if fast.is_low else 1e-3)
        return fast if same and (not trains or _outcome(trial, examples, fast, training=True)) else plain


def copied(net: nn.Module) -> nn.Module | None:
    """A copy without hooks, which would tell others of what runs; None where there can be none."""
    try:
        twin = copy.deepcopy(net)
    except Exception:  # of whatever type a net's own attributes raise
        return None
    for module in twin.modules():
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            getattr(module, name, {}).clear()
    return twin


def _outcome(
    net: nn.Module, examples: Sequence[Tensor], machine: Machine, training: bool = False
) -> list[Tensor] | None:
    """What `net` gives on this machine, None where it cannot."""
    try:
        with tried_out(net):
            net.train(training)
            seed_generators(machine.device, 0)
            with machine.autocast():
                return [net(machine.laid_out(X)).to(machine.dtype) for X in examples]
    except Exception:  # of whatever type a net raises where a tensor is not as it expects
        return None


def _agree(expected: list[Tensor], found: list[Tensor] | None, tolerance: float) -> bool:
    """Whether both are the same but for rounding."""
    pairs = zip(expected, found or [], strict=found is not None)
    return found is not None and all(
        a.shape == b.shape and bool((a - b).abs().max() <= tolerance * a.abs().max()) for a, b in pairs
    )


def _share_memory(net: nn.Module) -> bool:
    """Whether two of the net's tensors lie in one place: another order for one would part them."""
    places = [t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers()) if t.numel()]
    return len(set(places)) < len(places)


@contextmanager
def lay_out(net: nn.Module, optimizer: torch.optim.Optimizer, layout: torch.memory_format) -> Iterator[None]:
    """Within it, kernels and the state that `optimizer` keeps of them are in `layout`; after it, where they were."""
    # Unlike `contiguous`, `to` gives a kernel of one channel the strides of the layout too.
    tensors = [tensor for tensor in (*net.parameters(), *net.buffers()) if tensor.ndim == 4 and _is_dense(tensor)]
    moved = [(t, t.data, new) for t in tensors if (new := t.data.to(memory_format=layout)).stride() != t.stride()]
    try:
        for tensor, _, new in moved:
            tensor.data = new
        _follow(optimizer)
        yield
    finally:
        for tensor, before, _ in moved:
            tensor.data = before.copy_(tensor.data)
        _follow(optimizer)


def _follow(optimizer: torch.optim.Optimizer) -> None:
    """Bring the state that `optimizer` keeps of a parameter into its order: fused optimizers go by memory alone."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def can_be_fused(net: nn.Module, device: torch.device) -> bool:
    """Whether a fused optimizer computes the same: it takes a parameter to fill its memory without gaps."""
    return device.type in ("cpu", "cuda") and all(map(_is_dense, net.parameters()))


def _is_dense(tensor: Tensor) -> bool:
    """Whether it fills its memory without gaps, and no two elements lie in one place."""
    return tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
