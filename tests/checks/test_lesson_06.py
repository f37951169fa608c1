"""Right answers to the exercises of lesson 06, in other styles than the reference."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from verdicts import accepts, verdict


def std(logvar):
    return torch.exp(logvar / 2)


def kl_by_torch(mu, logvar):
    return kl_divergence(Normal(mu, std(logvar)), Normal(0.0, 1.0)).sum(-1)


def kl_of_papers(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)


def kl_by_loop(mu, logvar):
    found = []
    for m, s in zip(mu, logvar, strict=True):
        found.append(sum(0.5 * (s[d].exp() + m[d] ** 2 - 1 - s[d]) for d in range(len(m))))
    return torch.stack(found)


def kl_in_float64(mu, logvar):
    m, variance = mu.double(), logvar.double().exp()
    return ((torch.einsum("bd,bd->b", m, m) + (variance - variance.log()).sum(1) - m.shape[1]) / 2).to(mu.dtype)


def elbo_by_torch(nll, x, mu, logvar, eps):
    q = Independent(Normal(mu, std(logvar)), 1)
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    return -nll(x, q.mean + q.stddev * eps) - kl_divergence(q, prior)


def elbo_of_two_terms(negative_log_likelihood, x, mu, logvar, eps):
    log_likelihood = -negative_log_likelihood(x=x, z=torch.addcmul(mu, logvar.exp().sqrt(), eps))
    return log_likelihood + 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=-1)


def elbo_by_loop(nll, x, mu, logvar, eps):
    bounds = []
    for b in range(len(x)):
        one = slice(b, b + 1)
        z = mu[one] + std(logvar[one]) * eps[one]
        bounds.append(-nll(x[one], z)[0] - kl_by_loop(mu[one], logvar[one])[0])
    return torch.stack(bounds)


def elbo_in_float64(nll, x, mu, logvar, eps):
    z = mu.double() + std(logvar.double()) * eps.double()
    return -(nll(x.double(), z) + kl_in_float64(mu.double(), logvar.double())).float()


def iwae_in_float64(log_joint, log_q):
    """By way of the second-largest exponent of each example, or the only one."""
    w = log_joint.double() - log_q.double()
    shift = w.sort(dim=0).values[-2:][0]
    return ((w - shift).exp().sum(dim=0) / len(w)).log().add(shift).float()


def iwae_by_logsumexp(log_joint, log_q):
    return torch.logsumexp(log_joint - log_q, 0) - math.log(log_joint.shape[0])


def iwae_by_scipy(log_joint, log_q):
    from scipy.special import logsumexp

    w = (log_joint - log_q).numpy()
    return torch.from_numpy(logsumexp(w, axis=0, b=np.full_like(w, 1 / len(w))))


def iwae_by_loop(log_joint, log_q):
    bounds = []
    for b in range(log_joint.shape[1]):
        w = [float(p) - float(q) for p, q in zip(log_joint[:, b], log_q[:, b], strict=True)]
        bounds.append(max(w) + math.log(sum(math.exp(one - max(w)) for one in w) / len(w)))
    return torch.tensor(bounds)


def iwae_one_by_one(log_joint, log_q):
    total = torch.full(log_joint.shape[1:], -torch.inf)
    for p, q in zip(log_joint, log_q, strict=True):
        total = torch.logaddexp(total, p - q)
    return total - torch.tensor(float(len(log_joint))).log()


def beta_by_backward(loss, recon, kl):
    recon.grad, kl.grad = None, None
    loss(recon, kl).backward()
    return float(kl.grad[-1, -1]) / float(recon.grad[-1, -1])


def beta_of_copies(loss, recon, kl):
    recon, kl = recon.detach().clone().requires_grad_(), kl.detach().clone().requires_grad_()
    loss(recon, kl).backward()
    return np.float64(kl.grad.mean() / recon.grad.mean())


def beta_by_differences(loss, recon, kl, dtype=torch.float64):
    with torch.no_grad():
        recon, kl = recon.to(dtype), kl.to(dtype)
        base, up_recon, up_kl = loss(recon, kl), recon.clone(), kl.clone()
        up_recon[0, 0] += 1
        up_kl[0, 0] += 1
        return ((loss(recon, up_kl) - base) / (loss(up_recon, kl) - base)).item()


RIGHT = {
    "kl-standard-normal": [kl_by_torch, kl_of_papers, kl_by_loop, kl_in_float64],
    "one-sample-elbo": [elbo_by_torch, elbo_of_two_terms, elbo_by_loop, elbo_in_float64],
    "iwae": [iwae_in_float64, iwae_by_logsumexp, iwae_by_scipy, iwae_by_loop, iwae_one_by_one],
    "measure-beta": [beta_by_backward, beta_of_copies, beta_by_differences],
}


test_right_answers_are_accepted = accepts(RIGHT)


def beta_in_float32(loss, recon, kl):
    return beta_by_differences(loss, recon.float(), kl.float(), torch.float32)


def elbo_with_numpy(nll, x, mu, logvar, eps):
    z = torch.from_numpy(mu.detach().numpy() + np.exp(logvar.detach().numpy() / 2) * eps.numpy())
    return -(nll(x, z) + kl_by_torch(mu, logvar))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("kl-standard-normal", lambda mu, logvar: kl_by_torch(mu, logvar.mul_(2)), "in place"),
        ("kl-standard-normal", lambda mu, logvar: kl_by_torch(mu, logvar).tolist(), "list of 5"),
        ("one-sample-elbo", lambda nll, x, mu, logvar, eps: elbo_by_torch(nll, x, mu, logvar, eps.mul_(2)), "in place"),
        ("one-sample-elbo", elbo_with_numpy, "so the encoder would learn the KL term alone"),
        ("iwae", lambda log_joint, log_q: iwae_by_loop(log_joint.sub_(log_q), log_q), "in place"),
        ("measure-beta", beta_in_float32, "It returns"),  # it drowns in rounding: the lesson would see 0 and infinity
        ("measure-beta", lambda loss, recon, kl: torch.tensor(1 / beta_of_copies(loss, recon, kl)), "upside down"),
        ("measure-beta", lambda loss, recon, kl: torch.tensor(beta_of_copies(loss, recon, kl)), "a tensor of one"),
        ("measure-beta", lambda loss, recon, kl: beta_by_backward(loss, recon, kl.data.add_(1)), "in place|raises"),
    ],
)
def test_what_else_is_said(name, answer, words):
    said = verdict(name, answer)
    assert any(one in said for one in words.split("|"))
