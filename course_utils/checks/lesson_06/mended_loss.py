"""mended-loss: minus the ELBO with Gaussian noise; the script takes the defaults of PyTorch's Gaussian loss."""

import math

import torch
from torch.nn import functional as F

from course_utils.checks._check import Check, Mistake

CONSTANT = 0.5 * math.log(2 * math.pi)


def mended_loss(x_hat, x, noise, mu, logvar):
    return nll(x_hat, x, noise).sum(dim=1).mean() + kl(mu, logvar)


def nll(x_hat, x, noise):
    """-log p of each number in each draw, (K, P)."""
    return 0.5 * ((x - x_hat) / noise) ** 2 + math.log(noise) + CONSTANT


def kl(mu, logvar):
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar)


def library(x_hat, x, noise, power=2, **options):
    """PyTorch's own loss, with the variance or something else in its place."""
    return F.gaussian_nll_loss(x_hat, x.expand_as(x_hat), torch.full_like(x_hat, noise**power), **options)


def draws(k, p):
    def inputs(g):
        noise = 0.3 + 0.5 * torch.rand(1, generator=g).item()
        return torch.randn(k, p, generator=g), torch.randn(p, generator=g), noise, *torch.randn(2, generator=g)

    return inputs


def recon_is(recon):
    """A wrong answer that is right but for its reconstruction term, of x_hat, x and noise."""
    return lambda x_hat, x, noise, mu, logvar: recon(x_hat, x, noise) + kl(mu, logvar)


def kl_is(other):
    """A wrong answer that is right but for its KL term, of mu and logvar."""
    return lambda x_hat, x, noise, mu, logvar: nll(x_hat, x, noise).sum(dim=1).mean() + other(mu, logvar)


CHECK = Check(
    mended_loss,
    inputs={"": draws(6, 2), "x has more numbers than there are draws": draws(3, 5), "there is one draw": draws(1, 2)},
    gradients=("x_hat", "mu", "logvar"),
    mistakes=[
        Mistake(recon_is(library), "That is the script as it was: a mean over draws and numbers, without the constant. "
            "Of which of the two is -log p(x|z) a sum?"),
        Mistake(recon_is(lambda *a: library(*a, full=True)), "The constant is there now. But the reconstruction is "
            "still averaged over the numbers of x too, so the KL term counts for too much. What is summed, and what is "
            "averaged?"),
        Mistake(recon_is(lambda *a: library(*a, reduction="sum")), "reduction='sum' alone sums over the draws as well, "
            "so the reconstruction is K times too large and the KL term hardly counts; and the constant is missing. "
            "Which of the two dimensions is averaged?"),
        Mistake(recon_is(lambda *a: library(*a, reduction="sum", full=True)), "reduction='sum' sums over the draws as "
            "well, so the reconstruction is K times too large and the KL term hardly counts. Divide by the number of "
            "draws."),
        Mistake(recon_is(lambda x_hat, x, noise: nll(x_hat, x, noise).sum(dim=1).mean() - CONSTANT * len(x)), "The "
            "balance of the two terms is right, and q would be fitted as it should. But the constant of the Gaussian, "
            "half of log(2 pi) for each number of x, is missing, so the number is no bound. Which option adds it?"),
        Mistake(recon_is(lambda x_hat, x, noise: nll(x_hat, x, noise).sum(dim=1).mean() - CONSTANT * (len(x) - 1)),
            "You add the constant half of log(2 pi) once. Each number of x has it."),
        Mistake(recon_is(lambda *a: nll(*a).sum() / a[0].shape[1]), "You divide the sum by the number of numbers in x. "
            "The draws are averaged, and the numbers of x are summed: by which length do you divide?"),
        Mistake(recon_is(lambda x_hat, x, noise: (x - x_hat).square().sum(dim=1).mean()), "Squared error alone assumes "
            "a noise of variance 1/2. Divide by twice the variance, and add log noise and the constant."),
        Mistake(recon_is(lambda x_hat, x, noise: (x - x_hat).square().mean()), "A mean squared error is no -log "
            "p(x|z): the noise and the constants are missing, and the numbers of x are averaged."),
        Mistake(recon_is(lambda x_hat, x, noise: ((x - x_hat).square() / (2 * noise**2)).sum(dim=1).mean()), "The "
            "squared error is weighted rightly. But log noise and half of log(2 pi) are missing for each number of x, "
            "so the number is no bound."),
        Mistake(recon_is(lambda x_hat, x, noise: (nll(x_hat, x, noise) - math.log(noise)).sum(dim=1).mean()), "log "
            "noise is missing for each number of x: a narrow density is a high one."),
        Mistake(recon_is(lambda x_hat, x, noise: (nll(x_hat, x, noise) + math.log(noise)).sum(dim=1).mean()), "log "
            "noise counts twice. Half of the logarithm of the variance is log noise."),
        Mistake(recon_is(lambda x_hat, x, noise: (nll(x_hat, x, noise) - 2 * math.log(noise)).sum(dim=1).mean()),
            "log noise has the wrong sign in -log p(x|z)."),
        Mistake(recon_is(lambda *a: library(*a, power=1, full=True, reduction="sum") / len(a[0])), "You give noise "
            "where the variance is asked for: F.gaussian_nll_loss takes noise squared."),
        Mistake(recon_is(lambda *a: -nll(*a).sum(dim=1).mean()), "Your reconstruction term has the wrong sign: you "
            "minimise log p(x|z)."),
        Mistake(recon_is(lambda *a: nll(*a).sum(dim=1)), "You return one number for each draw. The draws are "
            "averaged."),
        Mistake(recon_is(lambda *a: nll(a[0].mean(dim=0, keepdim=True), *a[1:]).sum()), "You average the decoded draws "
            "first, and then take the loss of the average. Each draw has a loss: which comes first?"),
        Mistake(kl_is(lambda mu, logvar: 0 * mu), "The KL term is missing."),
        Mistake(kl_is(lambda mu, logvar: -kl(mu, logvar)), "Your KL term has the wrong sign, so codes far from the "
            "prior would be rewarded."),
        Mistake(kl_is(lambda mu, logvar: 2 * kl(mu, logvar)), "Your KL term counts twice. The mistake of the script is "
            "in the other term."),
        Mistake(kl_is(lambda mu, logvar: 0.5 * kl(mu, logvar)), "You halve the KL term. That restores the balance of "
            "the two terms for some shapes, but the mistake of the script is in the other term."),
        Mistake(lambda x_hat, x, noise, mu, logvar: library(x_hat, x, noise) + kl(mu, logvar) / len(x), "You divide "
            "the KL term by the number of numbers in x. That restores the balance, but the loss is no bound: mend the "
            "other term."),
        Mistake(lambda x_hat, x, noise, mu, logvar: library(x_hat, x, noise, full=True) + kl(mu, logvar) / len(x),
            "You divide the KL term by the number of numbers in x. That restores the balance, but your number is the "
            "mean bound of one number, and not that of x: mend the other term."),
        Mistake(lambda *inputs: -mended_loss(*inputs), "You return the bound itself. The loss is minus the ELBO, so "
            "that it can be minimised."),
        Mistake(lambda *inputs: mended_loss(*inputs).detach(), "The value is right, but it carries no gradient, so "
            "nothing could be trained. Look for detach, no_grad, .item() or NumPy."),
    ],
)  # fmt: skip
