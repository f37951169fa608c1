"""Say in one sentence how an answer differs from the right one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Parts

NUMBERS = (Tensor, np.ndarray, np.generic, int, float)
FEW = 8  # as many numbers as are shown at once
NO_GRADIENT = (
    "no gradient arrives there, so nothing could be learned from it. Look for detach, no_grad, .data, .item(), float() "
    "or NumPy on the way."
)


def difference(out: Any, expected: Any, tolerance: float = 1e-4) -> str | None:
    """One sentence that says how out differs from expected, or None if they agree.

    Args:
        out: A tensor, array, number, string, or a tuple, list or dictionary of them; or `Parts`.
        expected: What it should be.
        tolerance: Relative tolerance, and the absolute one as a fraction of the largest expected value.

    Example:
        >>> difference(torch.zeros(2, 3), torch.zeros(3, 2))
        'It returns shape (2, 3) where (3, 2) is expected.'
    """
    if isinstance(expected, Parts):
        if not isinstance(out, Parts):
            return difference(out, next(iter(expected.values())), tolerance)
        for name, right in expected.items():
            if fault := difference(out.get(name), right, tolerance):
                return named(name, fault, out.get(name), right)
        return None
    if out is None and expected is not None:
        return "It returns nothing: is the return statement missing?"
    if isinstance(expected, (tuple, list)):
        if not isinstance(out, (tuple, list)) or len(out) != len(expected):
            return f"It returns {kind(out)} where {len(expected)} values are expected."
        for place, (one, right) in enumerate(zip(out, expected, strict=True), start=1):
            if fault := difference(one, right, tolerance):
                return f"Of the {len(expected)} things it returns, number {place} is wrong. {fault}"
        return None
    if isinstance(expected, dict):
        if not isinstance(out, dict):
            return f"It returns {kind(out)} where a dictionary with {', '.join(map(repr, expected))} is expected."
        for name in (*expected, *out):
            if (name in out) != (name in expected):
                what = "is missing in" if name in expected else "does not belong into"
                return f"{name!r} {what} the dictionary: it should have {', '.join(map(repr, expected))}."
        parts = {key: difference(out[key], expected[key], tolerance) for key in expected}
        return next((f"Under {key!r}: {part}" for key, part in parts.items() if part), None)
    if isinstance(expected, Tensor) != isinstance(out, Tensor):
        return f"It returns {kind(out)} where {kind(expected)} is expected."
    if isinstance(expected, NUMBERS) and not isinstance(expected, bool):
        if not isinstance(out, NUMBERS):
            return f"It returns {kind(out)} where {kind(expected)} is expected."
        return _numeric_difference(torch.as_tensor(out).detach(), torch.as_tensor(expected).detach(), tolerance)
    return None if out == expected else f"It returns {out!r} where {expected!r} is expected."


def wrong_part(out: Any, expected: Any, tolerance: float = 1e-4) -> tuple:
    """The keys that lead to what `difference` speaks of: ("in the last step",), (2,) or ()."""
    if isinstance(expected, Parts) and not isinstance(out, Parts):
        return wrong_part(out, next(iter(expected.values())), tolerance)
    if isinstance(expected, (tuple, list)) and isinstance(out, (tuple, list)) and len(out) == len(expected):
        keys = range(len(out))
    elif isinstance(expected, dict) and isinstance(out, dict) and (isinstance(out, Parts) or set(out) == set(expected)):
        keys = expected
    else:
        return ()
    key = next((key for key in keys if difference(leaf(out, (key,)), expected[key], tolerance)), None)
    return () if key is None else (key, *wrong_part(leaf(out, (key,)), expected[key], tolerance))


def leaf(value: Any, path: Sequence) -> Any:
    """What stands in value at the end of a path of keys; None where there is nothing."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def named(part: str, fault: str, out: Any = None, expected: Any = None) -> str:
    """A fault as that of a part: "In the last step: it returns ..."."""
    if not part:
        return fault
    if part.startswith("gradient for "):
        what = part.removeprefix("gradient for ")
        if isinstance(out, Tensor) and isinstance(expected, Tensor) and not out.any() and expected.any():
            return f"What it returns is right, but not its gradient for {what}: {NO_GRADIENT}"
        fault = fault.removeprefix("It returns ").removeprefix("The shape is right, but ")
        return f"What it returns is right, but not its gradient for {what}: {fault}"
    return under(part, fault)


def under(heading: str, sentence: str) -> str:
    """A sentence under a heading, "In the last step: it returns ..."; as it is where there is no heading."""
    return f"{heading[0].upper()}{heading[1:]}: {sentence[0].lower()}{sentence[1:]}" if heading else sentence


def _numeric_difference(out: Tensor, expected: Tensor, tolerance: float) -> str | None:
    if out.shape != expected.shape:
        return f"It returns shape {tuple(out.shape)} where {tuple(expected.shape)} is expected."
    if (
        out.is_complex()
        or out.is_floating_point() != expected.is_floating_point()
        or (out.dtype == torch.bool) != (expected.dtype == torch.bool)
    ):
        return f"It returns numbers of type {out.dtype} where {expected.dtype} is expected."
    if not out.numel():
        return None
    whole = not expected.is_floating_point()
    out, expected = out.cpu().double(), expected.cpu().double()
    if expected.isfinite().all() and (bad := ~out.isfinite()).any():
        where = place(bad.double())
        return f"It returns {number(out[where])}{_index(where)} where {number(expected[where])} is expected."
    same = (out == expected) | (out.isnan() & expected.isnan())  # infinities that agree
    error = torch.where(same, 0.0, (out - expected).abs())
    scale = expected[expected.isfinite()].abs().max() if expected.isfinite().any() else torch.tensor(1.0)
    allowed = tolerance * torch.where(expected.isfinite(), expected.abs().clamp(min=max(scale, 1e-12)), 0.0)
    excess = (error - allowed).nan_to_num(nan=torch.inf)
    if (excess <= 0).all():
        return None
    where = place(excess)
    if whole and expected.ndim and expected.shape[-1] <= FEW:
        row = where[:-1]
        return f"It returns {numbers(out[row])}{_index(row)} where {numbers(expected[row])} is expected."
    if not expected.ndim:
        return f"It returns {number(out)} where {number(expected)} is expected."
    share = f"{int((excess > 0).sum())} of {out.numel()}"
    return (
        f"The shape is right, but {share} numbers are not: {number(out[where])}{_index(where)} where "
        f"{number(expected[where])} is expected."
    )


def place(excess: Tensor) -> tuple[int, ...]:
    """The index of the largest number."""
    return tuple(map(int, np.unravel_index(int(excess.argmax()), excess.shape))) if excess.ndim else ()


def _index(where: Sequence[int]) -> str:
    return f" at index [{', '.join(map(str, where))}]" if len(where) else ""


def number(value: Any) -> str:
    """A number as a learner would print it, neither so short that two differ in vain nor longer than needed."""
    return f"{float(value):.4g}"


def numbers(values: Any) -> str:
    """A few numbers, "[0.1, 2]"; those of a matrix row by row."""
    values = torch.as_tensor(values).detach().cpu()
    return f"[{', '.join(map(numbers, values))}]" if values.ndim else number(values)


def kind(value: Any) -> str:
    """What sort of thing a value is."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.ndim else "a tensor of one number"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if type(value).__module__ == "torch.return_types":
        return f"all that torch.{type(value).__name__} returns ({len(value)} tensors)"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a value of type {type(value).__name__}"
