"""Exercises whose answer is a word for each of several things; the diagnoses of lesson 07."""

from collections.abc import Callable

from course_utils.checks._engine import Mistake

DIAGNOSES = ("collapse", "overfitting", "learning rate too high", "KL weight too small", "healthy")
_TRUTH = {"A": "learning rate too high", "B": "collapse", "C": "overfitting"}
_EVIDENCE = {
    ("A", "collapse"): "Run A: its KL term is far from 0, so the code carries something. Look at how the loss moves "
    "from one epoch to the next.",
    ("A", "overfitting"): "Run A: training and validation are thrown about together, and overfitting would drive them "
    "apart. What makes single steps so large?",
    ("A", "KL weight too small"): "Run A: with a small weight the KL term would rise calmly, far above the healthy "
    "run's, and stay there. Is this calm?",
    ("A", "healthy"): "Run A: compare its loss with the healthy run's, in height and in calm. Would you let it run on?",
    ("B", "overfitting"): "Run B: training and validation lie on each other. What does its KL term say about the code?",
    ("B", "learning rate too high"): "Run B: its curves are calm and flat. How many nats does its code carry?",
    (
        "B",
        "KL weight too small",
    ): "Run B: its KL term is near 0, which is what a weight that is too LARGE does. What is that state called?",
    ("B", "healthy"): "Run B: the loss is calm because nothing is learned any more. Compare its height and its KL term "
    "with the healthy run's.",
    ("C", "collapse"): "Run C: its KL term is well above 0. Compare its training loss with its validation loss.",
    (
        "C",
        "learning rate too high",
    ): "Run C: its training loss falls smoothly all the way. Why does the validation loss not follow?",
    ("C", "KL weight too small"): "Run C: a small weight would lift the KL term far above the healthy run's, and here "
    "it is much the same. What parts is training and validation: which set was too small?",
    ("C", "healthy"): "Run C: where do its two losses end, and where do the healthy run's? One of the two has stopped "
    "falling early.",
}


def diagnose():
    """The right answer."""
    return dict(_TRUTH)


def one_word_each(kind: str, word: str, plural: str, words: tuple[str, ...], evidence: dict) -> Callable:
    """A comparison of answers that give one of some words to each of A, B and C.

    Args:
        kind: What A, B and C are.
        word: What is given to each.
        plural: Several of it.
        words: Those to choose from.
        evidence: What speaks against a wrong one, by name and word.

    Returns:
        compare(out, expected), which returns the evidence against the first wrong word, or what is wrong with the form;
        None if all are right.
    """

    def compare(out, expected) -> str | None:
        if not isinstance(out, dict) or set(out) != set(expected):
            return f"Return a dictionary with one {word} for each of the {kind}s 'A', 'B' and 'C'."
        for name, truth in expected.items():
            if out[name] not in words:
                names = ", ".join(map(repr, words))
                return f"{kind.capitalize()} {name}: {out[name]!r} is none of the {plural}. They are: {names}."
            if out[name] != truth:
                return evidence[name, out[name]]
        return None

    return compare


compare_diagnoses = one_word_each("run", "diagnosis", "diagnoses", DIAGNOSES, _EVIDENCE)
MISTAKES = [Mistake(lambda wrong=_TRUTH | {run: said}: wrong, text) for (run, said), text in _EVIDENCE.items()]
