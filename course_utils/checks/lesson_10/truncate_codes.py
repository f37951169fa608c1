"""truncate-codes: each number moved to the same quantile of the cut-off normal distribution."""

import torch
from torch.special import ndtr, ndtri

from course_utils.checks._check import Check, Mistake, Parts


def quantiles(limit):
    return ndtr(torch.tensor([-limit, limit]))


def truncate(z, limit):
    low, high = quantiles(limit)
    return ndtri(low + (high - low) * ndtr(z))


def stretched(stretch):
    """A wrong answer with another quantile, from u, Phi(-limit) and Phi(limit)."""
    return lambda z, limit: ndtri(stretch(ndtr(z), *quantiles(limit)))


def codes(smallest, largest, *shape):
    """Codes of which some lie beyond the limit, which is drawn between two numbers."""

    def inputs(g):
        z = torch.randn(shape, generator=g)
        z[0, :2] = torch.tensor([3.1, -2.8]) + 0.2 * torch.rand(2, generator=g)
        return z, smallest + (largest - smallest) * torch.rand(1, generator=g).item()

    return inputs


def observe(fn, z, limit):
    """The result, and whether a second call gives the same."""
    out = fn(z, limit)
    if not isinstance(out, torch.Tensor):
        return out
    again = fn(z, limit)
    same = again.shape == out.shape and torch.allclose(again, out, atol=1e-6, equal_nan=True)
    return Parts({"": out, "in a second call": torch.tensor(same)})


def logistic(z, limit):
    low, high = torch.tensor([-limit, limit]).sigmoid()
    return torch.logit(low + (high - low) * z.sigmoid())


STRETCHED = "You stretch z itself, which is no quantile. Which function makes one of it first?"

