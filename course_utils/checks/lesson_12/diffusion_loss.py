"""diffusion-loss: the mean squared error of the predicted noise."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_12.ddpm_posterior import T, falling_alpha_bar, like

Value = partial(Mistake, part="")  # recognised by the loss itself, whatever its gradient is


def jump(alpha_bar, x0, t, eps):
    share = like(alpha_bar[t], x0)
    return share.sqrt() * x0 + (1 - share).sqrt() * eps


class Denoiser(nn.Module):
    """A smooth function of x_t and t that no two different arguments share."""

    def __init__(self, g):
        super().__init__()
        self.numbers = nn.Parameter(0.5 + torch.rand(3, generator=g))

    def forward(self, x_t, t):
        a, b, c = self.numbers
        return (a * x_t + b * like(t.float(), x_t) / 9 + c).sin()


def error(network, alpha_bar, x0, t, eps):
    return network(jump(alpha_bar, x0, t, eps), t) - eps


def diffusion_loss(network, alpha_bar, x0, t, eps):
    return error(network, alpha_bar, x0, t, eps).square().mean()


def of_error(loss):
    """A wrong answer: another function of the error."""
    return lambda *inputs: loss(error(*inputs))


def shown(state, told=lambda alpha_bar, t: t):
    """A wrong answer whose network sees another state, of alpha_bar, x0, t and eps, or is told another timestep."""
    return lambda network, alpha_bar, x0, t, eps: (
        (network(state(alpha_bar, x0, t, eps), told(alpha_bar, t)) - eps).square().mean())  # fmt: skip


def aimed(target):
    """A wrong answer with another target, of alpha_bar, x0, t and eps."""
    return lambda network, alpha_bar, x0, t, eps: (
        (network(jump(alpha_bar, x0, t, eps), t) - target(alpha_bar, x0, t, eps)).square().mean())  # fmt: skip


def weights(alpha_bar, t, x):
    share = like(alpha_bar[t], x)
    return share.sqrt(), (1 - share).sqrt()


def velocity(alpha_bar, x0, t, eps):
    a, b = weights(alpha_bar, t, x0)
    return a * eps - b * x0


def of_the_image(network, alpha_bar, x0, t, eps):
    a, b = weights(alpha_bar, t, x0)
    x_t = jump(alpha_bar, x0, t, eps)
    return ((x_t - b * network(x_t, t)) / a - x0).square().mean()


def batch(*shape, t=None):
    def inputs(g):
        alpha_bar, x0 = falling_alpha_bar(g), torch.randn(shape, generator=g)
        times = torch.randperm(T - 2, generator=g)[: shape[0]] + 1 if t is None else torch.tensor(t)
        return Denoiser(g), alpha_bar, x0, times, torch.randn(shape, generator=g)

    return inputs


CHECK = Check(
    diffusion_loss,
    inputs={"": batch(5, 1, 2, 3), "there are fewer images than columns": batch(3, 2, 1, 4),
            "there are as many images as columns": batch(4, 1, 3, 4),
            "t is 0 or the last": batch(3, 2, 4, 1, t=[8, 0, 0])},
    gradients=("network",),
    draws=2,
    mistakes=[
        Value(aimed(lambda alpha_bar, x0, t, eps: x0), "You compare the answer with x0. This network is asked for the "
            "noise: what went into x_t as noise?"),
        Value(aimed(jump), "You compare the answer with x_t, which the network has seen. What is hidden in x_t?"),
        Value(aimed(velocity), "Your target is the velocity sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0. This network "
            "is asked for eps."),
        Value(aimed(lambda alpha_bar, x0, t, eps: -eps), "You add the noise to the answer. The error is their "
            "difference."),
        Value(aimed(lambda alpha_bar, x0, t, eps: torch.randn_like(x0)), "You compare the answer with fresh noise, "
            "which nobody can predict. Which noise is in x_t?"),
        Value(lambda network, alpha_bar, x0, t, eps: diffusion_loss(network, alpha_bar, x0, t, torch.randn_like(x0)),
            "You draw noise of your own. The noise to use is given: eps."),
        Value(shown(lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t, torch.randn_like(x0))),
            "There is fresh noise in x_t, while the answer is compared with eps. It has to be the same noise."),
        Value(of_the_image, "You turn the answer into a guess of x0, whose error weighs the timesteps otherwise. Asked "
            "for is the error of the noise."),
        Value(shown(lambda alpha_bar, x0, t, eps: x0), "The network sees the clean x0, in which there is no noise to "
            "find. What must be made of x0 first?"),
        Value(shown(lambda alpha_bar, x0, t, eps: eps), "The network sees the noise itself and only needs to copy it. "
            "What does it get to see in the loop?"),
        Value(shown(lambda alpha_bar, x0, t, eps: x0 + eps), "You show x0 + eps, as noisy at every t. Which function "
            "of this lesson mixes in the right proportion?"),
        Value(shown(lambda alpha_bar, x0, t, eps: jump(alpha_bar, eps, t, x0)), "In x_t data and noise have changed "
            "places. In which order does q_sample take its arguments?"),
        Value(shown(lambda alpha_bar, x0, t, eps: like(alpha_bar[t], x0) * x0 + (1 - like(alpha_bar[t], x0)) * eps),
            "Your x_t is mixed without square roots. Use q_sample, which has the right weights."),
        Value(shown(jump, lambda alpha_bar, t: torch.zeros_like(t)), "The network is not told the timestep. How should "
            "it know how much noise to look for?"),
        Value(shown(jump, lambda alpha_bar, t: t[:1].expand_as(t)), "The network is told the first timestep for the "
            "whole batch. Each example has its own: pass t."),
        Value(shown(jump, lambda alpha_bar, t: alpha_bar[t]), "You hand the network alpha_bar[t] in place of t. It is "
            "called as network(x_t, t): what does it expect second?"),
        Value(shown(jump, lambda alpha_bar, t: t / len(alpha_bar)), "You hand the network t / T. It expects the "
            "timestep t itself."),
        Value(shown(jump, lambda alpha_bar, t: t + 1), "The network is told t + 1, while x_t has the noise of t. "
            "Timesteps are counted from 0."),
        Value(shown(lambda alpha_bar, x0, t, eps: jump(alpha_bar, x0, t - 1, eps)), "x_t has the noise of the timestep "
            "before, while the network is told t. Is something counted from 1?"),
        Value(of_error(lambda error: error.square().sum()), "You sum over the batch and all numbers. The docstring "
            "asks for the mean."),
        Value(of_error(lambda error: error.square().flatten(1).sum(dim=1).mean()), "You sum over the numbers of each "
            "example, as a VAE does. Here the mean over them is asked for."),
        Value(of_error(lambda error: error.square().flatten(1).mean(dim=1).sum()), "You sum over the batch, so the "
            "steps grow with it. Take the mean over it too."),
        Value(of_error(lambda error: error.square().flatten(1).mean(dim=1)), "You return a loss for each example. How "
            "does it become one number to minimise?"),
        Value(of_error(lambda error: error.square()), "You return a loss for every number. How does it become one "
            "number to minimise?"),
        Value(of_error(lambda error: error.abs().mean()), "You average absolute errors, whose best answer is the "
            "median. Which error has the mean as its best answer?"),
        *[Value(of_error(lambda error, times=times: times * F.huber_loss(error, torch.zeros_like(error))),
                "Large errors count only linearly in your loss (Huber, smooth L1). The docstring asks for squares.")
          for times in (1, 2)],
        *[Value(of_error(lambda error, ddof=ddof: error.var(correction=ddof)),
                "You take the variance of the errors, which forgets their mean: a constant error would cost nothing.")
          for ddof in (0, 1)],
        Value(of_error(lambda error: error.square().mean().sqrt()), "You take the root of the mean squared error. The "
            "loss of the lesson is the squared error itself."),
        Value(of_error(lambda error: error.mean().square()), "You average the errors before you square them, so errors "
            "of both signs cancel. Which comes first?"),
        Value(of_error(lambda error: error.square().mean() / 2), "Your loss is half of the mean squared error. The "
            "docstring has no half."),
        Mistake(lambda *inputs: diffusion_loss(*inputs).detach(), "The number is right, but no gradient reaches the "
            "network. Where is the no_grad, the detach or the .data?"),
        Mistake(lambda *inputs: diffusion_loss(*inputs).item(), "You return a plain Python number. loss.backward() "
            "needs the tensor: leave out .item() or float()."),
    ],
)  # fmt: skip
