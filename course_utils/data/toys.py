"""Toy sets that can be seen whole: a ring of Gaussians, two moons, a swiss roll, a rotating bar."""

import math

import torch
from torch import Tensor


def _angles(n: int, generator: torch.Generator | None, turn: float = 2 * math.pi) -> Tensor:
    if n < 1:
        raise ValueError(f"n is {n}: ask for at least 1 point.")
    return torch.rand(n, generator=generator, dtype=torch.float32) * turn


def ring_of_gaussians(
    n: int, *, modes: int = 8, radius: float = 1.0, std: float = 0.05, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Points from Gaussians whose centres lie evenly on a circle.

    Args:
        n: Number of points.
        modes: Number of Gaussians.
        radius: Distance of their centres from the origin.
        std: Standard deviation of each.
        generator: Source of randomness; None uses PyTorch's global generator.

    Returns:
        Points (n, 2) and the index of each one's Gaussian, int64 (n,).

    Raises:
        ValueError: n or modes is below 1.
    """
    if modes < 1:
        raise ValueError(f"modes is {modes}: a ring needs at least 1 Gaussian.")
    labels = (_angles(n, generator, turn=modes)).long()
    angle = labels.float() * (2 * math.pi / modes)
    centers = radius * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centers + std * torch.randn(n, 2, generator=generator, dtype=torch.float32), labels


def two_moons(n: int, *, noise: float = 0.05, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Points on two interleaved half circles of radius 1.

    Args:
        n: Number of points.
        noise: Standard deviation of Gaussian noise in both coordinates.
        generator: Source of randomness; None uses PyTorch's global generator.

    Returns:
        Points (n, 2) and the moon of each, 0 (upper) or 1 (lower), int64 (n,).

    Raises:
        ValueError: n is below 1.
    """
    angle = _angles(n, generator, turn=math.pi)
    labels = torch.arange(n) % 2
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    points = torch.where(labels[:, None] == 0, upper, lower)
    return points + noise * torch.randn(n, 2, generator=generator, dtype=torch.float32), labels


def swiss_roll(n: int, *, noise: float = 0.0, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Points on a plane rolled up in three dimensions: (t cos t, height, t sin t).

    Args:
        n: Number of points.
        noise: Standard deviation of Gaussian noise in all coordinates.
        generator: Source of randomness; None uses PyTorch's global generator.

    Returns:
        Points (n, 3) and t (n,), from 1.5 pi to 4.5 pi: the position along the roll.

    Raises:
        ValueError: n is below 1.
    """
    t = 1.5 * math.pi + _angles(n, generator, turn=3 * math.pi)
    height = 21 * torch.rand(n, generator=generator, dtype=torch.float32)
    points = torch.stack([t * t.cos(), height, t * t.sin()], dim=1)
    return points + noise * torch.randn(n, 3, generator=generator, dtype=torch.float32), t


def rotating_bar(
    n: int, *, size: int = 28, width: float = 0.12, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Images of one bar through the centre at a random angle: size**2 pixels, one degree of freedom.

    Args:
        n: Number of images.
        size: Side of an image in pixels.
        width: The bar's half width as a fraction of half the side; edges are anti-aliased.
        generator: Source of randomness; None uses PyTorch's global generator.

    Returns:
        Images (n, 1, size, size) in [0, 1] and angles (n,) in [0, pi): a bar turned by pi is the same bar.

    Raises:
        ValueError: n is below 1.
    """
    angle = _angles(n, generator, turn=math.pi)
    axis = (torch.arange(size, dtype=torch.float32) + 0.5) * 2 / size - 1  # pixel centres in [-1, 1]
    x, y = axis[None, None, :], -axis[None, :, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    across, along = (y * cos - x * sin).abs(), (x * cos + y * sin).abs()
    pixel = 2 / size
    inside = ((width - across) / pixel + 0.5).clamp(0, 1) * ((0.8 - along) / pixel + 0.5).clamp(0, 1)
    return inside.unsqueeze(1), angle
