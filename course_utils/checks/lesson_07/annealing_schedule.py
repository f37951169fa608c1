"""annealing-schedule: the weight of the KL term rises in a straight line, then stays."""

import math

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts

WHEN = (
    "at step 0", "at step 1", "at step 2", "halfway up the ramp", "one step before the ramp's end",
    "at step ramp_steps", "one step after ramp_steps", "long after the ramp",
)  # fmt: skip


def kl_weight(step, ramp_steps, beta=1.0):
    return beta * min(step / ramp_steps, 1.0)


def schedule(beta=None, ramp=None):
    """Steps before, on and behind the ends of a ramp, its length, and beta from an interval or left out."""

    def inputs(g):
        length = ramp or int(torch.randint(7, 13, (1,), generator=g))
        steps = (0, 1, 2, length // 2, length - 1, length, length + 1, 3 * length)
        final = [beta[0] + (beta[1] - beta[0]) * torch.rand(1, generator=g).item()] if beta else []
        return steps, length, *final

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


CHECK = Check(
    kl_weight,
    inputs={"": schedule((1.5, 2.5)), "beta is below 1": schedule((0.2, 0.6)),
            "the ramp has a single step": schedule((1.5, 2.5), ramp=1), "beta is left out, and so 1": schedule()},
    observe=weights,
    mistakes=[
        Mistake(lambda step, ramp, beta=1.0: beta * step / ramp,
                "Your weight goes on rising after the ramp: at step 3 * ramp_steps it is three times beta. What stops "
                "it at beta?"),
        Mistake(lambda step, ramp, beta=1.0: step / ramp,
                "Your weight is the share step / ramp_steps: it knows no beta and no end. What keeps the share at 1, "
                "and where does beta belong?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min((step + 1) / ramp, 1.0),
                "Your ramp is one step ahead: it does not begin at 0. Steps are counted from 0: what is the weight at "
                "step 0?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min((step + 1) / (ramp + 1), 1.0),
                "Your ramp begins at 1 / (ramp_steps + 1), not at 0. Steps are counted from 0, so the share that is "
                "done needs no + 1."),
        Mistake(lambda step, ramp, beta=1.0: beta * min(step / (ramp - 1), 1.0),
                "Your ramp reaches beta one step too early, at step ramp_steps - 1. By which number must the step be "
                "divided so that step ramp_steps is the first with the full weight?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min(step / (ramp + 1), 1.0),
                "Your ramp reaches beta one step too late, at step ramp_steps + 1. By which number must the step be "
                "divided?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min(max(step - 1, 0) / ramp, 1.0),
                "Your ramp is one step behind. Which step is the first to have the full weight: ramp_steps, or one "
                "later?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min(step // ramp, 1),
                "Your weight is 0 until the end of the ramp and then jumps to beta. Is a fraction lost, by // or an "
                "int, or does an if know only two cases?"),
        Mistake(lambda step, ramp, beta=1.0: min(beta * step // ramp, beta),
                "Your weight goes up in jumps: // keeps whole numbers only. Which division keeps the fraction?"),
        Mistake(lambda step, ramp, beta=1.0: int(min(beta * step / ramp, beta)),
                "Your weight goes up in jumps: int() cuts the fraction off. The weight is not a whole number."),
        Mistake(shaped(round),
                "Your weight jumps from 0 to beta halfway up the ramp: the share of the ramp is rounded."),
        Mistake(lambda step, ramp, beta=1.0: beta * (1 - min(step / ramp, 1.0)),
                "Your weight starts at beta and falls to 0. The KL term should be silent at first and have its full "
                "weight in the end: which way must the ramp go?"),
        Mistake(lambda step, ramp, beta=1.0: min(step / ramp, 1.0),
                "Your ramp always ends at 1. It should end at beta: where does beta belong?"),
        Mistake(lambda step, ramp, beta=1.0: min(beta * step / ramp, 1.0),
                "You stop the weight at 1, after beta has come in, so it does not end at beta. Which of the two is to "
                "be at most 1: the weight, or the share of the ramp that is done?"),
        Mistake(lambda step, ramp, beta=1.0: min(step / ramp, beta),
                "You use beta as a lid on a ramp of slope 1 / ramp_steps, so it ends too early or never gets there. "
                "Make the share of the ramp that is done, at most 1, and multiply it by beta."),
        Mistake(lambda step, ramp, beta=1.0: beta * min(step / ramp, beta),
                "You stop the share of the ramp at beta, and multiply by beta once more. A share is at most 1."),
        Mistake(lambda step, ramp, beta=1.0: min(step / (ramp * beta), 1.0),
                "You divide by beta, which makes the ramp longer and leaves its end at 1. Beta is the height of the "
                "ramp: multiply by it."),
        Mistake(lambda step, ramp, beta=1.0: beta * max(step / ramp, 1.0),
                "Your weight is beta during the ramp and grows after it: you take the larger of the share and 1. Which "
                "of the two should win?"),
        Mistake(lambda step, ramp, beta=1.0: max(step / ramp, beta),
                "You take the larger of step / ramp_steps and beta. Make the share of the ramp, at most 1 (min, not "
                "max), and multiply it by beta."),
        Mistake(lambda step, ramp, beta=1.0: beta * (step % ramp) / ramp,
                "Your ramp starts afresh from 0 every ramp_steps steps. That is a cyclical schedule; here the weight "
                "should stay at beta after the ramp."),
        Mistake(lambda step, ramp, beta=1.0: beta * step / ramp if step <= ramp else 0.0,
                "Your weight drops to 0 when the ramp is over, and the KL term with it. What should it be from then "
                "on?"),
        Mistake(lambda step, ramp, beta=1.0: beta * step / ramp if step <= ramp else 1.0,
                "The ramp is right, but after it your weight is 1. What should it be from step ramp_steps on?"),
        Mistake(lambda step, ramp, beta=1.0: step / ramp if step < ramp else beta,
                "The end is right, but the ramp leads to 1 and then the weight jumps to beta. What is missing in the "
                "ramp?"),
        Mistake(lambda step, ramp, beta=1.0: step / ramp if step <= ramp else beta,
                "The ramp leads to 1, and only after step ramp_steps does the weight jump to beta. What is missing in "
                "the ramp?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min(step, ramp),
                "Your weight is beta times a number of steps. Which SHARE of the ramp is done: by what must the step "
                "be divided?"),
        Mistake(lambda step, ramp, beta=1.0: beta * min(ramp / max(step, 1), 1.0),
                "Your share is upside down, ramp_steps / step: it begins at 1 and falls after the ramp. Which of the "
                "two is divided by the other?"),
        Mistake(lambda step, ramp, beta=1.0: beta,
                "Your weight is beta from the first step on, so there is no annealing. How does the step come in?"),
        Mistake(shaped(lambda share: (1 - math.cos(math.pi * share)) / 2),
                "That is half a cosine, slow at both ends. It is a good schedule too, and comes below; here a straight "
                "line is asked for."),
        Mistake(shaped(lambda share: share**2),
                "You square the share of the ramp, so the weight rises slowly at first. A straight line is asked for."),
        Mistake(shaped(math.sqrt),
                "You take the root of the share of the ramp, so the weight rises fast at first. A straight line is "
                "asked for."),
        Mistake(lambda step, ramp, beta=1.0: beta * (1 - math.exp(-step / ramp)),
                "Your weight comes nearer to beta and never gets there. A straight line is asked for, and beta from "
                "step ramp_steps on."),
    ],
)  # fmt: skip
