"""Reconstruction terms, the bounds on log p(x) made of them, and what a loss's reduction means.

One value per example, summed over the features, in nats. 16-bit inputs are computed and returned in float32.
"""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from course_utils.gaussian import kl_standard_normal, log_prob_gaussian, reparameterize
from course_utils.inputs import as_tensor, at_least_float32, at_least_one, check_pixels


class BoundedModel(Protocol):
    """What `elbo` and `iwae_bound` need of a model with prior N(0, I)."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x), each (B, D)."""
        ...

    def negative_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, (B,)."""
        ...


def _alike(name: str, prediction: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Both in at least float32, or one clear error where they cannot be compared."""
    prediction, x = as_tensor(prediction, name), as_tensor(x, "x")
    if not x.is_floating_point():
        raise TypeError(f"x is {x.dtype} but the losses take floats: divide images by 255 (x.float() / 255).")
    if prediction.shape != x.shape:
        raise ValueError(
            f"{name} has shape {tuple(prediction.shape)} but x has {tuple(x.shape)}: both must be the same (B, ...), "
            "or broadcasting would silently compare every example with every other."
        )
    return at_least_float32(prediction, x)


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Squared distance between reconstruction and input.

    sum over C, H, W of (x_hat - x)**2

    Args:
        x_hat: Reconstruction, shape (B, ...).
        x: Input, the same shape.

    Returns:
        One value per example, shape (B,). Divide by the number of features for the mean squared error per pixel.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> squared_error(torch.zeros(2, 1, 2, 3), torch.ones(2, 1, 2, 3))
        tensor([6., 6.])
    """
    x_hat, x = _alike("x_hat", x_hat, x)
    return (x_hat - x).square().flatten(1).sum(dim=1)


def bernoulli_nll(x_logits: Tensor, x: Tensor) -> Tensor:
    """Negative log-likelihood of x under independent Bernoulli pixels: binary cross-entropy, in nats.

    -sum over C, H, W of [x log p + (1 - x) log(1 - p)],  p = sigmoid(x_logits)

    Args:
        x_logits: The decoder's output before the sigmoid, shape (B, ...).
        x: Targets in [0, 1], the same shape. Grey values are taken as Bernoulli means.

    Returns:
        One value per example, shape (B,).

    Raises:
        ValueError: The shapes differ, or a target lies outside [0, 1].

    Example:
        >>> bernoulli_nll(torch.zeros(1, 4), torch.tensor([[0.0, 1.0, 0.0, 1.0]])) / 4  # log 2 per pixel
        tensor([0.6931])
    """
    x_logits, x = _alike("x_logits", x_logits, x)
    check_pixels(x, "targets of the Bernoulli likelihood")
    return F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1).sum(dim=1)


def gaussian_nll(x_hat: Tensor, x: Tensor, std: float | Tensor) -> Tensor:
    """Negative log-density of x under independent Gaussian pixels with mean x_hat, in nats.

    sum over C, H, W of [0.5 * ((x - x_hat) / std)**2 + log(std) + 0.5 * log(2 pi)]

    With all its constants, so that -(recon + kl) is a true ELBO. A density may exceed 1, so this may be negative.

    Args:
        x_hat: Mean of each pixel, shape (B, ...).
        x: Targets, any real values, the same shape.
        std: Standard deviation of a pixel, positive: a number, or a tensor that broadcasts to x.

    Returns:
        One value per example, shape (B,).

    Raises:
        ValueError: The shapes differ, or std is not positive.

    Taught in lesson 06.

    Example:
        >>> gaussian_nll(torch.zeros(1, 2), torch.ones(1, 2), std=1.0)  # 0.5 + 0.919 a pixel
        tensor([2.8379])
    """
    x_hat, x = _alike("x_hat", x_hat, x)
    std = torch.as_tensor(std, dtype=x_hat.dtype, device=x_hat.device)
    if not bool((std > 0).all()):
        raise ValueError(f"std is {std.min().item():.3g}: a standard deviation must be positive.")
    return (0.5 * ((x - x_hat) / std).square() + std.log() + 0.5 * math.log(2 * math.pi)).flatten(1).sum(dim=1)


def elbo(model: BoundedModel, x: Tensor, num_samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """Evidence lower bound on log p(x), in nats; larger is better.

    E_q[log p(x|z)] - KL(q(z|x) || p(z)) <= log p(x)    (Kingma and Welling 2013, eq. 3)

    The KL term is exact, the expectation a mean over samples: unbiased for any number of them.

    Args:
        model: With ``posterior(x)`` and ``negative_log_likelihood(x, z)``; the prior is N(0, I).
        x: Examples, shape (B, ...).
        num_samples: Samples of z per example; more of them make the estimate steadier, not larger.
        generator: Source of eps; None uses PyTorch's global generator.

    Returns:
        One value per example, shape (B,).

    Raises:
        ValueError: num_samples is not at least 1.

    Taught in lesson 06.
    """
    at_least_one(num_samples=num_samples)
    mu, logvar = model.posterior(x)
    recon = sum(model.negative_log_likelihood(x, reparameterize(mu, logvar, generator)) for _ in range(num_samples))
    return -(recon / num_samples + kl_standard_normal(mu, logvar))


def iwae_bound(
    model: BoundedModel, x: Tensor, num_samples: int, chunk: int = 16, generator: torch.Generator | None = None
) -> Tensor:
    """Importance-weighted bound on log p(x), in nats: at least the ELBO on average, and tighter with more samples.

    log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),  z_k ~ q(z|x)    (Burda, Grosse and Salakhutdinov 2015, eq. 8)

    With one sample it is an estimate of the ELBO. The weights are kept as logarithms. Memory does not grow with the
    number of samples: only ``chunk`` are decoded at a time and a running log of their sum is kept (where gradients are
    recorded, the chunks are decoded again in the backward pass, and only their noise is kept).

    Args:
        model: As for `elbo`.
        x: Examples, shape (B, ...).
        num_samples: K, samples of z per example.
        chunk: Samples decoded at a time, B * chunk images; the result does not depend on it.
        generator: Source of eps; None uses PyTorch's global generator.

    Returns:
        One value per example, shape (B,).

    Raises:
        ValueError: num_samples or chunk is not at least 1.

    Taught in lesson 06.
    """
    at_least_one(num_samples=num_samples, chunk=chunk)
    mu, logvar = model.posterior(x)
    total = None
    for start in range(0, num_samples, chunk):
        # One draw of (B, D) at a time, so that the noise is the same however the samples are grouped.
        count = min(chunk, num_samples - start)
        z = torch.stack([reparameterize(mu, logvar, generator) for _ in range(count)])  # (count, B, D)
        if torch.is_grad_enabled():
            part = checkpoint(_log_sum_of_weights, model, x, z, mu, logvar, use_reentrant=False)
        else:
            part = _log_sum_of_weights(model, x, z, mu, logvar)
        total = part if total is None else torch.logaddexp(total, part)
    return total - math.log(num_samples)


def _log_sum_of_weights(model: BoundedModel, x: Tensor, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log sum_k p(x|z_k) p(z_k) / q(z_k|x) for z (K, B, D), (B,)."""
    every_x = x.expand(len(z), *x.shape).flatten(0, 1)
    log_likelihood = -model.negative_log_likelihood(every_x, z.flatten(0, 1)).reshape(z.shape[:2])  # (K, B)
    zero = torch.zeros_like(mu)
    log_weights = log_likelihood + log_prob_gaussian(z, zero, zero) - log_prob_gaussian(z, mu, logvar)
    return torch.logsumexp(log_weights, dim=0)


