"""Maps whose axes have no meaning: classes by colour and marker, some of the images at their points."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from course_utils.plots.pictures import as_pixels, place_images
from course_utils.plots.scatter import latent_scatter
from course_utils.plots.style import FONT_SIZE, as_array, check_labelled, whole


@whole
def latent_map(
    points,
    labels,
    class_names: Sequence[str],
    *,
    images=None,
    thumbnails: int = 40,
    zoom: float = 0.75,
    title: str = "",
    legend: bool = True,
    names: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A 2-D map of codes, for example by t-SNE: `latent_scatter` without numbers on the axes, which mean nothing.

    Args:
        points: The map, (N, 2).
        labels: Class of each point, integers (N,).
        class_names: One name a class, at most 100.
        images: The images that were mapped, (N, C, H, W), floats in [0, 1] or uint8; some are drawn at their points.
        thumbnails: How many: each time the point farthest from those drawn already.
        zoom: Size of an image: points on the page for each of its pixels.
        title: Written over the map.
        legend: With a legend beside the map.
        names: With each class's name on the map; by default only where no images would hide them.
        ax: Axes to draw on.

    Returns:
        The axes, with equal scales on both.

    Raises:
        ValueError: Wrong shapes, or not one image a point.

    Example:
        >>> ax = latent_map(np.random.rand(9, 2), np.zeros(9), ["bag"], title="PCA")
        >>> ax.get_title()
        'PCA'
    """
    points = as_array(points, "points", 2)
    names = images is None if names is None else names
    ax = latent_scatter(points, labels, class_names, legend=legend, names=names, ax=ax)
    if images is not None and thumbnails:
        if len(images) != len(points):
            raise ValueError(f"there are {len(images)} images for {len(points)} points: give one for each.")
        chosen = _spread(points, thumbnails)
        place_images(ax, points[chosen], as_pixels(as_array(images, "images", 4)[chosen]), zoom)
    ax.set(xlabel="map, without unit", ylabel="map, without unit", xticks=[], yticks=[], title=title)
    ax.grid(False)
    return ax


@whole
def map_grid(
    maps: Mapping[str, object], labels, class_names: Sequence[str], *, columns: int = 4, width: float = 9.8
) -> np.ndarray:
    """Several maps of the same points side by side, with one legend under them.

    Args:
        maps: {title: points (N, 2)}, row by row.
        labels: Class of each point, integers (N,).
        class_names: One name a class, at most 100.
        columns: Maps in a row.
        width: Width of the figure in inches.

    Returns:
        The axes, an array (rows, columns); places without a map are empty.

    Raises:
        ValueError: No maps, or wrong shapes.

    Example:
        >>> map_grid({"a": np.random.rand(9, 2), "b": np.random.rand(9, 2)}, np.zeros(9), ["bag"], columns=2).shape
        (1, 2)
    """
    check_labelled(maps, "maps", "{title: points}")
    if columns < 1:
        raise ValueError(f"columns is {columns}: give at least 1.")
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side = width / columns
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, rows * (0.9 * side + 0.25) + 0.6), squeeze=False, layout="constrained"
    )
    for ax in axes.flat[len(maps) :]:
        ax.set_axis_off()
    for ax, (title, points) in zip(axes.flat, maps.items(), strict=False):
        latent_map(points, labels, class_names, legend=False, names=False, ax=ax)
        ax.set(xlabel="", ylabel="")
        ax.set_title(title, fontsize=FONT_SIZE)
    handles, texts = axes.flat[0].get_legend_handles_labels()
    legend = figure.legend(handles, texts, loc="outside lower center", ncols=5, fontsize=FONT_SIZE, frameon=False)
    for handle in legend.legend_handles:
        handle.set(sizes=[45], alpha=1)
    return axes


def _spread(points: np.ndarray, count: int) -> list[int]:
    """Indices of points far from each other: the one nearest the middle, then each time the farthest from all those."""
    chosen = [int(np.square(points - points.mean(axis=0)).sum(axis=1).argmin())]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        nearest = np.minimum(nearest, np.square(points - points[chosen[-1]]).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen
