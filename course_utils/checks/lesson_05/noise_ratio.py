"""noise-ratio: how many times noisier the score function is than the pathwise gradient, for f(z) = |z|^2."""

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake


def both(eps, baseline=0.0):
    """The estimates of every draw, pathwise and by the score function, (N, D) each."""
    z = 1 + eps
    return 2 * z, (z.square().sum(dim=1, keepdim=True) - baseline) * eps


def noise_ratio(eps, baseline=0.0):
    path, score = both(eps, baseline)
    return score.var(dim=0).sum() / path.var(dim=0).sum()


def noise(rows, columns, *baseline):
    return lambda g: (torch.randn(rows, columns, generator=g), *baseline)


def number(fn, *inputs):
    """A plain number is as good as a tensor with one."""
    found = fn(*inputs)
    plain = isinstance(found, (int, float, np.number)) and not isinstance(found, bool)
    return torch.tensor(float(found)) if plain else found.detach().float() if _floats(found) else found


def _floats(found):
    return isinstance(found, Tensor) and found.is_floating_point()


def ratio_of(size):
    """A wrong answer that measures the size of estimates (N, D) in another way."""

    def answer(eps, baseline=0.0):
        path, score = both(eps, baseline)
        return size(score) / size(path)

    return answer


def score_is(score):
    """A wrong answer whose score-function estimates, from z, eps and the baseline, are others."""

    def answer(eps, baseline=0.0):
        return score(1 + eps, eps, baseline).var(dim=0).sum() / (2 * (1 + eps)).var(dim=0).sum()

    return answer


def path_is(path):
    """A wrong answer whose pathwise estimates, from z and eps, are others."""
    return lambda eps, baseline=0.0: both(eps, baseline)[1].var(dim=0).sum() / path(1 + eps, eps).var(dim=0).sum()


def cost(z):
    return z.square().sum(dim=1, keepdim=True)


