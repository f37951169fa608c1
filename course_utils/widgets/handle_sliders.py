"""One slider a latent dimension or direction, and an image that follows."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.latents import LatentModel
from course_utils.widgets.arguments import (
    OURS,
    check_code,
    check_decoded,
    check_encoded,
    check_image,
    check_list,
    check_model,
    check_named,
    check_number,
    check_tensor,
    check_whole,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel, to_bytes
from course_utils.widgets.words import HELP_MANY

PANEL = 140  # CSS pixels
STEPS = 40  # positions of a slider, from one end to the other


class HandleSliders(Explorer):
    """Move an image's code along its dimensions, or along named directions, and see what the decoder makes of it.

    Without directions there is one slider for each latent dimension, which starts at the image's own value. With
    directions there is one for each of them: z = z_start + sum_k value_k * direction_k. If the face's true handles are
    given too, a slider named for a handle shows the handle's value, and the true face at these values is shown beside:
    z = z_start + (value - true value) * direction, so one unit of such a direction should be one unit of its handle.

    With directions a code may have any shape. In w+ of a style-based generator, where a code has one w a layer, (L, D),
    a direction that is 0 at some layers edits the others alone: `course_utils.models.styles.mix_styles` makes it.

    Args:
        model: A LatentModel. Without directions its codes have shape (D,).
        x: The image to start from, (C, H, W), floats in [0, 1]. May be None if z is given.
        directions: {name: direction (*latent_shape)}, or None for the latent dimensions.
        dims: Without directions: which latent dimensions get a slider; all by default.
        z: Code to start from, (*latent_shape); x's own code by default.
        handles: True handles of x, (K,), in the order of `course_utils.data.faces.HANDLES`.
        reach: How far a slider goes to either side of 0. A latent dimension's goes further where x's code lies there.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the list of the sliders' numbers, in their order; `value_0` is the first of them.

    Raises:
        TypeError, ValueError: One sentence that says which argument does not fit.

    Taught in lesson 09; in w and w+ in lesson 11.

    Example:
        >>> from course_utils.models.pca import PCA
        >>> x = torch.rand(40, 1, 8, 6, generator=torch.Generator().manual_seed(0))
        >>> pca = PCA(4).fit(x)
        >>> explorer = HandleSliders(pca, x[0], {"brighter": torch.tensor([1.0, 0.0, 0.5, 0.0])})
        >>> explorer.move_to(brighter=2)
        >>> explorer.values, torch.equal(explorer.z, pca.encode(x[:1])[0] + torch.tensor([2.0, 0.0, 1.0, 0.0]))
        ({'brighter': 2.0}, True)
        >>> explorer.reset()
        >>> explorer.values
        {'brighter': 0.0}

        A direction of w, of a regression or another, at all layers and at the coarsest alone:

        >>> from course_utils.models.styles import StyleGAN, mix_styles
        >>> model = StyleGAN(8, image_shape=(3, 16, 24), hidden=4).eval()
        >>> space, step = model.in_w(per_layer=True), torch.eye(8)[:1]
        >>> z = space.sample_latent(1)[0]
        >>> every = model.generator.styles(step)[0]
        >>> coarse = mix_styles(torch.zeros(1, 8), step, [0], num_layers=3)[0]
        >>> explorer = HandleSliders(space, None, {"smile": every, "smile, layer 0": coarse}, z=z)
        >>> explorer.move_to(0.5, -2)
        >>> explorer.text.split(" Mean")[0], explorer.z.shape
        ('smile from 0.00 to 0.50, smile, layer 0 from 0.00 to -2.00.', torch.Size([3, 8]))
    """

    _stands_in = True
    words = Explorer.words | {
        "original": "Original x",
        "before": "Decoded at the start",
        "here": "Decoded here",
        "true": "True face here",
        "text": "{where} Mean change of a pixel: {change:3}.",
        "distance": "{text} Mean distance to the true face: {distance:3}.",
        "still": "Nothing moved.",
        "moved": "{name} from {start:2} to {value:2}",
        "list": "{moved}.",
        "more": "{moved} and {count} more.",
    }

    def __init__(
        self,
        model: LatentModel,
        x: Tensor | None = None,
        directions: Mapping[str, Tensor] | None = None,
        *,
        dims: Sequence[int] | None = None,
        z: Tensor | None = None,
        handles: Tensor | None = None,
        reach: float = 3.0,
        title: str = "Handles",
        layout=None,
    ):
        check_model(model, ["decode", "latent_shape"] if x is None else ["encode", "decode", "latent_shape"])
        if len(model.latent_shape) != 1 and directions is None:
            shape = tuple(model.latent_shape)
            raise ValueError(f"codes of this model have shape {shape}: give directions of that shape to move along.")
        reach = check_number(reach, "reach")
        if not reach > 0:
            raise ValueError(f"reach is {reach:g}: sliders must go some way to either side of 0.")
        if x is None and z is None:
            raise ValueError("there is nothing to start from: give an image x, or a code z.")
        self._model, self._x = model, None if x is None else check_image(x, "x")
        self._z = self._own_code() if z is None else check_code(z, "z", model.latent_shape)
        self._handles = None if handles is None else _true_handles(handles)
        if self._handles is not None and directions is None:
            raise ValueError("handles are of no use to latent dimensions, which have no names: give directions too.")
        if dims is not None and directions is not None:
            raise ValueError("dims and directions are both given: a slider can only be one of them.")
        self._sliders = {}  # {name: (low, high, start)}
        self._moves = {}  # {name: change of the code for one unit of the slider}
        if directions is None:
            self._add_dimensions(dims, reach)
        else:
            self._add_directions(directions, reach)
        self._before = self._decode(self._z[None])[0]
        sliders = [
            {"label": name, "min": low, "max": high, "step": (high - low) / STEPS}
            for name, (low, high, _) in self._sliders.items()
        ]
        spec = {
            "kind": "sliders",
            "className": "course-handle-sliders",
            "title": title,
            "help": f"{HELP_MANY} The button puts all of them back.",
            "sliders": sliders,
            "reset": "Back to the start",
        }
        super().__init__(spec, [start for _, _, start in self._sliders.values()], layout=layout)

    def _own_code(self) -> Tensor:
        with evaluating(self._model) as model:
            z = check_encoded(model.encode(for_model(model, self._x[None])), 1)
        shape = self._model.latent_shape
        return check_code(z.flatten() if len(shape) == 1 else z[0], "the image's code", shape)

    def _add_dimensions(self, dims: Sequence[int] | None, reach: float) -> None:
        size = len(self._z)
        dims = range(size) if dims is None else [check_whole(d, "one of dims", 0) for d in check_list(dims, "dims")]
        if not dims or len(set(dims)) != len(dims) or not all(0 <= d < size for d in dims):
            raise ValueError(f"dims are {list(dims)}: give different dimensions between 0 and {size - 1}.")
        for d in dims:
            start = float(self._z[d])
            self._sliders[f"z[{d}]"] = (min(-reach, start), max(reach, start), start)
            self._moves[f"z[{d}]"] = torch.eye(size, **OURS)[d]

    def _add_directions(self, directions: Mapping[str, Tensor], reach: float) -> None:
        shape = tuple(self._z.shape)
        for name, direction in check_named(directions, "directions", f"{{name: direction {shape}}}").items():
            self._moves[name] = check_code(direction, f"direction {name!r}", shape)
            low, high, start = -reach, reach, 0.0
            if (known := self._handle(name)) is not None:
                (low, high), start = known[:2], float(self._handles[known[2]])
            self._sliders[name] = (low, high, start)

    def _handle(self, name: str) -> tuple[float, float, int] | None:
        """Lowest and highest value of the handle of this name, and its number; None where the slider is no handle."""
        if self._handles is None:
            return None
        from course_utils.data.faces import HANDLES

        if name not in HANDLES:
            return None
        return float(HANDLES[name].low), float(HANDLES[name].high), list(HANDLES).index(name)

    def _decode(self, z: Tensor) -> Tensor:
        """Codes (B, *latent_shape) to images (B, C, H, W) on the CPU."""
        with evaluating(self._model) as model:
            return check_decoded(model.decode(for_model(model, z)), len(z))

    def _codes(self, positions: Tensor) -> Tensor:
        """Codes (B, *latent_shape) at positions of the sliders (B, S)."""
        start = torch.tensor([start for _, _, start in self._sliders.values()], **OURS)
        moved = positions - start  # (B, S)
        return self._z + torch.tensordot(moved, torch.stack(list(self._moves.values())), 1)

    def _render(self, positions: Tensor) -> Tensor:
        """The true faces (B, 3, H, W) at positions of the sliders (B, S)."""
        from course_utils.data.faces import render_faces

        handles = self._handles.repeat(len(positions), 1)
        for k, name in enumerate(self._sliders):
            if (known := self._handle(name)) is not None:
                handles[:, known[2]] = positions[:, k]
        with torch.inference_mode():
            return render_faces(handles, size=self._before.shape[-1]).cpu()

    def _draw(self, value):
        values = [float(v) for v in value]
        if len(values) != len(self._sliders):
            raise ValueError(f"{value!r} has {len(values)} numbers for {len(self._sliders)} sliders: give one each.")
        for given, (low, high, _) in zip(values, self._sliders.values(), strict=True):
            if not low - 1e-6 <= given <= high + 1e-6:
                raise ValueError(f"{given!r} is off the slider: use a number from {low:g} to {high:g}.")
        position = torch.tensor([values], **OURS)
        self._now = self._codes(position)[0]
        image = self._decode(self._now[None])[0]
        panels = {} if self._x is None else {"original": self._x}
        panels |= {"before": self._before, "here": image}
        text = self._say("text", where=self._moved(values), change=(image - self._before).abs().mean())
        if self._handles is not None:
            panels["true"] = self._render(position)[0]
            text = self._say("distance", text=text, distance=(image - panels["true"]).abs().mean())
        self._image = image
        return list(panels.values()), list(map(self._say, panels)), text, values

    def _moved(self, values: list[float]) -> str:
        """Which sliders are not at their start, in words."""
        moved = [
            self._say("moved", name=name, start=start, value=value)
            for value, (name, (low, high, start)) in zip(values, self._sliders.items(), strict=True)
            if abs(value - start) > 1e-6 * (high - low)
        ]
        if not moved:
            return self._say("still")
        return self._say("more" if len(moved) > 3 else "list", moved=", ".join(moved[:3]), count=len(moved) - 3)

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        size = PANEL if len(images) < 4 else 112
        return [{"title": "", "panels": [panel(title, x, size) for title, x in zip(captions, images, strict=True)]}]

    def _page(self, steps):
        from course_utils.widgets.page.bundle import Page
        from course_utils.widgets.page.layers import layers_of

        if self._handles is not None:  # a page cannot draw the true face: it has all of them
            if steps is None:
                raise ValueError("a page stores the true faces: give steps, the positions of each slider.")
            return super()._page(steps)
        self._no_steps(steps)
        captions = ["original"] * (self._x is not None) + ["before", "here"]
        return Page(
            "handles",
            {"captions": list(map(self._say, captions))},
            {
                "z": self._z.flatten().numpy(),
                "moves": torch.stack(list(self._moves.values())).flatten(1).numpy(),
                "original": b"" if self._x is None else to_bytes(self._x),
            },
            {"decoder": (layers_of(self._model), (self._z.numel(),))},
        )

    def move_to(self, *values: float, **named: float) -> None:
        """Set all sliders in their order, or some by name, as a reader would; errors are raised as well as shown."""
        if unknown := set(named) - set(self._sliders):
            raise ValueError(f"there is no slider {sorted(unknown)[0]!r}: there are {', '.join(self._sliders)}.")
        if values and (named or len(values) != len(self._sliders)):
            raise ValueError(f"give all {len(self._sliders)} values in the order of the sliders, or some by name.")
        self._show([float(v) for v in values or (self.values | named).values()])

    def reset(self) -> None:
        """Put all sliders back to where they started, as the button does."""
        self._show([start for _, _, start in self._sliders.values()])

    @property
    def values(self) -> dict[str, float]:
        """Where the sliders are, by name."""
        return dict(zip(self._sliders, self._shown[3], strict=True))

    @property
    def z(self) -> Tensor:
        """The code that is decoded now, of shape latent_shape, on the CPU."""
        return self._now.clone()

    @property
    def image(self) -> Tensor:
        """The image decoded here, (C, H, W) in [0, 1]."""
        return self._image.clone()

    @property
    def true_image(self) -> Tensor | None:
        """The face rendered at the sliders' values, (3, H, W); None where no handles are known."""
        return None if self._handles is None else self._shown[0][-1].clone()

    def static(self, steps: int = 7, *, ax=None):
        """The static twin, a traversal grid: a row for each slider, which goes from end to end while the others stay.

        Args:
            steps: Images in a row.
            ax: Matplotlib axes to draw on; a new figure by default.

        Returns:
            The axes. With true handles a second row under each slider of a handle shows the true faces.
        """
        steps = check_whole(steps, "steps", 1)
        start = torch.tensor([start for _, _, start in self._sliders.values()], **OURS)
        rows, titles = {}, None
        for k, (name, (low, high, _)) in enumerate(self._sliders.items()):
            positions = start.repeat(steps, 1)
            positions[:, k] = torch.linspace(low, high, steps, **OURS)
            rows[name] = self._decode(self._codes(positions))
            if self._handle(name) is not None:
                rows[f"{name}, true"] = self._render(positions)
        ends = {(low, high) for low, high, _ in self._sliders.values()}
        if len(ends) == 1:  # only then do the columns mean the same in all rows
            along = torch.linspace(*ends.pop(), steps, **OURS).tolist()
            titles = [f"{round(value, 6) + 0.0:.2g}" for value in along]  # the middle of -1 and 1 may be -3e-8
        return plots.image_rows(rows, column_titles=titles, ax=ax)


def _true_handles(handles) -> Tensor:
    """One row of handles (K,), each within its range, on the CPU; or one clear error."""
    from course_utils.data.faces import HANDLES

    handles = check_tensor(handles, "handles", f"one face's, ({len(HANDLES)},)")
    if handles.shape != (len(HANDLES),):
        raise ValueError(f"handles have shape {tuple(handles.shape)}: give one face's, ({len(HANDLES)},).")
    for value, (name, handle) in zip(handles.tolist(), HANDLES.items(), strict=True):
        if not handle.low - 1e-6 <= value <= handle.high + 1e-6:
            raise ValueError(f"handle {name!r} is {value:g}: it goes from {handle.low} to {handle.high}.")
    return handles
