"""Inputs, right answers and mistakes of two exercises of lesson 12: the jump to a noisy state, and one DDIM step."""

import torch
from torch import Tensor

from course_utils.checks._engine import Mistake


def falling_alpha_bar(g: torch.Generator, num_steps: int = 9) -> Tensor:
    """A falling alpha_bar whose steps are large, so that every slip of one timestep shows."""
    return (0.55 + 0.4 * torch.rand(num_steps, generator=g)).cumprod(0)


def like(values: Tensor, x: Tensor) -> Tensor:
    """Numbers (B,) in a form that multiplies x, (B, 1, ..., 1)."""
    return values.view(-1, *[1] * (x.ndim - 1))


# ------------------------------------------------------------------------------------------------ q-sample


def jump_inputs(g: torch.Generator) -> tuple:
    """alpha_bar, x0, t and eps for the jump; x0 has two, three or four dimensions."""
    shape = [(4, 2, 3, 5), (5, 3), (3, 2, 4)][int(torch.randint(3, (1,), generator=g))]
    t = torch.randint(1, 9, shape[:1], generator=g)
    return falling_alpha_bar(g), torch.randn(shape, generator=g), t, torch.randn(shape, generator=g)


def jump(alpha_bar, x0, t, eps):
    """The right answer: sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps."""
    share = like(alpha_bar[t], x0)
    return share.sqrt() * x0 + (1 - share).sqrt() * eps


def _weighted(weights):
    """A wrong jump with other weights of x0 and eps, made from alpha_bar[t]."""

    def answer(alpha_bar, x0, t, eps):
        a, b = weights(like(alpha_bar[t], x0))
        return a * x0 + b * eps

    return answer


JUMP_MISTAKES = [
    Mistake(
        _weighted(lambda share: (share, 1 - share)),
        "Your weights are alpha_bar and 1 - alpha_bar, without square roots. It is the variances that add up to 1: "
        "what is the weight that gives variance alpha_bar?",
    ),
    Mistake(
        _weighted(lambda share: (share.sqrt(), 1 - share)),
        "The noise has the weight 1 - alpha_bar, which is its variance. What is its standard deviation?",
    ),
    Mistake(
        _weighted(lambda share: (share, (1 - share).sqrt())),
        "The image has the weight alpha_bar without the square root. What share of its variance is left then?",
    ),
    Mistake(
        _weighted(lambda share: (share.sqrt(), 1 - share.sqrt())),
        "Your weights add up to 1. Independent variables add their variances: whose squares must add up to 1?",
    ),
    Mistake(
        _weighted(lambda share: ((1 - share).sqrt(), share.sqrt())),
        "Image and noise have each other's weight. At t = 0 alpha_bar is almost 1: which of the two should be seen?",
    ),
    Mistake(
        _weighted(lambda share: (share.sqrt(), 1)),
        "The noise comes in with weight 1 at every t, so even x_0 would be half noise. By what is eps multiplied?",
    ),
    Mistake(
        _weighted(lambda share: (1, (1 - share).sqrt())),
        "The image keeps weight 1, so the variance grows with t. By what does the image shrink?",
    ),
    Mistake(
        _weighted(lambda share: (share.sqrt(), -(1 - share).sqrt())),
        "You subtract the noise. That is as random as adding it, but a network trained on it learns -eps: which sign "
        "has the formula?",
    ),
    Mistake(
        lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t - 1, eps),
        "You look up alpha_bar one step too early. t is counted from 0, as Python counts: which entry belongs to t?",
    ),
    Mistake(
        lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t[:1].expand_as(t), eps),
        "All of the batch get the noise level of the first one. Does alpha_bar[t] hold one number for each?",
    ),
    Mistake(
        lambda alpha_bar, x0, t, eps: jump(
            torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]]), x0, t, eps
        ),
        "You use alpha of the one step t. The jump over all steps up to t needs the product of all of them: alpha_bar.",
    ),
]  # fmt: skip

# ------------------------------------------------------------------------------------------------ ddim-step


def step_inputs(g: torch.Generator) -> tuple:
    """alpha_bar, x_t and eps_hat for `three_steps`."""
    return falling_alpha_bar(g), torch.randn(4, 2, 3, generator=g), torch.randn(4, 2, 3, generator=g)


def three_steps(fn, alpha_bar: Tensor, x_t: Tensor, eps_hat: Tensor) -> dict:
    """What fn gives inside the schedule, in the last step, and for the first step of an inversion."""
    return {
        "the step from t = 6 to 2": fn(alpha_bar, x_t, 6, eps_hat, 2),
        "the last step, from t = 1 to -1": fn(alpha_bar, x_t, 1, eps_hat, -1),
        "the step of an inversion, from t = -1 to 3": fn(alpha_bar, x_t, -1, eps_hat, 3),
    }