CHECK = Check(
    noise_ratio,
    inputs={"": noise(40, 3), "a baseline is given": noise(30, 4, 8.0), "d is 1": noise(25, 1),
            "there are more dimensions than draws": noise(6, 11, 3.0)},
    observe=number,
    tolerance=1e-3,
    mistakes=[
        Mistake(lambda *inputs: 1 / noise_ratio(*inputs), "Your ratio is upside down: how many times noisier is the "
            "score function?"),
        Mistake(lambda *inputs: noise_ratio(*inputs).sqrt(), "You compare standard deviations. How many more draws are "
            "needed is the ratio of variances."),
        Mistake(lambda *inputs: noise_ratio(*inputs).square(), "You square the ratio of variances: var is squared "
            "already."),
        Mistake(ratio_of(lambda g: g.square().sum()), "You take the mean square, not the variance: the mean of the "
            "estimates, which is the gradient itself, has to be subtracted. var(dim=0) does it."),
        Mistake(ratio_of(lambda g: g.var()), "You take the variance of all N * D numbers at once. That is nearly right "
            "here, where all coordinates have the same mean. In general each coordinate has its own: var over the "
            "draws, then the sum."),
        Mistake(ratio_of(lambda g: g.var(dim=1, correction=0).sum()), "You take the variance over the coordinates of a "
            "draw. It is to be taken over the draws: which dimension counts them?"),
        Mistake(ratio_of(lambda g: g.sum(dim=1).var()), "You add up the coordinates of a draw first, and their errors "
            "can cancel. Take the variance of each coordinate, and then the sum."),
        Mistake(ratio_of(lambda g: g.norm(dim=1).var()), "You take the variance of the length of the gradient. Its "
            "direction varies too: take the variance of each coordinate, and then the sum."),
        Mistake(lambda *inputs: (lambda path, score: (score.var(0) / path.var(0)).mean())(*both(*inputs)), "You "
            "average the ratios of the coordinates. Sum the variances first, then divide."),
        Mistake(lambda *inputs: (lambda path, score: (score.var(0) / path.var(0)).sum())(*both(*inputs)), "You add up "
            "the ratios of the coordinates, so the result grows with D of itself. Sum the variances first, then "
            "divide."),
        Mistake(lambda *inputs: (lambda path, score: score.var(0) / path.var(0))(*both(*inputs)), "You return a ratio "
            "for each coordinate. Sum the variances over the coordinates first."),
        Mistake(lambda *inputs: both(*inputs)[1].var(dim=0).sum(), "That is the variance of the score function. By "
            "what is it to be divided?"),
        Mistake(lambda *inputs: both(*inputs)[0].var(dim=0).sum(), "That is the variance of the pathwise gradient. The "
            "ratio of the two is asked for."),
        Mistake(lambda *inputs: tuple(g.var(dim=0).sum() for g in both(*inputs)), "You return both variances. Their "
            "ratio is asked for."),
        Mistake(ratio_of(lambda g: g.mean(dim=0).sum()), "You divide the means, which are both near the exact "
            "gradient. What measures the noise?"),
        Mistake(score_is(lambda z, eps, b: (z.square() - b) * eps), "In your score function each coordinate is "
            "weighted by its own cost. f is one number a draw, the sum over the coordinates."),
        Mistake(score_is(lambda z, eps, b: (z.square().mean(dim=1, keepdim=True) - b) * eps), "You average z^2 over "
            "the coordinates. f(z) = |z|^2 is their sum."),
        Mistake(score_is(lambda z, eps, b: (z.norm(dim=1, keepdim=True) - b) * eps), "You take the length of z. f(z) = "
            "|z|^2 is its square."),
        Mistake(score_is(lambda z, eps, b: cost(z) * eps), "Your ratio does not change with the baseline, or it is "
            "subtracted where it only shifts the mean. From what is it subtracted, before eps comes in?"),
        Mistake(score_is(lambda z, eps, b: (cost(z) + b) * eps), "You add the baseline. It should make the weights "
            "small."),
        Mistake(score_is(lambda z, eps, b: (cost(z - b)) * eps), "You subtract the baseline from z. It belongs to "
            "f(z)."),
        Mistake(score_is(lambda z, eps, b: (cost(z) - cost(z).mean()) * eps), "You subtract the mean of f. Use the "
            "baseline that was given."),
        Mistake(score_is(lambda z, eps, b: (cost(z) - b) * z), "You multiply by z. The slope of log q is (z - mu) / "
            "sigma^2: what is that for mu = 1 and sigma = 1?"),
        Mistake(score_is(lambda z, eps, b: (cost(eps) - b) * eps), "You take the cost of eps. f is evaluated at z = 1 "
            "+ eps."),
        Mistake(score_is(lambda z, eps, b: 2 * z * eps), "Your second estimator uses the slope of f, which the score "
            "function never does."),
        Mistake(score_is(lambda z, eps, b: (cost(z) - b).expand_as(eps)), "That is the noise of f alone. What is f "
            "multiplied by?"),
        Mistake(path_is(lambda z, eps: z), "Four times too large: the slope of z^2 is not z."),
        Mistake(path_is(lambda z, eps: z.square()), "Your pathwise estimate is the cost. Which slope has z^2?"),
        Mistake(path_is(lambda z, eps: 2 * z * eps), "Your pathwise estimate is multiplied by eps: that is the "
            "gradient for sigma. How does z = mu + sigma * eps move with mu?"),
        Mistake(path_is(lambda z, eps: 2 * z.sum(dim=1, keepdim=True).expand_as(z)), "In your pathwise estimate all "
            "coordinates are added up. Coordinate d of the gradient of |z|^2 is 2 z_d alone."),
        Mistake(lambda eps, baseline=0.0: noise_ratio(torch.randn_like(eps), baseline), "You draw noise of your own. "
            "Use the eps that was given."),
    ],
)  # fmt: skip
