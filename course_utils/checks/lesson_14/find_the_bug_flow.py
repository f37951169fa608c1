"""find-the-bug-flow: the line of a training step and a sampler that is wrong, and what it should be."""

import torch

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "t = torch.rand(len(x1))",
    2: "at = t[:, None]",
    3: "x_t = at * x0 + (1 - at) * x1",
    4: "return (velocity(x_t, t) - (x1 - x0)).square().mean()",
    5: "x = x0",
    6: "for k in range(steps):",
    7: "t = torch.full((len(x),), k / steps)",
    8: "x = x + velocity(x, t) / steps",
    9: "return x",
}
RIGHT = (3, "x_t = (1 - at) * x0 + at * x1")

AGAINST = {
    1: "Line 1 is right: each example has a time of its own, evenly from 0 to 1.",
    2: "Line 2 is right: (B, 1) fits examples of D numbers.",
    4: "Line 4 is right: x1 is the data, and the velocity points to it. Were it turned, the sampler would have to be "
       "turned too. Does x_t move in this direction as t grows?",
    5: "Line 5 is right: the walk starts at the noise.",
    6: "Line 6 is right: one round for each step.",
    7: "Line 7 is right: the time at which the step begins, from 0 on.",
    8: "Line 8 is right: with the exact velocity these samples land in the heaps.",
    9: "Line 9 is right: the last points are the samples.",
}  # fmt: skip


def velocity(x_t, t):
    return (2 * x_t + 5 * t.reshape(-1, 1) + 0.3).sin()


def loss_of(**changed):
    """The loss of the script's lines 2 to 4 with some of them changed, and that of a right one of the same draws."""
    g = torch.Generator().manual_seed(0)
    x0, x1, t = torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g), torch.rand(5, generator=g)
    lines = [changed.get(f"line_{k}", LINES[k]) for k in (2, 3, 4)]
    lines[2] = lines[2].replace("return ", "loss = ", 1)
    return names_after("\n".join(lines), velocity=velocity, x0=x0, x1=x1, t=t).get("loss"), (x0, x1, t)


def elsewhere(number):
    """A fault of line 2 or 4, which are right and can still be turned so that the whole is: with 1 - t for t."""

    def fault(line):
        try:
            loss, (x0, x1, t) = loss_of(**{f"line_{number}": line.split("#")[0].strip()})
        except Exception:
            return AGAINST[number]
        time = t if number == 2 else 1 - t
        x_t = (1 - time[:, None]) * x0 + time[:, None] * x1
        told = t if number == 2 else time
        right = (velocity(x_t, told) - (x1 - x0)).square().mean()
        mended = isinstance(loss, torch.Tensor) and loss.shape == () and torch.allclose(loss, right, atol=1e-5)
        return None if mended else AGAINST[number]

    return fault


def fault(line):
    """What is wrong with a mended line 3: the point that it makes."""
    g = torch.Generator().manual_seed(0)
    x0, x1, t = torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g), torch.rand(5, generator=g)
    names = names_after(line, x0=x0, x1=x1, t=t, at=t[:, None])
    x_t = names.get("x_t")
    if not isinstance(x_t, torch.Tensor):
        return "Line 3 it is. Your line gives no x_t: write it out, with the name and the equals sign."
    right = (1 - t[:, None]) * x0 + t[:, None] * x1
    if x_t.shape == right.shape and torch.allclose(x_t, right, atol=1e-5):
        return None
    if x_t.shape == right.shape and torch.allclose(x_t, t[:, None] * x0 + (1 - t[:, None]) * x1, atol=1e-5):
        return "Line 3 it is, and yours is still the script's: at t = 0 it gives the data."
    return "Line 3 it is, but your x_t is another point. It must go straight from x0, at t = 0, to x1, at t = 1."


CHECK = script(
    LINES,
    RIGHT,
    wrong={2: elsewhere(2), 3: fault, 4: elsewhere(4)},
    against=AGAINST,
    mistakes=[
        mended(3, LINES[3], "Line 3 it is, and yours is still the script's: at t = 0 it gives the data."),
        mended(3, "x_t = (1 - t) * x0 + t * x1", "Line 3 it is, but yours cannot be run: t is (B,), and the data are "
            "(B, D). Use at."),
        mended(3, "x_t = (1 - at).sqrt() * x0 + at.sqrt() * x1", "Line 3 it is, but your x_t is another point: these "
            "are the weights of lesson 12. Leave the roots out."),
        mended(3, "x_t = x0 + at * x1", "Line 3 it is, but your x_t keeps all of the noise. What is the weight of x0?"
            ""),
        mended(3, "(1 - at) * x0 + at * x1", "That is right. Write the whole line, with x_t and the equals sign."),
    ],
)  # fmt: skip
