"""The exercises of lesson 04, in its order."""

EXERCISES = ("two-heads", "vae-loss", "vae-step", "temperature-control", "find-the-bug-vae")
