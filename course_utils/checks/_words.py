"""Exercises whose answer is one word for each of several things."""

import re
from collections.abc import Mapping, Sequence

from course_utils.checks._check import Check, Mistake


def one_word_each(thing: str, words: Sequence[str], truth: Mapping[str, str], evidence: Mapping[tuple, str]) -> Check:
    """The check of an answer that returns a dictionary of words.

    Capitals, blanks, hyphens and plurals do not count.

    Args:
        thing: What the keys are, "run".
        words: Those to choose from.
        truth: The right word for each key.
        evidence: What speaks against each wrong word, by key and word.
    """

    def compare(out, expected) -> str | None:
        keys = " and ".join(", ".join(map(repr, truth)).rsplit(", ", 1))
        if not isinstance(out, dict):
            return f"Return a dictionary with one word for each {thing}: {keys}."
        said = {_plain(key): word for key, word in out.items()}
        for key in out:
            if _plain(key) not in map(_plain, truth):
                return f"{key!r} does not belong into the answer: return one word for each of the {thing}s {keys} only."
        for key, right in truth.items():
            if _plain(key) not in said:
                return f"{thing.capitalize()} {key} is missing. Return one word for each {thing}: {keys}."
            word = next((word for word in words if _plain(word) == _plain(said[_plain(key)])), None)
            if word is None:
                chosen = ", ".join(map(repr, words))
                return f"{thing.capitalize()} {key}: {said[_plain(key)]!r} is none of the words. They are: {chosen}."
            if word != right:
                return evidence[key, word]
        return None

    mistakes = [Mistake(lambda wrong={**truth, key: word}: wrong, text) for (key, word), text in evidence.items()]
    return Check(lambda: dict(truth), lambda g: (), mistakes, compare=compare, draws=1)


def _plain(word) -> str:
    """A word in small letters, without plural endings, and with single blanks."""
    words = re.split(r"[\s_-]+", str(word).strip().strip("'\".").lower())
    return " ".join(one.removesuffix("s") for one in words)
