"""ddim-step: undo the noise of one timestep, and mix again at another."""

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_12.q_sample import T, falling_alpha_bar, single_steps


def level(alpha_bar, t):
    return alpha_bar[t] if t >= 0 else torch.ones_like(alpha_bar[0])


def clean(here, x_t, eps):
    return (x_t - (1 - here).sqrt() * eps) / here.sqrt()


def mixed(here, there, x, eps):
    return there.sqrt() * clean(here, x, eps) + (1 - there).sqrt() * eps


def step(alpha_bar, x_t, t, eps_hat, t_prev):
    return mixed(level(alpha_bar, t), level(alpha_bar, t_prev), x_t, eps_hat)


def with_formula(formula):
    """A wrong answer from alpha_bar here and there, x_t and eps_hat."""
    return lambda alpha_bar, x_t, t, eps_hat, t_prev: (
        formula(level(alpha_bar, t), level(alpha_bar, t_prev), x_t, eps_hat))  # fmt: skip


def with_levels(here=level, there=level):
    """A wrong answer that looks up alpha_bar otherwise, from alpha_bar and a timestep."""
    return lambda alpha_bar, x_t, t, eps_hat, t_prev: (
        mixed(here(alpha_bar, t), there(alpha_bar, t_prev), x_t, eps_hat))  # fmt: skip


def as_python_reads(alpha_bar, t):
    return alpha_bar[t]  # -1 is the last entry


def ddpm_mean(here, there, x, eps):
    alpha = here / there
    return (x - (1 - alpha) / (1 - here).sqrt() * eps) / alpha.sqrt()


def state(times, *shape):
    """A state and its predicted noise, and t and t_prev drawn by a function of g."""

    def inputs(g):
        t, t_prev = times(g)
        return falling_alpha_bar(g), torch.randn(shape, generator=g), t, torch.randn(shape, generator=g), t_prev

    return inputs


def drawn(g, low, high):
    """A whole number of low, ..., high."""
    return int(torch.randint(low, high + 1, (1,), generator=g))


