"""The exercises of lesson 09, in its order."""

EXERCISES = ("mutual-information-gap", "attribute-direction", "controlled-edit")
