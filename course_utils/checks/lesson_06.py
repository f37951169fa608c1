"""Checks of lesson 06: the KL term, the ELBO from one sample, the IWAE bound, the effective beta."""

import torch
from torch import Tensor

from course_utils.checks import _bounds
from course_utils.checks._engine import Check, Mistake, difference
from course_utils.gaussian import kl_per_dimension, kl_standard_normal

# ------------------------------------------------------------------------------------------------ kl-standard-normal


def _kl_inputs(g: torch.Generator) -> tuple:
    return 1.5 * torch.randn(5, 3, generator=g), 1.2 * torch.randn(5, 3, generator=g)


def _kl(mu, logvar):
    return kl_standard_normal(mu, logvar)


def _kl_of_terms(terms) -> Mistake:
    """A wrong answer that sums half of other terms."""
    return lambda mu, logvar: 0.5 * terms(mu, logvar).sum(dim=1)


KL_MISTAKES = [
    Mistake(
        lambda mu, logvar: -_kl(mu, logvar),
        "Every value is negative, and a KL divergence never is. Some papers write -0.5 * sum(1 + logvar - ...): which "
        "sign goes with which order of the terms?",
    ),
    Mistake(
        lambda mu, logvar: kl_per_dimension(mu, logvar).mean(dim=1),
        "You average over the dimensions, so your KL is D times too small: the first step to a wrong beta. What "
        "happens to log-densities of independent dimensions?",
    ),
    Mistake(
        lambda mu, logvar: _kl(mu, logvar).mean(),
        "You average over the batch as well. Each example has a KL of its own: over which dimension alone is the sum?",
    ),
    Mistake(
        lambda mu, logvar: _kl(mu, logvar).sum(),
        "You sum over the whole batch and return one number. Each example has a KL of its own: which dim do you pass?",
    ),
    Mistake(
        lambda mu, logvar: kl_per_dimension(mu, logvar).mean(),
        "You average over batch and dimensions and return one number. Which of the two is summed, and which stays?",
    ),
    Mistake(
        lambda mu, logvar: kl_per_dimension(mu, logvar).sum(dim=0),
        "You sum over dimension 0, which is the batch: examples are added up and dimensions kept. Which one is D?",
    ),
    Mistake(
        kl_per_dimension,
        "You return one value for each dimension, (B, D). What is the KL of a whole code made of?",
    ),
    Mistake(lambda mu, logvar: 2 * _kl(mu, logvar), "Your KL is twice too large. Where is the factor one half?"),
    Mistake(
        lambda mu, logvar: _kl(mu, 2 * logvar),
        "You treat logvar as the logarithm of sigma. It is the logarithm of sigma squared: what is exp(logvar) then?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: torch.exp(0.5 * logvar) + mu**2 - 1 - logvar),
        "Your first term is sigma, exp(0.5 * logvar). The formula has sigma squared: how is that had from logvar?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar**2 + mu**2 - 1 - (logvar**2).log()),
        "You use logvar as if it were sigma, and square it. It is log(sigma^2) already: which function undoes a log?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar + mu**2 - 1 - logvar.abs().log()),
        "You use logvar as if it were the variance. Its name says what it is: which function undoes a logarithm?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() + mu - 1 - logvar),
        "mu enters without its square, so a mean below zero would earn nats. Which power has it in the formula?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() + mu**2 - logvar),
        "Your KL of N(0, I) to itself is D / 2, and should be 0. Which constant is missing?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() + mu**2 - 1 + logvar),
        "You add logvar, so narrow posteriors would be free. What should a very small sigma cost, and by which sign?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() + mu**2 - 1),
        "The logarithm of the variance does not appear on its own, so nothing keeps sigma from going to 0. Which term "
        "is missing?",
    ),
    Mistake(
        lambda mu, logvar: (0.5 * logvar.exp() + mu**2 - 1 - logvar).sum(dim=1),
        "Your half stands before the first term only. It belongs to all four terms: where do the brackets go?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() - mu**2 - 1 - logvar),
        "You subtract mu squared, so a mean far from the prior's would lower the KL. What should it cost?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: logvar.exp() + mu**2 + 1 - logvar),
        "Your KL of N(0, I) to itself is D, so no code would ever be free. With which sign does the 1 enter?",
    ),
    Mistake(
        lambda mu, logvar: 0.5 * ((logvar.exp() + mu**2 - logvar).sum(dim=1) - 1),
        "You subtract 1 once, after the sum over the dimensions. Each dimension has a 1 of its own: which bracket does "
        "it belong into?",
    ),
    Mistake(
        _kl_of_terms(lambda mu, logvar: (1 + mu**2) / logvar.exp() - 1 + logvar),
        "That is KL(N(0, I) || q), the other direction. Over which of the two is the expectation taken?",
    ),
]

