"""perplexity: the effective number of neighbours of a distribution."""

import math

import torch
from torch.special import entr

from course_utils.checks._check import Check, Mistake


def perplexity(p):
    return entr(p).sum(dim=1).exp()


def of_entropy(undo):
    """A wrong answer from the entropy of each row in nats, (N,)."""
    return lambda p: undo(entr(p).sum(dim=1))


def odds(rows, entries, zeros=False):
    """Uneven odds; or with entries 0, a row of even odds and one that is certain."""

    def inputs(g):
        p = torch.rand(rows, entries, generator=g).square() + 0.01
        if zeros:
            p[1, 2:], p[2, ::2] = 0, 0
            p[0] = 1
            p[-1] = torch.eye(entries)[1]
        return p / p.sum(dim=1, keepdim=True)

    return inputs


CHECK = Check(
    perplexity,
    inputs={"": odds(4, 6), "some probabilities are 0": odds(5, 7, zeros=True), "there is one row": odds(1, 3),
            "there are as many rows as entries": odds(5, 5)},
    mistakes=[
        Mistake(lambda p: torch.nn.functional.cross_entropy(p, p, reduction="none").exp(),
            "cross_entropy takes logits, and puts your p through a softmax. These are probabilities already."),
        Mistake(of_entropy(lambda nats: nats / math.log(2)),
            "You return the entropy H, in bits. The perplexity is 2 to the power of it."),
        Mistake(of_entropy(lambda nats: nats),
            "You return the entropy, in nats. The perplexity is e to the power of it."),
        Mistake(of_entropy(lambda nats: -nats), "You return the sum of p log p. The entropy has a minus, and the "
            "perplexity is e to the power of the entropy."),
        Mistake(of_entropy(lambda nats: 2**nats), "You raise 2 to an entropy in nats. torch.log is the natural "
            "logarithm: with it goes torch.exp; with torch.log2 goes 2 ** H."),
        Mistake(of_entropy(lambda nats: (nats / math.log(2)).exp()),
            "You raise e to an entropy in bits. With torch.log2 goes 2 ** H; with torch.log goes torch.exp."),
        Mistake(of_entropy(lambda nats: (nats / math.log(10)).exp()),
            "You raise e to an entropy with log10. With torch.exp goes torch.log, the natural logarithm."),
        Mistake(of_entropy(lambda nats: 2 ** (nats / math.log(10))),
            "You raise 2 to an entropy with log10. With 2 ** H goes torch.log2."),
        Mistake(of_entropy(lambda nats: (nats / math.log(2)).square()),
            "You take the square of the entropy: H ** 2. It should be 2 ** H."),
        Mistake(lambda p: torch.exp(-(p * p.log()).sum(dim=1)),
            "Some results are NaN: 0 * log 0 is NaN in floating point, and must count as 0. torch.special.entr(p) is "
            "-p log p with that rule; or clamp p inside the logarithm."),
        Mistake(lambda p: torch.exp(-(p * p.log()).sum(dim=1).nan_to_num()), "Where an entry is 0 the whole sum is "
            "NaN, and you replace that by 0. Only the single term is to count as 0: mend it before you sum."),
        Mistake(of_entropy(lambda nats: (-nats).exp()),
            "All your values are below 1: the minus sign of the entropy is missing."),
        Mistake(lambda p: entr(p).sum(dim=0).exp(), "You sum over the rows. Each ROW is a distribution, so sum along "
            "dim=1 and return one number for each row."),
        Mistake(lambda p: entr(p).sum().exp(), "You return one number for all rows together. Give one for each row."),
        Mistake(lambda p: entr(p).sum(dim=1).mean().exp(),
            "You average the entropy over the rows and return one number. Give one for each row."),
        Mistake(lambda p: entr(p).mean(dim=1).exp(),
            "You take the mean along each row. The entropy is the SUM of -p log p: p is the weight already."),
        Mistake(lambda p: entr(p).exp().sum(dim=1),
            "You take exp of each term and sum then. Sum first: exp of the whole entropy."),
        Mistake(lambda p: (-p.log()).mean(dim=1).exp(),
            "You average -log p with equal weights. Each entry's -log p counts with its own probability p."),
        Mistake(lambda p: (-p.log()).sum(dim=1).exp(),
            "You sum -log p without weights. Each entry's -log p counts with its own probability p."),
        Mistake(lambda p: (p > 0).sum(dim=1).to(p.dtype),
            "You count the entries above 0. That is the perplexity of even odds only; uneven ones count for less."),
        Mistake(lambda p: 1 / p.square().sum(dim=1),
            "1 / sum p^2 is another effective number (inverse Simpson index). The perplexity comes from the entropy."),
        Mistake(lambda p: 1 / p.amax(dim=1), "You divide 1 by the largest probability, so the others do not matter. "
            "The perplexity is made from the entropy."),
        Mistake(of_entropy(lambda nats: nats.exp() - 1),
            "Yours is too small by 1. With all odds on one neighbour the perplexity is 1."),
        Mistake(lambda p: entr(p).sum(dim=1).exp() / p.shape[1],
            "You divide by K. The perplexity is a number of neighbours, from 1 to K, not a share."),
        Mistake(lambda p: entr(p).sum(dim=1) / math.log(p.shape[1]), "That is the entropy as a share of the largest "
            "possible one. The perplexity is e to the power of the entropy."),
        Mistake(lambda p: entr(p).sum(dim=1) / math.log(p.shape[1]) * p.shape[1],
            "You scale the entropy to run from 0 to K. The perplexity is e to the power of the entropy."),
        *(Mistake(lambda p, tiny=tiny: torch.exp(-(p * (p + tiny).log()).sum(dim=1)), "What you add before the "
            "logarithm is so large that it changes every entry. torch.special.entr(p) needs nothing added.")
          for tiny in (1e-2, 1e-3, 1e-4)),
        Mistake(lambda p: perplexity((p / p.sum(dim=0)).T),
            "You return one number for each COLUMN: scipy's entropy runs down the columns unless told axis=1."),
        Mistake(lambda p: perplexity(p[:, (p > 0).all(dim=0)]),
            "Where one row has a 0, you leave that column out of all rows. Only the single term is to count as 0."),
        Mistake(lambda p: perplexity(p.softmax(dim=1)),
            "You put a softmax on p. The rows of p are probabilities already and sum to 1."),
        Mistake(lambda p: perplexity(p / p.sum(dim=0)),
            "You divide p by the sums of its columns. Its ROWS are distributions, and sum to 1 already."),
        Mistake(lambda p: perplexity(p).tolist(),
            "The numbers are right, but in a list. The lesson goes on with a tensor."),
        Mistake(lambda p: perplexity(p).numpy(),
            "The numbers are right, but in a NumPy array. The lesson goes on with a tensor: torch.from_numpy."),
    ],
)  # fmt: skip
