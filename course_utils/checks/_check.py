"""What an exercise's file says of it: the right answer, the inputs, and the mistakes that people make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to say to someone who gave it.

    Attributes:
        function: The wrong answer as a function, called as the learner's is.
        message: What went wrong, and a question or pointer that leads to the mend.
        part: Where only one part of what is observed tells: the name of that part (see `Parts`). The mistake is then
            recognised by that part alone, whatever the rest of the answer does.
    """

    function: Callable
    message: str
    part: str | None = None


class Parts(dict):
    """What a check observes of an answer, part by part; {"in the last step": tensor, ...}.

    The names begin a sentence ("In the last step: it returns ..."). The part "" is what the answer returned.
    """


@dataclass(frozen=True)
class Check:
    """How one exercise is checked. Its file is checks/lesson_NN/EXERCISE.py and calls it CHECK.

    Attributes:
        reference: The right answer, with which a lesson goes on where the learner's is missing or wrong.
        inputs: Function of a seeded torch.Generator that returns the arguments, anew at every call; or several, by what
            is particular about them: {"": ordinary, "two distances are equal": ties}. The name completes "Where ...".
            Shapes should be asymmetric, so that swapped dimensions show.
        mistakes: Known misconceptions, the more telling first.
        gradients: Names of arguments, as the reference calls them; the gradients that the answer sends to these are
            compared too. A network stands for all its parameters.
        observe: Function (fn, *inputs) that calls fn and returns what is compared in place of its output, as `Parts`.
            The reference and the mistakes are observed in the same way. What has another form than the right answer's,
            a list say, is handed back as it is.
        compare: Function (out, expected, *inputs) that returns None if what is observed is right, else one sentence. By
            default type, shape, kind of number and values must agree (`difference`).
        tolerance: Relative tolerance of the default comparison; absolute, as a fraction of the largest value.
        draws: How many different inputs are tried of each kind.
        seed: The first of the seeds that these inputs are drawn from. Marks are given on others than a learner's (0).
        name: The exercise's name, unique in the course; the file's name, with hyphens.
        lesson: Number of its lesson, for example "02"; the folder's.
    """

    reference: Callable
    inputs: Callable[[torch.Generator], tuple] | Mapping[str, Callable[[torch.Generator], tuple]]
    mistakes: Sequence[Mistake] = ()
    gradients: Sequence[str] = ()
    observe: Callable[..., Any] | None = None
    compare: Callable[..., str | None] | None = None
    tolerance: float = 1e-4
    draws: int = 3
    seed: int = 0
    name: str = ""
    lesson: str = ""
