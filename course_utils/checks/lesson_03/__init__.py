"""The exercises of lesson 03, in its order."""

EXERCISES = ("corruption", "denoising-loss", "noise-control", "top-k", "auroc")
