"""The exercises of lesson 05, in its order."""

EXERCISES = ("reparameterize", "score-function-loss", "finite-difference")
