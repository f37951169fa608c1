"""The exercises of lesson 02, in its order."""

EXERCISES = ("autoencoder-loss", "dead-zone", "retrieve")
