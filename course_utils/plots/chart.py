"""A chart as plain numbers: drawn by matplotlib here, and by the browser in an explorer, from one description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from course_utils.plots.pictures import as_pixels
from course_utils.plots.style import (
    DASHES,
    FONT_SIZE,
    MARKERS,
    PALETTE,
    as_array,
    as_range,
    check_labelled,
    make_axes,
    tidy,
    whole,
)

KINDS = ("line", "points", "bars", "markers")


@dataclass(frozen=True)
class Series:
    """One named series of a chart.

    Attributes:
        name: What it is, for the legend; an empty name leaves it out of the legend.
        x: Horizontal positions, (N,); for markers those of the vertical lines.
        y: Values, (N,); bars stand on zero; markers have none.
        kind: "line", "points", "bars" or "markers" (dashed vertical lines over the whole height).
        color: Number of its colour in `PALETTE` and of its shape in `MARKERS`; by default its place in the chart.
        width: Width of a bar, in units of x; by default 0.8 of the smallest distance between two bars.
    """

    name: str
    x: object
    y: object = None
    kind: str = "line"
    color: int | None = None
    width: float | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"the kind of series {self.name!r} is {self.kind!r}: use one of {', '.join(KINDS)}.")
        x = as_array(self.x, f"x of {self.name!r}", (0, 1)).reshape(-1)
        y = x[:0] if self.kind == "markers" else as_array(self.y, f"y of {self.name!r}", (0, 1)).reshape(-1)
        if self.kind != "markers" and len(x) != len(y):
            raise ValueError(f"series {self.name!r} has {len(x)} x values and {len(y)} y values: give as many of both.")
        width = self.width
        if self.kind == "bars" and width is None:
            width = 0.8 * float(np.diff(np.sort(x)).min()) if len(x) > 1 else 0.8
        for name, value in (("x", x), ("y", y), ("width", width)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Chart:
    """Lines, points, bars and vertical markers on two axes.

    Attributes:
        series: What is drawn, later ones on top.
        x_range: Left and right end of the horizontal axis.
        y_range: Lower and upper end of the vertical axis; fixed ends keep a picture still while a slider moves.
        xlabel: What the horizontal axis shows, with its unit.
        ylabel: What the vertical axis shows, with its unit.
        log_x: Logarithmic horizontal axis.
        log_y: Logarithmic vertical axis.

    Example:
        >>> chart = Chart([Series("loss", [1, 2, 3], [0.9, 0.5, 0.4]), Series("now", 2, kind="markers")],
        ...               (1, 3), (0, 1), "epoch", "loss in nats")
        >>> chart.summary()
        'Chart of loss in nats against epoch. loss: line from 0.9 at 1 to 0.4 at 3. now: at 2.'
    """

    series: Sequence[Series]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    xlabel: str
    ylabel: str
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self):
        if not self.series or not all(isinstance(one, Series) for one in self.series):
            raise ValueError("a chart needs at least one Series(name, x, y, kind).")
        for name, log in (("x_range", self.log_x), ("y_range", self.log_y)):
            low, high = as_range(getattr(self, name), name)
            if log and low <= 0:
                raise ValueError(f"{name} begins at {low:g}: a logarithmic axis needs positive ends.")
            object.__setattr__(self, name, (low, high))

    def color(self, k: int) -> int:
        """Number of the colour and shape of series k."""
        return (k if self.series[k].color is None else self.series[k].color) % len(PALETTE)

    def summary(self) -> str:
        """The chart in words, for a reader who cannot see it."""
        parts = [f"Chart of {self.ylabel} against {self.xlabel}."]
        for one in self.series:
            name, x, y = one.name or "unnamed", one.x, one.y
            if one.kind == "markers":
                parts.append(f"{name}: at {', '.join(f'{v:.3g}' for v in x[:5])}.")
            elif one.kind == "line":
                parts.append(f"{name}: line from {y[0]:.3g} at {x[0]:.3g} to {y[-1]:.3g} at {x[-1]:.3g}{_peak(x, y)}.")
            elif one.kind == "points":
                parts.append(f"{name}: {_count(x, 'point')}, {one.x.min():.3g} to {one.x.max():.3g} across.")
            else:
                parts.append(f"{name}: {_count(x, 'bar')}, the highest {y.max():.3g} at {x[y.argmax()]:.3g}.")
        return " ".join(parts)


def _height(image: np.ndarray, side: float) -> float:
    """Inches for a row of images (H, W, 3) in columns of a given width."""
    return min(0.9 * side * image.shape[0] / image.shape[1], 1.1)


def _cell(one, label) -> Chart | np.ndarray:
    """A chart, or an image (C, H, W) as (H, W, 3)."""
    if isinstance(one, Chart):
        return one
    return as_pixels(as_array(one, f"an image of {label!r}", 3)[None], f"an image of {label!r}")[0, ..., :3]


def _peak(x: np.ndarray, y: np.ndarray) -> str:
    k = int(y.argmax())
    return f", highest {y[k]:.3g} at {x[k]:.3g}" if 0 < k < len(y) - 1 else ""


def _count(x: np.ndarray, what: str) -> str:
    return f"{len(x)} {what}{'' if len(x) == 1 else 's'}"


@whole
def draw_chart(chart: Chart, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw a chart with matplotlib, in the colours, shapes and dashes that explorers use.

    Args:
        chart: The description.
        legend: Whether to name the series above the chart.
        ax: Axes to draw on.

    Returns:
        The axes.
    """
    ax = make_axes(ax, 4.6, 3.2)
    for k, one in enumerate(chart.series):
        c = chart.color(k)
        style = {"color": PALETTE[c], "label": one.name or "_nolegend_", "zorder": 2 + 0.01 * k}
        if one.kind == "line":
            ax.plot(one.x, one.y, linestyle=DASHES[c % 4], linewidth=1.8, **style)
        elif one.kind == "points":
            ax.plot(one.x, one.y, linestyle="", marker=MARKERS[c], markersize=7, markeredgecolor="w", **style)
        elif one.kind == "bars":
            bottom = chart.y_range[0] if chart.log_y else 0
            ax.bar(one.x, one.y - bottom, one.width, bottom=bottom, alpha=0.75, **style)
        else:
            for i, x in enumerate(one.x):
                ax.axvline(x, linestyle="--", linewidth=1.5, **style | ({"label": "_nolegend_"} if i else {}))
    ax.set_xscale("log" if chart.log_x else "linear")
    ax.set_yscale("log" if chart.log_y else "linear")
    tidy(ax, chart.xlabel, chart.ylabel).set(xlim=chart.x_range, ylim=chart.y_range)
    if legend and any(one.name for one in chart.series):
        ax.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


