"""Training and evaluating a classifier: one loop, from a laptop's two cores to many GPUs under torchrun."""

from d2lcnn.training.loop import Scores, evaluate, fit

__all__ = ["Scores", "evaluate", "fit"]
