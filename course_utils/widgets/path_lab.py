"""Several latent spaces side by side: the same two images, walked by LERP and by SLERP in all of them."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.latents import LatentModel, encode_dataset
from course_utils.widgets.arguments import (
    OURS,
    check_codes,
    check_decoded,
    check_list,
    check_model,
    check_named,
    check_number,
    check_whole,
    read_tensor,
)
from course_utils.widgets.explorer import Explorer, describe_chart, evaluating, for_model, panel
from course_utils.widgets.path_slider import METHODS, check_methods
from course_utils.widgets.spec import as_bytes
from course_utils.widgets.words import HELP_MANY

PANEL = 104  # CSS pixels


class PathLab(Explorer):
    """Choose two images and a weight, and see the point on every path: all spaces at once, LERP above SLERP.

    A code is one vector here, whatever its shape.

    Args:
        spaces: {name: LatentModel}, all for images of the same shape.
        images: An ImageSet to choose from; a slider picks one, so a handful of images serves best.
        codes: {name: codes (N, *latent_shape)} of these images in spaces where encoding is slow; the others are
            encoded here.
        decoded: {name: images (P, 2, K, C, H, W), uint8} for spaces where decoding is slow: K evenly weighted points
            of the path between each of the P = N (N - 1) / 2 pairs, in the order of `itertools.combinations`, by LERP
            and by SLERP. The nearest point is shown.
        start: First positions: number of image A, number of image B, weight of B.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the list of the three sliders' numbers; `value_2` is the weight of B.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Taught in lesson 13.

    Example:
        >>> from course_utils.data import fashion_mnist
        >>> from course_utils.models.pca import PCA
        >>> from course_utils.models.pixels import PixelSpace
        >>> images = fashion_mnist("test", limit=20)
        >>> lab = PathLab({"pixels": PixelSpace(), "PCA": PCA(4).fit(images)}, images)
        >>> lab.move_to(2, 5, 0.25)
        >>> lab.values, list(lab.images)
        ((2, 5, 0.25), [('pixels', 'lerp'), ('PCA', 'lerp'), ('pixels', 'slerp'), ('PCA', 'slerp')])
    """

    _stands_in = True
    words = Explorer.words | {
        "text": "From {a} to {b}, weight {weight:2}. Angle between the codes, in degrees: {angles}.",
        "angle": "{name} {angle:0}",
        "a": "A: {name}",
        "b": "B: {name}",
        "norms": "norms",
        "mark": "weight: at {weight}.",
    }

    def __init__(
        self,
        spaces: Mapping[str, LatentModel],
        images,
        *,
        codes: Mapping[str, Tensor] | None = None,
        decoded: Mapping[str, Tensor] | None = None,
        start: tuple[int, int, float] = (0, 1, 0.5),
        title: str = "Path laboratory",
        layout=None,
    ):
        self._spaces, self._set, self._codes = check_named(spaces, "spaces", "{name: model}"), images, {}
        if not all(hasattr(images, name) for name in ("pixels", "labels", "class_names")):
            raise TypeError(f"images are a {type(images).__name__}: give an ImageSet, which knows their classes.")
        if len(images) < 2:
            raise ValueError(f"there are {len(images)} images: a path needs two to choose from.")
        codes = check_named(codes, "codes", "{name: codes}") if codes else {}
        decoded = check_named(decoded, "decoded", "{name: images}") if decoded else {}
        self._decoded = {n: read_tensor(one, f"decoded images of {n!r}", "uint8") for n, one in decoded.items()}
        if unknown := [name for name in (*codes, *self._decoded) if name not in self._spaces]:
            raise ValueError(f"there is no space {unknown[0]!r}: there are {', '.join(self._spaces)}.")
        for name, model in self._spaces.items():
            check_model(model, ["encode", "decode", "latent_shape"])
            if name in codes:
                z = check_codes(model, codes[name], f"the codes of {name!r}", len(images))
            else:
                with evaluating(model):
                    z = encode_dataset(model, images)
            self._codes[name] = z
        self._x = images.pixels()
        self._pairs = {pair: k for k, pair in enumerate(itertools.combinations(range(len(images)), 2))}
        for name, given in self._decoded.items():
            wanted = (len(self._pairs), len(METHODS), "K of at least 2", *self._x.shape[1:])
            fits = given.ndim == 6 and (*given.shape[:2], *given.shape[3:]) == (*wanted[:2], *wanted[3:])
            if not fits or given.dtype != torch.uint8 or given.shape[2] < 2:
                raise ValueError(
                    f"the decoded images of {name!r} are {given.dtype} of shape {tuple(given.shape)}: give uint8, "
                    f"({', '.join(map(str, wanted))})."
                )
        spec = {
            "kind": "sliders",
            "className": "course-path-lab",
            "title": title,
            "help": f"{HELP_MANY} Weight 0 is image A, 1 is image B.",
            "sliders": [
                {"label": "image A", "min": 0, "max": len(images) - 1, "step": 1},
                {"label": "image B", "min": 0, "max": len(images) - 1, "step": 1},
                {"label": "weight of B", "min": 0, "max": 1, "step": 0.05},
            ],
        }
        start = [check_number(one, "one of start") for one in check_list(start, "start", 3)]
        super().__init__(spec, start, layout=layout)

    def _codes_on(self, name: str, a: int, b: int, method: str, weights: Tensor) -> Tensor:
        """Codes on one path, (K, *latent_shape)."""
        z_a, z_b = self._codes[name][a], self._codes[name][b]
        return METHODS[method](z_a, z_b, weights)

    def _decode(self, name: str, z: Tensor) -> Tensor:
        with evaluating(self._spaces[name]) as model:
            return check_decoded(model.decode(for_model(model, z)), len(z))

    def _image(self, name: str, a: int, b: int, method: str, weight: float) -> Tensor:
        """The image at one point of one path."""
        if name not in self._decoded:
            return self._decode(name, self._codes_on(name, a, b, method, torch.tensor([weight], **OURS)))[0]
        given = self._decoded[name]
        last = given.shape[2] - 1
        if a == b:  # it stays at one end of any path from or to this image
            a, b, weight = (0, a, 1.0) if a else (0, 1, 0.0)
        point = round((weight if a < b else 1 - weight) * last)
        return given[self._pairs[min(a, b), max(a, b)], list(METHODS).index(method), point].float() / 255

    def _norms(self, a: int, b: int, weight: float) -> plots.Chart:
        """Norm of LERP's code in each space, relative to the straight line between the norms of its ends."""
        w = torch.linspace(0, 1, 33, **OURS)
        series = []
        for k, name in enumerate(self._spaces):
            norms = self._codes_on(name, a, b, "lerp", w).flatten(1).norm(dim=1)
            between = torch.lerp(norms[:1], norms[-1:], w).clamp(min=torch.finfo(norms.dtype).tiny)
            series.append(plots.Series(name, w, norms / between, color=k))
        series.append(plots.Series("weight", weight, kind="markers", color=7))
        return plots.Chart(series, (0, 1), (0, 1.1), "weight of B", "norm of LERP / norm of SLERP")

    def _draw(self, value):
        if len(value) != 3:
            raise ValueError(f"{value!r} has {len(value)} numbers: give image A, image B and a weight.")
        last = len(self._set) - 1
        if wrong := [i for i in value[:2] if i not in range(last + 1)]:
            raise ValueError(f"there is no image {wrong[0]:g}: use 0 to {last}.")
        a, b, weight = int(value[0]), int(value[1]), float(value[2])
        if not 0 <= weight <= 1:
            raise ValueError(f"{weight!r} is no weight: use a number from 0 to 1.")
        self._images = {(n, m): self._image(n, a, b, m, weight) for m in METHODS for n in self._spaces}
        names = [self._set.class_names[self._set.labels[i]].lower() for i in (a, b)]
        captions = [self._say("a", name=names[0]), self._say("b", name=names[1]), self._say("norms")]
        captions += [name for name, _ in self._images]
        panels = [self._x[a], self._x[b], self._norms(a, b, weight), *self._images.values()]
        angles = []
        for name, z in self._codes.items():
            cosine = torch.nn.functional.cosine_similarity(z[a].flatten(), z[b].flatten(), dim=0)
            angles.append(self._say("angle", name=name, angle=torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))))
        text = self._say("text", a=names[0], b=names[1], weight=weight, angles=", ".join(angles))
        return panels, captions, text, [a, b, weight]

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        panels = [panel(caption, image, PANEL) for caption, image in zip(captions, images, strict=True)]
        rows, step = [{"title": "", "panels": panels[:3]}], len(self._spaces)
        for k, method in enumerate(METHODS):
            rows.append({"title": method.upper(), "panels": panels[3 + k * step : 3 + (k + 1) * step]})
        return rows

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of

        self._no_steps(steps)
        spaces, networks, parts = [], {}, {"images": as_bytes(self._x)}
        for k, (name, codes) in enumerate(self._codes.items()):
            parts[f"codes {k}"] = codes.flatten(1).numpy()
            space = {"name": name, "codes": f"codes {k}"}
            if name in self._decoded:
                given = self._decoded[name]
                parts[f"decoded {k}"] = as_bytes(given.flatten(0, 2))
                space |= {"decoded": f"decoded {k}", "points": given.shape[2]}
            else:
                networks[str(k)] = layers_of(self._spaces[name]), (codes[0].numel(),)
                space["network"] = str(k)
            spaces.append(space)
        pairs = itertools.product(range(len(self._set)), repeat=2)
        charts = [describe_chart(self._norms(a, b, 0.0)) for a, b in pairs]
        mark = self._say("mark", weight="0"), self._say("mark", weight="{weight}")
        data = {
            "spaces": spaces,
            "kinds": [self._set.class_names[label].lower() for label in self._set.labels],
            "chart": charts[0],
            "labels": [chart["label"].removesuffix(mark[0]) + mark[1] for chart in charts],
            "off": self._say("off"),
        }
        return Page("lab", data, parts, networks)

    def move_to(self, image_a: int, image_b: int, weight: float) -> None:
        """Set the three sliders, as a reader would; errors are raised as well as shown."""
        self._show([image_a, image_b, weight])

    @property
    def values(self) -> tuple[int, int, float]:
        """Number of image A, number of image B, weight of B."""
        return tuple(self._shown[3])

    @property
    def images(self) -> dict:
        """The images shown, (C, H, W) each, keyed by (space, method)."""
        return {key: image.clone() for key, image in self._images.items()}

    def static(self, steps: int = 9, *, methods: Sequence[str] = ("lerp", "slerp"), ax=None):
        """The static twin: every path between the two images chosen now, as a row.

        Args:
            steps: Images on each path, both ends included.
            methods: "lerp", "slerp" or both.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes.
        """
        a, b, _ = self.values
        weights = torch.linspace(0, 1, check_whole(steps, "steps", 1), **OURS)
        rows = {
            f"{name}, {method.upper()}": self._decode(name, self._codes_on(name, a, b, method, weights))
            for name in self._spaces
            for method in check_methods(methods)
        }
        return plots.image_rows(rows, column_titles=[f"{w:.2f}" for w in weights.tolist()], ax=ax)
