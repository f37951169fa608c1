"""A reconstruction from more and more components."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.widgets.arguments import check_decoded, check_image, check_list, check_model, check_whole
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.words import HELP_ONE

PANEL, SMALL_PANEL = 140, 112  # CSS pixels


class ComponentSlider(Explorer):
    """Original and reconstruction from the first k components, with the squared error, as k moves.

    Args:
        model: Anything with `reconstruct(x, num_components)`, such as a fitted PCA.
        x: The image, (C, H, W), floats in [0, 1].
        start: Number of components at first.
        maximum: Largest number; the model's latent dimension by default.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the number of components.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Example:
        >>> from course_utils.models.pca import PCA
        >>> x = torch.rand(40, 1, 8, 6, generator=torch.Generator().manual_seed(0))
        >>> slider = ComponentSlider(PCA(16).fit(x), x[0])
        >>> slider.move_to(12)
        >>> slider.num_components, slider.image.shape
        (12, torch.Size([1, 8, 6]))
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "{k} of {maximum} components: squared error {error:2}, summed over {pixels} pixels.",
        "original": "Original x",
        "reconstruction": "Reconstruction x_hat",
    }

    def __init__(self, model, x: Tensor, *, start: int = 5, maximum: int | None = None, layout=None):
        check_model(model, ["reconstruct"])
        self._model, self._x = model, check_image(x, "x")
        shape = getattr(model, "latent_shape", ())
        most = shape[0] if len(shape) == 1 else math.inf
        if maximum is None and most == math.inf:
            raise ValueError(f"a {type(model).__name__} does not say how many components it has: pass maximum.")
        self._maximum = maximum = check_whole(most if maximum is None else maximum, "maximum", 1, most)
        spec = {
            "kind": "slider",
            "className": "course-component-slider",
            "title": "Reconstruction explorer",
            "label": "Number of components",
            "help": HELP_ONE,
            "min": 0,
            "max": maximum,
            "step": 1,
        }
        super().__init__(spec, min(check_whole(start, "start", 0), maximum), layout=layout)

    def _reconstruct(self, k: int) -> tuple[Tensor, float]:
        """The reconstruction (C, H, W) and its squared error, summed over pixels."""
        with evaluating(self._model) as model:
            x_hat = model.reconstruct(for_model(model, self._x[None]), k)
            x_hat = check_decoded(x_hat, 1)[0]
            if x_hat.shape != self._x.shape:
                raise ValueError(f"reconstruct returned {tuple(x_hat.shape)} for an image {tuple(self._x.shape)}.")
            return x_hat, float((x_hat - self._x).square().sum())

    def _draw(self, value):
        k = int(value)
        if k != value or not 0 <= k <= self._maximum:
            raise ValueError(f"{value!r} is no number of components: use a whole number from 0 to {self._maximum}.")
        self._image, self._error = self._reconstruct(k)
        text = self._say("text", k=k, maximum=self._maximum, error=self._error, pixels=self._x.numel())
        return [self._x, self._image], [self._say("original"), self._say("reconstruction")], text, k

    def _rows(self) -> list:
        images, titles, _, _ = self._shown
        return [{"title": "", "panels": [panel(t, i, PANEL) for t, i in zip(titles, images, strict=True)]}]

    def move_to(self, num_components: int) -> None:
        """Set the number of components, as a reader would; errors are raised as well as shown."""
        self._show(num_components)

    @property
    def num_components(self) -> int:
        """Where the slider is."""
        return self._shown[3]

    @property
    def image(self) -> Tensor:
        """The reconstruction shown, (C, H, W) in [0, 1]."""
        return self._image.clone()

    @property
    def squared_error(self) -> float:
        """Squared error of the reconstruction shown, summed over pixels."""
        return self._error

    def static(self, counts: Sequence[int] | None = None, *, ax=None):
        """The static twin: reconstructions from more and more components, beside the original.

        Args:
            counts: Numbers of components; by default 0, then doubling from 1 up to all.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        if counts is None:
            counts = [0, *(2**i for i in range(self._maximum.bit_length()) if 2**i < self._maximum), self._maximum]
        counts = [check_whole(k, "one of counts", 0, self._maximum) for k in check_list(counts, "counts")]
        results = [self._reconstruct(k) for k in counts]
        titles = [f"k = {k}\nerror {error:.1f}" for k, (_, error) in zip(counts, results, strict=True)]
        images = torch.stack([self._x, *(x_hat for x_hat, _ in results)])
        return plots.image_grid(images, titles=["original", *titles], columns=min(len(images), 7), ax=ax)
