"""Run a learner's function beside the reference, and say what is wrong in the terms of the lesson."""

import contextlib
import difflib
import importlib
import inspect
import linecache
import os
import pkgutil
import random
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.checks import _running
from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import FEW, NUMBERS, difference, kind, leaf, numbers, under, wrong_part
from course_utils.checks._observing import with_gradients
from course_utils.checks._progress import record
from course_utils.checks._relations import relation
from course_utils.checks._restoring import all_restored
from course_utils.checks._running import Overrun, Raised, run_limited, shortened_output

NOT_ATTEMPTED = "delete this line and write your solution"  # what an open exercise raises NotImplementedError with

HINTS = {  # what an error says, and what helps
    r"mean\(\)|infer output dtype|floating point or complex|must be either a floating": "True, False and whole numbers "
    "have no mean here: .float() makes floats of them.",
    r"(Negation|Subtraction), the `-` operator": "True and False cannot be subtracted: ~ is their opposite, and "
    ".float() makes numbers of them.",
    r"must match the size|cannot be multiplied|broadcast|inconsistent tensor|size mismatch": "Print the shapes of the "
    "two. Should they meet at all, and if so, which dimension with which?",
    r"only for scalar outputs": "Of what is differentiated there must be one number: is a sum or a mean missing?",
    r"does not require grad": "Something on the way is cut from its history: a detach, a no_grad, an .item()?",
    r"Tensor that requires grad": "NumPy keeps no gradients. If none are needed, .detach() comes first.",
    r"same dtype|expected scalar type|dtypes": "Numbers of two types meet: .to(other.dtype) makes them one.",
    r"used as indices|valid indices": "Indices are whole numbers (.long()), or True and False.",
    r"'(bool|float|int)' object has no attribute": "That is no tensor but one plain thing: look at the step before it.",
    r"must be Tensor, not|invalid combination": "This function takes tensors only. For a plain number there are "
    "clamp and Python's math.",
    r"Boolean value of": "if, and, or and not want one True or False: for tensors there are &, |, ~ and torch.where.",
    r"return_types|not 'tuple'|tuple indices": "max, min, mode, sort, topk return two tensors: .values, .indices.",
    r"out of range|out of bounds": "How large is what is looked into, and which number is asked for?",
    r"math domain error": "Python's math cannot take this number: is it negative, where a sign is missing?",
}


_OUTPUTS: dict = {}  # what mistakes give, of the exercise that was checked last
HANDED_IN: dict[str, tuple[Callable, bool]] = {}  # what `accept` got last by exercise, and whether it is right


@dataclass(frozen=True)
class _Trial:
    """What an answer gave for one draw of the inputs, beside what it should have given."""

    case: str
    seed: int
    out: Any
    expected: Any
    fault: str | None


@cache
def exercises() -> dict[str, str]:
    """The number of each exercise's lesson by the exercise's name, in the order of the course."""
    found = {}
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda module: module.name):
        if module.ispkg:
            for name in importlib.import_module(f"{__package__}.{module.name}").EXERCISES:
                if name in found:
                    raise ValueError(f"two exercises are called {name!r}: names must be unique in the course.")
                found[name] = module.name.removeprefix("lesson_")
    return found


