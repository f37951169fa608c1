"""Figures made of images."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from course_utils.plots.style import FONT_SIZE, as_array, as_range, check_labelled, make_axes, tidy, whole


def as_pixels(images, name: str = "images") -> np.ndarray:
    """Images (..., C, H, W), floats in [0, 1] or uint8, as RGBA floats (..., H, W, 4)."""
    images = as_array(images, name, (4, 5))
    images = images / 255 if images.dtype == np.uint8 else images
    if images.shape[-3] not in (1, 3):
        raise ValueError(
            f"{name} have shape {images.shape}, so {images.shape[-3]} channels: give (..., C, H, W) with C of 1 or 3."
        )
    if images.min() < -0.01 or images.max() > 1.01:
        raise ValueError(
            f"{name} reach from {images.min():.3g} to {images.max():.3g}: scale them to [0, 1], or pass uint8."
        )
    rgb = np.moveaxis(images.clip(0, 1), -3, -1)
    rgb = np.repeat(rgb, 3, axis=-1) if rgb.shape[-1] == 1 else rgb
    return np.concatenate([rgb, np.ones_like(rgb[..., :1])], axis=-1)


def _mosaic(cells: np.ndarray, gap_y: float, gap_x: float) -> np.ndarray:
    """Cells (R, K, H, W, 4) side by side in one picture (R * (H + gap_y), K * (W + gap_x), 4); gaps are clear."""
    rows, columns, height, width, _ = cells.shape
    picture = np.zeros((rows, height + gap_y, columns, width + gap_x, 4))
    picture[:, gap_y:, :, :width] = cells.transpose(0, 2, 1, 3, 4)
    return picture.reshape(rows * (height + gap_y), columns * (width + gap_x), 4)


@whole
def image_grid(images, *, columns: int | None = None, titles: Sequence[str] | None = None, ax: Axes | None = None):
    """Images in rows and columns, with a title over each if wanted.

    Args:
        images: (N, C, H, W), laid out row by row; or (R, K, C, H, W), R rows of K. Floats in [0, 1], or uint8.
        columns: Images in a row when images are (N, C, H, W); by default at most 10.
        titles: One for each image, row by row.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: Wrong shape or range, or not one title an image.

    Example:
        >>> image_grid(np.zeros((3, 1, 28, 28)), titles=["a", "b", "c"]).texts[1].get_text()
        'b'
    """
    cells = as_pixels(images)
    if cells.ndim == 5:
        columns, cells = cells.shape[1], cells.reshape(-1, *cells.shape[2:])
    count, height, width, _ = cells.shape
    columns = min(count, 10) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns}: give at least 1.")
    titles = None if titles is None else list(map(str, titles))
    if titles is not None and len(titles) != count:
        raise ValueError(f"there are {len(titles)} titles for {count} images: give one for each.")
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, 4))
    padded[:count] = cells
    lines = 0 if titles is None else max(title.count("\n") + 1 for title in titles)
    inches = min(1.05 if lines else 0.8, 8 / columns)  # the side of one image
    line = round(height * 0.21 / inches)  # one line of text, in pixels of the images
    gap_y, gap_x = max(1, round(height / 14), lines * line), max(1, round(width / 14))
    picture = _mosaic(padded.reshape(rows, columns, height, width, 4), gap_y, gap_x)
    scale = inches / height
    ax = make_axes(ax, max(picture.shape[1] * scale, 1.0), max(picture.shape[0] * scale, 1.0))
    ax.imshow(picture, interpolation="nearest")
    ax.set_axis_off()
    for i, title in enumerate(titles or ()):
        x = (i % columns) * (width + gap_x) + (width - 1) / 2
        y = (i // columns) * (height + gap_y) + gap_y - 0.2 * line
        ax.text(x, y, title, ha="center", va="bottom", fontsize=9)
    return ax


@whole
def image_rows(rows: Mapping[str, object], *, column_titles: Sequence[str] | None = None, ax: Axes | None = None):
    """One labelled row of images under another, for example originals over their reconstructions.

    Args:
        rows: {label: images (K, C, H, W)}, all rows with the same K, H and W. Floats in [0, 1], or uint8.
        column_titles: K titles over the columns.
        ax: Axes to draw on.

    Returns:
        The axes.

    Raises:
        ValueError: No rows, rows of different shape, or not one title a column.

    Example:
        >>> ax = image_rows({"x": np.zeros((5, 1, 28, 28)), "x_hat": np.ones((5, 1, 28, 28))})
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['x', 'x_hat']
    """
    check_labelled(rows, "rows", "{label: images}")
    cells = [as_pixels(images, f"images of row {label!r}") for label, images in rows.items()]
    shapes = {label: cell.shape[:-1] for label, cell in zip(rows, cells, strict=True)}
    if len(set(shapes.values())) > 1 or cells[0].ndim != 4:
        raise ValueError(f"rows differ in (K, H, W): {shapes}. Give each the same number and size of images.")
    cells = np.stack(cells)
    count, columns, height, width, _ = cells.shape
    column_titles = None if column_titles is None else list(map(str, column_titles))
    if column_titles is not None and len(column_titles) != columns:
        raise ValueError(f"there are {len(column_titles)} column titles for {columns} columns: give one for each.")
    gap_y, gap_x = max(1, round(height / 14)), max(1, round(width / 14))
    picture = _mosaic(cells, gap_y, gap_x)
    inches = min(0.9, 7 / columns)
    margin = 0.08 * max(len(str(label)) for label in rows)
    ax = make_axes(ax, columns * inches * width / height + margin + 0.2, max(count * inches + 0.3, 1.0))
    ax.imshow(picture, interpolation="nearest")
    ax.set_yticks(np.arange(count) * (height + gap_y) + gap_y + (height - 1) / 2, list(map(str, rows)))
    ticks = np.arange(columns) * (width + gap_x) + (width - 1) / 2
    ax.set_xticks(ticks if column_titles is not None else [], column_titles)
    ax.tick_params(length=0, labelsize=FONT_SIZE, top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax


@whole
def latent_canvas(images, x_range: tuple[float, float], y_range: tuple[float, float], *, ax: Axes | None = None):
    """A grid of decoded images as one picture, with latent coordinates on the axes.

    Args:
        images: (R, K, C, H, W) as `latent_grid` returns them: row 0 has the largest y. Each image is drawn around its
            own coordinates.
        x_range: Latent coordinate of the first and the last column.
        y_range: Latent coordinate of the last and the first row.
        ax: Axes to draw on.

    Returns:
        The axes, in latent coordinates: points can be drawn over it.

    Raises:
        ValueError: Wrong shape, or a range that does not increase.
    """
    cells = as_pixels(images)
    if cells.ndim != 5:
        raise ValueError(f"images have shape {np.shape(images)}: give a grid (rows, columns, C, H, W).")
    x_range, y_range = as_range(x_range, "x_range"), as_range(y_range, "y_range")
    rows, columns = cells.shape[:2]
    half_x = (x_range[1] - x_range[0]) / max(columns - 1, 1) / 2
    half_y = (y_range[1] - y_range[0]) / max(rows - 1, 1) / 2
    extent = (x_range[0] - half_x, x_range[1] + half_x, y_range[0] - half_y, y_range[1] + half_y)
    ax = make_axes(ax, 7, 7 * rows * cells.shape[2] / (columns * cells.shape[3]))
    ax.imshow(_mosaic(cells, 0, 0), extent=extent, aspect="auto", interpolation="antialiased")
    tidy(ax, "z[0]", "z[1]").grid(False)
    return ax


def place_images(ax: Axes, places: np.ndarray, cells: np.ndarray, zoom: float) -> None:
    """Draw RGBA cells (K, H, W, 4), each in a thin frame, at places (K, 2) of the axes."""
    for place, cell in zip(places, cells, strict=True):
        box = AnnotationBbox(OffsetImage(cell, zoom=zoom), place, pad=0.1, bboxprops={"edgecolor": "0.5"})
        ax.add_artist(box)


@whole
def image_scatter(z, images, *, background=None, zoom: float = 1.0, ax: Axes | None = None):
    """Images drawn at the places of their codes, over all codes as grey dots.

    Args:
        z: Where each image goes, (K, 2).
        images: (K, C, H, W). Floats in [0, 1], or uint8.
        background: Further codes to draw as dots, (N, 2), or None.
        zoom: Size of an image: points on the page for each of its pixels.
        ax: Axes to draw on.

    Returns:
        The axes, with equal scales on both, in latent coordinates: paths can be drawn over it.

    Raises:
        ValueError: Wrong shapes, or not one place an image.
    """
    z, cells = as_array(z, "z", 2), as_pixels(images)
    if z.shape[1] != 2 or cells.ndim != 4 or len(z) != len(cells):
        raise ValueError(f"z has shape {z.shape} and images {tuple(np.shape(images))}: give (K, 2) and (K, C, H, W).")
    ax = make_axes(ax, 6, 5.5)
    everything = z if background is None else np.concatenate([z, as_array(background, "background", 2)])
    ax.scatter(*everything.T, s=6, c="0.7", linewidths=0)
    place_images(ax, z, cells, zoom)
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.12 * max((high - low).max(), 1e-6)  # room for the images at the rim
    ax.set_xlim(low[0] - margin, high[0] + margin)
    ax.set_ylim(low[1] - margin, high[1] + margin)
    tidy(ax, "z[0]", "z[1]").set_aspect("equal", adjustable="box")
    return ax
