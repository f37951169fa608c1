"""measure-beta: the beta that a loss really has, as a ratio of two slopes."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference

AGAIN = "for a second loss of the same tensors"


def slopes(loss, recon, kl):
    return torch.autograd.grad(loss(recon, kl), (recon, kl))


def measure_beta(loss, recon, kl):
    per_recon, per_kl = slopes(loss, recon, kl)
    return (per_kl[0, 0] / per_recon[0, 0]).item()


def terms(examples, pixels, dimensions, over_recon=Tensor.mean, over_kl=Tensor.sum):
    """A loss with random weights, and terms of some sizes, in 64 bits as in the lesson."""

    def inputs(g):
        a, b = (0.2 + 3 * torch.rand(2, generator=g)).tolist()
        recon, kl = (torch.rand(examples, n, generator=g, dtype=torch.float64) for n in (pixels, dimensions))
        return lambda recon, kl: a * over_recon(recon) + b * over_kl(kl), recon.requires_grad_(), kl.requires_grad_()

    return inputs


def measured_twice(fn, loss, recon, kl):
    """The answer for a loss, and if it is right, also that for another loss of the same tensors."""
    first = fn(loss, recon, kl)
    if difference(plain(first), measure_beta(loss, recon, kl)) is not None:
        return plain(first)
    again = plain(fn(lambda recon, kl: loss(recon, 0.01 * kl), recon, kl))
    return Parts({"": plain(first), AGAIN: again, "as a float": not isinstance(first, (Tensor, np.ndarray))})


def plain(number):
    return number.item() if isinstance(number, Tensor) and not number.ndim else number


def of_slopes(combine):
    """A wrong answer that makes something else of the two gradients."""
    return lambda *inputs: plain(combine(*slopes(*inputs)))


def of_values(combine):
    """A wrong answer that is made of values of the loss, without its slopes."""
    return lambda loss, recon, kl: plain(combine(loss, recon.detach(), kl.detach()))


def accumulated(loss, recon, kl):
    loss(recon, kl).backward()
    return (kl.grad[0, 0] / recon.grad[0, 0]).item()


def raised(terms, step=1.0):
    """The terms with one entry raised, by one nat or another step."""
    up = terms.clone()
    up[0, 0] += step
    return up


def by_differences(loss, recon, kl, step):
    with torch.no_grad():
        now = loss(recon, kl)
        return ((loss(recon, raised(kl, step)) - now) / (loss(raised(recon, step), kl) - now)).item()


CHECK = Check(
    measure_beta,
    inputs={"": terms(256, 784, 20), "the KL is averaged over the batch": terms(
                16, 30, 5, Tensor.mean, lambda kl: kl.sum(dim=1).mean()),
            "both terms are summed": terms(3, 7, 4, Tensor.sum, Tensor.sum),
            "there is one example with one dimension": terms(1, 6, 1, Tensor.mean, Tensor.mean)},
    observe=measured_twice,
    draws=2,
    mistakes=[
        Mistake(accumulated, "It is right once, but your second measurement contains the first: .backward() adds to "
            ".grad. Which function returns gradients without storing them?"),
        Mistake(lambda *inputs: torch.tensor(measure_beta(*inputs)), "The value is right, but you return a tensor of "
            "one number, and a plain float is asked for: .item() makes one of it."),
        *(Mistake(partial(by_differences, step=step), "You compare the loss before and after a step so small that "
            "rounding shows. A gradient needs no step: how does autograd return both?")
          for step in (1e-4, 1e-5, 1e-6, 1e-8)),
        Mistake(of_slopes(lambda r, k: k[0, 0] / (r.sum(dim=1)[0] / 784)), "You divide by 784, which fits one number "
            "of pixels only. Which entry of the gradient is the price already?"),
        Mistake(of_slopes(lambda r, k: r[0, 0] / k[0, 0]), "Your ratio is upside down. A loss with a heavier KL term "
            "should have a larger beta: which gradient is divided by which?"),
        Mistake(of_slopes(lambda r, k: k.sum() / r.sum()), "You compare sums of the gradients, or raise all entries at "
            "once, so numbers of pixels and dimensions enter. What changes when ONE entry of each is raised by one "
            "nat?"),
        Mistake(of_slopes(lambda r, k: r.sum() / k.sum()), "You compare sums of the gradients, and the ratio is upside "
            "down. What changes when ONE entry of each is raised by one nat, and which is divided by which?"),
        Mistake(of_slopes(lambda r, k: k.sum(dim=1).mean() / r.mean()), "You sum the KL's gradient over the "
            "dimensions, and not that of the reconstruction over the pixels. Single entries are to be compared."),
        Mistake(of_slopes(lambda r, k: k.mean() / r.sum(dim=1).mean()), "Your price of recon is that of all pixels of "
            "an example at once: are its terms, or its gradients, summed over them? Single entries are to be "
            "compared."),
        Mistake(of_slopes(lambda r, k: k.sum(dim=0)[0] / r[0, 0]), "You sum the KL's gradient over the batch. Single "
            "entries are to be compared."),
        Mistake(of_slopes(lambda r, k: k.sum() / r[0, 0]), "You compare the sum of the KL's gradients with one entry "
            "of the reconstruction's. Single entries are to be compared."),
        Mistake(of_slopes(lambda r, k: k[0, 0] / r.sum()), "You compare one entry of the KL's gradients with the sum "
            "of the reconstruction's. Single entries are to be compared."),
        Mistake(of_slopes(lambda r, k: k.norm() / r.norm()), "You compare lengths of the gradients, which grow with "
            "the number of entries. Which single entries should be compared?"),
        Mistake(of_slopes(lambda r, k: k[0, 0]), "That is the price of a nat of KL alone. Multiplying the whole loss "
            "by 2 would double your beta: divide by what?"),
        Mistake(of_slopes(lambda r, k: k.sum()), "That is the sum of the KL's gradients alone. Take one entry, and "
            "divide it by what a nat of reconstruction costs."),
        Mistake(of_slopes(lambda r, k: r[0, 0]), "That is the price of a nat of reconstruction alone. What is it "
            "compared with?"),
        Mistake(of_slopes(lambda r, k: k[0, 0] - r[0, 0]), "You subtract the two prices. How many times as much does a "
            "nat of KL cost?"),
        Mistake(of_slopes(lambda r, k: k[0, 0] * r[0, 0]), "You multiply the two prices. How many times as much does a "
            "nat of KL cost?"),
        Mistake(of_slopes(lambda r, k: k[0, 0] / (k[0, 0] + r[0, 0])), "That is the KL's share of both prices. How "
            "many times as much as a nat of reconstruction does a nat of KL cost?"),
        Mistake(of_slopes(lambda r, k: (k[0, 0] / r[0, 0]).log()), "You return the logarithm of beta. The ratio itself "
            "is asked for."),
        *(Mistake(of_slopes(lambda r, k, n=n: round((k[0, 0] / r[0, 0]).item(), n)), "You round beta. A beta of a "
            "thousandth would become 0: leave out the rounding.") for n in (0, 1, 2)),
        Mistake(of_slopes(lambda r, k: k / r[0, 0]), "You return a whole table, (B, D). All of its entries are the "
            "same: one is enough, as a float."),
        Mistake(of_slopes(lambda r, k: k[0] / r[0, 0]), "You return one number for each dimension. They are all the "
            "same: one is enough, as a float."),
        Mistake(lambda *inputs: slopes(*inputs)[::-1], "You return the two gradients. Which single entries are divided "
            "by each other?"),
        Mistake(of_values(lambda loss, recon, kl: loss(0 * recon, kl) / loss(recon, 0 * kl)), "You compare the values "
            "of the two terms, which depend on the data. The price of a nat is a slope: what is the derivative of the "
            "loss?"),
        Mistake(of_values(lambda loss, recon, kl: loss(recon, raised(kl)) / loss(raised(recon), kl)), "You compare the "
            "loss after the two changes. How much does it CHANGE: what is to be subtracted from each?"),
        Mistake(of_values(lambda loss, recon, kl: loss(recon, kl)), "You return the loss. How does it change when one "
            "entry of kl, or one of recon, is raised?"),
        Mistake(of_values(lambda loss, recon, kl: kl.sum() / recon.sum()), "You compare the terms themselves, and the "
            "loss is never called. How does IT change when one of them changes?"),
        Mistake(of_values(lambda loss, recon, kl: kl.mean() / recon.mean()), "You compare the mean terms, and the loss "
            "is never called. How does IT change when one of them changes?"),
    ],
)  # fmt: skip
