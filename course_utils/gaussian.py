"""Diagonal Gaussians: sampling by reparameterization, KL divergences, log-densities and the log of a mean.

``logvar`` is the logarithm of the variance, log(sigma**2), everywhere. float16 and bfloat16 inputs are computed and
returned in float32: a sum over many dimensions would lose most of its digits in 16 bits, and exp(12) overflows float16.
"""

import math

import torch
from torch import Tensor

from course_utils.device import as_float64
from course_utils.inputs import at_least_float32


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A sample of N(mu, diag(exp(logvar))) through which gradients flow to mu and logvar.

    z = mu + std * eps,  std = exp(0.5 * logvar),  eps ~ N(0, I)    (Kingma and Welling 2013, sec. 2.4)

    Args:
        mu: Mean, shape (B, D).
        logvar: Log variance, shape (B, D).
        generator: Source of eps, on the same device; None uses PyTorch's global generator.

    Returns:
        z, shape (B, D), with a fresh eps for every element; float32 for 16-bit inputs.

    Raises:
        ValueError: The shapes differ: examples or dimensions would share their eps.

    Taught in lesson 05.

    Example:
        >>> z = reparameterize(torch.zeros(3, 2), torch.zeros(3, 2))
        >>> z.shape
        torch.Size([3, 2])
    """
    mu, logvar = _alike(mu, logvar)
    std = torch.exp(0.5 * logvar)
    eps = torch.empty_like(std).normal_(generator=generator)
    return mu + std * eps


def _alike(mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    if mu.shape != logvar.shape:
        raise ValueError(f"mu has shape {tuple(mu.shape)} and logvar {tuple(logvar.shape)}: give both as (B, D).")
    return at_least_float32(mu, logvar)


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence from N(mu, diag(exp(logvar))) to N(0, I), in nats.

    0.5 * sum_d (exp(logvar_d) + mu_d**2 - 1 - logvar_d)    (Kingma and Welling 2013, app. B)

    Args:
        mu: Mean, shape (B, D).
        logvar: Log variance, shape (B, D).

    Returns:
        One value per example, shape (B,): summed over D, never averaged.

    Taught in lesson 06.

    Example:
        >>> kl_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor([0.5000])
    """
    return kl_per_dimension(mu, logvar).sum(dim=-1)


def kl_per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """The summands of `kl_standard_normal`: how many nats each dimension of the code carries.

    0.5 * (exp(logvar_d) + mu_d**2 - 1 - logvar_d)

    Args:
        mu: Mean, shape (B, D).
        logvar: Log variance, shape (B, D).

    Returns:
        Shape (B, D), in nats, never negative but for rounding.

    Raises:
        ValueError: The shapes differ.

    Taught in lesson 07.

    Example:
        >>> kl_per_dimension(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor([[0.5000, 0.0000]])
    """
    mu, logvar = _alike(mu, logvar)
    return 0.5 * (torch.expm1(logvar) + mu.square() - logvar)