def _at(alpha_bar: Tensor, t: int) -> Tensor:
    return alpha_bar[t] if t >= 0 else torch.ones_like(alpha_bar[0])


def step(alpha_bar, x_t, t, eps_hat, t_prev):
    """The right answer: undo the noise at t, mix again at t_prev."""
    here, there = _at(alpha_bar, t), _at(alpha_bar, t_prev)
    x0_hat = (x_t - (1 - here).sqrt() * eps_hat) / here.sqrt()
    return there.sqrt() * x0_hat + (1 - there).sqrt() * eps_hat


def _with(formula):
    """A wrong step from alpha_bar here and there, x_t and eps_hat."""
    return lambda alpha_bar, x_t, t, eps_hat, t_prev: formula(_at(alpha_bar, t), _at(alpha_bar, t_prev), x_t, eps_hat)


def _x0(here, x_t, eps_hat):
    return (x_t - (1 - here).sqrt() * eps_hat) / here.sqrt()


def _clean_as_last(alpha_bar, x_t, t, eps_hat, t_prev):
    here, there = alpha_bar[t], alpha_bar[t_prev]  # -1 is the last entry
    return there.sqrt() * _x0(here, x_t, eps_hat) + (1 - there).sqrt() * eps_hat


def _clean_as_last_there(alpha_bar, x_t, t, eps_hat, t_prev):
    here, there = _at(alpha_bar, t), alpha_bar[t_prev]
    return there.sqrt() * _x0(here, x_t, eps_hat) + (1 - there).sqrt() * eps_hat


STEP_MISTAKES = [
    Mistake(
        _clean_as_last,
        "For t = -1 you use alpha_bar[-1]. Python reads that as the last entry, the noisiest of all, so the last step "
        "puts the noise back. Which number belongs to the clean image?",
    ),
    Mistake(
        _clean_as_last_there,
        "For t_prev = -1 you use alpha_bar[-1], which Python reads as the last entry. Which number belongs there?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: _x0(here, x, eps)),
        "You return x0_hat, the guess of the clean image. It is only a direction: where on the way should you stop?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * _x0(here, x, eps)),
        "You never put the noise back, so the state is too clean for its timestep. What is added to the first term?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * x + (1 - there).sqrt() * eps),
        "You mix x_t with the noise, so there is noise in it twice. What has to be taken out of x_t first?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there * (x - (1 - here) * eps) / here + (1 - there) * eps),
        "There are no square roots in your step. Which weights make a state of variance 1 out of x0 and eps?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * (x - (1 - here) * eps) / here.sqrt()
              + (1 - there).sqrt() * eps),
        "In x0_hat the noise is weighted by 1 - alpha_bar, its variance. With which weight is it in x_t?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * _x0(here, x, eps) + (1 - there) * eps),
        "The noise that you put back is weighted by 1 - alpha_bar. Where is the square root?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * (x - (1 - here).sqrt() * eps) + (1 - there).sqrt() * eps),
        "x0_hat is not divided by the square root of alpha_bar[t], so the image fades a little with every step.",
    ),
    Mistake(
        _with(lambda here, there, x, eps: here.sqrt() * _x0(there, x, eps) + (1 - here).sqrt() * eps),
        "You have exchanged here and there: x0_hat must be undone with the alpha_bar of t, and mixed with that of "
        "t_prev.",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * (x + (1 - here).sqrt() * eps) / here.sqrt()
              + (1 - there).sqrt() * eps),
        "In x0_hat you add the noise. It is in x_t already: how does one get it out?",
    ),
    Mistake(
        _with(lambda here, there, x, eps: there.sqrt() * _x0(here, x, eps) - (1 - there).sqrt() * eps),
        "You subtract the noise once more when you mix. The new state still contains noise, with which sign?",
    ),
    Mistake(
        lambda alpha_bar, x_t, t, eps_hat, t_prev: step(alpha_bar, x_t, t, eps_hat, t - 1 if t > 0 else t_prev),
        "You always go to t - 1. A sampler may skip timesteps: where does t_prev say to go?",
    ),
    Mistake(
        lambda alpha_bar, x_t, t, eps_hat, t_prev: step(
            torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]]), x_t, t, eps_hat, t_prev
        ),
        "You use alpha, the share that one step leaves. The state at t has been through all steps: alpha_bar.",
    ),
]  # fmt: skip
