"""The exercises of lesson 09, in its order."""

EXERCISES = (
    "label-direction",
    "controlled-edit",
    "score-edit",
    "strength-control",
    "mutual-information-gap",
    "find-the-bug-directions",
)
