"""What a recipe says."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.data import Batches, ImageSet, fashion_mnist


def fashion_images(split: str, full: bool) -> ImageSet:
    """Fashion-MNIST: the images of a split, all of them or the bundled subset."""
    return fashion_mnist(split, full=full)


@dataclass(frozen=True)
class Recipe:
    """One reference model.

    Attributes:
        name: Its name, as in ``course train NAME`` and ``load_reference(name)``.
        what: One line for `course train --list` and the card.
        build: Makes the untrained model.
        epochs: Passes over the training images.
        batch_size: Images a step.
        lr: Adam's learning rate at the start; it falls to zero along half a cosine.
        seed: Of the weights and of the order of the batches.
        precision: As for `course_utils.training.fit`.
        iwae_samples: Samples of the importance-weighted bound on the card; 0 for none.
        snapshots: Epochs (also fractions of one) after which the weights are kept, all in one file; 0 is untrained.
            The learning rate is then constant.
        labels: True if the loss also takes the labels, loss_terms(x, y); or a function of the training images that
            gives another y for each of them, (N, ...).
        data: Name of the images on the card.
        images: Function of (split, full) that gives them: "train" or "test", all of them or fewer.
        run: How to train where `fit` with the model's own loss does not do it: function of (model, images, recipe,
            epochs, device, progress), called after seeding, that trains in place and returns the precision used.
        measure: The numbers on the card: function of (model, test images).
        needs: Reference models without which it cannot measure: they are verified before it trains.
    """

    name: str
    what: str
    build: Callable[[], nn.Module]
    epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 0
    precision: str = "float32"
    iwae_samples: int = 0
    snapshots: tuple[float, ...] = ()
    labels: bool | Callable[[ImageSet], Tensor] = False
    data: str = "Fashion-MNIST"
    images: Callable[[str, bool], ImageSet] = fashion_images
    run: Callable[..., str] | None = None
    measure: Callable[[nn.Module, ImageSet], dict[str, float]] | None = None
    needs: tuple[str, ...] = ()

    def batches(self, images: ImageSet, device) -> Batches:
        """Training images in batches, in the order that the seed gives, with the labels that the loss takes."""
        batches = images.batches(
            self.batch_size, device=device, shuffle=True, generator=torch.Generator().manual_seed(self.seed),
            with_labels=bool(self.labels),
        )  # fmt: skip
        if callable(self.labels):
            batches.labels = self.labels(images).to(device)
        return batches
