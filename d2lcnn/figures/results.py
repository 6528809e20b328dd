"""What a training run gave: curves and confusions."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
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
        ax.legend()
    plt.show()


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
