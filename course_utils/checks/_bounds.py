"""The one-sample ELBO and the IWAE bound of lesson 06: inputs, right answers, and the wrong ones that people give."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from course_utils.checks._engine import Mistake, difference
from course_utils.gaussian import kl_standard_normal, log_mean_exp

# ------------------------------------------------------------------------------------------------ one-sample-elbo


def _toy_nll(x: Tensor, z: Tensor) -> Tensor:
    """Some -log p(x|z) that tells every code from every other."""
    decoded = torch.cat([z, z.cos()], dim=1)[:, : x[0].numel()]
    return (x.flatten(1) - decoded).square().sum(dim=1) + 3.0


def elbo_inputs(g: torch.Generator) -> tuple:
    """What the ELBO exercise is called with: a likelihood, x (5, 1, 2, 3), and mu, logvar, eps, each (5, 4)."""
    mu, logvar, eps = torch.randn(3, 5, 4, generator=g)
    return _toy_nll, torch.rand(5, 1, 2, 3, generator=g), mu, logvar, eps


def _parts(nll, x, mu, logvar, eps, *, half: float = 0.5) -> tuple[Tensor, Tensor]:
    """recon and kl, both (B,); half=1 makes the mistake of z with exp(logvar) for the standard deviation."""
    return nll(x, mu + torch.exp(half * logvar) * eps), kl_standard_normal(mu, logvar)


def one_sample_elbo(nll, x, mu, logvar, eps):
    """The reference: minus recon and kl, in nats, (B,)."""
    recon, kl = _parts(nll, x, mu, logvar, eps)
    return -(recon + kl)


def elbo_and_gradients(fn, nll, x, mu, logvar, eps):
    """The answer, and if its value is right, also the gradients that it sends to the encoder's mu and logvar."""
    value = fn(nll, x, mu, logvar, eps)
    if difference(value, one_sample_elbo(nll, x, mu, logvar, eps)) is not None:
        return value
    leaves = [mu.clone().requires_grad_(), logvar.clone().requires_grad_()]
    again = fn(nll, x, *(leaf * 1.0 for leaf in leaves), eps)
    if again.requires_grad:
        again.sum().backward()
    of_mu, of_logvar = (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves)
    return {"value": value, "gradient for mu": of_mu, "gradient for logvar": of_logvar}


def _combined(combine, **options):
    """A wrong answer that combines recon and kl in another way."""
    return lambda *inputs: combine(*_parts(*inputs, **options))


def _sampled_kl(nll, x, mu, logvar, eps):
    std = torch.exp(0.5 * logvar)
    z = mu + std * eps
    return -nll(x, z) - (Normal(mu, std).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=1)


def _at(z_of):
    """A wrong answer that is right but for its z."""
    return lambda nll, x, mu, logvar, eps: -(nll(x, z_of(mu, logvar, eps)) + kl_standard_normal(mu, logvar))