@cache
def find(name: str) -> Check:
    """The check of an exercise.

    Raises:
        ValueError: There is no exercise of that name; the message suggests one.
    """
    known = exercises()
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0)
        raise ValueError(f"there is no exercise {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    module = importlib.import_module(f"{__package__}.lesson_{known[name]}.{name.replace('-', '_')}")
    return replace(module.CHECK, name=name, lesson=known[name])


def all_checks() -> dict[str, Check]:
    """Every check of the course by name, in the order of the lessons."""
    return {name: find(name) for name in exercises()}


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
    check = find(name)
    HANDED_IN[name] = fn, False
    try:
        with _marked_by_points():
            fault = review(check, fn)
    except NotImplementedError:
        print(f"{name}: not attempted yet. The lesson goes on with the reference solution.")
        return check.reference
    if fault is None:
        HANDED_IN[name] = fn, True
        record(name)
        print(f"{name}: passed.")
        return fn
    print(
        f"{name}: not right yet. {fault}\n"
        "The lesson goes on with the reference solution; change yours and run both cells again."
    )
    return check.reference


def marking() -> bool:
    """Whether nbgrader runs this notebook to mark it."""
    return os.environ.get("NBGRADER_EXECUTION") == "autograde"


def _marked_by_points() -> contextlib.AbstractContextManager:
    """While nbgrader marks, let stderr be stdout: it gives no points to a cell with a warning, however right."""
    return contextlib.redirect_stderr(sys.stdout) if marking() else contextlib.nullcontext()


def review(check: Check, fn: Callable) -> str | None:
    """What is wrong with an answer. Whatever the answer changes beside its result is put back.

    Args:
        check: The exercise's check.
        fn: The answer.

    Returns:
        None if the answer is right, else a few sentences.

    Raises:
        NotImplementedError: The answer has not been attempted.
        KeyboardInterrupt: Somebody stopped it; the answer has been stopped too.
    """
    if not callable(fn):
        return f"This is {kind(fn)}, not a function: define the function and pass it without calling it."
    with all_restored(fn), shortened_output(), _settings_of_a_check():
        return _review(check, fn)


def _review(check: Check, fn: Callable) -> str | None:
    trials = []
    for case, seed in _draws(check):
        inputs, untouched = _inputs(check, case, seed), _inputs(check, case, seed)
        modes = _modes(inputs)
        expected = _run(check.reference, check, case, seed)
        try:
            out = run_limited(partial(_seeded, _observed(fn, check), inputs, seed))
        except Overrun as error:
            return under(_where(case), str(error))
        except Raised as raised:  # whatever a learner's code can raise, SystemExit too
            error = raised.error
            if isinstance(error, NotImplementedError) and str(error) in ("", NOT_ATTEMPTED):  # "": nbgrader's own
                raise error from None
            if any(trial.fault for trial in trials):
                break
            return under(_where(case), _describe_error(raised, fn, check))
        if not all(_equal(a, b) for a, b in zip(inputs, untouched, strict=True)):
            return (
                "It changes its inputs in place, which would corrupt the caller's data. Look for +=, *=, an assignment "
                "to a slice, methods that end in an underscore, or an optimizer that works on what detach() returns, "
                "which shares its memory. clone() makes a new tensor."
            )
        if any(was and not now for was, now in zip(modes, _modes(inputs), strict=True)):
            return (
                "It leaves the network otherwise than it was: its weights want no gradients any more, or it is in "
                "another mode (train, eval). Leave both as they are, or put them back before you return."
            )
        trials.append(_Trial(case, seed, out, expected, _compared(check, out, expected, _inputs(check, case, seed))))
    first = next((trial for trial in trials if trial.fault), None)
    if first is None:
        return None
    return _known_mistake(check, trials, first) or _described(check, fn, trials, first)


def _known_mistake(check: Check, trials: Sequence[_Trial], first: _Trial) -> str | None:
    """The message of the mistake that explains all that was observed, else all of the first kind of inputs at which the
    answer is wrong, else the part that it is bound to.
    """
    whole = [mistake for mistake in check.mistakes if mistake.part is None]
    for chosen in (trials, [trial for trial in trials if trial.case == first.case]):
        for mistake in whole:
            if all(_agrees(mistake, check, trial) for trial in chosen):
                return mistake.message
    for mistake in check.mistakes:
        if mistake.part is not None and _agrees_in_part(mistake, check, trials):
            return mistake.message
    return None


def _agrees(mistake: Mistake, check: Check, trial: _Trial) -> bool:
    """Whether a known mistake gives what an answer gave."""
    return _same(trial.out, _run_mistake(mistake, check, trial), check.tolerance)


def _same(out: Any, other: Any, tolerance: float) -> bool:
    try:
        return difference(out, other, tolerance) is None
    except Exception:  # an answer can return anything
        return False


def _agrees_in_part(mistake: Mistake, check: Check, trials: Sequence[_Trial]) -> bool:
    wrong = False
    for trial in trials:
        theirs = _run_mistake(mistake, check, trial)
        if not all(isinstance(parts, Parts) and mistake.part in parts for parts in (trial.out, theirs, trial.expected)):
            return False
        if mistake.part.startswith("gradient") and not _same(
            trial.out.get(""), trial.expected.get(""), check.tolerance
        ):
            return False  # what is said of a gradient says that the value is right
        out, right = trial.out[mistake.part], trial.expected[mistake.part]
        if not _same(out, theirs[mistake.part], check.tolerance):
            return False
        wrong = wrong or not _same(out, right, check.tolerance)
    return wrong


def _run_mistake(mistake: Mistake, check: Check, trial: _Trial) -> Any:
    if _OUTPUTS.get("check") is not check:
        _OUTPUTS.clear()
        _OUTPUTS["check"] = check
    key = mistake, trial.case, trial.seed
    if key not in _OUTPUTS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _OUTPUTS[key] = _run(mistake.function, check, trial.case, trial.seed)
        except Exception:
            _OUTPUTS[key] = _Trial  # which equals nothing
    return _OUTPUTS[key]


def _described(check: Check, fn: Callable, trials: Sequence[_Trial], first: _Trial) -> str:
    """What was found wrong, in general terms: what the numbers have to do with the right ones, and an example."""
    fault = first.fault
    if check.compare is None:
        with contextlib.suppress(Exception):  # an answer can return anything; the fault is known
            fault = _with_example(check, trials, first)
            fault += f" {ignored}" if (ignored := _ignored(check, fn, first)) else ""
    return under(_where(first.case), fault)


def _where(case: str) -> str:
    return case and f"where {case}"


def _with_example(check: Check, trials: Sequence[_Trial], first: _Trial) -> str:
    fault, inputs = first.fault, _inputs(check, first.case, first.seed)
    path = wrong_part(first.out, first.expected, check.tolerance)
    out, right = leaf(first.out, path), leaf(first.expected, path)
    alike = [trial for trial in trials if trial.case == first.case]
    pairs = [(leaf(trial.out, path), leaf(trial.expected, path)) for trial in alike]
    sentence = None
    if all(isinstance(one, (Tensor, int, float)) for pair in pairs for one in pair):
        sizes = [size for one in inputs if isinstance(one, Tensor) for size in one.shape]
        sentence = relation([tuple(map(torch.as_tensor, pair)) for pair in pairs], sizes, check.tolerance)
        if sentence and sentence.startswith("It returns shape"):
            fault, sentence = fault[: fault.index("It returns shape")] + sentence, None
    in_form = isinstance(out, NUMBERS) and np.shape(out) == np.shape(right)
    if in_form and not str(path[:1]).startswith("('gradient"):
        shown = _shown(check, first, inputs, (np.shape(out) or (0,))[0])
        fault += f" That is for {shown}." if shown else ""
    return f"{fault} {sentence}" if sentence else fault


def _ignored(check: Check, fn: Callable, trial: _Trial) -> str | None:
    """Which argument an answer makes nothing of: other values change the right result, but never the answer's."""
    inputs, begin = _inputs(check, trial.case, trial.seed), time.monotonic()
    for k, name in enumerate(inspect.signature(check.reference).parameters):
        if k >= len(inputs) or callable(inputs[k]) or isinstance(inputs[k], nn.Module):
            continue
        changes = 0
        for other in range(100, 104):
            if (
                time.monotonic() - begin > _running.PROCESSOR_LIMIT
            ):  # a slow answer is not run again and again for one sentence
                return None
            changed = list(_inputs(check, trial.case, trial.seed))
            changed[k] = _inputs(check, trial.case, other)[k]
            try:
                right, out = (
                    run_limited(partial(_seeded, _observed(one, check), (*changed,), trial.seed))
                    for one in (check.reference, fn)
                )
            except (Overrun, Raised):
                break
            changes += not _same(right, trial.expected, check.tolerance)
            if not _same(out, trial.out, check.tolerance):
                break
        else:
            if changes >= 2:
                return f"It makes no difference to your result what {name} is."
    return None


def _shown(check: Check, trial: _Trial, inputs: tuple, size: int) -> str:
    """The inputs of a trial as far as they are short: "k = 3, z[2] = [0.1, -1.2]"; size is the length of the result."""
    names = list(inspect.signature(check.reference).parameters)
    row = re.search(r"at index \[(\d+)", trial.fault or "")
    words = []
    for name, value in zip(names, inputs, strict=False):
        if isinstance(value, (bool, int, float, str)):
            words.append(f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}")
        elif isinstance(value, Tensor) and row and value.ndim > 1 and len(value) == size and value[0].numel() <= FEW:
            words.append(f"{name}[{row[1]}] = {numbers(value[int(row[1])])}")
        elif isinstance(value, Tensor) and value.numel() <= FEW:
            words.append(f"{name} = {numbers(value)}")
    return ", ".join(words[:4])


def _compared(check: Check, out: Any, expected: Any, inputs: tuple) -> str | None:
    """What compare says; a sentence too where the answer has a form that it cannot handle."""
    try:
        return check.compare(out, expected, *inputs) if check.compare else difference(out, expected, check.tolerance)
    except Exception as error:
        return (
            f"What it returns cannot be compared with the right answer ({type(error).__name__}: {str(error)[:200]}). "
            "Are its type, its shape and its kind of number those that the docstring asks for?"
        )


def _draws(check: Check) -> Iterator[tuple[str, int]]:
    cases = check.inputs if isinstance(check.inputs, dict) else {"": check.inputs}
    return ((case, seed) for case in cases for seed in range(check.seed, check.seed + check.draws))


def _inputs(check: Check, case: str, seed: int) -> tuple:
    make = check.inputs[case] if isinstance(check.inputs, dict) else check.inputs
    inputs = make(torch.Generator().manual_seed(seed))
    return inputs if isinstance(inputs, tuple) else (inputs,)


@contextlib.contextmanager
def _settings_of_a_check() -> Iterator[None]:
    """Numbers of 32 bits on the CPU with gradients, whatever the notebook has chosen; `all_restored` puts them back."""
    torch.set_default_dtype(torch.float32)
    elsewhere = torch.empty(0).device.type != "cpu"  # the context slows every call
    on_cpu = torch.device("cpu") if elsewhere else contextlib.nullcontext()
    with on_cpu, torch.inference_mode(False), torch.enable_grad():
        yield


def _seeded(fn: Callable, inputs: tuple, seed: int) -> Any:
    """Call with the global generators seeded, so that answers that draw the same numbers can be compared."""
    torch.default_generator.manual_seed(1000 + seed)  # torch.manual_seed would seed a GPU's as well
    np.random.seed(1000 + seed)
    random.seed(1000 + seed)
    return fn(*inputs)


def _observed(fn: Callable, check: Check) -> Callable:
    if check.gradients:
        return partial(with_gradients, fn, check.reference, check.gradients)
    return fn if check.observe is None else partial(check.observe, fn)


def _run(fn: Callable, check: Check, case: str, seed: int) -> Any:
    return _seeded(_observed(fn, check), _inputs(check, case, seed), seed)


def _describe_error(raised: Raised, fn: Callable, check: Check) -> str:
    """The error with the learner's own line, not a stack trace, and what helps."""
    error, code = raised.error, getattr(inspect.unwrap(fn), "__code__", None)  # under torch.no_grad too
    own = [f for f in raised.lines if code is not None and f.filename == code.co_filename]
    place = ""
    if own:
        line = linecache.getline(own[-1].filename, own[-1].lineno).strip()
        place = f" in your line `{line}`" if line else f" in line {own[-1].lineno}"
    try:
        words = " ".join(str(error).split())
    except Exception:  # an exception of the learner's own that cannot say what it is
        words = ""
    said = f"It raises {type(error).__name__}{place}: {words[:300]}".rstrip(": .") + "."
    if isinstance(error, TypeError) and "positional argument" in words and not own:
        return f"{said} It is called with {', '.join(inspect.signature(check.reference).parameters)}."
    return said + next((f" {hint}" for pattern, hint in HINTS.items() if re.search(pattern, words)), "")


def _modes(inputs: tuple) -> list[bool]:
    """Of the networks among the inputs: which weights want gradients, and which parts are in which mode."""
    networks = [one for one in inputs if isinstance(one, nn.Module)]
    return [
        flag
        for one in networks
        for flag in (
            *(parameter.requires_grad for parameter in one.parameters()),
            *(part.training for part in one.modules()),
            *(not part.training for part in one.modules()),
        )
    ]


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
