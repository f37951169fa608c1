"""Images with their labels, and minibatches of them that are made on the device."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.inputs import labels_of


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their labels.

    Attributes:
        images: uint8, (N, C, H, W), 0 to 255.
        labels: int64, (N,), indices into class_names.
        class_names: One name a class.

    Raises:
        TypeError: images or labels are no tensors, images are not uint8, or labels no whole numbers.
        ValueError: images are not (N, C, H, W), there is not one label an image, or a label is none of the classes.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self):
        for name in ("images", "labels"):
            if not isinstance(getattr(self, name), Tensor):
                kind = type(getattr(self, name)).__name__
                raise TypeError(f"{name} must be a torch tensor, not {kind}: torch.from_numpy makes one of an array.")
        if self.images.dtype != torch.uint8:
            raise TypeError(f"images are {self.images.dtype} but an ImageSet keeps uint8 values from 0 to 255.")
        if self.images.ndim != 4 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"images have shape {tuple(self.images.shape)} and labels {tuple(self.labels.shape)}: "
                "an ImageSet needs images (N, C, H, W) and labels (N,)."
            )

        classes = len(self.class_names) or None
        object.__setattr__(self, "labels", labels_of(self.labels, len(self.images), classes=classes))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def _several(self, index):
        """An index that keeps the first dimension (a single number becomes a list of one), where the images are."""
        if isinstance(index, int) or getattr(index, "ndim", None) == 0:  # also a tensor such as neighbours[0, 0]
            return [int(index)]
        return index.to(self.images.device) if isinstance(index, Tensor) else index

    def __getitem__(self, index) -> "ImageSet":
        """The subset at an index, a slice, a list or tensor of indices, or a boolean mask."""
        index = self._several(index)
        return ImageSet(self.images[index], self.labels[index], self.class_names)

    def pixels(self, index=slice(None), *, device: str | torch.device = "cpu") -> Tensor:
        """Images as floats.

        Args:
            index: An index, a slice, a list or tensor of indices, or a boolean mask; all images by default.
            device: Where the result should be.

        Returns:
            Float (B, C, H, W) in [0, 1].
        """
        return self.images[self._several(index)].to(device).float() / 255

    def batches(
        self,
        batch_size: int,
        *,
        device: str | torch.device = "cpu",
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        with_labels: bool = False,
    ) -> "Batches":
        """Minibatches for training, from a copy of the set that stays on the device as uint8.

        Args:
            batch_size: Images a batch; the last batch may be smaller, none is dropped.
            device: Where the set is kept and the batches are made.
            shuffle: Draw a new order at each pass.
            generator: CPU generator of that order; None uses PyTorch's global generator.
            with_labels: Yield (x, y) instead of x.

        Returns:
            An iterable that can be passed over again and again; its len() is the number of batches.

        Raises:
            ValueError: The set is empty, or batch_size is not at least 1.
        """
        return Batches(self, batch_size, torch.device(device), shuffle, generator, with_labels)


class Batches:
    """Minibatches of an ImageSet, made on the device; see `ImageSet.batches`.

    Attributes:
        generator: The generator of the order, or None.
    """

    def __init__(self, image_set, batch_size, device, shuffle, generator, with_labels):
        if len(image_set) == 0:
            raise ValueError("the image set is empty: there is nothing to make batches of.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: it must be at least 1.")
        self.images, self.labels = image_set.images.to(device), image_set.labels.to(device)
        self.batch_size, self.device = batch_size, device
        self.shuffle, self.generator, self.with_labels = shuffle, generator, with_labels

    def __len__(self) -> int:
        """Number of batches in one pass."""
        return math.ceil(len(self.images) / self.batch_size)

    def __iter__(self) -> Iterator:
        """One pass over the set: float (B, C, H, W) in [0, 1], with labels (B,) if asked for."""
        size = len(self.images)
        order = torch.randperm(size, generator=self.generator) if self.shuffle else torch.arange(size)
        for index in order.to(self.device).split(self.batch_size):
            x = self.images.index_select(0, index).float().div_(255)  # index_select copies whole images
            yield (x, self.labels[index]) if self.with_labels else x
