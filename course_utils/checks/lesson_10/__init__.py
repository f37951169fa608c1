"""The exercises of lesson 10, in its order."""

EXERCISES = ("gan-discriminator-loss", "gan-generator-loss", "truncate-codes", "invert-generator")
