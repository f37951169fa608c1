"""style-slider: a slider of plain ipywidgets for the layer from which on the styles are those of face B."""

import torch
from torch import nn

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control
from course_utils.checks._drafts import Draft, side_by_side, slips
from course_utils.checks.lesson_11.style_mixing import chosen, mix_codes


class Layers(nn.Module):
    """Images of 4 x 6 pixels of codes (B, L, D); every pixel depends on every number of every layer."""

    def __init__(self, g, num_layers, size):
        super().__init__()
        self.latent_shape = (num_layers, size)
        self.layer = nn.Linear(num_layers * size, 4 * 6)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0, 0.5, generator=g)

    def decode(self, w):
        return torch.sigmoid(self.layer(w.flatten(1))).unflatten(1, (1, 4, 6))


def decoded(codes):
    """The images of the codes that are made of w_a, w_b, the layer and the number of layers."""

    def picture(space, w_a, w_b, start):
        return side_by_side(space.decode(codes(w_a, w_b, round(start), space.latent_shape[0])))

    return picture


def small(rows, num_layers, size):
    return lambda g: (
        Layers(g, num_layers, size), torch.randn(rows, size, generator=g), torch.randn(rows, size, generator=g),
    )  # fmt: skip


draft = Draft(
    decoded(mix_codes),
    lambda space, w_a, w_b: [{"value": space.latent_shape[0], "min": 0, "max": space.latent_shape[0]}],
    make="IntSlider",
)
style_slider = draft.answer()

CHECK = control(
    style_slider,
    inputs={"": small(4, 5, 2), "there are three layers": small(3, 3, 4)},
    mistakes=[
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: mix_codes(w_a, w_b, count, count))),
            "Each move decodes face A as it is: the slider's value is not used. From which layer on is B's code taken?"
            ""),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: mix_codes(w_b, w_a, start, count))),
            "A and B have changed places. The layers before the slider's value are A's."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: chosen(w_a, w_b, count, lambda layer:
            layer > start))), "B begins one layer too late: the layer of the slider's value is B's already."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: chosen(w_a, w_b, count, lambda layer:
            layer == start))), "Only the layer of the slider's value is B's. All layers from there on are."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: chosen(w_a, w_b, count, lambda layer:
            layer >= count - start))), "Your slider counts from the last layer. At 0 the picture is B, and at the "
            "right end it is A."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: torch.lerp(w_b, w_a, start / count)[:,
            None].repeat(1, count, 1))), "All layers get one code between A and B. Mixing gives each layer a whole "
            "code, A's or B's."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: mix_codes(w_a[:1], w_b[:1], start,
            count))), "Only the first pair is decoded. All of them belong into the picture."),
        Mistake(draft.answer(picture=decoded(lambda w_a, w_b, start, count: mix_codes(w_a, w_b[:1].expand_as(w_b),
            start, count))), "All faces get the styles of the first B. Each has its own."),
        Mistake(draft.reaching({"value": 0}), "The slider starts at 0, where all is B's. Asked for is the right end, "
            "face A."),
        Mistake(lambda space, w_a, w_b: draft.reaching({"max": space.latent_shape[0] - 1, "value":
            space.latent_shape[0] - 1})(space, w_a, w_b), "The slider ends one too early: at the number of layers all "
            "is A's, and it starts there."),
        Mistake(draft.reaching({"min": 1}), "The slider begins at 1. At 0 all layers are B's, which one may want to "
            "see too."),
        *slips(draft),
    ],
)  # fmt: skip
