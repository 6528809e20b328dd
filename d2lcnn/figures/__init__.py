"""Still figures, drawn from the tensors and networks they show. `show_*` makes a whole figure and shows it."""

from d2lcnn.figures.graphs import show_graph
from d2lcnn.figures.grids import (
    draw_grid,
    show_1x1,
    show_channels,
    show_correlation,
    show_im2col,
    show_pooling,
    show_receptive_field,
    show_stack,
)
from d2lcnn.figures.images import show_images
from d2lcnn.figures.networks import show_layers
from d2lcnn.figures.results import plot_history, plot_records, show_confusion

__all__ = [
    "draw_grid",
    "plot_history",
    "plot_records",
    "show_1x1",
    "show_channels",
    "show_confusion",
    "show_correlation",
    "show_graph",
    "show_im2col",
    "show_images",
    "show_layers",
    "show_pooling",
    "show_receptive_field",
    "show_stack",
]
