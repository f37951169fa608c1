"""The exercises of lesson 10, in its order."""

EXERCISES = (
    "two-player-step", "gan-step", "slope-penalty", "noise-direction-slider", "invert-generator", "find-the-bug-gan",
)  # fmt: skip
