"""How each reference model is trained: ``course train NAME``."""

import difflib
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
    """

    name: str
    what: str
    build: Callable[[], nn.Module]
    epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 0


def _conv(latent_dim: int) -> Autoencoder:
    return Autoencoder(latent_dim, architecture="conv", hidden=32)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("vae_2d", "VAE with 2 latent dimensions, for maps", lambda: VAE(2, architecture="conv", hidden=32)),
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

    Returns:
        Path of the weights.

    Raises:
        ValueError: There is no recipe of that name.
        ConnectionError: The full data set is not here and could not be downloaded.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        raise ValueError(
            f"there is no recipe {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            + f" The recipes are: {', '.join(RECIPES)}."
        )  # fmt: skip
    recipe, device = RECIPES[name], pick_device(device)
    epochs = recipe.epochs if epochs is None else epochs
    images, test = fashion_mnist("train", full=full), fashion_mnist("test", full=full)

    seed_everything(recipe.seed)
    model = recipe.build().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    generator = torch.Generator().manual_seed(recipe.seed)
    batches = images.batches(recipe.batch_size, device=device, shuffle=True, generator=generator)
    start = time.perf_counter()
    history = fit(
        model, batches, epochs=epochs, optimizer=optimizer, progress=progress, on_epoch=lambda *_: schedule.step()
    )
    if history.interrupted:
        raise KeyboardInterrupt(f"training of {name} was stopped; nothing was saved")
    if isinstance(model, Autoencoder):
        model.set_latent_statistics(encode_dataset(model, images).to(device))
    card = {
        "name": name,
        "what": recipe.what,
        "data": f"Fashion-MNIST, {'all' if full else 'the bundled'} {len(images):,} training images",
        "seed": recipe.seed,
        "epochs": epochs,
        "command": f"course train {name}" + ("" if full else " --data bundled"),
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "device": describe_device(device),
        "metrics": evaluate(model, test),
        "licence": "MIT",
    }
    folder = course_home() / "checkpoints" if out is None else Path(out)
    return checkpoints.save(model.cpu(), folder / name, card=card, half=True)


@torch.no_grad()
def evaluate(model: nn.Module, test: ImageSet, batch_size: int = 500) -> dict[str, float]:
    """The numbers on a reference model's card.

    Args:
        model: A trained model.
        test: Images it has not seen.
        batch_size: Images measured at a time.

    Returns:
        "test_mse": mean squared error of a pixel when decoding the code of the image itself; and for a VAE
        "test_negative_elbo", "test_recon" and "test_kl" in nats an image, from one posterior sample each (seed 0).
    """
    device = model_device(model)
    generator = torch.Generator(device).manual_seed(0)
    squared, sums = 0.0, {}
    for x in test.batches(batch_size, device=device):
        squared += (model.decode(model.encode(x)) - x).square().mean().item() * len(x)
        if isinstance(model, VAE):
            for term, value in model.loss_terms(x, generator).items():
                sums[term] = sums.get(term, 0.0) + value.item() * len(x)
    metrics = {"test_mse": squared / len(test)}
    if sums:
        recon, kl = sums["recon"] / len(test), sums["kl"] / len(test)
        metrics |= {"test_negative_elbo": recon + kl, "test_recon": recon, "test_kl": kl}
    return {name: float(f"{value:.5g}") for name, value in metrics.items()}
