"""Batches of anything: what one may hold, batches drawn at random, and passes cut into stretches."""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor


def moved(batch, device: torch.device):
    """The batch with all its tensors on the device; a batch is a tensor, or tuples, lists and dictionaries of them."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {name: moved(part, device) for name, part in batch.items()}
    if isinstance(batch, (tuple, list)):
        return [moved(part, device) for part in batch]
    return batch  # captions, file names: what is no tensor stays as it is


def call(function: Callable, model, batch):
    """function(model, x) for a tensor x, function(model, x, y) for (x, y), function(model, a=x) for {"a": x}."""
    if isinstance(batch, dict):
        return function(model, **batch)
    if isinstance(batch, (tuple, list)):
        return function(model, *batch)
    return function(model, batch)


def first_tensor(batch) -> Tensor:
    """The first tensor in a batch; its first dimension counts the examples.

    Raises:
        TypeError: There is none.
    """
    found = _first_tensor(batch)
    if found is None:
        raise TypeError(f"a batch is a {type(batch).__name__} without a tensor in it: let it hold torch tensors.")
    return found


def _first_tensor(batch) -> Tensor | None:
    if isinstance(batch, Tensor):
        return batch if batch.ndim else None  # one number for all is no example
    parts = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (tuple, list)) else ()
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


class RandomBatches:
    """Batches of rows drawn at random, with replacement: an epoch has as many steps as one likes.

    Args:
        tensors: Data (N, ...) of any type, row i of each belonging to row i of the others: images and captions, codes
            and labels. They stay where they are; put them on the device to train on.
        batch_size: Rows a batch.
        steps: Batches a pass.
        generator: CPU generator of the choice; None uses PyTorch's global one.

    Raises:
        ValueError: Tensors of different lengths or without rows, or a number below 1.

    Example:
        >>> pairs = RandomBatches(torch.rand(100, 3), torch.arange(100), batch_size=8, steps=5)
        >>> [(len(x), len(y)) for x, y in pairs]
        [(8, 8), (8, 8), (8, 8), (8, 8), (8, 8)]
    """

    def __init__(self, *tensors: Tensor, batch_size: int, steps: int, generator: torch.Generator | None = None):
        lengths = [len(tensor) for tensor in tensors]
        if not lengths or len(set(lengths)) > 1 or lengths[0] == 0:
            raise ValueError(f"the tensors have {lengths} rows: give one or more, all with equally many, at least 1.")
        if batch_size < 1 or steps < 1:
            raise ValueError(f"batch_size is {batch_size} and steps {steps}: both must be at least 1.")
        self.tensors, self.batch_size, self.steps, self.generator = tensors, batch_size, steps, generator

    def __len__(self) -> int:
        """Number of batches in one pass."""
        return self.steps

    def __iter__(self) -> Iterator:
        """One pass: a tensor (B, ...), or a tuple of them where there are several."""
        for _ in range(self.steps):
            index = torch.randint(len(self.tensors[0]), (self.batch_size,), generator=self.generator)
            rows = tuple(tensor[index.to(tensor.device)] for tensor in self.tensors)
            yield rows if len(rows) > 1 else rows[0]


class Stretches:
    """Pass after pass over batches, given out in stretches that need not end where a pass does.

    Iterating gives the next stretch, and iterating again goes on where it ended. So an epoch of `fit` can be half a
    pass, or several; and `train_gan` counts steps. Training can be resumed in the middle of a pass: the state says
    how the random generators stood when the pass began and how many of its batches were given out. (A pass that was
    shuffled when it began is then repeated up to there, without training.)

    Args:
        batches: What can be passed over again and again.
        ends: After how many steps in all each stretch ends, rising.
        group: Batches a step; above 1, a step's batches come as a list.

    Raises:
        ValueError: (on iteration) There are no batches.

    Example:
        >>> stretches = Stretches(["a", "b", "c"], ends=[2, 7])
        >>> list(stretches), list(stretches)
        (['a', 'b'], ['c', 'a', 'b', 'c', 'a'])
    """

    def __init__(self, batches: Iterable, ends: Sequence[int], *, group: int = 1):
        self.batches, self.ends, self.group = batches, ends, group
        self.steps = self.given = 0  # steps in all; batches of this pass
        self.iterator = self.start = None  # this pass, and the generators when it began

    @property
    def generator(self) -> torch.Generator | None:
        """The generator of the batches, or None."""
        return getattr(self.batches, "generator", None)

    def __iter__(self) -> Iterator:
        """The next stretch."""
        stretch = bisect.bisect_right(self.ends, self.steps)
        while stretch < len(self.ends) and self.steps < self.ends[stretch]:
            step = [self._next() for _ in range(self.group)]
            self.steps += 1
            yield step if self.group > 1 else step[0]

    def _next(self):
        if self.iterator is None:
            self._begin()
        for batch in self.iterator:
            self.given += 1
            return batch
        self._begin()
        for batch in self.iterator:
            self.given += 1
            return batch
        raise ValueError("there are no batches: the data set is empty, or an iterator was already used up.")

    def _begin(self) -> None:
        own = None if self.generator is None else self.generator.get_state()
        self.start, self.given = {"rng": torch.get_rng_state(), "own": own}, 0
        self.iterator = iter(self.batches)

    def state_dict(self) -> dict:
        """Where the stretches stand."""
        return {"steps": self.steps, "given": self.given, "start": self.start}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there. The generators are left as the repeated pass leaves them; who resumes sets them."""
        self.steps, self.given, self.start, self.iterator = state["steps"], 0, state["start"], None
        if self.start is None:
            return
        torch.set_rng_state(self.start["rng"])
        if self.start["own"] is not None:
            self.generator.set_state(self.start["own"])
        self._begin()
        for _ in range(state["given"]):
            self._next()
