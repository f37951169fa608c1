"""Trains a reference model by its recipe and writes its card."""

import copy
import difflib
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from course_utils import checkpoints
from course_utils.data import ImageSet
from course_utils.device import describe_device, pick_device, seed_everything
from course_utils.files import course_home, require_writable
from course_utils.latents import encode_dataset
from course_utils.models.autoencoder import Autoencoder
from course_utils.recipes import classifier, compressors, diffusion, face_codes, faces, faces64, fashion, gan, styles
from course_utils.recipes.evaluation import evaluate, spread
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.resumable import begun, unfinished_file
from course_utils.training import Stretches, fit

RECIPES = {
    recipe.name: recipe
    for family in (fashion, classifier, gan, styles, diffusion, faces, faces64, compressors, face_codes)
    for recipe in family.RECIPES
}


def train(
    name: str,
    *,
    out: Path | str | None = None,
    device: str | torch.device | None = None,
    epochs: int | None = None,
    full: bool = True,
    progress: bool = True,
    seeds: int = 1,
) -> Path:
    """Train a reference model by its recipe and save it with its card.

    This seeds the global random number generators, as the recipe says.

    Args:
        name: A name in RECIPES.
        out: Folder to save into; by default "checkpoints" in the learner's own folder.
        device: Where to train; by default the one `pick_device` chooses.
        epochs: Another number of epochs than the recipe's.
        full: Train on all 60,000 images and measure on all 10,000; else on the bundled subset.
        progress: Show a progress bar.
        seeds: Train so many times, the seed rising by one. Only the first model is saved; its card tells how the
            numbers vary, under "over_seeds".

    Returns:
        Path of the weights.

    Raises:
        ValueError: There is no recipe of that name, or seeds is not at least 1.
        TypeError: The recipe's model has no registered name; this, too, is known before anything is trained.
        ConnectionError: The full data set is not here and could not be downloaded.
        OSError: The model could not be saved in that folder; this is known before anything is trained.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        raise ValueError(
            f"there is no recipe {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            + f" The recipes are: {', '.join(RECIPES)}."
        )  # fmt: skip
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}: train at least once.")
    recipe, device = RECIPES[name], pick_device(device)
    checkpoints.require_buildable(recipe.build())
    for needed in recipe.needs:
        checkpoints.verify(needed)
    epochs = recipe.epochs if epochs is None else epochs
    folder = course_home() / "checkpoints" if out is None else Path(out)
    for suffix in ("safetensors", "json"):
        require_writable(folder / f"{name}.{suffix}")
    images, test = recipe.images("train", full), recipe.images("test", full)

    unfinished = begun(unfinished_file(recipe, images, epochs))
    before = sum(record["seconds"] for record in unfinished.epochs) if unfinished else 0.0
    start = time.perf_counter() - before
    model, precision, kept = _trained(recipe, recipe.seed, images, epochs, device, progress)
    minutes = (time.perf_counter() - start) / 60
    metrics = [_measured(recipe, model, test)]
    for seed in range(recipe.seed + 1, recipe.seed + seeds):
        other, _, _ = _trained(recipe, seed, images, epochs, device, progress)
        metrics.append(_measured(recipe, other, test))
    options = ("" if epochs == recipe.epochs else f" --epochs {epochs}") + ("" if seeds == 1 else f" --seeds {seeds}")
    card = {
        "name": name,
        "what": recipe.what,
        "data": f"{recipe.data}, {'all' if full else 'the bundled'} {len(images):,} training images",
        "seed": recipe.seed,
        "epochs": epochs,
        "precision": precision,
        "command": f"course train {name}{options}" + ("" if full else " --data bundled"),
        "minutes": round(minutes, 1),
        "device": describe_device(device),
        "metrics": metrics[0],
        "licence": "MIT",
    }
    if seeds > 1:
        card["over_seeds"] = {"seeds": list(range(recipe.seed, recipe.seed + seeds)), **spread(metrics)}
    if not recipe.snapshots:
        return checkpoints.save(model.cpu(), folder / name, card=card, half=True)
    moments = []
    for epoch, weights in kept:
        model.load_state_dict(weights)
        moments.append({"epoch": epoch, "metrics": evaluate(model, test)})
    return checkpoints.save_snapshots(model.cpu(), [weights for _, weights in kept], moments, folder / name, card=card)


def kept(name: str | Recipe, *, seed: int = 0, epochs: int | None = None, progress: bool = False) -> nn.Module:
    """The model that a recipe gives with another seed or length: trained once, then read from the learner's folder.

    It is kept as checkpoints/NAME_seed_S_epochs_E.safetensors, in 16 bits as all reference models are. A training that
    takes long goes on where it was stopped, if its recipe can. Seed and length of the recipe give the reference model
    itself, where it is shipped.

    Args:
        name: A name in RECIPES, or a recipe of one's own with a name that is not there.
        seed: Of the weights and of the order of the batches; it becomes the global seed.
        epochs: Passes over all training images; by default the recipe's.
        progress: Show a progress bar.

    Raises:
        KeyError: There is no recipe of that name.
        ValueError: A recipe of one's own has the name of another one.
        OSError: The model could not be saved.
    """
    recipe = RECIPES[name] if isinstance(name, str) else name
    name = recipe.name
    if RECIPES.get(name, recipe) is not recipe:
        raise ValueError(f"there is another recipe {name!r}: give yours a name of its own.")
    epochs = recipe.epochs if epochs is None else epochs
    if (seed, epochs) == (recipe.seed, recipe.epochs) and name in checkpoints.reference_names():
        return checkpoints.load_reference(name)
    path = course_home() / "checkpoints" / f"{name}_seed_{seed}_epochs_{epochs}.safetensors"
    if not path.exists():
        require_writable(path)
        model, precision, _ = _trained(recipe, seed, recipe.images("train", True), epochs, pick_device(), progress)
        card = {"name": path.stem, "what": recipe.what, "seed": seed, "epochs": epochs, "precision": precision}
        checkpoints.save(model.cpu(), path, card=card, half=True)
    return checkpoints.load(path)


def _trained(recipe, seed, images, epochs, device, progress) -> tuple[nn.Module, str, list[tuple[float, dict]]]:
    """The trained model, the precision of its training, and the snapshots as (epoch, weights)."""
    recipe = replace(recipe, seed=seed)
    seed_everything(seed)
    model = recipe.build().to(device)
    if recipe.run is not None:
        return model, recipe.run(model, images, recipe, epochs=epochs, device=device, progress=progress), []
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
    batches = recipe.batches(images, device)
    settings = {"optimizer": optimizer, "progress": progress, "precision": recipe.precision}
    kept = []
    if recipe.snapshots:
        marks = sorted({*(mark for mark in recipe.snapshots if mark < epochs), epochs})
        parts = Stretches(batches, [round(mark * len(batches)) for mark in marks if mark > 0])
        if marks[0] == 0:
            kept.append((0, copy.deepcopy(model.state_dict())))
            marks = marks[1:]

        def keep(model, record):
            kept.append((marks[record["epoch"] - 1], copy.deepcopy(model.state_dict())))

        history = fit(model, parts, epochs=len(marks), on_epoch=keep, **settings)
    else:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        history = fit(model, batches, epochs=epochs, on_epoch=lambda *_: schedule.step(), **settings)
    if history.interrupted:
        raise KeyboardInterrupt(f"training of {recipe.name} was stopped; nothing was saved")
    if isinstance(model, Autoencoder):
        model.set_latent_statistics(encode_dataset(model, images).to(device))
    return model, history.precision, kept


def _measured(recipe: Recipe, model: nn.Module, test: ImageSet) -> dict[str, float]:
    if recipe.measure is not None:
        return recipe.measure(model, test)
    return evaluate(model, test, iwae_samples=recipe.iwae_samples)
