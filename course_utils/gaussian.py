"""Diagonal Gaussians: sampling by reparameterization and the KL divergence to the standard normal.

``logvar`` is the logarithm of the variance, log(sigma**2), everywhere.
"""

import torch
from torch import Tensor


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A sample of N(mu, diag(exp(logvar))) through which gradients flow to mu and logvar.

    z = mu + std * eps,  std = exp(0.5 * logvar),  eps ~ N(0, I)    (Kingma and Welling 2013, sec. 2.4)

    Args:
        mu: Mean, shape (B, D).
        logvar: Log variance, shape (B, D).
        generator: Source of eps, on the same device; None uses PyTorch's global generator.

    Returns:
        z, shape (B, D), with a fresh eps for every element.

    Example:
        >>> z = reparameterize(torch.zeros(3, 2), torch.zeros(3, 2))
        >>> z.shape
        torch.Size([3, 2])
    """
    std = torch.exp(0.5 * logvar)
    eps = torch.empty_like(std).normal_(generator=generator)
    return mu + std * eps


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence from N(mu, diag(exp(logvar))) to N(0, I), in nats.

    0.5 * sum_d (exp(logvar_d) + mu_d**2 - 1 - logvar_d)    (Kingma and Welling 2013, app. B)

    Args:
        mu: Mean, shape (B, D).
        logvar: Log variance, shape (B, D).

    Returns:
        One value per example, shape (B,): summed over D, never averaged.

    Example:
        >>> kl_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor([0.5000])
    """
    return 0.5 * (torch.expm1(logvar) + mu.square() - logvar).sum(dim=-1)
