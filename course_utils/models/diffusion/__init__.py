"""Diffusion: an image is noise that a network has cleaned, step by step. Lesson 12 builds it.

The parts can be used by themselves: schedules and conversions (`noise_schedule`), single steps and loops (`sampling`),
networks (`denoisers`). The first two can be imported from here.
"""

from course_utils.models.diffusion.diffusion import CodeDiffusion, Diffusion, GivenDiffusion, LatentDiffusion
from course_utils.models.diffusion.noise_schedule import (
    NoiseSchedule,
    eps_from_v,
    eps_from_x0,
    q_sample,
    to_eps,
    v_from_eps,
    v_from_x0,
    v_from_x0_eps,
    x0_from_eps,
    x0_from_v,
)
from course_utils.models.diffusion.sampling import ddim_step, ddpm_step, guide, invert, sample

__all__ = [
    "CodeDiffusion", "Diffusion", "GivenDiffusion", "LatentDiffusion", "NoiseSchedule", "ddim_step", "ddpm_step",
    "eps_from_v", "eps_from_x0", "guide", "invert", "q_sample", "sample", "to_eps", "v_from_eps", "v_from_x0",
    "v_from_x0_eps", "x0_from_eps", "x0_from_v",
]  # fmt: skip
