"""annealing-schedule: the weight of the KL term rises in a straight line, then stays."""

import math

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts

WHEN = ("at step 0", "at step 1", "at step 2", "halfway up the ramp", "one step before the ramp's end",
        "at step ramp_steps", "one step after ramp_steps", "long after the ramp")  # fmt: skip


def kl_weight(step, ramp_steps, beta=1.0):
    return beta * min(step / ramp_steps, 1.0)


def schedule(ramp=None, beta=True):
    """Steps before, on and behind the ends of a ramp, its length, and beta, below 1 or above, or left out."""

    def inputs(g):
        n = ramp or int(torch.randint(7, 14, (1,), generator=g))
        final = [0.1 + 2 * torch.rand(1, generator=g).item()] if beta else []
        return (0, 1, 2, n // 2, n - 1, n, n + 1, 3 * n), n, *final

    return inputs


def weights(fn, steps, *settings):
    """The weight at each step; what is not a number is handed back as it is."""
    found = [fn(step, *settings) for step in steps]
    for one in found:
        if not isinstance(one, (int, float, np.generic)) and not (isinstance(one, Tensor) and one.numel() == 1):
            return one
    return Parts(zip(WHEN, map(float, found), strict=True))


def shaped(curve):
    """A wrong answer that is beta times another curve over the share of the ramp, 0 to 1."""
    return lambda step, ramp, beta=1.0: beta * curve(min(step / ramp, 1.0))


def share(ramp):
    """A wrong answer that is beta times another share, at most 1, from step and ramp_steps."""
    return lambda step, n, beta=1.0: beta * min(ramp(step, n), 1.0)


CHECK = Check(
    kl_weight,
    inputs={"": schedule(), "the ramp has a single step": schedule(1),
            "beta is left out, and so 1": schedule(beta=False)},
    observe=weights,
    mistakes=[
        Mistake(lambda s, n, b=1: b * s / n, "Your weight goes on rising after the ramp: at step 3 * ramp_steps it is "
            "three times beta. What stops it at beta?"),
        Mistake(lambda s, n, b=1: s / n, "Your weight is the share step / ramp_steps: it knows no beta and no end. "
            "What keeps the share at 1, and where does beta belong?"),
        Mistake(share(lambda s, n: (s + 1) / n), "Your ramp is one step ahead: it does not begin at 0. Steps are "
            "counted from 0: what is the weight at step 0?"),
        Mistake(share(lambda s, n: s / (n - 1)), "Your ramp reaches beta one step too early, at step ramp_steps - 1. "
            "By which number must the step be divided?"),
        Mistake(share(lambda s, n: s / (n + 1)), "Your ramp reaches beta one step too late, at step ramp_steps + 1. By "
            "which number must the step be divided?"),
        Mistake(share(lambda s, n: max(s - 1, 0) / n),
            "Your ramp is one step behind. Which step is the first to have the full weight: ramp_steps, or one later?"),
        Mistake(share(lambda s, n: s // n), "Your weight is 0 until the end of the ramp and then jumps to beta. Is a "
            "fraction lost, by // or an int, or does an if know only two cases?"),
        Mistake(lambda s, n, b=1: min(b * s // n, b),
            "Your weight goes up in jumps: // keeps whole numbers only. Which division keeps the fraction?"),
        Mistake(lambda s, n, b=1: int(min(b * s / n, b)), "Your weight goes up in jumps: int() cuts the fraction off."),
        Mistake(shaped(round), "Your weight jumps from 0 to beta halfway up the ramp: the share is rounded."),
        Mistake(shaped(lambda part: round(part, 1)),
            "Your weight goes up in stairs: the share is rounded to one decimal."),
        Mistake(shaped(lambda part: 1 - part), "Your weight starts at beta and falls to 0. The KL term should be "
            "silent at first and have its full weight in the end: which way must the ramp go?"),
        Mistake(lambda s, n, b=1: min(s / n, 1.0), "Your ramp ends at 1, not at beta. Where does beta belong?"),
        Mistake(lambda s, n, b=1: min(b * s / n, 1.0), "You stop the weight at 1, after beta has come in, so it does "
            "not end at beta. Which is to be at most 1: the weight, or the share of the ramp?"),
        Mistake(lambda s, n, b=1: min(s / n, b), "You use beta as a lid on a ramp of slope 1 / ramp_steps, so it ends "
            "too early or never gets there. Multiply the share of the ramp, at most 1, by beta."),
        Mistake(lambda s, n, b=1: b * min(s / n, b),
            "You stop the share of the ramp at beta, and multiply by beta once more. A share is at most 1."),
        Mistake(lambda s, n, b=1: b * max(s / n, 1.0), "Your weight is beta during the ramp and grows after it: you "
            "take the larger of the share and 1. Which of the two should win?"),
        Mistake(lambda s, n, b=1: b * (s % n) / n, "Your ramp starts afresh from 0 every ramp_steps steps. That is a "
            "cyclical schedule; here the weight should stay at beta after the ramp."),
        Mistake(lambda s, n, b=1: b * s / n if s <= n else 0.0,
            "Your weight drops to 0 when the ramp is over, and the KL term with it. What should it be from then on?"),
        Mistake(lambda s, n, b=1: b * s / n if s <= n else 1.0,
            "The ramp is right, but after it your weight is 1. What should it be from step ramp_steps on?"),
        Mistake(lambda s, n, b=1: b * s / n if s < n else 1.0,
            "The ramp is right, but from step ramp_steps on your weight is 1. Where should the ramp end?"),
        Mistake(lambda s, n, b=1: s / n if s < n else b,
            "The end is right, but the ramp leads to 1, and then the weight jumps to beta. What does the ramp lack?"),
        Mistake(lambda s, n, b=1: s / n if s <= n else b, "The ramp leads to 1, and only after step ramp_steps does "
            "the weight jump to beta. What is missing in the ramp?"),
        Mistake(lambda s, n, b=1: b * min(s, n), "Your weight is beta times a number of steps. Which SHARE of the ramp "
            "is done: by what must the step be divided?"),
        Mistake(share(lambda s, n: n / max(s, 1)), "Your share is upside down, ramp_steps / step: it begins at 1 and "
            "falls after the ramp. Which of the two is divided by the other?"),
        Mistake(lambda s, n, b=1: b,
            "Your weight is beta from the first step on, so there is no annealing. How does the step come in?"),
        Mistake(shaped(lambda part: (1 - math.cos(math.pi * part)) / 2), "That is half a cosine, slow at both ends. It "
            "is a good schedule too, and comes below; here a straight line is asked for."),
        Mistake(shaped(lambda part: part**2), "You square the share. A straight line is asked for."),
        Mistake(shaped(math.sqrt), "You take the root of the share. A straight line is asked for."),
        Mistake(lambda s, n, b=1: b * (1 - math.exp(-s / n)), "Your weight comes nearer to beta and never gets there. "
            "A straight line is asked for, and beta from step ramp_steps on."),
    ],
)  # fmt: skip
