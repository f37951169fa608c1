"""fixed-noise-control: sliders of plain ipywidgets for mu and logvar, and the decoded images for noise that is kept."""

import io

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.models.vae import VAE

SLIDERS = {"mu": {"value": 0.0, "min": -3.0, "max": 3.0}, "logvar": {"value": -2.0, "min": -6.0, "max": 2.0}}


def sigma(logvar):
    return torch.exp(torch.tensor(0.5 * logvar))


def code(eps, mu, logvar):
    return along_first(eps, mu) + sigma(logvar) * eps


def along_first(eps, mu, place=0):
    centre = torch.zeros(eps.shape[1])
    centre[place] = mu
    return centre


def png(model, z):
    """The decoded images side by side as a file, for ipywidgets' Image."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, torch.cat(list(model.decode(z).detach()[:, 0]), dim=1), format="png", cmap="gray", vmin=0, vmax=1)
    return file.getvalue()


def sliders(make="FloatSlider", **changed):
    """The right sliders, but for some of their fields."""
    import ipywidgets

    fields = [right | changed.get(name, {}) for name, right in SLIDERS.items()]
    return [
        getattr(ipywidgets, make)(**{key: one for key, one in some.items() if one is not None}) for some in fields
    ]


def answer(code=code, sliders=sliders, tied=("mu", "logvar"), first=True, kept=True, parts=lambda made: made):
    """An answer with an Image: `code` makes of the noise and both values what is decoded."""

    def made(model, eps):
        from ipywidgets import Image, VBox

        controls = sliders()
        start = png(model, code(eps, *(one.value for one in controls)))
        image = Image(value=start if first else b"", width=560)

        def follow(change):
            new = png(model, code(eps, *(float(one.value) for one in controls)))
            if kept:
                image.value = new

        for name, one in zip(SLIDERS, controls, strict=True):
            if name in tied:
                one.observe(follow, names="value")
        return VBox(parts([*controls, image]))

    return made


def into_an_output(clear=True, shown=True):
    """A wrong answer that draws on an Output."""

    def made(model, eps):
        import matplotlib.pyplot as plt
        from ipywidgets import Output, VBox

        controls, out = sliders(), Output()

        def draw(change=None):
            if clear:
                out.clear_output(wait=True)
            with out:
                images = model.decode(code(eps, *(one.value for one in controls))).detach()
                plt.imshow(torch.cat(list(images[:, 0]), dim=1), cmap="gray")
                if shown or change is None:
                    plt.show()

        draw()
        for one in controls:
            one.observe(draw, names="value")
        return VBox([*controls, out])

    return made


def sliders_without_a_box(model, eps):
    return (*sliders(), None)


def small(rows, latent_dim):
    """A small VAE, all of whose numbers come from the generator, and noise."""

    def inputs(g):
        vae = VAE(latent_dim, hidden=5, image_shape=(1, 4, 6))
        for p in vae.parameters():
            p.data = torch.randn(p.shape, generator=g)
        return vae, torch.randn(rows, latent_dim, generator=g)

    return inputs


fixed_noise_control = answer()

CHECK = control(
    fixed_noise_control,
    inputs={"": small(5, 2), "a code has three numbers": small(4, 3)},
    mistakes=[
        Mistake(answer(tied=()), "Nothing happens when a slider is moved: no function is tied to it. interactive(show, "
            "mu=..., logvar=...) ties both."),
        Mistake(answer(tied=("mu",)), "Nothing happens when logvar is moved: only mu is tied to your function."),
        Mistake(answer(tied=("logvar",)), "Nothing happens when mu is moved: only logvar is tied to your function."),
        Mistake(answer(lambda eps, mu, logvar: code(eps, mu, -2.0)), "The value of logvar is not used. What makes "
            "sigma of it?"),
        Mistake(answer(lambda eps, mu, logvar: code(eps, 0.0, logvar)), "The value of mu is not used. Where in z does "
            "it belong?"),
        Mistake(answer(lambda eps, mu, logvar: code(eps, 0.0, -2.0)), "Each move decodes the same z: neither value is "
            "used."),
        Mistake(answer(lambda eps, mu, logvar: mu + sigma(logvar) * eps), "mu is added to all coordinates of z. It is "
            "the mean of the first one; the others have mean 0."),
        Mistake(answer(lambda eps, mu, logvar: along_first(eps, mu, 1) + sigma(logvar) * eps), "mu is added to the "
            "second coordinate of z. The first one stands at 0."),
        Mistake(answer(lambda eps, mu, logvar: along_first(eps, mu) + sigma(2 * logvar) * eps), "Your noise is "
            "multiplied by exp(logvar), the variance. Where is the half?"),
        Mistake(answer(lambda eps, mu, logvar: along_first(eps, mu) + sigma(-logvar) * eps), "Your cloud gets narrower "
            "where logvar grows. Which sign has the exponent?"),
        Mistake(answer(lambda eps, mu, logvar: along_first(eps, mu) + logvar * eps), "Your noise is multiplied by "
            "logvar itself. What undoes a logarithm?"),
        Mistake(answer(lambda eps, mu, logvar: along_first(eps, mu) + 0 * eps), "All images are that of mu: the noise "
            "is missing."),
        Mistake(answer(lambda eps, mu, logvar: code(torch.randn_like(eps), mu, logvar)), "Each move draws new noise, "
            "so the images jump. Keep the eps that is given."),
        Mistake(answer(sliders=lambda: sliders(mu={"min": None, "max": None}, logvar={"min": None, "max": None})),
            "Without min and max a FloatSlider goes from 0 to 10. The docstring says from where to where."),
        Mistake(answer(sliders=lambda: sliders(logvar={"min": -3.0, "max": 3.0})), "The slider of logvar has the ends "
            "of the other one. It should go from -6 to 2."),
        Mistake(answer(sliders=lambda: sliders(logvar={"value": 0.0})), "The slider of logvar should start at -2."),
        Mistake(answer(sliders=lambda: sliders("IntSlider", **{name: {key: int(one) for key, one in right.items()}
                       for name, right in SLIDERS.items()})), "An IntSlider stops at whole numbers only. Which slider "
            "takes all numbers?"),
        Mistake(answer(first=False), "There is no picture until a slider is moved. Draw the start as well."),
        Mistake(answer(kept=False), "The right codes are decoded at each move, and the images are thrown away."),
        Mistake(into_an_output(clear=False), "The pictures pile up: each move adds one below the others. interactive "
            "clears the old one; with an Output of your own, out.clear_output(wait=True) does."),
        Mistake(into_an_output(shown=False), "When a slider is moved a figure is drawn and never shown. In a function "
            "that a slider calls, plt.show() must do that."),
        Mistake(answer(parts=lambda made: made[:2]), "You return the sliders alone. The pictures belong into the same "
            "box; interactive returns sliders and pictures."),
        Mistake(answer(parts=lambda made: made[2:]), "There is no slider in what you return."),
    ],
)  # fmt: skip
