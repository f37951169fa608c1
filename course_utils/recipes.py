"""How each reference model is trained: ``course train NAME``."""

import copy
import difflib
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from course_utils import checkpoints
from course_utils.data import ImageSet, fashion_mnist
from course_utils.device import describe_device, pick_device, seed_everything
from course_utils.latents import encode_dataset, model_device
from course_utils.losses import iwae_bound
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.vae import VAE
from course_utils.paths import course_home
from course_utils.training import fit


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


def _vae(latent_dim: int, beta: float = 1.0) -> VAE:
    return VAE(latent_dim, architecture="conv", hidden=32, beta=beta)


def _conv(latent_dim: int) -> Autoencoder:
    return Autoencoder(latent_dim, architecture="conv", hidden=32)


BETAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of the models that draw the rate-distortion curve

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("vae_2d", "VAE with 2 latent dimensions, for maps", lambda: _vae(2)),
        Recipe("autoencoder_2d", "autoencoder with 2 latent dimensions", lambda: _conv(2)),
        Recipe("autoencoder_8d", "autoencoder with 8 latent dimensions", lambda: _conv(8)),
        Recipe("autoencoder_32d", "autoencoder with 32 latent dimensions", lambda: _conv(32)),
        Recipe(
            "denoising_32d",
            "denoising autoencoder, Gaussian noise of standard deviation 0.5, 32 latent dimensions",
            lambda: DenoisingAutoencoder(32, architecture="conv", hidden=32, corruption="gaussian_noise", strength=0.5),
        ),
        Recipe(
            "sparse_k",
            "k-sparse autoencoder: 256 units, of which 16 are active",
            lambda: SparseAutoencoder(256, k=16, hidden=256),
        ),
        Recipe(
            "vae_16d",
            "VAE with 16 latent dimensions, tuned for its bound",
            lambda: VAE(16, hidden=768),
            epochs=30,
            precision="auto",
            iwae_samples=500,
        ),
        Recipe(
            "vae_2d_snapshots",
            "a VAE with 2 latent dimensions at 16 moments of its training",
            lambda: _vae(2),
            epochs=12,
            snapshots=(0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1, 1.5, 2, 3, 4, 6, 8, 10, 12),
        ),
        *(
            Recipe(
                f"vae_beta_{beta:g}",
                f"VAE with 16 latent dimensions and beta = {beta:g}, for the rate-distortion curve",
                lambda beta=beta: _vae(16, beta),
                epochs=10,
                lr=2e-3,
                precision="auto",
            )
            for beta in BETAS
        ),
    )
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
        ConnectionError: The full data set is not here and could not be downloaded.
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
    epochs = recipe.epochs if epochs is None else epochs
    images, test = fashion_mnist("train", full=full), fashion_mnist("test", full=full)
    folder = course_home() / "checkpoints" if out is None else Path(out)

    start = time.perf_counter()
    model, precision, kept = _trained(recipe, recipe.seed, images, epochs, device, progress)
    minutes = (time.perf_counter() - start) / 60
    metrics = [evaluate(model, test, iwae_samples=recipe.iwae_samples)]
    for seed in range(recipe.seed + 1, recipe.seed + seeds):
        other, _, _ = _trained(recipe, seed, images, epochs, device, progress)
        metrics.append(evaluate(other, test, iwae_samples=recipe.iwae_samples))
    options = ("" if epochs == recipe.epochs else f" --epochs {epochs}") + ("" if seeds == 1 else f" --seeds {seeds}")
    card = {
        "name": name,
        "what": recipe.what,
        "data": f"Fashion-MNIST, {'all' if full else 'the bundled'} {len(images):,} training images",
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


def _trained(recipe, seed, images, epochs, device, progress) -> tuple[nn.Module, str, list[tuple[float, dict]]]:
    """The trained model, the precision of its training, and the snapshots as (epoch, weights)."""
    seed_everything(seed)
    model = recipe.build().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
    generator = torch.Generator().manual_seed(seed)
    batches = images.batches(recipe.batch_size, device=device, shuffle=True, generator=generator)
    settings = {"optimizer": optimizer, "progress": progress, "precision": recipe.precision}
    kept = []
    if recipe.snapshots:
        marks = sorted({*(mark for mark in recipe.snapshots if mark < epochs), epochs})
        parts = _Parts(batches, [round(mark * len(batches)) for mark in marks])
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


class _Parts:
    """Batches of pass after pass over a set, given out in parts: iterating again goes on where the last part ended."""

    def __init__(self, batches, ends: list[int]):
        self.generator = batches.generator
        ends = [0, *(end for end in ends if end > 0)]
        self.sizes = iter([end - start for start, end in itertools.pairwise(ends)])
        self.stream = itertools.chain.from_iterable(itertools.repeat(batches))

    def __iter__(self):
        return itertools.islice(self.stream, next(self.sizes))


def spread(metrics: list[dict[str, float]]) -> dict[str, dict]:
    """How numbers vary over the seeds.

    Args:
        metrics: One dictionary a seed, as `evaluate` gives it.

    Returns:
        For each number its "values" in the order given, their "mean", and "std", the standard deviation (with n - 1).

    Example:
        >>> spread([{"test_kl": 1.0}, {"test_kl": 3.0}])["test_kl"]["mean"]
        2.0
    """
    values = {term: [one[term] for one in metrics] for term in metrics[0]}
    return {
        term: {
            "values": numbers,
            "mean": float(f"{statistics.mean(numbers):.6g}"),
            "std": float(f"{statistics.stdev(numbers):.3g}"),
        }
        for term, numbers in values.items()
    }


@torch.no_grad()
def evaluate(model: nn.Module, test: ImageSet, batch_size: int = 500, *, iwae_samples: int = 0) -> dict[str, float]:
    """The numbers on a reference model's card.

    Args:
        model: A trained model.
        test: Images it has not seen.
        batch_size: Images measured at a time.
        iwae_samples: Samples of the importance-weighted bound of a VAE; 0 leaves it out.

    Returns:
        "test_mse": mean squared error of a pixel when decoding the code of the image itself; and for a VAE
        "test_negative_elbo", "test_recon" and "test_kl" in nats an image, from one posterior sample each (seed 0), and
        "test_negative_iwae_K", the bound from K = iwae_samples samples.
    """
    device = model_device(model)
    generator = torch.Generator(device).manual_seed(0)
    squared, sums, bound = 0.0, {}, 0.0
    for x in test.batches(batch_size, device=device):
        squared += (model.decode(model.encode(x)) - x).square().mean().item() * len(x)
        if isinstance(model, VAE):
            for term, value in model.loss_terms(x, generator).items():
                sums[term] = sums.get(term, 0.0) + value.item() * len(x)
    if iwae_samples:
        for x in test.batches(100, device=device):
            bound += iwae_bound(model, x, iwae_samples, chunk=10, generator=generator).sum().item()
    metrics = {"test_mse": squared / len(test)}
    if sums:
        recon, kl = sums["recon"] / len(test), sums["kl"] / len(test)
        metrics |= {"test_negative_elbo": recon + kl, "test_recon": recon, "test_kl": kl}
    if iwae_samples:
        metrics[f"test_negative_iwae_{iwae_samples}"] = -bound / len(test)
    return {name: float(f"{value:.5g}") for name, value in metrics.items()}
