"""code-slider: a slider of plain ipywidgets that moves the first number of a code, and the image that follows."""

import io

import torch
from torch import nn

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control

REACH = 3.0  # to either side of the code's own number


def moved(z, value, place=0):
    z = z.clone()
    z[place] = value
    return z


def code_slider(model, z):
    from ipywidgets import FloatSlider, HBox, Image

    slider = FloatSlider(value=z[0].item(), min=z[0].item() - REACH, max=z[0].item() + REACH)
    image = Image(value=png(model, z), width=140)
    slider.observe(lambda change: image.set_trait("value", png(model, moved(z, change["new"]))), names="value")
    return HBox([slider, image])


def show(model, z):
    import matplotlib.pyplot as plt

    plt.imshow(model.decode(z[None])[0, 0].detach(), cmap="gray")
    plt.show()


def png(model, z):
    """The decoded image as a file, for ipywidgets' Image."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, model.decode(z[None])[0, 0].detach(), format="png", cmap="gray")
    return file.getvalue()


def slider_at(z, make="FloatSlider", **options):
    """The right slider, but for some of its fields."""
    import ipywidgets

    right = {"value": z[0].item(), "min": z[0].item() - REACH, "max": z[0].item() + REACH}
    return getattr(ipywidgets, make)(**{name: one for name, one in (right | options).items() if one is not None})


def wrong(code=moved, slider=slider_at, first=True, tied=True, new="new", names="value", kept=True):
    """A wrong answer with an Image beside the slider; `code` makes of z and the slider's value what is decoded."""

    def answer(model, z):
        from ipywidgets import HBox, Image

        control, image = slider(z), Image(value=png(model, z) if first else b"")

        def follow(change):
            picture = png(model, code(z, float(change[new])))
            if kept:
                image.value = picture

        if tied:
            control.observe(follow, **({"names": names} if names else {}))
        return HBox([control, image])

    return answer


def redraws_the_first(model, z):
    from ipywidgets import HBox, Output

    image, out, slider = model.decode(z[None])[0, 0].detach(), Output(), slider_at(z)

    def draw(change=None):
        import matplotlib.pyplot as plt

        out.clear_output(wait=True)
        with out:
            plt.imshow(image, cmap="gray")
            plt.show()

    draw()
    slider.observe(draw, names="value")
    return HBox([slider, out])


def into_an_output(clear=True, inside=True, shown=True):
    """A wrong answer that draws on, or beside, an Output."""

    def answer(model, z):
        from contextlib import nullcontext

        import matplotlib.pyplot as plt
        from ipywidgets import HBox, Output

        out, slider = Output(), slider_at(z)
        with out:
            show(model, z)

        def draw(change):
            if clear:
                out.clear_output(wait=True)
            with out if inside else nullcontext():
                plt.imshow(model.decode(moved(z, change["new"])[None])[0, 0].detach(), cmap="gray")
                if shown:
                    plt.show()

        slider.observe(draw, names="value")
        return HBox([slider, out])

    return answer


def alone(model, z):
    return code_slider(model, z).children[0]


def picture_alone(model, z):
    return code_slider(model, z).children[1]


class Small(nn.Module):
    """A decoder whose every pixel depends on every number of the code."""

    def __init__(self, latent_dim, g):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(4 * 6, latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, 4 * 6), nn.Unflatten(1, (1, 4, 6)))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0, 0.5, generator=g)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return torch.sigmoid(self.decoder(z))


def small(latent_dim):
    return lambda g: (Small(latent_dim, g), 2 * torch.randn(latent_dim, generator=g))


CHECK = control(
    code_slider,
    inputs={"": small(2), "a code has three numbers": small(3)},
    mistakes=[
        Mistake(wrong(tied=False), "Nothing happens when the slider is moved: no function is tied to it. Which of "
            "interact, interactive_output and slider.observe do you want?"),
        Mistake(redraws_the_first, "The function that is tied to the slider draws the same image each time: it was "
            "decoded once, before. What has to be computed inside the function?"),
        Mistake(wrong(lambda z, value: z), "Each move decodes z as it was: the slider's value is never used. In which "
            "number of the code does it belong?"),
        Mistake(wrong(lambda z, value: moved(z, value, 1)), "The slider moves z[1]. The first number of a code stands "
            "at 0."),
        Mistake(wrong(lambda z, value: moved(z, value, -1)), "The slider moves the last number of the code: -1 counts "
            "from the end. The first one is asked for."),
        Mistake(wrong(lambda z, value: torch.full_like(z, value)), "The slider's value is put into all numbers of the "
            "code, so the image runs along a diagonal. Only z[0] may change: clone z, then set one number."),
        Mistake(wrong(lambda z, value: z + value), "The slider's value is added to all numbers of the code. Clone z, "
            "then set one number."),
        Mistake(wrong(lambda z, value: moved(z, z[0] + value)), "The slider's value is added to z[0]. The slider "
            "starts at z[0] already, so its value is what z[0] should become."),
        Mistake(wrong(lambda z, value: moved(torch.zeros_like(z), value)), "The other numbers of the code are zero "
            "when the slider moves. They should stay what they are in z: start from z.clone()."),
        Mistake(wrong(new="old"), 'The picture is one move late: change["old"] is where the slider was. Where does the '
            "new value stand?"),
        Mistake(wrong(names=None), "Your function listens to every change of the slider, and fails at one whose new "
            'value is no number. Name the change that you want: slider.observe(f, names="value").'),
        Mistake(wrong(slider=lambda z: slider_at(z, min=None, max=None)), "Without min and max a FloatSlider goes from "
            "0 to 10, and a start below 0 becomes 0. From where to where should z[0] go?"),
        Mistake(wrong(slider=lambda z: slider_at(z, min=-REACH, max=REACH)), "The slider goes from -3 to 3, wherever "
            "the code lies. It should reach 3 to either side of z[0]."),
        Mistake(wrong(slider=lambda z: slider_at(z, value=None)), "The slider does not start at z[0]: without value it "
            "starts at 0, or at the end that is nearer to 0. What does the first picture show?"),
        Mistake(wrong(slider=lambda z: slider_at(z, "IntSlider", **{
                    name: round(one) for name, one in (("value", z[0].item()), ("min", z[0].item() - REACH),
                    ("max", z[0].item() + REACH))})), "An IntSlider stops at whole numbers only, and codes are not "
            "whole. Which slider takes all numbers?"),
        Mistake(into_an_output(clear=False), "The pictures pile up: each move adds one below the others. What clears "
            "an Output before the next picture? (out.clear_output(wait=True))"),
        Mistake(into_an_output(inside=False), "When the slider is moved the picture is drawn outside of the box, where "
            "no reader sees it. Which line says that it belongs into the Output?"),
        Mistake(into_an_output(shown=False), "When the slider is moved a figure is drawn and never shown. In a cell "
            "the notebook shows it at the end; in a function that a slider calls, plt.show() must."),
        Mistake(wrong(first=False), "There is no picture until the slider is moved. Draw the start as well."),
        Mistake(wrong(kept=False), "The right code is decoded at each move, and the image is thrown away. What has to "
            "get the new picture: image.value, or an Output?"),
        Mistake(alone, "You return the slider alone. Put slider and picture into one box: HBox([slider, picture])."),
        Mistake(picture_alone, "There is no slider in what you return. Put a FloatSlider and the picture into one "
            "box: HBox([slider, picture])."),
    ],
)  # fmt: skip
