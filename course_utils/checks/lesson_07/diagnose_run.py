"""diagnose-run: one word for what is wrong with a training, from its curves."""

import torch

from course_utils.checks._check import Check, Mistake

WORDS = ("healthy", "silent", "overfitting", "steps too large")


def diagnose(train, validation, kl):
    rises = sum(max(after - before, 0.0) for before, after in zip(validation, validation[1:], strict=False))
    if kl[-1] < 0.5:
        return "silent"
    if validation[-1] - train[-1] > 20:
        return "overfitting"
    return "steps too large" if rises > 20 else "healthy"


def falling(g, start, end, epochs=14, pace=2.0, noise=0.3):
    """A curve from start to end that flattens, as a list."""
    t = torch.arange(1, epochs + 1) / pace
    return (end + (start - end) * torch.exp(-t) + noise * torch.randn(epochs, generator=g)).tolist()


def raised(curve, first):
    """The same curve whose first epoch is higher: its mean holds the poor beginning."""
    return [curve[0] + first, *curve[1:]]


def healthy(g):
    validation = falling(g, 330, 255 + 5 * torch.rand(1, generator=g).item())
    return raised([v - 1 - 0.1 * k for k, v in enumerate(validation)], 90), validation, falling(g, 4, 11)


def overpriced_at_first(g):
    """A KL term that begins high and falls to a few nats, as with annealing."""
    train, validation, _ = healthy(g)
    return train, validation, falling(g, 45, 7)


def woken(g):
    """Silent for most of the training, and in use at its end."""
    validation = [385 + 0.1 * torch.randn(1, generator=g).item() for _ in range(9)]
    validation += [370.0, 320.0, 296.0, 285.0, 279.0]
    return raised([v - 1 for v in validation], 40), validation, [0.6, *[0.02] * 8, 1.5, 3.9, 5.1, 5.9, 6.2]


def silent(g):
    validation = falling(g, 400, 385, noise=0.1)
    return raised([v - 0.5 for v in validation], 100), validation, [0.7, *falling(g, 0.1, 0.02, 13, noise=0.005)]


def silent_after_a_start(g):
    """In use in the first epochs, given up later."""
    train, validation, _ = silent(g)
    return train, validation, [26.0, 9.0, 3.0, 0.4, *[0.02] * 10]


def overfitting(g):
    validation = falling(g, 380, 297, pace=1.0)
    validation = [v + max(k - 3, 0) * 1.2 for k, v in enumerate(validation)]
    return raised(falling(g, 330, 225, pace=3.0), 60), validation, falling(g, 5, 13)


def overfitting_on_a_plateau(g):
    """The validation loss does not rise: it stays where it is while the training loss falls."""
    return raised(falling(g, 330, 228, pace=3.0), 60), falling(g, 380, 300, pace=1.0), falling(g, 5, 13)


def overfitting_late(g):
    """A long run whose validation loss climbs steadily, and by much, from epoch 16 on."""
    train = falling(g, 330, 240, epochs=26, pace=12.0, noise=0.0)
    validation = [max(one, train[14]) + 1 + 6 * max(k - 14, 0) for k, one in enumerate(train)]
    return raised(train, 60), validation, falling(g, 5, 13, epochs=26)


def thrown_about(g):
    validation = [310 + 28 * (-1) ** k + 6 * torch.randn(1, generator=g).item() - 1.5 * k for k in range(14)]
    validation[-1] = 292.0
    return raised([v + 2 for v in validation], 150), validation, [5 + 2 * (-1) ** k for k in range(14)]


def thrown_up_once(g):
    """Calm but for two leaps in the middle; the last epochs fall again."""
    validation = falling(g, 330, 268)
    for k in (5, 9):
        validation[k] += 60 + 5 * torch.rand(1, generator=g).item()
    return raised([v - 1 for v in validation], 90), validation, falling(g, 4, 9)


def thrown_up_unseen(g):
    """The validation loss leaps, and the training loss, a mean over each epoch, hardly shows it."""
    validation = falling(g, 330, 262)
    train = [v - 1 for v in validation]
    for k in (4, 7, 10):
        validation[k] += 40 + 5 * torch.rand(1, generator=g).item()
    return raised(train, 90), validation, falling(g, 4, 9)


def thrown_up_last(g):
    """Calm until the last epoch."""
    validation = falling(g, 330, 260)
    validation[-1] += 45
    return raised([v - 1 for v in validation], 90), validation, falling(g, 4, 9)


def calm(g):
    """A healthy run without the least rise."""
    validation = falling(g, 330, 255, noise=0.0)
    return raised([v - 1 for v in validation], 90), validation, falling(g, 4, 11, noise=0.0)


RUNS = {
    "": healthy,
    "the loss falls at every epoch": calm,
    "the KL term begins high and falls": overpriced_at_first,
    "the code was silent for long and woke up": woken,
    "the code is silent": silent,
    "the code was in use at first": silent_after_a_start,
    "the validation loss rises in the end": overfitting,
    "the validation loss stays while the training loss falls": overfitting_on_a_plateau,
    "the run is longer": overfitting_late,
    "the loss leaps at every epoch": thrown_about,
    "the loss leaps twice": thrown_up_once,
    "the validation loss alone leaps": thrown_up_unseen,
    "the loss leaps in the last epoch": thrown_up_last,
}


