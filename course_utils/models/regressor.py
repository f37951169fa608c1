"""A small network that reads numbers from images, such as the handles from a drawn face."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.inputs import check_images
from course_utils.models.networks import normalised_convolution


class Regressor(nn.Module):
    """A convolutional network from images to K numbers, each in its own unit.

    Convolutions with batch normalisation at a half, a quarter, an eighth and a sixteenth of the size, twice as many
    channels at each of the first three; one hidden layer of `num_features` units; one linear layer to the numbers.

    Args:
        ranges: The smallest and the largest value of each number, K pairs. In the loss an error counts in units of
            half its number's range, so that all count alike.
        num_features: F, units of the last hidden layer.
        hidden: Channels of the first convolution.
        image_shape: (C, H, W); H and W divisible by 16.

    Attributes:
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: A size that cannot be halved four times, no ranges, or one whose ends are not low < high.

    Example:
        >>> model = Regressor([(-1, 1), (0, 10)]).eval()
        >>> model(torch.rand(5, 3, 64, 64)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        ranges: Sequence[tuple[float, float]],
        *,
        num_features: int = 128,
        hidden: int = 24,
        image_shape: tuple[int, int, int] = (3, 64, 64),
    ):
        super().__init__()
        channels, height, width = image_shape
        if height % 16 or width % 16:
            raise ValueError(f"image_shape is {tuple(image_shape)}: H and W must be divisible by 16.")
        if len(ranges) == 0 or not all(len(ends) == 2 and ends[0] < ends[1] for ends in ranges):
            raise ValueError(f"ranges are {list(ranges)}: give (low, high) with low < high for at least 1 number.")
        self.config = {
            "ranges": [tuple(ends) for ends in ranges], "num_features": num_features, "hidden": hidden,
            "image_shape": tuple(image_shape),
        }  # fmt: skip
        self.image_shape, self.num_features = tuple(image_shape), num_features
        low, high = torch.tensor(self.config["ranges"], dtype=torch.float32).unbind(1)
        self.register_buffer("middle", (low + high) / 2, persistent=False)
        self.register_buffer("half_range", (high - low) / 2, persistent=False)
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),  # (B, 4 C, H/2, W/2): 2 x 2 pixels become channels, which is fast on a CPU
            *normalised_convolution(4 * channels, hidden),
            *normalised_convolution(hidden, 2 * hidden, stride=2),  # (B, 2 hidden, H/4, W/4)
            *normalised_convolution(2 * hidden, 2 * hidden),
            *normalised_convolution(2 * hidden, 4 * hidden, stride=2),  # (B, 4 hidden, H/8, W/8)
            *normalised_convolution(4 * hidden, 4 * hidden),
            *normalised_convolution(4 * hidden, 4 * hidden, stride=2),  # (B, 4 hidden, H/16, W/16)
            nn.Flatten(),
            nn.Linear(4 * hidden * (height // 16) * (width // 16), num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(num_features, len(ranges))

    def features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the last hidden layer's activations, (B, F), none below 0."""
        check_images(x, self.image_shape, self.head.weight.dtype)
        if len(x) == 0:
            return x.new_zeros(0, self.num_features)  # PixelUnshuffle cannot take an empty batch
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to numbers in their own units, (B, K); they may leave their ranges a little."""
        return self.middle + self.half_range * self.head(self.features(x))

    def loss_terms(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Squared error in units of half a range, averaged over numbers and batch.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            y: The true numbers, (B, K).

        Returns:
            {"loss": scalar}.

        Raises:
            ValueError: y is not (B, K).
        """
        read = self(x)
        if y.shape != read.shape:
            raise ValueError(f"y has shape {tuple(y.shape)} but what was read {tuple(read.shape)}: give (B, K).")
        return {"loss": ((read - y) / self.half_range).square().mean()}
