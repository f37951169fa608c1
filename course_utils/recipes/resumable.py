"""Trainings that take long: saved while they go on, so that what is stopped is not lost."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from course_utils.data import ImageSet
from course_utils.files import course_home
from course_utils.recipes.recipe import Recipe
from course_utils.training import History, fit


def unfinished_file(recipe: Recipe, images: ImageSet, epochs: int) -> Path:
    """Where a training by a recipe is saved while it is unfinished: in "checkpoints" of the learner's own folder."""
    name = f"{recipe.name}_seed_{recipe.seed}_{len(images)}_images_{epochs}_epochs_unfinished.pt"
    return course_home() / "checkpoints" / name


def begun(unfinished: Path) -> History | None:
    """What was saved of a training that was stopped, to go on from; None if there is nothing."""
    return History.load(unfinished) if unfinished.exists() else None


def fit_resumable(
    model: nn.Module, batches: Iterable, recipe: Recipe, *, epochs: int, unfinished: Path, progress: bool, **options
) -> History:
    """Train a recipe's model with Adam, and save what is unfinished after an epoch; at the end that file is removed.

    Args:
        model: The model, on its device; trained in place.
        batches: As for `course_utils.training.fit`.
        recipe: Its recipe: name, lr and precision.
        epochs: Passes over the batches.
        unfinished: Where to save; with ``resume=History.load(unfinished)`` the training goes on from there.
        progress: Show a progress bar, and a line with the mean of each term of the loss after each epoch.
        options: More of `fit`'s: loss, lr, resume, save_every, ...

    Returns:
        The finished training.

    Raises:
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, betas=(0.9, 0.99), fused=True)

    def tell(_, record):
        if progress:
            from tqdm.auto import tqdm

            terms = ", ".join(f"{term} {value:.4g}" for term, value in record["train"].items())
            tqdm.write(f"{recipe.name}: epoch {record['epoch']} of {epochs}, {terms}")

    history = fit(
        model, batches, epochs=epochs, optimizer=optimizer, on_epoch=tell, save_to=unfinished, progress=progress,
        precision=recipe.precision, **options,
    )  # fmt: skip
    if history.interrupted:
        raise KeyboardInterrupt(f"training of {recipe.name} was stopped; its whole epochs are kept in {unfinished}")
    unfinished.unlink(missing_ok=True)
    return history
