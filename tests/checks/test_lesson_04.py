"""Right answers to the exercises of lesson 04, in other styles than the reference."""

import math

import numpy as np
import scipy.stats
import torch
from torch.distributions import AffineTransform, Bernoulli
from torch.nn.functional import linear
from verdicts import accepts, says


def cloud_as_a_list(features, head_mu, head_logvar):
    logvar = head_logvar(features)
    return [head_mu(features), logvar, logvar.div(2).exp()]


def cloud_image_by_image(features, head_mu, head_logvar):
    logvar = torch.cat([head_logvar(one[None]) for one in features])
    return torch.stack([head_mu(one) for one in features]), logvar, math.e ** (logvar / 2)


def cloud_by_einsum(features, head_mu, head_logvar):
    logvar = linear(features, head_logvar.weight, head_logvar.bias)
    return (
        torch.einsum("bh,dh->bd", features, head_mu.weight) + head_mu.bias,
        logvar,
        logvar.double().exp().sqrt().float(),
    )


def axes_one_by_one(std, share):
    r = math.sqrt(2 * math.log(1 / (1 - share)))
    return torch.tensor([[r * float(a), r * float(b)] for a, b in std])


def axes_in_torch(std, share):
    r = torch.tensor(1.0 - share).log().mul(-2).sqrt()
    return torch.stack([std[:, 0] * r, std[:, 1] * r], dim=1)


def axes_by_scipy(std, share):
    return torch.from_numpy(std.numpy() * np.sqrt(scipy.stats.chi2.ppf(share, df=2)).astype(np.float32))


def images_one_by_one(decoder, eps, temperature=1.0):
    return torch.cat([1 / (1 + torch.exp(-decoder(one[None] * temperature))) for one in eps])


def images_in_numpy(decoder, eps, temperature=1.0):
    with np.errstate(over="ignore"):
        return torch.from_numpy(1 / (1 + np.exp(-decoder(torch.from_numpy(temperature * eps.numpy())).numpy())))


def images_with_distributions(decoder, eps, temperature=1):
    return Bernoulli(logits=decoder(AffineTransform(0, temperature)(eps))).mean


RIGHT = {
    "two-heads": [cloud_as_a_list, lambda f, m, v: (m(f), v(f), v(f).exp().sqrt()), cloud_image_by_image,
                  cloud_by_einsum],
    "posterior-ellipse": [axes_one_by_one, axes_in_torch, axes_by_scipy,
                          lambda std, share: (std.double() * scipy.stats.rayleigh.ppf(share)).float()],
    "sample-images": [images_one_by_one, images_in_numpy, images_with_distributions,
                      lambda d, eps, temperature=1.0: 0.5 + 0.5 * torch.tanh(0.5 * d(eps.mul(temperature)))],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("two-heads", lambda f, m, v: (m(f), v(f), np.exp(0.5 * v(f))), "NumPy keeps no gradients"),
        ("two-heads", lambda f, m, v: cloud_as_a_list(f.sub_(1), m, v), "in place"),
        ("two-heads", lambda f, m, v: cloud_as_a_list(f * 0.5 + f.detach() * 0.5, m, v), "gradient for features"),
        ("two-heads", lambda f, m, v: (m(f) + 1, v(f), v(f).div(2).exp().detach()), "number 1 is wrong"),
        ("sample-images", lambda d, eps, temperature: images_in_numpy(d, eps, temperature), "temperature is left out"),
    ]
)
