"""code-sliders: a slider of plain ipywidgets for each number of a code, and one image that follows both."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, slips


def decoded(code):
    """The picture of the code that is made of the start and both sliders' values."""
    return lambda model, start, x_range, y_range, x, y: model.decode(code(start, x, y)[None])[0, 0]


def at(start, x, y):
    return torch.tensor([float(x), float(y)])


def over_the_map(model, start, x_range, y_range):
    ends = zip(start.tolist(), (x_range, y_range), strict=True)
    return [{"value": value, "min": low, "max": high} for value, (low, high) in ends]


def both_over_x(model, start, x_range, y_range):
    (first, second), (low, high) = over_the_map(model, start, x_range, y_range), x_range
    return [first, second | {"value": min(max(second["value"], low), high), "min": low, "max": high}]


def both_at_the_first(model, start, x_range, y_range):
    return [one | {"value": start[0].item()} for one in over_the_map(model, start, x_range, y_range)]


def in_the_middle(model, start, x_range, y_range):
    return [one | {"value": (one["min"] + one["max"]) / 2} for one in over_the_map(model, start, x_range, y_range)]


draft = Draft(decoded(at), over_the_map)
code_sliders = draft.answer()


def small(x_range, y_range):
    def inputs(g):
        start = torch.tensor([x_range[0] + 0.5, x_range[0] + 1.25]) + torch.rand(2, generator=g)
        return Small(2, g), start, x_range, y_range

    return inputs


CHECK = control(
    code_sliders,
    inputs={"": small((-2.0, 1.5), (-4.0, 3.0)), "the map lies elsewhere": small((1.0, 4.0), (0.5, 6.5))},
    mistakes=[
        Mistake(draft.answer(tied=(0,)), "Nothing happens when z[1] is moved: only the slider of z[0] is tied to your "
            "function."),
        Mistake(draft.answer(tied=(1,)), "Nothing happens when z[0] is moved: only the slider of z[1] is tied to your "
            "function."),
        Mistake(draft.answer(picture=decoded(lambda start, x, y: torch.tensor([y, x]))), "The two numbers of the code "
            "have changed places: the slider of z[0] moves z[1]."),
        Mistake(draft.answer(picture=decoded(lambda start, x, y: torch.tensor([x, start[1]]))), "The value of the "
            "second slider is not used: z[1] stays as it was at the start."),
        Mistake(draft.answer(picture=decoded(lambda start, x, y: torch.tensor([start[0], y]))), "The value of the "
            "first slider is not used: z[0] stays as it was at the start."),
        Mistake(draft.answer(picture=decoded(lambda start, x, y: start)), "Each move decodes the start: neither "
            "slider's value is used."),
        Mistake(draft.answer(picture=decoded(lambda start, x, y: start + torch.tensor([x, y]))), "The sliders' values "
            "are added to the start. The sliders begin there already, so their values are the new code."),
        Mistake(draft.reaching({"min": 0.0, "max": 1.0, "value": 0.5}, {"min": 0.0, "max": 1.0, "value": 0.5}), "Your "
            "sliders go from 0 to 1. They should go over the map: x_range has the ends of the first one."),
        Mistake(draft.answer(ranges=both_over_x), "Both sliders have the ends of z[0]. Those of z[1] stand in "
            "y_range."),
        Mistake(draft.answer(ranges=both_at_the_first), "Both sliders start at start[0]. Where should that of z[1] "
            "start?"),
        Mistake(draft.answer(ranges=in_the_middle), "The sliders start in the middle of the map, not at the code that "
            "is given."),
        Mistake(draft.answer(without=("value",)), "The sliders do not start at the code: without value each starts at "
            "0, or at the end that is nearer to 0."),
        *slips(draft),
    ],
)  # fmt: skip
