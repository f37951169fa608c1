"""gap-control: two sliders of plain ipywidgets, and a picture that follows them."""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch

from course_utils.checks._check import Check, Mistake, Parts

RANGES = {"mean": (-2.0, 2.0, -0.5), "std": (0.1, 1.5, 0.6)}


def gap_control(draw):
    from ipywidgets import VBox, interactive_output

    mean, std = (slider(name) for name in RANGES)
    return VBox([mean, std, interactive_output(draw, {"mean": mean, "std": std})])


def slider(name, make="FloatSlider", **options):
    """The right slider, but for some of its fields."""
    import ipywidgets

    low, high, start = RANGES[name]
    right = {"value": start, "min": low, "max": high, "step": 0.01, "description": name}
    return getattr(ipywidgets, make)(**{key: one for key, one in (right | options).items() if one is not None})


def sliders_in(box):
    """The sliders in a box and in the boxes within it, in their order."""
    found = [box] if {"min", "max", "value"} <= set(box.trait_names()) else []
    for child in getattr(box, "children", ()):
        found += sliders_in(child)
    return found


@contextmanager
def nothing_shown():
    """Nothing is displayed and no Output captures, in a notebook or outside of one; put back afterwards."""
    from ipywidgets.widgets import interaction, widget_output

    def nothing(*args, **options):
        return None

    places = [(widget_output.Output, name) for name in ("__enter__", "__exit__", "clear_output")]
    places += [(interaction, name) for name in ("display", "clear_output", "show_inline_matplotlib_plots")]
    with ExitStack() as stack:
        for place, name in places:
            stack.enter_context(patch.object(place, name, nothing))
        yield


def observed(fn):
    """What a control calls draw with: at first, and when each slider is moved."""
    calls, later = [], []

    def draw(mean, std, **more):
        calls.append((float(mean), float(std)))

    with nothing_shown():
        made = fn(draw)
        box = getattr(made, "widget", made)  # of what `interact` returns
        if not hasattr(box, "trait_names"):
            return made
        if not calls and hasattr(box, "update"):  # before ipywidgets 8 `interactive` draws when it is displayed
            box.update()
        sliders, first = sliders_in(box), len(calls)
        ends = [[float(one.min), float(one.max), float(one.value)] for one in sliders]
        for one in sliders:
            calls.clear()
            one.value = round(one.min + 0.3 * (one.max - one.min), 2)
            later.append(list(calls[-1]) if calls else [torch.nan, torch.nan])
    return Parts({
        "number of sliders": len(sliders),
        "kinds of the sliders": [type(one).__name__ for one in sliders],
        "low end, high end and start of the sliders": torch.tensor(ends),
        "steps": torch.tensor([float(one.step) for one in sliders]),
        "before a slider is moved": min(first, 1),
        "when the sliders are moved one after the other": torch.tensor(later),
    })  # fmt: skip


def wrong(make=slider, names=("mean", "std"), shown=("mean", "std", "picture"), tied=True):
    """A wrong answer: other sliders, tied to other arguments, or not all of it shown."""

    def answer(draw):
        from ipywidgets import Output, VBox, interactive_output

        made = {name: make(name) for name in RANGES}
        controls = dict(zip(names, made.values(), strict=True))
        made["picture"] = interactive_output(draw, controls) if tied else Output()
        return VBox([made[name] for name in shown])

    return answer


def one_slider(draw):
    from ipywidgets import VBox, interactive_output

    mean = slider("mean")
    return VBox([mean, interactive_output(lambda mean: draw(mean, 0.6), {"mean": mean})])


def drawn_once(draw):
    from ipywidgets import VBox

    draw(-0.5, 0.6)
    return VBox([slider(name) for name in RANGES])


def only_when_moved(draw):
    from ipywidgets import VBox

    mean, std = (slider(name) for name in RANGES)
    for one in (mean, std):
        one.observe(lambda change: draw(mean.value, std.value), names="value")
    return VBox([mean, std])


CHECK = Check(
    gap_control,
    inputs=lambda g: (),
    observe=observed,
    draws=1,
    mistakes=[
        Mistake(drawn_once, "The picture is drawn once, and nothing follows the sliders. interactive_output(draw, "
            "{...}) ties them to it."),
        Mistake(wrong(tied=False), "Nothing is drawn: no function is tied to the sliders. interactive_output(draw, "
            "{...}) does that, and returns the picture."),
        Mistake(only_when_moved, "There is no picture until a slider is moved. Draw the start as well, or let "
            "interactive_output do so."),
        Mistake(wrong(names=("std", "mean")), "The sliders are exchanged: the first one moves std. Which name belongs "
            "to which slider?"),
        Mistake(one_slider, "The box holds one slider, that of the mean. The standard deviation needs one too."),
        Mistake(wrong(shown=("picture",)), "You return the picture alone, so there is nothing to move. Put both "
            "sliders and the picture into one VBox."),
        Mistake(wrong(shown=("std", "picture")), "The slider for the mean is not in the box, so nobody can move it."),
        Mistake(wrong(lambda name: slider(name, min=None, max=None)), "Without min and max a FloatSlider goes from 0 "
            "to 10. From where to where should each go?"),
        Mistake(wrong(lambda name: slider(name, value=None)), "Without value a slider starts at 0, or at the end that "
            "is nearer to 0. Where should each start?"),
        Mistake(wrong(lambda name: slider(name, step=None)), "Without step a FloatSlider moves by 0.1, too coarse for "
            "a narrow hump. Steps of 0.01 are asked for."),
        Mistake(wrong(lambda name: slider(name, **({"min": 0.0} if name == "std" else {}))), "Your std goes down to 0. "
            "A Gaussian of width 0 has no density: where should that slider begin?"),
        Mistake(wrong(lambda name: slider(name, "IntSlider", value=round(RANGES[name][2]), min=round(RANGES[name][0]),
                                          max=round(RANGES[name][1]), step=1)), "An IntSlider stops at whole numbers "
            "only. Which slider takes all of them?"),
    ],
)  # fmt: skip
