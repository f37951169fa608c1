"""one-sample-elbo: the bound of each example, from one reparameterized sample."""

import math

import torch
from torch.distributions import Normal

from course_utils.checks._check import Check, Mistake
from course_utils.gaussian import kl_per_dimension, kl_standard_normal


def toy_nll(x, z):
    """Some -log p(x|z) that tells every code from every other, and images from rows of their numbers."""
    z, x = z.flatten(1), x.movedim(1, -1).flatten(1)
    return (x - torch.cat([z, z.cos(), z.sin()], dim=1)[:, : x.shape[1]]).square().sum(dim=1) + 3.0


def sample(mu, logvar, eps):
    return mu + torch.exp(0.5 * logvar) * eps


def one_sample_elbo(negative_log_likelihood, x, mu, logvar, eps):
    return -(negative_log_likelihood(x, sample(mu, logvar, eps)) + kl_standard_normal(mu, logvar))


def examples(shape, columns):
    """A likelihood, x of a shape, and mu, logvar and eps of as many columns."""
    return lambda g: (toy_nll, torch.rand(shape, generator=g), *torch.randn(3, shape[0], columns, generator=g))


def of(combine):
    """A wrong answer that combines recon and kl, both (B,), in another way."""
    return lambda nll, x, mu, logvar, eps: combine(nll(x, sample(mu, logvar, eps)), kl_standard_normal(mu, logvar))


def at(z_of):
    """A wrong answer that is right but for its z."""
    return lambda nll, x, mu, logvar, eps: -(nll(x, z_of(mu, logvar, eps)) + kl_standard_normal(mu, logvar))


def kl_is(kl):
    """A wrong answer that is right but for its KL, from mu, logvar and z."""
    return lambda nll, x, mu, logvar, eps: -(
        nll(x, sample(mu, logvar, eps)) + kl(mu, logvar, sample(mu, logvar, eps)))


