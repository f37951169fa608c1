"""The exercises of lesson 12, in its order."""

EXERCISES = (
    "ddpm-posterior",
    "ddpm-sampler",
    "unet-forward",
    "diffusion-loss",
    "walk-slider",
    "find-the-bug-sampler",
    "guidance",
)
