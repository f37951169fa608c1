"""bound-on-grid: the ELBO and its gap as sums over an evenly spaced grid of codes."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import detached
from course_utils.checks.lesson_06.posterior_on_grid import joints, posterior_on_grid


def bound_on_grid(log_joints, log_q, step):
    return elbo_of(log_joints, log_q, step), gap_of(log_joints, log_q, step)


def elbo_of(p, q, step):
    return (q.exp() * (p - q)).sum(dim=1) * step


def log_posterior(p, step):
    return p - posterior_on_grid(p, step)[0][:, None]


def gap_of(p, q, step):
    return (q.exp() * (q - log_posterior(p, step))).sum(dim=1) * step


def densities(examples, codes):
    """Joint densities with two humps, and a Gaussian q for each."""

    def inputs(g):
        log_joints, step = joints(examples, codes)(g)
        z = torch.linspace(-6, 6, codes, dtype=torch.float64)
        mean, std = torch.randn(examples, 1, generator=g), 0.5 + 0.4 * torch.rand(examples, 1, generator=g)
        return log_joints, Normal(mean.double(), std.double()).log_prob(z), step

    return inputs


def steep(examples, codes):
    """The same, with joint densities so steep that most of them are 0 as numbers, and only their logarithms are not."""

    def inputs(g):
        log_joints, log_q, step = densities(examples, codes)(g)
        return 60 * log_joints, log_q, step

    return inputs


def log_of_density(p, q, step):
    return (q.exp() * (q - posterior_on_grid(p, step)[1].log())).sum(dim=1) * step


def with_history(fn, log_joints, log_q, step):
    """What an answer returns, and whether the ELBO can be differentiated by log q; all in the form of the answer."""
    out = fn(log_joints, log_q.requires_grad_(), step)
    log_q.requires_grad_(False)
    if not isinstance(out, (tuple, list)) or len(out) != 2 or not isinstance(out[0], Tensor):
        return out
    return Parts({"": detached(out), "gradient for log_q": torch.tensor(float(out[0].requires_grad))})


def wrong_bound(make):
    """A wrong answer whose gap is right."""
    return lambda p, q, step: (make(p, q, step), gap_of(p, q, step))


def wrong_gap(make):
    """A wrong answer whose ELBO is right."""
    return lambda p, q, step: (elbo_of(p, q, step), make(p, q, step))


def both(elbo, gap):
    return lambda p, q, step: (elbo(p, q, step), gap(p, q, step))


CHECK = Check(
    bound_on_grid,
    inputs={"": densities(3, 121), "there is one example": densities(1, 241),
            "densities are too small for a number": steep(2, 161)},
    observe=with_history,
    mistakes=[
        Mistake(wrong_gap(log_of_density), "Your ELBO is right. Your gap is not a number, or infinite, where "
            "the posterior density is too small for a number and becomes 0. Do not take its logarithm: log_joints has "
            "log p(x, z), and log p(z|x) is that minus log p(x)."),
        Mistake(wrong_bound(lambda p, q, step: -elbo_of(p, q, step)), "The gap is right. Your ELBO has the wrong sign: "
            "you return the loss. What is the mean of log w?"),
        Mistake(wrong_bound(lambda p, q, step: (q.exp() * (p + q)).sum(dim=1) * step), "The gap is right. In your ELBO "
            "log q is added. The weight divides by q: what does its logarithm do?"),
        Mistake(wrong_bound(lambda p, q, step: (q.exp() * p).sum(dim=1) * step), "The gap is right. In your ELBO the "
            "entropy of q is missing: log w has a third term, minus log q."),
        Mistake(wrong_bound(lambda p, q, step: (p.exp() * (p - q)).sum(dim=1) * step), "The gap is right. Your ELBO is "
            "an average over the joint density. Over which density does the mean go?"),
        Mistake(wrong_bound(lambda p, q, step: (log_posterior(p, step).exp() * (p - q)).sum(dim=1) * step), "The gap "
            "is right. Your ELBO is an average over the posterior. Over which density does the mean go?"),
        Mistake(wrong_bound(lambda p, q, step: (q * (p - q)).sum(dim=1) * step), "The gap is right. Your ELBO is "
            "weighted with log q. What undoes the logarithm?"),
        Mistake(wrong_bound(lambda p, q, step: (q.exp() * (p.exp() - q.exp())).sum(dim=1) * step), "The gap is right. "
            "Your ELBO averages a difference of densities. What is averaged are logarithms."),
        Mistake(wrong_bound(lambda p, q, step: (p - q).mean(dim=1)), "The gap is right. Your ELBO is a plain average "
            "over the grid, where all codes count alike. Weight each code with q times step."),
        Mistake(wrong_bound(lambda p, q, step: (q.exp() * (p - q)).mean(dim=1)), "The gap is right. Your ELBO averages "
            "over the codes of the grid. The integral is a sum of density times step."),
        Mistake(wrong_bound(lambda p, q, step: (q.exp() * (p - q)).sum(dim=1)), "The gap is right. Your ELBO leaves "
            "out the distance between the codes, step."),
        Mistake(wrong_bound(lambda p, q, step: posterior_on_grid(p, step)[0]), "The gap is right. Your bound is log "
            "p(x) itself: did you take the logarithm of the mean weight? The ELBO is the mean of the logarithms."),
        Mistake(wrong_gap(lambda p, q, step: -gap_of(p, q, step)), "The ELBO is right. Your gap is negative, and a KL "
            "divergence never is: which logarithm comes first?"),
        Mistake(wrong_gap(lambda p, q, step: (
                log_posterior(p, step).exp() * (log_posterior(p, step) - q)).sum(dim=1) * step), "The ELBO is right. "
            "Your gap is KL(posterior || q), the other direction. Over which of the two is the average?"),
        Mistake(wrong_gap(lambda p, q, step: (
                log_posterior(p, step).exp() * (q - log_posterior(p, step))).sum(dim=1) * step), "The ELBO is right. "
            "Your gap is an average over the posterior. In KL(q || p(z|x)) the average is over q."),
        Mistake(wrong_gap(lambda p, q, step: (q.exp() * (q - p)).sum(dim=1) * step), "The ELBO is right. Your gap "
            "compares q with the joint density, which is minus the ELBO. The posterior is the joint density divided by "
            "p(x)."),
        Mistake(wrong_gap(lambda p, q, step: (
                q.exp() * (q - log_posterior(p, step).exp())).sum(dim=1) * step), "The ELBO is right. In your gap the "
            "posterior is a density, and log q a logarithm. Take both as logarithms."),
        Mistake(wrong_gap(lambda p, q, step: (
                q.exp() * (q - (p - posterior_on_grid(p, step)[0].exp()[:, None]))).sum(dim=1) * step), "The ELBO is "
            "right. In your gap p(x) is subtracted from a logarithm. posterior_on_grid returns log p(x) already."),
        Mistake(wrong_gap(lambda p, q, step: (
                q.exp() * (q - p - posterior_on_grid(p, step)[0][:, None])).sum(dim=1) * step), "The ELBO is right. In "
            "your gap log p(x) has the wrong sign: log p(z|x) = log p(x, z) - log p(x)."),
        Mistake(wrong_gap(lambda p, q, step: (q.exp() * (q - log_posterior(p, step))).sum(dim=1)), "The ELBO is right. "
            "Your gap leaves out the distance between the codes, step."),
        Mistake(wrong_gap(lambda p, q, step: (q.exp() * (q - log_posterior(p, step))).mean(dim=1)), "The ELBO is "
            "right. Your gap averages over the codes of the grid. The integral is a sum of density times step."),
        Mistake(wrong_gap(lambda p, q, step: (q - log_posterior(p, step)).sum(dim=1) * step), "The ELBO is right. Your "
            "gap is not weighted with q, so all codes count alike."),
        Mistake(wrong_gap(lambda p, q, step: (
                q.exp() * (q - Normal(0.0, 1.0).log_prob(torch.linspace(-6, 6, p.shape[1], dtype=p.dtype))))
                .sum(dim=1) * step), "The ELBO is right. Your gap is the KL divergence from q to the prior. The gap is "
            "that to the posterior."),
        Mistake(both(lambda p, q, step: (q.exp() * (p - q)).sum(dim=1),
                     lambda p, q, step: (q.exp() * (q - log_posterior(p, step))).sum(dim=1)), "Both of your sums leave "
            "out the distance between the codes, step."),
        Mistake(both(lambda p, q, step: elbo_of(p, q, step) / math.log(2),
                     lambda p, q, step: gap_of(p, q, step) / math.log(2)), "Both are in bits. Use the natural "
            "logarithm."),
        Mistake(both(lambda p, q, step: elbo_of(p, q, step).mean(), lambda p, q, step: gap_of(p, q, step).mean()),
            "You average over the examples. Each row has a bound and a gap of its own."),
        Mistake(both(lambda p, q, step: elbo_of(p, q, step).sum(), lambda p, q, step: gap_of(p, q, step).sum()),
            "You sum over the examples too. Each row has a bound and a gap of its own: over which dimension is the "
            "sum?"),
        Mistake(both(gap_of, elbo_of), "You return the two in the other order: the ELBO comes first."),
        Mistake(elbo_of, "You return the ELBO alone. The gap is the second thing to return."),
        Mistake(lambda p, q, step: tuple(one.detach() for one in bound_on_grid(p, q, step)), "The values are right, "
            "but no gradient reaches log q, so q could not be trained. Look for detach, no_grad, .item() or NumPy."),
    ],
)  # fmt: skip
