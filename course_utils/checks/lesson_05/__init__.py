"""The exercises of lesson 05, in its order."""

EXERCISES = (
    "reparameterize",
    "slopes-by-hand",
    "score-function-loss",
    "noise-ratio",
    "mend-the-loss",
    "fixed-noise-control",
    "finite-difference",
)
