"""The generator, the discriminator, and the two as a latent space without an encoder."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from course_utils.inputs import check_images, check_latents
from course_utils.latents import draw_normal, reading
from course_utils.models.gan.latents import invert
from course_utils.models.networks import halvings


def _checked(latent_dim: int, image_shape: tuple[int, int, int], hidden: int) -> int:
    """How often an image is halved, once the sizes are known to fit."""
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}: a code needs at least 1 number.")
    times = halvings(*image_shape[1:])
    if image_shape[1] % 2**times or image_shape[2] % 2**times:
        raise ValueError(f"image_shape is {tuple(image_shape)}: height and width must be divisible by {2**times}.")
    if hidden < 2 or hidden % 2:
        raise ValueError(f"hidden is {hidden}: the number of channels must be even, and at least 2.")
    return times


class Generator(nn.Module):
    """Codes to images: a linear layer to a small map of features, then enlargements by pixel shuffling.

    A convolution makes four channels for each one wanted, and these become 2 x 2 pixels (Shi et al. 2016). On a CPU
    this is about twice as fast as the transposed convolutions of DCGAN (Radford, Metz and Chintala 2015), which it
    otherwise follows: batch normalisation and ReLU in all layers but the last, whose sigmoid gives pixels.

    Args:
        latent_dim: D, the length of a code; codes are drawn from N(0, I).
        image_shape: (C, H, W), H and W divisible by 4. Where both are larger than 32 the images are enlarged three
            times instead of twice, so these must be divisible by 8; and so on.
        hidden: Channels at a quarter of the size; half as many at half the size, and twice as many at an eighth of it.
            An even number.

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above.

    Raises:
        ValueError: A size out of range.

    Example:
        >>> Generator(64, image_shape=(3, 32, 32))(torch.randn(5, 64)).shape
        torch.Size([5, 3, 32, 32])
    """

    def __init__(self, latent_dim: int = 64, *, image_shape: tuple[int, int, int] = (1, 28, 28), hidden: int = 64):
        super().__init__()
        times = _checked(latent_dim, image_shape, hidden)
        channels, height, width = image_shape
        self.latent_shape, self.image_shape = (latent_dim,), tuple(image_shape)
        self.config = {"latent_dim": latent_dim, "image_shape": list(image_shape), "hidden": hidden}
        wide, rows, columns = hidden << (times - 2), height >> times, width >> times
        layers = [
            nn.Linear(latent_dim, wide * rows * columns, bias=False),
            nn.Unflatten(1, (wide, rows, columns)),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        for _ in range(times - 1):  # to (B, hidden/2, H/2, W/2)
            layers += [
                nn.Conv2d(wide, 2 * wide, 3, padding=1, bias=False),
                nn.PixelShuffle(2),  # twice the size, half the channels
                nn.BatchNorm2d(wide // 2),
                nn.ReLU(),
            ]
            wide //= 2
        self.layers = nn.Sequential(
            *layers,
            nn.Conv2d(hidden // 2, hidden // 2, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden // 2),
            nn.ReLU(),
            nn.Conv2d(hidden // 2, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),  # (B, C, H, W)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W) in [0, 1]."""
        check_latents(z, self.latent_shape, next(self.parameters()).dtype)
        return torch.sigmoid(self.layers(z))


class Discriminator(nn.Module):
    """Images to logits: large for real images, small for generated ones.

    First 2 x 2 pixels become four channels (space to depth), the reverse of the generator's last enlargement; then a
    convolution, one that halves the size (two of large images), and one more. There is no batch normalisation: the
    gradient penalties need images that do not see each other.

    Args:
        image_shape: (C, H, W), as for `Generator`.
        hidden: Channels at half the size; twice as many at a quarter of it, four times as many at an eighth.
        spectral: Divide each layer's weights by their largest singular value (Miyato et al. 2018), so that the logits
            cannot change faster than a bound that does not depend on the weights.

    Attributes:
        config: The arguments above.

    Raises:
        ValueError: A size out of range.

    Example:
        >>> Discriminator(image_shape=(3, 32, 32))(torch.rand(5, 3, 32, 32)).shape
        torch.Size([5])
    """

    def __init__(self, *, image_shape: tuple[int, int, int] = (1, 28, 28), hidden: int = 32, spectral: bool = False):
        super().__init__()
        times = _checked(1, image_shape, hidden)
        channels, height, width = image_shape
        self.image_shape = tuple(image_shape)
        self.config = {"image_shape": list(image_shape), "hidden": hidden, "spectral": spectral}
        layers = [
            nn.PixelUnshuffle(2),  # (B, 4C, H/2, W/2)
            nn.Conv2d(4 * channels, hidden, 3, padding=1),
            nn.LeakyReLU(0.2),
        ]
        wide = hidden
        for _ in range(times - 1):  # half the size, twice the channels
            layers += [nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            wide *= 2
        layers += [
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(wide * (height >> times) * (width >> times), 1),
        ]
        if spectral:
            layers = [spectral_norm(layer) if hasattr(layer, "weight") else layer for layer in layers]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to logits (B,)."""
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"images have shape {tuple(x.shape)}, but this discriminator takes (B, {str(self.image_shape)[1:]}."
            )
        if len(x) == 0:
            return x.new_zeros(0)  # PixelUnshuffle cannot take an empty batch
        return self.layers(2 * x - 1)[:, 0]


class GAN(nn.Module):
    """What is kept of a trained pair: its generator, as a LatentModel whose encoder is a search.

    Args:
        latent_dim: D, the length of a code.
        image_shape: (C, H, W); see `Generator`.
        hidden: Channels of the generator; see `Generator`.
        inversion_steps: Steps of the search that `encode` makes for each image.

    Attributes:
        generator: The `Generator`.
        latent_shape: (latent_dim,).
        config: The arguments above.

    Raises:
        ValueError: A size out of range.

    Source: Goodfellow et al. 2014. Taught in lesson 10.

    Example:
        >>> model = GAN(8).eval()
        >>> model.decode(model.sample_latent(3)).shape
        torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self,
        latent_dim: int = 64,
        *,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 64,
        inversion_steps: int = 100,
    ):
        super().__init__()
        if inversion_steps < 1:
            raise ValueError(f"inversion_steps is {inversion_steps}: the search needs at least 1 step.")
        self.generator = Generator(latent_dim, image_shape=image_shape, hidden=hidden)
        self.latent_shape, self.image_shape = self.generator.latent_shape, self.generator.image_shape
        self.inversion_steps = inversion_steps
        self.config = {**self.generator.config, "inversion_steps": inversion_steps}

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, D) whose images are near images (B, C, H, W) in [0, 1], by `invert` with its defaults.

        The same images give the same codes. An image costs ``inversion_steps`` passes through the generator and back,
        thousands of times the work of an encoder: about 0.1 s for one image on one CPU core.
        """
        check_images(x, self.image_shape, next(self.parameters()).dtype)
        return invert(self.generator, x, self.inversion_steps)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W) in [0, 1], read in evaluation mode: what is trained is ``generator``."""
        with reading(self.generator):
            return self.generator(z)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, D) from N(0, I); the generator must be on the model's device."""
        return draw_normal(self, n, generator)
