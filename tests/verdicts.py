"""What the tests of the exercises' checks share; what holds for every check stands in checks/test_engine.py."""

from collections.abc import Callable, Iterable

from course_utils.checks import all_checks, review


def verdict(name: str, answer: Callable) -> str | None:
    """What the check of an exercise says of an answer; None if it accepts it."""
    return review(all_checks()[name], answer)


def assert_told_apart(name: str, answer: Callable, words: str) -> None:
    """The answer is refused with these words, and they belong to one message of the exercise only."""
    message = verdict(name, answer)
    assert message is not None, "a wrong answer was accepted"
    assert words in message, message
    others = [mistake.message for mistake in all_checks()[name].mistakes if mistake.message != message]
    assert not any(words in other for other in others), "the words must belong to one message only"


def assert_messages_differ(answers: Iterable[tuple[str, Callable]]) -> None:
    """No two of these wrong answers, given as (exercise, answer), hear the same."""
    said = [(name, verdict(name, answer)) for name, answer in answers]
    assert len(set(said)) == len(said), [pair for pair in said if said.count(pair) > 1]
