"""score-edit: what an edit did, from readings before and after it: to the attribute, to the kept ones, to the rest."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake


def rms(change: Tensor) -> Tensor:
    return change.square().mean().sqrt()


def rest_of(change, attribute, kept):
    return [k for k in range(change.shape[1]) if k != attribute and k not in kept]


def score_edit(before, after, attribute, kept):
    change = after - before
    return change[:, attribute].mean(), rms(change[:, kept]), rms(change[:, rest_of(change, attribute, kept)])


def with_size(size):
    """A wrong answer that sums up the kept and the other changes otherwise."""

    def answer(before, after, attribute, kept):
        change = after - before
        rest = rest_of(change, attribute, kept)
        return change[:, attribute].mean(), size(change[:, kept]), size(change[:, rest])

    return answer


def with_gain(gain):
    """A wrong answer that sums up the attribute's changes, (N,), otherwise."""

    def answer(before, after, attribute, kept):
        _, *two = score_edit(before, after, attribute, kept)
        return gain((after - before)[:, attribute]), *two

    return answer


def with_rest(choose):
    """A wrong answer whose rest are other columns."""

    def answer(before, after, attribute, kept):
        change = after - before
        gain, size, _ = score_edit(before, after, attribute, kept)
        return gain, size, rms(change[:, choose(change.shape[1], attribute, kept)])

    return answer


def readings(faces, handles, attribute, kept, gain=0.4):
    def inputs(g):
        before = torch.rand(faces, handles, generator=g)
        drift = torch.linspace(-0.2, 0.3, handles)
        after = before + drift + 0.2 * torch.randn(faces, handles, generator=g) + gain * torch.eye(handles)[attribute]
        return before, after, attribute, list(kept)

    return inputs


CHECK = Check(
    score_edit,
    inputs={"": readings(5, 7, 2, (0, 4, 5)), "one handle is kept": readings(4, 6, 0, (3,)),
            "the attribute falls": readings(6, 5, 3, (1, 2), gain=-0.9),
            "there is one face": readings(1, 6, 1, (5, 0))},
    mistakes=[
        Mistake(lambda before, after, attribute, kept: score_edit(after, before, attribute, kept), "The attribute's "
            "change has the wrong sign: after minus before."),
        Mistake(with_gain(lambda change: change.abs().mean()), "You average absolute values of the attribute's "
            "change. An edit that lowers it for half of the faces should not score: keep the sign."),
        Mistake(with_gain(rms), "The first number is the root mean square of the attribute's changes. Its plain mean "
            "is asked for: the sign counts."),
        Mistake(with_gain(torch.sum), "The first number is a sum over the faces. Take the mean."),
        Mistake(with_gain(lambda change: change), "The first number still has one value for each face. Take the mean."),
        Mistake(with_size(torch.mean), "You average the other changes with their signs, so a rise of one face makes "
            "up for a fall of another. Square first: root of the mean of the squares."),
        Mistake(with_size(lambda change: change.abs().mean()), "You average absolute values. That is a measure too; "
            "here the root of the mean square is asked for, which counts large changes more."),
        Mistake(with_size(lambda change: change.square().mean()), "The root is missing: square, mean, then the square "
            "root."),
        Mistake(with_size(lambda change: change.square().sum().sqrt()), "You take the root of the SUM of the squares, "
            "which grows with the number of faces and handles. Take their mean."),
        Mistake(with_size(lambda change: change.mean(dim=0).square().mean().sqrt()), "You average over the faces "
            "before you square, so faces that rise and faces that fall cancel. Square every single change first."),
        Mistake(with_size(lambda change: change.square().mean(dim=1).sqrt().mean()), "You take a root for each face "
            "and average the roots. One mean over all faces and handles, then one root."),
        Mistake(with_size(lambda change: change.square().mean(dim=0).sqrt().mean()), "You take a root for each handle "
            "and average the roots. One mean over all faces and handles, then one root."),
        Mistake(with_size(lambda change: change.abs().max()), "You take the largest change. The root of the mean "
            "square is asked for."),
        Mistake(with_size(torch.std), "The standard deviation subtracts the mean change first, so an edit that moves "
            "every face alike would seem to change nothing. Do not subtract it."),
        Mistake(with_rest(lambda count, attribute, kept: [k for k in range(count) if k not in kept]), "Your rest "
            "contains the attribute itself, whose change is wanted. Leave it out."),
        Mistake(with_rest(lambda count, attribute, kept: [k for k in range(count) if k != attribute]), "Your rest "
            "contains the kept handles too. It is the handles that are neither the attribute nor kept."),
        Mistake(with_rest(lambda count, attribute, kept: list(range(count))), "Your rest are all handles. It is those "
            "that are neither the attribute nor kept."),
        Mistake(lambda before, after, attribute, kept: tuple(score_edit(before, after, attribute, kept)[i]
            for i in (0, 2, 1)), "The last two numbers are exchanged: first the kept handles, then the rest."),
        Mistake(lambda before, after, attribute, kept: score_edit(before, after, attribute, kept)[:2], "You return two "
            "numbers. A third is asked for: what happens to the handles that are neither the attribute nor kept."),
    ],
)  # fmt: skip
