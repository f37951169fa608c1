"""The exercises of lesson 03, in its order."""

EXERCISES = ("denoising-loss", "sparsity-penalty", "top-k", "auroc")
