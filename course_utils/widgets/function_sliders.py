"""Explorers for any function of one or several numbers that returns images or charts."""

import itertools
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from course_utils import plots
from course_utils.latents import LatentModel
from course_utils.widgets.arguments import (
    check_decoded,
    check_different,
    check_function,
    check_image,
    check_list,
    check_model,
    check_named,
    check_names,
    check_number,
)
from course_utils.widgets.explorer import Explorer, evaluating, for_model, panel
from course_utils.widgets.spec import fault, plain
from course_utils.widgets.words import HELP_MANY, HELP_ONE

HELP_LISTS = f"{HELP_MANY} Choose from a list, also by the arrow keys."
IN_ROWS = 128  # CSS pixels of an image, where there are several rows of them


class FunctionSliders(Explorer):
    """What a function returns, images and charts, as its arguments change: a slider or a list for each of them.

    Args:
        fn: Function of as many arguments as there are sliders and lists, in their order. It returns {label: panel},
            each panel an image (C, H, W), floats in [0, 1], or a `plots.Chart`, or a row of images (K, C, H, W); or
            with `labels` a tensor of images (K, C, H, W).
            Labels, kinds and sizes must be the same at every position. It is called at each move, so it should
            take a few milliseconds; it runs in inference mode, and what is random in it should be seeded inside.
        sliders: {name: (low, high)}, {name: (low, high, start)} or {name: (low, high, start, step)}; start is halfway
            and step a fiftieth of the range by default; fn gets a float. {name: ["none", "some", "all"]}, texts, is a
            list to choose from, which begins at the first; {name: {1, 2, 4, 10}}, a set, a slider that stops at these
            numbers only and begins at the least. fn gets the text, or the number.
        labels: K captions, one for each image, where fn returns a tensor or rows.
        describe: Function of the same arguments that returns one sentence, for what is to be read beside the panels. It
            also says what is chosen from lists of words, where it is to be said.
        model: A LatentModel, where fn returns its codes (K, *latent_shape) in place of images (K, C, H, W). Then a page
            without a kernel stores the codes, and decodes.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the list of the sliders' numbers, in their order, and of what is chosen from a list its place,
    from 0; `value_0` is the first of them.

    Raises:
        TypeError, ValueError: One sentence that says which argument, or which result of fn, does not fit.

    Example:
        >>> def line(slope, height):
        ...     return {"a line": plots.Chart([plots.Series("y", [0, 1], [height, height + slope])], (0, 1), (-4, 4),
        ...                                   "x", "y")}
        >>> explorer = FunctionSliders(line, {"slope": (-2, 2), "height": (-2, 2, 1)})
        >>> explorer.move_to(0.5, -1)
        >>> explorer.move_to(slope=1.5)
        >>> explorer.values, explorer.panels["a line"].series[0].y.tolist()
        ({'slope': 1.5, 'height': -1.0}, [-1.0, 0.5])

        >>> def flat(kind, grey):
        ...     return {kind_of_row: torch.full((2, 1, 4, 6), grey * (kind == "grey")) for kind_of_row in ("a", "b")}
        >>> explorer = FunctionSliders(flat, {"kind": ["black", "grey"], "grey": (0, 1)})
        >>> explorer.move_to(kind="grey")
        >>> explorer.value, explorer.values, list(explorer.panels)
        ([1.0, 0.5], {'kind': 'grey', 'grey': 0.5}, ['a, 1', 'a, 2', 'b, 1', 'b, 2'])
    """

    def __init__(
        self,
        fn: Callable,
        sliders: Mapping[str, Sequence[float]],
        *,
        labels: Sequence[str] | None = None,
        describe: Callable[..., str] | None = None,
        model: LatentModel | None = None,
        title: str = "Explorer",
        layout=None,
    ):
        sliders = check_named(sliders, "sliders", "{name: (low, high, start)}")
        if not callable(fn):
            numbers = "one number" if len(sliders) == 1 else f"{len(sliders)} numbers"
            raise TypeError(f"fn is a {type(fn).__name__}: give a function of {numbers} that returns images or charts.")
        if describe is not None:
            check_function(describe, "describe")
        if model is not None:
            check_model(model, ["decode", "latent_shape"])
        self._model = model
        self._sliders = {name: _slider(name, given) for name, given in sliders.items()}
        self._fn, self._sentence = fn, describe
        self._labels = None if labels is None else check_different(check_names(labels, "labels"), "labels")
        self._kinds = None  # of what fn returned first: the panels keep it
        self._places = {}  # {label: (title of its row, caption)} of the images that came in rows
        start = [one["start"] for one in self._sliders.values()]
        spec = {"className": "course-function-slider", "title": title} | self._control()
        super().__init__(spec, self._from_list(start), layout=layout)

    def _control(self) -> dict:
        """The part of the description that says which control there is."""
        lists = any(isinstance(name, str) for one in self._sliders.values() for name in one.get("options", ()))
        return {"kind": "sliders", "help": HELP_LISTS if lists else HELP_MANY, "sliders": self._described()}

    def _described(self) -> list[dict]:
        """The sliders as the browser is told of them; it learns the start from the position."""
        return [{"label": name} | {k: v for k, v in one.items() if k != "start"} for name, one in self._sliders.items()]

    def _to_list(self, value) -> list[float]:
        """A position as the browser sends it, as one float for each slider."""
        return [float(v) for v in value]

    def _from_list(self, values: list[float]):
        """A position as the browser wants it."""
        return values

    def _panels_at(self, values: Sequence[float]) -> dict:
        """What fn returns at a position, checked: {label: image on the CPU, or Chart}."""
        result = self._result(values)
        if self._model is not None:
            result = _each(self._decode, result)
        if isinstance(result, Tensor):
            if self._labels is None:
                raise TypeError("fn returned a tensor: give a label for each of its images, or return {label: image}.")
            if result.ndim != 4 or len(result) != len(self._labels):
                raise ValueError(
                    f"fn returned shape {tuple(result.shape)} for {len(self._labels)} labels: return one image a "
                    "label, (K, C, H, W)."
                )
            result = dict(zip(self._labels, result, strict=True))
        if not isinstance(result, Mapping):
            raise TypeError(
                f"fn returned a {type(result).__name__}: it must return images as a tensor (K, C, H, W), or a "
                "dictionary {label: image or Chart}."
            )
        if not result:
            raise ValueError("fn returned no panels: return at least one image or Chart.")
        result = self._in_rows(check_named(result, "the panels that fn returned", "{label: image or Chart}"))
        panels = {label: self._checked(one, label) for label, one in result.items()}
        kinds = {label: "chart" if isinstance(one, plots.Chart) else tuple(one.shape) for label, one in panels.items()}
        if self._kinds not in (None, kinds):
            raise ValueError(f"fn returned {_spell(kinds)} here but {_spell(self._kinds)} at the start.")
        self._kinds = kinds
        return panels

    def _one_for_each(self, values: list) -> None:
        if len(values) != len(self._sliders):
            raise ValueError(
                f"{values!r} has {len(values)} numbers for {len(self._sliders)} sliders: give one for each."
            )

    def _result(self, values: Sequence[float]):
        """What fn returns at a position."""
        with torch.inference_mode():
            return self._fn(*self._given(values))

    def _given(self, values: Sequence[float]) -> list:
        """A position as fn is told it: what is chosen from a list in place of where it stands there."""
        return [_meant(one, value) for one, value in zip(self._sliders.values(), values, strict=True)]

    def _decode(self, z) -> Tensor:
        """Codes (K, *latent_shape) as images (K, C, H, W) on the CPU; or one clear error."""
        shape = tuple(self._model.latent_shape)
        if not isinstance(z, Tensor):
            raise TypeError(f"fn returned a {type(z).__name__}: with a model it must return codes, a tensor (K, ...).")
        if z.ndim != 1 + len(shape) or tuple(z.shape[1:]) != shape or not len(z):
            wanted = ", ".join(("K", *map(str, shape)))
            raise ValueError(f"fn returned codes of shape {tuple(z.shape)}: with this model they must be ({wanted}).")
        if not torch.isfinite(z).all():
            raise ValueError("fn returned NaN or infinite numbers in its codes at this position.")
        with evaluating(self._model) as model:
            return check_decoded(model.decode(for_model(model, z)), len(z))

    def _in_rows(self, result: dict) -> dict:
        """Each image of a row as a panel of its own."""
        panels = {}
        for label, one in result.items():
            if not isinstance(one, Tensor) or one.ndim != 4:
                panels[label] = one
                continue
            names = list(map(str, range(1, len(one) + 1))) if self._labels is None else self._labels
            if len(names) != len(one) or not names:
                raise ValueError(f"fn returned {len(one)} images in row {label!r}: there are {len(names)} labels.")
            for name, image in zip(names, one, strict=True):
                panels[f"{label}, {name}"] = image
                self._places[f"{label}, {name}"] = label, name
        return panels

    @staticmethod
    def _checked(one, label) -> Tensor | plots.Chart:
        if isinstance(one, plots.Chart):
            return one
        if isinstance(one, Tensor) and not torch.isfinite(one).all():
            raise ValueError("fn returned NaN or infinite pixels at this value.")
        return check_image(one, f"image {label!r}")

    def _position(self, value) -> list[float]:
        """One float for each slider, none of them off it; or one clear error."""
        values = self._to_list(value)
        self._one_for_each(values)
        for given, one in zip(values, self._sliders.values(), strict=True):
            if "options" in one and given not in range(len(one["options"])):
                raise ValueError(f"there is no option {given:g}: use a whole number from 0 to {one['max']}.")
            if not one["min"] - 1e-9 <= given <= one["max"] + 1e-9:
                raise ValueError(f"{given!r} is off the slider: use a number from {one['min']:g} to {one['max']:g}.")
        return values

    def _draw(self, value):
        values = self._position(value)
        panels = self._panels_at(values)
        given = self._given(values)
        said = self._sentence(*given) if self._sentence else ""
        if not isinstance(said, str):
            raise TypeError(f"describe returned a {type(said).__name__}: it must return one sentence, as text.")
        told = [one for one in zip(self._sliders, given, strict=True) if not (said and isinstance(one[1], str))]
        where = ", ".join(f"{name}: {_spoken(one)}" for name, one in told)
        text = f"{where}. {said}".strip() if where else said
        captions = [self._places.get(label, ("", label))[1] for label in panels]
        self._labelled = panels
        return list(panels.values()), captions, text, self._from_list(values)

    def _rows(self) -> list:
        """Charts and images as fn orders them; where the kind changes, or fn's own row, a new row begins."""
        size = 140 if len(self._labelled) <= 4 else 112
        places = {label: self._places.get(label, ("", label)) for label in self._labelled}

        def place(pair) -> tuple[str, bool]:
            return places[pair[0]][0], isinstance(pair[1], plots.Chart)

        rows = []
        for (title, is_chart), row in itertools.groupby(self._labelled.items(), key=place):
            widths = {True: lambda one: 140, False: lambda one, title=title: _width(one, IN_ROWS if title else size)}
            rows.append(
                {"title": title, "panels": [panel(places[label][1], one, widths[is_chart](one)) for label, one in row]}
            )
        return rows

    def _page(self, steps):
        from course_utils.widgets.page.layers import layers_of
        from course_utils.widgets.page.table import stored

        if self._model is None:
            return stored(self, steps)
        network = layers_of(self._model), tuple(self._model.latent_shape)
        return stored(self, steps, codes=self._codes, network=network)

    def _codes(self, value) -> Tensor:
        """The codes that fn returns at a value, in the order of the panels, (P, D)."""
        result = self._result(self._position(value))
        codes = torch.cat(list(result.values())) if isinstance(result, Mapping) else result
        return codes.detach().float().cpu().flatten(1)

    def move_to(self, *values: float, **named: float) -> None:
        """Set all sliders in their order, or some by name, as a reader would; errors are raised as well as shown."""
        if unknown := set(named) - set(self._sliders):
            raise ValueError(f"there is no slider {sorted(unknown)[0]!r}: there are {', '.join(self._sliders)}.")
        if values and (named or len(values) != len(self._sliders)):
            raise ValueError(f"give all {len(self._sliders)} values in the order of the sliders, or some by name.")
        wanted = zip(self._sliders.items(), values or (self.values | named).values(), strict=True)
        self._show(self._from_list([_where(name, one, given) for (name, one), given in wanted]))

    @property
    def values(self) -> dict:
        """Where the sliders are, and what is chosen from lists, by name."""
        return dict(zip(self._sliders, self._given(self._to_list(self._shown[3])), strict=True))

    def _found(self, at) -> list:
        """A position as it is named: by what is chosen from a list."""
        at = check_list(at, "one of positions")
        self._one_for_each(at)
        return [_where(name, one, given) for (name, one), given in zip(self._sliders.items(), at, strict=True)]

    @property
    def panels(self) -> dict[str, Tensor | plots.Chart]:
        """What is shown, by label: images (C, H, W) in [0, 1], and charts."""
        return {label: one if isinstance(one, plots.Chart) else one.clone() for label, one in self._labelled.items()}

    def static(self, positions: Sequence[Sequence[float]] | None = None, *, width: float = 9.0):
        """The static twin: a column for each position, a row for each panel.

        Args:
            positions: One value for each slider or list, at each column; by default the start, then each of them at
                its two ends while the others stay.
            width: Width of the figure in inches.

        Returns:
            The axes, an array (panels, positions).
        """
        if positions is None:
            start = [one["start"] for one in self._sliders.values()]
            ends = [(k, one[end]) for k, one in enumerate(self._sliders.values()) for end in ("min", "max")]
            positions = [start, *([*start[:k], value, *start[k + 1 :]] for k, value in ends)]
        else:
            positions = [self._found(at) for at in check_list(positions, "positions")]
        positions = [self._position(self._from_list(at)) for at in positions]
        drawn = [self._panels_at(at) for at in positions]
        titles = [
            ", ".join(f"{name} = {_spoken(one)}" for name, one in zip(self._sliders, self._given(at), strict=True))
            for at in positions
        ]
        rows = {label: [panels[label] for panels in drawn] for label in drawn[0]}
        return plots.panel_table(rows, column_titles=titles, width=width)


