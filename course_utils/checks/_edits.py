"""The controlled edit of lesson 09: the reference, and wrong answers with what to say to each."""

import torch


def edit(z, direction, smile, others, amount):
    """The right answer: step along what is left of the direction without the others, scaled to the amount."""
    basis = torch.linalg.qr(others.T).Q
    step = direction - basis @ (basis.T @ direction)
    return z + step * (amount / (smile @ step))


def nothing_kept(z, direction, smile, others, amount):
    """The smile rises as it should, but the other read-outs change as well. Take out of the direction what lies along
    the others before you scale it.
    """
    return z + direction * (amount / (smile @ direction))


def one_after_another(z, direction, smile, others, amount):
    """You subtract the projections on the others one after another. The others are not orthogonal to each other, so
    each subtraction brings back a little of what an earlier one removed. Make an orthonormal basis of them first
    (torch.linalg.qr), or solve a least-squares problem.
    """
    step = direction
    for w in others:
        step = step - (step @ w) / (w @ w) * w
    return z + step * (amount / (smile @ step))


def all_at_once(z, direction, smile, others, amount):
    """You subtract the projections on all others of the ORIGINAL direction. What two others share is subtracted twice.
    Make an orthonormal basis of them first (torch.linalg.qr).
    """
    shares = others @ direction / others.square().sum(dim=1)
    step = direction - shares @ others
    return z + step * (amount / (smile @ step))


def not_unit(z, direction, smile, others, amount):
    """You project as if the others had length 1 and were orthogonal to each other: direction - others.T @ (others @
    direction). Neither is so. torch.linalg.qr makes such a basis of them; it works on COLUMNS, so transpose first.
    """
    step = direction - others.T @ (others @ direction)
    return z + step * (amount / (smile @ step))


def not_scaled(z, direction, smile, others, amount):
    """The others stay where they are, but the smile does not rise by amount: the projection shortened the direction.
    How much does the smile's read-out rise for one step of it, and so how many steps are needed?
    """
    basis = torch.linalg.qr(others.T).Q
    return z + amount * (direction - basis @ (basis.T @ direction))


def scaled_too_early(z, direction, smile, others, amount):
    """You scale the direction before you project it, and the projection takes some of the smile away. First project,
    then scale.
    """
    basis = torch.linalg.qr(others.T).Q
    step = direction * (amount / (smile @ direction))
    return z + step - basis @ (basis.T @ step)


def unit_step(z, direction, smile, others, amount):
    """You move by amount in length. The smile should rise by amount: divide by what the smile's read-out gains on one
    step, smile @ step, not by the step's length.
    """
    basis = torch.linalg.qr(others.T).Q
    return z + amount * torch.nn.functional.normalize(direction - basis @ (basis.T @ direction), dim=0)


def codes_projected(z, direction, smile, others, amount):
    """You project the codes too, so every face loses what it was. Only the step should be free of the others; z stays
    as it is.
    """
    basis = torch.linalg.qr(others.T).Q
    step = direction - basis @ (basis.T @ direction)
    return z - z @ basis @ basis.T + step * (amount / (smile @ step))


def along_the_others(z, direction, smile, others, amount):
    """You keep what lies along the others and drop the rest, so you change everything but the smile. Subtract that part
    from the direction.
    """
    basis = torch.linalg.qr(others.T).Q
    step = basis @ (basis.T @ direction)
    return z + step * (amount / (smile @ step))


def added(z, direction, smile, others, amount):
    """You add what lies along the others, which doubles it. Subtract it."""
    basis = torch.linalg.qr(others.T).Q
    step = direction + basis @ (basis.T @ direction)
    return z + step * (amount / (smile @ step))


def only_the_first(z, direction, smile, others, amount):
    """Only the first of the others stays where it is. Each row of others is one read-out to keep."""
    w = others[0]
    step = direction - (direction @ w) / (w @ w) * w
    return z + step * (amount / (smile @ step))


def step_alone(z, direction, smile, others, amount):
    """You return the step. Return the codes after it: z + step."""
    return edit(z, direction, smile, others, amount) - z


def to_the_amount(z, direction, smile, others, amount):
    """You bring every face's read-out TO amount. It should rise BY amount, from wherever it is."""
    basis = torch.linalg.qr(others.T).Q
    step = direction - basis @ (basis.T @ direction)
    return z + ((amount - z @ smile) / (smile @ step))[:, None] * step


def other_way(z, direction, smile, others, amount):
    """The smile falls by amount. Which sign has your step?"""
    return 2 * z - edit(z, direction, smile, others, amount)


def edit_inputs(g: torch.Generator) -> tuple:
    """Codes (5, 7), a direction, the read-outs of the smile and of three others, and how much the smile should rise."""
    others = torch.randn(3, 7, generator=g) + torch.tensor([0.8, 0, 0, -0.4, 0, 0, 0])  # neither orthogonal nor of unit
    direction, smile = torch.randn(2, 7, generator=g)
    smile = smile + direction  # so that the smile rises along the direction, and clearly
    basis = torch.linalg.qr(others.T).Q
    left = direction - basis @ (basis.T @ direction)
    smile = smile + left * (1 - (smile @ left) / (left @ left))  # one step of what is left raises it by |left|^2
    return torch.randn(5, 7, generator=g), direction, smile, others, 0.7


WRONG_EDITS = (
    nothing_kept, one_after_another, all_at_once, not_unit, not_scaled, scaled_too_early, unit_step,
    codes_projected, along_the_others, added, only_the_first, step_alone, to_the_amount, other_way,
)  # fmt: skip
