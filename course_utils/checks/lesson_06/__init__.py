"""The exercises of lesson 06, in its order."""

EXERCISES = (
    "posterior-on-grid",
    "importance-sampling",
    "bound-on-grid",
    "gap-control",
    "mended-loss",
    "one-sample-elbo",
    "iwae",
    "measure-beta",
)
