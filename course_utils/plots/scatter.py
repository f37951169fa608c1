"""Codes as points in the plane, coloured and marked by class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from course_utils.plots.style import (
    FONT_SIZE,
    MARKERS,
    PALETTE,
    as_array,
    class_marker,
    make_axes,
    spread_labels,
    tidy,
    whole,
)


@whole
def latent_scatter(
    z, labels, class_names: Sequence[str], *, legend: bool = True, names: bool = True, ax: Axes | None = None
):
    """A 2-D map of codes: a colour and a marker for each class, its name at its median, and a legend beside the map.

    Args:
        z: Codes, (N, 2).
        labels: Class of each code, integers (N,) from 0 to len(class_names) - 1.
        class_names: One name a class, at most 100. From the eleventh on colours come again, with other markers.
        legend: With a legend beside the map.
        names: With each class's name on the map.
        ax: Axes to draw on.

    Returns:
        The axes, with equal scales on both.

    Raises:
        ValueError: Wrong shapes, more than 100 classes, or labels without a name.
    """
    z, labels = as_array(z, "z", 2), as_array(labels, "labels", 1)
    if z.shape[1] != 2 or len(z) != len(labels):
        raise ValueError(f"z has shape {z.shape} and labels {labels.shape}: give codes (N, 2) and labels (N,).")
    if len(class_names) > len(PALETTE) * len(MARKERS):
        raise ValueError(f"there are {len(class_names)} classes, but only {len(PALETTE) * len(MARKERS)} can be shown.")
    if (labels != labels.round()).any():
        raise ValueError(f"labels hold {labels[labels != labels.round()][0]:g}: give whole numbers, classes from 0.")
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise ValueError(f"labels reach from {labels.min():g} to {labels.max():g} for {len(class_names)} class names.")
    ax = make_axes(ax, 7.5, 5.5)
    size = np.clip(30_000 / len(z), 9, 36)
    for k, name in enumerate(class_names):
        points = z[labels == k]
        ax.scatter(*points.T, s=size, c=PALETTE[k % 10], marker=class_marker(k), alpha=0.7, linewidths=0, label=name)
    tidy(ax, "z[0]", "z[1]").set_aspect("equal", adjustable="datalim")
    if legend:
        columns = -(-len(class_names) // 20)
        box = ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=FONT_SIZE, frameon=False, ncols=columns)
        for handle in box.legend_handles:
            handle.set(sizes=[45], alpha=1)
    if names:
        _name_classes(ax, z, labels, class_names)
    return ax


def _name_classes(ax: Axes, z: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    """Write each class's name at the median of its codes, moved a little where two names would overlap."""
    present = [k for k in range(len(class_names)) if (labels == k).any()]
    medians = np.array([np.median(z[labels == k], axis=0) for k in present])
    ax.apply_aspect()
    to_points = ax.transData.transform(medians) * 72 / ax.figure.dpi
    widths = np.array([len(str(class_names[k])) * 5.6 + 4 for k in present])
    centres = spread_labels(to_points, widths, 13.0) * ax.figure.dpi / 72
    for k, (x, y) in zip(present, ax.transData.inverted().transform(centres), strict=True):
        text = ax.text(x, y, str(class_names[k]), ha="center", va="center", fontsize=9, fontweight="bold")
        text.set_path_effects([withStroke(linewidth=3, foreground=ax.get_facecolor(), alpha=0.85)])