ELBO_MISTAKES = [
    Mistake(
        _at(lambda mu, logvar, eps: (mu + torch.exp(0.5 * logvar) * eps).detach()),
        "The value is right, but the reconstruction sends no gradient to mu and logvar, so the encoder would learn the "
        "KL term alone. What cuts z off: a detach(), an .item(), a no_grad()?",
    ),
    Mistake(
        _at(lambda mu, logvar, eps: mu + torch.exp(0.5 * logvar).detach() * eps),
        "The value is right, but the reconstruction sends no gradient to logvar, so every standard deviation would "
        "grow to 1. Which part of z is detached?",
    ),
    Mistake(
        lambda *inputs: one_sample_elbo(*inputs).detach(),
        "The value is right, but it carries no gradient at all, so nothing could be trained with it. Where is the "
        "result cut off from mu and logvar?",
    ),
    Mistake(
        _combined(lambda recon, kl: recon + kl),
        "That is the loss, minus the ELBO: right in size, wrong in sign. Which of the two is maximised?",
    ),
    Mistake(
        _combined(lambda recon, kl: kl - recon),
        "You add the KL instead of subtracting it, so codes far from the prior would be rewarded. In which direction "
        "does it move the bound?",
    ),
    Mistake(
        _combined(lambda recon, kl: recon - kl),
        "The sign of the reconstruction is wrong: the given function returns MINUS log p(x|z). What has to be done to "
        "it to have log p(x|z)?",
    ),
    Mistake(
        _combined(lambda recon, kl: -(recon + kl).mean()),
        "You average over the batch. Each example has a bound of its own; where does the mean belong, if anywhere?",
    ),
    Mistake(
        _combined(lambda recon, kl: -(recon + kl).sum()),
        "You sum over the batch. Each example has a bound of its own: which shape should come out?",
    ),
    Mistake(
        _combined(lambda recon, kl: -(recon.mean() + kl)),
        "Your reconstruction is averaged over the batch, your KL is not, so every example is charged the same for its "
        "reconstruction. What shape has `recon` before you reduce it?",
    ),
    Mistake(
        _combined(lambda recon, kl: -(recon + kl.mean())),
        "Your KL is averaged over the batch, your reconstruction is not. What shape should each of the two have?",
    ),
    Mistake(
        _combined(lambda recon, kl: -recon), "The KL term is missing. What does it cost to tell which code is meant?"
    ),
    Mistake(_combined(lambda recon, kl: -kl), "The reconstruction term is missing. Which function was given for it?"),
    Mistake(
        lambda nll, x, mu, logvar, eps: (
            -(nll(x, mu + torch.exp(0.5 * logvar) * eps) + kl_standard_normal(mu, logvar) / mu.shape[1])
        ),
        "Your KL is averaged over the dimensions. It is a sum: by how much does that raise your bound?",
    ),
    Mistake(
        _at(lambda mu, logvar, eps: mu),
        "You decode mu, and the noise is never used. The expectation is over q: how is z drawn from it?",
    ),
    Mistake(
        _combined(lambda recon, kl: -(recon + kl), half=1.0),
        "Your z has standard deviation exp(logvar), which is the variance. Where is the half of lesson 05?",
    ),
    Mistake(
        _at(lambda mu, logvar, eps: mu + 0.5 * logvar * eps),
        "Your z uses half of logvar, which is log sigma, as standard deviation. Which function makes sigma of it?",
    ),
    Mistake(
        _at(lambda mu, logvar, eps: mu + logvar * eps),
        "Your z uses logvar itself as standard deviation. How do you get from log(sigma^2) to sigma?",
    ),
    Mistake(
        lambda nll, x, mu, logvar, eps: one_sample_elbo(nll, x, mu, logvar, torch.randn_like(mu)),
        "You draw noise of your own, and the given eps is not used. With the same eps, two calls should agree.",
    ),
    Mistake(
        _at(lambda mu, logvar, eps: eps),
        "You decode eps itself, a draw from the prior that knows nothing of x. How do mu and logvar enter z?",
    ),
    Mistake(
        _sampled_kl,
        "That is an unbiased estimate too, but its KL is estimated from the same single sample. The closed form of "
        "exercise 1 has no error: can you use it?",
    ),
]

# ------------------------------------------------------------------------------------------------ iwae


def iwae_inputs(g: torch.Generator) -> tuple:
    """Log-weights of ordinary size in the first example, and of such sizes in the others that exp fails.

    In the last one sample stands far above the others, so that it must be the one that is taken out.
    """
    level = torch.tensor([0.0, -260.0, -900.0, 200.0, -90.0]) + torch.zeros(7, 1)
    level[3, 4] += 200
    return level + 2 * torch.randn(7, 5, generator=g), 1.5 * torch.randn(7, 5, generator=g)


def iwae(log_joint, log_q):
    """The reference: the logarithm of the mean weight over the K samples, (K, B) to (B,)."""
    return log_mean_exp(log_joint - log_q, dim=0)


def _of_weights(bound):
    """A wrong answer that makes something else of the log-weights (K, B)."""
    return lambda log_joint, log_q: bound(log_joint - log_q)


def _one_maximum(log_weights):
    return log_weights.max() + (log_weights - log_weights.max()).exp().mean(dim=0).log()


def _mean_out(log_weights):
    shift = log_weights.mean(dim=0)
    return shift + (log_weights - shift).exp().mean(dim=0).log()


def _not_added_back(log_weights):
    return (log_weights - log_weights.max(dim=0).values).exp().mean(dim=0).log()


