"""The exercises of lesson 07, in its order."""

EXERCISES = ("annealing-schedule", "free-bits", "diagnose-runs")
