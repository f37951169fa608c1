"""perplexity-control: a slider of plain ipywidgets for the perplexity, and the map that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, slips

RANGE = {"value": 30, "min": 2, "max": 100}


def pictured(points):
    """Points as a picture (12, 16): how many lie in each part of a fixed frame."""
    edges = torch.tensor([12.0, 16.0])
    place = ((points + 3) / 6 * edges).long().clamp(torch.tensor([0, 0]), torch.tensor([11, 15]))
    return torch.zeros(12, 16).index_put((place[:, 0], place[:, 1]), torch.tensor(0.1), accumulate=True)


def drawn(value=lambda perplexity: perplexity):
    return lambda map_of, labels, names, perplexity: pictured(map_of(value(perplexity)))


def maps(points):
    """A function that returns a map: a spiral, which turns and grows with the perplexity."""

    def inputs(g):
        start, labels = torch.rand(points, generator=g) * 2, torch.arange(points) % 3

        def map_of(perplexity):
            angle = start + 0.13 * float(perplexity)
            return (0.6 + 0.02 * float(perplexity)) * torch.stack([angle.cos(), angle.sin()], dim=1)

        return map_of, labels, ("bag", "shoe", "shirt")

    return inputs


draft = Draft(drawn(), lambda map_of, labels, names: [RANGE], make="IntSlider")
perplexity_control = draft.answer()

CHECK = control(
    perplexity_control,
    inputs={"": maps(9), "there are more points": maps(14)},
    verb="",
    mistakes=[
        Mistake(draft.answer(picture=drawn(lambda perplexity: 30)), "Each move makes the map at perplexity 30: the "
            "slider's value is not used. What does your function do with its argument?"),
        Mistake(draft.answer(picture=drawn(lambda perplexity: 102 - perplexity)), "Your slider runs backwards: at its "
            "left end stands the largest perplexity."),
        Mistake(draft.answer(picture=drawn(lambda perplexity: max(2, round(perplexity / 10) * 10))), "Your function "
            "rounds the perplexity to tens before it makes the map. Hand the slider's value over as it is."),
        Mistake(draft.reaching({"value": 2}), "Your slider starts at its left end, at 2. It should start at 30: "
            "value=30."),
        Mistake(draft.reaching({"min": 0}), "Your slider goes down to 0. A point needs neighbours: let it begin at 2."),
        *slips(draft),
    ],
)  # fmt: skip
