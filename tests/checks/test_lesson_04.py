"""Right answers to the exercises of lesson 04, in other styles than the reference."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from verdicts import each, verdict


def cloud_as_a_list(features, head_mu, head_logvar):
    logvar = head_logvar(features)
    return [head_mu(features), logvar, logvar.div(2).exp()]


def cloud_by_the_variance(features, head_mu, head_logvar):
    return head_mu(features), head_logvar(features), head_logvar(features).exp().sqrt()


def cloud_image_by_image(features, head_mu, head_logvar):
    mu = torch.stack([head_mu(one) for one in features])
    logvar = torch.cat([head_logvar(one[None]) for one in features])
    return mu, logvar, math.e ** (logvar / 2)


def cloud_by_einsum(features, head_mu, head_logvar):
    mu = torch.einsum("bh,dh->bd", features, head_mu.weight) + head_mu.bias
    logvar = F.linear(features, head_logvar.weight, head_logvar.bias)
    return mu, logvar, torch.pow(torch.exp(logvar.double()), 0.5).float()


def axes_one_by_one(std, share):
    r = math.sqrt(2 * math.log(1 / (1 - share)))
    return torch.tensor([[r * float(a), r * float(b)] for a, b in std])


def axes_in_torch(std, share):
    r = torch.tensor(1.0 - share).log().mul(-2).sqrt()
    return torch.stack([std[:, 0] * r, std[:, 1] * r], dim=1)


def axes_by_scipy(std, share):
    return torch.from_numpy(std.numpy() * np.sqrt(scipy.stats.chi2.ppf(share, df=2)).astype(np.float32))


def axes_by_rayleigh(std, share):
    return (std.double() * scipy.stats.rayleigh.ppf(share)).float()


def axes_by_search(std, share):
    low, high = 0.0, 10.0
    for _ in range(60):
        r = (low + high) / 2
        low, high = (r, high) if 1 - math.exp(-(r**2) / 2) < share else (low, r)
    return torch.einsum("bd,->bd", std, torch.tensor(r))


def images_one_by_one(decoder, eps, temperature=1.0):
    return torch.cat([1 / (1 + torch.exp(-decoder(one[None] * temperature))) for one in eps])


def images_in_numpy(decoder, eps, temperature=1.0):
    z = torch.from_numpy(temperature * eps.numpy())
    return torch.from_numpy(1 / (1 + np.exp(-decoder(z).numpy())))


def images_with_distributions(decoder, eps, temperature=1):
    spread = torch.distributions.AffineTransform(0, temperature)
    return torch.distributions.Bernoulli(logits=decoder(spread(eps))).mean


def images_by_tanh(decoder, eps, temperature=1.0):
    return 0.5 + 0.5 * torch.tanh(0.5 * decoder(eps.mul(temperature)))


RIGHT = {
    "two-heads": [cloud_as_a_list, cloud_by_the_variance, cloud_image_by_image, cloud_by_einsum],
    "posterior-ellipse": [axes_one_by_one, axes_in_torch, axes_by_scipy, axes_by_rayleigh, axes_by_search],
    "sample-images": [images_one_by_one, images_in_numpy, images_with_distributions, images_by_tanh],
}


@each(RIGHT)
def test_right_answers_are_accepted(name, answer):
    assert verdict(name, answer) is None


def cloud_by_numpy(features, head_mu, head_logvar):
    return head_mu(features), head_logvar(features), np.exp(0.5 * head_logvar(features))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("two-heads", cloud_by_numpy, "NumPy keeps no gradients"),
        ("two-heads", lambda f, head_mu, head_logvar: head_mu(f), "3 values"),
        ("two-heads", lambda f, m, v: cloud_as_a_list(f.sub_(1), m, v), "in place"),
        ("two-heads", lambda f, m, v: cloud_as_a_list(f * 0.5 + f.detach() * 0.5, m, v), "gradient for features"),
        ("posterior-ellipse", lambda std, share: axes_in_torch(std.square_(), share), "in place"),
        ("sample-images", lambda d, eps, temperature=1.0: d(eps.mul_(temperature)).sigmoid(), "in place"),
        ("sample-images", lambda d, eps, temperature: images_by_tanh(d, eps, temperature), "temperature is left out"),
    ],
)
def test_what_else_is_said(name, answer, words):
    assert words in verdict(name, answer)
