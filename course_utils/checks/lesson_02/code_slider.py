"""code-slider: a slider of plain ipywidgets that moves the first number of a code, and the image that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, slips

REACH = 3.0  # to either side of the code's own number


def moved(z, value, place=0):
    z = z.clone()
    z[place] = value
    return z


def decoded(code):
    """The picture of the code that is made of z and the slider's value."""
    return lambda model, z, value: model.decode(code(z, value)[None])[0, 0]


def around(model, z):
    return [{"value": z[0].item(), "min": z[0].item() - REACH, "max": z[0].item() + REACH}]


draft = Draft(decoded(moved), around)
code_slider = draft.answer()


def small(latent_dim):
    return lambda g: (Small(latent_dim, g), 2 * torch.randn(latent_dim, generator=g))


CHECK = control(
    code_slider,
    inputs={"": small(2), "a code has three numbers": small(3)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(lambda z, value: z)), "Each move decodes z as it was: the slider's value "
            "is never used. In which number of the code does it belong?"),
        Mistake(draft.answer(picture=decoded(lambda z, value: moved(z, value, 1))), "The slider moves z[1]. The first "
            "number of a code stands at 0."),
        Mistake(draft.answer(picture=decoded(lambda z, value: moved(z, value, -1))), "The slider moves the last number "
            "of the code: -1 counts from the end. The first one is asked for."),
        Mistake(draft.answer(picture=decoded(torch.full_like)), "The slider's value is put into all numbers of the "
            "code, so the image runs along a diagonal. Only z[0] may change: clone z, then set one number."),
        Mistake(draft.answer(picture=decoded(lambda z, value: z + value)), "The slider's value is added to all numbers "
            "of the code. Clone z, then set one number."),
        Mistake(draft.answer(picture=decoded(lambda z, value: moved(z, z[0] + value))), "The slider's value is added "
            "to z[0]. The slider starts at z[0] already, so its value is what z[0] should become."),
        Mistake(draft.answer(picture=decoded(lambda z, value: moved(torch.zeros_like(z), value))), "The other numbers "
            "of the code are zero when the slider moves. They should stay what they are in z: start from z.clone()."),
        Mistake(draft.reaching({"min": -REACH, "max": REACH}), "The slider goes from -3 to 3, wherever the code lies. "
            "It should reach 3 to either side of z[0]."),
        Mistake(draft.answer(without=("value",)), "The slider does not start at z[0]: without value it starts at 0, or "
            "at the end that is nearer to 0. What does the first picture show?"),
        *slips(draft),
    ],
)  # fmt: skip
