"""The exercises of lesson 13, in its order."""

EXERCISES = (
    "arc-weights",
    "slerp",
    "path-scores",
    "path-control",
    "find-the-bug-slerp",
)
