"""The loop: `fit` trains a classifier, `evaluate` scores one.

What it leans on stands beside it: where and how to compute in `machine.py` and `layout.py`, what is checked in
`arguments.py`, `batches.py`, `scores.py` and `trial.py`, and what is kept in `checkpoints.py`.
"""

import math
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from tqdm import tqdm

from d2lcnn._modes import tried_out
from d2lcnn.history import History
from d2lcnn.training import checkpoints
from d2lcnn.training.arguments import check_arguments, check_net, check_shareable, check_source
from d2lcnn.training.batches import advice, batches
from d2lcnn.training.compiling import can_compile, compile_options
from d2lcnn.training.layout import can_be_fused, lay_out, settled
from d2lcnn.training.machine import Machine, find_device, join_processes
from d2lcnn.training.memory import keep_memory
from d2lcnn.training.randomness import fork_generators, mix, seed_generators
from d2lcnn.training.scores import score
from d2lcnn.training.trial import try_out

# Batches from one look at the losses to the next: to look is to wait for the GPU that computes them.
_READ_EVERY = {"cpu": 1}


class Scores(NamedTuple):
    """Mean cross-entropy loss and accuracy, the share of right answers."""

    loss: float
    accuracy: float


def fit(
    net: nn.Module,
    train: Iterable,
    val: Iterable | None = None,
    *,
    epochs: int,
    lr: float | None = None,
    weight_decay: float = 0.01,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: str | LRScheduler | None = "one-cycle",
    device: torch.device | str | None = None,
    precision: str = "auto",
    compile: bool = False,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> History:
    """Train `net` to classify, and leave it in eval mode on `device`; Ctrl-C ends early with the History so far.

    `train`, `val`: batches (X, y), X (N, ...) floating, y (N,) integer: of an `ImageData`, a DataLoader, a list. `net`
    maps X to scores (N, classes). AdamW with `lr` and `weight_decay`, unless an `optimizer` comes with its own,
    one whose steps need no closure.
    `schedule`: "one-cycle" up to that learning rate, None to keep it, or a scheduler, which steps after every batch.
    `device`: by default the first there is of cuda, mps and cpu. `precision`: "fp32", "bf16", "fp16", or "auto", the
    fastest that the device has in hardware and in which the net computes the same. `compile`: use torch.compile.
    `seed`: of dropout; batches have their own.
    `checkpoint`: a file written after every epoch; the same call goes on from it, to the same bits on the same machine.
    Under torchrun the processes share every batch. These last two need batches of an `ImageData`.

    Raises TypeError or ValueError, before training, for an argument or a batch that does not fit; FloatingPointError
    for a loss that is not finite; RuntimeError for a damaged checkpoint.
    """
    check_arguments(net, train, val, epochs, lr, weight_decay, optimizer, schedule, seed, checkpoint)
    device = find_device(device)
    join_processes(device)
    machine = Machine.of(net, device, precision)
    check_shareable(machine, train, val)
    train, val = (data.on(device) if hasattr(data, "on") else data for data in (train, val))
    epochs, seed = int(epochs), int(seed)  # plain numbers also where NumPy's come in
    checkpoint = None if checkpoint is None else Path(checkpoint)
    # Where the bar is wanted, TQDM_DISABLE may still say no.
    quiet = {} if progress and machine.rank == 0 else {"disable": True}

    # All randomness is drawn in here, and the caller's generators and settings stay as they are.
    with ExitStack() as during:
        for setting in (torch.inference_mode(False), torch.enable_grad(), fork_generators(device), keep_memory()):
            during.enter_context(setting)
        seed_generators(device, seed)
        net.to(device).zero_grad()
        machine = try_out(net, machine, may_lower=precision == "auto", train=train, val=val)
        if optimizer is None:
            fused = can_be_fused(net, device)
            optimizer = torch.optim.AdamW(net.parameters(), float(lr), weight_decay=weight_decay, fused=fused)
        recipe = checkpoints.recipe(net, train, optimizer, schedule, epochs, machine.precision, seed)
        groups = [dict(group) for group in optimizer.param_groups]
        total, is_one_cycle = epochs * len(train), schedule == "one-cycle"
        if is_one_cycle:
            peaks = [group["lr"] for group in groups]
            # A single step would be the cycle's last, at next to nothing.
            schedule = OneCycleLR(optimizer, peaks, total_steps=total, cycle_momentum=False) if total > 1 else None
        scaler = torch.amp.GradScaler(device.type, enabled=machine.precision == "fp16")
        parts = {"net": net, "optimizer": optimizer, "schedule": schedule, "scaler": scaler}
        rows = checkpoints.resume(checkpoint, parts, recipe, machine) if checkpoint else []
        during.enter_context(lay_out(net, optimizer, machine.layout))
        compiles = compile and can_compile(device)
        settings = {"device": device.type, "precision": machine.precision}
        history = History(rows, settings | {"compiled": compiles, "processes": machine.world_size})

        model = net
        if machine.world_size > 1:
            model = DistributedDataParallel(net, [device] if device.type == "cuda" else None)
        if compiles:
            model = torch.compile(model, **compile_options(machine, train))
        bar = tqdm(total=total, initial=len(rows) * len(train), unit="batch", leave=False, mininterval=0.5, **quiet)
        try:
            for epoch in range(len(rows), epochs):
                seed_generators(device, mix(seed, epoch, machine.rank))
                bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
                row = _train_epoch(model, train, epoch, machine, optimizer, schedule, scaler, bar)
                scores = Scores(None, None) if val is None else _evaluated(machine.agreed(net), val, machine)
                if val is not None and not math.isfinite(scores.loss):
                    where = f"after epoch {epoch + 1}; {advice(val, machine)}"
                    raise FloatingPointError(f"the validation loss became {scores.loss} {where}")
                rows.append(row | {"val_loss": scores.loss, "val_accuracy": scores.accuracy})
                if checkpoint and machine.rank == 0:
                    checkpoints.save(checkpoint, parts, recipe, rows)
        except KeyboardInterrupt:
            if machine.rank == 0:
                print(f"interrupted in epoch {len(rows) + 1}; the net keeps what it has learned")
        finally:
            bar.close()
            net.eval()
            # A caller's own optimizer is to find its learning rates as they were.
            for group, before in zip(optimizer.param_groups, groups if is_one_cycle else []):
                group.clear()
                group.update(before)
    if not quiet:
        print(history)
    return history


def _train_epoch(model, train, epoch, machine, optimizer, schedule, scaler, bar) -> dict[str, Any]:
    model.train()
    read_every = _READ_EVERY.get(machine.device.type, 50)
    unread, lrs, loss_sum, load_seconds = [], [], 0.0, 0.0
    right_sum, count_sum = torch.zeros(2, dtype=torch.int64, device=machine.device)
    start = mark = time.perf_counter()
    step = 0
    for step, (X, y) in enumerate(batches(train, machine, epoch), 1):
        if step > len(train):
            break
        load_seconds += time.perf_counter() - mark
        loss, right = score(model, X, y, machine)
        # The mean over the whole batch, wherever its parts are; DistributedDataParallel averages over the processes.
        count = machine.total(torch.full_like(right, len(y)))
        scaler.scale(loss * machine.world_size / count).backward()
        scaler.step(optimizer)
        scaler.update()
        model.zero_grad()
        lrs.append(optimizer.param_groups[0]["lr"])
        if schedule is not None:
            schedule.step()
        unread.append(loss.detach())
        right_sum += right
        count_sum += count
        if step % read_every == 0 or step == len(train):
            for i, value in enumerate(machine.total(torch.stack(unread)).tolist(), step - len(unread)):
                if not math.isfinite(value):
                    where = f"epoch {epoch + 1}, step {i + 1} of {len(train)}, at learning rate {lrs[i]:.3g}"
                    raise FloatingPointError(f"the loss became {value} in {where}; {advice(train, machine, epoch)}")
                loss_sum += value
            bar.update(len(unread))
            unread.clear()
        mark = time.perf_counter()
    if step != len(train):
        gave = step if step < len(train) else "more"
        raise ValueError(f"train must give as many batches as its length says, {len(train)}; it gave {gave}")
    right, count = int(machine.total(right_sum)), int(count_sum)
    seconds = time.perf_counter() - start
    row = {"epoch": epoch + 1, "loss": loss_sum / count, "accuracy": right / count, "load_seconds": load_seconds}
    return row | {"compute_seconds": seconds - load_seconds, "images_per_second": count / seconds}


def evaluate(net: nn.Module, batches: Iterable, *, precision: str = "auto") -> Scores:
    """Mean loss and accuracy of `net`, in eval mode and where it is, over batches (X, y) as `fit` takes them.

    Where several processes train together, each takes its share and all get the result.
    Raises TypeError or ValueError for a batch that does not fit, and where there are no examples.
    """
    check_net(net)
    check_source("batches", batches)
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    machine = replace(Machine.of(net, device, precision), classes=getattr(batches, "num_classes", 0))
    return _evaluated(net, batches, machine, settles=True, may_lower=precision == "auto")


def _evaluated(net, source, machine, settles=False, may_lower=False) -> Scores:
    totals = torch.zeros(3, dtype=machine.dtype, device=machine.device)
    with tried_out(net):
        for X, y in batches(source.on(machine.device) if hasattr(source, "on") else source, machine):
            if settles and len(y):
                machine, settles = settled(net, machine, [X[:2]], trains=False, may_lower=may_lower), False
            loss, right = score(net, X, y, machine)
            totals += torch.stack([loss, right, torch.full_like(right, len(y))])
    loss, right, count = machine.total(totals).tolist()
    if count == 0:
        raise ValueError("batches must hold examples, got none")
    return Scores(loss / count, right / count)
