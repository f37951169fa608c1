"""temperature-control: a slider of plain ipywidgets for the temperature of draws, and the images that follow."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, side_by_side, slips


def decoded(code):
    """The images of the codes that are made of the noise and the temperature."""
    return lambda model, eps, temperature: side_by_side(model.decode(code(eps, temperature)))


def small(rows, latent_dim):
    return lambda g: (Small(latent_dim, g), torch.randn(rows, latent_dim, generator=g))


draft = Draft(decoded(torch.mul), lambda model, eps: [{"value": 0.8, "min": 0.0, "max": 3.0}])
temperature_control = draft.answer()

CHECK = control(
    temperature_control,
    inputs={"": small(5, 2), "a code has three numbers": small(4, 3)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: eps)), "Each move decodes eps as it is: the "
            "slider's value is not used. How does a temperature make draws wider?"),
        Mistake(draft.answer(picture=decoded(torch.add)), "The temperature is added to all codes, so the whole cloud "
            "moves along a diagonal and keeps its width. It multiplies them."),
        Mistake(draft.answer(picture=decoded(torch.div)), "Your codes are divided by the temperature, so a high one "
            "gives tame draws. It multiplies them."),
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: temperature**0.5 * eps)), "Your codes are "
            "multiplied by the square root of the temperature. Here it is the standard deviation itself."),
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: temperature**2 * eps)), "Your codes are "
            "multiplied by the square of the temperature. Here it is the standard deviation itself."),
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: torch.exp(torch.tensor(temperature / 2)) * eps)),
            "Your codes are multiplied by exp(temperature / 2), as if it were a log-variance. It is the standard "
            "deviation itself."),
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: temperature * torch.randn_like(eps))), "Each "
            "move draws new noise, so the images jump. Keep the eps that is given."),
        Mistake(draft.answer(picture=decoded(lambda eps, temperature: temperature * eps[:1])), "Only the first row of "
            "eps is decoded. All of them belong into the picture."),
        Mistake(draft.reaching({"value": 1.0}), "The slider starts at 1 where 0.8 is asked for."),
        Mistake(draft.reaching({"min": -3.0}), "The slider goes below 0. A standard deviation is not negative."),
        *slips(draft),
    ],
)  # fmt: skip
