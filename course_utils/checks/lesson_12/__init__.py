"""The exercises of lesson 12, in its order."""

EXERCISES = ("q-sample", "diffusion-loss", "ddim-step", "guidance")
