"""iwae: the logarithm of the mean weight, for log-weights of any size. The lesson never differentiates it."""

import math

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.gaussian import log_mean_exp


def iwae(log_joint, log_q):
    return log_mean_exp(log_joint - log_q, dim=0)


def ordinary(g):
    """exp of these log-weights is fine."""
    return 2 * torch.randn(7, 5, generator=g) - 4, 1.5 * torch.randn(7, 5, generator=g)


def as_of_images(g):
    """Of such sizes that exp of a weight is 0 or infinite, or just not, but for the first example.

    In the last one sample stands far above the others, so that it must be the one that is taken out.
    """
    level = torch.tensor([0.0, -260.0, -900.0, 200.0, -90.0, -103.0]) + torch.zeros(7, 1)
    level[3, 4] += 200
    return level + 2 * torch.randn(7, 6, generator=g), 1.5 * torch.randn(7, 6, generator=g)


def far_below(g):
    """Ordinary log-weights, though exp of either logarithm is 0."""
    return -300 + 2 * torch.randn(4, 3, generator=g), -298 + torch.randn(4, 3, generator=g)


def weights(samples, examples, level):
    shape = samples, examples
    return lambda g: (level + 2 * torch.randn(shape, generator=g), torch.randn(shape, generator=g))


def of_weights(bound):
    """A wrong answer that makes something else of the log-weights (K, B)."""
    return lambda log_joint, log_q: bound(log_joint - log_q)


def shifted(shift, back=lambda mean, shift: shift + mean.log()):
    """The log-weights less a shift, exp, the mean, and back(mean, shift)."""
    return of_weights(lambda w: back((w - shift(w)).exp().mean(dim=0), shift(w)))


def largest(w):
    return w.amax(dim=0)


