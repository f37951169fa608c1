"""Figures of estimates by sampling."""

from matplotlib.axes import Axes

from course_utils.plots.style import FONT_SIZE, PALETTE, as_array, make_axes, tidy, whole


@whole
def estimates(
    counts, means, half_widths, exact: float | None = None, *, ylabel: str = "estimate", ax: Axes | None = None
) -> Axes:
    """Estimates with their error bars over the number of samples, on a logarithmic axis, and the exact value.

    Args:
        counts: Numbers of samples, (N,), positive.
        means: The estimates, (N,).
        half_widths: Half the length of each error bar, (N,), for example 1.96 standard errors.
        exact: The true value, drawn as a dashed line; None where it is unknown.
        ylabel: What is estimated, with its unit.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: Arrays of different length, a count that is not positive, or a negative half-width.

    Example:
        >>> ax = estimates([10, 100], [1.3, 1.1], [0.6, 0.2], exact=1.0)
        >>> ax.get_xscale()
        'log'
    """
    given = {"counts": counts, "means": means, "half_widths": half_widths}
    counts, means, half_widths = (as_array(values, name, 1) for name, values in given.items())
    if not len(counts) == len(means) == len(half_widths):
        raise ValueError(
            f"there are {len(counts)} counts, {len(means)} means and {len(half_widths)} half-widths: give as many of "
            "each."
        )
    if counts.min() <= 0:
        raise ValueError(f"a count is {counts.min():g}: a logarithmic axis takes numbers above 0.")
    if half_widths.min() < 0:
        raise ValueError(f"a half-width is {half_widths.min():.3g}: the length of an error bar cannot be negative.")
    ax = make_axes(ax, 6.5, 3.4)
    ax.errorbar(counts, means, half_widths, fmt="o", color=PALETTE[0], capsize=4, label="estimate")
    if exact is not None:
        ax.axhline(exact, color=PALETTE[2], linestyle="--", linewidth=1.4, label="exact")
    ax.set_xscale("log")
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, "samples", ylabel)
