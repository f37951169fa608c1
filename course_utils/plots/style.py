"""What all figures share: the palette, sizes, and checks of what is drawn."""

import functools
import reprlib
from collections.abc import Callable, Mapping

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


def whole(draw: Callable) -> Callable:
    """Let a plotting function draw all or nothing: when it raises, no new figure stays, and nothing on given axes."""

    @functools.wraps(draw)
    def drawn(*args, **options):
        ax, figures = options.get("ax"), set(plt.get_fignums())
        if not isinstance(ax, Axes | None):
            raise TypeError(f"ax is a {type(ax).__name__}: give one matplotlib axes, for example plt.subplots()[1].")
        before = [] if ax is None else ax.get_children()
        try:
            return draw(*args, **options)
        except BaseException:
            for number in set(plt.get_fignums()) - figures:
                plt.close(number)
            for artist in [] if ax is None else ax.get_children():
                if artist not in before:
                    artist.remove()
            raise

    return drawn


def as_array(values, name: str, ndim: int | tuple[int, ...], *, gaps: bool = False) -> np.ndarray:
    """Values as a float array, or uint8, with an allowed number of dimensions; or one clear error.

    Without `gaps` all must be finite; with them, NaN and infinite values stay, and matplotlib leaves them out.
    """
    given = values
    try:
        if isinstance(values, (list, tuple)):  # of losses, say, which may need gradients
            values = [one.detach().cpu() if hasattr(one, "detach") else one for one in values]
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values  # NumPy has no bfloat16
        masked = np.ma.isMaskedArray(values)
        values = values.astype(np.float64).filled(np.nan) if masked else np.asarray(values)
        if values.dtype.kind not in "buif":
            raise TypeError(f"{values.dtype} is no type of real numbers")
    except (TypeError, ValueError, RuntimeError) as error:
        found = f"{name} cannot be read as plain real numbers from a {type(given).__name__}"
        raise TypeError(f"{found}: give a list, a NumPy array or a dense tensor of them.") from error
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if values.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{name} has shape {values.shape}: give an array with {wanted} dimensions.")
    if values.size == 0:
        raise ValueError(f"{name} is empty, with shape {values.shape}: there is nothing to draw.")
    if not gaps and not np.isfinite(values).all():
        raise ValueError(f"NaN or infinite values are in {name}: leave them out, or look for the step that made them.")
    return values.astype(np.float64) if values.dtype != np.uint8 else values


def as_range(ends, name: str) -> tuple[float, float]:
    """The two ends of an axis, or one clear error."""
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError, RuntimeError):
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"{name} is {reprlib.repr(ends)}: give two finite numbers, the smaller first.")
    return low, high


def check_labelled(given, name: str, wanted: str) -> None:
    """Raise one clear error unless it is a dictionary that is not empty."""
    if not isinstance(given, Mapping):
        raise TypeError(f"the {name} are a {type(given).__name__}: give a dictionary, {wanted}.")
    if not given:
        raise ValueError(f"there are no {name} to draw: give a dictionary, {wanted}.")


def check_several(values, name: str, count: int) -> tuple:
    """So many arrays of numbers, or one clear error."""
    several = () if isinstance(values, (str, Mapping)) or not hasattr(values, "__iter__") else tuple(values)
    if len(several) != count:
        raise TypeError(f"{name} is no tuple of {count} arrays: give so many.")
    return several


def class_marker(k: int) -> str:
    """Marker of class k: from the eleventh class on each colour comes again, with the next marker."""
    return MARKERS[(k + k // len(PALETTE)) % len(MARKERS)]


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
