"""Run a learner's function beside the reference, and say what is wrong in the terms of the lesson."""

import ctypes
import difflib
import importlib
import linecache
import pkgutil
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.checks._progress import record

TIME_LIMIT = 10.0  # seconds for one call


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to say to someone who gave it.

    Attributes:
        function: The wrong answer as a function, called as the learner's is.
        message: What went wrong, and a question or pointer that leads to the mend.
    """

    function: Callable
    message: str


@dataclass(frozen=True)
class Check:
    """How one exercise is checked.

    Attributes:
        name: The exercise's name, unique in the course.
        lesson: Number of its lesson, for example "02".
        reference: The right answer, with which a lesson goes on where the learner's is missing or wrong.
        make_inputs: Function of a seeded torch.Generator that returns the arguments, anew at every call. Shapes
            should be asymmetric, so that swapped dimensions show.
        mistakes: Known misconceptions, tried in order on a wrong answer.
        compare: Function (out, expected, *inputs) that returns None if out is right, else one sentence. By default
            type, shape, kind of number and values must agree.
        tolerance: Relative tolerance of the default comparison; absolute, as a fraction of the largest value.
        draws: How many different inputs are tried.
        observe: Function (fn, *inputs) that calls fn and returns what is compared in place of its output, for example
            the gradients of a loss. Reference and mistakes are observed in the same way. A dictionary may hold the
            output itself as "value"; what has no gradients, a list say, is handed back and compared with that.
    """

    name: str
    lesson: str
    reference: Callable
    make_inputs: Callable[[torch.Generator], tuple]
    mistakes: Sequence[Mistake] = ()
    compare: Callable[..., str | None] | None = None
    tolerance: float = 1e-4
    draws: int = 3
    observe: Callable[..., Any] | None = None


@cache
def all_checks() -> dict[str, Check]:
    """Every check of the course by name, in the order of the lessons."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    found = {}
    for name in (name for name in names if name.startswith("lesson_")):
        for check in importlib.import_module(f"{__package__}.{name}").CHECKS:
            if check.name in found:
                raise ValueError(f"two checks are called {check.name!r}: names must be unique in the course.")
            found[check.name] = check
    return found


