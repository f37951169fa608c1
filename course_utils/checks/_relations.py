"""Say what the wrong numbers have to do with the right ones: their sign, a factor, a sum that is still to be taken."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from course_utils.checks._difference import difference, number

FUNCTIONS = {  # of the right number; in this order, the likelier first
    "the square of the right number": torch.square,
    "the square root of the right number": torch.sqrt,
    "1 divided by the right number: is a ratio upside down": torch.reciprocal,
    "1 minus the right number": lambda right: 1 - right,
    "twice the right number minus 1": lambda right: 2 * right - 1,
    "the exponential of the right number": torch.exp,
    "the logarithm of the right number": torch.log,
    "the absolute value of the right number": torch.abs,
    "the sigmoid of the right number": torch.sigmoid,
    "the right number cut off at 0": lambda right: right.clamp(min=0),
    "the right number cut off at 0 and 1": lambda right: right.clamp(0, 1),
    "the right number rounded to a whole one": torch.round,
}


def relation(pairs: Sequence[tuple[Tensor, Tensor]], sizes: Sequence[int] = (), tolerance: float = 1e-4) -> str | None:
    """One sentence that holds for all pairs of what an answer returned and what it should have, or None.

    Args:
        pairs: (out, expected) for different inputs, tensors.
        sizes: Lengths of the inputs' dimensions, to be recognised in a factor.
        tolerance: As for `difference`.
    """
    if any(not one.numel() or one.dtype == torch.bool or one.is_complex() for pair in pairs for one in pair):
        return None
    pairs = [(out.detach().cpu().double(), expected.detach().cpu().double()) for out, expected in pairs]

    def holds(of_right: Callable, of_out: Callable = lambda out: out) -> bool:
        try:
            return all(difference(of_out(out), of_right(right), tolerance) is None for out, right in pairs)
        except (RuntimeError, IndexError, ValueError):
            return False

    if any(out.shape != right.shape for out, right in pairs):
        return _of_shapes(pairs[0], holds)
    if sum(out.numel() for out, _ in pairs) < 2:
        return None
    if all(not out.any() for out, _ in pairs):
        return "It returns nothing but zeros."
    if holds(torch.neg):
        return "Every number has the right size and the wrong sign."
    if sentence := _factor(pairs, sizes, holds):
        return sentence
    for words, function in FUNCTIONS.items():
        if ("cut off" in words or "rounded" in words) and len(
            torch.cat([out.flatten() for out, _ in pairs]).unique()
        ) < 2:
            continue
        if holds(function):
            return f"It returns {words}{'?' if ': is' in words else '.'}"
    shift = (pairs[0][0] - pairs[0][1]).mean()
    if holds(lambda right: right + shift):
        return f"Every number is too {'large' if shift > 0 else 'small'} by {number(shift.abs())}."
    for dim in range(pairs[0][1].ndim):
        if holds(lambda right, dim=dim: right.flip(dim)):
            return f"It returns the right numbers in reverse order along dimension {dim}."
    if pairs[0][1].numel() > 2 and holds(
        lambda right: right.flatten().sort().values, lambda out: out.flatten().sort().values
    ):
        return "It returns the right numbers in a wrong order."
    if len(pairs) > 1 and all(torch.equal(out, pairs[0][0]) for out, _ in pairs):
        return f"It returned the same numbers for each of the {len(pairs)} inputs that were tried."
    return None


def _factor(pairs: Sequence, sizes: Sequence[int], holds: Callable) -> str | None:
    """Out of the right numbers by a factor that is the same everywhere."""
    out, right = pairs[0]
    factor = ((out * right).nansum() / right.square().nansum()).item()
    if not holds(lambda right: factor * right) or factor == 0:
        return None
    times = f"Every number is {number(factor)} times what it should be"
    for size in sorted(set(sizes)):
        for what, value in ((f"{size}", size), (f"1/{size}", 1 / size)):
            if size > 2 and abs(factor / value - 1) < 1e-4:
                return (
                    f"Every number is {what} times what it should be: {size} is the length of a dimension of an input."
                )
    return f"{times}." if 1e-6 < abs(factor) < 1e6 else None


def _of_shapes(pair: tuple[Tensor, Tensor], holds: Callable) -> str | None:
    """How numbers of another shape become the right ones."""
    out, right = pair
    shapes = f"It returns shape {tuple(out.shape)} where {tuple(right.shape)} is expected"
    if holds(torch.squeeze, torch.squeeze):
        return f"{shapes}: the numbers are right, only their shape is not (squeeze, unsqueeze, keepdim)."
    if out.ndim == 2 and holds(torch.t):
        return f"{shapes}: the numbers are right, but rows and columns are exchanged."
    if holds(torch.flatten, torch.flatten):
        return f"{shapes}: the numbers are right and in the right order, only their shape is not."
    for name, reduce in (("sum", torch.sum), ("mean", torch.mean)):
        for words, of_right, of_out in _reductions(out.ndim, right.ndim, reduce):
            if holds(of_right, of_out):
                return f"{shapes}: {words.format(name)}."
    if out.ndim == right.ndim and out.ndim:
        shorter = min(len(out), len(right))
        for end, cut in (("last", slice(shorter)), ("first", slice(-shorter, None))):
            if holds(lambda right, cut=cut: right[cut], lambda out, cut=cut: out[cut]):
                few = len(out) < len(right)
                return f"{shapes}: the {end} ones are {'missing' if few else 'too many'}, the others are right."
    return None


def _reductions(out_ndim: int, right_ndim: int, reduce: Callable) -> Iterator[tuple[str, Callable, Callable]]:
    """How a sum or a mean may lead from the answer's numbers to the right ones, or from the right ones to these."""
    more = max(out_ndim, right_ndim)
    dims = [] if out_ndim == right_ndim else [*((dim,) for dim in range(more)), tuple(range(more))]
    for dim in dims:
        over = f" over dimension {dim[0]}" if len(dim) == 1 and more > 1 else ""
        if out_ndim > right_ndim:
            yield "the {} of your numbers" + over + " would be right", _as_it_is, partial(reduce, dim=dim)
        else:
            yield "yours is the {} of the right numbers" + over, partial(reduce, dim=dim), _as_it_is


def _as_it_is(numbers: Tensor) -> Tensor:
    return numbers
