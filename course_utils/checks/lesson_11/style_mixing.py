"""style-mixing: one code a layer, of face A up to a layer and of face B from there on."""

import torch

from course_utils.checks._check import Check, Mistake


def mix_codes(w_a, w_b, start, num_layers):
    return chosen(w_a, w_b, num_layers, lambda layer: layer >= start)


def chosen(w_a, w_b, num_layers, from_b):
    """One code a layer, of B where from_b says so of the layer's number."""
    takes = from_b(torch.arange(num_layers))[None, :, None]
    return torch.where(takes, w_b[:, None], w_a[:, None])


def but(from_b):
    """A wrong answer that takes other layers of B."""
    return lambda w_a, w_b, start, num_layers: chosen(
        w_a, w_b, num_layers, lambda layer: from_b(layer, start, num_layers)
    )


def along_the_numbers(w_a, w_b, start, num_layers):
    mixed = torch.cat([w_a[:, :start], w_b[:, start:]], dim=1)
    return mixed[:, None].repeat(1, num_layers, 1)


def codes(count, size, num_layers, start):
    return lambda g: (
        torch.randn(count, size, generator=g), torch.randn(count, size, generator=g), start, num_layers,
    )  # fmt: skip


CHECK = Check(
    mix_codes,
    inputs={"": codes(3, 4, 6, 2), "start is 0": codes(2, 5, 3, 0), "start is the number of layers": codes(4, 3, 2, 2),
            "there is one pair": codes(1, 6, 9, 5), "start is 1": codes(2, 4, 7, 1)},
    draws=2,
    mistakes=[
        Mistake(but(lambda layer, start, count: layer < start), "A and B have changed places: yours begins with B. "
            "The coarse layers, those before start, are A's."),
        Mistake(but(lambda layer, start, count: layer > start), "Layer start itself is still A's. It is the first one "
            "of B."),
        Mistake(but(lambda layer, start, count: layer >= start - 1), "B begins one layer too early. The layers 0 to "
            "start - 1 are A's."),
        Mistake(but(lambda layer, start, count: layer >= count - start), "Your start counts from the last layer. "
            "Layer 0 is the coarsest, and B begins at layer start."),
        Mistake(but(lambda layer, start, count: layer == start), "Only layer start is B's. All layers from there on "
            "are."),
        Mistake(but(lambda layer, start, count: layer != start), "All layers but start are B's. Those before it "
            "belong to A."),
        Mistake(but(lambda layer, start, count: layer < 0), "Every layer is A's. Where does B come in?"),
        Mistake(but(lambda layer, start, count: layer >= 0), "Every layer is B's. Where does A come in?"),
        Mistake(lambda w_a, w_b, start, count: mix_codes(w_a, w_b, start, count).transpose(0, 1), "Your layers come "
            "first and the images second. Wanted is (B, L, D)."),
        Mistake(lambda w_a, w_b, start, count: mix_codes(w_a, w_b, start, 7), "Yours has 7 layers whatever num_layers "
            "is."),
        Mistake(along_the_numbers, "You cut the codes at number start: within each code the first numbers are A's. "
            "It is the layers that are cut, and each layer gets a whole code."),
        Mistake(lambda w_a, w_b, start, count: along_the_numbers(w_a, w_b, start, 1)[:, 0], "You cut the codes at "
            "number start and return one code an image. Wanted is one whole code a layer, (B, L, D)."),
        Mistake(lambda w_a, w_b, start, count: (w_a + (count - start) / count * (w_b - w_a))[:, None].repeat(1, count,
            1), "You average the two codes, so all layers get the same one between them. Mixing takes whole codes: A's "
            "or B's."),
        Mistake(lambda w_a, w_b, start, count: mix_codes(w_a[:1].expand_as(w_a), w_b, start, count), "All images get "
            "the first code of w_a. Each has its own row."),
        Mistake(lambda w_a, w_b, start, count: mix_codes(w_a, w_b[:1].expand_as(w_b), start, count), "All images get "
            "the first code of w_b. Each has its own row."),
        Mistake(lambda w_a, w_b, start, count: mix_codes(w_a, w_b, start, count).flatten(1), "The codes of an image "
            "stand in one long row. Wanted is (B, L, D)."),
    ],
)  # fmt: skip
