"""A run's state on disk after every epoch, and going on from it."""

import os
import zipfile
from collections.abc import Iterable
from numbers import Number
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from d2lcnn._files import replacing
from d2lcnn._words import described
from d2lcnn.training.machine import Machine
from d2lcnn.training.scores import in_short


class DamagedCheckpoint(RuntimeError):
    """A file that is no checkpoint, or no longer one."""


def recipe(
    net: nn.Module,
    train: Iterable,
    optimizer: torch.optim.Optimizer,
    schedule: str | LRScheduler | None,
    epochs: int,
    precision: str,
    seed: int,
) -> dict[str, Any]:
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
    """Write a checkpoint; whenever the process dies, `path` holds a whole one, the last or this.

    Raises OSError where it cannot be written, such as on a full disk.
    """
    state = {name: _plain(part.state_dict()) for name, part in parts.items() if part is not None}
    try:
        with replacing(path, "wb") as file:
            torch.save(state | {"recipe": recipe, "rows": rows}, file)
    except RuntimeError as error:
        # torch reports what it could not finish because of the disk, in terms of its own source.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def resume(path: Path, parts: dict[str, Any], recipe: dict[str, Any], machine: Machine) -> list[dict]:
    """Load the checkpoint at `path`, if there is one, into `parts`, and return its rows.

    Raises DamagedCheckpoint where it cannot be read as one and ValueError where it is another run's.
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
    except PermissionError:
        raise
    except Exception as error:
        text = f"checkpoint {_name(path)} cannot be read ({in_short(error)}): it is damaged, or no checkpoint of fit"
        raise DamagedCheckpoint(f"{text}; give another path, or delete it if fit wrote it") from error
    if not isinstance(state, dict) or not {"net", "optimizer", "recipe", "rows"} <= state.keys():
        # It may be all that its owner has of something else: nobody is told to remove it.
        holds = ", ".join(map(str, list(state)[:3])) if isinstance(state, dict) else described(state)
        raise DamagedCheckpoint(
            f"checkpoint {_name(path)} is no checkpoint of fit but another file of torch (it holds {holds[:80]}, ...); "
            "give another path, where fit may write"
        )
    for name in recipe | state["recipe"]:
        was, now = state["recipe"].get(name), recipe.get(name)
        if was != now:
            advice = "give another path, or delete it to start anew"
            if name == "precision":
                advice = f'precision="{was}" goes on with it'
            values = f"{name} was {str(was)[:60]} and is {str(now)[:60]} now"
            raise ValueError(f"checkpoint {_name(path)} is of another run: {values}; {advice}")
    return state


def _name(path: Path) -> str:
    text = os.fspath(path)
    return text if len(text) <= 60 else f"...{text[-57:]}"
