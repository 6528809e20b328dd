"""The runs of a study: train one, or all that are not recorded yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lcnn import records
from d2lcnn.data import Augment, Batches, FashionMNIST
from d2lcnn.provenance import code_revision, describe_run
from d2lcnn.studies.protocol import Study
from d2lcnn.tracing import trace
from d2lcnn.training import fit
from d2lcnn.training.machine import find_device

_data = cache(FashionMNIST)


def train(
    study: Study, name: str, seed: int, device: str | None = None, *, progress: bool = True
) -> tuple[nn.Module, records.Record]:
    """Train the variant `name` of a study with one seed; return the network and the run's record.

    Ctrl-C raises KeyboardInterrupt: half a run answers nothing.
    """
    variant, revision = study.variants[name], code_revision()
    protocol, where = variant.protocol, find_device(device)
    data = protocol.prepare(_data(), seed)
    augment = None if protocol.augment is None else Augment(**protocol.augment)
    batches = data.train(protocol.batch_size, seed=seed, augment=augment)
    torch.manual_seed(seed)
    net = variant.build(**variant.settings)
    found = trace(net, (1, 1, protocol.input_size, protocol.input_size))
    history = fit(net, batches, data.validation(), **protocol.training, seed=seed, device=where, progress=progress)
    if len(history.rows) < protocol.epochs:
        raise KeyboardInterrupt
    right, loss = answers(net, data.test())
    measures = {"parameters": found.parameters, "macs": found.macs}
    if study.measure is not None:
        measures |= study.measure(net, data, where)
    seconds = {part: sum(history[f"{part}_seconds"]) for part in ("load", "compute")}
    return net, {
        "schema_version": records.SCHEMA_VERSION,
        "study": study.name,
        "network": variant.build.__name__,
        "variant": name,
        "input_size": protocol.input_size,
        "recipe": variant.recipe | {"precision": history.settings["precision"]},
        "seed": seed,
        "curve": history.rows,
        "test_accuracy": right.float().mean().item(),
        "test_loss": loss,
        "right": records.pack(right.tolist()),
        "measures": measures,
        "seconds": seconds,
        "images_per_second": batches.num_examples * len(history.rows) / sum(seconds.values()),
        "code_revision": revision,
    } | describe_run(where)


@torch.no_grad()
def answers(net: nn.Module, batches: Batches) -> tuple[Tensor, float]:
    """Which pictures `net` names right, (N,) bool on the CPU, and its mean loss; in 32 bits, where the net is."""
    parts, loss = [], 0.0
    for X, y in batches.on(next(net.parameters()).device):
        scores = net(X)
        parts.append(scores.argmax(1) == y)
        loss += F.cross_entropy(scores, y, reduction="sum").item()
    right = torch.cat(parts).cpu()
    return right, loss / len(right)


def missing(study: Study, seeds: Iterable[int], folder: Path) -> list[tuple[str, int]]:
    """The runs (variant, seed) that `folder` has no record of, in any precision; all variants of a seed together."""
    recorded = {name: [r["seed"] for r in found] for name, found in read(study, folder).items()}
    return [(name, seed) for seed in seeds for name in study.variants if seed not in recorded[name]]


def read(study: Study, folder: Path = records.FOLDER) -> dict[str, list[records.Record]]:
    """The records of each variant in `folder`, by seed; of runs as the study has them today, whatever the precision."""
    folder = folder / study.name
    every = records.read(folder) if folder.is_dir() else []
    found = {}
    for name, variant in study.variants.items():
        recipe = variant.recipe | {"precision": None}
        own = [r for r in every if r["variant"] == name and r["recipe"] | {"precision": None} == recipe]
        found[name] = sorted(own, key=lambda record: record["seed"])
    return found


def train_missing(
    study: Study, seeds: Iterable[int], folder: Path = records.FOLDER, jobs: int = 1, device: str | None = None
) -> Iterator[records.Record]:
    """Train what is missing, `jobs` runs side by side, and yield each record once it is written to `folder`."""
    todo = missing(study, seeds, folder)
    (folder / study.name).mkdir(parents=True, exist_ok=True)
    if jobs == 1:
        for name, seed in todo:
            yield _record(study, name, seed, folder, device)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        runs = [pool.submit(_record, study, name, seed, folder, device) for name, seed in todo]
        try:
            for run in as_completed(runs):
                yield run.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _record(study: Study, name: str, seed: int, folder: Path, device: str | None) -> records.Record:
    _, record = train(study, name, seed, device, progress=False)
    records.write(record, folder / study.name)
    return record
