"""controlled-edit: a step along a direction that raises one read-out by a wanted amount and leaves chosen others."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake
from course_utils.checks._difference import difference, number, numbers

TOLERANCE = 5e-4


def along(direction: Tensor, kept: Tensor) -> Tensor:
    """The shortest step that changes the kept read-outs, (M, D), just as the direction does."""
    return torch.linalg.pinv(kept) @ (kept @ direction)


def free(direction: Tensor, kept: Tensor) -> Tensor:
    return direction - along(direction, kept)


def controlled_edit(z, direction, weights, attribute, kept, amount):
    step = free(direction, weights[kept])
    return z + amount / (weights[attribute] @ step) * step


def step_is(make):
    """A wrong answer that scales another step rightly; it is made of the direction and the kept weights, (M, D)."""

    def answer(z, direction, weights, attribute, kept, amount):
        step = make(direction, weights[kept])
        return z + amount / (weights[attribute] @ step) * step

    return answer


def scale_is(scale):
    """A wrong answer that scales the right step otherwise: from the step, the attribute's weights, the amount."""

    def answer(z, direction, weights, attribute, kept, amount):
        step = free(direction, weights[kept])
        return z + scale(step, weights[attribute], amount) * step

    return answer


def one_after_another(direction, kept):
    for w in kept:
        direction = direction - (direction @ w) / (w @ w) * w
    return direction


def faces(codes=5, dim=7, handles=6, attribute=2, kept=(0, 4, 5), amount=0.7, gain=1.6):
    """Weights neither orthogonal nor of length 1; one step of what is left raises the read-out by about `gain`."""

    def inputs(g):
        weights = torch.eye(handles, dim) + 0.5 * torch.randn(handles, dim, generator=g)
        weights = weights * (1.2 + torch.rand(handles, 1, generator=g)) + 0.5 * torch.eye(dim)[0]
        rest, direction = weights[list(kept)], torch.randn(dim, generator=g)
        left = free(direction, rest)
        direction = direction + (1.2 / left.norm() - 1) * left  # so that something is left
        left = free(direction, rest)
        own = weights[attribute] + left * (gain - weights[attribute] @ left) / (left @ left)
        weights = torch.cat([weights[:attribute], own[None], weights[attribute + 1 :]])
        return torch.randn(codes, dim, generator=g), direction, weights, attribute, list(kept), amount

    return inputs


def in_read_outs(out, expected, z, direction, weights, attribute, kept, amount):
    """What a wrong step does to the read-outs, which tells more than a number of a code."""
    fault = difference(out, expected, TOLERANCE)
    if not fault or not isinstance(out, torch.Tensor) or out.shape != z.shape:
        return fault
    moved = (out - z)[0]
    rise, change = weights[attribute] @ moved, (weights[kept] @ moved).round(decimals=3)
    right = (rise - amount).abs() < 1e-3
    if right and not change.any():
        return f"The read-outs of the first code change as they should, but its step is not along direction. {fault}"
    others_do = f"change by {numbers(change)} and should stay" if change.any() else "stay as they should"
    rises = "as it should" if right else f"by {number(rise.round(decimals=4))} where {number(amount)} is expected"
    return f"The attribute's read-out of the first code rises {rises}; those to be kept {others_do}."


