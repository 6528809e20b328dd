"""What training runs gave: curves and confusions."""

import json
from collections.abc import Iterable, Sequence
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator
from torch import Tensor


def plot_history(history) -> None:
    """Plot a History's loss and accuracy by epoch, on the training and, where there is one, the validation data."""
    epochs = [row["epoch"] for row in history.rows]
    _, axes = plt.subplots(1, 2)
    for ax, quantity in zip(axes, ("loss", "accuracy")):
        for key, label in ((quantity, "training"), (f"val_{quantity}", "validation")):
            values = [row.get(key) for row in history.rows]
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

    Raises ValueError where there are no records, or one has no validation accuracy.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        if None in [row["val_accuracy"] for row in record["curve"]]:
            raise ValueError(f"records must hold a validation accuracy for each epoch; {_run(record)} does not")
        groups.setdefault((_run(record), json.dumps(record["recipe"], sort_keys=True)), []).append(record)
    if not groups:
        raise ValueError("records must hold at least one run; got none")
    _, ax = plt.subplots()
    for (name, recipe), runs in groups.items():
        rivals = [json.loads(other) for run, other in groups if run == name]
        recipe = json.loads(recipe)
        differs = [f"{k} {v}" for k, v in recipe.items() if any(rival.get(k) != v for rival in rivals)]
        label = f"{', '.join([name, *differs])} ({len(runs)} run{'s' * (len(runs) > 1)})"
        epochs = [row["epoch"] for row in runs[0]["curve"]]
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


def _run(record: dict[str, Any]) -> str:
    return f"{record['network']} {record['variant']}"


def show_confusion(counts: Tensor, classes: Sequence[str]) -> None:
    """Show a confusion matrix: counts (true class, predicted class) with each row scaled to its own sum.

    Raises ValueError where `counts` is not square with one row for each class.
    """
    n = len(classes)
    if tuple(counts.shape) != (n, n):
        raise ValueError(f"counts must have the shape ({n}, {n}) for {n} classes; got {tuple(counts.shape)}")
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    _, ax = plt.subplots(figsize=(5.4, 4.6))
    ax.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    for r in range(n):
        for c in range(n):
            if counts[r, c]:
                ink = "white" if shares[r, c] > 0.5 else "#1a202c"
                ax.text(c, r, int(counts[r, c]), ha="center", va="center", fontsize=7, color=ink)
    ax.set_xticks(range(n), classes, rotation=45, ha="right")
    ax.set_yticks(range(n), classes)
    ax.set(xlabel="predicted", ylabel="true")
    ax.grid(False)
    plt.show()
