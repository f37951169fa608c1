"""path-control: a slider for the weight, a Dropdown for the path, of plain ipywidgets, and the picture that follows."""

import torch

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, Small, side_by_side, slips
from course_utils.interpolation import lerp, slerp

WALKS = {"LERP": lerp, "SLERP": slerp}
SLIDER = {"value": 0.5, "min": 0.0, "max": 1.0}


def decoded(code):
    """The picture of the code that is made of both ends, the weight and the name of the path."""
    return lambda model, z_a, z_b, weight, method: side_by_side(model.decode(code(z_a, z_b, weight, method)[None]))


def walk(z_a, z_b, weight, method):
    return WALKS[method](z_a, z_b, weight)


def small(latent_dim):
    return lambda g: (Small(latent_dim, g), *torch.randn(2, latent_dim, generator=g))


draft = Draft(decoded(walk), lambda model, z_a, z_b: [SLIDER], options=tuple(WALKS))
path_control = draft.answer()


def code_is(code):
    """A wrong answer that decodes another code."""
    return draft.answer(picture=decoded(code))


CHECK = control(
    path_control,
    inputs={"": small(5), "a code has three numbers": small(3)},
    mistakes=[
        Mistake(code_is(lambda a, b, w, method: walk(b, a, w, method)), "Your path runs backwards: weight 0 should "
            "give z_a and weight 1 z_b."),
        Mistake(code_is(lambda a, b, w, method: lerp(a, b, w)), "Both options walk by lerp: what is chosen is not "
            "used."),
        Mistake(code_is(lambda a, b, w, method: slerp(a, b, w)), "Both options walk by slerp: what is chosen is not "
            "used."),
        Mistake(code_is(lambda a, b, w, method: walk(a, b, w, "LERP" if method == "SLERP" else "SLERP")), "The two "
            "options are swapped: LERP walks along the arc."),
        Mistake(code_is(lambda a, b, w, method: walk(a, b, 0.5, method)), "The slider's value is not used: you stay "
            "half-way."),
        Mistake(code_is(lambda a, b, w, method: a + w * b), "You add the second code to the whole first one. At weight "
            "1 the code should be z_b."),
        Mistake(code_is(lambda a, b, w, method: walk(a, b, w, method) / walk(a, b, w, method).norm()), "You give every "
            "code length 1 before you decode it. Decode what lerp or slerp returns."),
        Mistake(draft.answer(chosen=False), "Nothing happens when another path is chosen: no function is tied to the "
            "Dropdown. interactive(show, weight=..., method=[...]) ties both."),
        Mistake(draft.answer(options=("SLERP", "LERP")), "The options stand the other way round: LERP first."),
        Mistake(draft.answer(parts=lambda made: [made[0], made[-1]]), "There is no Dropdown in what you return. Put it "
            "into the box beside the slider."),
        Mistake(draft.reaching({"value": 0.0}), "The slider starts at 0 where 0.5 is asked for."),
        Mistake(draft.reaching({"min": -1.0}), "The slider goes below 0. A weight is from 0 to 1."),
        *slips(draft),
    ],
)  # fmt: skip
