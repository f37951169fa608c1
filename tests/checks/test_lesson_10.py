"""Right answers to the exercises of lesson 10, in other styles than the reference."""

import numpy as np
import scipy.stats
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal
from verdicts import accepts, says


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def d_by_cross_entropy(discriminator, x, x_fake):
    return cross_entropy(discriminator(x), 1.0) + cross_entropy(discriminator(x_fake.clone().detach()), 0.0)


def d_in_one_batch(discriminator, x, x_fake):
    real, fake = discriminator(torch.cat([x, x_fake.detach()])).flatten().split([len(x), len(x_fake)])
    return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()


def d_sample_by_sample(discriminator, x, x_fake):
    with torch.no_grad():
        still = x_fake + 0
    real, fake = (sum(-F.logsigmoid(sign * discriminator(one[None])) for one in batch).squeeze() / len(batch)
                  for sign, batch in ((1, x), (-1, still)))  # fmt: skip
    return real + fake


def d_by_distributions(discriminator, x, x_fake):
    real, fake = discriminator(x).double(), discriminator(x_fake.data).double()
    terms = Bernoulli(logits=real).log_prob(torch.ones_like(real)), Bernoulli(logits=fake).log_prob(fake * 0)
    return -sum(term.mean() for term in terms).float()


def g_by_cross_entropy(discriminator, x_fake):
    return cross_entropy(discriminator(x_fake), 1.0)


def g_by_log(discriminator, x_fake):
    return -F.logsigmoid(discriminator(x_fake)).mean()


def g_by_logaddexp(discriminator, x_fake):
    logits = discriminator(x_fake).reshape(-1)
    return torch.einsum("k->", torch.logaddexp(-logits, torch.zeros_like(logits))) / len(logits)


def g_without_the_judge(discriminator, x_fake):
    """Numbers of 64 bits; the discriminator's weights are held still for the moment."""
    loss = -torch.log(torch.sigmoid(discriminator.requires_grad_(False)(x_fake).double())).mean().float()
    discriminator.requires_grad_(True)
    return loss


def truncate_by_distributions(z, limit):
    phi = Normal(torch.zeros(()).double(), 1.0)
    low = phi.cdf(torch.tensor(-limit).double())
    return phi.icdf(low + (1 - 2 * low) * phi.cdf(z.double())).float()


def truncate_in_scipy(z, limit):
    return torch.from_numpy(scipy.stats.truncnorm.ppf(scipy.stats.norm.cdf(z.numpy()), -limit, limit)).float()


def truncate_by_erf(z, limit):
    share = torch.erf(torch.tensor(limit / 2**0.5))
    return 2**0.5 * torch.erfinv(share * torch.erf(z / 2**0.5))


def truncate_number_by_number(z, limit):
    from statistics import NormalDist

    phi = NormalDist()
    low, high = phi.cdf(-limit), phi.cdf(limit)
    return torch.tensor([[phi.inv_cdf(low + phi.cdf(one) * (high - low)) for one in row] for row in z.tolist()])


def adam_by_hand(generator, x, z_start, steps, lr=0.1):
    """Adam written out, one image at a time."""
    codes, errors = [], []
    for image, z in zip(x, z_start, strict=True):
        z, m, v, own = z.clone()[None], 0.0, 0.0, []
        for t in range(1, steps + 1):
            z = z.detach().requires_grad_()
            error = ((generator(z)[0] - image) ** 2).sum()
            (slope,) = torch.autograd.grad(error, z)
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            z = (z - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)).detach()
            own.append(error.detach())
        codes.append(z[0])
        errors.append(torch.stack(own))
    return torch.stack(codes), torch.stack(errors, dim=1)


def search_by_mean(generator, x, z_start, steps, lr=0.1):
    """Adam does not care for the scale of the loss, and weights that collect gradients harm nobody."""
    z = torch.nn.Parameter(z_start.clone())
    adam, errors = torch.optim.Adam([z], lr), []
    for _ in range(steps):
        adam.zero_grad()
        pixels = (generator(z) - x) ** 2
        errors.append(pixels.detach().flatten(1).sum(1))
        pixels.mean().backward()
        adam.step()
    return z.data, torch.stack(errors)


def search_into_an_array(generator, x, z_start, steps, lr=0.1):
    z = torch.tensor(z_start.numpy(), requires_grad=True)
    adam, errors = torch.optim.Adam([{"params": [z], "lr": lr}]), np.zeros((steps, len(x)), dtype=np.float32)
    for k in range(steps):
        each_image = F.mse_loss(generator(z), x, reduction="none").sum((-1, -2, -3))
        errors[k] = each_image.detach().numpy()
        each_image.backward(torch.ones(len(x)))
        adam.step()
        z.grad.zero_()
    return [z.detach(), torch.from_numpy(errors)]


def search_with_a_closure(generator, x, z_start, steps, lr=0.1):
    """Each image has an optimizer of its own; the errors keep their history."""
    codes = [one[None].clone().requires_grad_() for one in z_start]
    adams, rows = [torch.optim.Adam([z], lr=lr) for z in codes], []
    for _ in range(steps):
        row = [torch.linalg.vector_norm(generator(z)[0] - image) ** 2 for z, image in zip(codes, x, strict=True)]
        for z, adam, error in zip(codes, adams, row, strict=True):
            (z.grad,) = torch.autograd.grad(error, z, retain_graph=True)
            adam.step()
        rows.append(torch.stack(row))
    return torch.cat(codes).detach(), torch.stack(rows)


RIGHT = {
    "gan-discriminator-loss": [d_by_cross_entropy, d_in_one_batch, d_sample_by_sample, d_by_distributions],
    "gan-generator-loss": [g_by_cross_entropy, g_by_log, g_by_logaddexp, g_without_the_judge],
    "truncate-codes": [truncate_by_distributions, truncate_in_scipy, truncate_by_erf, truncate_number_by_number],
    "invert-generator": [adam_by_hand, search_by_mean, search_into_an_array, search_with_a_closure],
}


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("gan-discriminator-loss", lambda d, x, f: F.softplus(d(f)).mean() - F.logsigmoid(d(x)).sum(), "is expected"),
        ("gan-discriminator-loss", lambda d, x, f: 0.5 * (F.softplus(-d(x)).mean() + F.softplus(d(f)).mean()), "1.386"),
        ("gan-generator-loss", lambda d, f: g_by_log(d, f) / 3, "times what it should be"),
        ("truncate-codes", lambda z, limit: truncate_by_erf(z, limit).tolist(), "list"),
        ("invert-generator", lambda *inputs: adam_by_hand(*inputs)[0], "2 values are expected"),
        ("invert-generator", lambda g, x, z, *rest: adam_by_hand(g, x, z.add_(1), *rest), "in place"),
    ]
)
