"""Exercises that ask for the wrong line of a script: the answer is (number, "the line as it should be")."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from course_utils.checks._check import Check, Mistake

Fault = Callable[[str], str | None]


def script(
    lines: Mapping[int, str], right: tuple[int, str], wrong: Mapping[int, Fault], against: Mapping[int, str],
    mistakes: Sequence[Mistake],
) -> Check:  # fmt: skip
    """The check of an exercise that asks for the wrong line of a script.

    Args:
        lines: The script, by number.
        right: An answer that is right.
        wrong: For each line that can be mended (mostly one) a function of the mended line that returns None if it is
            right, else one sentence; what it raises is said to the learner, whose line could not be run.
        against: For each other line a sentence that says why it is right.
        mistakes: Lines that were mended wrongly, see `mended`.
    """
    number, line = right
    place = f"Line {number} it {_may_be(wrong)}."

    def find_the_bug():
        return right

    return Check(
        find_the_bug,
        inputs=lambda g: (),
        compare=lambda out, expected: _fault(out, lines, wrong, against),
        draws=1,
        mistakes=[
            *(mended(each, "", text) for each, text in against.items()),
            *mistakes,
            Mistake(lambda: number, f"{place} Return two things: the number, and the mended line as text."),
            Mistake(lambda: right[::-1], "You found it. Return the number first, then the line."),
            Mistake(lambda: line, f"You found it. Return two things: the number of the line, {number}, and the line."),
        ],
    )


def mended(number: int, line: str, message: str) -> Mistake:
    """A wrong answer: a line, and what was made of it."""
    return Mistake(lambda: (number, line), message)


def names_after(line: str, **names: Any) -> dict[str, Any]:
    """All names when a learner's line has been run with these and what lessons import; what it raises is raised.

    It is the learner's own line, in the learner's own kernel.
    """
    known = {"math": math, "torch": torch, "nn": torch.nn, "F": torch.nn.functional} | names
    exec(line, known)
    return known


def _fault(out: Any, lines: Mapping, wrong: Mapping[int, Fault], against: Mapping[int, str]) -> str | None:
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        return 'Return two things, the number of the line and the line as it should be: (number, "the line").'
    number, line = out
    if isinstance(number, str) and number.strip().isdigit():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or number not in lines:
        return f"Return the number of a line first, 1 to {len(lines)}; yours is {number!r}."
    if number not in wrong:
        return against[number]
    place = f"Line {number} it {_may_be(wrong)}"
    if not isinstance(line, str):
        return f"{place}. Return the mended line as text, in quotation marks."
    try:
        return wrong[number](line.strip())
    except Exception as error:
        return f"{place}, but yours cannot be run: {type(error).__name__}: {error}."


def _may_be(wrong: Mapping) -> str:
    return "is" if len(wrong) == 1 else "may be"
