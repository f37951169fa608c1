"""The exercises of lesson 06, in its order."""

EXERCISES = ("kl-standard-normal", "one-sample-elbo", "iwae", "measure-beta")
