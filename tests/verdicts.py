"""What the tests of the exercises' checks share; what holds for every check stands in checks/test_engine.py."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from course_utils.checks import _engine, review


def verdict(name: str, answer: Callable) -> str | None:
    """What the check of an exercise says of an answer; None if it accepts it."""
    return review(_engine.find(name), answer)


def each(answers: Mapping[str, Sequence[Callable]]) -> pytest.MarkDecorator:
    """Parametrize a test by ("name", "answer"), one for each answer to each exercise."""
    pairs = [pytest.param(name, one, id=f"{name}-{k}") for name, some in answers.items() for k, one in enumerate(some)]
    return pytest.mark.parametrize(("name", "answer"), pairs)