CHECK = Check(
    iwae,
    inputs={"": ordinary, "log-weights are as large as those of images": as_of_images,
            "p and q are both close to 0": far_below,
            "there is one sample": weights(1, 4, -30.0), "there are more examples than samples": weights(3, 8, 5.0)},
    mistakes=[
        Mistake(of_weights(lambda w: w.exp().mean(dim=0).log()), "The formula is right, but exp overflows or "
            "underflows: some of your bounds are infinite. Take each example's largest log-weight out first. What is "
            "added back after the logarithm?"),
        Mistake(lambda p, q: (p.exp() / q.exp()).mean(dim=0).log(), "You divide one exp by another, and both can be 0 "
            "or infinite. First subtract the logarithms, then take out each example's largest one, and only then exp."),
        *(Mistake(answer, f"A small number inside the logarithm hides the underflow: your bound is log({tiny}) = "
            f"{math.log(tiny):.1f} where all weights vanish. What can be subtracted before exp, and added back later?")
          for tiny in (1e-8, 1e-10, 1e-12, 1e-20, 1e-30) for answer in (
              of_weights(lambda w, tiny=tiny: (w.exp().mean(dim=0) + tiny).log()),
              of_weights(lambda w, tiny=tiny: w.exp().mean(dim=0).clamp(min=tiny).log()))),
        Mistake(of_weights(lambda w: w.double().exp().mean(dim=0).log().float()), "Numbers of 64 bits only move the "
            "trap: exp(-900) is 0 in them too. Take each example's largest log-weight out first."),
        *(Mistake(of_weights(lambda w, size=size: w.clamp(-size, size).exp().mean(dim=0).log()), "You cut the "
            "log-weights off, so your bound is wrong wherever they are larger. What can be subtracted before exp, and "
            "added back later?") for size in (20, 50, 80, 100)),
        Mistake(of_weights(lambda w: w.mean(dim=0)), "That is the mean of the logarithms, which is the ELBO however "
            "many samples you take. Which comes first, the mean or the logarithm?"),
        Mistake(of_weights(lambda w: w.sum(dim=0)), "You sum the log-weights, which multiplies the weights. The mean "
            "is taken of the weights themselves."),
        Mistake(of_weights(lambda w: w.median(dim=0).values), "That is the median log-weight. What is averaged?"),
        Mistake(of_weights(lambda w: w[0]), "You return the first sample's log-weight, an ELBO from one sample. Where "
            "do the other samples enter?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0)), "You sum the weights and do not average them: your bound is "
            "too high by log K, and is no bound. What has to be subtracted, or which sum should be a mean?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) / len(w)), "You divide the logarithm by K. The sum inside the "
            "logarithm is divided by K: what is that outside of it?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) + math.log(len(w))), "You add log K. A mean is smaller than a "
            "sum: with which sign does log K enter?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) - len(w)), "You subtract K. The mean is the sum divided by K: "
            "what becomes of a division under a logarithm?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) - math.log2(len(w))), "You subtract log2(K). Take the natural "
            "logarithm."),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) - math.log(w.shape[1])), "You subtract the logarithm of the "
            "number of examples. Which of the two dimensions counts the samples?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) - math.log(w.numel())), "You subtract the logarithm of all "
            "numbers in the table. How many samples does each example have?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=0) - math.log(7)), "You subtract log 7 whatever the number of "
            "samples. Which length of log_joint is K?"),
        Mistake(of_weights(lambda w: log_mean_exp(w, dim=1)), "You average over dimension 1, the examples, and mix "
            "their weights. Along which dimension do the samples lie?"),
        Mistake(of_weights(lambda w: w.logsumexp(dim=1) - math.log(len(w))), "You sum over dimension 1, the examples, "
            "and mix their weights. Along which dimension do the samples lie?"),
        Mistake(of_weights(lambda w: log_mean_exp(w.flatten(), dim=0)), "You average over samples and examples "
            "together and return one number. Each example has its own bound."),
        Mistake(of_weights(lambda w: log_mean_exp(w, dim=0).mean()), "You average the bounds over the batch. Each "
            "example has a bound of its own: return all B of them."),
        Mistake(of_weights(lambda w: log_mean_exp(w, dim=0).sum()), "You sum the bounds over the batch. Each example "
            "has a bound of its own: return all B of them."),
        Mistake(of_weights(lambda w: log_mean_exp(w, dim=0)[None]), "You return shape (1, B): keepdim leaves the "
            "dimension of the samples. What removes it?"),
        Mistake(of_weights(lambda w: w.logcumsumexp(dim=0) - (torch.arange(len(w)) + 1).log()[:, None]), "You return a "
            "bound for every number of samples up to K. Only the last row is asked for."),
        Mistake(lambda p, q: log_mean_exp(q - p, dim=0), "Your weights are upside down: q over p. Where does the "
            "density stand that z was drawn from?"),
        Mistake(lambda p, q: -log_mean_exp(q - p, dim=0), "You turn the ratio around and change the sign at the end. "
            "The logarithm of a mean of 1/w is not minus that of the mean of w: begin with p over q."),
        Mistake(lambda p, q: -iwae(p, q), "You return minus the bound. Larger is better here: which sign has a bound "
            "on log p(x)?"),
        Mistake(lambda p, q: iwae(p, q).exp(), "You return the mean weight. The bound is its logarithm, which is "
            "finite also where the weight is not."),
        Mistake(lambda p, q: log_mean_exp(p, dim=0), "The weights are not divided by q. The samples came from q, not "
            "from the prior: what corrects for that?"),
        Mistake(lambda p, q: log_mean_exp(p + q, dim=0), "You add log q, so you multiply by q. The weight divides by "
            "it: what is a division, in logarithms?"),
        Mistake(lambda p, q: log_mean_exp(p / q, dim=0), "You divide one logarithm by another. What is the logarithm "
            "of p / q?"),
        Mistake(lambda p, q: log_mean_exp(p, dim=0) - log_mean_exp(q, dim=0), "You divide one mean by another. Each "
            "sample has its own weight, p over q: which operation comes first?"),
        Mistake(lambda p, q: log_mean_exp(p, dim=0) - q.mean(dim=0), "You take the mean of log q outside of the "
            "logarithm. Each sample has its own weight: subtract its log q first."),
        Mistake(of_weights(largest), "You return the largest log-weight alone. It is a good start: what has to be "
            "added to it?"),
        Mistake(of_weights(lambda w: largest(w) - math.log(len(w))), "You take the largest weight for the sum of all. "
            "It is a good start: what do the others add?"),
        Mistake(shifted(lambda w: w.max()), "You take out one maximum for the whole batch, so examples with much "
            "smaller weights underflow. Whose maximum does each example need?"),
        Mistake(of_weights(lambda w: (w - w.amax(dim=1, keepdim=True)).exp().mean(dim=0).log() + largest(w)), "You "
            "take out the maximum over the examples, and add back that over the samples. Along which dimension does "
            "each example have its own?"),
        *(Mistake(shifted(shift), "You take out the mean of the log-weights, the smallest, or some other one, and "
            "where one sample has by far the largest weight, exp still overflows. Which one must go?")
          for shift in (lambda w: w.mean(dim=0), lambda w: w.amin(dim=0), lambda w: w[0], lambda w: w[-1],
                        lambda w: w.median(dim=0).values)),
        Mistake(shifted(lambda w: w.argmax(dim=0)), "You take out the POSITION of the largest log-weight: max(dim=0) "
            "returns values and positions. Which of the two is needed?"),
        Mistake(shifted(lambda w: w.abs().amax(dim=0)), "You take out the largest in size. Of negative log-weights "
            "that is the smallest, with a wrong sign: take the maximum without abs."),
        Mistake(shifted(largest, lambda mean, shift: mean.log()), "You take out the largest log-weight and never put "
            "it back: your bound is at most 0 and knows nothing of p(x). What is added after the logarithm?"),
        Mistake(shifted(largest, lambda mean, shift: mean.log() - shift), "You subtract the largest log-weight once "
            "more at the end. It was taken out: with which sign does it come back?"),
        Mistake(shifted(largest, lambda mean, shift: (mean + shift).log()), "You add the largest log-weight back "
            "inside the logarithm. It has to come back outside: log(e^m a) = m + log a."),
        Mistake(shifted(largest, lambda mean, shift: shift + mean), "The logarithm of the mean is missing: you add the "
            "mean itself to the largest log-weight."),
        Mistake(shifted(largest, lambda mean, shift: shift * mean.log()), "You multiply by the largest log-weight. "
            "log(e^m a) is a sum: m + log a."),
        Mistake(of_weights(lambda w: (w.softmax(dim=0) * w).sum(dim=0)), "You average log-weights with normalised "
            "weights. That lies above the bound; no softmax is needed. What is the logarithm of a plain mean?"),
    ],
)  # fmt: skip