IWAE_MISTAKES = [
    Mistake(
        _of_weights(lambda w: w.exp().mean(dim=0).log()),
        "The formula is right, but exp overflows or underflows: some of your bounds are infinite. Take each "
        "example's largest log-weight out first. What is added back after the logarithm?",
    ),
    Mistake(
        _of_weights(lambda w: (w.exp().mean(dim=0) + 1e-8).log()),
        "A small number inside the logarithm hides the underflow: your bound is log(1e-8) = -18.4 wherever all weights "
        "vanish. What can be subtracted before exp, and added back later?",
    ),
    Mistake(
        _of_weights(lambda w: w.mean(dim=0)),
        "That is the mean of the logarithms, which is the ELBO however many samples you take. Which comes first, the "
        "mean or the logarithm?",
    ),
    Mistake(
        _of_weights(lambda w: w.logsumexp(dim=0)),
        "You sum the weights and do not average them: your bound is too high by log K, and is no bound. What has to be "
        "subtracted?",
    ),
    Mistake(
        _of_weights(lambda w: w.logsumexp(dim=0) / len(w)),
        "You divide the logarithm by K. The sum inside the logarithm is divided by K: what is that outside of it?",
    ),
    Mistake(
        _of_weights(lambda w: w.logsumexp(dim=0) + math.log(len(w))),
        "You add log K. A mean is smaller than a sum: with which sign does log K enter?",
    ),
    Mistake(
        _of_weights(lambda w: w.logsumexp(dim=0) - math.log(w.shape[1])),
        "You subtract the logarithm of the number of examples. Which of the two dimensions counts the samples?",
    ),
    Mistake(
        _of_weights(lambda w: log_mean_exp(w, dim=1)),
        "You average over dimension 1, the examples, and mix their weights. Along which dimension do the samples lie?",
    ),
    Mistake(
        _of_weights(lambda w: log_mean_exp(w.flatten(), dim=0)),
        "You average over samples and examples together and return one number. Each example has its own bound.",
    ),
    Mistake(
        _of_weights(lambda w: log_mean_exp(w, dim=0).mean()),
        "You average the bounds over the batch. Each example has a bound of its own: return all B of them.",
    ),
    Mistake(
        lambda log_joint, log_q: log_mean_exp(log_q - log_joint, dim=0),
        "Your weights are upside down: q over p. Where does the density stand that z was drawn from?",
    ),
    Mistake(
        lambda log_joint, log_q: -iwae(log_joint, log_q),
        "You return minus the bound. Larger is better here: which sign has a bound on log p(x)?",
    ),
    Mistake(
        lambda log_joint, log_q: log_mean_exp(log_joint, dim=0),
        "The weights are not divided by q. The samples came from q, not from the prior: what corrects for that?",
    ),
    Mistake(
        lambda log_joint, log_q: log_mean_exp(log_joint + log_q, dim=0),
        "You add log q, so you multiply by q. The weight divides by it: what is a division, in logarithms?",
    ),
    Mistake(
        lambda log_joint, log_q: log_mean_exp(log_joint, dim=0) - log_mean_exp(log_q, dim=0),
        "You divide one mean by another. Each sample has its own weight, p over q: which operation comes first?",
    ),
    Mistake(
        _of_weights(lambda w: w.max(dim=0).values),
        "You return the largest log-weight alone. It is a good start: what has to be added to it?",
    ),
    Mistake(
        _of_weights(_one_maximum),
        "You take out one maximum for the whole batch, so examples with much smaller weights underflow. Whose maximum "
        "does each example need?",
    ),
    Mistake(
        _of_weights(_mean_out),
        "You take out the mean of the log-weights, the smallest, or the first of them, and where one sample has by far "
        "the largest weight, exp still overflows. Which one must go?",
    ),
    Mistake(
        _of_weights(_not_added_back),
        "You take out the largest log-weight and never put it back: your bound is at most 0 and knows nothing of p(x). "
        "What is added after the logarithm?",
    ),
    Mistake(
        _of_weights(lambda w: (w.softmax(dim=0) * w).sum(dim=0)),
        "You average log-weights with normalised weights. That lies above the bound; no softmax is needed. What is the "
        "logarithm of a plain mean?",
    ),
]
