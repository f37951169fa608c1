"""lerp: the straight line between two codes, for one weight or many."""

import math
from itertools import accumulate

import torch

from course_utils.checks._check import Check, Mistake


def in_front(weight, z):
    """The weight with a dimension of length 1 for each of a code's."""
    weight = torch.as_tensor(weight)
    return weight.reshape([*weight.shape, *[1] * z.ndim])


def mix(first, second):
    """An answer first(w) z_a + second(w) z_b."""

    def answer(z_a, z_b, weight):
        w = in_front(weight, z_a)
        return first(w) * z_a + second(w) * z_b

    return answer


def lerp(z_a, z_b, weight):
    return mix(lambda w: 1 - w, lambda w: w)(z_a, z_b, weight)


def for_many(change):
    """A wrong answer where there are several weights: change(the right codes, weight)."""

    def answer(z_a, z_b, weight):
        right = lerp(z_a, z_b, weight)
        return change(right, z_a, z_b, weight) if isinstance(weight, torch.Tensor) else right

    return answer


def codes(*shape, weights=None, end=None):
    """Two codes, and one number, several weights, or an end of the path."""

    def inputs(g):
        z_a, z_b = torch.randn(2, *shape, generator=g)
        several = torch.rand(weights or 1, generator=g)
        return z_a, z_b, end if end is not None else several.item() if weights is None else several

    return inputs


CHECK = Check(
    lerp,
    inputs={"": codes(5), "the weight is a vector": codes(5, 5, weights=5),  # a wrong axis is silent
            "there are many weights for one vector": codes(4, weights=6), "the vector of weights holds one":
            codes(2, 3, weights=1), "there are three weights, and codes of three dimensions": codes(2, 3, 4, weights=3),
            "the weight is 0": codes(2, 3, end=0.0), "the weight is 1": codes(4, end=1.0),
            "the codes are single numbers": codes()},
    mistakes=[
        Mistake(for_many(lambda right, z_a, z_b, weight: torch.stack([*accumulate(
                    weight, lambda z, w: z + w * (z_b - z), initial=z_a)][1:])), "Each point "
            "starts from the one before it, so the shares multiply. Start from z_a for every weight."),
        Mistake(mix(lambda w: w, lambda w: 1 - w), "Your path runs backwards: weight 0 gives z_b. As in torch.lerp, "
            "the weight is the share of the SECOND code."),
        Mistake(mix(lambda w: 1, lambda w: w), "At weight 1 you return z_a + z_b, not z_b: what must become smaller as "
            "w grows?"),
        Mistake(mix(lambda w: 1 - w, lambda w: 1), "At weight 0 you return z_a + z_b, not z_a: by what is z_b "
            "multiplied?"),
        Mistake(lambda z_a, z_b, weight: (1 - weight) * z_a + weight * z_b, "Each weight met one column of the code "
            "instead of the whole code. What does weight.reshape(-1, 1, 1) do?"),
        Mistake(for_many(lambda right, z_a, z_b, weight: torch.lerp(z_a, z_b, weight.view(-1, 1, 1, 1))),
            "You give the weights the shape (K, 1, 1, 1), which suits images only. How many dimensions does a code "
            "have?"),
        Mistake(for_many(lambda right, z_a, z_b, weight: (1 - weight[:, None]) * z_a + weight[:, None] * z_b),
            "Your weights have one dimension of length 1 behind them. They need as many as a code has."),
        Mistake(lambda z_a, z_b, weight: (1 - in_front(weight, z_a)) * z_a * in_front(weight, z_a) * z_b,
            "You multiply the two terms. A path is a sum: (1 - w) times one code PLUS w times the other."),
        Mistake(mix(lambda w: (1 - w).sqrt(), lambda w: w.sqrt()), "Your weights are square roots, which add up to 1 "
            "only at the ends. Where are you halfway between two equal codes?"),
        Mistake(mix(lambda w: (1 - w) ** 2, lambda w: w**2), "Your weights are squared, so they do not add up to 1 and "
            "the path sags towards the origin."),
        Mistake(mix(lambda w: (1 + (math.pi * w).cos()) / 2, lambda w: (1 - (math.pi * w).cos()) / 2),
            "You start and end slowly (a cosine of the weight). lerp walks at constant speed."),
        Mistake(mix(lambda w: (math.pi / 2 * w).cos(), lambda w: (math.pi / 2 * w).sin()), "Your weights are a cosine "
            "and a sine, which walks along an arc. The straight line has 1 - w and w."),
        Mistake(mix(lambda w: 1 + w, lambda w: -w), "You walk away from z_b: z_a - w (z_b - z_a). Which sign leads "
            "towards it?"),
        Mistake(mix(lambda w: 1 - w, lambda w: -w), "You subtract the second term. At weight 1 you return -z_b: which "
            "sign does it have?"),
        Mistake(mix(lambda w: -w, lambda w: 1 + w), "You start at z_b and walk on beyond it. From which end does w "
            "(z_b - z_a) have to start?"),
        Mistake(mix(lambda w: 0.5, lambda w: 0.5), "You return the midpoint whatever the weight is. Where does w come "
            "in?"),
        Mistake(lambda z_a, z_b, weight: lerp(z_a, z_b, weight) / (lerp(z_a, z_b, weight).norm(dim=-1, keepdim=True) if
            z_a.ndim else 1), "You scale the result to norm 1. What is to come out at weight 0?"),
        Mistake(for_many(lambda right, z_a, z_b, weight: right.flatten(0, 1)), "You join the codes of all weights "
            "along an existing dimension (cat). They need a new one in front: stack."),
        Mistake(for_many(lambda right, z_a, z_b, weight: right.movedim(0, -1)), "The dimension of the weights is your "
            "last one. It should be the first: (K, *shape of z_a)."),
        Mistake(for_many(lambda right, z_a, z_b, weight: right[0]), "You use the first weight only. K weights give K "
            "codes."),
        Mistake(for_many(lambda right, z_a, z_b, weight: right.sum(dim=0)), "You add up the codes of all weights. K "
            "weights give K codes."),
        Mistake(for_many(lambda right, z_a, z_b, weight: lerp(z_a, z_b, torch.linspace(0, 1, len(weight)))),
            "You walk in equal steps from 0 to 1, whatever the weights are. Use those that are given."),
        Mistake(for_many(lambda right, z_a, z_b, weight: list(right)), "You return a list of codes. torch.stack makes "
            "one tensor (K, ...) of it."),
        Mistake(for_many(lambda right, z_a, z_b, weight: right.squeeze(0)), "A vector of one weight gives one code too "
            "few dimensions: (1, *shape of z_a). Is there a squeeze?"),
        Mistake(lambda z_a, z_b, weight: lerp(z_a, z_b, torch.as_tensor(weight).reshape(-1)), "For one number as "
            "weight your result has a dimension too many in front: it should have the shape of z_a."),
    ],
)  # fmt: skip
