"""midpoint: halfway between two batches of codes."""

import torch

from course_utils.checks._check import Check, Mistake


def midpoint(z_a, z_b):
    return (z_a + z_b) / 2


CHECK = Check(
    midpoint,
    inputs=lambda g: (torch.randn(3, 2, generator=g), torch.randn(3, 2, generator=g)),
    mistakes=[
        Mistake(lambda z_a, z_b: z_a + z_b,
            "You return the sum. It lies twice as far from the origin as the midpoint: what is missing?"),
        Mistake(lambda z_a, z_b: (z_b - z_a) / 2,
            "You return half of the step from z_a to z_b. From which point does that step start?"),
        Mistake(lambda z_a, z_b: (z_a - z_b) / 2,
            "You return half of the difference, z_a - z_b. For the point between them the two are added."),
        Mistake(lambda z_a, z_b: z_a + z_b / 2,
            "Only z_b is halved: division binds more tightly than addition. Where do the brackets belong?"),
        Mistake(lambda z_a, z_b: z_a / 2 + z_b, "Only z_a is halved. Both ends should count equally."),
        Mistake(lambda z_a, z_b: torch.cat([z_a, z_b]).mean(dim=0), "You average over the whole batch and get one "
            "point. Each row of z_a has its own partner in z_b, so the result has as many rows as they have."),
    ],
)
