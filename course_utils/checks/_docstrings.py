"""Wrong answers that carry their message as their docstring."""

from collections.abc import Callable

from course_utils.checks._engine import Mistake


def mistakes(*functions: Callable) -> list[Mistake]:
    """Mistakes whose messages are the docstrings of the wrong answers."""
    return [Mistake(function, " ".join(function.__doc__.split())) for function in functions]
