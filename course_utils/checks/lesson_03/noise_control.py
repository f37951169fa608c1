"""noise-control: a slider of plain ipywidgets for the strength of the noise, and what a denoiser makes of it."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, side_by_side, slips


def noisy(x, eps, strength):
    return (x + strength * eps).clamp(0, 1)


def restored(damage):
    """The noisy picture beside what the model makes of it; `damage` makes it of x, the noise and the strength."""

    def picture(model, x, eps, strength):
        x_noisy = damage(x, eps, strength)
        return side_by_side(torch.cat([x_noisy, model(x_noisy)]))

    return picture


def small(latent_dim):
    """A small autoencoder, an image, and noise."""
    return lambda g: (Small(latent_dim, g), torch.rand(1, 1, 4, 6, generator=g), torch.randn(1, 1, 4, 6, generator=g))


draft = Draft(restored(noisy), lambda model, x, eps: [{"value": 0.5, "min": 0.0, "max": 1.0}])
noise_control = draft.answer()

CHECK = control(
    noise_control,
    inputs={"": small(3), "the code is shorter": small(2)},
    verb="forward",
    mistakes=[
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: x)), "Each move restores the clean image: the "
            "slider's value is not used. What is the noisy image at that strength?"),
        Mistake(draft.answer(picture=lambda model, x, eps, strength: side_by_side(torch.cat([noisy(x, eps, strength),
            model(x)]))), "The noisy image is drawn, and the clean one is restored. Which one does the model get?"),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, eps, 1.0))), "The noise is added at "
            "full strength, wherever the slider stands."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, eps, 0.5))), "The noise is added at "
            "strength 0.5, wherever the slider stands."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: x + strength * eps)), "Your noisy image has "
            "pixels below 0 and above 1. Which function cuts them off?"),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: (x + strength).clamp(0, 1))), "The strength is "
            "added to every pixel: the image gets brighter, not noisy. It multiplies the noise."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: (strength * (x + eps)).clamp(0, 1))), "The "
            "image is multiplied by the strength together with the noise. Mind the brackets."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: (strength * eps).clamp(0, 1))), "Your noisy "
            "image is noise alone: x is missing."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: ((1 - strength) * x + strength * eps).clamp(0, 1
            ))), "Your image fades out while the noise comes in. Here x stays as it is, and noise is added to it."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, eps, strength**0.5))), "The noise is "
            "multiplied by the square root of the strength. The strength is the standard deviation itself."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, eps, strength**2))), "The noise is "
            "multiplied by the square of the strength. The strength is the standard deviation itself."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, torch.randn_like(x), strength))),
            "Each move draws new noise, so you cannot see what the strength alone does. Use the eps that is given."),
        Mistake(draft.answer(picture=restored(lambda x, eps, strength: noisy(x, torch.rand_like(x), strength))),
            "Your noise is uniform, between 0 and 1, and new at each move. Use the eps that is given."),
        Mistake(draft.reaching({"value": 0.0}), "The slider starts at 0 where 0.5 is asked for."),
        *slips(draft),
    ],
)  # fmt: skip
