"""The exercises of lesson 07, in its order."""

EXERCISES = ("read-a-run", "kl-cure", "price-slider", "diagnose-run", "find-the-bug-annealing")
