"""read-a-run: rate, distortion, KL of each dimension and active units of a model, from what it says of many images."""

import torch

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference, kind

KEYS = ("rate", "distortion", "kl_dims", "active")


def read_run(recon, mu, logvar):
    return read(recon, mu, logvar)


def each(mu, logvar):
    """KL of each image and dimension, (N, latent_dim)."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


def read(recon, mu, logvar, **others):
    """The right answer, but for some of its parts, each made by a function of (recon, mu, logvar)."""
    kl = each(mu, logvar)
    right = {
        "rate": kl.sum(dim=1).mean(), "distortion": recon.mean(), "kl_dims": kl.mean(dim=0),
        "active": mu.var(dim=0) > 0.01,
    }  # fmt: skip
    return right | {name: make(recon, mu, logvar) for name, make in others.items()}


def but(**others):
    """A wrong answer: the right one with some of its parts made otherwise."""
    return lambda recon, mu, logvar: read(recon, mu, logvar, **others)


def of_kl(**others):
    """A wrong answer whose parts are made otherwise from the KL of each image and dimension, (N, latent_dim)."""
    return but(**{name: lambda recon, mu, logvar, make=make: make(each(mu, logvar)) for name, make in others.items()})


def wrong_kl(kl):
    """A wrong answer with another formula for the KL of one dimension, from (mu, logvar)."""
    return but(rate=lambda recon, mu, logvar: kl(mu, logvar).sum(dim=1).mean(),
               kl_dims=lambda recon, mu, logvar: kl(mu, logvar).mean(dim=0))  # fmt: skip


def images(count):
    """Four dimensions: one in use; one silent; one whose mean is far from 0 and does not move; one with narrow clouds
    that all lie in one place.
    """

    def inputs(g):
        move = torch.tensor([1.0, 0.003, 0.003, 0.03, 0.3])
        mu = move * torch.randn(count, 5, generator=g) + torch.tensor([0.1, 0.0, 1.5, 0.0, 0.0])
        mu[:, 4] = mu[:, 4].clamp(-0.3, 0.3)
        logvar = torch.tensor([-2.0, 0.0, 0.0, -3.0, -0.1]) + 0.05 * torch.randn(count, 5, generator=g)
        return 240 + 20 * torch.randn(count, generator=g), mu, logvar

    return inputs


def observe(fn, recon, mu, logvar):
    """The four parts; what has another form is handed back as it is."""
    out = fn(recon, mu, logvar)
    if not isinstance(out, dict) or set(out) != set(KEYS):
        return out
    return Parts({f'"{key}"': _plain(out[key]) for key in KEYS})


def _plain(value):
    """Numbers as tensors without a history."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return torch.tensor(float(value))
    return value.detach() if isinstance(value, torch.Tensor) else value


def compare(out, expected, *inputs):
    if not isinstance(out, Parts):
        names = ", ".join(f'"{key}"' for key in KEYS)
        had = f"a dictionary with {', '.join(map(repr, out)) or 'nothing'}" if isinstance(out, dict) else kind(out)
        had = "nothing" if out is None else had
        return f"It returns {had} where a dictionary with {names} is expected."
    for name, right in expected.items():
        if fault := difference(out[name], right, 1e-4):
            return f"{name} is wrong: {fault}"
    return None


CHECK = Check(
    read_run,
    inputs={"": images(60), "there are few images": images(7)},
    observe=observe,
    compare=compare,
    mistakes=[
        Mistake(of_kl(rate=lambda kl: kl.mean()), "Your rate is averaged over the dimensions too. The code of an image "
            "costs the SUM over its dimensions; what is averaged are the images."),
        Mistake(of_kl(rate=lambda kl: kl.sum()), "Your rate is summed over the images, so it grows with their number. "
            "Sum over dimensions, then average over images."),
        Mistake(of_kl(rate=lambda kl: kl.sum(dim=1)), "Your rate has a value for each image. It is their average, one "
            "number."),
        Mistake(of_kl(kl_dims=lambda kl: kl.mean(dim=1)), "Your kl_dims has a number for each image: the average went "
            "over the wrong axis. Axis 0 are the images."),
        Mistake(of_kl(kl_dims=lambda kl: kl.sum(dim=0)), "Your kl_dims is summed over the images. Each dimension's KL "
            "is averaged over them."),
        Mistake(of_kl(kl_dims=lambda kl: kl), "Your kl_dims is not averaged yet: one number for each "
            "dimension, (latent_dim,)."),
        Mistake(but(distortion=lambda recon, mu, logvar: recon), "Your distortion has a value for each image. It is "
            "their average, one number."),
        Mistake(but(distortion=lambda recon, mu, logvar: recon.sum()), "Your distortion is summed over the images. It "
            "is their average."),
        Mistake(but(distortion=lambda recon, mu, logvar: recon.mean() + each(mu, logvar).sum(dim=1).mean()), "Your "
            "distortion holds the KL as well: that is the negative ELBO. Distortion is recon alone."),
        Mistake(of_kl(active=lambda kl: kl.mean(dim=0) > 0.01), "You call a dimension active if its KL is above 0.01. "
            "A cloud that is the same for every image has a KL as well, if it lies far from 0 or is narrow. What has "
            "to differ from image to image?"),
        Mistake(but(active=lambda recon, mu, logvar: (mu**2).mean(dim=0) > 0.01), "You average mu squared. A mean that "
            "is 1.5 for every image would count, and says nothing of the image: which number measures how far mu "
            "moves around its average?"),
        Mistake(but(active=lambda recon, mu, logvar: mu.std(dim=0) > 0.01), "You compare the standard deviation of mu "
            "with 0.01. The convention is for the variance, its square."),
        Mistake(but(active=lambda recon, mu, logvar: mu.var(dim=1) > 0.01), "The variance goes over the wrong axis: it "
            "is taken over the images, axis 0, for each dimension."),
        Mistake(but(active=lambda recon, mu, logvar: logvar.exp().mean(dim=0) > 0.01), "You look at the widths of the "
            "clouds, exp(logvar). A silent dimension has the width 1. What is to move are the centres, mu."),
        Mistake(but(active=lambda recon, mu, logvar: mu.var(dim=0) < 0.01), "That is the opposite: True where a "
            "dimension is silent."),
        Mistake(but(active=lambda recon, mu, logvar: (mu.var(dim=0) > 0.01).sum()), "You return the number of active "
            "dimensions. Return True or False for each, (latent_dim,); its sum is then the number."),
        Mistake(but(active=lambda recon, mu, logvar: mu.var(dim=0)), "You return the variances. Compare them with "
            "0.01: True or False for each dimension."),
        Mistake(wrong_kl(lambda mu, logvar: mu**2 + logvar.exp() - 1 - logvar), "Your KL is twice what it should be: "
            "where is the half?"),
        Mistake(wrong_kl(lambda mu, logvar: -each(mu, logvar)), "Your KL is negative. A KL divergence never is: which "
            "signs belong to mu squared and to logvar?"),
        Mistake(wrong_kl(lambda mu, logvar: 0.5 * (mu**2 + logvar - 1 - logvar.exp())), "logvar and its exponential "
            "are exchanged in your KL: sigma squared is exp(logvar)."),
        Mistake(wrong_kl(lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() ** 2 - 1 - 2 * logvar)), "Your KL takes "
            "exp(logvar) for sigma. It is sigma squared already."),
    ],
)  # fmt: skip
