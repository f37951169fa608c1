"""Generative adversarial networks: a generator, a discriminator, and a latent space without an encoder. Lesson 10.

The losses are in `course_utils.models.gan.losses`, truncation and inversion in `course_utils.models.gan.latents`, and
the pair for points in the plane in `course_utils.models.gan.ring`; all can be imported from here too.
`course_utils.training.train_gan` trains a pair.
"""

from course_utils.models.gan.gan import GAN, Discriminator, Generator
from course_utils.models.gan.latents import invert, truncate
from course_utils.models.gan.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    hinge_discriminator_loss,
    linear_generator_loss,
    r1_penalty,
    saturating_generator_loss,
    wasserstein_discriminator_loss,
)
from course_utils.models.gan.ring import RingDiscriminator, RingGenerator

__all__ = [
    "GAN", "Discriminator", "Generator", "RingDiscriminator", "RingGenerator", "discriminator_loss", "generator_loss",
    "gradient_penalty", "hinge_discriminator_loss", "invert", "linear_generator_loss", "r1_penalty",
    "saturating_generator_loss", "truncate", "wasserstein_discriminator_loss",
]  # fmt: skip