CHECK = Check(
    step,
    inputs={"": state(lambda g: (drawn(g, 5, 7), drawn(g, 1, 3)), 4, 2, 3),
            "t_prev is 0": state(lambda g: (drawn(g, 2, 5), 0), 3, 2),
            "the step is the last one, to t_prev = -1": state(lambda g: (drawn(g, 1, 4), -1), 4, 2, 3),
            "t is 0 and t_prev is -1": state(lambda g: (0, -1), 2, 3),
            "t is the last timestep": state(lambda g: (T - 1, drawn(g, 2, 5)), 2, 1, 3, 4),
            "the step leads to more noise": state(lambda g: (drawn(g, 0, 2), drawn(g, 4, 8)), 3, 4),
            "the step starts at the clean image, t = -1": state(lambda g: (-1, drawn(g, 0, 5)), 4, 2, 3)},
    draws=2,
    mistakes=[
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * (x / here.sqrt() - (1 - here).sqrt() * eps)
                             + (1 - there).sqrt() * eps),
            "Only x_t is divided by the root of alpha_bar. The noise taken out of it is divided too: use brackets."),
        Mistake(lambda alpha_bar, x_t, t, eps, t_prev: x_t if t_prev >= t else step(alpha_bar, x_t, t, eps, t_prev),
            "Where t_prev is above t you return x_t as it was. Inversion steps to more noise, by the same formula."),
        *[Mistake(lambda alpha_bar, x_t, t, eps, t_prev, which=which: x_t if (t, t_prev)[which] == -1 else
                  step(alpha_bar, x_t, t, eps, t_prev), f"Where {('t', 't_prev')[which]} is -1 you return x_t as it "
                  "was. The formula holds there too, with an alpha_bar of 1.") for which in (0, 1)],
        Mistake(with_levels(as_python_reads, as_python_reads), "For t = -1 you use alpha_bar[-1]. Python reads that as "
            "the last entry, the noisiest of all: which number belongs to the clean image?"),
        Mistake(with_levels(there=as_python_reads), "For t_prev = -1 you use alpha_bar[-1], which Python reads as the "
            "last entry. Which number belongs there?"),
        Mistake(with_levels(here=as_python_reads), "For t_prev = -1 you are right, but t can be -1 too, and then you "
            "use alpha_bar[-1], the last entry."),
        *[Mistake(with_levels(**dict.fromkeys(names.split(), found)), message.replace("T", time))
          for names, time in (("here there", "t"), ("there", "t_prev"))
          for found, message in (
              (lambda alpha_bar, t: alpha_bar[max(t, 0)], "For T = -1 you use alpha_bar[0], which has a little noise. "
               "The clean image has none: alpha_bar is 1."),
              (lambda alpha_bar, t: alpha_bar[t] * (t >= 0), "For T = -1 your alpha_bar is 0, which is pure noise. "
               "The clean image has all of its variance left."),
              (lambda alpha_bar, t: alpha_bar[t] if t > 0 else torch.tensor(1.0), "You take T = 0 for the clean image "
               "as well: > 0 where >= 0 belongs. alpha_bar[0] is a little below 1."))],
        Mistake(with_levels(*[lambda alpha_bar, t: alpha_bar[t - 1] if t > 0 else torch.tensor(1.0)] * 2),
            "You look up alpha_bar one step too early. t is counted from 0: alpha_bar[t]."),
        Mistake(with_formula(lambda here, there, x, eps: clean(here, x, eps)), "You return x0_hat, the guess of the "
            "clean image. Where on the way to it should you stop?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps)), "You never put the noise "
            "back, so the state is too clean for its timestep. What is added to the first term?"),
        Mistake(with_formula(lambda here, there, x, eps: clean(here, x, eps) + (1 - there).sqrt() * eps),
            "x0_hat keeps its full weight when you mix, so the state is too large. By what is it multiplied at "
            "t_prev?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * x + (1 - there).sqrt() * eps),
            "You mix x_t with the noise, which is in it already. What has to be taken out of x_t first?"),
        Mistake(with_formula(lambda here, there, x, eps: there * (x - (1 - here) * eps) / here + (1 - there) * eps),
            "There are no square roots in your step. Which weights make a state of variance 1 out of x0 and eps?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * (x - (1 - here) * eps) / here.sqrt() + (1 -
            there).sqrt() * eps), "In x0_hat the noise is weighted by 1 - alpha_bar, its variance. With which weight "
            "is it in x_t?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * (x - (1 - here).sqrt() * eps) / here + (1 -
            there).sqrt() * eps), "You divide by alpha_bar[t] to get x0_hat. In x_t the image has the weight "
            "sqrt(alpha_bar[t])."),
        Mistake(with_formula(lambda here, there, x, eps: there * clean(here, x, eps) + (1 - there).sqrt() * eps),
            "When you mix, x0_hat is weighted by alpha_bar[t_prev]. Where is the square root?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps) + (1 - there) * eps),
            "The noise that you put back is weighted by 1 - alpha_bar. Where is the square root?"),
        Mistake(with_formula(lambda here, there, x, eps: there * clean(here, x, eps) + (1 - there) * eps),
            "x0_hat is right, but you mix it with the noise without square roots. Which weights does q_sample have?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * (x - (1 - here).sqrt() * eps) + (1 -
            there).sqrt() * eps), "x0_hat is not divided by sqrt(alpha_bar[t]), so the image fades a little with every "
            "step."),
        Mistake(with_formula(lambda here, there, x, eps: x - (1 - here).sqrt() * eps + (1 - there).sqrt() * eps),
            "You change the noise but leave the image as faded as it was at t. At t_prev its weight is another."),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps) + (1 - here).sqrt() * eps),
            "The noise that you put back has the weight it had at t. Which is its weight at t_prev?"),
        Mistake(with_formula(lambda here, there, x, eps: mixed(there, here, x, eps)), "You have exchanged here and "
            "there: x0_hat needs the alpha_bar of t, the mixing that of t_prev."),
        Mistake(with_formula(lambda here, there, x, eps: mixed(there, there, x, eps)), "You return x_t as it was: is "
            "the alpha_bar of t and that of t_prev the same in your step?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * (x + (1 - here).sqrt() * eps) / here.sqrt() + (1
            - there).sqrt() * eps), "In x0_hat you add the noise. It is in x_t already: how does one get it out?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps) - (1 - there).sqrt() * eps),
            "You subtract the noise once more when you mix. The new state still contains noise, with which sign?"),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps) + (1 - there).sqrt() *
            torch.randn_like(x)), "You mix x0_hat with fresh noise. DDIM adds none: which noise is put back?"),
        Mistake(with_formula(ddpm_mean), "That is the mean of a DDPM step. DDIM mixes x0_hat with eps_hat by the "
            "weights of t_prev."),
        Mistake(with_formula(lambda here, there, x, eps: there.sqrt() * clean(here, x, eps).clamp(-1, 1) + (1 -
            there).sqrt() * eps), "You cut x0_hat off at -1 and 1. The step asked for has no such cut."),
        Mistake(lambda alpha_bar, x_t, t, eps_hat, t_prev: step(alpha_bar, x_t, t, eps_hat, t - 1 if t > 0 else t_prev),
            "You always go to t - 1. A sampler may skip timesteps: where does t_prev say to go?"),
        Mistake(lambda alpha_bar, *rest: step(single_steps(alpha_bar), *rest), "You use alpha, the share that one step "
            "leaves. The state at t has been through all steps: alpha_bar."),
        Mistake(lambda alpha_bar, *rest: step(alpha_bar.cumprod(0), *rest), "You take the cumulative product of "
            "alpha_bar, which is one already."),
    ],
)  # fmt: skip
