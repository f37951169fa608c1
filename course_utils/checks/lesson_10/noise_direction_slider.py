"""noise-direction-slider: a slider of plain ipywidgets that moves codes along a direction, and their images."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, side_by_side, slips


def decoded(code):
    """The images of the codes that are made of z, the direction and the amount."""
    return lambda model, z, direction, amount: side_by_side(model.decode(code(z, direction, amount)))


def small(rows, latent_dim):
    return lambda g: (
        Small(latent_dim, g), torch.randn(rows, latent_dim, generator=g), torch.randn(latent_dim, generator=g),
    )  # fmt: skip


draft = Draft(
    decoded(lambda z, direction, amount: z + amount * direction),
    lambda model, z, direction: [{"value": 0.0, "min": -3.0, "max": 3.0}],
)
noise_direction_slider = draft.answer()

CHECK = control(
    noise_direction_slider,
    inputs={"": small(5, 2), "a code has three numbers": small(4, 3)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z)), "Each move decodes z as it is: the "
            "slider's value is not used. What is added to z?"),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z + direction)), "The whole direction is "
            "added at each move, whatever the slider says. By what is it multiplied?"),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z + amount)), "The slider's value is added "
            "to all numbers of a code. It says how far to go along the direction."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: amount * direction + 0 * z)), "You decode a "
            "point on the direction alone, the same for all codes. Each code starts from its own z."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z - amount * direction)), "You go the other "
            "way: at a positive value the direction is subtracted."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: (z + direction) * amount)), "You multiply "
            "the sum of both by the slider's value. Only the direction is multiplied: z stays where it is."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: amount * z + direction)), "The codes are "
            "multiplied and the direction is added whole. It is the direction that the slider multiplies."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z * (1 + amount * direction))), "You "
            "multiply z by the direction. A step along a direction is added."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z + amount * direction /
            direction.norm())), "You shorten the direction to length 1 first. Take it as it is given."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: torch.randn_like(z) + amount * direction)),
            "Each move draws new codes, so the images jump. Keep the z that is given."),
        Mistake(draft.answer(picture=decoded(lambda z, direction, amount: z[:1] + amount * direction)), "Only the "
            "first code is decoded. All of them belong into the picture."),
        Mistake(draft.reaching({"value": 1.0}), "The slider starts at 1 where 0, the codes as they are, is asked "
            "for."),
        Mistake(draft.reaching({"min": 0.0}), "The slider begins at 0. One can walk the other way too: it goes from -3 "
            "to 3."),
        *slips(draft),
    ],
)  # fmt: skip
