"""component-control: a slider of plain ipywidgets that moves one number of a code, and the picture that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, slips


def moved(z, value, place):
    z = z.clone()
    z[place] = value
    return z


def decoded(code):
    """The picture of the code that is made of z, the slider's value and k."""
    return lambda model, z, k, reach, value: model.decode(code(z, value, k)[None])[0, 0]


def from_to(model, z, k, reach):
    return [{"value": z[k].item(), "min": -reach, "max": reach}]


def around(model, z, k, reach):
    return [{"value": z[k].item(), "min": z[k].item() - reach, "max": z[k].item() + reach}]


draft = Draft(decoded(moved), from_to)
component_control = draft.answer()


def small(latent_dim, k, reach):
    def make(g):
        return Small(latent_dim, g).requires_grad_(False), 3 * torch.rand(latent_dim, generator=g) - 1.5, k, reach

    return make


CHECK = control(
    component_control,
    inputs={"": small(2, 1, 2.5), "a code has three numbers": small(3, 1, 4.0)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(lambda z, value, k: z)), "Each move decodes z as it was: the slider's "
            "value is never used. In which number of the code does it belong?"),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: moved(z, value, 0))), "The slider moves z[0], "
            "whatever k is."),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: moved(z, value, -1))), "The slider moves the last "
            "number of the code: -1 counts from the end. Number k is asked for."),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: torch.full_like(z, value))), "The slider's value is "
            "put into all numbers of the code. Only z[k] may change: clone z, then set one number."),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: z + value)), "The slider's value is added to all "
            "numbers of the code. Clone z, then set one number."),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: moved(z, z[k] + value, k))), "The slider's value is "
            "added to z[k]. The slider starts at z[k] already, so its value is what z[k] should become."),
        Mistake(draft.answer(picture=decoded(lambda z, value, k: moved(torch.zeros_like(z), value, k))), "The other "
            "numbers of the code are zero when the slider moves. They should stay what they are in z: start from "
            "z.clone()."),
        Mistake(draft.answer(ranges=around), "The slider reaches to either side of z[k]. It should go from -reach to "
            "reach, wherever the code lies."),
        Mistake(draft.answer(without=("value",)), "The slider does not start at z[k]: without value it starts at 0. "
            "What does the first picture show?"),
        *slips(draft),
    ],
)  # fmt: skip
