"""finite-difference: central differences of an expectation, with the same noise on both sides."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference

TOLERANCE = 1e-6


def sigma(logvar):
    return torch.exp(0.5 * logvar)


def finite_difference(f, mu, logvar, eps, step):
    def objective(mu):
        return f(mu + sigma(logvar) * eps).mean()

    return torch.stack([(objective(mu + h) - objective(mu - h)) / (2 * step) for h in step * torch.eye(len(mu)).to(mu)])


def wave(z):
    return (z.sin() + 0.3 * z**3) @ torch.linspace(1.0, -1.5, z.shape[1]).to(z) + z[:, 0] * z[:, -1]


def draws(rows, columns, step, level=0.0, graph=True):
    """f, which may cut z's graph, mu, logvar, eps and a step; where that is large, the kinds of differences differ."""

    def inputs(g):
        mu, logvar = torch.randn(2, columns, generator=g, dtype=torch.float64)
        eps = torch.randn(rows, columns, generator=g, dtype=torch.float64)
        return lambda z: wave(z if graph else z.detach()) + level, mu, logvar, eps, step

    return inputs


def slopes_twice(fn, *inputs):
    """The slopes, whether a second call gives them again, and if they are right, the type of their numbers."""
    slopes = fn(*inputs)
    if not isinstance(slopes, Tensor):
        return slopes
    found = Parts({"": slopes.detach(), "in a second call": difference(fn(*inputs), slopes, TOLERANCE) is None})
    right = difference(slopes, finite_difference(*inputs), TOLERANCE) is None
    return Parts(found | {"type": str(slopes.dtype).removeprefix("torch.")}) if right else found


def central(up, mid, down, step):
    return (up - down) / (2 * step)


def slopes_are(rule, std=sigma, noise=lambda eps: eps, size=1.0):
    """A wrong answer: another rule for the values at mu + size * step, mu, mu - size * step, or another z."""

    def answer(f, mu, logvar, eps, step):
        def value(mu):
            return f(mu + std(logvar) * noise(eps)).mean()

        rows = size * step * torch.eye(len(mu)).to(mu)
        pairs = [(value(mu + h), value(mu - h)) for h in rows]
        return torch.stack([rule(up, value(mu), down, step) for up, down in pairs])

    return answer


def made_of(change):
    """A wrong answer that makes something else of the right slopes."""
    return lambda *inputs: change(finite_difference(*inputs))


def with_inputs(change):
    """A wrong answer that is right but for its inputs."""
    return lambda *inputs: finite_difference(*change(*inputs))


def accumulating(f, mu, logvar, eps, step):
    up, down, slopes = mu.clone(), mu.clone(), []
    for d in range(len(mu)):
        up[d] += step
        down[d] -= step
        values = [f(one + sigma(logvar) * eps).mean() for one in (up, down)]
        slopes.append((values[0] - values[1]) / (2 * step))
    return torch.stack(slopes)


def by_autograd(f, mu, logvar, eps, step):
    leaf = mu.clone().requires_grad_()
    return torch.autograd.grad(f(leaf + sigma(logvar) * eps).mean(), leaf)[0]


def all_at_once(f, mu, logvar, eps, step):
    up, down = (f(mu + h + sigma(logvar) * eps).mean() for h in (step, -step))
    return ((up - down) / (2 * step)).expand(len(mu))


