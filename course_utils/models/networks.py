"""The two encoder and decoder networks that autoencoders and VAEs share: fully connected and convolutional."""

import math

from torch import nn


def encoder_network(architecture: str, image_shape: tuple[int, int, int], hidden: int, outputs: int) -> nn.Sequential:
    """Network from images to vectors.

    Args:
        architecture: "mlp" (one hidden layer) or "conv" (two strided convolutions, then one linear layer).
        image_shape: (C, H, W); H and W divisible by 4 for "conv".
        hidden: Hidden units of the MLP; channels after the second convolution.
        outputs: Length of the output vector.

    Returns:
        A module (B, C, H, W) -> (B, outputs).

    Raises:
        ValueError: An unknown architecture, a size that convolutions cannot halve twice, or odd hidden for them.

    Example:
        >>> import torch
        >>> encoder_network("conv", (1, 28, 20), 64, 5)(torch.zeros(3, 1, 28, 20)).shape
        torch.Size([3, 5])
    """
    channels, height, width = _checked(architecture, image_shape, hidden)
    if architecture == "mlp":
        features = math.prod(image_shape)
        return nn.Sequential(nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
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

    The convolutional form enlarges by pixel shuffling: a convolution makes four channels for each one wanted, and
    these become 2 x 2 pixels (Shi et al. 2016). On a CPU it is faster than transposed convolutions.

    Args:
        architecture: "mlp" or "conv".
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


def _checked(architecture: str, image_shape: tuple[int, int, int], hidden: int) -> tuple[int, int, int]:
    if architecture not in ("mlp", "conv"):
        raise ValueError(f"architecture is {architecture!r}: use 'mlp' or 'conv'.")
    channels, height, width = image_shape
    if architecture == "conv" and (height % 4 or width % 4):
        raise ValueError(f"image_shape is {tuple(image_shape)}: the convolutional form needs H and W divisible by 4.")
    if architecture == "conv" and hidden % 2:
        raise ValueError(f"hidden is {hidden}: the convolutional form needs an even number, half of it in one layer.")
    return channels, height, width
