"""The exercises of lesson 01, in its order."""

EXERCISES = ("fit-pca", "pca-encode", "pca-decode", "component-control", "same-neighbors")
