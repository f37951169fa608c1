"""What training leaves behind: the measured terms of every epoch, and the state from which to go on."""

import copy
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from course_utils.files import plain, write_atomically

PLAIN = (Tensor, str, bytes, bool, int, float, complex, type(None), torch.device, torch.dtype, torch.Size)


@dataclass
class History:
    """What happened in training.

    Attributes:
        epochs: One dictionary an epoch: "epoch" (from 1; the step, for `train_gan`), "seconds", "train" and
            "validation" (mean of each loss term over the examples for which it was measured; "validation" is None
            without validation data).
        interrupted: Training was stopped by Ctrl-C (or the notebook's stop button) before the last epoch ended.
        state: Everything that `fit(resume=...)` or `train_gan(resume=...)` needs to go on after the last whole epoch.
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
        """Write the history and the state, whole or not at all, so that `History.load` can go on from it.

        Raises:
            TypeError: There is something in it that could not be loaded again; the message says what and where.
            OSError: The file could not be written.
        """
        content = plain(vars(self))
        _require_plain(content, "the history")
        buffer = io.BytesIO()
        torch.save(content, buffer)
        return write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> "History":
        """Read what `save` wrote. Only tensors and plain values are loaded, never code.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is no saved history.
        """
        try:
            content = Path(path).expanduser().read_bytes()
            with zipfile.ZipFile(io.BytesIO(content)) as parts:  # torch.load does not compare its checksums
                if damaged := parts.testzip():
                    raise ValueError(f"in {damaged}")
            return cls(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except OSError:
            raise
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            raise ValueError(f"{path} is not a history that History.save wrote, or it is damaged ({words}).") from error


def _require_plain(value, where: str) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            _require_plain(key, f"a key of {where}")
            _require_plain(part, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            _require_plain(part, f"{where}[{index}]")
    elif not isinstance(value, PLAIN):
        raise TypeError(
            f"{where} is a {type(value).__name__}, which could be saved but not loaded: keep only numbers, text and "
            "tensors, and lists and dictionaries of them."
        )


def snapshot(step, batches) -> dict:
    """Copies of all that the next training step depends on: the step's own state, and the random generators'."""
    generator = getattr(batches, "generator", None)
    state = {
        **step.state_dict(),
        "rng": torch.get_rng_state(),
        "batches_rng": None if generator is None else generator.get_state(),
        "batches": batches.state_dict() if hasattr(batches, "state_dict") else None,
    }
    return plain(copy.deepcopy(state))


def restore(state: dict | None, step, batches) -> None:
    """Put a training back to where `snapshot` found it.

    Raises:
        ValueError: The state is of another training; then nothing is changed.
    """
    if state is None:
        raise ValueError("the history to resume has no state to go on from: give one that fit returned or saved.")
    state, generator = copy.deepcopy(state), getattr(batches, "generator", None)
    if (generator is None) != (state["batches_rng"] is None):
        had, has = ("no", "one") if generator is not None else ("a", "none")
        raise ValueError(
            f"the batches of the history to resume had {had} generator of their own, but these have {has}: give "
            "batches made in the same way, or the order of the images would not go on where it stopped."
        )
    if hasattr(batches, "state_dict") != (state.get("batches") is not None):
        raise ValueError(
            "the history to resume was made with batches of another kind (they end where a pass does, or do not): "
            "give batches made in the same way."
        )
    before = copy.deepcopy(step.state_dict())
    try:
        step.load_state_dict(state)
    except BaseException:
        step.load_state_dict(before)
        raise
    if state.get("batches") is not None:
        batches.load_state_dict(state["batches"])
    torch.set_rng_state(state["rng"])
    if generator is not None:
        generator.set_state(state["batches_rng"])
