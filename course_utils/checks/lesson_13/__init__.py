"""The exercises of lesson 13, in its order."""

EXERCISES = ("lerp", "slerp", "path-scores")
