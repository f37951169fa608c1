"""A face with the styles of two others: a slider a layer of a style-based generator."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from course_utils import plots
from course_utils.models.styles import StyleGAN, StyleGenerator, StyleSpace
from course_utils.widgets.arguments import (
    OURS,
    check_decoded,
    check_list,
    check_named,
    check_number,
    check_tensor,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.words import HELP_MANY

PANEL = 172  # CSS pixels; where that saves a line, explorer.js shrinks it by a quarter, to 129
STEP = 0.05  # of a weight
GROUPS = {1: ("all",), 2: ("coarse", "fine"), 3: ("coarse", "middle", "fine")}


class StyleMixer(Explorer):
    """Give each layer of a style-based generator the style of face A, that of face B, or one between.

    w_l = lerp(w_a,l, w_b,l, weight_l) for each layer l: weight 0 is A, 1 is B. With weights of 0 and 1 alone this is
    `course_utils.models.styles.mix_styles`. Buttons take all of A, or one group of layers of B and the others of A.

    Args:
        model: A `StyleGAN`, or its `StyleGenerator`.
        codes: Codes w of at least two faces, (N, D), or one w a layer, (N, L, D). With more than two faces there are
            two sliders more, which choose A and B; a handful serves best.
        groups: {name: layers}, counted from 0, the coarsest; by default the sizes of the maps in three parts, "coarse",
            "middle" and "fine", or as many as there are sizes.
        start: L weights at first, or the name of a group; by default the first group is that of B.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the list of the sliders' numbers: A and B where they can be chosen, then the weight of each layer.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Source: Karras et al. 2019 (arXiv:1812.04948), sec. 3.1. Taught in lesson 11.

    Example:
        >>> model = StyleGAN(8, image_shape=(3, 16, 24), hidden=4).eval()
        >>> mixer = StyleMixer(model, model.map(model.sample_latent(2)))
        >>> mixer.text
        'Layers of A: 1 (8 x 12), 2 (8 x 12). Layers of B: 0 (4 x 6).'
        >>> mixer.move_to([0, 1, 0.25])
        >>> mixer.text
        'Layers of A: 0 (4 x 6). Layers of B: 1 (8 x 12). Between A and B: 2 (8 x 12), 25% B.'
    """

    _stands_in = True
    words = Explorer.words | {
        "a": "A",
        "b": "B",
        "one a": "A: face {number}",
        "one b": "B: face {number}",
        "mix": "Mixed styles",
        "layer": "{layer}",
        "part": "{layer}, {weight:0%} B",
        "from a": "Layers of A: {layers}.",
        "from b": "Layers of B: {layers}.",
        "between": "Between A and B: {layers}.",
        "no face": "There is no face of this number.",
    }

    def __init__(
        self,
        model: StyleGAN | StyleGenerator,
        codes: Tensor,
        *,
        groups: Mapping[str, Sequence[int]] | None = None,
        start: Sequence[float] | str | None = None,
        title: str = "Style mixer",
        layout=None,
    ):
        generator = getattr(model, "generator", model)
        if not isinstance(generator, StyleGenerator):
            raise TypeError(f"a {type(model).__name__} has no style a layer: give a StyleGAN or a StyleGenerator.")
        self._space = StyleSpace(generator, per_layer=True)
        self._codes = _codes_of_layers(generator, codes)
        self._names = [f"{k} ({height} x {width})" for k, (height, width) in enumerate(generator.layer_sizes)]
        self._groups = _groups(generator.layer_sizes) if groups is None else self._checked_groups(groups)
        self._faces = self._decode(self._codes)
        first = next(iter(self._groups))
        weights = self._weights_of(first if start is None else start)
        last, chooses = len(self._codes) - 1, len(self._codes) > 2
        chooser = [{"label": f"face {which}", "min": 0, "max": last, "step": 1} for which in "AB"] if chooses else []
        stay = [None] * len(chooser)
        presets = [("all of A", [0.0] * len(weights))]
        presets += [(f"{name} of B", self._weights_of(name)) for name in self._groups]
        spec = {
            "kind": "sliders",
            "className": "course-style-mixer",
            "title": title,
            "help": f"{HELP_MANY} 0 is the style of A, 1 that of B. A button sets all layers.",
            "sliders": chooser + [{"label": f"layer {name}", "min": 0, "max": 1, "step": STEP} for name in self._names],
            "presets": [{"label": name, "value": stay + values} for name, values in presets],
        }
        super().__init__(spec, [0, 1][: len(chooser)] + weights, layout=layout)

    def _checked_groups(self, groups) -> dict[str, list[int]]:
        count, found = len(self._names), {}
        for name, layers in check_named(groups, "groups", "{name: layers}").items():
            layers = [check_whole(k, f"a layer of group {name!r}", 0) for k in check_list(layers, f"group {name!r}")]
            if not layers or max(layers) >= count:
                raise ValueError(f"group {name!r} has the layers {layers}: give at least one, from 0 to {count - 1}.")
            found[name] = sorted(set(layers))
        return found

    def _weights_of(self, given: Sequence[float] | str) -> list[float]:
        """L weights, of a list or of a group's name."""
        if isinstance(given, str):
            if given not in self._groups:
                raise ValueError(f"there is no group {given!r}: there are {', '.join(self._groups)}.")
            return [float(k in self._groups[given]) for k in range(len(self._names))]
        return [check_number(one, "a weight") for one in check_list(given, "weights", len(self._names))]

    def _decode(self, w: Tensor) -> Tensor:
        """Codes (B, L, D) to images (B, C, H, W) on the CPU."""
        with evaluating(self._space) as space:
            return check_decoded(space.decode(for_model(space, w)), len(w))

    def _mixed(self, a: int, b: int, weights: Tensor) -> Tensor:
        """Codes (B, L, D) of weights (B, L)."""
        return torch.lerp(self._codes[a], self._codes[b], weights[..., None])

    def _draw(self, value):
        values, count = [float(v) for v in value], len(self._names)
        chooses = len(self._codes) > 2
        if len(values) != count + 2 * chooses:
            raise ValueError(f"{value!r} has {len(values)} numbers for {count + 2 * chooses} sliders: give one each.")
        last = len(self._codes) - 1
        a, b = values[:2] if chooses else (0, 1)
        if wrong := [i for i in (a, b) if i not in range(last + 1)]:
            raise ValueError(f"there is no face {wrong[0]:g}: use 0 to {last}.")
        a, b, weights = int(a), int(b), values[-count:]
        if wrong := [weight for weight in weights if not 0 <= weight <= 1]:
            raise ValueError(f"{wrong[0]!r} is no weight: use a number from 0 to 1.")
        self._pair, self._w = (a, b), self._mixed(a, b, torch.tensor([weights], **OURS))[0]
        image = self._decode(self._w[None])[0]
        ends = [self._say("one a", number=a), self._say("one b", number=b)] if chooses else [*map(self._say, "ab")]
        captions = [ends[0], self._say("mix"), ends[1]]
        value = [a, b] * chooses + weights
        return [self._faces[a], image, self._faces[b]], captions, self._told(weights), value

    def _told(self, weights: list[float]) -> str:
        """Which layers are those of whom, in words."""
        parts = {"from a": [], "from b": [], "between": []}
        for layer, weight in zip(self._names, weights, strict=True):
            which = {0.0: "from a", 1.0: "from b"}.get(weight, "between")
            parts[which].append(self._say("part" if which == "between" else "layer", layer=layer, weight=weight))
        return " ".join(self._say(which, layers=", ".join(found)) for which, found in parts.items() if found)

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        return [{"title": "", "panels": [panel(title, x, PANEL) for title, x in zip(captions, images, strict=True)]}]

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of

        self._no_steps(steps)
        data = {"layers": self._names, "count": len(self._codes), "off": self._say("no face")}
        network = layers_of(self._space), (self._codes[0].numel(),)
        return Page("styles", data, {"codes": self._codes.numpy()}, {"decoder": network})

    def move_to(self, weights: Sequence[float] | str, *, a: int | None = None, b: int | None = None) -> None:
        """Set the layers' weights, or take one group of B by its name, as a reader would; and choose faces A and B.

        Errors are raised as well as shown.
        """
        weights, now = self._weights_of(weights), self._pair
        pair = [now[0] if a is None else check_number(a, "a"), now[1] if b is None else check_number(b, "b")]
        if len(self._codes) == 2 and pair != [0, 1]:
            raise ValueError("there are two faces, A and B: give more codes to choose from.")
        self._show((pair if len(self._codes) > 2 else []) + weights)

    @property
    def pair(self) -> tuple[int, int]:
        """Numbers of the faces A and B."""
        return self._pair

    @property
    def weights(self) -> list[float]:
        """The weight of B at each of the L layers."""
        return self._shown[3][-len(self._names) :]

    @property
    def w(self) -> Tensor:
        """The code with the mixed styles, (L, D), on the CPU."""
        return self._w.clone()

    @property
    def image(self) -> Tensor:
        """The image with the mixed styles, (C, H, W) in [0, 1]."""
        return self._shown[0][1].clone()

    @property
    def groups(self) -> dict[str, list[int]]:
        """The layers of each group, as the buttons take them."""
        return {name: list(layers) for name, layers in self._groups.items()}

    def static(self, steps: int = 5, *, ax=None):
        """The static twin: a row for each group, whose layers go from A to B while the others stay those of A.

        In the last row all layers go, so it ends at B.

        Args:
            steps: Images in a row, both ends included.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        along, rows = torch.linspace(0, 1, check_whole(steps, "steps", 1), **OURS), {}
        for name in self._groups:
            weights = along[:, None] * torch.tensor(self._weights_of(name), **OURS)
            rows[f"{name} of B"] = self._decode(self._mixed(*self._pair, weights))
        rows["all layers of B"] = self._decode(self._mixed(*self._pair, along[:, None].expand(-1, len(self._names))))
        return plots.image_rows(rows, column_titles=[f"{weight:.2f}" for weight in along.tolist()], ax=ax)


def _codes_of_layers(generator: StyleGenerator, codes) -> Tensor:
    """Codes of at least two faces, one w a layer, (N, L, D), on the CPU; or one clear error."""
    codes = check_tensor(codes, "codes", "a tensor (N, D) or (N, L, D)")
    layers, (size,) = generator.num_layers, generator.latent_shape
    if tuple(codes.shape[1:]) not in ((size,), (layers, size)) or len(codes) < 2:
        wanted = f"(N, {size}) or (N, {layers}, {size})"
        raise ValueError(f"codes have shape {tuple(codes.shape)} but must be {wanted}, of at least two faces.")
    return codes[:, None].repeat(1, layers, 1) if codes.ndim == 2 else codes


def _groups(layer_sizes: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    """The layers by the sizes of their maps, in at most three parts; the coarse ones get what is left over."""
    sizes = list(dict.fromkeys(layer_sizes))
    names = GROUPS[min(len(sizes), 3)]
    parts = np.array_split(np.arange(len(sizes)), len(names))
    return {
        name: [k for k, size in enumerate(layer_sizes) if sizes.index(size) in part]
        for name, part in zip(names, parts, strict=True)
    }
