"""Recipes of the GANs, for lessons 10 and 13."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from course_utils.checkpoints import load_reference
from course_utils.data import ImageSet
from course_utils.latents import decode_dataset
from course_utils.metrics import image_features, sample_quality
from course_utils.models.gan import GAN, Discriminator
from course_utils.recipes.faces import face_images
from course_utils.recipes.recipe import Recipe, fashion_images
from course_utils.training.adversarial import GanSettings, train_gan

# benchmarks/gan.py compares losses and regularisers for equal processor time; spectral normalisation came out first.
SPECTRAL = GanSettings(lr_generator=2e-3, lr_discriminator=2e-3, ema=0.998, decay="linear")
R1 = GanSettings(r1=0.3, ema=0.998, decay="linear")


def run(
    model: GAN, images: ImageSet, recipe: Recipe, *, epochs: int, device, progress: bool,
    settings: GanSettings = SPECTRAL, spectral: bool = True,
) -> str:  # fmt: skip
    """Train the generator against a discriminator that is not kept, and leave its averaged weights in the model.

    Args:
        model: The untrained model.
        images: Real images.
        recipe: For its batch size, precision and seed.
        epochs: Passes over the images.
        device: Where the model is.
        progress: Show a progress bar.
        settings: Loss, penalties and learning rates.
        spectral: Whether the discriminator has spectral normalisation.

    Returns:
        The precision of the training.

    Raises:
        KeyboardInterrupt: The training was stopped; nothing is saved then.
    """
    # Channels last is how the processor's convolutions like their memory; the numbers are the same.
    generator = model.generator.to(memory_format=torch.channels_last)
    discriminator = Discriminator(image_shape=model.image_shape, spectral=spectral)
    discriminator = discriminator.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(generator)
    order = torch.Generator().manual_seed(recipe.seed)
    batches = images.batches(recipe.batch_size, device=device, shuffle=True, generator=order)
    history = train_gan(
        generator, discriminator, batches, steps=epochs * len(batches), settings=settings, average=average,
        progress=progress, precision=recipe.precision,
    )  # fmt: skip
    if history.interrupted:
        raise KeyboardInterrupt(f"training of {recipe.name} was stopped; nothing was saved")
    weights = {name: weight.contiguous() for name, weight in average.state_dict().items()}
    model.generator.to(memory_format=torch.contiguous_format).load_state_dict(weights)
    model.eval()
    return history.precision


def measure(
    model: nn.Module, test: ImageSet, images: Callable[[str, bool], ImageSet] = fashion_images
) -> dict[str, float]:
    """How good samples are, in the features of the reference classifier of clothes, and what real images score.

    Faces are made grey and 28 x 28 for it. It was never shown any, so compare their numbers with their floor and with
    each other, not with those of clothes.

    Args:
        model: A LatentModel.
        test: Real images it was not trained on.
        images: The recipe's images, from whose training images the floor is measured.

    Returns:
        "frechet", "precision", "recall", "density" and "coverage" of as many samples (seed 0) as there are test
        images; and the same numbers of as many training images, with "floor_" before the name.
    """
    classifier = load_reference("classifier_fashion")
    generator = torch.Generator().manual_seed(0)
    samples = decode_dataset(
        model, torch.randn(len(test), *model.latent_shape, generator=generator, dtype=torch.float32)
    )
    real = image_features(test, classifier)
    metrics = sample_quality(samples, real, classifier)
    # Equally many: the Frechet distance of few images is larger, also between real ones.
    floor = sample_quality(images("train", False)[: len(test)], real, classifier)
    metrics |= {f"floor_{name}": value for name, value in floor.items()}
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


RECIPES = (
    Recipe(
        "gan_fashion",
        "GAN with 64 latent dimensions, non-saturating loss, spectral normalisation, averaged weights",
        lambda: GAN(64),
        epochs=10,
        batch_size=32,
        precision="auto",
        run=run,
        measure=measure,
        needs=("classifier_fashion",),
    ),
    Recipe(
        "faces_gan",
        "GAN of drawn faces with 64 latent dimensions, non-saturating loss with R1 penalty, averaged weights",
        lambda: GAN(64, image_shape=(3, 32, 32)),
        epochs=24,
        batch_size=32,
        precision="auto",
        data="Drawn faces of 32 x 32 pixels",
        images=face_images,
        run=partial(run, settings=R1, spectral=False),
        measure=partial(measure, images=face_images),
        needs=("classifier_fashion",),
    ),
)