class FunctionSlider(FunctionSliders):
    """The images (or charts) that a function returns, side by side, as its one number moves.

    Args:
        fn: Function of a float, as in `FunctionSliders`.
        low: Smallest value.
        high: Largest value.
        labels: K captions, one for each image, where fn returns a tensor (K, C, H, W).
        name: What the number is, as the reader sees it.
        start: Value at first; halfway by default.
        step: Distance between two positions; a fiftieth of the range by default.
        describe: Function of the same float that returns one sentence, for what is to be read beside the images.
        title: Heading of the explorer.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.

    Its `value` is the number.

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
        fn: Callable[[float], object],
        low: float,
        high: float,
        *,
        labels: Sequence[str] | None = None,
        name: str = "value",
        start: float | None = None,
        step: float | None = None,
        describe: Callable[[float], str] | None = None,
        title: str = "Explorer",
        layout=None,
    ):
        sliders = {name: (low, high, start, step)}
        super().__init__(fn, sliders, labels=labels, describe=describe, title=title, layout=layout)

    def _control(self) -> dict:
        return {"kind": "slider", "help": HELP_ONE} | self._described()[0]

    def _to_list(self, value) -> list[float]:
        return [float(value)]

    def _from_list(self, values: list[float]):
        return values[0]

    def move_to(self, value: float) -> None:
        """Set the number, as a reader would; errors are raised as well as shown."""
        self._show(value)

    @property
    def images(self) -> Tensor:
        """The images shown, (K, C, H, W) in [0, 1]."""
        return torch.stack([one for one in self.panels.values() if isinstance(one, Tensor)])

    def static(self, values: Sequence[float] | None = None, *, ax=None, width: float = 9.0):
        """The static twin: a row of images (or charts) for each label, a column for each value.

        Args:
            values: Where to call the function; seven evenly spaced values from low to high by default, four of charts.
            ax: Matplotlib axes to draw images on; a new figure by default.
            width: Width of the figure in inches, where there are charts.

        Returns:
            The axes; where there are charts an array of them.
        """
        one = next(iter(self._sliders.values()))
        charts = "chart" in self._kinds.values()
        if values is None:
            values = torch.linspace(one["min"], one["max"], 4 if charts else 7, device="cpu").tolist()
        if charts:
            return super().static([[value] for value in check_list(values, "values")], width=width)
        values = [check_number(value, "one of values") for value in check_list(values, "values")]
        drawn = [self._panels_at([value]) for value in values]
        rows = {label: torch.stack([panels[label] for panels in drawn]) for label in drawn[0]}
        return plots.image_rows(rows, column_titles=[f"{value:.3g}" for value in values], ax=ax)


def _slider(name: str, given) -> dict:
    """Ends, step and start of one slider, as Python's own numbers, and the options of a list; or one clear error."""
    words = isinstance(given, (list, tuple)) and given and all(isinstance(one, str) for one in given)
    if words or isinstance(given, (set, frozenset)):
        options = list(given) if words else [plain(one) for one in given]
        if len(options) < 2 or not (words or all(not fault("number", one) for one in options)):
            raise ValueError(f"the list {name!r} is {reprlib.repr(given)}: give two or more texts or finite numbers.")
        options = check_different(options, f"the list {name!r}") if words else sorted(options)
        return {"min": 0, "max": len(options) - 1, "step": 1, "start": 0, "options": options}
    given = check_list(given, f"the slider {name!r}")
    if not 2 <= len(given) <= 4:
        raise ValueError(
            f"the slider {name!r} has {len(given)} numbers: give (low, high, start, step) or the first of them."
        )
    low, high, start, step = (*given, None, None)[:4]
    low, high = (check_number(end, f"an end of the slider {name!r}") for end in (low, high))
    if high - low == math.inf:
        raise ValueError(f"the slider {name!r} goes from {low:g} to {high:g}: that is too far.")
    if not low < high:
        raise ValueError(f"the slider {name!r} goes from {low:.15g} to {high:.15g}: give the smaller value first.")
    start = (low + high) / 2 if start is None else check_number(start, f"the start of the slider {name!r}")
    step = (high - low) / 50 if step is None else check_number(step, f"the step of the slider {name!r}")
    if not 0 < step <= high - low:
        raise ValueError(
            f"the step of the slider {name!r} is {step:g}: give a number above 0 and at most {high - low:g}, the "
            "whole range."
        )
    return {"min": low, "max": high, "step": step, "start": start}


def _meant(slider: dict, value: float):
    """What a slider's number stands for."""
    return slider["options"][int(value)] if "options" in slider else value


def _where(name: str, slider: dict, given) -> float:
    """The number of a slider, or the place of an option in its list; or one clear error."""
    if "options" not in slider:
        return check_number(given, f"the slider {name!r}")
    if (given := plain(given)) not in slider["options"]:
        known = ", ".join(map(repr, slider["options"]))
        raise ValueError(f"the list {name!r} has no {reprlib.repr(given)}: choose one of {known}.")
    return slider["options"].index(given)


def _spoken(given) -> str:
    return given if isinstance(given, str) else f"{given:.3g}"


def _each(work: Callable, result):
    """What is done to a tensor, or to each that a dictionary holds."""
    return {label: work(one) for label, one in result.items()} if isinstance(result, Mapping) else work(result)


def _width(image: Tensor, size: int) -> int:
    """Width in CSS pixels of an image (C, H, W): wide ones, such as strips of several, get up to four times as much."""
    return round(size * min(4.0, max(1.0, image.shape[2] / image.shape[1])))


def _spell(kinds: dict) -> str:
    return ", ".join(f"{label!r} {kind}" for label, kind in kinds.items())
