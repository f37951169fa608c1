"""arc-weights: what the two directions of slerp are multiplied by, also where the angle is nearly 0."""

import math

import torch

from course_utils.checks._check import Check, Mistake


def arc_weights(theta, weight):
    if theta < 1e-3:
        return 1 - weight, weight
    return torch.sin((1 - weight) * theta) / torch.sin(theta), torch.sin(weight * theta) / torch.sin(theta)


def observe(fn, theta, weight):
    """The two weights as tensors: near an angle of 0 they may be plain numbers."""
    out = fn(theta, weight)
    if isinstance(out, (tuple, list)) and len(out) == 2:
        return tuple(torch.as_tensor(one, dtype=torch.float32) for one in out)
    return out


def arc(function):
    """A wrong answer at ordinary angles: function(theta, w) is what it gives."""
    return lambda theta, weight: (arc_weights if theta < 1e-3 else function)(theta, weight)


def straight(function):
    """A wrong answer at small angles."""
    return lambda theta, weight: (function if theta < 1e-3 else arc_weights)(theta, weight)


def divided(function):
    """The two sines changed, both divided by the sine of theta."""
    return arc(lambda theta, w: tuple(one / torch.sin(theta) for one in function(theta, w)))


def angles(low, high):
    return lambda g: (low + (high - low) * torch.rand((), generator=g), 0.1 + 0.3 * torch.rand(1, generator=g).item())


def nan(theta, weight):
    return torch.tensor(torch.nan), torch.tensor(torch.nan)


CHECK = Check(
    arc_weights,
    inputs={
        "": angles(0.9, 1.3),
        "theta is more than 90 degrees": angles(1.8, 2.4),
        "theta is small, 9 to 14 degrees": angles(0.15, 0.25),
        "theta is very small, 4 to 5 degrees": angles(0.07, 0.09),
        "theta is 0": lambda g: (torch.zeros(()), 0.3),
        "theta is 1e-5": lambda g: (torch.tensor(1e-5), 0.2),
        "weight is 0": lambda g: (torch.tensor(1.2), 0.0),
        "weight is 1": lambda g: (torch.tensor(1.4), 1.0),
    },
    observe=observe,
    mistakes=[
        Mistake(lambda theta, w: arc_weights(theta, w)[::-1], "Your two weights are swapped: at weight 0 the path has "
            "to start at u_a, so its weight is 1 there."),
        Mistake(lambda theta, w: (1 - w, w), "These are the weights of the straight line at every angle. Where does "
            "theta come in?"),
        Mistake(arc(lambda theta, w: (torch.sin((1 - w) * theta), torch.sin(w * theta))), "The two sines are right, "
            "but undivided. At weight 1 the second weight has to be 1."),
        Mistake(arc(lambda theta, w: (torch.sin((1 - w) * theta) / theta, torch.sin(w * theta) / theta)), "You divide "
            "by theta itself. At weight 1 the second weight has to be 1: by what do you divide sin(theta)?"),
        Mistake(divided(lambda theta, w: (torch.cos((1 - w) * theta), torch.cos(w * theta))), "You use cosines where "
            "the formula has sines. What is the second weight at w = 0?"),
        Mistake(divided(lambda theta, w: (torch.sin(torch.as_tensor(1 - w)) * theta, torch.sin(torch.as_tensor(w)) *
            theta)), "You take the sine of the weight and then multiply by theta. The product stands inside the sine."),
        Mistake(divided(lambda theta, w: (torch.sin(1 - w * theta), torch.sin(w * theta))), "A pair of parentheses is "
            "missing: (1 - w) * theta, not 1 - w * theta."),
        Mistake(divided(lambda theta, w: (1 - torch.sin(w * theta), torch.sin(w * theta))), "Your first weight is one "
            "minus the second's sine. It has a sine of its own, of (1 - w) theta."),
        Mistake(arc(lambda theta, w: (1 - torch.sin(w * theta) / torch.sin(theta), torch.sin(w * theta) /
            torch.sin(theta))), "Your weights add up to 1, so the point stays on the straight line. On the arc they "
            "add up to more: use the sine of (1 - w) theta."),
        Mistake(divided(lambda theta, w: (torch.sin((1 - w) * torch.rad2deg(theta)), torch.sin(w * torch.rad2deg(
            theta)))), "theta is in radians already, and so torch.sin wants it. Nothing is to be converted."),
        Mistake(arc(lambda theta, w: (torch.cos(w * theta), torch.sin(w * theta))), "cos(w theta) and sin(w theta) "
            "are right for two perpendicular directions. u_b is at the angle theta."),
        Mistake(lambda theta, w: (torch.sin((1 - w) * theta) / torch.sin(theta), torch.sin(w * theta) /
            torch.sin(theta)) if theta else nan(theta, w), "For theta = 0 your weights are not numbers: 0 / 0. Test "
            "for a small angle before you divide."),
        Mistake(straight(lambda theta, w: (w, 1 - w)), "For small angles your two weights are swapped. weight belongs "
            "to u_b, as in lerp."),
        Mistake(straight(lambda theta, w: (1.0, 0.0)), "For small angles you return 1 and 0 whatever the weight is. "
            "LERP's weights are 1 - weight and weight."),
        Mistake(straight(lambda theta, w: (0.5, 0.5)), "For small angles you return the middle whatever the weight is. "
            "LERP's weights are 1 - weight and weight."),
        Mistake(lambda theta, w: (1 - w, w) if theta < 0.3 else arc_weights(theta, w), "You take LERP's weights for "
            "angles at which the arc still differs from the line. Do so only below 1e-3."),
        Mistake(lambda theta, w: torch.stack([torch.as_tensor(one, dtype=torch.float32) for one in arc_weights(theta,
            w)]), "You return one tensor of two numbers. Return two things: the weight of u_a, the weight of u_b."),
        Mistake(lambda theta, w: arc_weights(theta, w)[1], "You return one weight. Return two: that of u_a and that "
            "of u_b."),
        Mistake(arc(lambda theta, w: tuple(one / sum(arc_weights(theta, w)) for one in arc_weights(theta, w))),
            "You divide so that the weights add up to 1. Then the point lies on the straight line again. The formula "
            "divides by sin(theta)."),
        Mistake(lambda theta, w: arc_weights(theta.clamp(max=math.pi / 2), w), "Your angle stops at 90 degrees. An arc "
            "can be longer."),
    ],
)  # fmt: skip
