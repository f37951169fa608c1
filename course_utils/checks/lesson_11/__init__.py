"""The exercises of lesson 11, in its order."""

EXERCISES = ("modulated-convolution", "style-mixing", "style-slider", "edit-in-w", "find-the-bug-styles")
