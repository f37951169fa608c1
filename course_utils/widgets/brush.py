"""A brush that hides parts of an image, and what a function makes of the rest."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.widgets.arguments import (
    check_decoded,
    check_different,
    check_function,
    check_image,
    check_list,
    check_names,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, panel, to_bytes

SIZE = 320  # CSS pixels of the image that is painted on
PANEL = 140  # of a result
GREY = 0.5  # of what is hidden
HELP = (
    "Drag over the image, or tap on it, to hide cells; from a hidden cell on it shows them again. Arrow keys go from "
    "cell to cell, the space bar hides or shows one."
)


class Brush(Explorer):
    """Hide cells of an image by mouse, finger or keyboard, and see the images that a function makes of the rest.

    The image is divided into cells of the same size. While the reader paints, the browser alone draws; the function is
    called once the finger is lifted, and at each press of the space bar.

    Args:
        x: The image to paint on, (C, H, W), floats in [0, 1].
        fn: Function of a mask on the CPU, bool (1, H, W), True at the pixels that are known. It returns images
            (K, C, H, W), floats in [0, 1], always as many. It runs in inference mode, and what is random in it should
            be seeded inside.
        cells: Rows and columns of cells, or one number for both.
        labels: K captions of what fn returns; "1", "2" and so on by default.
        hidden: Cells that are hidden at first: their numbers, from 0, row by row.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is {"hidden": numbers of the hidden cells}.

    Raises:
        TypeError, ValueError: One sentence that says which argument, or which result of fn, does not fit.

    Taught in lesson 14.

    Example:
        >>> x = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(0))
        >>> brush = Brush(x, lambda known: torch.where(known, x, 0)[None], cells=(2, 3))
        >>> brush.hide(1, 5)
        >>> brush.text, brush.known[0, :, 0].all().item(), brush.images[0, :, :4, 4:8].max().item()
        ('Hidden: 2 of 6 cells, 33% of the image.', True, 0.0)
    """

    words = Explorer.words | {
        "text": "Hidden: {count} of {all} cells, {share:0%} of the image.",
        "none": "Nothing is hidden.",
        "hidden": "Row {row}, column {column}: hidden.",
        "shown": "Row {row}, column {column}: shown.",
    }

    def __init__(
        self,
        x: Tensor,
        fn: Callable[[Tensor], Tensor],
        *,
        cells: int | tuple[int, int] = 8,
        labels: Sequence[str] | None = None,
        hidden: Sequence[int] = (),
        title: str = "Brush",
        layout=None,
    ):
        self._x = check_image(x, "x")
        check_function(fn, "fn")
        self._fn, (height, width) = fn, self._x.shape[1:]
        cells = (cells, cells) if not isinstance(cells, (tuple, list)) else check_list(cells, "cells", 2)
        self._rows_of_cells = check_whole(cells[0], "the number of rows of cells", 1, height)
        self._columns = check_whole(cells[1], "the number of columns of cells", 1, width)
        rows = torch.arange(height) * self._rows_of_cells // height
        columns = torch.arange(width) * self._columns // width
        self._cell = rows[:, None] * self._columns + columns  # of each pixel, (H, W)
        self._labels = None if labels is None else check_different(check_names(labels, "labels"), "labels")
        spec = {
            "kind": "brush",
            "className": "course-brush",
            "title": title,
            "label": f"Image to paint on, {self._rows_of_cells} rows and {self._columns} columns of cells",
            "help": HELP,
            "size": SIZE,
            "shape": (height, width, len(self._x)),
            "cells": (self._rows_of_cells, self._columns),
            "clear": "Show all again",
        }
        super().__init__(spec, {"hidden": check_list(hidden, "hidden")}, to_bytes(self._x), layout=layout)

    def _read(self, value) -> list[int]:
        """Numbers of the hidden cells, each once, from the first to the last; or one clear error."""
        last = self._rows_of_cells * self._columns - 1
        return sorted({check_whole(one, "the number of a cell", 0, last) for one in value["hidden"]})

    def _draw(self, value):
        hidden = self._read(value)
        known = ~torch.isin(self._cell, torch.tensor(hidden, dtype=torch.int64))[None]  # (1, H, W)
        with torch.inference_mode():
            images = self._fn(known.clone())
        count = len(images) if isinstance(images, Tensor) and images.ndim == 4 else 1
        try:
            images = check_decoded(images, count)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("decode returned", "fn returned").replace("codes", "masks")) from None
        labels = self._labels or list(map(str, range(1, count + 1)))
        if len(labels) != count or not count:
            raise ValueError(f"fn returned {count} images for {len(labels)} labels: return one for each.")
        self._known = known
        said = "text" if hidden else "none"
        text = self._say(said, count=len(hidden), all=int(self._cell.max()) + 1, share=1 - known.float().mean())
        return list(images), labels, text, {"hidden": hidden}

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        return [{"title": "", "panels": [panel(name, one, PANEL) for name, one in zip(captions, images, strict=True)]}]

    def hide(self, *cells: int) -> None:
        """Hide these cells, by their numbers, and show all others; errors are raised as well as shown."""
        self._show({"hidden": list(cells)})

    @property
    def known(self) -> Tensor:
        """True at the pixels that are not hidden, bool (1, H, W)."""
        return self._known.clone()

    @property
    def images(self) -> Tensor:
        """What fn made, (K, C, H, W) in [0, 1]."""
        return torch.stack(list(self._shown[0]))

    def static(self, *, ax=None):
        """The static twin: the image with its hidden part in grey, and what fn made of the rest.

        Args:
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        given = torch.where(self._known, self._x, GREY).expand_as(self.images[0])
        return plots.image_grid(torch.stack([given, *self.images]), titles=["given", *self._shown[1]], ax=ax)
