"""importance-sampling: p(x) as a mean weight, with its standard error."""

import math

import numpy as np
import torch
from torch.distributions import Normal

from course_utils.checks._check import Check, Mistake
from course_utils.checks._difference import NUMBERS


def importance_sampling(log_joint, x, mu, std, eps):
    w = weights(log_joint, x, mu, std, mu + std * eps)
    return w.mean(), w.std() / math.sqrt(len(w))


def weights(log_joint, x, mu, std, z):
    return (log_joint(x, z) - Normal(mu, std).log_prob(z)).exp()


def as_numbers(fn, *inputs):
    """What an answer returns, its numbers as Python's own, whether they were tensors or not."""
    out = fn(*inputs)
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        return out
    return tuple(float(one) if isinstance(one, NUMBERS) and not np.ndim(one) else one for one in out)


def some(draws, numbers):
    """A model with another slope for each number of x, and a q with another mean and width each time."""

    def inputs(g):
        slopes = torch.randn(numbers, generator=g)

        def log_joint(x, z):
            z = torch.as_tensor(z)
            mean = torch.stack([slope * z + 0.2 * z**2 for slope in slopes], dim=-1)
            return Normal(0.0, 1.0).log_prob(z) + Normal(mean, 0.9).log_prob(x).sum(dim=-1)

        mu, std = 0.5 * torch.randn(1, generator=g).item(), 0.6 + torch.rand(1, generator=g).item()
        return log_joint, torch.randn(numbers, generator=g), mu, std, torch.randn(draws, generator=g)

    return inputs


def of(make):
    """A wrong answer that makes its two results of the right weights (K,)."""
    return lambda log_joint, x, mu, std, eps: make(weights(log_joint, x, mu, std, mu + std * eps))


def summed(w):
    """The right two results of other weights."""
    return w.mean(), w.std() / math.sqrt(len(w))


def other(make):
    """A wrong answer whose weights are make(log p, log q) at the right draws."""

    def answer(log_joint, x, mu, std, eps):
        z = mu + std * eps
        return summed(make(log_joint(x, z), Normal(mu, std).log_prob(z)))

    return answer


def at(draws):
    """A wrong answer that is right but for its draws."""
    return lambda log_joint, x, mu, std, eps: summed(weights(log_joint, x, mu, std, draws(mu, std, eps)))


