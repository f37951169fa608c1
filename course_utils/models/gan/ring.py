"""The smallest GAN that can go wrong: points in the plane instead of images. Lesson 10."""

from torch import Tensor, nn

from course_utils.inputs import check_latents


class RingGenerator(nn.Module):
    """A fully connected generator of points in the plane, for the ring of Gaussians.

    Args:
        latent_dim: D, the length of a code; codes are drawn from N(0, I).
        hidden: Units of each of the two hidden layers.

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above.

    Example:
        >>> import torch
        >>> RingGenerator(3)(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, latent_dim: int = 2, *, hidden: int = 64):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.config = {"latent_dim": latent_dim, "hidden": hidden}
        self.layers = _mlp(latent_dim, hidden, 2)

    def forward(self, z: Tensor) -> Tensor:
        """Codes (B, D) to points (B, 2)."""
        check_latents(z, self.latent_shape)
        return self.layers(z)


class RingDiscriminator(nn.Module):
    """A fully connected discriminator of points in the plane.

    Args:
        hidden: Units of each of the two hidden layers.

    Attributes:
        config: The arguments above.

    Example:
        >>> import torch
        >>> RingDiscriminator()(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, *, hidden: int = 64):
        super().__init__()
        self.config = {"hidden": hidden}
        self.layers = _mlp(2, hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Points (B, 2) to logits (B,)."""
        return self.layers(x)[:, 0]


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(0.2),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(0.2),
        nn.Linear(hidden, outputs),
    )
