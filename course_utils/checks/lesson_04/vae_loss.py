"""vae-loss: the two terms of a VAE's loss, each with one value an image."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, mse_loss

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import gradient


def pixels(x_logits, x):
    return binary_cross_entropy_with_logits(x_logits, x, reduction="none")


def recon_of(x_logits, x):
    return pixels(x_logits, x).flatten(1).sum(dim=1)


def kl_of(mu, logvar):
    return 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).sum(dim=1)


def vae_loss(x_logits, x, mu, logvar):
    return recon_of(x_logits, x), kl_of(mu, logvar)


def recon_is(recon):
    """A wrong answer whose recon is another function of x_logits and x; kl is right."""
    return lambda x_logits, x, mu, logvar: (recon(x_logits, x), kl_of(mu, logvar))


def kl_is(kl):
    """A wrong answer whose kl is another function of mu and logvar; recon is right."""
    return lambda x_logits, x, mu, logvar: (recon_of(x_logits, x), kl(mu, logvar))


def batch(count, latent_dim, *image, scale=1.0):
    def inputs(g):
        x = torch.rand(count, *image, generator=g)
        codes = (scale * torch.randn(count, latent_dim, generator=g) for _ in range(2))
        return 3 * scale * torch.randn(count, *image, generator=g), x, *codes

    return inputs


def observe(fn, x_logits, x, mu, logvar):
    """The two results, and the gradients that each of them sends."""
    leaves = [one.clone().requires_grad_() for one in (x_logits, mu, logvar)]
    given = [leaf * 1.0 for leaf in leaves]
    out = fn(given[0], x, *given[1:])
    for now, was in zip(given, (x_logits, mu, logvar), strict=True):
        if not torch.equal(now, was):
            was.copy_(now.detach())
    if not (isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(one, Tensor) for one in out)):
        return out
    if not all(one.is_floating_point() for one in out):
        return out
    return Parts({
        "": tuple(one.detach() for one in out),
        "gradient for x_logits, from recon": gradient(out[0], leaves[:1]),
        "gradient for mu, from kl": gradient(out[1], leaves[1:2]),
        "gradient for logvar, from kl": gradient(out[1], leaves[2:]),
    })  # fmt: skip


CUT = ("The numbers are right, but {} is cut off from {}, which would not learn from it. Is there a detach, a no_grad "
    "or an item() on the way?")

CHECK = Check(
    vae_loss,
    inputs={"": batch(5, 3, 1, 4, 7), "there is one image": batch(1, 4, 1, 3, 6),
            "pictures have three channels": batch(4, 2, 3, 5, 2),
            "numbers are large": batch(3, 2, 1, 2, 5, scale=6.0)},
    observe=observe,
    mistakes=[
        Mistake(lambda a, x, mu, v: (pixels(a, x).mean(), kl_of(mu, v).mean()), "Your recon is averaged over the "
            "pixels, and both are averaged over the batch. A picture's nats are the SUM over its pixels: reduction="
            "'none', then sum over all dimensions but the first."),
        Mistake(lambda a, x, mu, v: (pixels(a, x).sum(), kl_of(mu, v).sum()), "Both terms are summed over the whole "
            "batch. Here each image keeps its own value, (B,): over which dimensions do you sum?"),
        Mistake(lambda a, x, mu, v: (recon_of(a, x).mean(), kl_of(mu, v).mean()), "You take the mean over the batch "
            "already. That is the next step; here each image keeps its own value, (B,)."),
        Mistake(lambda a, x, mu, v: kl_of(mu, v) + recon_of(a, x), "You return the sum of the two. Return recon and "
            "kl apart, so that each can be watched."),
        Mistake(lambda a, x, mu, v: vae_loss(a, x, mu, v)[::-1], "The two are in the wrong order: return recon, then "
            "kl."),
        Mistake(recon_is(lambda a, x: pixels(a, x).flatten(1).mean(dim=1)), "Your recon is averaged over the pixels, "
            "so it is too small by their number, and the price would count as much as hundreds of pixels. Sum."),
        Mistake(recon_is(lambda a, x: binary_cross_entropy_with_logits(a, x)), "Your recon is one number, averaged "
            "over pixels and batch: that is what reduction='mean' does by default. Which reduction keeps all numbers, "
            "and over which dimensions do you then sum?"),
        Mistake(recon_is(lambda a, x: pixels(a, x).sum()), "Your recon is summed over the batch too. Each image keeps "
            "its own value: sum over all dimensions but the first."),
        Mistake(recon_is(pixels), "Your recon still has a value for each pixel. Sum over all dimensions but the "
            "first."),
        Mistake(recon_is(lambda a, x: pixels(a, x).sum(dim=(2, 3))), "Your recon is not summed over the channels. Sum "
            "over all dimensions but the first."),
        Mistake(recon_is(lambda a, x: pixels(a, x).sum(dim=0)), "Your recon is summed over the batch and keeps the "
            "pixels. It is the other way round: one value an image."),
        Mistake(recon_is(lambda a, x: -recon_of(a, x)), "Your recon has the wrong sign: it is MINUS log p(x|z), which "
            "is positive, and smaller where the picture is better."),
        Mistake(recon_is(lambda a, x: recon_of(a.sigmoid(), x)), "You take the sigmoid of x_logits and hand it to a "
            "function that takes the sigmoid itself. One of the two can go."),
        Mistake(recon_is(lambda a, x: recon_of(x, a.sigmoid())), "Prediction and target are exchanged: the logits "
            "come first, the picture second."),
        Mistake(recon_is(lambda a, x: (a.sigmoid() - x).square().flatten(1).sum(dim=1)), "That is the squared error. "
            "The formula has logarithms: binary cross-entropy."),
        Mistake(recon_is(lambda a, x: (a - x).square().flatten(1).sum(dim=1)), "That is the squared error of the "
            "logits. The formula is the binary cross-entropy."),
        Mistake(recon_is(lambda a, x: mse_loss(a.sigmoid(), x)), "That is the mean squared error. The formula has "
            "logarithms: binary cross-entropy, summed over the pixels."),
        Mistake(recon_is(lambda a, x: -(x * a.sigmoid().log()).flatten(1).sum(dim=1)), "Only the first half of the "
            "formula is there: a black pixel, x = 0, would cost nothing whatever the decoder says."),
        Mistake(recon_is(lambda a, x: pixels(a, (x > 0.5).float()).flatten(1).sum(dim=1)), "You make the picture black "
            "and white first. The formula takes the grey values as they are."),
        Mistake(recon_is(lambda a, x: binary_cross_entropy(a.sigmoid().clamp(0.01, 0.99), x, reduction="none")
            .flatten(1).sum(dim=1)), "You cut the pixels off before the logarithm, so a confident decoder gets wrong "
            "nats. binary_cross_entropy_with_logits needs no such limit."),
        Mistake(recon_is(lambda a, x: recon_of(a, x) / len(x)), "You divide recon by the size of the batch. The mean "
            "comes later, and once."),
        Mistake(kl_is(lambda mu, v: -kl_of(mu, v)), "Your kl has the wrong sign. A price is never below 0: check with "
            "mu = 0 and logvar = 0, then with mu = 1."),
        Mistake(kl_is(lambda mu, v: 2 * kl_of(mu, v)), "Your kl is twice too large: the half in front is missing."),
        Mistake(kl_is(lambda mu, v: kl_of(mu, v) / mu.shape[1]), "Your kl is averaged over the latent dimensions. Each "
            "dimension is charged: sum."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 - v).mean()), "Your kl is averaged over dimensions and "
            "batch. Sum over the dimensions, and keep one value an image."),
        Mistake(kl_is(lambda mu, v: kl_of(mu, v).sum()), "Your kl is summed over the batch too. Each image keeps its "
            "own value."),
        Mistake(kl_is(lambda mu, v: kl_of(mu, v).mean()), "Your kl is averaged over the batch. Each image keeps its "
            "own value."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 - v)), "Your kl still has a value for each dimension. "
            "Sum over them."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 - v).sum(dim=0)), "Your kl is summed over the batch and "
            "keeps the dimensions. It is the other way round."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v**2 + mu**2 - 1 - (v**2).log()).sum(dim=1)), "You use logvar as if it were "
            "sigma. What is sigma^2, and what is log(sigma^2)?"),
        Mistake(kl_is(lambda mu, v: 0.5 * (v + mu**2 - 1 - v.log()).sum(dim=1)), "You use logvar as if it were the "
            "variance. sigma^2 is exp(logvar), and log(sigma^2) is logvar itself."),
        Mistake(kl_is(lambda mu, v: 0.5 * (torch.exp(0.5 * v) + mu**2 - 1 - v).sum(dim=1)), "You put sigma where sigma "
            "squared belongs. What is sigma^2 in terms of logvar?"),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() ** 2 + mu**2 - 1 - v).sum(dim=1)), "exp(logvar) is sigma squared "
            "already. You square it once more."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 - 2 * v).sum(dim=1)), "You subtract 2 * logvar. "
            "log(sigma^2) is logvar: the 2 is in it."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 - 0.5 * v).sum(dim=1)), "You subtract log(sigma), half "
            "of log(sigma^2). Which is logvar?"),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - 1 + v).sum(dim=1)), "You add logvar. A narrow cloud has a "
            "very negative logvar and must cost much: which sign?"),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu - 1 - v).sum(dim=1)), "The square of mu is missing: a centre "
            "at -3 is as far out as one at 3."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu.abs() - 1 - v).sum(dim=1)), "You take the absolute value of "
            "mu. The price has its square."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - v).sum(dim=1)), "The -1 is missing: a cloud like the "
            "prior would cost half a nat for each dimension, and should cost 0."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() + mu**2 - v).sum(dim=1) - 0.5), "You subtract 1 once for each "
            "image. It belongs under the sum, once for each dimension."),
        Mistake(kl_is(lambda mu, v: 0.5 * (v.exp() - 1 - v).sum(dim=1)), "mu is missing: distance from the origin "
            "must cost something."),
        Mistake(kl_is(lambda mu, v: 0.5 * (mu**2).sum(dim=1)), "The width is missing: precision must cost something."),
        Mistake(recon_is(lambda a, x: recon_of(a.detach(), x)), CUT.format("recon", "the decoder"),
            part="gradient for x_logits, from recon"),
        Mistake(kl_is(lambda mu, v: kl_of(mu.detach(), v.detach())), CUT.format("kl", "the encoder"),
            part="gradient for mu, from kl"),
        Mistake(kl_is(lambda mu, v: kl_of(mu, v.detach())), CUT.format("kl", "logvar"),
            part="gradient for logvar, from kl"),
    ],
)  # fmt: skip
