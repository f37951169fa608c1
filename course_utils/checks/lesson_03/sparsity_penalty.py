"""sparsity-penalty: the L1 norm of codes."""

import torch
from torch.nn.functional import smooth_l1_loss

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import with_gradients


def sparsity_penalty(z):
    return z.abs().sum(dim=1).mean()


def after_relu(g):
    """Codes as the lesson has them: some units are exactly zero, one is so in every code."""
    z = torch.randn(6, 7, generator=g).relu()
    z[:, 2] = 0
    return (z,)


def observe(fn, z):
    """The penalty and its gradient. At 0 the absolute value has no slope: any from -1 to 1, over B, will do there."""
    out = with_gradients(fn, sparsity_penalty, ("z",), z)
    if isinstance(out, Parts):
        slope = out["gradient for z"]
        out["gradient for z"] = torch.where((z == 0) & (slope.abs() <= 1.01 / len(z)), 0.0, slope)
    return out


def per_code(norm):
    """A wrong answer that averages another number over the codes."""
    return lambda z: norm(z).mean()


NO_GRADIENT = (
    "The number is right, but it is cut off from z, so the penalty would change nothing: is there a detach, a no_grad, "
    "a .data or NumPy on the way?"
)

MATRIX_NORM = "Without a dim, torch.linalg.norm takes the norm of a matrix, its largest column sum. Name it."

CHECK = Check(
    sparsity_penalty,
    inputs={"": lambda g: (torch.randn(5, 8, generator=g),), "some units are exactly zero": after_relu,
            "there is one code": lambda g: (3 * torch.randn(1, 4, generator=g),),
            "there are more codes than units": lambda g: (torch.randn(11, 3, generator=g) - 0.5,)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(lambda z: z.abs().mean(), "You average over the units too, so the penalty weakens as the code grows "
            "longer. Over which dimension must you sum?"),
        Mistake(lambda z: z.abs().sum(),
            "You sum over the batch, so the penalty grows with the batch size. Which dimension is averaged?"),
        Mistake(lambda z: z.abs().sum(dim=0).mean(), "You sum over the batch and average over the units. It should be "
            "the other way round: which dimension of (B, D) are the units?"),
        Mistake(per_code(lambda z: z.sum(dim=1)), "Negative numbers lower your penalty, so the cheapest code is hugely "
            "negative. What is the size of a number, whatever its sign?"),
        Mistake(per_code(lambda z: z.sum(dim=1).abs()),
            "You sum the units before you take the absolute value, so units of both signs cancel. Which comes first?"),
        Mistake(lambda z: z.sum(dim=1).mean().abs(), "You take the absolute value of the mean, at the very end, so "
            "numbers of both signs have cancelled. Which numbers need it?"),
        Mistake(per_code(lambda z: z.relu().sum(dim=1)), "Negative numbers cost nothing in your penalty. The codes may "
            "have any sign: what is the size of a number?"),
        Mistake(per_code(lambda z: z.square().sum(dim=1)), "You penalise squares. The pull of a square fades near "
            "zero, so codes become small but not zero: which function keeps pulling equally hard all the way?"),
        Mistake(lambda z: torch.linalg.norm(z, ord=1) / len(z), MATRIX_NORM),
        Mistake(lambda z: torch.linalg.norm(z, ord=1), MATRIX_NORM),
        Mistake(lambda z: 256 * z.abs().mean(), "You multiply the mean by 256, and these codes have another number of "
            "units. What sums over the units of any code?"),
        Mistake(lambda z: z.norm(), "That is one length of the whole batch, the root of all squares. The L1 norm has "
            "absolute values and no root; sum them in each code, then average the codes."),
        Mistake(per_code(lambda z: z.norm(dim=1)), "That is the length of the code (the L2 norm). It shrinks a code as "
            "a whole and zeroes no single unit. Which norm adds up absolute values?"),
        Mistake(per_code(lambda z: z.abs().amax(dim=1)),
            "Only the largest unit of each code counts in your penalty. Which norm adds up all absolute values?"),
        Mistake(lambda z: smooth_l1_loss(z, torch.zeros_like(z), reduction="sum") / len(z),
            "Smooth L1 is a square near zero, where its pull fades. Which function keeps pulling equally hard?"),
        Mistake(per_code(lambda z: (z != 0).float().sum(dim=1)),
            "You count the active units. That is the aim, but its gradient is zero, so nothing can be learned from it. "
            "Which function has a slope everywhere except at zero?"),
        Mistake(lambda z: z.abs().sum(dim=1),
            "You return one number for each code. One step needs one number: the mean over the batch."),
        Mistake(lambda z: z.abs().mean(dim=0).sum().neg(),
            "Your penalty has the wrong sign: it would reward large codes."),
        Mistake(lambda z: sparsity_penalty(z).item(), "You return a plain Python number. The penalty must stay a "
            "tensor, or nothing can be learned from it: where is the .item() or float()?"),
        Mistake(lambda z: sparsity_penalty(z).detach(), NO_GRADIENT, part="gradient for z"),
        Mistake(lambda z: z.square().sqrt().sum(dim=1).mean(), "The number is right, but the slope of the root at 0 is "
            "infinite, and 0 times infinity gives a gradient that is not a number (nan) wherever a unit is zero. Which "
            "function gives the size of a number without a root?", part="gradient for z"),
    ],
)  # fmt: skip