def compare(out, expected, train, validation, kl):
    if not isinstance(out, str):
        return f"Return one of the words as text: {', '.join(WORDS)}."
    word = " ".join(out.lower().replace("-", " ").split())
    if word == expected:
        return None
    if word not in WORDS:
        return f"{out!r} is none of the words. Return one of them: {', '.join(WORDS)}."
    rises = sum(max(b - a, 0.0) for a, b in zip(validation, validation[1:], strict=False))
    return (
        f"A run that is {expected!r} is called {word!r}. Its last KL is {kl[-1]:.2f} nats; its last losses are "
        f"{train[-1]:.0f} in training and {validation[-1]:.0f} in validation; all rises of the validation loss "
        f"together are {rises:.0f} nats."
    )


def asking(*questions):
    """A wrong answer: the first word whose question is answered by yes; else healthy."""

    def answer(train, validation, kl):
        return next((word for word, question in questions if question(train, validation, kl)), "healthy")

    return answer


def rises(curve):
    return sum(max(after - before, 0.0) for before, after in zip(curve, curve[1:], strict=False))


QUIET = ("silent", lambda t, v, kl: kl[-1] < 0.5)
APART = ("overfitting", lambda t, v, kl: v[-1] - t[-1] > 20)
LEAPS = ("steps too large", lambda t, v, kl: rises(v) > 20)

CHECK = Check(
    diagnose,
    inputs={name: (lambda g, make=make: make(g)) for name, make in RUNS.items()},
    compare=compare,
    mistakes=[
        Mistake(asking(), "You call every run healthy. Three questions: is the last KL near 0? Do the two losses part? "
            "Does the validation loss leap up?"),
        Mistake(asking(("silent", lambda t, v, kl: min(kl) < 0.5), APART, LEAPS), "You look at the smallest KL of the "
            "whole run. A code that was silent and woke up is in use: which epoch says how it is now?"),
        Mistake(asking(("silent", lambda t, v, kl: kl[0] < 1), APART, LEAPS), "You look at the KL of the first epoch, "
            "when nothing is decided yet. Which epoch says how it is now?"),
        Mistake(asking(("silent", lambda t, v, kl: sum(kl) / len(kl) < 0.5), APART, LEAPS), "You average the KL over "
            "the epochs. A code that was in use at first and is silent now hides in that average."),
        Mistake(asking(("silent", lambda t, v, kl: kl[-1] < kl[0]), APART, LEAPS), "You call a KL that falls silent. "
            "With annealing it falls from high to a few nats, and that is healthy. Near which number is silence?"),
        Mistake(asking(("silent", lambda t, v, kl: kl[-1] < 10), APART, LEAPS), "You call a code of several nats "
            "silent. A code of 6 nats is in use; a silent one has next to none."),
        Mistake(asking(QUIET, ("overfitting", lambda t, v, kl: t[-1] - v[-1] > 20), LEAPS), "Your gap has the wrong "
            "sign: overfitting means that VALIDATION is above training."),
        Mistake(asking(QUIET, ("overfitting", lambda t, v, kl: abs(v[0] - t[0]) > 20), LEAPS), "You compare the first "
            "epochs. There the training loss holds the poor beginning, which is no symptom. Compare the last."),
        Mistake(asking(QUIET, ("overfitting", lambda t, v, kl: v[-1] > min(v) + 5), LEAPS), "You ask whether the "
            "validation loss has risen above its lowest. An overfitted run may only stay where it is, while the "
            "training loss goes on falling. Which two numbers part?"),
        Mistake(asking(QUIET, ("overfitting", lambda t, v, kl: v[-1] > t[-1]), LEAPS), "You call every gap "
            "overfitting. A validation loss that is a nat or two above training is healthy: how large is the gap when "
            "it is not?"),
        Mistake(asking(QUIET, APART, ("steps too large", lambda t, v, kl: v[-1] > v[-2] + 5)), "You look at the last "
            "step of the validation loss only. Leaps anywhere in the run count: add up all rises."),
        Mistake(asking(QUIET, APART, ("steps too large", lambda t, v, kl: sum(abs(b - a) for a, b in
                       zip(v, v[1:], strict=False)) > 20)), "You add up falls as well as rises. Every training falls: "
            "only rises are a symptom."),
        Mistake(asking(QUIET, APART, ("steps too large", lambda t, v, kl: any(b > a for a, b in
                       zip(v, v[1:], strict=False)))), "You call a single rise, of a fraction of a nat, too large a "
            "step. Validation always flickers a little: how many nats are a symptom?"),
        Mistake(asking(QUIET, APART), "You never say 'steps too large'. What does a loss that is thrown about do from "
            "one epoch to the next?"),
        Mistake(asking(QUIET, LEAPS, APART), "You ask for leaps before you ask whether the losses part. The validation "
            "loss of an overfitted run may climb by much: ask in the order of the text."),
        Mistake(asking(QUIET, APART, ("steps too large", lambda t, v, kl: rises(t[1:]) > 20)), "You add up the rises "
            "of the training loss. It is a mean over each epoch, which hides leaps: which curve is measured after it?"),
        Mistake(lambda t, v, kl: asking(QUIET, APART, LEAPS)(t[:14], v[:14], kl[:14]), "You look at epoch 14, where "
            "the runs of the figure end. Which index is the last one of any list?"),
        Mistake(asking(APART, LEAPS), "You never say 'silent'. What is the KL term of a code that says nothing?"),
    ],
)  # fmt: skip
