"""The exercises of lesson 08, in its order."""

EXERCISES = ("knn-accuracy", "perplexity", "trustworthiness", "spot-the-lies")
