"""A small classifier of clothes. Its last hidden layer is the space in which generated images are compared."""

from torch import Tensor, nn

from course_utils.inputs import check_images, labels_of
from course_utils.models.networks import normalised_convolution


class Classifier(nn.Module):
    """A convolutional network from images to class scores, with its features in the open.

    Three convolutions with batch normalisation at a half and a quarter of the size, one hidden layer of
    `num_features` units, and one linear layer to the scores.

    Args:
        num_classes: How many classes.
        num_features: F, units of the last hidden layer.
        hidden: Channels of each convolution.
        image_shape: (C, H, W); H and W divisible by 4.

    Attributes:
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: A size that cannot be halved twice, or fewer than 2 classes.

    Used from lesson 10 on to measure samples: see `course_utils.metrics.sample_quality`.

    Example:
        >>> import torch
        >>> model = Classifier()
        >>> model.features(torch.rand(5, 1, 28, 28)).shape
        torch.Size([5, 64])
    """

    def __init__(
        self,
        num_classes: int = 10,
        *,
        num_features: int = 64,
        hidden: int = 56,
        image_shape: tuple[int, int, int] = (1, 28, 28),
    ):
        super().__init__()
        channels, height, width = image_shape
        if height % 4 or width % 4:
            raise ValueError(f"image_shape is {tuple(image_shape)}: H and W must be divisible by 4.")
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}: there must be at least 2 to tell apart.")
        self.config = {
            "num_classes": num_classes, "num_features": num_features, "hidden": hidden,
            "image_shape": tuple(image_shape),
        }  # fmt: skip
        self.image_shape, self.num_features = tuple(image_shape), num_features
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),  # (B, 4 C, H/2, W/2): 2 x 2 pixels become channels, which is fast on a CPU
            *normalised_convolution(4 * channels, hidden),
            *normalised_convolution(hidden, hidden, stride=2),  # (B, hidden, H/4, W/4)
            *normalised_convolution(hidden, hidden),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(hidden * (height // 4) * (width // 4), num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(num_features, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the last hidden layer's activations, (B, F), none below 0."""
        check_images(x, self.image_shape, self.head.weight.dtype)
        if len(x) == 0:
            return x.new_zeros(0, self.num_features)  # PixelUnshuffle cannot take an empty batch
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to class scores before the softmax, (B, num_classes)."""
        return self.head(self.features(x))

    def loss_terms(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Cross-entropy and accuracy, averaged over the batch.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            y: Classes, whole numbers (B,).

        Returns:
            {"loss": nats an image, "accuracy": fraction}.
        """
        scores = self(x)
        y = labels_of(y, len(x), classes=scores.shape[1], name="y")  # cross-entropy would leave out -100 in silence
        accuracy = (scores.argmax(dim=1) == y).float().mean()
        return {"loss": nn.functional.cross_entropy(scores, y), "accuracy": accuracy.detach()}
