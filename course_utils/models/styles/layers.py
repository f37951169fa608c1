"""The layers of a style-based generator: equalised learning rates, and a convolution that a style modulates."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.inputs import at_least_one

SLOPE = 0.2  # of the leaky ReLU below 0
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # what keeps the mean square through it, of inputs that are symmetric about 0


class EqualLinear(nn.Module):
    """A linear layer with an equalised learning rate: weights drawn from N(0, 1), and scaled where they are used.

    y = c W x + m b,  c = m / sqrt(inputs),  m the rate

    Adam moves each weight by about the learning rate, whatever its size. With stored weights of size 1 in all layers
    no layer learns relatively faster than another, and ``rate`` says how much slower this one does.

    Args:
        inputs: Numbers that it gets.
        outputs: Numbers that it makes.
        rate: m, the learning rate's multiplier. The stored weights are 1 / m as large, so that at first the layer
            computes the same.
        bias: What is added at first.

    Raises:
        ValueError: A size below 1, or a rate that is not positive.

    Source: Karras et al. 2018 (arXiv:1710.10196), sec. 4.1; the multiplier: Karras et al. 2019, app. C. Taught in
    lesson 11.

    Example:
        >>> EqualLinear(6, 4)(torch.zeros(2, 6)).shape
        torch.Size([2, 4])
    """

    def __init__(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs)
        if not rate > 0:
            raise ValueError(f"rate is {rate}: the learning rate's multiplier must be positive.")
        self.rate, self.scale = rate, rate / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return F.linear(x, self.scale * self.weight, self.rate * self.bias)


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a style scales, one factor an input channel, and whose outputs keep their size.

    w'_ijk = s_i c w_ijk                                 (modulate)
    w''_ijk = w'_ijk / sqrt(sum_i,k w'_ijk^2 + tiny)     (demodulate)

    i counts input channels, j output channels, k the kernel's places; c is that of `EqualLinear`, of inputs * kernel^2
    numbers. Each image of a batch has its own style, so its own weights. As the factors do not depend on the place,
    scaling the input by s and the output by 1 / sqrt(...) gives the same as scaling the weights, with one ordinary
    convolution for the whole batch. On a CPU this is several times as fast as a grouped convolution.

    Args:
        inputs: Channels that it gets.
        outputs: Channels that it makes.
        kernel: Edge of the kernel, odd; the size of the map stays.
        demodulate: Whether to divide by the norm of the modulated weights, which takes the size of the style out of
            the output: an input of unit variance gives an output of unit variance.

    Raises:
        ValueError: A size below 1, or an even kernel.

    Source: Karras et al. 2020 (arXiv:1912.04958), eq. 1 and 3. Taught in lesson 11.

    Example:
        >>> ModulatedConv2d(6, 4)(torch.zeros(2, 6, 8, 5), torch.ones(2, 6)).shape
        torch.Size([2, 4, 8, 5])
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, demodulate: bool = True):
        super().__init__()
        at_least_one(inputs=inputs, outputs=outputs, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}: an even kernel has no middle, use an odd one.")
        self.inputs, self.demodulate = inputs, demodulate
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))

    def forward(self, x: Tensor, style: Tensor, gain: float = 1.0) -> Tensor:
        """Convolve each image with its own modulated weights.

        Args:
            x: Maps (B, inputs, H, W).
            style: Factors s, (B, inputs).
            gain: Factor of the output.

        Returns:
            Maps (B, outputs, H, W).

        Raises:
            ValueError: Not one factor an image and input channel.
        """
        if style.shape != x.shape[:2] or x.ndim != 4:
            raise ValueError(
                f"x has shape {tuple(x.shape)} and style {tuple(style.shape)}: give maps (B, {self.inputs}, H, W) and "
                f"one style an image, (B, {self.inputs})."
            )
        weight = self.scale * self.weight
        y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)  # (B, outputs, H, W)
        if not self.demodulate:
            return y if gain == 1 else gain * y
        squares = style.square() @ weight.square().sum((2, 3)).T  # (B, outputs)
        return y * (gain * torch.rsqrt(squares + 1e-8))[:, :, None, None].to(y.dtype)


class StyledLayer(nn.Module):
    """What one style steers: a modulated convolution, noise a pixel, a bias, and a leaky ReLU.

    Args:
        latent_dim: D, the length of w.
        inputs: Channels that it gets.
        outputs: Channels that it makes.
        size: (H, W) of the output.
        enlarge: Whether the input is half as high and wide: it is enlarged, bilinearly, after the convolution.

    Attributes:
        affine: w to the style, which is about 1 at first.
        fixed_noise: (1, 1, H, W), the noise of ``noise="fixed"``.
        noise_strength: What noise is multiplied with, learned from 0.

    Source: Karras et al. 2020, fig. 2c. Taught in lesson 11.

    Example:
        >>> layer = StyledLayer(5, 6, 4, (8, 12), enlarge=True)
        >>> layer(torch.zeros(2, 6, 4, 6), torch.zeros(2, 5)).shape
        torch.Size([2, 4, 8, 12])
    """

    def __init__(self, latent_dim: int, inputs: int, outputs: int, size: tuple[int, int], *, enlarge: bool = False):
        super().__init__()
        self.affine = EqualLinear(latent_dim, inputs, bias=1.0)
        self.convolution = ModulatedConv2d(inputs, outputs)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.enlarge = enlarge
        self.register_buffer("fixed_noise", torch.randn(1, 1, *size))

    def forward(
        self, x: Tensor, w: Tensor, noise: str = "fixed", generator: torch.Generator | None = None
    ) -> Tensor:  # fmt: skip
        """Maps (B, inputs, h, w) and styles' codes (B, D) to maps (B, outputs, H, W); noise as in `StyleGenerator`."""
        y = self.convolution(x, self.affine(w), GAIN)
        if self.enlarge:
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        y = y + self.bias.to(y.dtype)[:, None, None]
        if noise != "none":
            eps = self.fixed_noise
            if noise == "random":
                eps = torch.randn(len(y), *eps.shape[1:], generator=generator, device=y.device, dtype=eps.dtype)
            y = y + (self.noise_strength * eps).to(y.dtype)
        return F.leaky_relu(y, SLOPE)


class ToImage(nn.Module):
    """Maps to what they add to the image before the sigmoid, at twice their size.

    A 1 x 1 modulated convolution without demodulation makes four values a channel and place, which become 2 x 2 pixels.

    Args:
        latent_dim: D, the length of w.
        inputs: Channels of the maps.
        channels: C, of the image.

    Source: the skip generator of Karras et al. 2020, fig. 7b; with pixel shuffling (Shi et al. 2016), which spares the
    convolutions at the full size.

    Example:
        >>> ToImage(5, 6, 3)(torch.zeros(2, 6, 4, 8), torch.zeros(2, 5)).shape
        torch.Size([2, 3, 8, 16])
    """

    def __init__(self, latent_dim: int, inputs: int, channels: int):
        super().__init__()
        self.affine = EqualLinear(latent_dim, inputs, bias=1.0)
        self.convolution = ModulatedConv2d(inputs, 4 * channels, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(4 * channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Maps (B, inputs, h, w) and styles' codes (B, D) to (B, C, 2h, 2w)."""
        y = self.convolution(x, self.affine(w))
        return F.pixel_shuffle(y + self.bias.to(y.dtype)[:, None, None], 2)
