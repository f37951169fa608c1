"""fixed-noise-control: sliders of plain ipywidgets for mu and logvar, and the decoded images for noise that is kept."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, side_by_side, slips
from course_utils.models.vae import VAE

SLIDERS = [{"value": 0.0, "min": -3.0, "max": 3.0}, {"value": -2.0, "min": -6.0, "max": 2.0}]


def sigma(logvar):
    return torch.exp(torch.tensor(0.5 * logvar))


def code(eps, mu, logvar):
    return along_first(eps, mu) + sigma(logvar) * eps


def along_first(eps, mu, place=0):
    centre = torch.zeros(eps.shape[1])
    centre[place] = mu
    return centre


def decoded(code):
    """The pictures of the codes that are made of the noise and both values."""
    return lambda model, eps, mu, logvar: side_by_side(model.decode(code(eps, mu, logvar)))


def small(rows, latent_dim):
    """A small VAE, all of whose numbers come from the generator, and noise."""

    def inputs(g):
        vae = VAE(latent_dim, hidden=5, image_shape=(1, 4, 6))
        for p in vae.parameters():
            p.data = torch.randn(p.shape, generator=g)
        return vae, torch.randn(rows, latent_dim, generator=g)

    return inputs


draft = Draft(decoded(code), lambda model, eps: SLIDERS)
fixed_noise_control = draft.answer()

CHECK = control(
    fixed_noise_control,
    inputs={"": small(5, 2), "a code has three numbers": small(4, 3)},
    mistakes=[
        Mistake(draft.answer(tied=(0,)), "Nothing happens when logvar is moved: only mu is tied to your function."),
        Mistake(draft.answer(tied=(1,)), "Nothing happens when mu is moved: only logvar is tied to your function."),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(eps, mu, -2.0))), "The value of logvar is "
            "not used. What makes sigma of it?"),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(eps, 0.0, logvar))), "The value of mu is not "
            "used. Where in z does it belong?"),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(eps, 0.0, -2.0))), "Each move decodes the "
            "same z: neither value is used."),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: mu + sigma(logvar) * eps)), "mu is added to all "
            "coordinates of z. It is the mean of the first one; the others have mean 0."),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: along_first(eps, mu, 1) + sigma(logvar) * eps)),
            "mu is added to the second coordinate of z. The first one stands at 0."),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(eps, mu, 2 * logvar))), "Your noise is "
            "multiplied by exp(logvar), the variance. Where is the half?"),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(eps, mu, -logvar))), "Your cloud gets "
            "narrower where logvar grows. Which sign has the exponent?"),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: along_first(eps, mu) + logvar * eps)), "Your "
            "noise is multiplied by logvar itself. What undoes a logarithm?"),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: along_first(eps, mu) + 0 * eps)), "All images are "
            "that of mu: the noise is missing."),
        Mistake(draft.answer(picture=decoded(lambda eps, mu, logvar: code(torch.randn_like(eps), mu, logvar))), "Each "
            "move draws new noise, so the images jump. Keep the eps that is given."),
        Mistake(draft.reaching({}, {"min": -3.0, "max": 3.0}), "The slider of logvar has the ends of the other one. It "
            "should go from -6 to 2."),
        Mistake(draft.reaching({}, {"value": 0.0}), "The slider of logvar should start at -2."),
        *slips(draft),
    ],
)  # fmt: skip
