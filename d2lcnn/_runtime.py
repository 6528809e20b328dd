"""What `fit` leans on: the device, the precision and the processes of a run, its checks and its checkpoints."""

import ctypes
import math
import os
import random
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from numbers import Integral, Number, Real
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from d2lcnn._files import replacing
from d2lcnn._modes import tried_out


@dataclass(frozen=True)
class Machine:
    """Where and how to compute, and which of how many processes this is.

    `dtype` is that of the weights; `classes` the number of the net's outputs, 0 as long as it is not known.
    """

    device: torch.device
    dtype: torch.dtype
    precision: str
    rank: int = 0
    world_size: int = 1
    classes: int = 0

    @classmethod
    def of(cls, net: nn.Module, device: torch.device, precision: str) -> "Machine":
        """The one at hand; raises ValueError for a precision that there is not, or not with these weights."""
        if precision not in ("auto", "fp32", "bf16", "fp16"):
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

    def batches(self, source: Iterable, epoch: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's share of the batches (X, y), checked and brought to the device."""
        # Not on mps, which may read a batch after it is gone.
        ahead = {"non_blocking": self.device.type == "cuda"}
        for batch in source.epoch(epoch, self.rank, self.world_size) if knows_epochs(source) else source:
            X, y = _check_batch(batch, self.classes)
            X = X.to(self.device, self.dtype, **ahead)
            if X.ndim == 4:
                # Unlike `contiguous`, this gives the strides of channels_last to grey images too, which cuDNN goes by.
                X = X.to(memory_format=torch.channels_last)
            yield X, y.to(self.device, torch.int64, **ahead)

    def score(self, net: nn.Module, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Summed loss and number of right answers, left on the device."""
        rows = len(y)
        if rows == 0:
            # A process whose share is empty must take part in the backward pass too, or the others wait for it.
            X, y = X.new_zeros(1, *X.shape[1:]), y.new_zeros(1)
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        try:
            with torch.autocast(self.device.type, low) if low else nullcontext():
                scores = net(X)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(f"net must take X of shape {tuple(X.shape)}, but: {error}") from error
        _check_scores(scores, y, self.classes)
        if not self.classes:
            # On a GPU a label outside the classes would end the process.
            _check_labels(y.cpu(), scores.shape[1])
        losses = F.cross_entropy(scores.to(self.dtype), y, reduction="none")
        return losses[:rows].sum(), (scores.detach().argmax(1) == y)[:rows].sum()


def knows_epochs(source: Iterable) -> bool:
    """Whether `source` is batches of an ImageData, or does as these do."""
    return callable(getattr(source, "epoch", None))


def _fastest_precision(device: torch.device) -> str:
    # A rule and no measurement, so that a run can be repeated. A T4 says that it has bf16, and emulates it.
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return "fp16"
    cpu = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
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
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise ValueError(f"device must be one that there is here, such as cpu, got {device!r} ({reason})") from error
    return found


def fork_generators(device: torch.device) -> AbstractContextManager:
    """Within it, the random generators of the CPU and of `device` are ours; after it, they are as they were."""
    if device.type == "cpu":
        return torch.random.fork_rng([])
    return torch.random.fork_rng([device], device_type=device.type)


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed these two, and no other device's, which torch.manual_seed would."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)


def join_processes(device: torch.device) -> None:
    """Join the others where torchrun started this process as one of many, for as long as it lives."""
    launched = "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1
    if launched and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(minutes=10))


# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


@contextmanager
def keep_memory() -> Iterator[None]:
    """Within it, the C library keeps the memory of freed tensors for the next ones; after it, that goes back.

    Otherwise glibc returns every large tensor to the system, which then gives the next one page by page, each filled
    with zeros: on a CPU up to a third of a training step. Does nothing where the C library is another.
    """
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):  # Windows; macOS, musl
        libc = None
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        # The default, and the values to which glibc raises its own thresholds as large blocks are freed.
        libc.mallopt(_M_MMAP_MAX, 65536)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
        libc.malloc_trim(0)


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile works here; warns where it does not."""
    try:
        torch.compile(lambda X: X.cos() + 1)(torch.ones(8, device=device))
    except Exception as error:  # of many types: no C++ compiler, no Triton, a Python that is too new
        warnings.warn(f"trained without torch.compile, which does not work here: {error}", stacklevel=3)
        return False
    return True


def compile_options(machine: Machine, train: Iterable) -> dict[str, Any]:
    """How torch.compile is to work: on a lone GPU it records the forward and the backward pass, a launch each then."""
    # Anew for every size of a batch: an ImageData's have two at most.
    replays = machine.device.type == "cuda" and machine.world_size == 1 and knows_epochs(train)
    return {"mode": "reduce-overhead", "dynamic": False} if replays else {}


def mix(*keys: int) -> int:
    """One seed from several numbers."""
    # torch's CPU generator takes in 32 bits of its seed, so numbers placed side by side would be cut off.
    return random.Random(repr(keys)).getrandbits(32)


def recipe(net, train, optimizer, schedule, epochs, precision, seed) -> dict[str, Any]:
    """What a checkpoint and the run that goes on from it must agree on."""
    result = {"epochs": epochs, "optimizer": type(optimizer).__name__, "batches": len(train), "seed": seed}
    # A scheduler of the caller's own leaves behind what it has changed.
    left_out = {"params"} if isinstance(schedule, str | None) else {"params", "lr", "momentum", "betas"}
    for i, group in enumerate(optimizer.param_groups):
        result |= {
            f"optimizer.{i}.{name}": repr(_plain(value)) for name, value in group.items() if name not in left_out
        }
    result["schedule"] = schedule if isinstance(schedule, str) else type(schedule).__name__
    result["precision"] = precision
    of_data = ("num_examples", "batch_size", "size", "seed", "augment")
    result |= {f"train.{name}": repr(getattr(train, name, None)) for name in of_data}
    result["net"] = " ".join(type(module).__name__ for module in net.modules())
    state = net.state_dict().items()
    return result | {f"net.{name}": str(tuple(value.shape)) for name, value in state if isinstance(value, Tensor)}


def _plain(value: Any) -> Any:
    """`value` with Python's numbers in place of NumPy's, which no checkpoint could be read with again."""
    if type(value) is dict:
        return {name: _plain(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def save(path: Path, parts: dict[str, Any], recipe: dict[str, Any], rows: list[dict]) -> None:
    """Write a checkpoint; whenever the process dies, `path` holds a whole one, the last or this."""
    state = {name: _plain(part.state_dict()) for name, part in parts.items() if part is not None}
    with replacing(path, "wb") as file:
        torch.save(state | {"recipe": recipe, "rows": rows}, file)


class DamagedCheckpoint(RuntimeError):
    """A file that is no checkpoint, or no longer one."""


def resume(path: Path, parts: dict[str, Any], recipe: dict[str, Any], machine: Machine) -> list[dict]:
    """Load the checkpoint at `path`, if there is one, into `parts`, and return its rows.

    Raises DamagedCheckpoint where it is damaged and ValueError where it is another run's.
    """
    state = [_read(path, recipe) if machine.rank == 0 and path.exists() else None]
    if machine.world_size > 1:
        dist.broadcast_object_list(state)
    if state[0] is None:
        return []
    for name, part in parts.items():
        if part is not None:
            part.load_state_dict(state[0][name])
    return state[0]["rows"]


def _read(path: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    try:
        # torch.load takes a damaged tensor without a word; the zip archive around it has checksums.
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"wrong checksum of {damaged}")
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved = state["recipe"]
    except PermissionError:
        raise
    except Exception as error:
        raise DamagedCheckpoint(f"checkpoint {path} is damaged ({error}); delete it to start anew") from error
    for name in recipe | saved:
        if recipe.get(name) != saved.get(name):
            values = f"{name} was {saved.get(name)} and is {recipe.get(name)} now"
            raise ValueError(f"checkpoint {path} is of another run: {values}; delete it to start anew")
    return state


def check_arguments(net, train, val, epochs, lr, optimizer, schedule, seed, checkpoint) -> None:
    """Raise TypeError or ValueError for what can be seen wrong in the arguments of `fit`."""
    for name, data in (("train", train), ("val", val)):
        if data is None and name == "val":
            continue
        if isinstance(data, Iterator):
            raise TypeError(
                f"{name} must give its batches anew each epoch, but a {type(data).__name__} does so only once"
            )
        if not hasattr(data, "__len__") or not hasattr(data, "__iter__"):
            raise TypeError(f"{name} must be a sized collection of batches (X, y), got {type(data).__name__}")
        try:
            length = len(data)
        except TypeError as error:  # a DataLoader of a stream
            raise TypeError(f"{name} must know how many batches it holds, but: {error}") from error
        if length == 0:
            raise ValueError(f"{name} must hold at least one batch, got none")
    if not isinstance(epochs, Integral) or isinstance(epochs, bool) or epochs < 1:
        raise ValueError(f"epochs must be a whole number above 0, got {epochs!r}")
    if (lr is None) == (optimizer is None):
        raise ValueError(
            f"give either lr or an optimizer, which has its own, got lr={lr!r} and optimizer={optimizer!r}"
        )
    if lr is not None and not (isinstance(lr, Real) and 0 < lr < math.inf):
        raise ValueError(f"lr must be a number above 0, got {lr!r}")
    if not isinstance(seed, Integral):
        raise TypeError(f"seed must be a whole number, got {seed!r}")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be one of torch.optim's, got {optimizer!r}")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise TypeError("optimizer must make a step from one gradient; an LBFGS asks for several")
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError("net must have parameters that require gradients, got none")
    own = {id(p) for p in net.parameters()}
    if optimizer is not None and not all(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("optimizer must be of this net's parameters, got others")
    if isinstance(schedule, LRScheduler) and not isinstance(schedule, ReduceLROnPlateau):
        if schedule.optimizer is not optimizer:
            raise ValueError("schedule must be of the optimizer given, got another's")
    elif schedule not in ("one-cycle", None):
        raise ValueError(
            f'schedule must be "one-cycle", None or a scheduler that steps without a metric, got {schedule!r}'
        )
    if checkpoint is None:
        return
    if not knows_epochs(train):
        kind = type(train).__name__
        raise ValueError(f"checkpoint needs batches of an ImageData: a {kind} cannot say where in its order it is")
    path = Path(checkpoint).absolute()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        got = os.fspath(checkpoint)
        raise ValueError(f"checkpoint must be a file in a folder that is there and can be written to, got {got!r}")


def check_shareable(machine: Machine, *sources: Iterable | None) -> None:
    """Raise ValueError where several processes cannot each take their share of the batches."""
    if machine.world_size > 1 and not all(knows_epochs(data) for data in sources if data is not None):
        raise ValueError(
            "train and val must be batches of an ImageData, for other batches cannot be shared by processes"
        )


def check_fits(net: nn.Module, machine: Machine, **sources: Iterable | None) -> Machine:
    """Try the first batch of each source; gives lazy layers their shapes, and the machine the number of classes.

    Raises ValueError where the net cannot take them.
    """
    alone = Machine(machine.device, machine.dtype, machine.precision)
    for name, source in sources.items():
        if source is None:
            continue
        X, y = next(iter(alone.batches(source)))
        if len(y) == 0:
            raise ValueError(f"{name} must hold examples, its first batch has none")
        try:
            with tried_out(net):
                scores = net(X[:2])
        except Exception as error:
            shape = tuple(X.shape)
            raise ValueError(f"net must take X of shape {shape}, the first batch of {name}, but: {error}") from error
        _check_scores(scores, y[:2], getattr(source, "num_classes", 0))
        classes = scores.shape[1]
        _check_batch((X, y.cpu()), classes)
    return replace(machine, classes=classes)


def _check_batch(batch: Any, classes: int) -> tuple[Tensor, Tensor]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise TypeError(f"a batch must be a pair of tensors (X, y), got {type(batch).__name__}")
    X, y = batch
    if not X.is_floating_point() or X.ndim < 2:
        raise TypeError(f"X must be floating, of shape (N, ...), got {X.dtype} of shape {tuple(X.shape)}")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool or y.ndim != 1:
        raise TypeError(f"y must be integer class numbers, of shape (N,), got {y.dtype} of shape {tuple(y.shape)}")
    if len(X) != len(y):
        raise ValueError(f"X and y must be of the same length, got {len(X)} and {len(y)}")
    if classes:
        _check_labels(y, classes)
    return X, y


def _check_scores(scores: Any, y: Tensor, classes: int) -> None:
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(y):
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"net must give scores of shape (N, classes), here ({len(y)}, classes), got {got}")
    if scores.shape[1] < classes:
        raise ValueError(f"net must have {classes} outputs, one a class, got {scores.shape[1]}")


def _check_labels(y: Tensor, classes: int) -> None:
    # A GPU would have to be waited for; of labels that are there from the start, the first batch must do.
    if y.device.type != "cpu" or len(y) == 0:
        return
    low, high = (int(bound) for bound in y.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(f"y must lie in [0, {classes}), as the net has {classes} outputs, got {low} to {high}")
