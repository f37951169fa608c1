"""The exercises of lesson 06, in its order."""

EXERCISES = (
    "posterior-on-grid",
    "bound-on-grid",
    "gap-control",
    "importance-sampling",
    "mended-loss",
    "one-sample-elbo",
    "iwae",
    "measure-beta",
)
