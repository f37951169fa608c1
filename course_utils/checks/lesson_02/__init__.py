"""The exercises of lesson 02, in its order."""

EXERCISES = ("training-step", "training-loop", "code-sliders", "conv-decoder")
