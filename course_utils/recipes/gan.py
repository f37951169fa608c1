"""Recipes of the GANs, for lessons 10 and 13."""

import copy
from functools import partial

import torch

from course_utils.checkpoints import load_reference
from course_utils.data import ImageSet
from course_utils.data.faces import FaceSet
from course_utils.models.gan import GAN, Discriminator
from course_utils.models.styles import StyleGAN
from course_utils.recipes.evaluation import quality_beside_floor
from course_utils.recipes.faces64 import face64_images, measure_draws, prior_draws
from course_utils.recipes.recipe import Recipe, fashion_images
from course_utils.recipes.resumable import begun, unfinished_file
from course_utils.training.adversarial import GanSettings, train_gan

# benchmarks/gan.py compares losses and regularisers for equal processor time; spectral normalisation came out first.
SPECTRAL = GanSettings(lr_generator=2e-3, lr_discriminator=2e-3, ema=0.998, decay="linear")
R1 = GanSettings(r1=1.0, ema=0.998, decay="linear")


def run(
    model: GAN | StyleGAN, images: ImageSet, recipe: Recipe, *, epochs: int, device, progress: bool,
    settings: GanSettings = SPECTRAL, spectral: bool = True,
) -> str:  # fmt: skip
    """Train the generator against a discriminator that is not kept, and leave its averaged weights in the model.

    Every few minutes what is unfinished is saved in the learner's own folder; the next call with the same number of
    images and epochs goes on from there, and at the end it is removed.

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
        KeyboardInterrupt: The training was stopped; the message says where the unfinished one is, if it was saved.
    """
    # Channels last is how the processor's convolutions like their memory; the numbers are the same.
    generator = model.generator.to(memory_format=torch.channels_last)
    discriminator = Discriminator(image_shape=model.image_shape, spectral=spectral)
    discriminator = discriminator.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(generator)
    batches = recipe.batches(images, device)
    unfinished = unfinished_file(recipe, images, epochs)
    history = train_gan(
        generator, discriminator, batches, steps=epochs * len(batches), settings=settings, average=average,
        progress=progress, precision=recipe.precision, save_to=unfinished, save_every=2,
        resume=begun(unfinished),
    )  # fmt: skip
    if history.interrupted:
        kept = f"what it reached is kept in {unfinished}" if unfinished.exists() else "nothing was saved"
        raise KeyboardInterrupt(f"training of {recipe.name} was stopped; {kept}")
    unfinished.unlink(missing_ok=True)
    weights = {name: weight.contiguous() for name, weight in average.state_dict().items()}
    model.generator.to(memory_format=torch.contiguous_format).load_state_dict(weights)
    model.eval()
    return history.precision


def measure(model: GAN, test: ImageSet) -> dict[str, float]:
    """How good draws are, in the features of the reference classifier of clothes, and what real images score.

    Args:
        model: A GAN of clothes.
        test: Real images it was not trained on.

    Returns:
        As `quality_beside_floor`, of as many draws and training images as there are test images.
    """
    draws, others = prior_draws(model, len(test)), fashion_images("train", False)[: len(test)]
    metrics = quality_beside_floor(draws, others, test, load_reference("classifier_fashion"))
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def measure_faces(model: GAN, test: FaceSet) -> dict[str, float]:
    """`course_utils.recipes.faces64.measure_draws` of as many draws as there are test faces."""
    return measure_draws(prior_draws(model, len(test)), test)


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
        "faces64_gan",
        "GAN of drawn faces of 64 pixels, 64 latent dimensions, non-saturating loss with R1 penalty, averaged weights",
        lambda: GAN(64, image_shape=(3, 64, 64)),
        epochs=12,
        batch_size=32,
        precision="auto",
        data="Drawn faces of 64 x 64 pixels",
        images=face64_images,
        run=partial(run, settings=R1, spectral=False),
        measure=measure_faces,
        needs=("faces64_regressor",),
    ),
)