def kl_gaussians(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL divergence from q = N(mu_q, diag(exp(logvar_q))) to p = N(mu_p, diag(exp(logvar_p))), in nats.

    0.5 * sum_d (exp(delta_d) - 1 - delta_d + (mu_q_d - mu_p_d)**2 / exp(logvar_p_d)),  delta = logvar_q - logvar_p

    Written with the difference delta and expm1, so that it is finite and exact also for very narrow, very wide and
    nearly equal distributions. It is not symmetric: KL(q || p) is not KL(p || q).

    Args:
        mu_q: Mean of q, shape (B, D).
        logvar_q: Log variance of q, shape (B, D).
        mu_p: Mean of p, shape (B, D), or (D,) for one p.
        logvar_p: Log variance of p, shaped like mu_p.

    Returns:
        One value per example, shape (B,): summed over D.

    Taught in lesson 06.

    Example:
        >>> zeros = torch.zeros(1, 2)
        >>> kl_gaussians(torch.ones(1, 2), zeros, zeros, zeros)
        tensor([1.])
    """
    mu_q, logvar_q, mu_p, logvar_p = at_least_float32(mu_q, logvar_q, mu_p, logvar_p)
    delta = logvar_q - logvar_p
    shift = (mu_q - mu_p) * torch.exp(-0.5 * logvar_p)  # in standard deviations of p
    return 0.5 * (torch.expm1(delta) - delta + shift.square()).sum(dim=-1)


def log_prob_gaussian(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Logarithm of the density of N(mu, diag(exp(logvar))) at x, in nats.

    -0.5 * sum_d (log(2 pi) + logvar_d + (x_d - mu_d)**2 / exp(logvar_d))

    A density is no probability: its logarithm may be positive.

    Args:
        x: Points, shape (B, D).
        mu: Mean, shape (B, D), or (D,) for one Gaussian.
        logvar: Log variance, shaped like mu.

    Returns:
        One value per example, shape (B,): summed over D.

    Taught in lesson 06.

    Example:
        >>> log_prob_gaussian(torch.zeros(1, 2), torch.zeros(2), torch.zeros(2))  # -log(2 pi)
        tensor([-1.8379])
    """
    x, mu, logvar = at_least_float32(x, mu, logvar)
    shift = (x - mu) * torch.exp(-0.5 * logvar)
    return -0.5 * (math.log(2 * math.pi) + logvar + shift.square()).sum(dim=-1)


def log_prob_aggregate(z: Tensor, mu: Tensor, logvar: Tensor, batch_size: int = 64) -> Tensor:
    """Logarithm of the density of the aggregate posterior q(z), the equal mixture of all images' posteriors, in nats.

    q(z) = 1/N sum_n N(z; mu_n, diag(exp(logvar_n)))    (Makhzani et al. 2015; Hoffman and Johnson 2016)

    Args:
        z: Points, shape (Q, D).
        mu: Posterior means of N images, shape (N, D).
        logvar: Log variances, shaped like mu.
        batch_size: Points computed at a time; memory is batch_size * N numbers, and few at a time are much faster than
            many where N is large: their numbers stay in the processor's cache.

    Returns:
        One value a point, shape (Q,), computed in float64: the squares are multiplied out, which loses digits.

    Raises:
        ValueError: The shapes do not fit.

    Taught in lesson 07.

    Example:
        >>> one = torch.zeros(1, 2)
        >>> log_prob_aggregate(one, torch.zeros(5, 2), torch.zeros(5, 2))  # -log(2 pi)
        tensor([-1.8379], dtype=torch.float64)
    """
    if mu.ndim != 2 or mu.shape != logvar.shape or z.ndim != 2 or z.shape[1] != mu.shape[1] or len(mu) == 0:
        raise ValueError(
            f"z has shape {tuple(z.shape)}, mu {tuple(mu.shape)} and logvar {tuple(logvar.shape)}: give points (Q, D) "
            "and the means and log variances of at least one image, (N, D) each."
        )
    z, mu, logvar = as_float64(z), as_float64(mu), as_float64(logvar)
    middle = mu.mean(dim=0)
    z, mu = z - middle, mu - middle  # the density does not depend on it, but how many digits are lost does
    precision = torch.exp(-logvar)
    constant = (mu.square() * precision + logvar).sum(dim=1, keepdim=True) + mu.shape[1] * math.log(2 * math.pi)
    # Multiplied out, the log-density is linear in (z**2, z, 1), so that all of them are one product of matrices.
    weights = -0.5 * torch.cat([precision, -2 * mu * precision, constant], dim=1)  # (N, 2 D + 1)
    terms = torch.cat([z.square(), z, z.new_ones(len(z), 1)], dim=1)  # (Q, 2 D + 1)
    return torch.cat([log_mean_exp(part @ weights.T, dim=1) for part in terms.split(batch_size)])


def log_mean_exp(x: Tensor, dim: int) -> Tensor:
    """log of the mean of exp(x) along one dimension, without overflow or underflow.

    log(1/K sum_k exp(x_k)) = m + log(1/K sum_k exp(x_k - m)),  m = max_k x_k

    Args:
        x: Logarithms, for example of importance weights.
        dim: The dimension to average over.

    Returns:
        x's shape without ``dim``.

    Raises:
        ValueError: There is nothing to average along ``dim``.

    Taught in lesson 06.

    Example:
        >>> log_mean_exp(torch.tensor([[-1000.0, -1000.0]]), dim=1)
        tensor([-1000.])
    """
    (x,) = at_least_float32(x)
    if x.shape[dim] == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is nothing to average along dimension {dim}.")
    return torch.logsumexp(x, dim=dim) - math.log(x.shape[dim])
