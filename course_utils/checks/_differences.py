"""The finite differences of lesson 05: the reference, and wrong answers with what to say to each."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._engine import Mistake, difference


def finite_difference(f, mu: Tensor, logvar: Tensor, eps: Tensor, step: float) -> Tensor:
    """Central differences of the mean of f(mu + std * eps), one coordinate of mu after the other."""
    std = torch.exp(0.5 * logvar)

    def objective(mu):
        return f(mu + std * eps).mean()

    return torch.stack([(objective(mu + h) - objective(mu - h)) / (2 * step) for h in step * torch.eye(len(mu)).to(mu)])


def _wave(z: Tensor) -> Tensor:
    return (z.sin() + 0.3 * z**3).sum(dim=1) + z[:, 0] * z[:, 1]


def difference_inputs(g: torch.Generator) -> tuple:
    """A function, mu and logvar (3,), eps (50, 3) and a step so large that the kinds of differences differ."""
    mu, logvar = torch.randn(2, 3, generator=g, dtype=torch.float64)
    return _wave, mu, logvar, torch.randn(50, 3, generator=g, dtype=torch.float64), 0.2


def observe_slopes(fn: Callable, *inputs):
    """The slopes, and those of a second call, which differ where fn draws noise; the first alone if no tensor."""
    slopes = fn(*inputs)
    return {"value": slopes, "again": fn(*inputs)} if isinstance(slopes, Tensor) else slopes


_OWN_NOISE = (
    "Two calls with the same eps give different slopes: your function draws noise of its own. Which noise do both "
    "sides, and all coordinates, have to share?"
)


def compare_slopes(out, expected, *inputs) -> str | None:
    """What is wrong with the slopes: their values, noise of their own, or their type."""
    if not isinstance(out, dict):
        return difference(out, expected["value"])
    if fault := difference(out["value"], expected["value"], 1e-6):
        return _OWN_NOISE if difference(out["again"], out["value"], 1e-6) else fault
    if out["value"].dtype != expected["value"].dtype:
        names = [str(one.dtype).removeprefix("torch.") for one in (out["value"], expected["value"])]
        return (
            f"The values are right, but your result is {names[0]} though mu is {names[1]}, and small steps need all "
            "the digits. torch.zeros_like(mu) and torch.stack keep the type; torch.zeros(n) and torch.tensor(list) do "
            "not."
        )
    return None


def _differences(difference_of: Callable) -> Callable:
    """A wrong answer: difference_of(g, mu, h, step), g(mu, eps) being the mean, h the step along one coordinate."""

    def answer(f, mu, logvar, eps, step):
        std = torch.exp(0.5 * logvar)

        def objective(mu, noise=eps):
            return f(mu + std * noise).mean()

        steps = step * torch.eye(len(mu)).to(mu)
        return torch.stack([difference_of(objective, mu, h, step, eps) for h in steps])

    return answer


def _own_noise(f, mu, logvar, eps, step):
    return finite_difference(f, mu, logvar, torch.randn_like(eps), step)


def _sum_over_draws(f, mu, logvar, eps, step):
    return len(eps) * finite_difference(f, mu, logvar, eps, step)


MISTAKES = [
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu + h) - g(mu)) / step),
        "That is a forward difference. Its error falls with the step, that of a central difference with its "
        "square: on which two sides of mu should you evaluate?",
    ),
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu) - g(mu - h)) / step),
        "That is a backward difference. A central one evaluates at mu + step and at mu - step. How far apart "
        "are these?",
    ),
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / step),
        "Your result is twice too large. How far apart are mu + step and mu - step?",
    ),
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / 2),
        "You do not divide by the step, so the result shrinks with it. Difference divided by which distance?",
    ),
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu - h) - g(mu + h)) / (2 * step)),
        "Your sign is reversed: a function that grows would get a negative slope. Which value is subtracted?",
    ),
    Mistake(
        _differences(
            lambda g, mu, h, step, eps: (
                (g(mu + h, torch.randn_like(eps)) - g(mu - h, torch.randn_like(eps))) / (2 * step)
            )
        ),
        "You draw fresh noise for each side, and the difference of the noise is divided by a small step. Which "
        "noise do both sides have to share?",
    ),
    Mistake(_own_noise, _OWN_NOISE),
    Mistake(
        _differences(lambda g, mu, h, step, eps: (g(mu + step) - g(mu - step)) / (2 * step)),
        "You move all coordinates of mu at once, so every entry is the sum of all slopes. How do you move one "
        "and leave the others?",
    ),
    Mistake(
        _sum_over_draws,
        "You sum f over the draws. The objective is the expectation of f: what estimates it?",
    ),
    Mistake(
        lambda f, mu, logvar, eps, step: finite_difference(f, mu, 2 * logvar, eps, step),
        "Your z uses exp(logvar) as standard deviation. How do you get from log(sigma^2) to sigma?",
    ),
    Mistake(
        lambda f, mu, logvar, eps, step: finite_difference(f, mu, torch.full_like(mu, -math.inf), eps, step),
        "The noise does not enter: that is the slope of f at mu, not of the mean of f(mu + std * eps).",
    ),
]
