"""The exercises of lesson 11, in its order."""

EXERCISES = ("modulated-convolution", "style-mixing", "edit-in-w", "style-slider", "find-the-bug-styles")
