"""guidance-slider: a slider of plain ipywidgets for the weight of guidance, and the picture of each."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, side_by_side, slips


def faces(g):
    """Small pictures, no two weights of which are alike."""
    dark, bright = torch.rand(2, 3, 1, 4, 6, generator=g).sort(dim=0).values

    def picture(weight):
        return {"w": dark + float(weight) / 5 * (bright - dark)}

    return (picture,)


def drawn(number=lambda weight: weight):
    """The picture of a weight that is made of the slider's value."""
    return lambda picture, weight: side_by_side(next(iter(picture(number(float(weight))).values())))


draft = Draft(drawn(), lambda picture: [{"value": 1.0, "min": 0.0, "max": 4.0, "step": 0.5}])
guidance_slider = draft.answer()

CHECK = control(
    guidance_slider,
    inputs=faces,
    verb="",
    steps=True,
    mistakes=[
        Mistake(draft.answer(picture=drawn(lambda weight: 1.0)), "Each move shows the weight 1: the slider's value is "
            "not used."),
        Mistake(draft.answer(picture=drawn(lambda weight: weight + 1)), "You show the weight plus one. The slider's "
            "value is the weight itself."),
        Mistake(draft.answer(picture=drawn(lambda weight: 4 - weight)), "Your slider runs backwards: at 0 it shows the "
            "weight 4. Show the weight of the slider's number."),
        Mistake(draft.reaching({"value": 0.0}), "The slider starts at 0, where captions are ignored. It should start "
            "at 1."),
        Mistake(draft.reaching({"max": 1.0}), "The slider ends at 1. Guidance goes further: up to 4."),
        Mistake(draft.reaching({"min": 1.0}), "The slider begins at 1. From 0 on is asked for, where captions are "
            "ignored."),
        Mistake(draft.reaching({"step": 0.1}), "The slider's steps are 0.1, where 0.5 is asked for: each position "
            "costs a walk through the network."),
        Mistake(draft.answer(parts=lambda made: made[:-1]), "There is no picture beside the slider. Does show(weight) "
            "draw one, with plots.image_rows(picture(weight)) and plt.show()? Is what interactive returns returned?"),
        *(one for one in slips(draft) if "no picture beside" not in one.message),
    ],
)  # fmt: skip
