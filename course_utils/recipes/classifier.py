"""Recipe of the classifier in whose features samples are compared."""

import torch
from torch import nn

from course_utils.data import ImageSet
from course_utils.latents import model_device, reading
from course_utils.models.classifier import Classifier
from course_utils.recipes.recipe import Recipe


@torch.no_grad()
def accuracy(model: nn.Module, test: ImageSet, batch_size: int = 500) -> dict[str, float]:
    """The fraction of test images whose class a classifier names.

    Args:
        model: Images (B, C, H, W) to class scores.
        test: Images it has not seen, with labels.
        batch_size: Images classified at a time.

    Returns:
        {"test_accuracy": 0 to 1}.
    """
    batches = test.batches(batch_size, device=model_device(model), with_labels=True)
    with reading(model):
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in batches)
    return {"test_accuracy": round(right / len(test), 4)}


RECIPES = (
    Recipe(
        "classifier_fashion",
        "classifier of Fashion-MNIST, whose 64 features measure samples",
        Classifier,
        epochs=14,
        lr=2e-3,
        precision="auto",
        labels=True,
        measure=accuracy,
    ),
)
