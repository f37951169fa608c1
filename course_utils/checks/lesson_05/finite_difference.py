"""finite-difference: central differences of an expectation, with the same noise on both sides."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference

TOLERANCE = 1e-6


def finite_difference(f, mu, logvar, eps, step):
    std = torch.exp(0.5 * logvar)

    def objective(mu):
        return f(mu + std * eps).mean()

    return torch.stack([(objective(mu + h) - objective(mu - h)) / (2 * step) for h in step * torch.eye(len(mu)).to(mu)])


def wave(z):
    return (z.sin() + 0.3 * z**3) @ torch.linspace(1.0, -1.5, z.shape[1]).to(z) + z[:, 0] * z[:, -1]


def draws(rows, columns, step, level=0.0):
    """f, mu, logvar, eps and a step; where that is large, the kinds of differences differ."""

    def inputs(g):
        mu, logvar = torch.randn(2, columns, generator=g, dtype=torch.float64)
        eps = torch.randn(rows, columns, generator=g, dtype=torch.float64)
        return lambda z: wave(z) + level, mu, logvar, eps, step

    return inputs


def slopes_twice(fn, *inputs):
    """The slopes, whether a second call gives them again, and if they are right, the type of their numbers."""
    slopes = fn(*inputs)
    if not isinstance(slopes, Tensor):
        return slopes
    found = Parts({"": slopes.detach(), "in a second call": difference(fn(*inputs), slopes, TOLERANCE) is None})
    right = difference(slopes, finite_difference(*inputs), TOLERANCE) is None
    return Parts(found | {"type": str(slopes.dtype).removeprefix("torch.")}) if right else found


def slopes_are(rule, std=lambda logvar: torch.exp(0.5 * logvar)):
    """A wrong answer: rule(g, mu, h, step, eps), g(mu, eps) being the mean of f, h the step along one coordinate."""

    def answer(f, mu, logvar, eps, step):
        def objective(mu, noise=eps):
            return f(mu + std(logvar) * noise).mean()

        return torch.stack([rule(objective, mu, h, step, eps) for h in step * torch.eye(len(mu)).to(mu)])

    return answer


def with_inputs(change):
    """A wrong answer that is right but for its inputs."""
    return lambda *inputs: finite_difference(*change(*inputs))


def accumulating(f, mu, logvar, eps, step):
    up, down, slopes = mu.clone(), mu.clone(), []
    for d in range(len(mu)):
        up[d] += step
        down[d] -= step
        slopes.append((f(up + torch.exp(0.5 * logvar) * eps).mean() - f(down + torch.exp(0.5 * logvar) * eps).mean())
                      / (2 * step))  # fmt: skip
    return torch.stack(slopes)


def by_autograd(f, mu, logvar, eps, step):
    leaf = mu.clone().requires_grad_()
    return torch.autograd.grad(f(leaf + torch.exp(0.5 * logvar) * eps).mean(), leaf)[0]


def in_float32(f, mu, logvar, eps, step):
    return finite_difference(f, mu.float(), logvar.float(), eps.float(), step)


CHECK = Check(
    finite_difference,
    inputs={"": draws(50, 3, 0.2), "eps has as many rows as columns": draws(4, 4, 0.35),
            "mu has one coordinate": draws(9, 1, 0.1),
            "the step is small and f is large": draws(12, 2, 1e-4, level=300.0)},
    observe=slopes_twice,
    tolerance=TOLERANCE,
    draws=2,
    mistakes=[
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu)) / step),
                "That is a forward difference. Its error falls with the step, that of a central difference with its "
                "square: on which two sides of mu should you evaluate?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu) - g(mu - h)) / step),
                "That is a backward difference. A central one evaluates at mu + step and at mu - step. How far apart "
                "are these?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu)) / (2 * step)),
                "You evaluate at mu + step and at mu, and divide by 2 * step. Where is the second evaluation of a "
                "central difference?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / step),
                "Your result is twice too large. How far apart are mu + step and mu - step?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h / 2) - g(mu - h / 2)) / step),
                "You move mu by half of the step to each side. The docstring says that it moves by the step to each "
                "side: what is the distance then?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h / 2) - g(mu - h / 2)) / (2 * step)),
                "You move mu by half of the step and divide by two steps. By how much does it move to each side?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / 2),
                "You do not divide by the step, so the result shrinks with it. Difference divided by which distance?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / 2 * step),
                "Your result is multiplied by the step: a / 2 * step is (a / 2) * step. Where do brackets belong?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h))),
                "You return the differences. What is a slope: a difference, divided by what?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: g(mu + h) - g(mu - h) / (2 * step)),
                "Only the second value is divided: division binds more tightly than subtraction. Where do brackets "
                "belong?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / (2 * step**2)),
                "You divide by the square of the step. Which distance lies between mu + step and mu - step?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) + g(mu - h) - 2 * g(mu)) / step**2),
                "That is the second derivative, how the slope changes. The first one needs two values, not three."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) + g(mu - h)) / (2 * step)),
                "You add the two values. A slope is made of their difference."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: ((g(mu + h) - g(mu - h)) / (2 * step)).abs()),
                "You take absolute values: a function that falls has a negative slope."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu - h) - g(mu + h)) / (2 * step)),
                "Your sign is reversed: a function that grows would get a negative slope. Which value is subtracted?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (
                    g(mu + h, torch.randn_like(eps)) - g(mu - h, torch.randn_like(eps))) / (2 * step)),
                "You draw fresh noise for each side, and the difference of the noise is divided by a small step. Which "
                "noise do both sides have to share?"),
        Mistake(with_inputs(lambda f, mu, logvar, eps, step: (f, mu, logvar, torch.randn_like(eps), step)),
                "Two calls with the same eps give different slopes: your function draws noise of its own. Which noise "
                "do both sides, and all coordinates, have to share?", part="in a second call"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + step) - g(mu - step)) / (2 * step)),
                "You move all coordinates of mu at once, so every entry is the sum of all slopes. How do you move one "
                "and leave the others?"),
        Mistake(accumulating,
                "Each coordinate that you have moved stays moved while the next one is. Begin anew with a copy of mu "
                "for every coordinate."),
        Mistake(lambda f, mu, logvar, eps, step: finite_difference(f, mu, logvar, eps, step).mean(),
                "You average the slopes of the coordinates. Each coordinate of mu has its own: return all D."),
        Mistake(lambda f, mu, logvar, eps, step: finite_difference(f, mu, logvar, eps, step).sum(),
                "You return the sum of all slopes: are they added, or is mu moved along all coordinates at once? Each "
                "coordinate of mu has a slope of its own: return all D."),
        Mistake(lambda f, mu, logvar, eps, step: len(eps) * finite_difference(f, mu, logvar, eps, step),
                "You sum f over the draws. The objective is the expectation of f: what estimates it?"),
        Mistake(lambda f, mu, logvar, eps, step: torch.stack(
                    [finite_difference(f, mu, logvar, one[None], step) for one in eps]),
                "You return the slopes of every single draw, (N, D). Over what is the mean still to be taken?"),
        Mistake(lambda f, mu, logvar, eps, step: finite_difference(lambda z: f(z).median(), mu, logvar, eps, step),
                "You take the median of f over the draws. What estimates an expectation?"),
        Mistake(with_inputs(lambda f, mu, logvar, eps, step: (f, mu, 2 * logvar, eps, step)),
                "Your z uses exp(logvar) as standard deviation. How do you get from log(sigma^2) to sigma?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / (2 * step),
                           lambda logvar: torch.exp(-0.5 * logvar)),
                "Your z uses exp(-0.5 * logvar), which is 1 / sigma. Which sign is right?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / (2 * step), torch.ones_like),
                "Your z is mu + eps: logvar is not used. What is eps multiplied by?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h) - g(mu - h)) / (2 * step), lambda logvar: logvar),
                "Your z uses logvar itself as standard deviation. How do you get from log(sigma^2) to sigma?"),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h, 0 * eps) - g(mu - h, 0 * eps)) / (2 * step)),
                "The noise does not enter: that is the slope of f at mu, not of the mean of f(mu + std * eps)."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h, eps.mean(0, True)) - g(mu - h, eps.mean(0, True)))
                           / (2 * step)),
                "You average the noise, or z, before f. The mean is to be taken of the values of f: those of a curved "
                "function differ from its value at the mean."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu + h, eps[:1]) - g(mu - h, eps[:1])) / (2 * step)),
                "You use the first draw alone. The mean is over all N rows of eps."),
        Mistake(slopes_are(lambda g, mu, h, step, eps: (g(mu, eps + h) - g(mu, eps - h)) / (2 * step)),
                "You move eps, and the step is stretched by std. Which of the two is to be moved?"),
        Mistake(lambda f, mu, logvar, eps, step: torch.stack([
                    (f(mu + torch.exp(0.5 * (logvar + h)) * eps).mean() - f(mu + torch.exp(0.5 * (logvar - h)) * eps)
                     .mean()) / (2 * step) for h in step * torch.eye(len(mu)).to(mu)]),
                "You move logvar. The slopes are those with respect to mu."),
        Mistake(by_autograd,
                "That is the exact gradient, by autograd. The difference is meant to test autograd, so it must be "
                "made of values of f alone, at mu + step and mu - step."),
        Mistake(lambda *inputs: finite_difference(*inputs).float(),
                "The values are right, but your result is float32 though mu is float64, and small steps need all the "
                "digits. torch.zeros_like(mu) and torch.stack keep the type; torch.zeros(n) and torch.tensor(list) do "
                "not."),
        Mistake(in_float32,
                "You compute in float32 though mu is float64. With a small step the two values agree in nearly all "
                "digits, and the digits that are left are wrong. Where are the numbers made 32 bits long?"),
        Mistake(lambda *inputs: list(finite_difference(*inputs)),
                "You return a list. torch.stack makes one tensor of it, (D,)."),
    ],
)  # fmt: skip
