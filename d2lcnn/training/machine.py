"""Where and how a net is computed: device, precision, layout in memory, and which of how many processes this is."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_LOW = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Machine:
    """Where and how to compute, and which of how many processes this is.

    `dtype` is that of the weights; `layout` the order in memory of batches (N, C, H, W) and of kernels; `classes` the
    number of the net's outputs, 0 as long as it is not known.
    """

    device: torch.device
    dtype: torch.dtype
    precision: str
    rank: int = 0
    world_size: int = 1
    classes: int = 0
    layout: torch.memory_format = torch.contiguous_format

    @classmethod
    def of(cls, net: nn.Module, device: torch.device, precision: str) -> "Machine":
        """The one at hand; raises ValueError for a precision that there is not, or not with these weights."""
        if precision not in ("auto", "fp32", *_LOW):
            raise ValueError(f'precision must be "auto", "fp32", "bf16" or "fp16", got {precision!r}')
        dtype = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float32)
        if dtype == torch.float64 and precision == "auto":
            precision = "fp64"
        elif dtype != torch.float32:
            raise ValueError(
                f'net must have float32 weights, or float64 and precision="auto"; got {dtype}, {precision!r}'
            )
        elif precision == "auto":
            precision = _fastest_precision(device)
        if dist.is_available() and dist.is_initialized():
            return cls(device, dtype, precision, dist.get_rank(), dist.get_world_size())
        return cls(device, dtype, precision)

    @property
    def is_low(self) -> bool:
        """Whether it computes in 16 bits."""
        return self.precision in _LOW

    def in_full(self) -> "Machine":
        """This one in 32 bits where it computes in 16."""
        return replace(self, precision="fp32") if self.is_low else self

    def laid_out(self, X: Tensor) -> Tensor:
        """`X` in the layout, where it has the axes of one."""
        # Unlike `contiguous`, this gives the strides of channels_last to grey images too, which cuDNN goes by.
        return X.to(memory_format=self.layout) if X.ndim == 4 else X

    def autocast(self) -> AbstractContextManager:
        """Within it, a net computes in this precision."""
        low = _LOW.get(self.precision)
        return torch.autocast(self.device.type, low) if low else nullcontext()

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes, in place."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def agreed(self, net: nn.Module) -> nn.Module:
        """`net`, its buffers (such as running means) those of the first process in all."""
        if self.world_size > 1:
            for buffer in net.buffers():
                dist.broadcast(buffer, 0)
        return net


def _fastest_precision(device: torch.device) -> str:
    # A rule and no measurement, so that a run can be repeated. A T4 says that it has bf16, and emulates it.
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return "fp16"
    cpu: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return "bf16" if cpu.get("avx512_bf16") or cpu.get("amx_bf16") else "fp32"


def find_device(device: torch.device | str | None) -> torch.device:
    """The device asked for, or the first there is of cuda, mps and cpu; under torchrun each process has its own GPU.

    Raises ValueError for a device that is not there.
    """
    if device is None:
        # Processes cannot share their gradients on mps.
        has_mps = torch.backends.mps.is_available() and int(os.environ.get("WORLD_SIZE", 1)) == 1
        device = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        found = torch.device(device)
        if found.type == "cuda":
            if found.index is None:
                found = torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))
            torch.cuda.set_device(found)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0][:150]
        raise ValueError(f"device must be one that there is here, such as cpu, got {device!r} ({reason})") from error
    return found


def join_processes(device: torch.device) -> None:
    """Join the others where torchrun started this process as one of many, for as long as it lives."""
    launched = "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1
    if launched and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(minutes=10))