CHECK = Check(
    finite_difference,
    inputs={"": draws(50, 3, 0.2), "eps has as many rows as columns": draws(4, 4, 0.35),
            "mu has one coordinate": draws(9, 1, 0.1, graph=False),
            "the step is small and f is large": draws(12, 2, 1e-4, level=300.0)},
    observe=slopes_twice,
    tolerance=TOLERANCE,
    draws=2,
    mistakes=[
        Mistake(slopes_are(lambda up, mid, down, h: (up - mid) / h), "That is a forward difference. Its error falls "
            "with the step, that of a central difference with its square: on which two sides of mu should you "
            "evaluate?"),
        Mistake(slopes_are(lambda up, mid, down, h: (mid - down) / h), "That is a backward difference. A central one "
            "evaluates at mu + step and at mu - step. How far apart are these?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - mid) / (2 * h)), "You evaluate at mu + step and at mu, and "
            "divide by 2 * step. Where is the second side?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - down) / h), "Twice too large: how far apart are mu + step "
            "and mu - step?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - down) / h, size=0.5), "You move mu by half of the step to "
            "each side. The docstring says that it moves by the step: what is the distance then?"),
        Mistake(slopes_are(central, size=0.5), "You move mu by half of the step and divide by two steps. By how much "
            "does it move to each side?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - down) / 2), "You do not divide by the step, so the result "
            "shrinks with it. Difference divided by which distance?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - down) / 2 * h), "Your result is multiplied by the step: a / "
            "2 * step is (a / 2) * step. Where do brackets belong?"),
        Mistake(slopes_are(lambda up, mid, down, h: up - down), "You return differences. By what is one divided for a "
            "slope?"),
        Mistake(slopes_are(lambda up, mid, down, h: up - down / (2 * h)), "Only the second value is divided: division "
            "binds more tightly than subtraction. Where do brackets belong?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up - down) / (2 * h**2)), "You divide by the square of the step. "
            "Which distance lies between mu + step and mu - step?"),
        Mistake(slopes_are(lambda up, mid, down, h: (up + down - 2 * mid) / h**2), "That is the second derivative, how "
            "the slope changes. The first one needs two values."),
        Mistake(slopes_are(lambda up, mid, down, h: (up + down) / (2 * h)), "You add the two values. Which operation "
            "gives a slope?"),
        Mistake(made_of(torch.abs), "You take absolute values: a function that falls has a negative slope."),
        Mistake(made_of(torch.neg), "Your sign is reversed: a function that grows would get a negative slope. Which "
            "value is subtracted?"),
        Mistake(slopes_are(central, noise=torch.randn_like), "You draw fresh noise for each side, and the difference "
            "of the noise is divided by a small step. Which noise do both sides have to share?"),
        Mistake(with_inputs(lambda f, mu, logvar, eps, step: (f, mu, logvar, torch.randn_like(eps), step)), "Two calls "
            "with the same eps give different slopes: your function draws noise of its own. Which noise do both sides, "
            "and all coordinates, have to share?", part="in a second call"),
        Mistake(all_at_once, "You move all coordinates of mu at once, so every entry is the sum of all slopes. How do "
            "you move one and leave the others?"),
        Mistake(accumulating, "Each coordinate that you have moved stays moved while the next one is. Begin anew with "
            "a copy of mu for every coordinate."),
        Mistake(made_of(torch.mean), "You average the slopes of the coordinates. Return all D of them."),
        Mistake(made_of(torch.sum), "You return the sum of all slopes: are they added, or is mu moved along all "
            "coordinates at once? Each coordinate of mu has a slope of its own: return all D."),
        Mistake(with_inputs(lambda f, *rest: (lambda z: len(z) * f(z), *rest)), "You sum f over the draws. The "
            "objective is the expectation of f: what estimates it?"),
        Mistake(lambda f, mu, logvar, eps, h: torch.stack([finite_difference(f, mu, logvar, e[None], h) for e in eps]),
            "You return the slopes of every single draw, (N, D). Over what is the mean still to be taken?"),
        Mistake(with_inputs(lambda f, *rest: (lambda z: f(z).median(), *rest)), "You take the median of f. What "
            "estimates an expectation?"),
        Mistake(slopes_are(central, torch.exp), "Your z uses exp(logvar), the variance, as standard deviation. Where "
            "is the half?"),
        Mistake(slopes_are(central, lambda logvar: 1 / sigma(logvar)), "Your z uses 1 / sigma. Which sign has the "
            "exponent?"),
        Mistake(slopes_are(central, torch.ones_like), "Your z is mu + eps. What is eps multiplied by?"),
        Mistake(slopes_are(central, torch.clone), "Your z uses logvar itself as sigma. What undoes a logarithm?"),
        Mistake(slopes_are(central, torch.zeros_like), "The noise does not enter: that is the slope of f at mu."),
        Mistake(slopes_are(central, noise=lambda eps: eps.mean(0, True)), "You average the noise, or z, before f. The "
            "mean is to be taken of the values of f: those of a curved function differ from its value at the mean."),
        Mistake(slopes_are(central, noise=lambda eps: eps[:1]), "You use the first row of eps alone. The mean is over "
            "all."),
        Mistake(lambda f, mu, s, eps, h: finite_difference(lambda z: f(mu + sigma(s) * (z - mu)), mu, 0 * mu, eps, h),
            "You move eps, and the step is stretched by std. Which of the two is to be moved?"),
        Mistake(lambda f, mu, s, eps, h: finite_difference(lambda z: f(mu + sigma(z) * eps), s, s, 0 * eps, h), "You "
            "move logvar. The slopes are those with respect to mu."),
        Mistake(by_autograd, "That is the exact gradient, by autograd. The difference is meant to test autograd, so it "
            "must be made of values of f alone, at mu + step and mu - step."),
        *(Mistake(with_inputs(lambda *given, own=own: (*given[:-1], own)), "You take a small step of your own, and "
            "step is not used. How far does mu move to each side?") for own in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)),
        Mistake(made_of(Tensor.float), "The values are right, but your result is float32 though mu is float64, and "
            "small steps need all the digits. torch.zeros_like(mu) and torch.stack keep the type; torch.zeros(n) and "
            "torch.tensor(list) do not."),
        Mistake(with_inputs(lambda f, mu, logvar, eps, step: (f, mu.float(), logvar.float(), eps.float(), step)), "You "
            "compute in float32 though mu is float64. With a small step the two values agree in nearly all digits, and "
            "the digits that are left are wrong. Where are the numbers made 32 bits long?"),
        Mistake(made_of(list), "You return a list. torch.stack makes one tensor of it, (D,)."),
    ],
)  # fmt: skip
