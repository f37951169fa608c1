"""The encoder and decoder networks that autoencoders and VAEs share: fully connected, convolutional and residual."""

import math

import torch
from torch import Tensor, nn

NEXT_TO_CODE = 32  # channels between the last residual block and the code: few, for a linear layer reads them all


def encoder_network(architecture: str, image_shape: tuple[int, int, int], hidden: int, outputs: int) -> nn.Sequential:
    """Network from images to vectors.

    Args:
        architecture: "mlp" (one hidden layer), "conv" (two strided convolutions, then one linear layer) or "residual"
            (residual blocks at a quarter of the size and below, down to about 8 x 8, then one linear layer).
        image_shape: (C, H, W); H and W divisible by 4 for "conv", and as often by 2 as they are halved for "residual".
        hidden: Hidden units of the MLP; channels at a quarter of the size.
        outputs: Length of the output vector.

    Returns:
        A module (B, C, H, W) -> (B, outputs).

    Raises:
        ValueError: An unknown architecture, a size that cannot be halved as often, or odd hidden for convolutions.

    Example:
        >>> import torch
        >>> encoder_network("conv", (1, 28, 20), 64, 5)(torch.zeros(3, 1, 28, 20)).shape
        torch.Size([3, 5])
    """
    channels, height, width = _checked(architecture, image_shape, hidden)
    if architecture == "mlp":
        features = math.prod(image_shape)
        return nn.Sequential(nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    if architecture == "residual":
        return _residual_encoder(channels, height, width, hidden, outputs)
    return nn.Sequential(
        nn.Conv2d(channels, hidden // 2, 3, stride=2, padding=1),  # (B, hidden/2, H/2, W/2)
        nn.ReLU(),
        nn.Conv2d(hidden // 2, hidden, 3, stride=2, padding=1),  # (B, hidden, H/4, W/4)
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(hidden * (height // 4) * (width // 4), outputs),
    )


def decoder_network(architecture: str, image_shape: tuple[int, int, int], hidden: int, inputs: int) -> nn.Sequential:
    """Network from vectors to images before the sigmoid; the mirror of `encoder_network`.

    The forms with convolutions enlarge by pixel shuffling: a convolution makes four channels for each one wanted, and
    these become 2 x 2 pixels (Shi et al. 2016). On a CPU it is faster than transposed convolutions.

    Args:
        architecture: "mlp", "conv" or "residual".
        image_shape: (C, H, W) of the output.
        hidden: As in `encoder_network`.
        inputs: Length of the input vector.

    Returns:
        A module (B, inputs) -> (B, C, H, W).

    Raises:
        ValueError: As in `encoder_network`.
    """
    channels, height, width = _checked(architecture, image_shape, hidden)
    if architecture == "mlp":
        features = math.prod(image_shape)
        return nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, features), nn.Unflatten(1, image_shape)
        )
    if architecture == "residual":
        return _residual_decoder(channels, height, width, hidden, inputs)
    return nn.Sequential(
        nn.Linear(inputs, hidden * (height // 4) * (width // 4)),
        nn.ReLU(),
        nn.Unflatten(1, (hidden, height // 4, width // 4)),
        nn.Conv2d(hidden, hidden * 2, 3, padding=1),
        nn.PixelShuffle(2),  # (B, hidden/2, H/2, W/2)
        nn.ReLU(),
        nn.Conv2d(hidden // 2, channels * 4, 3, padding=1),
        nn.PixelShuffle(2),  # (B, C, H, W)
    )


class ResidualBlock(nn.Module):
    """x + convolutions(x): two 3 x 3 convolutions change their input a little instead of replacing it.

    Group normalisation (Wu and He 2018) before the first convolution, SiLU before each. The last weights start at 0.3
    of PyTorch's, so that at first little is added.

    Args:
        channels: C, of input and output.

    Source: He et al. 2016 (arXiv:1603.05027), fig. 4e, for the order.

    Example:
        >>> ResidualBlock(16)(torch.zeros(2, 16, 4, 6)).shape
        torch.Size([2, 16, 4, 6])
    """

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(math.gcd(8, channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        with torch.no_grad():
            self.body[-1].weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.body(x)


def normalised_convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """A 3 x 3 convolution with batch normalisation and ReLU, for a Sequential: (B, inputs, H, W) -> (B, outputs, ...).

    Args:
        inputs: Channels that it gets.
        outputs: Channels that it makes.
        stride: 2 halves H and W.

    Example:
        >>> nn.Sequential(*normalised_convolution(3, 5, stride=2))(torch.zeros(2, 3, 8, 6)).shape
        torch.Size([2, 5, 4, 3])
    """
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def halvings(height: int, width: int) -> int:
    """How often a network halves an image: at least twice, and until the shorter side is at most 8."""
    return max(2, math.ceil(math.log2(min(height, width) / 8)))


def _residual_encoder(channels: int, height: int, width: int, hidden: int, outputs: int) -> nn.Sequential:
    times = halvings(height, width)
    wide = hidden // 2
    layers = [nn.Conv2d(channels, wide, 4, stride=2, padding=1), nn.SiLU()]  # (B, hidden/2, H/2, W/2)
    for _ in range(times - 1):  # (B, hidden, H/4, W/4), then twice as many channels at half the size
        layers += [nn.Conv2d(wide, 2 * wide, 2, stride=2), ResidualBlock(2 * wide)]
        wide *= 2
    pixels = (height >> times) * (width >> times)
    layers += [nn.SiLU(), nn.Conv2d(wide, NEXT_TO_CODE, 1), nn.SiLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(NEXT_TO_CODE * pixels, outputs))


def _residual_decoder(channels: int, height: int, width: int, hidden: int, inputs: int) -> nn.Sequential:
    times = halvings(height, width)
    rows, columns, wide = height >> times, width >> times, hidden // 2 << (times - 1)
    layers = [nn.Linear(inputs, NEXT_TO_CODE * rows * columns), nn.Unflatten(1, (NEXT_TO_CODE, rows, columns))]
    layers += [nn.Conv2d(NEXT_TO_CODE, wide, 3, padding=1)]
    for _ in range(times - 1):
        layers += [ResidualBlock(wide), nn.Conv2d(wide, 2 * wide, 1), nn.PixelShuffle(2)]  # half the channels
        wide //= 2
    layers += [nn.SiLU(), nn.Conv2d(wide, wide, 3, padding=1), nn.SiLU()]  # (B, hidden/2, H/2, W/2)
    return nn.Sequential(*layers, nn.Conv2d(wide, 4 * channels, 3, padding=1), nn.PixelShuffle(2))


def _checked(architecture: str, image_shape: tuple[int, int, int], hidden: int) -> tuple[int, int, int]:
    if architecture not in ("mlp", "conv", "residual"):
        raise ValueError(f"architecture is {architecture!r}: use 'mlp', 'conv' or 'residual'.")
    channels, height, width = image_shape
    if architecture == "mlp":
        return channels, height, width
    form, step = ("convolutional", 4) if architecture == "conv" else ("residual", 2 ** halvings(height, width))
    if height % step or width % step:
        raise ValueError(f"image_shape is {tuple(image_shape)}: the {form} form needs H and W divisible by {step}.")
    if hidden % 2:
        raise ValueError(f"hidden is {hidden}: the {form} form needs an even number, half of it in one layer.")
    return channels, height, width