def effective_beta(
    beta: float = 1.0,
    *,
    pixels: int,
    latent_dim: int,
    batch_size: int = 1,
    recon_pixels: str = "sum",
    recon_batch: str = "mean",
    kl_dims: str = "sum",
    kl_batch: str = "mean",
    recon_scale: float = 1.0,
) -> float:
    """The beta that a loss really has, given how it reduces its two terms.

    A loss recon + beta * kl is a multiple of the negative ELBO only if both terms are summed over their features and
    reduced alike over the batch. Averaging one of them changes their balance, which is what beta is. The loss given
    here has the same gradient direction as (sum of recon + effective_beta * sum of kl), averaged over the batch:

    effective_beta = beta * (weight of kl) / (weight of recon),
    a mean over n weighing 1/n of a sum, and a sum over the batch batch_size times a mean

    Published forms, for 28 x 28 grey images, 20 latent dimensions and batches of 128:

    - sum and sum, both over everything (torch's VAE example): 1.
    - `F.binary_cross_entropy` or `F.mse_loss` with its default "mean" over batch and pixels, KL summed over dimensions
      and averaged over the batch: pixels * beta = 784, a KL term so strong that the code is silent.
    - "mean" over pixels, KL with `torch.mean` over batch and dimensions: 784 / 20 = 39.2.
    - "mean" over batch and pixels, KL summed over the batch too: 784 * 128 = 100,352.
    - reconstruction summed over everything, KL averaged over the batch: 1 / 128.
    - plain squared error, summed, for the unit-variance Gaussian's 0.5 * squared error (recon_scale=2): 0.5.
    - both terms averaged, with the normalised weight beta * 20 / 784 of Higgins et al. 2017 before the KL term: beta.

    Args:
        beta: The factor written before the KL term in the loss.
        pixels: Numbers in one x, C * H * W.
        latent_dim: D.
        batch_size: B; matters only where one term is summed and the other averaged over the batch.
        recon_pixels: "sum" or "mean": how the reconstruction term is reduced over C, H, W.
        recon_batch: "mean" or "sum": and over the batch.
        kl_dims: "sum" or "mean": how the KL term is reduced over D.
        kl_batch: "mean" or "sum": and over the batch.
        recon_scale: The reconstruction term as a multiple of the negative log-likelihood, constants apart: 1 for
            `bernoulli_nll` or `gaussian_nll`, 2 for squared error as a Gaussian of unit variance.

    Returns:
        The effective beta; 1 is the ELBO.

    Raises:
        ValueError: An unknown reduction, or a size or scale that is not positive.

    Taught in lesson 06.

    Example:
        >>> round(effective_beta(pixels=784, latent_dim=20, recon_pixels="mean", kl_dims="mean"), 6)
        39.2
    """
    at_least_one(pixels=pixels, latent_dim=latent_dim, batch_size=batch_size)
    if not recon_scale > 0:
        raise ValueError(f"recon_scale is {recon_scale}: it must be positive.")
    given = {"recon_pixels": recon_pixels, "recon_batch": recon_batch, "kl_dims": kl_dims, "kl_batch": kl_batch}
    for name, reduction in given.items():
        if reduction not in ("sum", "mean"):
            raise ValueError(f"{name} is {reduction!r}: use 'sum' or 'mean'.")
    recon = recon_scale / (pixels if recon_pixels == "mean" else 1) / (batch_size if recon_batch == "mean" else 1)
    kl = 1 / (latent_dim if kl_dims == "mean" else 1) / (batch_size if kl_batch == "mean" else 1)
    return beta * kl / recon


def bits_per_dim(nats: float | Tensor, num_dims: int) -> float | Tensor:
    """A negative log-likelihood (or bound) in nats as bits for each number of x.

    nats / (num_dims * log 2)

    For a density over pixels scaled to [0, 1] this counts from a uniform density. To compare with likelihoods of 8-bit
    values add log2(256) = 8, and train and measure on pixels with uniform noise of one grey level added (Theis, van den
    Oord and Bethge 2016). For grey values as Bernoulli means it is a cross-entropy, not a code length.

    Args:
        nats: In nats an example; a number or a tensor of any shape.
        num_dims: Numbers in one x, C * H * W.

    Returns:
        Bits per dimension, of the type and shape of nats.

    Raises:
        ValueError: num_dims is not at least 1.

    Taught in lesson 06.

    Example:
        >>> bits_per_dim(784 * math.log(2), 784)
        1.0
    """
    at_least_one(num_dims=num_dims)
    return nats / (num_dims * math.log(2))
