"""The exercises of lesson 13, in its order."""

EXERCISES = (
    "angle-between",
    "arc-weights",
    "slerp",
    "path-scores",
    "difference-and-bar",
    "path-control",
    "find-the-bug-slerp",
)
