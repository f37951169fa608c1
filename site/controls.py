"""A control of ipywidgets, such as learners build in an exercise, as an explorer that a page can show."""

import contextlib
import io
import itertools
from contextlib import ExitStack
from unittest import mock

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course_utils import plots, widgets
from course_utils.widgets.boxes import choices_in, sliders_in
from course_utils.widgets.explorer import panel
from course_utils.widgets.words import HELP_MANY

WIDEST, IMAGE = 560, 140  # CSS pixels of a panel, and of one image


class Control(widgets.Explorer):
    """The sliders of a control, and what its own function draws at each position, once for each option of its lists.

    Images drawn by `plots.image_rows`, `plots.image_grid` or `plt.imshow` and charts by `plots.draw_chart` become
    panels; the title of a chart becomes a part of the sentence.

    Args:
        control: A box with sliders, or what `interact` returns.
        title: Heading of the explorer.
        names: What the sliders are called; by default their descriptions.

    Its `value` is the list of the sliders' numbers.

    Raises:
        ValueError: It has no slider, or it draws nothing of that kind.
    """

    def __init__(self, control, title: str, names: tuple[str, ...] | None = None):
        self._sliders, self._lists = sliders_in(control), choices_in(control)
        if not self._sliders:
            raise ValueError("this control has no slider.")
        self._title = title  # also the caption of a picture that has none
        self._names = names or tuple(one.description for one in self._sliders)
        described = [
            {"label": name, "min": one.min, "max": one.max, "step": one.step}
            for name, one in zip(self._names, self._sliders, strict=True)
        ]
        spec = {"kind": "sliders", "className": "course-function-slider", "title": title, "sliders": described}
        spec["help"] = HELP_MANY
        super().__init__(spec, [one.value for one in self._sliders])

    def _draw(self, value):
        panels, said = [], []
        for options in itertools.product(*(range(len(one.options)) for one in self._lists)):
            for each, place in zip(self._lists, options, strict=True):
                each.index = place
            drawn, titles = self._drawn(value)
            panels += drawn
            said += titles
        where = ", ".join(f"{name}: {number:.3g}" for name, number in zip(self._names, value, strict=True))
        images, captions = [one for _, one in panels], [caption for caption, _ in panels]
        return images, captions, " ".join([f"{where}.", *said]), list(map(float, value))

    def _drawn(self, value) -> tuple[list[tuple[str, Tensor | plots.Chart]], list[str]]:
        """Captions with what is drawn, and titles of charts, once all sliders are moved to a position."""
        kept, charts, shown = [], [], []

        def image_rows(rows, **_):
            kept.extend((label, _strip(images)) for label, images in rows.items())

        def image_grid(images, *, titles=None, **_):
            kept.extend([(self._title, _strip(images))] if titles is None else zip(titles, images, strict=True))

        def imshow(image, **_):
            kept.append((self._title, torch.as_tensor(image)[None]))

        def draw_chart(chart, **_):
            kept.append(("", chart))
            charts.append(mock.MagicMock())  # in place of axes, to hear of a title
            return charts[-1]

        def show():
            titles = [call.args[0] for ax in charts for call in ax.set_title.call_args_list]
            shown[:] = [[*kept], [f"{title}." for title in titles]]
            kept.clear(), charts.clear()

        moves = {
            one: round(number) if isinstance(one, ipywidgets.IntSlider) else number
            for one, number in zip(self._sliders, value, strict=True)
        }
        first = self._sliders[0]
        with ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            for module, stand_in in (
                (plots, image_rows),
                (plots, image_grid),
                (plots, draw_chart),
                (plt, imshow),
                (plt, show),
            ):
                stack.enter_context(mock.patch.object(module, stand_in.__name__, stand_in))
            if all(one.value == number for one, number in moves.items()):  # it draws only when it is moved
                first.value = first.min if moves[first] > first.min else first.max
            for one, number in moves.items():
                one.value = number
        plt.close("all")
        if not shown or not shown[0]:
            raise ValueError("this control draws nothing that a page can show.")
        return shown

    def _rows(self) -> list:
        images, captions, _, _ = self._shown
        sizes = [IMAGE if isinstance(one, plots.Chart) else _width(one) for one in images]
        return [{"title": "", "panels": list(map(panel, captions, images, sizes))}]


def _strip(images) -> Tensor:
    """Images (K, C, H, W) side by side, (C, H, K * W)."""
    return torch.cat([*images], dim=2).clamp(0, 1)


def _width(image: Tensor) -> int:
    """Of a panel in CSS pixels."""
    return round(min(WIDEST, IMAGE * max(1.0, image.shape[2] / image.shape[1])))