CHECK = Check(
    truncate,
    inputs={"": codes(0.9, 1.6, 7, 3), "the limit is small": codes(0.2, 0.5, 4, 3),
            "the limit is generous": codes(2.3, 2.7, 4, 5), "there is one code": codes(0.9, 1.6, 1, 6)},
    observe=observe,
    mistakes=[
        Mistake(lambda z, limit: limit * (2 * torch.rand_like(z) - 1), "Two calls with the same z differ: you draw "
            "numbers anew. Move each number to the same quantile of the cut-off distribution "
            "instead.", part="in a second call"),
        Mistake(lambda z, limit: z.clamp(-limit, limit), "You clamp: every number beyond the limit lands exactly on "
            "it, so a heap of codes sits on the rim. Use quantiles."),
        Mistake(lambda z, limit: z * limit, "You multiply by the limit: a normal distribution of another width, which "
            "still has no limit. Stretch the quantile, not the number."),
        Mistake(lambda z, limit: limit * z / z.abs().max(), "You scale so that the largest number lands on the limit: "
            "every code depends on the whole batch. Move each number by itself."),
        Mistake(lambda z, limit: truncate((z - z.mean()) / z.std(), limit), "You standardise the batch first, so a "
            "number's result depends on the others. z comes from N(0, I): use it as it is."),
        Mistake(lambda z, limit: ndtri(quantiles(limit)[0] + quantiles(limit).diff() * ((z.flatten().argsort().argsort()
            + 0.5) / z.numel()).view_as(z)), "Your quantile is a number's rank in the batch, so it depends on the "
            "others. Which function gives its quantile in N(0, 1)?"),
        Mistake(lambda z, limit: z * (limit / z.norm(dim=1, keepdim=True)).clamp(max=1), "You shorten codes whose norm "
            "is above the limit. The limit holds for each number, not for the norm."),
        Mistake(lambda z, limit: limit * torch.tanh(z), "You squash with tanh, which is not a cut-off normal "
            "distribution: for a large limit nothing should change. Use the quantiles."),
        Mistake(lambda z, limit: limit * torch.tanh(z / limit), "You squash with limit * tanh(z / limit), which is not "
            "a cut-off normal distribution. Use the quantiles of the formula."),
        Mistake(lambda z, limit: limit * (2 * ndtr(z) - 1), "You stretch the quantile over the interval from -limit to "
            "limit: a uniform distribution. Stretch it from Phi(-limit) to Phi(limit) and take the inverse of Phi."),
        Mistake(lambda z, limit: z.clone(), "Nothing is changed: Phi and its inverse cancel. In between, the quantile "
            "has to be stretched from Phi(-limit) to Phi(limit)."),
        Mistake(stretched(lambda u, low, high: u * high), "You cut off at the upper limit only: the quantiles still "
            "start at 0. What is Phi(-limit) for?"),
        Mistake(stretched(lambda u, low, high: (high - low) * u), "You stretch the quantile to the right length but do "
            "not shift it: add Phi(-limit), so that z = 0 stays 0."),
        Mistake(stretched(lambda u, low, high: low + high * u), "You multiply u by Phi(limit) alone. By which length "
            "must u be multiplied to go from Phi(-limit) to Phi(limit)?"),
        Mistake(stretched(lambda u, low, high: (u - low) / (high - low)), "You go the other way: from the cut-off "
            "distribution to the normal one. Which quantile lies at the share u between Phi(-limit) and Phi(limit)?"),
        Mistake(lambda z, limit: ndtri(quantiles(limit)[0] + z * quantiles(limit).diff()),
                STRETCHED),
        Mistake(lambda z, limit: ndtri(-limit + 2 * limit * ndtr(z)), "You stretch the quantile from -limit to limit, "
            "but quantiles lie between 0 and 1. Which function turns the limits into quantiles?"),
        Mistake(lambda z, limit: ndtri((quantiles(limit)[0] + z * quantiles(limit).diff()).clamp(1e-4, 1 - 1e-4)),
                STRETCHED),
        Mistake(lambda z, limit: quantiles(limit)[0] + quantiles(limit).diff() * ndtr(z), "You return the quantile u', "
            "between 0 and 1. The inverse of Phi, torch.special.ndtri, is still to come."),
        Mistake(lambda z, limit: ndtr(quantiles(limit)[0] + quantiles(limit).diff() * ndtr(z)),
            "You end with Phi where its inverse belongs: torch.special.ndtri, with an i."),
        Mistake(lambda z, limit: ndtr(z), "You return the quantile u of z. It is to be stretched, and then the inverse "
            "of Phi is to be taken."),
        Mistake(lambda z, limit: truncate(-z, limit), "Your result has the opposite sign: the largest z becomes the "
            "smallest. Are Phi(limit) and Phi(-limit) swapped?"),
        Mistake(lambda z, limit: (z.erf() * torch.tensor(limit).erf()).erfinv(), "erf(z) belongs to a normal "
            "distribution of variance 1/2: Phi has erf(z / sqrt(2)). torch.special.ndtr is Phi itself."),
        Mistake(lambda z, limit: z if limit >= 2 else truncate(z, limit), "For a limit of 2 or more you change "
            "nothing. Whatever the limit, no number may lie beyond it."),
        Mistake(lambda z, limit: torch.where(z.abs() > limit, truncate(z, limit), z), "You move only the numbers "
            "beyond the limit, so they land among those that stay, and their order is lost. Every number is to keep "
            "its quantile."),
        Mistake(lambda z, limit: (lambda low: ndtri(low + (1 - 2 * low) * ndtr(z)))(torch.distributions.Normal(0.0,
            1.0).log_prob(torch.tensor(limit)).exp()), "You use the density of the normal distribution at the limit. "
            "Which function gives the share below it?"),
        Mistake(lambda z, limit: z - 2 * z.sign() * (z.abs() - limit).clamp(min=0), "You fold back what is beyond the "
            "limit. Every number is to keep its quantile: what share of the normal distribution lies below it?"),
        Mistake(logistic, "Your quantiles are those of the logistic distribution, whose cumulative distribution is the "
            "sigmoid. z is normal: torch.special.ndtr."),
        Mistake(lambda z, limit: z[(z.abs() <= limit).all(dim=1)], "You drop the codes that go beyond the limit. All B "
            "are needed: move each number to its quantile."),
    ],
)  # fmt: skip
