"""How a code is used, and how well it reconstructs."""

import torch
from torch import Tensor

from course_utils.inputs import as_tensor, at_least_float32, check_pixels, numbers


def psnr(x_hat: Tensor, x: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of images in [0, 1]: the mean squared error on a logarithmic scale.

    10 log10(1 / MSE), in decibels; 10 dB more is a tenth of the squared error. Taught in lesson 03.

    Args:
        x_hat: Restored images, (B, ...).
        x: Clean images, the same shape.

    Returns:
        One value per image, (B,); infinite where the two are equal.

    Raises:
        ValueError: The shapes differ, or x lies outside [0, 1].
        TypeError: They are no floats.

    Example:
        >>> psnr(torch.full((1, 1, 2, 3), 0.6), torch.full((1, 1, 2, 3), 0.5)).round()
        tensor([20.])
    """
    x_hat, x = as_tensor(x_hat, "x_hat"), as_tensor(x, "x")
    if x_hat.shape != x.shape:
        raise ValueError(f"x_hat has shape {tuple(x_hat.shape)} and x {tuple(x.shape)}: compare like with like.")
    check_pixels(x)
    if not x_hat.is_floating_point():
        raise TypeError(f"x_hat is {x_hat.dtype} and x {x.dtype}: divide by 255 (x_hat.float() / 255).")
    x_hat, x = at_least_float32(x_hat, x)
    return -10 * torch.log10((x_hat - x).square().flatten(1).mean(dim=1))


def active_fraction(z: Tensor, threshold: float = 0.0) -> Tensor:
    """How often each unit of a code is switched on. Taught in lesson 03.

    Args:
        z: Codes (N, D).
        threshold: A unit is on where its absolute value exceeds this.

    Returns:
        Fraction of the N codes in which each unit is on, (D,), from 0 (a dead unit) to 1. Its mean over the units is
        the fraction of active units in a code.

    Raises:
        ValueError: z is not (N, D) with N of at least 1, or not finite.

    Example:
        >>> active_fraction(torch.tensor([[0.0, 2.0, -1.0], [0.0, 0.0, 3.0]]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    z = numbers(z, "z")
    if z.ndim != 2 or len(z) == 0:
        raise ValueError(f"z has shape {tuple(z.shape)}: give at least one code, (N, D).")
    return (z.abs() > threshold).float().mean(dim=0)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Which dimensions of a VAE's code depend on the image at all.

    variance over x of the posterior mean mu_d(x) > threshold    (Burda, Grosse and Salakhutdinov 2015, sec. 5.2)

    A collapsed dimension has q(z_d|x) = N(0, 1) whatever the image, so its mean hardly moves.

    Args:
        mu: Posterior means of many images, (N, D), as `encode_dataset` gives them.
        threshold: Variance above which a unit counts as active.

    Returns:
        True for each active dimension, bool (D,); its sum is the number of active units.

    Raises:
        ValueError: mu is not (N, D) with N of at least 2, or not finite.

    Taught in lesson 07.

    Example:
        >>> active_units(torch.tensor([[-1.0, 0.0], [1.0, 0.01]]))
        tensor([ True, False])
    """
    mu = numbers(mu, "mu")
    if mu.ndim != 2 or len(mu) < 2:
        raise ValueError(f"mu has shape {tuple(mu.shape)}: give the means of at least 2 images, (N, D).")
    return mu.var(dim=0) > threshold
