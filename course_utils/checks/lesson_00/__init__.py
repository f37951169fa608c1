"""The one exercise of lesson 00, which shows how checks work."""

EXERCISES = ("midpoint",)
