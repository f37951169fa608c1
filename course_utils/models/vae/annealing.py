"""Annealing: the weight of the KL term as a small function of the training step.

Starting with a small beta lets the decoder learn to use the code before the KL term can silence it. Lesson 07.
"""

import math
from dataclasses import dataclass


def linear(step: int, steps: int, start: float = 0.0, end: float = 1.0) -> float:
    """A straight ramp from start to end over the first ``steps`` steps, and ``end`` from then on.

    start + (end - start) * min(step / steps, 1)    (Bowman et al. 2016, sec. 3.1, anneal along a ramp too)

    Args:
        step: Training step, counted from 0.
        steps: Length of the ramp.
        start: Value at step 0.
        end: Value from step ``steps`` on.

    Returns:
        The value at this step.

    Example:
        >>> [linear(step, steps=4) for step in (0, 1, 4, 100)]
        [0.0, 0.25, 1.0, 1.0]
    """
    return start + (end - start) * min(step / steps, 1.0)


def cosine(step: int, steps: int, start: float = 0.0, end: float = 1.0) -> float:
    """As `linear`, but along half a cosine: slow at both ends, steepest in the middle.

    start + (end - start) * (1 - cos(pi * min(step / steps, 1))) / 2

    Args:
        step: Training step, counted from 0.
        steps: Length of the ramp.
        start: Value at step 0.
        end: Value from step ``steps`` on.

    Returns:
        The value at this step.

    Example:
        >>> [round(cosine(step, steps=4), 3) for step in (0, 1, 2, 4, 100)]
        [0.0, 0.146, 0.5, 1.0, 1.0]
    """
    return start + (end - start) * (1 - math.cos(math.pi * min(step / steps, 1.0))) / 2


def cyclical(
    step: int, steps: int, start: float = 0.0, end: float = 1.0, *, cycles: int = 4, ramp: float = 0.5
) -> float:
    """Several ramps, each begun afresh from ``start``; ``end`` after the last cycle.

    Each of the ``cycles`` equal parts of ``steps`` rises in its first fraction ``ramp`` and stays at ``end`` after it.

    Args:
        step: Training step, counted from 0.
        steps: Length of all cycles together.
        start: Value at the beginning of each cycle.
        end: Value at the end of each ramp.
        cycles: How many.
        ramp: Fraction of a cycle that rises, above 0 and at most 1.

    Returns:
        The value at this step.

    Source: Fu et al. 2019, eqs. 6 and 7 (M cycles, ratio R).

    Example:
        >>> [cyclical(step, steps=8, cycles=2) for step in (0, 1, 2, 3, 4, 5, 8)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0]
    """
    if step >= steps:
        return end
    position = (step * cycles % steps) / steps  # where in its cycle, 0 to 1
    return linear(position, ramp, start, end)


SHAPES = {"linear": linear, "cosine": cosine, "cyclical": cyclical}


@dataclass(frozen=True)
class Annealing:
    """One of the functions above with its options fixed: call it with a step. Can be written on a model's card.

    Attributes:
        shape: "linear", "cosine" or "cyclical".
        steps: Training steps until the schedule has ended.
        start: First value.
        end: Last value.
        cycles: Number of cycles, for "cyclical".
        ramp: Rising fraction of a cycle, for "cyclical".

    Raises:
        ValueError: An unknown shape, or an option out of range.

    Example:
        >>> beta = Annealing("linear", steps=1000, end=4.0)
        >>> beta(0), beta(500), beta(2000)
        (0.0, 2.0, 4.0)
    """

    shape: str
    steps: int
    start: float = 0.0
    end: float = 1.0
    cycles: int = 4
    ramp: float = 0.5

    def __post_init__(self):
        if self.shape not in SHAPES:
            raise ValueError(f"shape is {self.shape!r}: use one of {', '.join(SHAPES)}.")
        if self.steps < 1 or self.cycles < 1:
            raise ValueError(f"steps is {self.steps} and cycles is {self.cycles}: both must be at least 1.")
        if not 0 < self.ramp <= 1:
            raise ValueError(f"ramp is {self.ramp}: the rising fraction of a cycle must be above 0 and at most 1.")
        if min(self.start, self.end) < 0:
            raise ValueError(f"the schedule goes from {self.start} to {self.end}: a weight cannot be negative.")

    def __call__(self, step: int) -> float:
        """The value at a training step, counted from 0."""
        options = {"cycles": self.cycles, "ramp": self.ramp} if self.shape == "cyclical" else {}
        return SHAPES[self.shape](step, self.steps, self.start, self.end, **options)
