"""A walk between two images."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from course_utils import plots
from course_utils.interpolation import lerp, slerp
from course_utils.latents import LatentModel
from course_utils.widgets.arguments import (
    OURS,
    check_decoded,
    check_encoded,
    check_image,
    check_model,
    check_named,
    check_names,
    check_number,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.words import HELP_ONE

METHODS = {"lerp": lerp, "slerp": partial(slerp, batch_dims=0)}  # of one code, whatever its shape
PANEL, SMALL_PANEL = 140, 112  # CSS pixels


def check_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """Names of METHODS, each once and at least one; or one clear error."""
    methods = tuple(dict.fromkeys(check_names(methods, "methods")))
    if not methods or not set(methods) <= set(METHODS):
        raise ValueError(
            f"methods are {', '.join(map(repr, methods)) or 'none'}: use {' or '.join(map(repr, METHODS))}."
        )
    return methods


class PathSlider(Explorer):
    """Walk from one image to another: through each model's latent space, and by cross-fading pixels.

    Args:
        models: A LatentModel, or {name: model} to compare several.
        x_a: Image at weight 0, (C, H, W), floats in [0, 1].
        x_b: Image at weight 1, the same shape.
        methods: Ways through the latent space: "lerp" (straight), "slerp" (along an arc), or both.
        start: Weight at first.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the weight of B.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Example:
        >>> from course_utils.models.pca import PCA
        >>> x = torch.rand(40, 1, 8, 6, generator=torch.Generator().manual_seed(0))
        >>> slider = PathSlider({"PCA": PCA(4).fit(x)}, x[0], x[1])
        >>> slider.move_to(0.25)
        >>> slider.weight, list(slider.images)
        (0.25, ['pixels', ('PCA', 'lerp'), ('PCA', 'slerp')])
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "Weight {weight:2}: {rest:0%} A and {weight:0%} B.",
        "a": "A",
        "b": "B",
        "fade": "Pixel cross-fade",
        "walk": "{method}, |z| = {norm:2}",
    }

    def __init__(
        self,
        models: LatentModel | Mapping[str, LatentModel],
        x_a: Tensor,
        x_b: Tensor,
        methods: Sequence[str] = ("lerp", "slerp"),
        *,
        start: float = 0.5,
        layout=None,
    ):
        several = isinstance(models, Mapping)
        self._models = check_named(models, "models", "{name: model}") if several else {"": models}
        self._methods = check_methods(methods)
        for model in self._models.values():
            check_model(model)
        self._x_a, self._x_b = check_image(x_a, "x_a"), check_image(x_b, "x_b")
        if self._x_a.shape != self._x_b.shape:
            raise ValueError(f"x_a is {tuple(self._x_a.shape)} and x_b {tuple(self._x_b.shape)}: give one shape.")
        self._ends = {}
        for name, model in self._models.items():
            with evaluating(model):
                z = check_encoded(model.encode(for_model(model, torch.stack([self._x_a, self._x_b]))), 2)
            self._ends[name] = (z[0], z[1])
        spec = {
            "kind": "slider",
            "className": "course-path-slider",
            "title": "Path explorer",
            "label": "Weight of B",
            "help": f"{HELP_ONE} 0 is image A, 1 is image B.",
            "min": 0,
            "max": 1,
            "step": 0.02,
        }
        super().__init__(spec, check_number(start, "start"), layout=layout)

    def _walk(self, weights: Tensor) -> dict:
        """Images (K, C, H, W) on each path at K weights, and the norms of the codes: {key: (images, norms)}."""
        w = weights[:, None, None, None]
        fade = (1 - w) * self._x_a + w * self._x_b
        walked = {"pixels": (fade, None)}
        for name, model in self._models.items():
            z_a, z_b = self._ends[name]
            with evaluating(model) as model:
                for method in self._methods:  # one by one: a single code decodes without waiting for other threads
                    z = METHODS[method](z_a, z_b, weights.to(z_a))
                    walked[name, method] = check_decoded(model.decode(z), len(z)), z.flatten(1).norm(dim=1).tolist()
        return walked

    def _draw(self, value):
        weight = float(value)
        if not 0 <= weight <= 1:
            raise ValueError(f"{value!r} is no weight: use a number from 0 to 1.")
        walked = self._walk(torch.tensor([weight], **OURS))
        self._images = {key: images[0] for key, (images, _) in walked.items()}
        captions, panels = [self._say("a"), self._say("fade")], [self._x_a, self._images["pixels"]]
        for key, (images, norms) in walked.items():
            if norms is not None:
                captions.append(self._say("walk", method=key[1].upper(), norm=norms[0]))
                panels.append(images[0])
        place = len(panels) if len(self._models) == 1 else 2  # B ends the first row
        captions.insert(place, self._say("b"))
        panels.insert(place, self._x_b)
        return panels, captions, self._say("text", weight=weight, rest=1 - weight), weight

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        size = PANEL if len(self._models) == 1 else SMALL_PANEL
        panels = [panel(caption.split(",")[0], image, size) for caption, image in zip(captions, images, strict=True)]
        if len(self._models) == 1:
            return [{"title": next(iter(self._models)), "panels": panels}]
        rows, step = [{"title": "Pixels", "panels": panels[:3]}], len(self._methods)
        for i, name in enumerate(self._models):
            rows.append({"title": name, "panels": panels[3 + i * step : 3 + (i + 1) * step]})
        return rows

    def move_to(self, weight: float) -> None:
        """Set the weight of B, as a reader would; errors are raised as well as shown."""
        self._show(weight)

    @property
    def weight(self) -> float:
        """Where the slider is, 0 to 1."""
        return self._shown[3]

    @property
    def images(self) -> dict:
        """The images on the paths, (C, H, W) each, keyed by "pixels" and by (model name, method)."""
        return {key: image.clone() for key, image in self._images.items()}

    def static(self, steps: int = 9, *, ax=None):
        """The static twin: every path as a row of images.

        Args:
            steps: Images on each path, both ends included.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        weights = torch.linspace(0, 1, check_whole(steps, "steps", 1), **OURS)
        rows = {}
        for key, (images, _) in self._walk(weights).items():
            label = "pixel cross-fade" if key == "pixels" else " ".join(filter(None, (key[0], key[1].upper())))
            rows[label] = images
        return plots.image_rows(rows, column_titles=[f"{w:.2f}" for w in weights.tolist()], ax=ax)
