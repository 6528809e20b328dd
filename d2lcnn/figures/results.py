"""What training runs gave: curves and confusions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from d2lcnn._words import described
from d2lcnn.figures.given import listed, tensor, texts


def plot_history(history) -> None:
    """Plot a History's loss and accuracy by epoch, on the training and, where there is one, the validation data.

    Raises TypeError for anything else than a History, and ValueError for one without epochs.
    """
    rows = getattr(history, "rows", None)
    if not isinstance(rows, list) or not all(_holds(row, "epoch", "loss", "accuracy") for row in rows):
        # A History with other rows cannot even print itself.
        got = described(history) if rows is None else f"a {type(history).__name__} with the rows {described(rows)}"
        raise TypeError(f"history must be a History, such as fit gives; got {got}")
    if not rows:
        raise ValueError("history must hold at least one epoch; got none")
    epochs = [row["epoch"] for row in rows]
    _, axes = plt.subplots(1, 2)
    for ax, quantity in zip(axes, ("loss", "accuracy")):
        for key, label in ((quantity, "training"), (f"val_{quantity}", "validation")):
            values = [row.get(key) for row in rows]
            if None not in values:
                ax.plot(epochs, values, marker="o", ms=3, label=label)
        ax.set(xlabel="epoch", ylabel=quantity)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend()
    plt.show()


def plot_records(records: Iterable[dict[str, Any]]) -> None:
    """Plot the validation accuracy of recorded runs by epoch: the mean over seeds, and a band of a standard deviation.

    Runs of one network, variant and recipe share a curve. Its name tells of the recipe what differs from the other
    curves of that network and variant. A single run has no band.

    Raises TypeError for anything else than records, and ValueError where there are none, or one has no validation
    accuracy or other epochs than a run of the same recipe.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for k, record in enumerate(listed("records", records, "a list of records", (str, bytes, Mapping))):
        _check_record(f"records[{k}]", record)
        recipe = json.dumps(record["recipe"], sort_keys=True, default=str)
        runs = groups.setdefault((_run(record), recipe), [])
        runs.append(record)
        if _epochs(record) != _epochs(runs[0]):
            raise ValueError(f"records of one recipe must have the same epochs; those of {_run(record)} differ")
    if not groups:
        raise ValueError("records must hold at least one run; got none")
    _, ax = plt.subplots()
    for (name, recipe), runs in groups.items():
        rivals = [json.loads(other) for run, other in groups if run == name]
        recipe = json.loads(recipe)
        differs = [f"{k} {v}" for k, v in recipe.items() if any(rival.get(k) != v for rival in rivals)]
        label = f"{', '.join([name, *differs])} ({len(runs)} run{'s' * (len(runs) > 1)})"
        epochs = _epochs(runs[0])
        values = list(zip(*([row["val_accuracy"] for row in run["curve"]] for run in runs)))
        means = [mean(v) for v in values]
        (line,) = ax.plot(epochs, means, marker="o", ms=3, label=label)
        if len(runs) > 1:
            low, high = ([m + sign * stdev(v) for m, v in zip(means, values)] for sign in (-1, 1))
            ax.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, lw=0)
    ax.set(xlabel="epoch", ylabel="validation accuracy")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend()
    plt.show()


def _holds(value: Any, *fields: str) -> bool:
    return isinstance(value, Mapping) and all(field in value for field in fields)


def _check_record(name: str, record: Any) -> None:
    fields = ("network", "variant", "recipe", "curve")
    if not isinstance(record, Mapping):
        raise TypeError(f"{name} must be a record, a dict; got {described(record)}")
    if missing := [field for field in fields if field not in record]:
        raise ValueError(f"{name} must hold {', '.join(fields)}; it lacks {', '.join(missing)}")
    curve = record["curve"]
    if not isinstance(record["recipe"], Mapping):
        raise ValueError(f'{name}["recipe"] must be a dict; got {described(record["recipe"])}')
    if not isinstance(curve, list) or not curve or not all(_holds(row, "epoch", "val_accuracy") for row in curve):
        raise ValueError(
            f'{name}["curve"] must be a list of epochs with "epoch" and "val_accuracy"; got {described(curve)}'
        )
    if not all(isinstance(row["val_accuracy"], Real) for row in curve):
        raise ValueError(f"records must hold a validation accuracy for each epoch; {_run(record)} does not")


def _epochs(record: dict[str, Any]) -> list[int]:
    return [row["epoch"] for row in record["curve"]]


def _run(record: Mapping[str, Any]) -> str:
    return f"{record['network']} {record['variant']}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.2g}"


def show_confusion(counts: Tensor, classes: Sequence[str]) -> None:
    """Show a confusion matrix: counts (true class, predicted class) with each row scaled to its own sum.

    Cells that count nothing are empty. `classes` are as many texts or numbers.

    Raises TypeError for other things, and ValueError where `counts` is not square with one row for each class, or is
    negative or not finite.
    """
    names = texts("classes", classes)
    counts, n = tensor("counts", counts), len(names)
    if tuple(counts.shape) != (n, n) or not n:
        raise ValueError(f"counts must have the shape ({n}, {n}) for {n} classes; got {tuple(counts.shape)}")
    counts = counts.double() if counts.is_floating_point() else counts.long()
    if not counts.isfinite().all() or (counts < 0).any():
        raise ValueError("counts must be finite and not negative; got other numbers among them")
    totals = counts.sum(1, keepdim=True)
    shares = counts / totals.where(totals > 0, torch.ones_like(totals))
    _, ax = plt.subplots(figsize=(5.4, 4.6))
    ax.imshow(shares.float().numpy(), cmap="Blues", vmin=0, vmax=1)
    for r in range(n):
        for c in range(n):
            if counts[r, c]:
                ink = "white" if shares[r, c] > 0.5 else "#1a202c"
                ax.text(c, r, _number(counts[r, c].item()), ha="center", va="center", fontsize=7, color=ink)
    ax.set_xticks(range(n), names, rotation=45, ha="right")
    ax.set_yticks(range(n), names)
    ax.set(xlabel="predicted", ylabel="true")
    ax.grid(False)
    plt.show()
