"""walk-slider: a slider of plain ipywidgets for the frames of a walk, and the picture of each."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, side_by_side, slips


def frames(last):
    """A walk of small pictures, two rows of two, no two of whose frames are alike or have the same names."""

    def inputs(g):
        images = torch.rand(last + 1, 2, 1, 4, 6, generator=g)

        def picture(frame):
            return {f"t = {last - int(frame)}": images[int(frame)], "guess": images[int(frame)].square()}

        return picture, last

    return inputs


def drawn(number=lambda frame, last: frame):
    """The picture of a frame whose number is made of the slider's value."""
    return lambda picture, last, frame: torch.cat(
        [side_by_side(row) for row in picture(int(number(int(frame), last))).values()]
    )


draft = Draft(drawn(), lambda picture, last: [{"value": 0, "min": 0, "max": last}], make="IntSlider")
walk_slider = draft.answer()

CHECK = control(
    walk_slider,
    inputs={"": frames(10), "the walk is longer": frames(40)},
    verb="",
    mistakes=[
        Mistake(draft.answer(picture=drawn(lambda frame, last: last - frame)), "Your walk runs backwards: at 0 it "
            "shows the last frame. Show the frame of the slider's number."),
        Mistake(draft.answer(picture=drawn(lambda frame, last: min(frame + 1, last))), "You show the frame after the "
            "slider's number. Both count from 0."),
        Mistake(draft.answer(picture=drawn(lambda frame, last: max(frame - 1, 0))), "You show the frame before the "
            "slider's number. Both count from 0."),
        Mistake(draft.answer(picture=drawn(lambda frame, last: 0)), "Each move shows frame 0: the slider's value is "
            "not used."),
        Mistake(draft.answer(picture=drawn(lambda frame, last: last)), "Each move shows the last frame: the slider's "
            "value is not used."),
        Mistake(draft.reaching({"value": 3}), "The slider starts at 3, where 0 is asked for: frame 0 comes first."
            ""),
        Mistake(draft.reaching({"min": 1, "value": 1}), "The slider begins at 1. The first frame has number 0."),
        Mistake(draft.answer(ranges=lambda picture, last: [{"value": 0, "min": 0, "max": last - 1}]), "The slider "
            "stops one frame early: last is the number of the last frame, so it belongs to the range."),
        *slips(draft),
    ],
)  # fmt: skip
