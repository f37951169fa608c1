"""What training leaves behind: the measured terms of every epoch, and the state from which to go on."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import torch

from course_utils.files import write_atomically


@dataclass
class History:
    """What happened in training.

    Attributes:
        epochs: One dictionary an epoch: "epoch" (from 1), "seconds", "train" and "validation" (mean of each loss
            term over the examples; "validation" is None without validation data).
        interrupted: Training was stopped by Ctrl-C (or the notebook's stop button) before the last epoch ended.
        state: Everything that `fit(resume=...)` needs to go on after the last whole epoch.
        precision: The number format of the training steps, "float32" or "bfloat16".
    """

    epochs: list[dict] = field(default_factory=list)
    interrupted: bool = False
    state: dict | None = None
    precision: str = "float32"

    def series(self, term: str = "loss", split: str = "train") -> list[float]:
        """The values of one loss term, one an epoch (NaN where it was not measured); split is "train" or "validation".

        Raises:
            KeyError: No such term was recorded; the message names those that were.
            ValueError: Another split.
        """
        if split not in ("train", "validation"):
            raise ValueError(f"split is {split!r}: use 'train' or 'validation'.")
        means = [epoch[split] or {} for epoch in self.epochs]
        known = list(dict.fromkeys(name for terms in means for name in terms))
        if self.epochs and term not in known:
            raise KeyError(f"no {split} term {term!r} was recorded; there are: {', '.join(known) or 'none'}")
        return [terms.get(term, float("nan")) for terms in means]

    def save(self, path: Path | str) -> Path:
        """Write the history and the state, whole or not at all, so that `History.load` can go on from it."""
        buffer = io.BytesIO()
        torch.save(vars(self), buffer)
        return write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> "History":
        """Read what `save` wrote. Only tensors and plain values are loaded, never code.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is no saved history.
        """
        try:
            return cls(**torch.load(path, map_location="cpu", weights_only=True))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} is not a history that History.save wrote, or it is damaged ({error}).") from error
