"""Fixed draws that move towards the mean of their space: truncation in several spaces side by side."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.latents import LatentModel
from course_utils.widgets.arguments import (
    OURS,
    check_codes,
    check_decoded,
    check_list,
    check_model,
    check_named,
    check_number,
    check_tensor,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.words import HELP_ONE

PANEL = 172  # CSS pixels; where that saves a line, explorer.js shrinks it by a quarter, to 129
MOST = 1.5  # of psi
STEP = 0.05


class TruncationSlider(Explorer):
    """The same draws in several latent spaces, each code moved towards the mean of its space by one factor psi.

    code' = mean + psi (code - mean)

    In w this is `course_utils.models.styles.truncate_w`. In z, whose mean is 0, it is psi z. A mapping network that
    takes only z's direction, as that of `StyleGAN`, makes the same image of all of these but psi = 0: truncation in z
    is then to be seen in a generator without a mapping.

    Args:
        spaces: {name of a row: (LatentModel, codes (K, *latent_shape), mean)}, with the same number K of at least two
            codes in each, and images of one size. mean has the shape of a code, or (D,) for codes (K, L, D); None is 0.
        start: psi at first, from 0 to 1.5.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is psi.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Source: Karras et al. 2019 (arXiv:1812.04948), app. B. Taught in lesson 11.

    Example:
        >>> from course_utils.models.styles import StyleGAN
        >>> model = StyleGAN(8, image_shape=(3, 16, 24), hidden=4).eval()
        >>> z = model.sample_latent(3)
        >>> slider = TruncationSlider({"z": (model, z, None), "w": (model.in_w(), model.map(z), model.mean_w)})
        >>> slider.move_to(0)
        >>> slider.images["w"].shape, torch.equal(slider.images["w"][0], slider.images["w"][2])
        (torch.Size([3, 3, 16, 24]), True)
        >>> slider.text
        'psi = 0.00. Mean difference of a pixel between two images of a row: z 0.00, w 0.00.'
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "psi = {psi:2}. Mean difference of a pixel between two images of a row: {spreads}.",
        "spread": "{name} {spread:2}",
        "draw": "draw {number}",
    }

    def __init__(
        self,
        spaces: Mapping[str, tuple[LatentModel, Tensor, Tensor | None]],
        *,
        start: float = 1.0,
        title: str = "Truncation",
        layout=None,
    ):
        self._spaces = {}  # {name: (model, codes, mean)}
        for name, given in check_named(spaces, "spaces", "{name: (model, codes, mean)}").items():
            self._spaces[name] = _space(name, given)
        counts = {name: len(codes) for name, (_, codes, _) in self._spaces.items()}
        if min(counts.values()) < 2 or len(set(counts.values())) > 1:
            told = ", ".join(f"{count} in {name!r}" for name, count in counts.items())
            raise ValueError(f"there are codes of {told}: give the same number of draws in each, at least two.")
        self._count = max(counts.values())
        spec = {
            "kind": "slider",
            "className": "course-truncation-slider",
            "title": title,
            "label": "psi",
            "help": f"{HELP_ONE} 1 leaves the draws as they are, 0 is the mean.",
            "min": 0,
            "max": MOST,
            "step": STEP,
        }
        super().__init__(spec, check_number(start, "start"), layout=layout)

    def _at_psi(self, psi: float) -> dict[str, Tensor]:
        """The images of each space at one psi, {name: (K, C, H, W)}."""
        if not 0 <= psi <= MOST:
            raise ValueError(f"psi is {psi!r}: use a number from 0 to {MOST}.")
        found = {}
        for name, (model, codes, mean) in self._spaces.items():
            with evaluating(model) as model:
                found[name] = check_decoded(model.decode(for_model(model, mean + psi * (codes - mean))), len(codes))
        sizes = {tuple(images.shape[-2:]) for images in found.values()}
        if len(sizes) > 1:
            told = ", ".join(f"{images.shape[-2]} x {images.shape[-1]} in {name!r}" for name, images in found.items())
            raise ValueError(f"the images have sizes {told}: give models whose images have one size.")
        return found

    def _draw(self, value):
        psi = check_number(value, "psi")
        self._images = self._at_psi(psi)
        panels = [x for images in self._images.values() for x in images]
        spreads = [self._say("spread", name=name, spread=_spread(images)) for name, images in self._images.items()]
        return panels, self._captions(), self._say("text", psi=psi, spreads=", ".join(spreads)), psi

    def _captions(self) -> list[str]:
        return [self._say("draw", number=k) for k in range(self._count)] * len(self._spaces)

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        panels = [panel(caption, x, PANEL) for caption, x in zip(captions, images, strict=True)]
        return [
            {"title": name, "panels": panels[k * self._count : (k + 1) * self._count]}
            for k, name in enumerate(self._spaces)
        ]

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of

        self._no_steps(steps)
        parts, networks = {}, {}
        for k, (model, codes, mean) in enumerate(self._spaces.values()):
            parts |= {f"codes {k}": codes.flatten(1).numpy(), f"mean {k}": mean.flatten().numpy()}
            networks[str(k)] = layers_of(model), (mean.numel(),)
        data = {"names": list(self._spaces), "count": self._count, "captions": self._captions()}
        return Page("truncation", data, parts, networks)

    def move_to(self, psi: float) -> None:
        """Set psi, as a reader would; errors are raised as well as shown."""
        self._show(psi)

    @property
    def psi(self) -> float:
        """Where the slider is, 0 to 1.5."""
        return self._shown[3]

    @property
    def images(self) -> dict[str, Tensor]:
        """The images shown, (K, C, H, W) in [0, 1] of each space, by name."""
        return {name: images.clone() for name, images in self._images.items()}

    def static(self, values: Sequence[float] = (0, 0.5, 1, 1.5), *, ax=None):
        """The static twin: a row for each space and each psi, a column for each draw.

        Args:
            values: The psi of the rows.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        values = [check_number(value, "one of values") for value in check_list(values, "values")]
        if not values:
            raise ValueError("values are empty: give at least one psi.")
        drawn = [self._at_psi(value) for value in values]
        rows = {
            f"{name}, psi = {value:.3g}": images[name]
            for name in self._spaces
            for value, images in zip(values, drawn, strict=True)
        }
        return plots.image_rows(rows, ax=ax)


def _space(name: str, given) -> tuple[LatentModel, Tensor, Tensor]:
    """A model, codes and their mean, on the CPU; or one clear error."""
    if not isinstance(given, (tuple, list)) or len(given) != 3:
        found = f"has {len(given)} parts" if isinstance(given, (tuple, list)) else f"is a {type(given).__name__}"
        raise TypeError(f"space {name!r} {found}: give three, (model, codes, mean).")
    model, codes, mean = given
    check_model(model, ["decode", "latent_shape"])
    codes = check_codes(model, codes, f"the codes of {name!r}")
    if mean is None:
        return model, codes, torch.zeros(codes.shape[1:], **OURS)
    mean = check_tensor(mean, f"the mean of {name!r}", f"a tensor {tuple(codes.shape[1:])}")
    if codes.ndim == 3 and mean.shape == codes.shape[2:]:
        mean = mean.repeat(codes.shape[1], 1)
    if mean.shape != codes.shape[1:]:
        shapes = f"{tuple(mean.shape)} but codes of it have {tuple(codes.shape[1:])}"
        raise ValueError(f"the mean of {name!r} has shape {shapes}: give one of that shape, or None for 0.")
    return model, codes, mean


def _spread(images: Tensor) -> float:
    """Mean absolute difference of a pixel, over all pairs of images (K, C, H, W)."""
    pairs = itertools.combinations(images, 2)
    return float(torch.stack([(one - other).abs().mean() for one, other in pairs]).mean())
