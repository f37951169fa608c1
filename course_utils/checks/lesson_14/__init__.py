"""The exercises of lesson 14, in its order."""

EXERCISES = (
    "flow-matching-loss", "euler-sampler", "flow-guidance", "guidance-slider", "find-the-bug-flow", "inpainting-step",
    "look-at-words",
)  # fmt: skip
