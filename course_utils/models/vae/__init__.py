"""Variational autoencoders. Lessons 04 to 07 build one step by step, lesson 09 tells it a condition.

The annealing of the KL term's weight is in `course_utils.models.vae.annealing`.
"""

from course_utils.models.vae.conditional import ConditionalVAE, Conditioned
from course_utils.models.vae.vae import VAE

__all__ = ["VAE", "ConditionalVAE", "Conditioned"]
