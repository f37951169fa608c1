"""Curves, bars and histograms: what training, spectra, errors and detectors look like."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

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
def curves(
    series: Mapping[str, tuple], xlabel: str, ylabel: str, *, log_x: bool = False, log_y: bool = False, ax=None
) -> Axes:
    """Lines with markers, each its own colour, marker and dash.

    Args:
        series: {label: (x, y)}, both (N,).
        xlabel: What the horizontal axis shows, with its unit.
        ylabel: What the vertical axis shows, with its unit.
        log_x: Logarithmic horizontal axis.
        log_y: Logarithmic vertical axis.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: No series, or x and y of different length.
    """
    check_labelled(series, "series", "{label: (x, y)}")
    ax, values = make_axes(ax, 6.5, 3.8), set()
    for k, (label, one) in enumerate(series.items()):
        x, y = check_several(one, f"{label!r}", 2)
        x, y = as_array(x, f"x of {label!r}", 1), as_array(y, f"y of {label!r}", 1, gaps=True)
        values.update(x.tolist())
        if len(x) != len(y):
            raise ValueError(f"{label!r} has {len(x)} x values and {len(y)} y values: give as many of both.")
        style = {"color": PALETTE[k % 10], "linestyle": DASHES[k % 4], "marker": MARKERS[k % 10]}
        ax.plot(x, y, label=label, markersize=5 if len(x) <= 40 else 0, **style)
    ax.set_xscale("log" if log_x else "linear")
    if log_x and len(values) <= 10:  # few values: write exactly these, as plain numbers
        ax.xaxis.set_major_locator(FixedLocator(sorted(values)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yscale("log" if log_y else "linear")
    if len(series) > 1:
        ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, xlabel, ylabel)


@whole
def training_curves(history, *, terms: Iterable[str] = ("loss",), ax: Axes | None = None) -> Axes:
    """Loss terms over epochs: training solid, validation dashed.

    Args:
        history: A History from `training.fit`, or its list of epochs.
        terms: Names of the loss terms to draw.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: No epochs, or a term that the history does not have.
    """
    epochs = getattr(history, "epochs", history)
    if not isinstance(epochs, (list, tuple)) or not all(isinstance(one, Mapping) and "train" in one for one in epochs):
        raise TypeError(f"the history is a {type(history).__name__}: give what `training.fit` returns, or its epochs.")
    if not epochs:
        raise ValueError("the history is empty: train for at least one epoch before drawing it.")
    ax = make_axes(ax, 6.5, 3.8)
    for k, term in enumerate([terms] if isinstance(terms, str) else terms):
        if term not in epochs[0]["train"]:
            raise ValueError(f"there is no term {term!r} in this history: it has {', '.join(epochs[0]['train'])}.")
        for split, dash, marker in (("train", "-", "o"), ("validation", "--", "s")):
            known = [entry for entry in epochs if entry.get(split)]
            if known:
                x, y = zip(*((entry["epoch"], entry[split][term]) for entry in known), strict=True)
                label = f"{term}, {'training' if split == 'train' else split}"
                ax.plot(
                    x, y, dash, marker=marker, markersize=4, color=PALETTE[(2 * k + (dash != "-")) % 10], label=label
                )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, "epoch", "value of the term")


@whole
def spectrum(ratio, *, mark: float | None = 0.9, ax: Axes | None = None) -> Axes:
    """Share of the variance that each principal component explains, as bars, and the running sum, as a line.

    Args:
        ratio: Explained variance ratio, (K,), largest first, each in [0, 1].
        mark: Share of the variance at which the number of components needed is written; None for no mark.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: Values outside [0, 1], for example variances that were not divided by their total.
    """
    ratio = as_array(ratio, "ratio", 1)
    if ratio.min() < 0 or ratio.sum() > 1.001:
        raise ValueError(f"ratio sums to {ratio.sum():.3g} but shares cannot exceed 1: divide by the total variance.")
    ax = make_axes(ax, 6.5, 3.8)
    number, total = np.arange(1, len(ratio) + 1), ratio.cumsum()
    ax.bar(number, ratio, width=0.9, color=PALETTE[0], label="each component")
    ax.plot(number, total, color=PALETTE[2], linewidth=1.8, label="all up to here")
    if mark is not None and total[-1] >= mark:
        needed = int(np.argmax(total >= mark)) + 1
        ax.axhline(mark, color="0.4", linestyle=":", linewidth=1)
        ax.plot(needed, total[needed - 1], "o", color=PALETTE[2])
        text = f"{needed} component{'s' if needed > 1 else ''}: {total[needed - 1]:.0%}"
        ax.annotate(text, (needed, mark), xytext=(10, -14), textcoords="offset points", fontsize=FONT_SIZE)
    ax.set_ylim(0, 1.05)
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, "principal component", "share of the variance")


@whole
def error_histogram(
    errors: Mapping[str, object], *, bins: int = 40, xlabel: str = "reconstruction error", ax: Axes | None = None
) -> Axes:
    """How an error is distributed in several groups, on the same bins, each group's area being 1.

    Args:
        errors: {group: errors (N,)}; groups may differ in size.
        bins: Number of bins over the range of all groups.
        xlabel: What the error is, with its unit.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: No groups, or a group without values or with NaN.
    """
    check_labelled(errors, "groups", "{name: errors}")
    groups = {name: as_array(values, f"errors of {name!r}", 1) for name, values in errors.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins)
    ax = make_axes(ax, 6.5, 3.8)
    for k, (name, values) in enumerate(groups.items()):
        style = {"edgecolor": PALETTE[k % 10], "facecolor": PALETTE[k % 10] + "40", "linestyle": DASHES[k % 4]}
        label = f"{name} ({len(values)})"
        ax.hist(values, edges, density=True, histtype="stepfilled", linewidth=1.6, label=label, **style)
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, xlabel, "density")


@whole
def roc_curve(
    curves: Mapping[str, tuple], *, scores: Mapping[str, float] | None = None, ax: Axes | None = None
) -> Axes:
    """Hits against false alarms as the threshold falls, with the diagonal of a coin toss.

    Args:
        curves: {label: (false positive rate (N,), true positive rate (N,))}, each in [0, 1].
        scores: {label: area under its curve}, written beside the label; computed by the caller.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: Rates outside [0, 1], or two of different length.
    """
    check_labelled(curves, "curves", "{label: (false positive rate, true positive rate)}")
    ax = make_axes(ax, 6.2, 4.2)
    ax.plot([0, 1], [0, 1], color="0.5", linewidth=1, linestyle=(0, (1, 2)), label="coin toss")
    for k, (label, rates) in enumerate(curves.items()):
        fpr, tpr = (as_array(rate, f"a rate of {label!r}", 1) for rate in check_several(rates, f"{label!r}", 2))
        if len(fpr) != len(tpr) or min(fpr.min(), tpr.min()) < 0 or max(fpr.max(), tpr.max()) > 1:
            raise ValueError(f"rates of {label!r} must be two arrays of one length with values from 0 to 1.")
        text = label if scores is None else f"{label}: {scores[label]:.2f}"
        ax.plot(fpr, tpr, color=PALETTE[k % 10], linestyle=DASHES[k % 4], linewidth=1.8, label=text)
    ax.set_aspect("equal")
    ax.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return tidy(ax, "false positive rate", "true positive rate")
