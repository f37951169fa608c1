"""ddpm-posterior: mean and variance of an earlier state, given a later one and the clean data."""

import torch

from course_utils.checks._check import Check, Mistake

T = 9


def falling_alpha_bar(g):
    """A falling alpha_bar whose steps are large, so that every slip of one timestep shows."""
    return (0.55 + 0.4 * torch.rand(T, generator=g)).cumprod(0)


def like(values, x):
    """Numbers (B,) in a form that multiplies x, (B, 1, ..., 1)."""
    return values.view(-1, *[1] * (x.ndim - 1))


def level(alpha_bar, t):
    return alpha_bar[t] if t >= 0 else torch.ones_like(alpha_bar[0])


def mean_of(here, there, a, x_t, x0):
    return (there.sqrt() * (1 - a) * x0 + a.sqrt() * (1 - there) * x_t) / (1 - here)


def variance_of(here, there, a):
    return (1 - a) * (1 - there) / (1 - here)


def ddpm_posterior(alpha_bar, x_t, x0, t, t_prev):
    here, there = level(alpha_bar, t), level(alpha_bar, t_prev)
    return mean_of(here, there, here / there, x_t, x0), variance_of(here, there, here / there)


def but(mean=mean_of, variance=variance_of, here=level, there=level, ratio=lambda here, there: here / there):
    """A wrong answer: another mean or variance, alpha_bar looked up otherwise, or another a."""

    def answer(alpha_bar, x_t, x0, t, t_prev):
        now, then = here(alpha_bar, t), there(alpha_bar, t_prev)
        a = ratio(now, then)
        return mean(now, then, a, x_t, x0), variance(now, then, a)

    return answer


def of_result(change):
    """A wrong answer: what a function makes of the right mean and variance."""
    return lambda *inputs: change(*ddpm_posterior(*inputs))


def by_fractions(alpha_bar, x_t, x0, t, t_prev):
    """By the two sums of fractions as they stand, which cannot be computed for the clean image."""
    here, there = level(alpha_bar, t), level(alpha_bar, t_prev)
    a = here / there
    variance = 1 / (1 / (1 - there) + a / (1 - a))
    return variance * (there.sqrt() / (1 - there) * x0 + a.sqrt() / (1 - a) * x_t), variance


def always_one_step(alpha_bar, x_t, x0, t, t_prev):
    here, there = level(alpha_bar, t), level(alpha_bar, t_prev)
    a = here / level(alpha_bar, t - 1)
    return mean_of(here, there, a, x_t, x0), variance_of(here, there, a)


def observe(fn, *inputs):
    """The mean and the variance, which may be a plain number or a tensor that has one number, perhaps repeated."""
    out = fn(*inputs)
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        return out
    mean, variance = out
    if isinstance(variance, (int, float)):
        variance = torch.tensor(float(variance))
    if isinstance(variance, torch.Tensor) and variance.numel():
        first = variance.flatten()[0]
        variance = first if torch.equal(variance, first.expand_as(variance)) or first.isnan() else variance
    return mean, variance


def state(times, *shape):
    """A state and clean data of a shape, and t and t_prev drawn by a function of g."""

    def inputs(g):
        t, t_prev = times(g)
        return falling_alpha_bar(g), torch.randn(shape, generator=g), torch.randn(shape, generator=g), t, t_prev

    return inputs


def drawn(g, low, high):
    """A whole number of low, ..., high."""
    return int(torch.randint(low, high + 1, (1,), generator=g))


def one_back(low, high):
    def times(g):
        t = drawn(g, low, high)
        return t, t - 1

    return times



