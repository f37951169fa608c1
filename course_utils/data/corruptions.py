"""Ways to damage an image, for denoising autoencoders and for restoration. All keep the shape and [0, 1].

Each function takes images x (B, C, H, W) in [0, 1], a strength, and a generator on x's device (None uses PyTorch's
global generator), and returns a new tensor; x itself is never changed. Other x or strength raise one clear error.
"""

import math

import torch
from torch import Tensor

from course_utils.inputs import check_pixels


def gaussian_noise(x: Tensor, strength: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """Add N(0, strength**2) to every pixel and clip to [0, 1]."""
    _check(x, strength, math.inf)
    return (x + strength * _normal_like(x, generator)).clamp(0, 1)


def masking_noise(x: Tensor, strength: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """Set each pixel to 0 with probability ``strength``, independently (Vincent et al. 2008)."""
    _check(x, strength)
    return x * (_uniform_like(x, generator) >= strength)


def salt_and_pepper(x: Tensor, strength: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """Replace each pixel with probability ``strength`` by 0 or 1, each half of the time."""
    _check(x, strength)
    u = _uniform_like(x, generator)
    return torch.where(u < strength, (u < strength / 2).to(x.dtype), x)


def block_mask(x: Tensor, strength: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    """Set to 0 one rectangle in each image, at a random place: ``strength`` of the height and of the width."""
    _check(x, strength)
    batch, _, height, width = x.shape
    rows, columns = round(strength * height), round(strength * width)
    corner = torch.empty(2, batch, device=x.device, dtype=torch.float32).uniform_(generator=generator)
    top = (corner[0] * (height - rows + 1)).long()[:, None, None, None]
    left = (corner[1] * (width - columns + 1)).long()[:, None, None, None]
    row = torch.arange(height, device=x.device)[:, None]
    column = torch.arange(width, device=x.device)[None, :]
    hidden = (row >= top) & (row < top + rows) & (column >= left) & (column < left + columns)  # (B, 1, H, W)
    return torch.where(hidden, torch.zeros_like(x), x)


def _check(x: Tensor, strength: float, most: float = 1.0) -> None:
    check_pixels(x)
    if not 0 <= strength <= most:
        raise ValueError(f"strength is {strength}: use 0 or more{'' if most > 1 else ', up to 1'}.")


def _normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.empty_like(x).normal_(generator=generator)


def _uniform_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.empty_like(x).uniform_(generator=generator)


CORRUPTIONS = {f.__name__: f for f in (gaussian_noise, masking_noise, salt_and_pepper, block_mask)}
