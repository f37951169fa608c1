"""Recipes of the diffusion model of Fashion-MNIST, and of what the latent diffusion of lesson 12 needs."""

import copy
import math
import time

import torch
from torch import Tensor, nn

from course_utils import checkpoints
from course_utils.data import ImageSet
from course_utils.files import course_home
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, model_device
from course_utils.metrics.samples import frechet_distance, image_features, sample_quality
from course_utils.models.diffusion import Diffusion, LatentDiffusion
from course_utils.models.vae import VAE
from course_utils.recipes.evaluation import evaluate
from course_utils.recipes.recipe import Recipe
from course_utils.training.parts import follow, learning_rate
from course_utils.training.precision import autocast, choose_precision


def kept_share(step: int, most: float) -> float:
    """Share that an average of the weights keeps of itself: (1 + step) / (10 + step), and at most so much.

    At the start it is small, or the average would remember the first weights for long.

    Args:
        step: Training steps done, from 1.
        most: The share from then on, below 1.

    Returns:
        The ``ema`` for `course_utils.training.parts.follow`.

    Example:
        >>> [round(kept_share(step, 0.9), 2) for step in (1, 8, 100)]
        [0.18, 0.5, 0.9]
    """
    return min(most, (1 + step) / (10 + step))


def train_denoiser(model, images: ImageSet, recipe: Recipe, *, epochs, device, progress: bool = False) -> str:
    """Train a class-conditional `Diffusion` in place: Adam, averaged weights at the end.

    Every 5 minutes the average so far is saved in the learner's own folder, as checkpoints/NAME_unfinished, so that a
    training that is stopped is not lost.

    Args:
        model: The model, on its device.
        images: Training images with labels.
        recipe: Its recipe: name, batch_size, lr, seed and precision.
        epochs: Passes over the images.
        device: Where to train.
        progress: Show a progress bar, and a line with the mean loss after each epoch.

    Returns:
        The precision used.
    """
    precision = choose_precision(recipe.precision, device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, betas=(0.9, 0.99), fused=True)
    batches = images.batches(
        recipe.batch_size, device=device, shuffle=True, with_labels=True,
        generator=torch.Generator().manual_seed(recipe.seed),
    )  # fmt: skip
    generator = torch.Generator(device).manual_seed(recipe.seed)
    steps, average, step, saved = epochs * len(batches), copy.deepcopy(model), 0, time.monotonic()
    with _bar(steps, progress) as bar:
        for epoch in range(1, epochs + 1):
            total = 0.0
            for x, label in batches:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(step, steps, recipe.lr, warm_up=min(200, steps // 10), shape="cosine")
                optimizer.zero_grad(set_to_none=True)
                with autocast(precision, device):
                    loss = model.loss_of_data(model.to_data(x), label, generator=generator)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                step, total = step + 1, total + loss.detach()
                follow(average, model, kept_share(step, 0.999))
                bar.update()
                if time.monotonic() - saved > 300:
                    _save_unfinished(average, recipe, epoch)
                    saved = time.monotonic()
            if not math.isfinite(mean := float(total) / len(batches)):
                raise RuntimeError(f"the loss of {recipe.name} became {mean} in epoch {epoch}: nothing was saved.")
            bar.write(f"{recipe.name}: epoch {epoch} of {epochs}, loss {mean:.4f}")
    model.load_state_dict(average.state_dict())
    return precision


def _save_unfinished(average, recipe, epoch) -> None:
    card = {"name": recipe.name, "what": f"{recipe.what}; stopped in epoch {epoch}", "seed": recipe.seed}
    checkpoints.save(average, course_home() / "checkpoints" / f"{recipe.name}_unfinished", card=card, half=True)


def _bar(steps: int, progress: bool):
    from tqdm.auto import tqdm

    return tqdm(total=steps, disable=not progress, unit="step", mininterval=5, desc="training")


@torch.no_grad()
def class_samples(
    model: Diffusion, n: int, *, steps: int = 20, guidance: float = 1.0, seed: int = 0, batch_size: int = 500,
    precision: str = "auto",
) -> Tensor:  # fmt: skip
    """Samples of a class-conditional diffusion model, equally many of each class.

    Args:
        model: The model.
        n: How many; image i is of class i modulo the number of classes.
        steps: DDIM steps.
        guidance: Of classifier-free guidance.
        seed: Of the noise, so that models, steps and guidance can be compared on the same noise.
        batch_size: Images made at a time.
        precision: As for `course_utils.training.precision.choose_precision`.

    Returns:
        Images (n, C, H, W) in [0, 1], on the CPU.
    """
    device = model_device(model)
    noise = torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % model.num_classes
    images = []
    with autocast(choose_precision(precision, device), device):
        for z, label in zip(noise.split(batch_size), labels.split(batch_size), strict=True):
            view = model.given(label.to(device), guidance, steps=steps)
            images.append(view.decode(z.to(device)).float().cpu())
    return torch.cat(images)


def measure(model: Diffusion, test: ImageSet) -> dict[str, float]:
    """How good samples of the classes are, at the model's own number of steps and without extra guidance.

    Args:
        model: The model.
        test: Images it was not trained on.

    Returns:
        "frechet", "precision", "recall", "density" and "coverage" of as many samples as there are test images (seed 0,
        guidance 1), as `course_utils.metrics.sample_quality` measures them, and "steps".
    """
    samples = class_samples(model, len(test), steps=model.steps)
    quality = sample_quality(samples, test, checkpoints.load_reference("classifier_fashion"))
    return {name: float(f"{value:.4g}") for name, value in quality.items()} | {"steps": model.steps}


def train_latent_diffusion(
    autoencoder: LatentModel, images: ImageSet, *, steps: int = 1200, batch_size: int = 256, lr: float = 2e-3,
    hidden: int = 512, blocks: int = 3, precision: str = "auto", generator: torch.Generator | None = None,
    progress: bool = False,
) -> LatentDiffusion:  # fmt: skip
    """Train a small denoiser over an autoencoder's codes: class-conditional diffusion in well under a minute.

    The images are encoded once. Then each step noises a batch of codes and improves an `MLPDenoiser`, whose averaged
    weights are kept.

    Args:
        autoencoder: Any LatentModel with codes (D,), for example the reference "latent_autoencoder".
        images: Training images with labels.
        steps: Training steps.
        batch_size: Codes a step.
        lr: Adam's learning rate at its highest; see `course_utils.training.parts.learning_rate`.
        hidden: Width of the denoiser's blocks.
        blocks: How many.
        precision: As for `course_utils.training.fit`.
        generator: CPU generator of batches, timesteps and noise; None uses PyTorch's global one. (The denoiser's first
            weights always come from the global one.)
        progress: Show a progress bar.

    Returns:
        The model, in evaluation mode, on the autoencoder's device.

    Taught in lesson 12.
    """
    device = model_device(autoencoder)
    codes = encode_dataset(autoencoder, images)
    model = LatentDiffusion(autoencoder, codes, num_classes=len(images.class_names), hidden=hidden, blocks=blocks)
    model.to(device)
    data, labels = model.standardize(codes.to(device)), images.labels.to(device)
    parameters = model.denoiser.parameters
    optimizer = torch.optim.Adam(parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    average, precision = copy.deepcopy(model.denoiser), choose_precision(precision, device)
    with _bar(steps, progress) as bar:
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, lr, warm_up=min(50, steps), shape="cosine")
            index = torch.randint(len(data), (batch_size,), generator=generator).to(device)
            noise = generator if device.type == "cpu" else None
            optimizer.zero_grad(set_to_none=True)
            with autocast(precision, device):
                loss = model.loss_of_data(data[index], labels[index], generator=noise)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters(), 1.0)
            optimizer.step()
            follow(average, model.denoiser, kept_share(step + 1, 0.995))
            bar.update()
    model.denoiser.load_state_dict(average.state_dict())
    return model.eval()


def measure_compressor(model: nn.Module, test: ImageSet) -> dict[str, float]:
    """What is lost by going through the codes: `evaluate`, and the Frechet distance of the reconstructions.

    Args:
        model: An autoencoder.
        test: Images it has not seen.

    Returns:
        The numbers of `course_utils.recipes.evaluate`, and "reconstruction_frechet": no samples decoded from these
        codes can be expected to come closer.
    """
    features = [
        image_features(images, checkpoints.load_reference("classifier_fashion"))
        for images in (decode_dataset(model, encode_dataset(model, test)), test)
    ]
    return evaluate(model, test) | {"reconstruction_frechet": float(f"{frechet_distance(*features):.4g}")}


RECIPES = (
    Recipe(
        "diffusion_fashion",
        "class-conditional diffusion of images, velocity prediction, cosine schedule",
        lambda: Diffusion(channels=(64, 128), blocks=1),
        epochs=10,
        batch_size=64,
        lr=1.5e-3,
        precision="auto",
        run=train_denoiser,
        measure=measure,
    ),
    Recipe(
        "latent_autoencoder",
        "VAE with 64 latent dimensions and a nearly silent KL term, to compress for diffusion",
        lambda: VAE(64, architecture="conv", hidden=64, beta=0.02),
        epochs=12,
        lr=2e-3,
        precision="auto",
        measure=measure_compressor,
    ),
)
