"""two-player-step: one gradient step of both players of the smallest GAN, each of one number."""

import math

import numpy as np
import torch

from course_utils.checks._check import Check, Mistake


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit))


def game_step(theta, psi, lr):
    logit = psi * theta
    return theta + lr * psi * sigmoid(-logit), psi - lr * theta * sigmoid(logit)


def places(lowest, highest):
    """Both players somewhere between two distances from 0, on either side of it, and a learning rate."""

    def inputs(g):
        size = lowest + (highest - lowest) * torch.rand(2, generator=g)
        sign = 2.0 * torch.randint(2, (2,), generator=g) - 1
        return *(size * sign).tolist(), 0.05 + 0.3 * torch.rand(1, generator=g).item()

    return inputs


def observe(fn, theta, psi, lr):
    """The two numbers as a tensor, however they come; what is no pair of numbers as it is."""
    out = fn(theta, psi, lr)
    if isinstance(out, torch.Tensor) and out.shape == (2,):
        out = tuple(out)
    numbers = (int, float, np.floating, torch.Tensor)
    if not isinstance(out, (tuple, list)) or len(out) != 2 or not all(isinstance(one, numbers) for one in out):
        return out
    if any(isinstance(one, torch.Tensor) and one.numel() != 1 for one in out):
        return out
    return torch.tensor([float(one) for one in out], dtype=torch.float64)


def compare(out, expected, theta, psi, lr):
    if out is None:
        return "It returns nothing: return theta and psi after the step."
    if not isinstance(out, torch.Tensor):
        return "Return two numbers, theta and psi after the step, in this order."
    if not torch.isfinite(out).all():
        return "It returns what is no number (nan, or infinite)."
    wrong = [k for k in range(2) if abs(out[k] - expected[k]) > 1e-4 * max(1.0, abs(expected[k].item()))]
    if not wrong:
        return None
    names = ("theta", "psi")
    k = wrong[0]
    start = (theta, psi)[k]
    return (
        f"From theta = {theta:.3g} and psi = {psi:.3g} with a learning rate of {lr:.3g}, {names[k]} moves by "
        f"{out[k].item() - start:.4g} where {expected[k].item() - start:.4g} is expected."
    )


def moved(theta_slope, psi_slope):
    """A wrong answer with other derivatives of the two losses, from theta, psi and the logit."""

    def answer(theta, psi, lr):
        logit = psi * theta
        return theta - lr * theta_slope(theta, psi, logit), psi - lr * psi_slope(theta, psi, logit)

    return answer


def of_g(theta, psi, logit):
    return -psi * sigmoid(-logit)


def of_d(theta, psi, logit):
    return theta * sigmoid(logit)


def psi_first(theta, psi, lr):
    psi = psi - lr * theta * sigmoid(psi * theta)
    return theta + lr * psi * sigmoid(-psi * theta), psi


def theta_first(theta, psi, lr):
    theta = theta + lr * psi * sigmoid(-psi * theta)
    return theta, psi - lr * theta * sigmoid(psi * theta)


CHECK = Check(
    game_step,
    inputs={"": places(0.4, 1.5), "psi is 0": lambda g: (places(0.5, 1.5)(g)[0], 0.0, 0.2),
            "theta is 0": lambda g: (0.0, places(0.5, 1.5)(g)[1], 0.2)},
    observe=observe,
    compare=compare,
    mistakes=[
        Mistake(psi_first, "The discriminator moves first and the generator sees its new psi. Both derivatives belong "
            "to the same state: compute both before you change anything."),
        Mistake(theta_first, "The generator moves first and the discriminator sees its new theta. Both derivatives "
            "belong to the same state: compute both before you change anything."),
        Mistake(lambda *inputs: game_step(*inputs)[::-1], "The two numbers are right, in the other order: theta first, "
            "then psi."),
        Mistake(moved(lambda *at: -of_g(*at), lambda *at: -of_d(*at)), "Both players climb: each loss would grow. A "
            "step goes against the derivative."),
        Mistake(moved(lambda *at: -of_g(*at), of_d), "The generator goes the wrong way. Its loss has -l(theta) inside "
            "the softplus: which sign does the chain rule give?"),
        Mistake(moved(of_g, lambda *at: -of_d(*at)), "The discriminator goes the wrong way: with theta = 1 and psi = 0 "
            "it should lower its logit at the fake point, so psi becomes negative."),
        Mistake(moved(lambda theta, psi, logit: -psi * sigmoid(logit), of_d), "Your generator's derivative has "
            "sigmoid(l) where its own loss, softplus(-l), gives sigmoid(-l)."),
        Mistake(moved(of_g, lambda theta, psi, logit: theta * sigmoid(-logit)), "Your discriminator's derivative has "
            "sigmoid(-l) where softplus(l) gives sigmoid(l)."),
        Mistake(moved(lambda theta, psi, logit: -sigmoid(-logit), of_d), "In the generator's derivative the chain rule "
            "is not finished: how fast does l = psi * theta change with theta?"),
        Mistake(moved(of_g, lambda theta, psi, logit: sigmoid(logit)), "In the discriminator's derivative the chain "
            "rule is not finished: how fast does l = psi * theta change with psi?"),
        Mistake(moved(lambda theta, psi, logit: -theta * sigmoid(-logit), lambda theta, psi, logit: psi *
            sigmoid(logit)), "The inner derivatives are swapped: l = psi * theta changes with theta at the rate psi, "
            "and with psi at the rate theta."),
        Mistake(moved(lambda theta, psi, logit: -psi, lambda theta, psi, logit: theta), "The sigmoids are missing: the "
            "derivative of softplus(l) is sigmoid(l), not 1."),
        Mistake(moved(lambda theta, psi, logit: -psi * math.log1p(math.exp(-logit)), lambda theta, psi, logit: theta *
            math.log1p(math.exp(logit))), "You multiply by the softplus itself. What is its derivative?"),
        Mistake(lambda theta, psi, lr: (theta - of_g(theta, psi, psi * theta), psi - of_d(theta, psi, psi * theta)),
            "The learning rate is missing: you move by the whole derivative."),
        Mistake(lambda theta, psi, lr: (theta, game_step(theta, psi, lr)[1]), "Only psi moves. The generator makes a "
            "step too."),
        Mistake(lambda theta, psi, lr: (game_step(theta, psi, lr)[0], psi), "Only theta moves. The discriminator makes "
            "a step too."),
        Mistake(lambda theta, psi, lr: (of_g(theta, psi, psi * theta), of_d(theta, psi, psi * theta)), "You return the "
            "two derivatives. Wanted is where the players stand after a step against them."),
    ],
)  # fmt: skip
