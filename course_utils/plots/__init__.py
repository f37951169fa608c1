"""Figures: arrays in, matplotlib axes out.

Nothing here computes a result, calls a model or shows a figure. Every function takes `ax=None` (a new figure is
made then) and returns the axes, takes torch tensors or NumPy arrays, and writes no text smaller than 9 points.
"""

from course_utils.plots.bands import seed_bands
from course_utils.plots.chart import Chart, Series, draw_chart, panel_table
from course_utils.plots.estimates import estimates
from course_utils.plots.lines import (
    curves,
    error_histogram,
    roc_curve,
    spectrum,
    training_curves,
)
from course_utils.plots.maps import latent_map, map_grid
from course_utils.plots.pictures import image_grid, image_rows, image_scatter, latent_canvas
from course_utils.plots.scatter import latent_scatter
from course_utils.plots.style import MARKERS, PALETTE
from course_utils.plots.thread_figures import keep_figures_apart

__all__ = [
    "MARKERS",
    "PALETTE",
    "Chart",
    "Series",
    "curves",
    "draw_chart",
    "error_histogram",
    "estimates",
    "image_grid",
    "image_rows",
    "image_scatter",
    "latent_canvas",
    "latent_map",
    "latent_scatter",
    "map_grid",
    "panel_table",
    "roc_curve",
    "seed_bands",
    "spectrum",
    "training_curves",
]

keep_figures_apart()
