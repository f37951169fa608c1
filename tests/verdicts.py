"""What the tests of the exercises' checks share; what holds for every check stands in checks/test_engine.py."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from course_utils.checks import _engine, review


def verdict(name: str, answer: Callable) -> str | None:
    """What the check of an exercise says of an answer; None if it accepts it."""
    return review(_engine.find(name), answer)


def accepts(answers: Mapping[str, Sequence[Callable]]) -> Callable:
    """A test that each of these answers, given by exercise, is accepted."""
    pairs = [pytest.param(name, one, id=f"{name}-{k}") for name, some in answers.items() for k, one in enumerate(some)]

    @pytest.mark.parametrize(("name", "answer"), pairs)
    def test(name, answer):
        said = verdict(name, answer)
        assert said is None, said

    return test


def says(cases: Sequence[tuple[str, Callable, str]]) -> Callable:
    """A test that (name, answer, words): of this answer the check of this exercise says these words."""

    @pytest.mark.parametrize(("name", "answer", "words"), cases)
    def test(name, answer, words):
        said = verdict(name, answer)
        assert words in said, said

    return test
