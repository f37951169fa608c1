"""The exercises of lesson 07, in its order."""

EXERCISES = ("read-a-run", "kl-cure", "diagnose-run", "moment-slider", "find-the-bug-annealing")
