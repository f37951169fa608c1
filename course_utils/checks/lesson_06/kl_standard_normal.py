"""kl-standard-normal: the KL term of the VAE, in closed form."""

import math

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.gaussian import kl_per_dimension, log_prob_gaussian


def kl_standard_normal(mu, logvar):
    return kl_per_dimension(mu, logvar).sum(dim=1)


def codes(rows, columns, spread=1.2):
    return lambda g: (1.5 * torch.randn(rows, columns, generator=g), spread * torch.randn(rows, columns, generator=g))


def far_apart(g):
    logvar = torch.tensor([[-12.0, 3.0], [8.0, -5.0], [4.0, -9.0]])
    return torch.randn(3, 2, generator=g), logvar + 0.3 * torch.randn(3, 2, generator=g)


def reduced(reduce):
    """A wrong answer that reduces the table (B, D) in another way."""
    return lambda mu, logvar: reduce(kl_per_dimension(mu, logvar))


def half_of(terms):
    """A wrong answer that sums half of other terms."""
    return lambda mu, logvar: 0.5 * terms(mu, logvar).sum(dim=1)


def sampled(mu, logvar):
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    return log_prob_gaussian(z, mu, logvar) - log_prob_gaussian(z, 0 * mu, 0 * mu)


CHECK = Check(
    kl_standard_normal,
    inputs={"": codes(5, 3), "there is one example": codes(1, 4), "a code has one number": codes(6, 1),
            "sigma is very small or very large": far_apart},
    gradients=("mu", "logvar"),
    mistakes=[
        Mistake(lambda m, s: -kl_standard_normal(m, s), "Every value is negative, and a KL divergence never is. Some "
            "papers write -0.5 * sum(1 + logvar - ...): which sign goes with which order of the terms?"),
        Mistake(reduced(lambda kl: kl.mean(dim=1)), "You average over the dimensions, so your KL is D times too small: "
            "the first step to a wrong beta. What happens to log-densities of independent dimensions?"),
        Mistake(reduced(lambda kl: kl.sum(dim=1).mean()), "You average over the batch as well. Each example has a KL "
            "of its own: over which dimension alone is the sum?"),
        Mistake(reduced(lambda kl: kl.sum()), "You sum over the whole batch and return one number. Each example has a "
            "KL of its own: which dim do you pass?"),
        Mistake(reduced(lambda kl: kl.mean()), "You average over batch and dimensions and return one number. Which of "
            "the two is summed, and which stays?"),
        Mistake(reduced(lambda kl: kl.sum(dim=0)), "You sum over dimension 0, which is the batch: examples are added "
            "up and dimensions kept. Which one is D?"),
        Mistake(reduced(lambda kl: kl.mean(dim=0)), "You average over dimension 0, which is the batch, as charts of "
            "single dimensions do. Here each example has one number: which dimension is summed?"),
        Mistake(reduced(lambda kl: kl), "You return one value for each dimension, (B, D). What is the KL of a whole "
            "code made of?"),
        Mistake(reduced(lambda kl: kl.sum(dim=1, keepdim=True)), "You return a column, (B, 1). Added to a "
            "reconstruction term (B,) it would become a table (B, B): leave out keepdim."),
        Mistake(reduced(lambda kl: kl.sum(dim=1).squeeze()), "Your squeeze removes the batch too where it has one "
            "example. Which shape should come out, (B,) for every B?"),
        *(Mistake(lambda m, s, size=size: kl_standard_normal(m, s.clamp(-size, size)), "You limit logvar, so very "
            "small and very large sigmas cost too little. Which step can go?") for size in (2, 4, 5, 6, 8, 10)),
        Mistake(sampled, "You estimate the KL from a sample, so it differs from call to call. It has a closed form, "
            "without any noise: which one?"),
        Mistake(reduced(lambda kl: kl.square().sum(dim=1).sqrt()), "You take the length of the vector of KLs, with "
            "squares and a root. Independent dimensions simply add."),
        Mistake(reduced(lambda kl: kl.prod(dim=1)), "You multiply the KLs of the dimensions. Densities multiply; what "
            "do their logarithms do?"),
        Mistake(reduced(lambda kl: kl.amax(dim=1)), "You return the largest of the dimensions' KLs. What is the KL of "
            "the whole code?"),
        Mistake(reduced(lambda kl: kl.sum(dim=1) / math.log(2)), "Your KL is in bits, 1.44 times as many as nats. "
            "Which logarithm does the formula have?"),
        Mistake(reduced(lambda kl: 2 * kl.sum(dim=1)), "Your KL is twice too large. Where is the factor one half?"),
        Mistake(reduced(lambda kl: 0.5 * kl.sum(dim=1)), "Your KL is half of the right one: is the half there twice?"),
        Mistake(lambda m, s: kl_standard_normal(m, 2 * s), "You treat logvar as the logarithm of sigma. It is the "
            "logarithm of sigma squared: what is exp(logvar) then?"),
        Mistake(half_of(lambda m, s: (2 * s).exp() + m**2 - 1 - s), "Your first term is exp(2 * logvar), sigma to the "
            "fourth. exp(logvar) is sigma squared already."),
        Mistake(half_of(lambda m, s: torch.exp(0.5 * s) + m**2 - 1 - s), "Your first term is sigma, exp(0.5 * logvar). "
            "The formula has sigma squared: how is that had from logvar?"),
        Mistake(half_of(lambda m, s: s.exp() + m**2 - 1 - 2 * s), "You subtract 2 * logvar. log(sigma^2) is logvar "
            "itself: the square is in it already."),
        Mistake(half_of(lambda m, s: s.exp() + m**2 - 1 - 0.5 * s), "You subtract half of logvar inside the bracket, "
            "which is log sigma. The formula has log(sigma^2) there."),
        Mistake(half_of(lambda m, s: s**2 + m**2 - 1 - (s**2).log()), "You use logvar as if it were sigma, and square "
            "it. It is log(sigma^2) already: which function undoes a log?"),
        Mistake(half_of(lambda m, s: s + m**2 - 1 - s.log()), "You use logvar as if it were the variance, so where it "
            "is negative its logarithm is nan. Which function undoes a logarithm?"),
        Mistake(half_of(lambda m, s: s + m**2 - 1 - s.abs().log()), "You use logvar as if it were the variance. Its "
            "name says what it is: which function undoes a logarithm?"),
        Mistake(half_of(lambda m, s: s + m**2 - 1 - s), "Your first term is logvar, and the last takes it away again. "
            "The first is sigma squared: which function makes it of its logarithm?"),
        Mistake(half_of(lambda m, s: torch.exp(-s) + m**2 - 1 - s), "Your first term is exp(-logvar), 1 / sigma^2: a "
            "narrow q would cost more the narrower it is, twice. Which sign does the exponent have?"),
        Mistake(half_of(lambda m, s: s.exp() + m - 1 - s), "mu enters without its square, so a mean below zero would "
            "earn nats. Which power has it in the formula?"),
        Mistake(half_of(lambda m, s: s.exp() + m.abs() - 1 - s), "mu enters with its absolute value. Which power has "
            "it in the formula?"),
        Mistake(half_of(lambda m, s: s.exp() - 1 - s), "mu does not appear, so a code might lie anywhere for nothing. "
            "Which term is missing?"),
        Mistake(half_of(lambda m, s: m**2 - 1 - s), "exp(logvar) does not appear, so nothing keeps sigma from growing. "
            "Which term is missing?"),
        Mistake(half_of(lambda m, s: m**2 / s.exp() + s.exp() - 1 - s), "You divide mu squared by q's variance. It is "
            "measured by the prior's, which is 1."),
        Mistake(half_of(lambda m, s: (s.exp() + m) ** 2 - 1 - s), "Your square takes in sigma^2 and mu together. Only "
            "mu is squared: where do the brackets end?"),
        Mistake(lambda m, s: 0.5 * ((s.exp() - 1 - s).sum(dim=1) + m.sum(dim=1) ** 2), "You sum mu before you square "
            "it, so means of both signs cancel. Which comes first?"),
        Mistake(half_of(lambda m, s: s.exp() + m**2 - s), "Your KL of N(0, I) to itself is D / 2, and should be 0. "
            "Which constant is missing?"),
        Mistake(half_of(lambda m, s: s.exp() + m**2 - 1 + s), "You add logvar, so narrow posteriors would be free. "
            "What should a very small sigma cost, and by which sign?"),
        Mistake(half_of(lambda m, s: s.exp() + m**2 - 1), "The logarithm of the variance does not appear on its own, "
            "so nothing keeps sigma from going to 0. Which term is missing?"),
        Mistake(lambda m, s: (0.5 * s.exp() + m**2 - 1 - s).sum(dim=1), "Your half stands before the first term only. "
            "It belongs to all four terms: where do the brackets go?"),
        Mistake(half_of(lambda m, s: s.exp() - m**2 - 1 - s), "You subtract mu squared, so a mean far from the prior's "
            "would lower the KL. What should it cost?"),
        Mistake(lambda m, s: -0.5 * (1 + s - m**2 + s.exp()).sum(dim=1), "With -0.5 outside, mu squared and "
            "exp(logvar) both stand inside with a minus. Which of yours does not?"),
        Mistake(half_of(lambda m, s: s.exp() + m**2 + 1 - s), "Your KL of N(0, I) to itself is D, so no code would "
            "ever be free. With which sign does the 1 enter?"),
        Mistake(lambda m, s: 0.5 * ((s.exp() + m**2 - s).sum(dim=1) - 1), "You subtract 1 once, after the sum over the "
            "dimensions. Each dimension has a 1 of its own: which bracket does it belong into?"),
        Mistake(half_of(lambda m, s: (1 + m**2) / s.exp() - 1 + s), "That is KL(N(0, I) || q), the other direction. "
            "Over which of the two is the expectation taken?"),
        Mistake(lambda m, s: kl_standard_normal(s, m), "You have exchanged mu and logvar: which of the two is squared, "
            "and which goes into exp?"),
        Mistake(half_of(lambda m, s: 1 + s + math.log(2 * math.pi)), "That is the entropy of q. What else does the KL "
            "need, the prior's part?"),
        Mistake(lambda m, s: kl_standard_normal(m, s).detach(), "The values are right, but no gradient reaches mu and "
            "logvar, so the KL term could not be trained with. Look for detach, no_grad, .data, .item() or NumPy."),
        Mistake(lambda m, s: kl_standard_normal(m, s.detach()), "The values are right, but logvar is cut off, so sigma "
            "would not learn what it costs. Where is the detach, the .data or the no_grad?"),
        Mistake(lambda m, s: kl_standard_normal(m.detach(), s), "The values are right, but mu is cut off, so means "
            "would not learn what they cost. Where is the detach, the .data or the no_grad?"),
    ],
)  # fmt: skip
