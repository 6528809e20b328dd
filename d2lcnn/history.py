"""What a training run has measured, epoch by epoch."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(repr=False)
class History:
    """What `fit` measured: `rows`, one dict an epoch, and `settings`, how it ran.

    A row holds epoch (from 1), loss, accuracy, val_loss, val_accuracy (None without validation data), load_seconds,
    compute_seconds and images_per_second (the last three: of training alone; to bring a batch from the CPU to a GPU
    takes until the step before is done, and counts as loading). `history["loss"]` lists one of them.
    """

    rows: list[dict[str, Any]]
    settings: dict[str, Any]

    @property
    def last(self) -> dict[str, Any]:
        """The row of the last finished epoch; empty where there is none."""
        return self.rows[-1] if self.rows else {}

    @property
    def seconds(self) -> float:
        """Seconds spent on training, loading included, validation not."""
        return sum(self["load_seconds"] + self["compute_seconds"])

    def plot(self) -> None:
        """Draw loss and accuracy by epoch."""
        from d2lcnn.figures import plot_history

        plot_history(self)

    def to_json(self) -> str:
        """The rows and settings as JSON text."""
        return json.dumps(asdict(self), indent=1)

    def __getitem__(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def __repr__(self) -> str:
        if not self.rows:
            return "no epoch finished"
        row, speed = self.last, sum(self["images_per_second"]) / len(self.rows)
        epochs = "1 epoch" if row["epoch"] == 1 else f"{row['epoch']} epochs"
        text = f"{epochs} in {self.seconds:.1f} s: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}"
        if row["val_loss"] is not None:
            text += f", validation loss {row['val_loss']:.4f}, accuracy {row['val_accuracy']:.4f}"
        return f"{text} ({speed:,.0f} images/s, {self.settings['device']}, {self.settings['precision']})"