def accept(name: str, fn: Callable) -> Callable:
    """Check an exercise, say what was found, and return the function to go on with.

    Args:
        name: The exercise's name.
        fn: The learner's function.

    Returns:
        fn if it is right, else the reference solution, so that the rest of the lesson works either way.

    Raises:
        ValueError: There is no exercise of that name.
    """
    known = all_checks()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise ValueError(f"there is no exercise {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    check = known[name]
    try:
        fault = review(check, fn)
    except NotImplementedError:
        print(f"{name}: not attempted yet. The lesson goes on with the reference solution.")
        return check.reference
    if fault is None:
        record(name)
        print(f"{name}: passed.")
        return fn
    print(
        f"{name}: not right yet. {fault}\n"
        "The lesson goes on with the reference solution; change yours and run both cells again."
    )
    return check.reference


def review(check: Check, fn: Callable) -> str | None:
    """What is wrong with an answer.

    Args:
        check: The exercise's check.
        fn: The answer.

    Returns:
        None if the answer is right, else one or two sentences.

    Raises:
        NotImplementedError: The answer has not been attempted.
    """
    if not callable(fn):
        return f"This is {_kind(fn)}, not a function: define the function and pass it without calling it."
    compare = check.compare or (lambda out, expected, *inputs: difference(out, expected, check.tolerance))
    outputs, fault = [], None
    for seed in range(check.draws):
        inputs, untouched, expected = _inputs(check, seed), _inputs(check, seed), _run(check.reference, check, seed)
        try:
            out = _limited(_observed(fn, check), inputs, seed)
        except NotImplementedError:
            raise
        except TimeoutError:
            return (
                f"It was still running after {TIME_LIMIT:.0f} seconds and was stopped. "
                "Is there a loop that never ends, or one over every element where one tensor operation would do?"
            )
        except BaseException as error:  # whatever a learner's code can raise, SystemExit too
            return _describe_error(error, fn)
        if not all(_equal(a, b) for a, b in zip(inputs, untouched, strict=True)):
            return (
                "It changes its inputs in place, which would corrupt the caller's data. Look for +=, *=, "
                "an assignment to a slice, or methods that end in an underscore, and make a new tensor instead."
            )
        outputs.append(out)
        fault = fault or _compared(compare, out, expected, _inputs(check, seed))
    if fault is None:
        return None
    for mistake in check.mistakes:
        if all(_agrees(mistake, check, seed, out) for seed, out in enumerate(outputs)):
            return mistake.message
    return fault


def _compared(compare: Callable, out: Any, expected: Any, inputs: tuple) -> str | None:
    """What compare says; a sentence too where the answer has a form that it cannot handle."""
    try:
        return compare(out, expected, *inputs)
    except Exception as error:
        return (
            f"What it returns cannot be compared with the right answer ({type(error).__name__}: {error}). "
            "Are its type, its shape and its kind of number those that the docstring asks for?"
        )


def difference(out: Any, expected: Any, tolerance: float = 1e-4) -> str | None:
    """One sentence that says how out differs from expected, or None if they agree.

    Args:
        out: A tensor, array, number, string, or a tuple, list or dictionary of them.
        expected: What it should be.
        tolerance: Relative tolerance, and the absolute one as a fraction of the largest expected value.

    Example:
        >>> difference(torch.zeros(2, 3), torch.zeros(3, 2))
        'It returns shape (2, 3) where (3, 2) is expected.'
    """
    if out is None and expected is not None:
        return "It returns nothing: is the return statement missing?"
    if isinstance(expected, (tuple, list)):
        if not isinstance(out, (tuple, list)) or len(out) != len(expected):
            return f"It returns {_kind(out)} where {len(expected)} values are expected."
        parts = [difference(o, e, tolerance) for o, e in zip(out, expected, strict=True)]
        return next((f"Value {i + 1} of {len(parts)}: {part}" for i, part in enumerate(parts) if part), None)
    if isinstance(expected, dict):
        if "value" in expected and not isinstance(out, dict):
            return difference(out, expected["value"], tolerance)
        if not isinstance(out, dict) or set(out) != set(expected):
            return f"It returns {_kind(out)} where a dictionary with {', '.join(map(repr, expected))} is expected."
        parts = {key: difference(out[key], expected[key], tolerance) for key in expected}
        return next((f"Entry {key!r}: {part}" for key, part in parts.items() if part), None)
    if isinstance(expected, Tensor) != isinstance(out, Tensor):
        return f"It returns {_kind(out)} where {_kind(expected)} is expected."
    if isinstance(expected, (Tensor, np.ndarray, np.generic, int, float)) and not isinstance(expected, bool):
        if not isinstance(out, (Tensor, np.ndarray, np.generic, int, float)):
            return f"It returns {_kind(out)} where {_kind(expected)} is expected."
        return _numeric_difference(torch.as_tensor(out).detach(), torch.as_tensor(expected).detach(), tolerance)
    return None if out == expected else f"It returns {out!r} where {expected!r} is expected."


def _numeric_difference(out: Tensor, expected: Tensor, tolerance: float) -> str | None:
    if out.shape != expected.shape:
        return f"It returns shape {tuple(out.shape)} where {tuple(expected.shape)} is expected."
    if out.is_floating_point() != expected.is_floating_point() or (out.dtype == torch.bool) != (
        expected.dtype == torch.bool
    ):
        return f"It returns numbers of type {out.dtype} where {expected.dtype} is expected."
    if not out.numel():
        return None
    out, expected = out.cpu().double(), expected.cpu().double()
    if not out.isfinite().all() and expected.isfinite().all():
        return "Some of the numbers it returns are NaN or infinite."
    error = (out - expected).abs()
    error = torch.where(out == expected, 0.0, error)  # infinities that agree
    scale = expected[expected.isfinite()].abs().max() if expected.isfinite().any() else torch.tensor(1.0)
    allowed = tolerance * torch.where(expected.isfinite(), expected.abs().clamp(min=max(scale, 1e-12)), 0.0)
    if (error <= allowed).all():
        return None
    where = np.unravel_index(int((error - allowed).argmax()), error.shape)
    at = f" at index {tuple(map(int, where))}" if error.ndim else ""
    return (
        f"The shape is right but the values are not: largest difference{at}, "
        f"{out[where]:.4g} where {expected[where]:.4g} is expected."
    )


def _inputs(check: Check, seed: int) -> tuple:
    inputs = check.make_inputs(torch.Generator().manual_seed(seed))
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _seeded(fn: Callable, inputs: tuple, seed: int) -> Any:
    """Call with the CPU's global generator seeded, so that answers that draw the same numbers can be compared."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1000 + seed)  # torch.manual_seed would seed a GPU's as well
        return fn(*inputs)


def _observed(fn: Callable, check: Check) -> Callable:
    return fn if check.observe is None else lambda *inputs: check.observe(fn, *inputs)


def _run(fn: Callable, check: Check, seed: int) -> Any:
    return _seeded(_observed(fn, check), _inputs(check, seed), seed)


def _agrees(mistake: Mistake, check: Check, seed: int, out: Any) -> bool:
    """Whether a known mistake gives this output."""
    try:
        return difference(out, _run(mistake.function, check, seed), check.tolerance) is None
    except Exception:
        return False


def _limited(fn: Callable, inputs: tuple, seed: int) -> Any:
    """Call in a thread, at most TIME_LIMIT seconds; raises what fn raises, or TimeoutError."""
    outcome = {}

    def work():
        try:
            outcome["result"] = _seeded(fn, inputs, seed)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT)
    if thread.is_alive():
        # Ask the thread to stop at its next Python instruction, so that it does not go on using the machine.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(1.0)
        raise TimeoutError
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def _describe_error(error: BaseException, fn: Callable) -> str:
    """The error with the learner's own line, not a stack trace."""
    code = getattr(fn, "__code__", None)
    own = [f for f in traceback.extract_tb(error.__traceback__) if code is not None and f.filename == code.co_filename]
    place = ""
    if own:
        line = linecache.getline(own[-1].filename, own[-1].lineno).strip()
        place = f" in your line `{line}`" if line else f" in line {own[-1].lineno}"
    return f"It raises {type(error).__name__}{place}: {error}"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
    if isinstance(a, nn.Module):
        return _equal(list(a.state_dict().values()), list(b.state_dict().values()))
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return a == b if isinstance(a, (int, float, str, bool, type(None))) else True


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a value of type {type(value).__name__}"
