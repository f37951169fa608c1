"""midpoint: halfway between two batches of codes."""

import torch

from course_utils.checks._check import Check, Mistake


def midpoint(z_a, z_b):
    return (z_a + z_b) / 2


def points(count, dim):
    return lambda g: (torch.randn(count, dim, generator=g), torch.randn(count, dim, generator=g))


CHECK = Check(
    midpoint,
    inputs={"": points(3, 2), "there is one pair": points(1, 5)},
    mistakes=[
        Mistake(lambda a, b: a + b,
            "You return the sum. It lies twice as far from the origin as the midpoint: what is missing?"),
        Mistake(lambda a, b: (b - a) / 2,
            "You return half of the step from z_a to z_b. From which point does that step start?"),
        Mistake(lambda a, b: (a - b) / 2,
            "You return half of the difference, z_a - z_b. For the point between them the two are added."),
        Mistake(lambda a, b: a + b / 2,
            "Only z_b is halved: division binds more tightly than addition. Where do the brackets belong?"),
        Mistake(lambda a, b: a / 2 + b, "Only z_a is halved. Both ends should count equally."),
        Mistake(lambda a, b: a + (b - a).abs() / 2,
            "You always step upwards from z_a. z_b can also lie below it: which step can go?"),
        Mistake(lambda a, b: (a + b) // 2, "// rounds down to a whole number. Which division keeps the decimals?"),
        Mistake(lambda a, b: torch.stack([a, b]).median(dim=0).values,
            "torch's median of two numbers is the smaller one. What lies halfway between them?"),
        Mistake(lambda a, b: a.lerp(b, 2.0), "You go twice the way from z_a to z_b. Which weight leads to the middle?"),
        Mistake(lambda a, b: torch.cat([a, b]),
            "You return both batches, one below the other. What makes one point of each pair?"),
        Mistake(lambda a, b: torch.cat([a, b]).mean(dim=0), "You average over the whole batch and get one point. Each "
            "row of z_a has its own partner in z_b, so the result has as many rows as they have."),
        Mistake(lambda a, b: midpoint(a, b).mean(dim=0).expand_as(a),
            "You average over the batch too, so all rows are equal. Each row of z_a has its own partner in z_b."),
    ],
)  # fmt: skip
