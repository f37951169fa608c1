"""strength-control: a slider of plain ipywidgets for the strength of an edit, and the face before and after it."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, side_by_side, slips


def decoded(*codes):
    """The images of several codes side by side; each is made of z, the step and the strength."""
    return lambda model, z, step, strength: side_by_side(
        model.decode(torch.stack([code(z, step, strength) for code in codes]))
    )


def before(z, step, strength):
    return z


def small(latent_dim):
    return lambda g: (
        Small(latent_dim, g), torch.randn(latent_dim, generator=g), 2 * torch.randn(latent_dim, generator=g)
    )  # fmt: skip


draft = Draft(
    decoded(before, lambda z, step, strength: z + strength * step),
    lambda model, z, step: [{"value": 0.5, "min": -1.0, "max": 1.0}],
)
strength_control = draft.answer()

CHECK = control(
    strength_control,
    inputs={"": small(3), "a code has two numbers": small(2)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: z + step)), "Each move adds the whole "
            "step: the slider's value is not used. How much of the step belongs to a strength?"),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: strength * step)), "You decode the "
            "step by itself, without the face. The step is added to z."),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: z + strength)), "You add the strength "
            "to every number of the code. It says how many times the STEP is added."),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: z - strength * step)), "The edit goes "
            "the wrong way: a positive strength takes the attribute away. Which sign has the step?"),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: strength * (z + step))), "You multiply "
            "the code by the strength too. Only the step is multiplied; z stays."),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: z + strength * step / step.norm())),
            "You give the step the length 1. Its own length says what a strength of 1 is worth: keep it."),
        Mistake(draft.answer(picture=decoded(before, lambda z, step, strength: (1 - strength) * z + strength * step)),
            "You mix the code and the step, as on the way from one place to another. A step is added to z."),
        Mistake(draft.reaching({"value": 0.0}), "The slider starts at 0 where 0.5 is asked for."),
        Mistake(draft.reaching({"min": 0.0}), "The slider does not go below 0, so the attribute can never be taken "
            "away. Let it begin at -1."),
        *slips(draft),
    ],
)  # fmt: skip
