"""The exercises of lesson 08, in its order."""

EXERCISES = (
    "knn-accuracy", "judged-map", "perplexity-control", "spot-the-lie", "find-the-bug-map", "trustworthiness",
    "perplexity",
)  # fmt: skip