CHECK = Check(
    controlled_edit,
    inputs={"": faces(), "one read-out is to be kept": faces(4, 6, 4, 3, (1,)),
            "the attribute is to fall": faces(amount=-1.3), "the direction lowers the attribute": faces(gain=-1.6),
            "there is one code": faces(1, 5, 4, 1, (3, 0)), "many are to be kept": faces(6, 8, 7, 4, (0, 1, 2, 3, 5))},
    compare=in_read_outs,
    mistakes=[
        Mistake(step_is(lambda direction, kept: direction), "You scale the direction as it is: the read-outs to be "
            "kept change with it. Subtract the part that changes them first."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: z + amount * direction, "You add the direction "
            "as it is, amount times. Two things are missing: take out what changes the kept read-outs, then scale."),
        Mistake(scale_is(lambda step, own, amount: amount), "The kept read-outs stay, but the attribute's rises by "
            "amount times own @ step, with own = weights[attribute]. How long must the step be?"),
        Mistake(scale_is(lambda step, own, amount: 1.0), "The kept read-outs stay, but the step has the length that "
            "was left over, whatever the amount is."),
        Mistake(scale_is(lambda step, own, amount: amount / step.norm()), "Your step has the length amount. It is the "
            "attribute's READ-OUT that should rise by amount: divide by weights[attribute] @ step."),
        Mistake(scale_is(lambda step, own, amount: amount * (own @ step)), "You multiply by weights[attribute] @ step. "
            "Where one step already raises the read-out by much, less of it is needed: divide."),
        Mistake(scale_is(lambda step, own, amount: amount / (own @ step).abs()), "You divide by an absolute value. "
            "Where the direction lowers the read-out, the step has to go backwards: keep the sign."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: z + amount / (weights[attribute] @ direction)
            * free(direction, weights[kept]), "You scale by what the whole direction does to the attribute's "
            "read-out, but walk along what is left of it. Use weights[attribute] @ step, with the step that you add."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: z + amount / (weights[attribute]
            @ free(direction, weights[kept])) * direction, "You scale by the step that is left, but walk along the "
            "whole direction. Only what is left may be added to z."),
        Mistake(step_is(along), "You keep the part that changes the kept read-outs and drop the rest. It is the other "
            "way round: subtract that part from the direction."),
        Mistake(step_is(lambda direction, kept: direction + along(direction, kept)), "You add the part that changes "
            "the kept read-outs, which doubles their change. Subtract it."),
        Mistake(step_is(lambda direction, kept: direction - kept.T @ (kept @ direction)), "You use the transposed "
            "matrix where the pseudo-inverse is needed. That is right only for rows of length 1 at right angles."),
        Mistake(step_is(one_after_another), "You take the rows out one after another, and a later one brings back a "
            "bit of an earlier one, for they are not at right angles. Take them out together, with pinv."),
        Mistake(step_is(lambda direction, kept: direction - (kept @ direction / kept.square().sum(dim=1)) @ kept),
            "You take out each row by itself, from the same direction. Where two rows point partly the same way, that "
            "part is taken out twice. Take them out together, with pinv."),
        Mistake(step_is(lambda direction, kept: free(direction, kept.mean(dim=0, keepdim=True))), "You take out the "
            "MEAN of the kept rows, so only the sum of their read-outs stays. Each is to stay by itself."),
        Mistake(step_is(lambda direction, kept: free(direction, kept[:1])), "Only the first of the kept read-outs "
            "stays where it is. weights[kept] has all their rows."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: controlled_edit(
            z, direction, weights, attribute, [k for k in range(len(weights)) if k != attribute], amount),
            "You keep ALL other read-outs. Keep those that are named in kept, and let the rest move."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: controlled_edit(
            z, weights[attribute], weights, attribute, kept, amount), "Your step is made of the attribute's weights, "
            "and the direction plays no part. Start from the direction."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: controlled_edit(
            z, normalize(direction, dim=0), weights, attribute, kept, amount) - z, "You return the step. Return the "
            "codes after it: z + step."),
        Mistake(lambda z, direction, weights, attribute, kept, amount: controlled_edit(
            z, direction, weights, attribute, kept, -amount), "The attribute's read-out falls by amount. Which sign "
            "has your step?"),
        Mistake(lambda z, direction, weights, attribute, kept, amount: z + ((amount - z @ weights[attribute])
            / (weights[attribute] @ free(direction, weights[kept])))[:, None] * free(direction, weights[kept]),
            "You bring every face's read-out TO amount. It should rise BY amount, from wherever it is."),
    ],
)  # fmt: skip
