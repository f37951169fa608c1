"""angle-between: the angle between two codes, whatever their lengths, and whatever rounding does to its cosine."""

import math

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake
from course_utils.checks._difference import difference


def cosine(z_a, z_b):
    return (z_a / z_a.norm()) @ (z_b / z_b.norm())


def angle_between(z_a, z_b):
    return torch.acos(cosine(z_a, z_b).clamp(-1, 1))


def of_cosine(function):
    """A wrong answer that makes something else of the right cosine."""
    return lambda z_a, z_b: function(cosine(z_a, z_b).clamp(-1, 1))


def of_ends(function):
    """A wrong answer whose cosine is another function of the two codes."""
    return lambda z_a, z_b: torch.acos(function(z_a, z_b).clamp(-1, 1))


def ends(dimensions, stretch=1.0, obtuse=False):
    def inputs(g):
        z_a, z_b = torch.randn(2, dimensions, generator=g)
        z_b = z_b if (z_a @ z_b < 0) == obtuse else -z_b
        return z_a, stretch * z_b

    return inputs


def short(dimensions):
    """Codes so short that their product is no more than a half."""

    def inputs(g):
        z_a, z_b = 0.3 * torch.nn.functional.normalize(torch.randn(2, dimensions, generator=g), dim=1)
        return z_a, z_b

    return inputs


def rounded_up(g):
    """Parallel codes whose cosine is above 1, however it is computed."""
    while True:
        z_a = torch.randn(7, generator=g)
        z_b = (0.5 + 2 * torch.rand(1, generator=g)) * z_a
        u_a, u_b = z_a / z_a.norm(), z_b / z_b.norm()
        ways = u_a @ u_b, (u_a * u_b).sum(), z_a @ z_b / (z_a.norm() * z_b.norm()), z_a @ z_b / z_a.norm() / z_b.norm()
        if all(one > 1 for one in ways):
            return z_a, z_b


def compare(out, expected, *inputs):
    """Near 0 and near pi an arc cosine has few digits left: 0.002 more or less is right."""
    fault = difference(out, expected)
    close = isinstance(out, Tensor) and out.shape == expected.shape and (out - expected).abs() < 2e-3
    return None if fault is None or close else fault


CHECK = Check(
    angle_between,
    inputs={"": ends(5), "the angle is more than 90 degrees": ends(4, obtuse=True),
            "the codes have different lengths": ends(3, stretch=3.0), "the codes are short": short(6),
            "rounding makes the cosine greater than 1": rounded_up},
    compare=compare,
    mistakes=[
        Mistake(of_ends(lambda a, b: a @ b), "Your angle is the arc cosine of z_a . z_b, which is a cosine only for "
            "vectors of length 1. What should you divide by?"),
        Mistake(lambda a, b: torch.acos(a @ b), "Your angle is the arc cosine of z_a . z_b, which can be far beyond 1. "
            "It is a cosine only for vectors of length 1: what should you divide by?"),
        Mistake(lambda a, b: torch.acos(cosine(a, b)), "Rounding can make the cosine greater than 1, and its arc "
            "cosine is then not a number. What keeps the cosine within [-1, 1]?"),
        Mistake(of_cosine(lambda c: torch.rad2deg(torch.acos(c))), "Your angle is in degrees. torch.sin takes radians, "
            "and so does the formula."),
        Mistake(of_cosine(torch.clone), "That is the cosine of the angle. Which function undoes a cosine?"),
        Mistake(of_cosine(torch.asin), "You take the arc sine of a cosine. Which function undoes a cosine?"),
        Mistake(of_cosine(torch.cos), "You take the cosine of a cosine. Which function undoes one?"),
        Mistake(of_cosine(torch.atan), "You take the arc tangent of a cosine. Which function undoes a cosine?"),
        Mistake(of_cosine(lambda c: torch.acos(c.abs())), "Your angle is never more than 90 degrees: the cosine's "
            "sign is lost. Is there an abs()?"),
        Mistake(of_cosine(lambda c: torch.acos(c.clamp(0, 1))), "You clamp the cosine to [0, 1], so that no angle is "
            "more than 90 degrees. Cosines go down to -1."),
        Mistake(of_ends(lambda a, b: a @ b / a.norm()), "You divide by the length of z_a only. Both codes need length "
            "1."),
        Mistake(of_ends(lambda a, b: a @ b / b.norm()), "You divide by the length of z_b only. Both codes need length "
            "1."),
        Mistake(of_ends(lambda a, b: a @ b / (a.norm() + b.norm())), "You divide by the sum of the two lengths. It is "
            "their product."),
        Mistake(of_ends(lambda a, b: a @ b / (a.norm() * b.norm()) ** 2), "You divide by the squared lengths. The "
            "lengths themselves are enough."),
        Mistake(of_ends(lambda a, b: a @ b / (a.norm() * b.norm()).sqrt()), "You divide by the square root of the two "
            "lengths' product. The product itself is right: norm() has taken the root already."),
        Mistake(of_ends(lambda a, b: (a * b).mean() / (a.norm() * b.norm())), "You take the mean of the products of "
            "the numbers. A dot product adds them up."),
        Mistake(lambda a, b: math.pi - angle_between(a, b), "Your angle is pi minus the right one: which sign has the "
            "cosine?"),
        Mistake(lambda a, b: angle_between(a, b).item(), "You return a plain Python number. torch.sin wants a tensor "
            "later: leave it one."),
        Mistake(lambda a, b: angle_between(a, b)[None], "You return a tensor of shape (1,). A scalar tensor is asked "
            "for: is there a keepdim?"),
        Mistake(lambda a, b: angle_between(a, b) / 2, "Your angle is half of the right one."),
    ],
)  # fmt: skip
