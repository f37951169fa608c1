"""perplexity-control: a slider of plain ipywidgets for the perplexity, and the map that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft

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
        Mistake(draft.answer(tied=()), "Nothing happens when the slider is moved: no function is tied to it. "
            "interactive(show, perplexity=slider) does that."),
        Mistake(draft.answer(picture=drawn(lambda perplexity: 30)), "Each move makes the map at perplexity 30: the "
            "slider's value is not used. What does your function do with its argument?"),
        Mistake(draft.answer(picture=drawn(lambda perplexity: 102 - perplexity)), "Your slider runs backwards: at its "
            "left end stands the largest perplexity."),
        Mistake(draft.answer(picture=drawn(lambda perplexity: max(2, round(perplexity / 10) * 10))), "Your function "
            "rounds the perplexity to tens before it makes the map. Hand the slider's value over as it is."),
        Mistake(draft.answer(once=True, output=True), "The map was made once, before the slider was moved. "
            "map_of(perplexity) belongs inside the function that the slider calls."),
        Mistake(draft.answer(late=True), 'The map is one move late: change["old"] is where the slider was. Where does '
            "the new value stand?"),
        Mistake(draft.answer(names=None), "Your function listens to every change of the slider, and fails at one whose "
            'new value is no number. Name the change that you want: slider.observe(f, names="value").'),
        Mistake(draft.answer(make="FloatSlider"), "Your slider is a FloatSlider. Whole numbers are enough here: "
            "IntSlider."),
        Mistake(draft.reaching({"value": 2}), "Your slider starts at its left end, at 2. It should start at 30: "
            "value=30."),
        Mistake(draft.reaching({"min": 0}), "Your slider goes down to 0. A point needs neighbours: let it begin at 2."),
        Mistake(draft.answer(output=True, clear=False), "The maps pile up: each move adds one below the others. What "
            "clears an Output before the next one? (out.clear_output(wait=True))"),
        Mistake(draft.answer(output=True, inside=False), "When the slider is moved the map is drawn outside of the "
            "box, where no reader sees it. Which line says that it belongs into the Output?"),
        Mistake(draft.answer(output=True, shown=False), "When the slider is moved a figure is drawn and never shown. "
            "In a function that a slider calls, plt.show() must come last."),
        Mistake(draft.answer(first=False), "There is no map until the slider is moved. Draw the start as well."),
        Mistake(draft.answer(kept=False), "A map is made at each move, and thrown away: it is never drawn."),
        Mistake(draft.answer(parts=lambda made: made[:-1]), "You return the slider alone. Put it and the map into one "
            "box, or return what interactive returns."),
        Mistake(draft.answer(parts=lambda made: made[-1:]), "There is no slider in what you return. Put an IntSlider "
            "and the map into one box, or return what interactive returns."),
    ],
)  # fmt: skip
