"""Reconstruction terms: one value per example, summed over the features."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _same_shape(name: str, prediction: Tensor, x: Tensor) -> None:
    if prediction.shape != x.shape:
        raise ValueError(
            f"{name} has shape {tuple(prediction.shape)} but x has {tuple(x.shape)}: both must be the same (B, ...), "
            "or broadcasting would silently compare every example with every other."
        )


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
    _same_shape("x_hat", x_hat, x)
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
    _same_shape("x_logits", x_logits, x)
    if not torch.compiler.is_compiling() and x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"targets of the Bernoulli likelihood must lie in [0, 1], but these reach from {x.min().item():.3g} to "
            f"{x.max().item():.3g}: give pixels divided by 255, not standardised ones, or use a Gaussian likelihood."
        )
    return F.binary_cross_entropy_with_logits(x_logits, x, reduction="none").flatten(1).sum(dim=1)
