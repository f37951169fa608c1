"""Pixel space itself, as a latent space: what every other one has to beat."""

import torch
from torch import Tensor, nn

from course_utils.inputs import check_images, check_latents


class PixelSpace(nn.Module):
    """The latent space in which the code of an image is the image: encode and decode change nothing.

    A straight path in it is a cross-fade. What leaves [0, 1], as an arc may, is cut off when decoded.

    Args:
        image_shape: (C, H, W).

    Attributes:
        latent_shape: The image's shape.
        config: The argument above.

    Taught in lessons 01 and 13.

    Example:
        >>> x = torch.rand(2, 1, 28, 28)
        >>> space = PixelSpace()
        >>> torch.equal(space.decode(space.encode(x)), x)
        True
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28)):
        super().__init__()
        self.latent_shape = self.image_shape = tuple(image_shape)
        self.config = {"image_shape": tuple(image_shape)}
        self.register_buffer("device_of", torch.empty(0), persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to themselves."""
        check_images(x, self.image_shape)
        return x.clone()

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, C, H, W) to images, cut off at 0 and 1."""
        check_latents(z, self.latent_shape)
        return z.clamp(0, 1)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n images of independent, uniform pixels, (n, C, H, W): noise, never clothes."""
        if n < 0:
            raise ValueError(f"n is {n}: a number of codes cannot be negative.")
        drawn = torch.empty(n, *self.latent_shape, dtype=torch.float32, device=self.device_of.device)
        return drawn.uniform_(generator=generator).to(self.device_of.dtype)