@whole
def panel_table(rows: Mapping[str, Sequence], *, column_titles: Sequence[str] | None = None, width: float = 9.0):
    """Charts and images in a table: what an explorer shows, a column for each of several positions.

    Args:
        rows: {label: one Chart or one image (C, H, W) in [0, 1] for each column}.
        column_titles: One title a column.
        width: Width of the figure in inches.

    Returns:
        The axes, an array (rows, columns).

    Raises:
        ValueError: No rows, or rows of different length.
    """
    check_labelled(rows, "rows", "{label: one Chart or image for each column}")
    rows = {label: [_cell(one, label) for one in cells] for label, cells in rows.items()}
    lengths = {len(cells) for cells in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"rows have {sorted(lengths)} cells: give at least one row, and as many cells in each.")
    columns = lengths.pop()
    titles = [""] * columns if column_titles is None else list(map(str, column_titles))
    if len(titles) != columns:
        raise ValueError(f"there are {len(titles)} column titles for {columns} columns: give one for each.")
    side = width / columns  # inches a column
    heights = [0.85 * side + 0.4 if isinstance(cells[0], Chart) else _height(cells[0], side) for cells in rows.values()]
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width, sum(heights) + 0.5), squeeze=False, layout="constrained",
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for line, (label, cells) in zip(axes, rows.items(), strict=True):
        for k, (ax, cell) in enumerate(zip(line, cells, strict=True)):
            if isinstance(cell, Chart):
                draw_chart(cell, legend=False, ax=ax)
                if k:
                    ax.set_ylabel("")
                continue
            ax.imshow(cell, vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if k == 0:
                ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=FONT_SIZE)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=FONT_SIZE)
    named = [ax for ax in axes[:, 0] if ax.get_legend_handles_labels()[1]]
    if named:
        handles, labels = named[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return axes
