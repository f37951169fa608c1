"""The exercises of lesson 04, in its order."""

EXERCISES = ("two-heads", "posterior-ellipse", "sample-images")