# ------------------------------------------------------------------------------------------------ measure-beta


def _beta_inputs(g: torch.Generator) -> tuple:
    """A loss with random weights, and terms of the lesson's sizes: what cannot be measured there cannot be here."""
    a, b = (0.2 + 3 * torch.rand(2, generator=g)).tolist()
    over_kl = Tensor.mean if a > 1.5 else Tensor.sum
    recon, kl = (torch.rand(256, n, generator=g, dtype=torch.float64) for n in (784, 20))
    return lambda recon, kl: a * recon.mean() + b * over_kl(kl), recon.requires_grad_(), kl.requires_grad_()


def _measured_twice(fn, loss, recon, kl):
    """The answer for a loss, and if it is right, also that for another loss of the same tensors."""
    first = fn(loss, recon, kl)
    if difference(first, _measure_beta(loss, recon, kl)) is not None:
        return first
    return {"value": first, "of a second loss": fn(lambda recon, kl: loss(recon, 0.01 * kl), recon, kl)}


def _slopes(loss, recon, kl) -> tuple[Tensor, Tensor]:
    return torch.autograd.grad(loss(recon, kl), (recon, kl))


def _measure_beta(loss, recon, kl):
    per_recon, per_kl = _slopes(loss, recon, kl)
    return (per_kl[0, 0] / per_recon[0, 0]).item()


def _of_slopes(combine):
    """A wrong answer that makes something else of the two gradients."""
    return lambda *inputs: combine(*_slopes(*inputs)).item()


def _accumulated(loss, recon, kl):
    loss(recon, kl).backward()
    return (kl.grad[0, 0] / recon.grad[0, 0]).item()


BETA_MISTAKES = [
    Mistake(
        _accumulated,
        "It is right once, but your second measurement contains the first: .backward() adds to .grad. Which function "
        "returns gradients without storing them?",
    ),
    Mistake(
        _of_slopes(lambda r, k: r[0, 0] / k[0, 0]),
        "Your ratio is upside down. A loss with a heavier KL term should have a larger beta: which gradient is divided "
        "by which?",
    ),
    Mistake(
        _of_slopes(lambda r, k: k.sum() / r.sum()),
        "You compare sums of the gradients, so numbers of pixels and dimensions enter. What changes when ONE entry of "
        "each is raised by one nat?",
    ),
    Mistake(
        _of_slopes(lambda r, k: k.norm() / r.norm()),
        "You compare lengths of the gradients, which grow with the number of entries. Which single entries should be "
        "compared?",
    ),
    Mistake(
        _of_slopes(lambda r, k: k[0, 0]),
        "That is the price of a nat of KL alone. Multiplying the whole loss by 2 would double your beta: divide by "
        "what?",
    ),
    Mistake(
        _of_slopes(lambda r, k: r[0, 0]),
        "That is the price of a nat of reconstruction alone. What is it compared with?",
    ),
    Mistake(
        _of_slopes(lambda r, k: k[0, 0] - r[0, 0]),
        "You subtract the two prices. How many times as much does a nat of KL cost?",
    ),
    Mistake(
        _of_slopes(lambda r, k: k[0, 0] * r[0, 0]),
        "You multiply the two prices. How many times as much does a nat of KL cost?",
    ),
    Mistake(
        lambda loss, recon, kl: (loss(0 * recon, kl) / loss(recon, 0 * kl)).item(),
        "You compare the values of the two terms, which depend on the data. The price of a nat is a slope: what is the "
        "derivative of the loss?",
    ),
    Mistake(
        lambda loss, recon, kl: (kl.sum() / recon.sum()).item(),
        "You compare the terms themselves, and the loss is never called. How does IT change when one of them changes?",
    ),
]

CHECKS = [
    Check("kl-standard-normal", "06", _kl, _kl_inputs, KL_MISTAKES),
    Check(
        "one-sample-elbo",
        "06",
        _bounds.one_sample_elbo,
        _bounds.elbo_inputs,
        _bounds.ELBO_MISTAKES,
        observe=_bounds.elbo_and_gradients,
    ),
    Check("iwae", "06", _bounds.iwae, _bounds.iwae_inputs, _bounds.IWAE_MISTAKES),
    Check("measure-beta", "06", _measure_beta, _beta_inputs, BETA_MISTAKES, observe=_measured_twice),
]
