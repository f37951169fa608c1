"""Checks of lesson 12: the jump to a noisy state, the loss, one DDIM step, classifier-free guidance."""

import torch

from course_utils.checks._diffusion import (
    JUMP_MISTAKES,
    STEP_MISTAKES,
    falling_alpha_bar,
    jump,
    jump_inputs,
    like,
    step,
    step_inputs,
    three_steps,
)
from course_utils.checks._engine import Check, Mistake

# ------------------------------------------------------------------------------------------------ diffusion-loss


def _network(g: torch.Generator):
    """A smooth function of x_t and t that no two different arguments share."""
    a, b, c = (0.5 + torch.rand(3, generator=g)).tolist()

    def network(x_t, t):
        return (a * x_t + b * like(t.float(), x_t) / 9 + c).sin()

    return network


def _loss_inputs(g: torch.Generator) -> tuple:
    t = torch.randint(1, 8, (5,), generator=g)
    alpha_bar, network = falling_alpha_bar(g), _network(g)
    return network, alpha_bar, torch.randn(5, 2, 3, generator=g), t, torch.randn(5, 2, 3, generator=g)


def _error(network, alpha_bar, x0, t, eps):
    return network(jump(alpha_bar, x0, t, eps), t) - eps


LOSS_MISTAKES = [
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (network(jump(alpha_bar, x0, t, eps), t) - x0).square().mean(),
        "You compare the answer with x0. This network is asked for the noise: what went into x_t as noise?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (
            (network(jump(alpha_bar, x0, t, eps), t) - jump(alpha_bar, x0, t, eps)).square().mean()
        ),
        "You compare the answer with x_t, which the network has seen: it would learn to copy. What is hidden in x_t?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (network(x0, t) - eps).square().mean(),
        "The network sees the clean x0, in which there is no noise to find. What must be made of x0 first?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (network(eps, t) - eps).square().mean(),
        "The network sees the noise itself and only needs to copy it. What does it get to see in the loop?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (network(x0 + eps, t) - eps).square().mean(),
        "You show x0 + eps, as noisy at every t. Which function of this lesson mixes them in the right proportion?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (
            (network(jump(alpha_bar, x0, t, eps), torch.zeros_like(t)) - eps).square().mean()
        ),
        "The network is not told the timestep. How should it know how much noise to look for?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (
            (network(jump(alpha_bar, x0, t, eps), alpha_bar[t]) - eps).square().mean()
        ),
        "You hand the network alpha_bar[t] in place of t. It is called as network(x_t, t): what does it expect second?",
    ),
    Mistake(
        lambda network, alpha_bar, x0, t, eps: (network(jump(alpha_bar, x0, t - 1, eps), t) - eps).square().mean(),
        "x_t has the noise of the timestep before, while the network is told t. Is something counted from 1?",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).square().sum(),
        "You sum over the batch and all numbers, so the loss grows with the batch. The docstring asks for the mean.",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).square().flatten(1).sum(dim=1).mean(),
        "You sum over the numbers of each example, as the reconstruction term of a VAE does. Here it is the mean over "
        "them: there is no KL term whose weight would change.",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).square().flatten(1).mean(dim=1),
        "You return a loss for each example. What is still to be done so that it is one number to minimise?",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).abs().mean(),
        "You average absolute errors. Whose best answer is the median; which error has the mean as its best answer?",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).square().mean().sqrt(),
        "You take the root of the mean squared error. The loss of the lesson is the squared error itself.",
    ),
    Mistake(
        lambda *inputs: _error(*inputs).mean().square(),
        "You average the errors before you square them, so errors of both signs cancel. Which comes first?",
    ),
]

# ------------------------------------------------------------------------------------------------ guidance


def _guidance_inputs(g: torch.Generator) -> tuple:
    network, table = _network(g), torch.randn(5, generator=g)

    def told(x_t, t, label):
        return network(x_t, t) + like(table[label], x_t) * x_t.cos()

    t, label = torch.randint(9, (3,), generator=g), torch.randint(4, (3,), generator=g)
    weight = 2 + 3 * torch.rand((), generator=g).item()
    return told, torch.randn(3, 2, 4, generator=g), t, label, 4, weight


def _answers(network, x_t, t, label, null):
    """The answer for any class, and for this one."""
    return network(x_t, t, torch.full_like(label, null)), network(x_t, t, label)


def _combined(combine):
    return lambda network, x_t, t, label, null, weight: combine(*_answers(network, x_t, t, label, null), weight)


GUIDANCE_MISTAKES = [
    Mistake(
        _combined(lambda anything, this, w: this + w * (anything - this)),
        "The two answers have changed places: your weight of 0 gives the class, and 1 ignores it. Where do you start, "
        "and towards what do you go?",
    ),
    Mistake(
        _combined(lambda anything, this, w: anything + w * this),
        "You add the whole answer for the class. The arrow from one answer to the other is their difference.",
    ),
    Mistake(
        _combined(lambda anything, this, w: this + w * (this - anything)),
        "You start from the answer for the class. That is the paper's own w, smaller by one: what must weight 1 give?",
    ),
    Mistake(
        _combined(lambda anything, this, w: anything + w * (anything - this)),
        "Your arrow points away from the class. Which of the two answers is its end?",
    ),
    Mistake(
        _combined(lambda anything, this, w: this),
        "You return the answer for the class whatever the weight is. Where does the answer for any class come in?",
    ),
    Mistake(
        _combined(lambda anything, this, w: anything),
        "You return the answer for any class, so the label never matters. Is the null label used for both calls?",
    ),
    Mistake(
        _combined(lambda anything, this, w: w * (this - anything)),
        "You return the arrow alone. At weight 0 nothing would be left: what is it added to?",
    ),
    Mistake(
        _combined(lambda anything, this, w: w * this),
        "You multiply the class's answer by the weight, so its size grows, and a step would take out too much noise. "
        "What should be stretched instead?",
    ),
    Mistake(
        _combined(lambda anything, this, w: (anything + w * this) / (1 + w)),
        "You average the two answers, which never goes beyond the class's own. Guidance does go beyond: how?",
    ),
]

CHECKS = [
    Check("q-sample", "12", jump, jump_inputs, JUMP_MISTAKES, draws=6),
    Check(
        "diffusion-loss", "12", lambda *inputs: _error(*inputs).square().mean(), _loss_inputs, LOSS_MISTAKES
    ),
    Check("ddim-step", "12", step, step_inputs, STEP_MISTAKES, observe=three_steps),
    Check("guidance", "12", _combined(lambda anything, this, w: anything + w * (this - anything)), _guidance_inputs,
          GUIDANCE_MISTAKES),
]  # fmt: skip
