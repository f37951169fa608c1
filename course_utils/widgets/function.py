"""An explorer for any function of one number that returns images."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.widgets.explorer import Explorer, check_image, panel


class FunctionSlider(Explorer):
    """The images that a function returns, side by side, as its one number moves.

    Args:
        fn: Function of a float that returns images (K, C, H, W), floats in [0, 1], K the same at every value. It
            is called at each move, so it should take a few milliseconds; what is random in it should be seeded inside.
        low: Smallest value.
        high: Largest value.
        labels: K captions, one for each image.
        name: What the number is, as the reader sees it.
        start: Value at first; halfway by default.
        step: Distance between two positions; a fiftieth of the range by default.
        describe: Function of the same float that returns one sentence, for what is to be read beside the images.
        title: Heading of the explorer.

    Raises:
        TypeError, ValueError: One sentence that says which argument, or which result of fn, does not fit.

    Example:
        >>> x = torch.full((1, 4, 6), 0.5)
        >>> slider = FunctionSlider(lambda s: torch.stack([x, x * s]), 0, 1, labels=["before", "after"], name="factor")
        >>> slider.move_to(0.25)
        >>> slider.value, slider.images[1].max().item(), slider.text
        (0.25, 0.125, 'factor: 0.25.')
    """

    def __init__(
        self,
        fn: Callable[[float], Tensor],
        low: float,
        high: float,
        *,
        labels: Sequence[str],
        name: str = "value",
        start: float | None = None,
        step: float | None = None,
        describe: Callable[[float], str] | None = None,
        title: str = "Explorer",
    ):
        if not callable(fn):
            raise TypeError(f"fn is a {type(fn).__name__}: give a function of one number that returns images.")
        if not low < high:
            raise ValueError(f"the slider goes from {low} to {high}: give the smaller value first.")
        self._fn, self._low, self._high = fn, float(low), float(high)
        self._shape = None  # of what fn returned first: the panels keep it
        self._labels, self._name, self._sentence = [str(label) for label in labels], name, describe
        spec = {
            "kind": "slider",
            "className": "course-function-slider",
            "title": title,
            "label": name,
            "help": "Drag the slider, or use the arrow keys.",
            "min": self._low,
            "max": self._high,
            "step": (high - low) / 50 if step is None else step,
        }
        super().__init__(spec, (low + high) / 2 if start is None else start)

    def _images_at(self, value: float) -> Tensor:
        """What fn returns at a value, (K, C, H, W) on the CPU, checked."""
        with torch.inference_mode():
            images = self._fn(value)
        if not isinstance(images, Tensor):
            raise TypeError(f"fn returned a {type(images).__name__}: it must return images as a tensor (K, C, H, W).")
        if images.ndim != 4 or len(images) != len(self._labels):
            raise ValueError(
                f"fn returned shape {tuple(images.shape)} for {len(self._labels)} labels: return one image a label, "
                "(K, C, H, W)."
            )
        if not torch.isfinite(images).all():
            raise ValueError("fn returned NaN or infinite pixels at this value.")
        if self._shape not in (None, images.shape):
            raise ValueError(f"fn returned shape {tuple(images.shape)} here but {tuple(self._shape)} at the start.")
        self._shape = images.shape
        return torch.stack(
            [check_image(image, f"image {label!r}") for image, label in zip(images, self._labels, strict=True)]
        )

    def _draw(self, value):
        value = float(value)
        if not self._low - 1e-9 <= value <= self._high + 1e-9:
            raise ValueError(f"{value!r} is off the slider: use a number from {self._low:g} to {self._high:g}.")
        images = self._images_at(value)
        text = f"{self._name}: {value:.3g}." + (f" {self._sentence(value)}" if self._sentence else "")
        return list(images), self._labels, text, value

    def _rows(self) -> list:
        size = 140 if len(self._labels) <= 4 else 112
        return [{"title": "", "panels": [panel(t, i, size) for t, i in zip(self._labels, self._shown[0], strict=True)]}]

    def move_to(self, value: float) -> None:
        """Set the number, as a reader would; errors are raised as well as shown."""
        self._show(value)

    @property
    def value(self) -> float:
        """Where the slider is."""
        return self._shown[3]

    @property
    def images(self) -> Tensor:
        """The images shown, (K, C, H, W) in [0, 1]."""
        return torch.stack(list(self._shown[0]))

    def static(self, values: Sequence[float] | None = None, *, ax=None):
        """The static twin: a row of images for each label, a column for each value.

        Args:
            values: Where to call the function; seven evenly spaced values from low to high by default.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        values = torch.linspace(self._low, self._high, 7).tolist() if values is None else list(values)
        columns = torch.stack([self._images_at(float(value)) for value in values], dim=1)  # (K, values, C, H, W)
        rows = dict(zip(self._labels, columns, strict=True))
        return plots.image_rows(rows, column_titles=[f"{value:.3g}" for value in values], ax=ax)