CHECK = Check(
    one_sample_elbo,
    inputs={"": examples((5, 2, 2, 3), 4), "there is one example": examples((1, 7), 3),
            "a code has one number": examples((4, 3), 1)},
    gradients=("mu", "logvar"),
    mistakes=[
        Mistake(at(lambda mu, s, eps: sample(mu, s, eps).detach()), "The value is right, but the reconstruction sends "
            "no gradient to mu and logvar, so the encoder would learn the KL term alone. What cuts z off: a detach(), "
            "an .item(), a no_grad()?"),
        Mistake(at(lambda mu, s, eps: sample(mu, s.detach(), eps)), "The value is right, but the reconstruction sends "
            "no gradient to logvar, so every standard deviation would grow to 1. Which part of z is detached?"),
        Mistake(at(lambda mu, s, eps: sample(mu.detach(), s, eps)), "The value is right, but the reconstruction sends "
            "no gradient to mu, so every mean would go to 0. Which part of z is detached?"),
        Mistake(of(lambda recon, kl: -(recon + kl.detach())), "The value is right, but the KL sends no gradient to mu "
            "and logvar, so nothing would hold the codes near the prior. Where is it cut off?"),
        Mistake(lambda *inputs: one_sample_elbo(*inputs).detach(), "The value is right, but it carries no gradient at "
            "all, so nothing could be trained with it. Where is the result cut off from mu and logvar?"),
        Mistake(of(lambda recon, kl: recon + kl), "That is the loss, minus the ELBO: right in size, wrong in sign. "
            "Which of the two is maximised?"),
        Mistake(of(lambda recon, kl: kl - recon), "You add the KL instead of subtracting it, so codes far from the "
            "prior would be rewarded. In which direction does it move the bound?"),
        Mistake(of(lambda recon, kl: recon - kl), "The sign of the reconstruction is wrong: the given function returns "
            "MINUS log p(x|z). What has to be done to it to have log p(x|z)?"),
        Mistake(of(lambda recon, kl: -(recon + kl).mean()), "You average over the batch. Each example has a bound of "
            "its own; where does the mean belong, if anywhere?"),
        Mistake(of(lambda recon, kl: (recon + kl).mean()), "That is the loss of the batch: its sign is wrong for a "
            "bound, and it is averaged over the examples. Which shape should come out?"),
        Mistake(of(lambda recon, kl: -(recon + kl).sum()), "You sum over the batch. Each example has a bound of its "
            "own: which shape should come out?"),
        Mistake(of(lambda recon, kl: -(recon.mean() + kl)), "Your reconstruction is averaged over the batch, your KL "
            "is not, so every example is charged the same for its reconstruction. What shape has `recon` before you "
            "reduce it?"),
        Mistake(of(lambda recon, kl: -(recon + kl.mean())), "Your KL is averaged over the batch, your reconstruction "
            "is not. What shape should each of the two have?"),
        Mistake(of(lambda recon, kl: -(recon + kl.sum())), "Your KL is summed over the batch, so every example pays "
            "for all of them. What shape should it have?"),
        Mistake(of(lambda recon, kl: -(recon.sum() + kl)), "Your reconstruction is summed over the batch, so every "
            "example pays for all of them. What shape should it have?"),
        Mistake(of(lambda recon, kl: -(recon + kl[:, None])), "Broadcasting has made a table (B, B): recon has shape "
            "(B,), and your KL (B, 1). Print the two shapes."),
        Mistake(of(lambda recon, kl: -recon), "The KL term is missing. What does it cost to tell which code is meant?"),
        Mistake(of(lambda recon, kl: -kl), "The reconstruction term is missing. Which function was given for it?"),
        Mistake(of(lambda recon, kl: -(recon + 0.5 * kl)), "Your KL counts half. The half of its formula must not "
            "stand there twice."),
        Mistake(of(lambda recon, kl: -(recon + 2 * kl)), "Your KL counts twice: is the half of its formula missing?"),
        Mistake(of(lambda recon, kl: -0.5 * (recon + kl)), "You take half of everything. Only the KL's own formula has "
            "a half."),
        Mistake(of(lambda recon, kl: -(recon.log() + kl)), "You take the logarithm of the reconstruction. The given "
            "function returns one already: -log p(x|z)."),
        Mistake(of(lambda recon, kl: torch.exp(-recon) - kl), "You turn the reconstruction into a density with exp. "
            "The bound is made of logarithms: leave it as it is, but for its sign."),
        Mistake(of(lambda recon, kl: torch.exp(-(recon + kl))), "You take exp of the bound. It bounds log p(x), not "
            "p(x): return it in nats."),
        Mistake(of(lambda recon, kl: -recon * kl), "You multiply the two terms. What does the formula do with them?"),
        Mistake(lambda nll, x, mu, s, eps: (-(nll(x, sample(mu, s, eps)) / x[0].numel() + kl_standard_normal(mu, s))),
            "Your reconstruction is averaged over the pixels, so the KL counts too much. -log p(x|z) is the sum that "
            "the given function returns."),
        Mistake(kl_is(lambda mu, s, z: kl_per_dimension(mu, s).mean(dim=1)), "Your KL is averaged over the dimensions. "
            "It is a sum: by how much does that raise your bound?"),
        Mistake(lambda nll, x, mu, s, eps: (-(nll(x, sample(mu, s, eps))[:, None] + kl_per_dimension(mu, s))), "You "
            "return one value for each dimension, (B, D). The KL is a sum over the dimensions."),
        Mistake(kl_is(lambda mu, s, z: 0.5 * ((1 + mu**2) / s.exp() - 1 + s).sum(dim=1)), "Your KL is that of the "
            "prior to q, the other direction. Over which of the two is the expectation?"),
        Mistake(kl_is(lambda mu, s, z: kl_standard_normal(z, s)), "Your KL takes z for the mean of q. Its mean is mu; "
            "z is one draw."),
        Mistake(kl_is(lambda mu, s, z: 0.5 * (z**2 + math.log(2 * math.pi)).sum(dim=1)), "You subtract -log p(z) "
            "alone. The KL has log q(z|x) too, or, better, its closed form."),
        Mistake(kl_is(lambda mu, s, z: 0.5 * z.square().sum(dim=1)), "You take half of z squared for the KL. That is "
            "only the prior's part, at one draw: use the closed form from mu and logvar."),
        Mistake(kl_is(lambda mu, s, z: kl_standard_normal(s, mu)), "In your KL, mu and logvar are exchanged: "
            "kl_standard_normal(mu, logvar) is the order."),
        Mistake(at(lambda mu, s, eps: mu), "You decode mu, and the noise is never used. The expectation is over q: how "
            "is z drawn from it?"),
        Mistake(at(lambda mu, s, eps: sample(mu, 2 * s, eps)), "Your z has standard deviation exp(logvar), which is "
            "the variance. Where is the half of lesson 05?"),
        Mistake(at(lambda mu, s, eps: mu + 0.5 * s * eps), "Your z uses half of logvar, which is log sigma, as "
            "standard deviation. Which function makes sigma of it?"),
        Mistake(at(lambda mu, s, eps: mu + s * eps), "Your z uses logvar itself as sigma. What undoes a logarithm?"),
        Mistake(at(lambda mu, s, eps: mu + s.sqrt() * eps), "Your z uses the root of logvar, which is nan where logvar "
            "is negative. What comes before the root?"),
        Mistake(at(lambda mu, s, eps: mu + 0.5 * s.exp() * eps), "Your z uses half of the variance as standard "
            "deviation. The half belongs into the exponent."),
        Mistake(at(lambda mu, s, eps: sample(mu, -s, eps)), "Your z uses 1 / sigma. Which sign has the exponent?"),
        Mistake(at(lambda mu, s, eps: mu + eps), "Your z is mu + eps: its standard deviation is 1 whatever logvar "
            "says. What is eps multiplied by?"),
        Mistake(at(lambda mu, s, eps: torch.exp(0.5 * s) * eps), "Your z lies around 0 and not around mu. What is "
            "added to std * eps?"),
        Mistake(at(lambda mu, s, eps: mu + torch.exp(0.5 * s) + eps), "You add std and eps. Which operation changes "
            "the width of the noise?"),
        Mistake(at(lambda mu, s, eps: (mu + eps) * torch.exp(0.5 * s)), "You multiply mu by std as well. Only eps is "
            "stretched: where do the brackets belong?"),
        Mistake(at(lambda mu, s, eps: mu + torch.exp(0.5 * s)), "Your z is mu + std: the noise is never used. What is "
            "std multiplied by?"),
        Mistake(lambda nll, x, mu, s, eps: one_sample_elbo(nll, x, mu, s, torch.randn_like(mu)), "You draw noise of "
            "your own, and the given eps is not used. With the same eps, two calls should agree."),
        Mistake(at(lambda mu, s, eps: sample(mu, s, eps[0])), "All examples share the first row of eps. Each example "
            "has noise of its own."),
        Mistake(lambda nll, x, mu, s, eps: one_sample_elbo(nll, x.flatten(1), mu, s, eps), "You flatten x before the "
            "given function sees it. It takes x as it is."),
        Mistake(lambda nll, x, mu, s, eps: one_sample_elbo(lambda x, z: nll(z, x), x, mu, s, eps), "You call the given "
            "function with z first. Which order has the docstring?"),
        Mistake(at(lambda mu, s, eps: eps), "You decode eps itself, a draw from the prior that knows nothing of x. How "
            "do mu and logvar enter z?"),
        Mistake(kl_is(lambda mu, s, z: (
                    Normal(mu, torch.exp(0.5 * s)).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=1)), "That is "
            "an unbiased estimate too, but its KL is estimated from the same single sample. The closed form of "
            "exercise 1 has no error: can you use it?"),
        Mistake(of(lambda recon, kl: (-(recon + kl), recon, kl)), "You return several things. The lesson goes on with "
            "the bounds alone, (B,)."),
    ],
)  # fmt: skip
