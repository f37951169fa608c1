"""Recipes of the diffusion model of Fashion-MNIST, and of what the latent diffusion of lesson 12 needs."""

import copy
from functools import partial

import torch
from torch import Tensor, nn

from course_utils import checkpoints
from course_utils.data import ImageSet
from course_utils.device import generator_on
from course_utils.files import course_home
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, model_device
from course_utils.metrics.samples import frechet_distance, image_features, sample_quality
from course_utils.models.diffusion import Diffusion, LatentDiffusion
from course_utils.models.vae import VAE
from course_utils.recipes.evaluation import evaluate
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.resumable import fit_resumable
from course_utils.training import History, RandomBatches, fit
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


def run(
    model: Diffusion, images: ImageSet, recipe: Recipe, *, epochs: int, device, progress: bool = False,
    resume: History | None = None,
) -> str:  # fmt: skip
    """Train a class-conditional `Diffusion` in place: Adam, averaged weights at the end.

    After an epoch, at most every 5 minutes, what is unfinished is saved in the learner's own folder, as
    checkpoints/NAME_unfinished.pt, so that a training that is stopped is not lost; at the end that file is removed.

    Args:
        model: The model, on its device.
        images: Training images with labels.
        recipe: Its recipe: name, batch_size, lr, seed and precision.
        epochs: Passes over the images.
        device: Where to train.
        progress: Show a progress bar, and a line with the mean loss after each epoch.
        resume: What was saved unfinished, to go on from, with the same images, recipe and epochs.

    Returns:
        The precision used.

    Raises:
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is.
    """
    batches = images.batches(
        recipe.batch_size, device=device, shuffle=True, with_labels=True,
        generator=torch.Generator().manual_seed(recipe.seed),
    )  # fmt: skip
    noise, average = torch.Generator(device).manual_seed(recipe.seed), copy.deepcopy(model)
    steps, unfinished = epochs * len(batches), course_home() / "checkpoints" / f"{recipe.name}_unfinished.pt"

    def loss(model, x, label):
        return {"loss": model.loss_of_data(model.to_data(x), label, generator=noise)}

    history = fit_resumable(
        model, batches, recipe, epochs=epochs, unfinished=unfinished, progress=progress, resume=resume, save_every=5,
        loss=loss, clip=1.0,
        lr=partial(learning_rate, steps=steps, peak=recipe.lr, warm_up=min(200, steps // 10), shape="cosine"),
        after_step=lambda model, step: follow(average, model, kept_share(step, 0.999)), keep=[average, noise],
    )  # fmt: skip
    model.load_state_dict(average.state_dict())
    return history.precision


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
    noise = torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
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


def latent_diffusion(
    autoencoder: LatentModel, images: ImageSet, *, steps: int = 1200, batch_size: int = 256, lr: float = 2e-3,
    hidden: int = 512, blocks: int = 3, precision: str = "auto", generator: torch.Generator | None = None,
    progress: bool = False,
) -> LatentDiffusion:  # fmt: skip
    """Build and train a small denoiser over an autoencoder's codes: latent diffusion in well under a minute.

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
        generator: CPU generator of batches, timesteps and noise; elsewhere it seeds one on the device for the latter
            two. None uses PyTorch's global ones. (The denoiser's first weights always come from the global one.)
        progress: Show a progress bar.

    Returns:
        The model, in evaluation mode, on the autoencoder's device. After Ctrl-C it is what it has learned so far.

    Taught in lesson 12.
    """
    device = model_device(autoencoder)
    codes = encode_dataset(autoencoder, images)
    model = LatentDiffusion(autoencoder, codes, num_classes=len(images.class_names), hidden=hidden, blocks=blocks)
    model.to(device)
    data, labels = model.standardize(codes.to(device)), images.labels.to(device)
    noise, average = generator_on(device, generator), copy.deepcopy(model.denoiser)
    fit(
        model.denoiser,
        RandomBatches(data, labels, batch_size=batch_size, steps=steps, generator=generator),
        epochs=1,
        optimizer=torch.optim.Adam(model.denoiser.parameters(), lr=lr, betas=(0.9, 0.99), fused=True),
        lr=partial(learning_rate, steps=steps, peak=lr, warm_up=min(50, steps), shape="cosine"),
        loss=lambda _, z, label: {"loss": model.loss_of_data(z, label, generator=noise)},
        clip=1.0,
        after_step=lambda denoiser, step: follow(average, denoiser, kept_share(step, 0.995)),
        progress=progress,
        precision=precision,
    )
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
        run=run,
        measure=measure,
        needs=("classifier_fashion",),
    ),
    Recipe(
        "latent_autoencoder",
        "VAE with 64 latent dimensions and a nearly silent KL term, to compress for diffusion",
        lambda: VAE(64, architecture="conv", hidden=64, beta=0.02),
        epochs=12,
        lr=2e-3,
        precision="auto",
        measure=measure_compressor,
        needs=("classifier_fashion",),
    ),
)