CHECK = Check(
    importance_sampling,
    inputs={"": some(40, 2), "there are few draws": some(7, 3), "x is one number": some(60, 1)},
    observe=as_numbers,
    mistakes=[
        Mistake(of(lambda w: (w.mean(), w.std())), "The estimate is right. What you return beside it is the standard "
            "deviation of one weight. How much smaller is that of the average of K of them?"),
        Mistake(of(lambda w: (w.mean(), w.std() / len(w))), "The estimate is right. Your error divides by K: the "
            "standard deviation of an average falls with the root of K."),
        Mistake(of(lambda w: (w.mean(), w.var() / len(w))), "The estimate is right. Your error is a variance, that of "
            "the average. Its root is asked for."),
        Mistake(of(lambda w: (w.mean(), w.var() / math.sqrt(len(w)))), "The estimate is right. Your error starts from "
            "the variance of the weights: std is its root."),
        Mistake(of(lambda w: (w.mean(), 1.96 * w.std() / math.sqrt(len(w)))), "The estimate is right. You return "
            "half of the bar, 1.96 standard errors. One standard error is asked for."),
        Mistake(of(lambda w: (w.mean(), w.log().std() / math.sqrt(len(w)))), "The estimate is right. Your error is "
            "that of the mean of the logarithms. What was averaged?"),
        Mistake(of(lambda w: (w.mean().log(), w.std() / math.sqrt(len(w)))), "You return log p(x). p(x) itself is "
            "asked for, since the error belongs to it."),
        Mistake(of(lambda w: (w.mean().log(), w.log().std() / math.sqrt(len(w)))), "You return logarithms. p(x) "
            "itself is asked for, and the standard error of the mean weight."),
        Mistake(of(lambda w: (w.log().mean(), w.log().std() / math.sqrt(len(w)))), "You average the logarithms of the "
            "weights. That is the ELBO of the next section; p(x) is the mean of the weights themselves."),
        Mistake(of(lambda w: (w.log().mean().exp(), w.std() / math.sqrt(len(w)))), "You average the logarithms and "
            "take exp at the end, which gives too little: take exp of each weight first, then the mean."),
        Mistake(of(lambda w: (w.sum(), w.std() / math.sqrt(len(w)))), "You sum the weights. p(x) is their mean."),
        Mistake(of(lambda w: (w.sum(), w.std() * math.sqrt(len(w)))), "You sum the weights. p(x) is their mean."),
        Mistake(of(lambda w: w.mean()), "You return the estimate alone. An estimate by sampling comes with its "
            "standard error: what is it?"),
        Mistake(of(lambda w: w), "You return all K weights. What becomes of them?"),
        Mistake(of(lambda w: (w.std() / math.sqrt(len(w)), w.mean())), "You return the two in the other order: the "
            "estimate comes first."),
        Mistake(other(lambda p, q: p.exp()), "Your weights are not divided by q. The draws come from q and not from "
            "the prior: what corrects for that?"),
        Mistake(other(lambda p, q: (p + q).exp()), "You add log q, so you multiply by q. The weight divides by it."),
        Mistake(other(lambda p, q: (q - p).exp()), "Your weights are upside down: q over p. Which density stands "
            "below the line?"),
        Mistake(other(lambda p, q: p / q), "You divide one logarithm by another. What is the logarithm of p / q?"),
        Mistake(other(lambda p, q: (p / q).exp()), "You divide one logarithm by another. What is the logarithm of "
            "p / q?"),
        Mistake(other(lambda p, q: p.exp() / q), "You divide the density by log q. Take exp of both, or subtract the "
            "logarithms."),
        Mistake(other(lambda p, q: (p - q).softmax(dim=0)), "You normalise the weights to sum to 1, so their mean is "
            "1 / K whatever x is. p(x) is the mean of the weights as they are."),
        Mistake(at(lambda mu, std, eps: eps), "Your draws are the noise itself, so they come from N(0, 1) and not from "
            "q. How do mu and std enter?"),
        Mistake(at(lambda mu, std, eps: mu + std**2 * eps), "Your draws are mu + std^2 * eps, whose standard deviation "
            "is the variance."),
        Mistake(at(lambda mu, std, eps: mu + eps), "Your draws are mu + eps: their standard deviation is 1 whatever "
            "std says."),
        Mistake(at(lambda mu, std, eps: std * eps), "Your draws lie around 0 and not around mu."),
        Mistake(at(lambda mu, std, eps: mu + math.exp(0.5 * std) * eps), "You treat std as a logarithm of the "
            "variance. Here it is the standard deviation itself."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps) - Normal(0.0, 1.0).log_prob(mu + std * eps)).exp()), "You divide by the "
            "prior. Divide by the density that the draws come from."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps) - Normal(0.0, 1.0).log_prob(eps)).exp()), "You take log q at eps, as if "
            "q were N(0, 1). q is N(mu, std^2), and the draws are z."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps) - Normal(mu, std).log_prob(eps)).exp()), "You take log q at eps. The "
            "draws are z = mu + std * eps."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps) - Normal(mu, std**2).log_prob(mu + std * eps)).exp()), "Your q has "
            "std^2 as its standard deviation: Normal(mean, std) takes the standard deviation."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps)
                 - (-0.5 * eps**2 - math.log(std))).exp()), "Your log q lacks the constant, half of log(2 pi): weights "
            "need the whole density."),
        Mistake(lambda log_joint, x, mu, std, eps: summed(
                (log_joint(x, mu + std * eps)
                 - Normal(0.0, 1.0).log_prob(eps) - math.log(std)).exp()), "With which sign does log std enter log q? "
            "A narrow q is high, so its log-density is large."),
        Mistake(lambda log_joint, x, mu, std, eps: importance_sampling(
                log_joint, x, mu, std, torch.randn(len(eps))), "You draw noise of your own, and the given eps is not "
            "used. With the same eps, two calls should agree."),
    ],
)  # fmt: skip
