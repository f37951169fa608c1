"""Means of the loss terms over one pass, and the error when one of them is no number any more."""

import math
from typing import NoReturn

import torch
from torch import Tensor

from course_utils.inputs import NotFinite
from course_utils.training.history import History


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the message says in which epoch, step and terms.

    Attributes:
        history: The History up to the end of the last whole epoch, from which `fit(resume=...)` can go on.
    """

    history: History | None = None


class Means:
    """Mean of each loss term over the examples for which it was measured.

    Reading a number waits for the GPU, so the terms of many steps are kept where they are and read together.

    Args:
        where: Of the steps, for messages: "epoch 3", or nothing where steps are counted through.
        advice: What to do when a term is not finite.
        steps: How many steps came before.
    """

    def __init__(self, where: str = "", advice: str = "", steps: int = 0):
        self.where, self.advice, self.steps = where, advice, steps
        self.pending, self.sums, self.seen = [], {}, {}

    def add(self, terms: dict[str, Tensor], size: int) -> None:
        """Take in the terms of one step, scalars, each a mean over so many examples."""
        self.pending.append((size, {name: term.detach() for name, term in terms.items()}))
        if len(self.pending) == 100:
            self.read()

    def read(self) -> dict[str, float]:
        """The means so far.

        Raises:
            NonFiniteLoss: A term was not finite.
            ValueError: There were no steps.
        """
        pending, self.pending = self.pending, []
        values = iter(
            torch.stack([term for _, terms in pending for term in terms.values()]).tolist() if pending else ()
        )
        for size, terms in pending:
            step = dict(zip(terms, values, strict=False))  # the values of later steps stay in the iterator
            self.steps += 1
            self._require_finite(step)
            for name, value in step.items():
                self.sums[name] = self.sums.get(name, 0.0) + size * value
                self.seen[name] = self.seen.get(name, 0) + size
        if not any(self.seen.values()):
            raise ValueError(
                f"there are no batches in {self.where}: the data set is empty, or an iterator was already used up."
            )
        return {name: value / self.seen[name] for name, value in self.sums.items() if self.seen[name]}

    def refuse(self, error: NotFinite) -> NoReturn:
        """Raise NonFiniteLoss for a step that was not made, because what it was given is not finite."""
        if self.pending:
            self.read()
        raise NonFiniteLoss(f"{error} That was in {self._where()} {self.steps + 1}. {self.advice}") from error

    def _where(self) -> str:
        return f"{self.where}, step" if self.where else "step"

    def _require_finite(self, values: dict[str, float]) -> None:
        guilty = ", ".join(repr(name) for name, value in values.items() if not math.isfinite(value))
        if guilty:
            raise NonFiniteLoss(f"{guilty} became NaN or infinite in {self._where()} {self.steps}. {self.advice}")
