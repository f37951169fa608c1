"""The exercises of lesson 10, in its order."""

EXERCISES = (
    "two-player-step", "gan-step", "slope-penalty", "noise-direction-slider", "find-the-bug-gan", "invert-generator",
)  # fmt: skip
