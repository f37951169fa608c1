"""What all figures share: the palette, sizes, and checks of what is drawn."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

# Ten colours that stay apart with any of the common colour deficiencies, on white and on black: M. A. Petroff,
# "Accessible Color Sequences for Data Visualization" (2021), arXiv:2107.02270, the sequence for ten.
PALETTE = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
# One shape for each colour, so that colour is never the only cue.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES = ("-", "--", "-.", ":")
FONT_SIZE = 10


def as_array(values, name: str, ndim: int | tuple[int, ...]) -> np.ndarray:
    """Values as a finite float array with an allowed number of dimensions, or one clear error."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values  # NumPy has no bfloat16
    values = np.asarray(values)
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if values.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{name} has shape {values.shape}: give an array with {wanted} dimensions.")
    if values.size == 0:
        raise ValueError(f"{name} is empty, with shape {values.shape}: there is nothing to draw.")
    return values.astype(np.float64) if values.dtype != np.uint8 else values


def make_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or those of a new figure of that size in inches."""
    return ax if ax is not None else plt.subplots(figsize=(width, height), layout="constrained")[1]


def tidy(ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """Labels, a light grid behind the data, and no box."""
    ax.set_xlabel(xlabel, fontsize=FONT_SIZE)
    ax.set_ylabel(ylabel, fontsize=FONT_SIZE)
    ax.tick_params(labelsize=FONT_SIZE)
    ax.grid(color="0.5", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def spread_labels(points: np.ndarray, widths: np.ndarray, height: float, steps: int = 200) -> np.ndarray:
    """Centres for text boxes that do not overlap, each as near to its point as a few small pushes leave it.

    Args:
        points: Wanted centres, (K, 2).
        widths: Width of each box, (K,), in the unit of the points.
        height: Height of all boxes.
        steps: Rounds of pushing overlapping pairs apart, along the axis that needs the smaller push.

    Returns:
        Centres, (K, 2).

    Example:
        >>> spread_labels(np.zeros((2, 2)), np.array([6.0, 8.0]), 2.0)[:, 1].tolist()
        [-1.0, 1.0]
    """
    centres = np.array(points, dtype=np.float64)
    for _ in range(steps):
        moved = False
        for i in range(len(centres)):
            for j in range(i + 1, len(centres)):
                apart = centres[j] - centres[i]
                overlap = np.array([(widths[i] + widths[j]) / 2, height]) - np.abs(apart)
                if (overlap > 1e-6).all():
                    axis = int(overlap.argmin())
                    push = overlap[axis] / 2 * (1 if apart[axis] >= 0 else -1)
                    centres[i, axis] -= push
                    centres[j, axis] += push
                    moved = True
        if not moved:
            break
    return centres