CHECK = Check(
    ddpm_posterior,
    inputs={"": state(one_back(2, T - 1), 4, 2, 3),
            "timesteps are left out": state(lambda g: (drawn(g, 5, 8), drawn(g, 1, 3)), 3, 2),
            "t_prev is 0": state(lambda g: (drawn(g, 2, 5), 0), 3, 2),
            "the step is the last one, to t_prev = -1": state(lambda g: (drawn(g, 1, 4), -1), 4, 2, 3),
            "t is 0 and t_prev is -1": state(lambda g: (0, -1), 2, 3)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(by_fractions, "It is right but for t_prev = -1, where 1 - alpha_bar is 0 and you divide by it. "
            "Multiply m / v by v on paper first: then this factor cancels."),
        Mistake(but(there=lambda alpha_bar, t: alpha_bar[t]), "For t_prev = -1 you use alpha_bar[-1], which Python "
            "reads as the last entry, the noisiest of all. Which number belongs to the clean image?"),
        Mistake(but(there=lambda alpha_bar, t: alpha_bar[max(t, 0)]), "For t_prev = -1 you use alpha_bar[0], which has "
            "a little noise. The clean image has none: there alpha_bar is 1."),
        Mistake(but(there=lambda alpha_bar, t: alpha_bar[t] * (t >= 0)), "For t_prev = -1 your alpha_bar is 0, which "
            "is pure noise. The clean image has all of its variance: 1."),
        Mistake(but(there=lambda alpha_bar, t: alpha_bar[t] if t > 0 else torch.tensor(1.0)), "You take t_prev = 0 for "
            "the clean image as well: > 0 where >= 0 belongs. alpha_bar[0] is a little below 1."),
        Mistake(always_one_step, "Your a is that of the last single step, alpha_bar[t] / alpha_bar[t - 1]. Timesteps "
            "may be left out: which ratio leads from t_prev to t?"),
        Mistake(but(ratio=lambda here, there: here), "You use alpha_bar[t] for a. a is what the steps from t_prev to t "
            "leave: a ratio of two alpha_bar."),
        Mistake(but(ratio=lambda here, there: there / here), "Your a is turned over. It is below 1: alpha_bar falls "
            "with t."),
        Mistake(but(ratio=lambda here, there: 1 - here / there), "Your a is 1 - a. Does a ratio of alpha_bar say what "
            "is left, or what is added?"),
        Mistake(of_result(lambda mean, variance: (mean, variance**0.5)), "The mean is right. You return the standard "
            "deviation where the variance is asked for."),
        Mistake(of_result(lambda mean, variance: (mean, variance.log())), "The mean is right. You return the logarithm "
            "of the variance where the variance is asked for."),
        Mistake(of_result(lambda mean, variance: (mean, 1 / variance)), "The mean is right. You return 1 / v, the "
            "precision, where the variance v is asked for."),
        Mistake(but(variance=lambda here, there, a: 1 - a), "Your variance is 1 - a, that of the noise on the way out. "
            "Knowing x0 makes the earlier state more certain: by which factor?"),
        Mistake(but(variance=lambda here, there, a: (1 - a) * (1 - here) / (1 - there)), "In the variance 1 - "
            "alpha_bar of t and of t_prev have changed places. It must be 0 where t_prev is the clean image."),
        Mistake(but(variance=lambda here, there, a: 1 - there), "Your variance is 1 - alpha_bar at t_prev, that of the "
            "jump from x0 alone. You know x_t too."),
        Mistake(but(variance=lambda here, there, a: (1 - there) / (1 - here)), "In the variance the factor 1 - a is "
            "missing."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: mean_of(here, there, a, x0, x_t)), "In the mean x0 and x_t "
            "have changed places. In the last step all weight belongs to x0."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: (there * (1 - a) * x0 + a * (1 - there) * x_t) / (1 - here)),
            "The square roots of the mean are missing: sqrt(alpha_bar) at t_prev, and sqrt(a)."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: (there * (1 - a) * x0 + a.sqrt() * (1 - there) * x_t)
                    / (1 - here)), "The weight of x0 has alpha_bar of t_prev. Where is its square root?"),
        Mistake(but(mean=lambda here, there, a, x_t, x0: (there.sqrt() * (1 - a) * x0 + a * (1 - there) * x_t)
                    / (1 - here)), "The weight of x_t has a. Where is its square root?"),
        Mistake(but(mean=lambda here, there, a, x_t, x0: (here.sqrt() * (1 - a) * x0 + a.sqrt() * (1 - there) * x_t)
                    / (1 - here)), "The weight of x0 has sqrt(alpha_bar) of t. The jump leads to t_prev: whose is it?"),
        Mistake(but(mean=lambda here, there, a, x_t, x0: there.sqrt() * (1 - a) * x0 + a.sqrt() * (1 - there) * x_t),
            "In the mean the denominator is missing. It is that of v."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: there.sqrt() * x0), "Your mean is that of the jump from x0 "
            "alone. You know x_t too."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: there.sqrt() * x0 + (1 - there).sqrt() * (x_t - here.sqrt()
                    * x0) / (1 - here).sqrt()), "That mean keeps all of the noise of x_t, which is another way back, "
            "DDIM. Here a part of it is drawn anew: multiply m / v by v."),
        Mistake(but(mean=lambda here, there, a, x_t, x0: (x_t - (1 - a) / (1 - here).sqrt() * x0) / a.sqrt()),
            "That is the formula of the papers with the noise in it, and you gave it x0 in place of the noise."),
        Mistake(of_result(lambda mean, variance: (variance, mean)), "Both are right, but you return the variance "
            "first. Return the mean, then the variance."),
        Mistake(of_result(lambda mean, variance: mean), "You return the mean alone. Return the mean and the variance."),
        Mistake(of_result(lambda mean, variance: mean + variance**0.5 * torch.randn_like(mean)), "You return a draw. "
            "Return the mean and the variance; drawing comes later."),
    ],
)  # fmt: skip
