"""controlled-edit: a step that raises the smile's read-out and leaves the others where they are."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake
from course_utils.checks._difference import difference, number, numbers

TOLERANCE = 5e-4


def along(direction, others):
    """What lies in the span of the others."""
    basis = torch.linalg.qr(others.T).Q
    return basis @ (basis.T @ direction)


def free(direction, others):
    return direction - along(direction, others)


def edit(z, direction, smile, others, amount):
    step = free(direction, others)
    return z + step * (amount / (smile @ step))


def step_is(make):
    """A wrong answer that scales another step rightly, from direction and others."""

    def answer(z, direction, smile, others, amount):
        step = make(direction, others)
        return z + step * (amount / (smile @ step))

    return answer


def scale_is(scale):
    """A wrong answer that scales the right step otherwise, from step, smile, amount."""
    return lambda z, direction, smile, others, amount: z + free(direction, others) * scale(
        free(direction, others), smile, amount
    )


def one_after_another(direction, others):
    for w in others:
        direction = direction - (direction @ w) / (w @ w) * w
    return direction


def all_at_once(direction, others):
    return direction - (others @ direction / others.square().sum(dim=1)) @ others


def not_unit(direction, others):
    return direction - others.T @ (others @ direction)


def rows_of_q(direction, others):
    """The first M rows of an orthonormal basis, transposed the wrong way."""
    basis = torch.linalg.qr(others.T, mode="complete").Q[: len(others)]
    return direction - basis.T @ (basis @ direction)


def faces(codes=5, numbers=7, kept=3, amount=0.7, gain=1.6):
    """Others neither orthogonal nor of length 1; one step of what is left raises the smile by gain |left|^2."""

    def inputs(g):
        others = torch.eye(kept, numbers) + 0.5 * torch.randn(kept, numbers, generator=g)
        others = others * (1.2 + torch.rand(kept, 1, generator=g)) + 0.5 * torch.eye(numbers)[0]
        direction = torch.randn(numbers, generator=g)
        left = free(direction, others)
        direction = direction + (1.2 / left.norm() - 1) * left  # so that something is left
        left = free(direction, others)
        smile = torch.randn(numbers, generator=g) + 2 * direction
        smile = smile + left * (gain - (smile @ left) / (left @ left))
        return torch.randn(codes, numbers, generator=g), direction, smile, others, amount

    return inputs


def in_read_outs(out, expected, z, direction, smile, others, amount):
    """What a wrong step does to the read-outs, which tells more than a coordinate of a code."""
    fault = difference(out, expected, TOLERANCE)
    if not fault or not isinstance(out, torch.Tensor) or out.shape != z.shape:
        return fault
    moved = (out - z)[0]
    rise, change = smile @ moved, (others @ moved).round(decimals=3)
    if (rise - amount).abs() < 1e-3 and not change.any():
        return f"The read-outs of the first code change as they should, but its step is not along direction. {fault}"
    others_do = f"change by {numbers(change)} and should stay" if change.any() else "stay as they should"
    right = (rise - amount).abs() < 1e-3
    rises = "as it should" if right else f"by {number(rise.round(decimals=4))} where {number(amount)} is expected"
    return f"The smile's read-out of the first code rises {rises}; those to be kept {others_do}."


CHECK = Check(
    edit,
    inputs={"": faces(), "one read-out is to be kept": faces(4, 6, 1), "the smile is to fall": faces(amount=-1.3),
            "the direction lowers the smile": faces(gain=-1.6), "there is one code": faces(1, 5, 2),
            "all read-outs but one direction are to be kept": faces(6, 4, 3)},
    compare=in_read_outs,
    tolerance=TOLERANCE,
    mistakes=[
        Mistake(step_is(lambda direction, others: direction),
                "The smile rises as it should, but the other read-outs change as well. Take out of the direction what "
                "lies along the others before you scale it."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * direction,
                "You move by amount times the direction: the other read-outs change, and the smile does not rise by "
                "amount. Take out of the direction what lies along the others, then scale it."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * normalize(direction, dim=0),
                "You move by amount in length along the whole direction. Take out of it what lies along the others, "
                "then scale it so that smile @ step is amount."),
        Mistake(step_is(one_after_another),
                "You subtract the projections on the others one after another. The others are not orthogonal to each "
                "other, so each subtraction brings back a little of what an earlier one removed. Make an orthonormal "
                "basis of them first (torch.linalg.qr), or solve a least-squares problem."),
        Mistake(step_is(all_at_once),
                "You subtract the projections on all others of the ORIGINAL direction. What two others share is "
                "subtracted twice. Make an orthonormal basis of them first (torch.linalg.qr)."),
        Mistake(step_is(not_unit),
                "You project as if the others had length 1 and were orthogonal to each other: direction - others.T @ "
                "(others @ direction). Neither is so. torch.linalg.qr makes such a basis of them; it works on COLUMNS, "
                "so transpose first."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * one_after_another(direction, others),
                "You subtract the projections on the others one after another, which brings back a little of each, and "
                "you do not scale. Make an orthonormal basis of the others first, and divide by smile @ step."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * all_at_once(direction, others),
                "You subtract the projections on all others, so what two share is subtracted twice, and you do not "
                "scale. Make an orthonormal basis of the others first, and divide by smile @ step."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * not_unit(direction, others),
                "You project as if the others had length 1 and were orthogonal, and you do not scale. torch.linalg.qr "
                "(of others.T) makes such a basis; then divide by smile @ step."),
        Mistake(step_is(rows_of_q),
                "You use rows of Q as the basis. torch.linalg.qr(others.T).Q has it in its columns, (D, M): the "
                "projection of d is Q @ (Q.T @ d)."),
        Mistake(scale_is(lambda step, smile, amount: amount),
                "The others stay where they are, but the smile does not rise by amount: the projection shortened the "
                "direction. How much does the smile's read-out rise for one step of it, and so how many steps are "
                "needed?"),
        Mistake(scale_is(lambda step, smile, amount: 1),
                "The others stay where they are, but amount has no effect. How often must the step be taken for the "
                "smile to rise by amount?"),
        Mistake(lambda z, direction, smile, others, amount: z + free(direction, others) * amount / (smile @ direction),
                "You scale the direction before you project it, and the projection takes some of the smile away. First "
                "project, then scale."),
        Mistake(scale_is(lambda step, smile, amount: amount / step.norm()),
                "You move by amount in length. The smile should rise by amount: divide by what the smile's read-out "
                "gains on one step, smile @ step, not by the step's length."),
        Mistake(scale_is(lambda step, smile, amount: amount / (step @ step)),
                "You divide by step @ step, the step's squared length. Divide by what the smile's read-out gains on "
                "one step: smile @ step."),
        Mistake(scale_is(lambda step, smile, amount: amount / smile.norm()),
                "You divide by the length of the smile's weights. Divide by what the smile's read-out gains on one "
                "step: smile @ step."),
        Mistake(scale_is(lambda step, smile, amount: amount / (smile.norm() * step.norm())),
                "You divide by the two lengths, as if step and smile pointed the same way. Divide by smile @ step."),
        Mistake(scale_is(lambda step, smile, amount: amount / (normalize(smile, dim=0) @ step)),
                "You give the smile's weights the length 1, which changes its read-out. Use them as they are."),
        Mistake(scale_is(lambda step, smile, amount: amount * (smile @ step)),
                "You multiply by smile @ step, what one step gains. To gain amount, how many steps are needed?"),
        Mistake(scale_is(lambda step, smile, amount: (smile @ step) / amount),
                "Your scale is upside down: amount / (smile @ step) steps are needed."),
        Mistake(scale_is(lambda step, smile, amount: 1 / (smile @ step)),
                "The smile rises by 1. It should rise by amount."),
        Mistake(scale_is(lambda step, smile, amount: amount / (smile @ step).abs()),
                "You divide by the absolute value of smile @ step. Where the direction lowers the smile, the step has "
                "to go backwards: keep the sign."),
        Mistake(lambda z, direction, smile, others, amount: edit(z - along(z.T, others).T, direction, smile, others,
                                                                 amount),
                "You project the codes too, so every face loses what it was. Only the step should be free of the "
                "others; z stays as it is."),
        Mistake(lambda z, direction, smile, others, amount: z + free(z.T, others).T * (amount / (smile @ free(
                    direction, others))),
                "You project the codes and go along them. It is the direction that is projected, and the codes stay "
                "as they are."),
        Mistake(step_is(along),
                "You keep what lies along the others and drop the rest, so you change everything but the smile. "
                "Subtract that part from the direction."),
        Mistake(step_is(lambda direction, others: direction + along(direction, others)),
                "You add what lies along the others, which doubles it. Subtract it."),
        Mistake(step_is(lambda direction, others: free(direction, others[:1])),
                "Only the first of the others stays where it is. Each row of others is one read-out to keep."),
        Mistake(step_is(lambda direction, others: free(direction, others[-1:])),
                "Only the last of the others stays where it is. Does your loop begin with the original direction each "
                "time?"),
        Mistake(step_is(lambda direction, others: free(direction, others.mean(dim=0, keepdim=True))),
                "You take out the mean of the others only, so their sum stays, but not each of them. Each row of "
                "others is one read-out to keep."),
        Mistake(lambda z, direction, smile, others, amount: edit(z, smile, smile, others, amount),
                "Your step is made of the smile's weights, and the direction plays no part. Start from the direction; "
                "the weights only tell how much it gains."),
        Mistake(lambda z, direction, smile, others, amount: z + amount * free(smile, others),
                "Your step is made of the smile's weights, and not as long as amount asks. The step starts from the "
                "direction; then divide by smile @ step."),
        Mistake(lambda z, direction, smile, others, amount: z + direction * amount / (smile @ free(direction, others)),
                "You scale with the step, but walk along the whole direction. Only what is free of the others may be "
                "added to z."),
        Mistake(lambda z, direction, smile, others, amount: edit(z, direction, smile, others, amount) - z,
                "You return the step. Return the codes after it: z + step."),
        Mistake(lambda z, direction, smile, others, amount: edit(0 * z[0], direction, smile, others, amount),
                "You return the step, (D,). Return the codes after it: z + step."),
        Mistake(lambda z, direction, smile, others, amount: z + (
                    (amount - z @ smile) / (smile @ free(direction, others)))[:, None] * free(direction, others),
                "You bring every face's read-out TO amount. It should rise BY amount, from wherever it is."),
        Mistake(lambda z, direction, smile, others, amount: edit(z, direction, smile, others, -amount),
                "The smile falls by amount. Which sign has your step?"),
    ],
)  # fmt: skip
