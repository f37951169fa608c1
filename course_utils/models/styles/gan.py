"""A trained style-based generator as a latent space: in z, in w, and with a code of its own for each layer."""

import torch
from torch import Tensor, nn

from course_utils.inputs import at_least_one, check_images, check_latents
from course_utils.latents import draw_normal, reading
from course_utils.models.styles.generator import StyleGenerator
from course_utils.models.styles.latents import invert


class StyleGAN(nn.Module):
    """What is kept of a trained pair: its style-based generator, as a LatentModel in z whose encoder is a search.

    `in_w` gives the same images as a latent space of w.

    Args:
        latent_dim: D, the length of z and of w.
        image_shape: (C, H, W); see `StyleGenerator`.
        hidden: Channels; see `StyleGenerator`.
        mapping_layers: Layers of the mapping network; 0 leaves it out, w = z.
        mapping_rate: Multiplier of its learning rate.
        inversion_steps: Steps of the search that `encode` makes for each image.

    Attributes:
        generator: The `StyleGenerator`.
        latent_shape: (latent_dim,).
        image_shape: (C, H, W).
        config: The arguments above.

    Raises:
        ValueError: A size out of range.

    Source: Karras et al. 2019 and 2020. Taught in lesson 11.

    Example:
        >>> model = StyleGAN(8, image_shape=(3, 16, 24), hidden=4).eval()
        >>> w = model.map(model.sample_latent(5))
        >>> model.in_w().decode(w).shape
        torch.Size([5, 3, 16, 24])
    """

    def __init__(
        self,
        latent_dim: int = 64,
        *,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        hidden: int = 32,
        mapping_layers: int = 4,
        mapping_rate: float = 0.01,
        inversion_steps: int = 100,
    ):
        super().__init__()
        at_least_one(inversion_steps=inversion_steps)
        self.generator = StyleGenerator(
            latent_dim, image_shape=image_shape, hidden=hidden, mapping_layers=mapping_layers,
            mapping_rate=mapping_rate,
        )  # fmt: skip
        self.latent_shape, self.image_shape = self.generator.latent_shape, self.generator.image_shape
        self.inversion_steps = inversion_steps
        self.config = {
            "latent_dim": latent_dim, "image_shape": list(image_shape), "hidden": hidden,
            "mapping_layers": mapping_layers, "mapping_rate": mapping_rate, "inversion_steps": inversion_steps,
        }  # fmt: skip

    @property
    def mean_w(self) -> Tensor:
        """Moving average of w in training, (D,)."""
        return self.generator.mean_w

    def map(self, z: Tensor) -> Tensor:
        """Codes z (B, D) to codes w (B, D)."""
        return self.generator.map(z)

    def in_w(self, *, per_layer: bool = False) -> "StyleSpace":
        """The same generator as a latent space of w, (D,); with per_layer of w+, one w a layer, (L, D)."""
        return StyleSpace(self.generator, per_layer=per_layer, inversion_steps=self.inversion_steps)

    def encode(self, x: Tensor) -> Tensor:
        """Codes z (B, D) whose images are near images (B, C, H, W) in [0, 1], by `invert` in z.

        The same images give the same codes. An image costs ``inversion_steps`` passes through the generator and back.
        """
        check_images(x, self.image_shape, next(self.parameters()).dtype)
        return invert(self.generator, x, self.inversion_steps, space="z")

    def decode(self, z: Tensor) -> Tensor:
        """Codes z (B, D) to images (B, C, H, W) in [0, 1], with fixed noise, whatever the mode of the model."""
        with reading(self.generator):
            return self.generator(z)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes z (n, D) from N(0, I); the generator must be on the model's device."""
        return draw_normal(self, n, generator)


class StyleSpace(nn.Module):
    """The latent space of w of a style-based generator: a LatentModel whose codes are w, or one w a layer.

    Args:
        generator: A `StyleGenerator`, shared, not copied.
        per_layer: Whether a code has one w a layer, (L, D), often called w+; else one for all, (D,).
        inversion_steps: Steps of the search that `encode` makes for each image.

    Attributes:
        latent_shape: (D,), or (L, D).
        image_shape: (C, H, W).

    Source: Abdal, Qin and Wonka 2019 (arXiv:1904.03189), sec. 3.3, for w+. Taught in lesson 11.

    Example:
        >>> space = StyleSpace(StyleGenerator(8, image_shape=(3, 16, 24), hidden=4).eval(), per_layer=True)
        >>> space.sample_latent(5).shape
        torch.Size([5, 3, 8])
    """

    def __init__(self, generator: StyleGenerator, *, per_layer: bool = False, inversion_steps: int = 100):
        super().__init__()
        at_least_one(inversion_steps=inversion_steps)
        self.generator, self.per_layer, self.inversion_steps = generator, per_layer, inversion_steps
        self.latent_shape = (generator.num_layers, *generator.latent_shape) if per_layer else generator.latent_shape
        self.image_shape = generator.image_shape

    def encode(self, x: Tensor) -> Tensor:
        """Codes (B, *latent_shape) whose images are near images (B, C, H, W) in [0, 1], by `invert`."""
        check_images(x, self.image_shape, next(self.parameters()).dtype)
        return invert(self.generator, x, self.inversion_steps, space="w+" if self.per_layer else "w")

    def decode(self, w: Tensor) -> Tensor:
        """Codes (B, *latent_shape) to images (B, C, H, W) in [0, 1], with fixed noise."""
        check_latents(w, self.latent_shape, next(self.parameters()).dtype)
        return self.generator.synthesize(w)

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n codes: w of z from N(0, I), for w+ the same at all layers; generator on the model's device."""
        with torch.no_grad():
            w = self.generator.map(draw_normal(self.generator, n, generator))
        return self.generator.styles(w).clone() if self.per_layer else w
