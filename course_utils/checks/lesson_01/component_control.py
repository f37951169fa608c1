"""component-control: a slider of plain ipywidgets that moves one number of a code, and the picture that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks.lesson_02.code_slider import Small, moved, slider_at, wrong


def slider(z, k, reach, **options):
    """The right slider, but for some of its fields."""
    return slider_at(z, **({"value": z[k].item(), "min": -reach, "max": reach} | options))


def answer(code=moved, slider=slider, **options):
    """An answer with an Image beside the slider; `code` makes of z, the slider's value and k what is decoded."""

    def made(model, z, k, reach):
        return wrong(lambda z, value: code(z, value, k), lambda z: slider(z, k, reach), **options)(model, z)

    return made


component_control = answer()


def alone(model, z, k, reach):
    return slider(z, k, reach)


def small(latent_dim, k, reach):
    def make(g):
        return Small(latent_dim, g).requires_grad_(False), 3 * torch.rand(latent_dim, generator=g) - 1.5, k, reach

    return make


CHECK = control(
    component_control,
    inputs={"": small(2, 1, 2.5), "a code has three numbers": small(3, 1, 4.0)},
    mistakes=[
        Mistake(answer(tied=False), "Nothing happens when the slider is moved: no function is tied to it. "
            'interactive_output(draw, {"value": slider}) ties one.'),
        Mistake(answer(lambda z, value, k: z), "Each move decodes z as it was: the slider's value is never used. In "
            "which number of the code does it belong?"),
        Mistake(answer(lambda z, value, k: moved(z, value)), "The slider moves z[0], whatever k is."),
        Mistake(answer(lambda z, value, k: moved(z, value, -1)), "The slider moves the last number of the code: -1 "
            "counts from the end. Number k is asked for."),
        Mistake(answer(lambda z, value, k: torch.full_like(z, value)), "The slider's value is put into all numbers of "
            "the code. Only z[k] may change: clone z, then set one number."),
        Mistake(answer(lambda z, value, k: z + value), "The slider's value is added to all numbers of the code. Clone "
            "z, then set one number."),
        Mistake(answer(lambda z, value, k: moved(z, z[k] + value, k)), "The slider's value is added to z[k]. The "
            "slider starts at z[k] already, so its value is what z[k] should become."),
        Mistake(answer(lambda z, value, k: moved(torch.zeros_like(z), value, k)), "The other numbers of the code are "
            "zero when the slider moves. They should stay what they are in z: start from z.clone()."),
        Mistake(answer(new="old"), 'The picture is one move late: change["old"] is where the slider was. Where does '
            "the new value stand?"),
        Mistake(answer(slider=lambda z, k, reach: slider(z, k, reach, min=None, max=None)), "Without min and max a "
            "FloatSlider goes from 0 to 10. From where to where should z[k] go?"),
        Mistake(answer(slider=lambda z, k, reach: slider(z, k, reach, min=z[k].item() - reach,
                                                            max=z[k].item() + reach)),
            "The slider reaches to either side of z[k]. It should go from -reach to reach, wherever the code lies."),
        Mistake(answer(slider=lambda z, k, reach: slider(z, k, reach, value=None)), "The slider does not start at "
            "z[k]: without value it starts at 0. What does the first picture show?"),
        Mistake(answer(first=False), "There is no picture until the slider is moved. Draw the start as well."),
        Mistake(answer(kept=False), "The right code is decoded at each move, and the image is thrown away. What has to "
            "get the new picture: image.value, or an Output?"),
        Mistake(alone, "You return the slider alone. Put slider and picture into one box: HBox([slider, picture])."),
    ],
)  # fmt: skip
