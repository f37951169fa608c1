"""The mapping network, and the generator that it steers layer by layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.inputs import at_least_float32, at_least_one, check_latents
from course_utils.models.styles.layers import GAIN, SLOPE, EqualLinear, StyledLayer, ToImage

NOISES = ("fixed", "random", "none")


class MappingNetwork(nn.Module):
    """z, drawn from N(0, I), to w, whose distribution is learned: w = f(z / rms(z)).

    rms(z) is the root of the mean square of z's numbers, so only z's direction counts. Each layer is linear with a
    leaky ReLU after it; with the usual rate it learns 100 times slower than the rest.

    Args:
        latent_dim: D, of z and of w.
        num_layers: Linear layers.
        rate: Multiplier of the learning rate, see `EqualLinear`.

    Raises:
        ValueError: A size below 1.

    Source: Karras et al. 2019 (arXiv:1812.04948), sec. 2 and app. C. Taught in lesson 11.

    Example:
        >>> mapping = MappingNetwork(8)
        >>> z = torch.randn(3, 8)
        >>> torch.allclose(mapping(z), mapping(5 * z), atol=1e-5)
        True
    """

    def __init__(self, latent_dim: int = 64, *, num_layers: int = 4, rate: float = 0.01):
        super().__init__()
        at_least_one(latent_dim=latent_dim, num_layers=num_layers)
        self.latent_shape = (latent_dim,)
        self.layers = nn.ModuleList(EqualLinear(latent_dim, latent_dim, rate=rate) for _ in range(num_layers))

    def forward(self, z: Tensor) -> Tensor:
        """Codes z (B, D) to codes w (B, D)."""
        check_latents(z, self.latent_shape, self.layers[0].weight.dtype)
        (exact,) = at_least_float32(z)
        w = (exact * torch.rsqrt(exact.square().mean(dim=1, keepdim=True) + 1e-8)).to(z.dtype)
        for layer in self.layers:
            w = GAIN * F.leaky_relu(layer(w), SLOPE)
        return w


class StyleGenerator(nn.Module):
    """Codes to images: z is mapped to w, and w steers every layer of a synthesis network that starts from a constant.

    The network makes maps of H / 2^n x W / 2^n places, then twice as many in each direction, until H / 2 x W / 2. At
    the first size there is one layer with a style, at each other two. Each size adds its part to the image before the
    sigmoid, at twice its size.

    In training mode a call does three things more: it draws new noise; to most images it gives the styles of a second
    code from a random layer on (mixing regularisation); and it moves ``mean_w`` towards the mean of w. So
    `course_utils.training.train_gan` trains it as it does any other generator.

    Args:
        latent_dim: D, the length of z and of w; z is drawn from N(0, I).
        image_shape: (C, H, W). They are halved as often as both stay at least 4 pixels and even, at least once.
        hidden: Channels at half the size; twice as many at a quarter of it, and four times as many below.
        mapping_layers: Layers of the mapping network; 0 leaves it out, w = z: the same generator without a mapping,
            to compare.
        mapping_rate: Multiplier of the mapping's learning rate, see `EqualLinear`.
        mixing: Probability of mixing an image's styles in training.
        decay: Share of itself that ``mean_w`` keeps at each call in training.

    Attributes:
        latent_shape: (latent_dim,).
        image_shape: (C, H, W).
        num_layers: L, how many layers have a style of their own.
        mapping: The `MappingNetwork`.
        mean_w: Moving average of w in training, (D,).
        layer_sizes: Size (H, W) of the map that each of the L layers makes.
        config: The arguments above.

    Raises:
        ValueError: A size out of range, or a probability or share outside its range.

    Source: Karras et al. 2019 (arXiv:1812.04948) and 2020 (arXiv:1912.04958). Taught in lesson 11.

    Example:
        >>> generator = StyleGenerator(16, image_shape=(3, 32, 48), hidden=8).eval()
        >>> w = generator.map(torch.randn(2, 16))
        >>> generator.synthesize(w).shape, generator.layer_sizes
        (torch.Size([2, 3, 32, 48]), ((4, 6), (8, 12), (8, 12), (16, 24), (16, 24)))
    """

    def __init__(
        self,
        latent_dim: int = 64,
        *,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        hidden: int = 32,
        mapping_layers: int = 4,
        mapping_rate: float = 0.01,
        mixing: float = 0.9,
        decay: float = 0.995,
    ):
        super().__init__()
        at_least_one(latent_dim=latent_dim, hidden=hidden)
        if mapping_layers < 0:
            raise ValueError(f"mapping_layers is {mapping_layers}: it must be at least 0.")
        if not 0 <= mixing <= 1 or not 0 <= decay < 1:
            raise ValueError(f"mixing is {mixing} and decay {decay}: give a probability, and a share below 1.")
        channels, *size = image_shape
        sizes = _sizes(*size)
        widths = [hidden << min(len(sizes) - 1 - level, 2) for level in range(len(sizes))]
        self.latent_shape, self.image_shape = (latent_dim,), tuple(image_shape)
        self.mixing, self.decay = mixing, decay
        self.config = {
            "latent_dim": latent_dim, "image_shape": list(image_shape), "hidden": hidden,
            "mapping_layers": mapping_layers, "mapping_rate": mapping_rate, "mixing": mixing, "decay": decay,
        }  # fmt: skip
        self.mapping = None
        if mapping_layers:
            self.mapping = MappingNetwork(latent_dim, num_layers=mapping_layers, rate=mapping_rate)
        self.register_buffer("mean_w", torch.zeros(latent_dim))
        self.constant = nn.Parameter(torch.randn(1, widths[0], *sizes[0]))
        layers, to_images, sizes_of = [StyledLayer(latent_dim, widths[0], widths[0], sizes[0])], [], [sizes[0]]
        to_images.append(ToImage(latent_dim, widths[0], channels))
        for narrow, wide, size in zip(widths[1:], widths[:-1], sizes[1:], strict=True):
            layers.append(StyledLayer(latent_dim, wide, narrow, size, enlarge=True))
            layers.append(StyledLayer(latent_dim, narrow, narrow, size))
            to_images.append(ToImage(latent_dim, narrow, channels))
            sizes_of += [size, size]
        self.layers, self.to_images = nn.ModuleList(layers), nn.ModuleList(to_images)
        self.num_layers, self.layer_sizes = len(layers), tuple(sizes_of)

    def map(self, z: Tensor) -> Tensor:
        """Codes z (B, D) to codes w (B, D)."""
        if self.mapping is not None:
            return self.mapping(z)
        check_latents(z, self.latent_shape, self.constant.dtype)
        return z

    def synthesize(self, w: Tensor, *, noise: str = "fixed", generator: torch.Generator | None = None) -> Tensor:
        """Images of codes w.

        Args:
            w: One code an image, (B, D), or one a layer, (B, L, D).
            noise: "fixed" takes the same noise for every image and call; "random" draws it anew for each image; "none"
                adds none.
            generator: Source of the random noise, on the device of w; None uses PyTorch's global generator.

        Returns:
            Images (B, C, H, W) in [0, 1].

        Raises:
            ValueError: w has another shape, or an unknown noise.
            TypeError: w is no tensor of the model's floats.
        """
        if noise not in NOISES:
            raise ValueError(f"noise is {noise!r}: use one of {', '.join(NOISES)}.")
        w = self.styles(w)
        x, x_logits = self.constant.expand(len(w), -1, -1, -1), None
        for index, layer in enumerate(self.layers):
            x = layer(x, w[:, index], noise, generator)
            if index % 2 == 0:  # the last layer of its size
                (part,) = at_least_float32(self.to_images[index // 2](x, w[:, index]))
                if x_logits is not None:
                    part = part + F.interpolate(x_logits, scale_factor=2, mode="bilinear", align_corners=False)
                x_logits = part
        return torch.sigmoid(x_logits).to(self.constant.dtype)

    def styles(self, w: Tensor) -> Tensor:
        """Codes w (B, D) or (B, L, D) as one a layer, (B, L, D); raises one clear error if they are neither."""
        if isinstance(w, Tensor) and w.ndim == 3:
            check_latents(w, (self.num_layers, *self.latent_shape), self.constant.dtype)
            return w
        check_latents(w, self.latent_shape, self.constant.dtype)
        return w[:, None].expand(-1, self.num_layers, -1)

    def forward(self, z: Tensor) -> Tensor:
        """Codes z (B, D) to images (B, C, H, W) in [0, 1]."""
        w = self.map(z)
        if not self.training:
            return self.synthesize(w)
        if len(w):  # none have no mean
            with torch.no_grad():
                self.mean_w.lerp_(w.detach().mean(dim=0).to(self.mean_w.dtype), 1 - self.decay)
        return self.synthesize(self._mixed(w, self.map(torch.randn_like(z))), noise="random")

    def _mixed(self, w: Tensor, other: Tensor) -> Tensor:
        """Codes (B, L, D), some of which change from one to the other at a layer drawn for each image."""
        if self.num_layers == 1:
            return self.styles(w)
        shape = (len(w), 1, 1)
        start = torch.randint(1, self.num_layers, shape, device=w.device)
        mixes = torch.rand(shape, device=w.device) < self.mixing
        layer = torch.arange(self.num_layers, device=w.device)[None, :, None]
        return torch.where(mixes & (layer >= start), other[:, None], w[:, None])


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes of the maps, from the smallest to half of the image's."""
    if height % 2 or width % 2 or min(height, width) < 2:
        raise ValueError(f"image_shape is (C, {height}, {width}): height and width must be even.")
    sizes = [(height // 2, width // 2)]
    while all(edge % 2 == 0 and edge >= 8 for edge in sizes[0]):
        sizes.insert(0, (sizes[0][0] // 2, sizes[0][1] // 2))
    return sizes
