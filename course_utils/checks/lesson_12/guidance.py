"""guidance: the two predictions of the noise, and what lies beyond them."""

import torch
import torch.nn.functional as F

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_12.ddpm_posterior import T, like


def answers(network, x_t, t, label, null):
    """The answer for any class, and for this one."""
    return network(x_t, t, torch.full_like(label, null)), network(x_t, t, label)


def combined(combine):
    """An answer from that for any class, that for this class, and the weight."""
    return lambda network, x_t, t, label, null, weight: combine(*answers(network, x_t, t, label, null), weight)


def guided(network, x_t, t, label, null, weight):
    anything, this = answers(network, x_t, t, label, null)
    return anything + weight * (this - anything)


def question(weight, *shape, null=None):
    """A network of twelve labels, one of them the null label, and a weight drawn by a function of a share."""

    def inputs(g):
        a, b, c = (0.5 + torch.rand(3, generator=g)).tolist()
        table = torch.randn(12, generator=g)

        def network(x_t, t, label):
            if len(label) != len(x_t):
                raise ValueError(f"the labels have shape {tuple(label.shape)}, and one for each state is wanted")
            shift = like(F.embedding(label, table[:, None])[:, 0], x_t)
            return (a * x_t + b * like(t.float(), x_t) / 9 + c).sin() + shift * x_t.cos()

        order = torch.randperm(5, generator=g)  # the classes; the last label stands for any class unless told
        label = order[torch.arange(shape[0]) % 4] + (0 if null is None else 1)
        t, x_t = torch.randint(T, shape[:1], generator=g), torch.randn(shape, generator=g)
        return network, x_t, t, label, 5 if null is None else null, weight(torch.rand(1, generator=g).item())

    return inputs


def asked(anything, this):
    """A wrong answer that asks the network otherwise, with (t, label) made from t, label and null."""

    def answer(network, x_t, t, label, null, weight):
        some, one = (network(x_t, *question(t, label, null)) for question in (anything, this))
        return some + weight * (one - some)

    return answer


CHECK = Check(
    guided,
    inputs={"": question(lambda share: 2 + 3 * share, 3, 2, 4), "the weight is between 0 and 1":
            question(lambda share: 0.2 + 0.6 * share, 4, 2), "the weight is 0": question(lambda share: 0.0, 3, 1, 2, 4),
            "the weight is 1": question(lambda share: 1.0, 2, 5),
            "the null label is 0": question(lambda share: 1.5 + share, 4, 3, null=0)},
    draws=2,
    mistakes=[
        Mistake(lambda network, *inputs: guided(lambda x, t, label: network(x, label, t), *inputs),
            "You call the network with label and timestep exchanged. Its order is network(x_t, t, label)."),
        Mistake(lambda network, x_t, t, label, null, weight: torch.lerp(
                    network(x_t, t, torch.randint(0, null, label.shape)), network(x_t, t, label), weight),
            "For any class you draw classes at random. Which argument is the label that stands for any class?"),
        Mistake(combined(lambda anything, this, w: this + w * (anything - this)), "The two answers have changed "
            "places: your weight of 0 gives the class, and 1 ignores it. Towards which do you go?"),
        Mistake(combined(lambda anything, this, w: anything + w * this), "You add the whole answer for the class. The "
            "arrow from one answer to the other is their difference."),
        Mistake(combined(lambda anything, this, w: anything + w * (this + anything)), "You add the sum of the two "
            "answers. The arrow from one to the other is their difference."),
        Mistake(combined(lambda anything, this, w: this + w * (this - anything)), "You start from the answer for the "
            "class. That is the paper's own w, smaller by one: what must weight 1 give?"),
        Mistake(combined(lambda anything, this, w: anything + (w - 1) * (this - anything)), "Your weight is smaller by "
            "one than the one given, as in the paper. What must weight 1 give?"),
        Mistake(combined(lambda anything, this, w: anything + w * (anything - this)), "Your arrow points away from the "
            "class. Which of the two answers is its end?"),
        Mistake(combined(lambda anything, this, w: anything + w * (this - anything) if w > 1 else this),
            "For weights of 1 and less you return the answer for the class. What should weight 0 give?"),
        Mistake(combined(lambda anything, this, w: anything + int(w) * (this - anything)), "Your weight is made a "
            "whole number. It may have a fraction, such as 1.5."),
        Mistake(combined(lambda anything, this, w: (anything + w * (this - anything)) * this.norm() / (anything + w *
            (this - anything)).norm()), "You scale the result to the size of the class's answer, which the formula "
            "does not ask for."),
        Mistake(combined(lambda anything, this, w: this), "You return the answer for the class whatever the weight is. "
            "Where does that for any class come in?"),
        Mistake(combined(lambda anything, this, w: anything), "You return the answer for any class, so the label never "
            "matters. Is the null label used for both calls?"),
        Mistake(combined(lambda anything, this, w: w * (this - anything)), "You return the arrow alone. At weight 0 "
            "nothing would be left: what is it added to?"),
        Mistake(combined(lambda anything, this, w: this - anything), "You return the arrow from one answer to the "
            "other. By what is it stretched, and to what is it added?"),
        Mistake(combined(lambda anything, this, w: w * this), "You multiply the class's answer by the weight, so its "
            "size grows. What should be stretched instead?"),
        Mistake(combined(lambda anything, this, w: w * this - anything), "You subtract the answer for any class once, "
            "whatever the weight is. The two factors must add up to 1."),
        Mistake(combined(lambda anything, this, w: (anything + w * this) / (1 + w)), "You average the two answers, "
            "which never goes beyond the class's own. Guidance does go beyond: how?"),
        Mistake(combined(lambda anything, this, w: anything + min(w, 1) * (this - anything)), "You cut the weight off "
            "at 1, so the class is never exaggerated. A weight above 1 is allowed."),
        Mistake(combined(lambda anything, this, w: anything + w * (this - anything) / (this - anything).norm()),
            "You give the arrow the length w. It keeps its own length and is stretched by w."),
        Mistake(combined(lambda anything, this, w: w * (anything + w * (this - anything))), "The weight multiplies the "
            "whole. It belongs to the arrow alone: mind the brackets."),
        *[Mistake(asked(lambda t, label, null, other=other: (t, label * 0 + other), lambda t, label, null: (t, label)),
                  f"For any class you ask with the label {other}, which may be a class. Which argument stands for any "
                  "class?") for other in (0, 9, 10)],
        Mistake(asked(lambda t, label, null: (t, label.flip(0)), lambda t, label, null: (t, label)),
            "For any class you ask with the labels of the batch in reverse. Which number stands for any class?"),
        Mistake(asked(lambda t, label, null: (t, label.roll(1)), lambda t, label, null: (t, label)),
            "For any class you ask with the labels of the batch moved by one. Which number stands for any class?"),
        Mistake(asked(lambda t, label, null: (t * 0 + null, label), lambda t, label, null: (t, label)),
            "For any class you put the null number in place of the timestep. The label comes third: network(x_t, t, "
            "label)."),
        Mistake(asked(lambda t, label, null: (t, label * 0 + null), lambda t, label, null: (t,
            label[:1].expand_as(label))), "You ask for the first label for the whole batch. Each example has its own."),
    ],
)  # fmt: skip
