"""Figures of several runs as one line with a band."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from course_utils.plots.style import (
    DASHES,
    FONT_SIZE,
    MARKERS,
    PALETTE,
    as_array,
    check_labelled,
    check_several,
    make_axes,
    tidy,
    whole,
)


@whole
def seed_bands(
    runs: Mapping[str, tuple], xlabel: str, ylabel: str, *, log_x: bool = False, ax: Axes | None = None
) -> Axes:
    """For each label the mean over repeated runs as a line, and a band from the lowest run to the highest.

    Args:
        runs: {label: (x (N,), values (R, N))}, one row of values a run.
        xlabel: What the horizontal axis shows, with its unit.
        ylabel: What the vertical axis shows, with its unit.
        log_x: Logarithmic horizontal axis.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: No runs, or values that are not one row of N a run.

    Example:
        >>> ax = seed_bands({"Adam": ([1, 2, 3], [[9.0, 5.0, 4.0], [8.0, 6.0, 5.0]])}, "epoch", "loss in nats")
        >>> ax.lines[0].get_ydata().tolist()
        [8.5, 5.5, 4.5]
    """
    check_labelled(runs, "runs", "{label: (x, values)}, one row of values a run")
    ax = make_axes(ax, 6.5, 3.6)
    for k, (label, one) in enumerate(runs.items()):
        x, values = check_several(one, f"{label!r}", 2)
        x, values = as_array(x, f"x of {label!r}", 1), as_array(values, f"values of {label!r}", 2)
        if values.shape[1] != len(x):
            raise ValueError(f"{label!r} has {len(x)} x values, but runs of {values.shape[1]} values: give as many.")
        color = PALETTE[k % 10]
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.25, linewidth=0)
        style = {"linestyle": DASHES[k % 4], "marker": MARKERS[k % 10], "markersize": 4}
        ax.plot(x, values.mean(axis=0), color=color, label=f"{label} ({len(values)} runs)", **style)
    if log_x:
        ax.set_xscale("log")
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, xlabel, ylabel)
