"""Exercises of lesson 09: the mutual information gap, an attribute direction, a controlled edit."""

import torch

from course_utils.checks._docstrings import mistakes
from course_utils.checks._edits import WRONG_EDITS, edit, edit_inputs
from course_utils.checks._engine import Check


def _mig(information, entropy):
    first, second = information.topk(2, dim=0).values
    return ((first - second) / entropy).mean()


def _in_nats(information, entropy):
    """Your gaps are in nats, so a handle with a large entropy counts for more than one with a small entropy. By what
    must each handle's gap be divided so that 1 is the best there is?
    """
    first, second = information.topk(2, dim=0).values
    return (first - second).mean()


def _averaged_apart(information, entropy):
    """You divide the mean gap by the mean entropy. Divide each handle's gap by that handle's own entropy, then
    average.
    """
    first, second = information.topk(2, dim=0).values
    return (first - second).mean() / entropy.mean()


def _for_each_dimension(information, entropy):
    """You compare the two best handles of each dimension. MIG asks the other way round: for each handle, the two
    dimensions that know most about it. Which axis are the dimensions?
    """
    first, second = information.topk(2, dim=1).values.T
    return (first - second).mean() / entropy.mean()


def _for_each_dimension_in_nats(information, entropy):
    """You compare the two best handles of each dimension, and in nats. For each HANDLE find the two dimensions that
    know most about it, and divide their gap by the handle's entropy.
    """
    first, second = information.topk(2, dim=1).values.T
    return (first - second).mean()


def _above_the_mean(information, entropy):
    """You subtract the average over all dimensions. A second dimension that knows nearly as much as the first would
    hardly show in it: subtract the second largest.
    """
    return ((information.max(dim=0).values - information.mean(dim=0)) / entropy).mean()


def _above_the_others(information, entropy):
    """You subtract the average of the other dimensions, most of which know nothing. Subtract the largest among the
    others, that is the second largest of all.
    """
    first = information.max(dim=0).values
    others = (information.sum(dim=0) - first) / (len(information) - 1)
    return ((first - others) / entropy).mean()


def _above_the_smallest(information, entropy):
    """You subtract the smallest value. It is near 0 for every model; the second largest tells whether a handle is
    spread over two dimensions.
    """
    return ((information.max(dim=0).values - information.min(dim=0).values) / entropy).mean()


def _two_smallest(information, entropy):
    """You take the two SMALLEST values of each handle: sort puts the smallest first. Take the last two, or topk."""
    ordered = information.sort(dim=0).values
    return ((ordered[1] - ordered[0]) / entropy).mean()


def _no_gap(information, entropy):
    """You take the largest share of each handle's entropy, but no gap. A handle that two dimensions know equally well
    would get a high score: subtract the second.
    """
    return (information.max(dim=0).values / entropy).mean()


def _relative_gap(information, entropy):
    """You divide by the largest information. Then a handle of which the code knows next to nothing can still score 1.
    Divide by the entropy of the handle.
    """
    first, second = information.topk(2, dim=0).values
    return ((first - second) / first).mean()


def _below_zero(information, entropy):
    """The sign is wrong: you subtract the larger from the smaller. The gap is largest minus second largest."""
    first, second = information.topk(2, dim=0).values
    return ((second - first) / entropy).mean()


def _not_averaged(information, entropy):
    """You return one gap for each handle. They are worth looking at, but the score is their average."""
    first, second = information.topk(2, dim=0).values
    return (first - second) / entropy


def _summed(information, entropy):
    """You sum over the handles, so the score grows with their number. Average, and the best there is will be 1."""
    first, second = information.topk(2, dim=0).values
    return ((first - second) / entropy).sum()


def _by_the_dimensions(information, entropy):
    """You divide by the logarithm of the number of dimensions, which is not what a handle's gap can reach at most. That
    is the handle's own entropy.
    """
    first, second = information.topk(2, dim=0).values
    return (first - second).mean() / torch.tensor(float(len(information))).log()


def _information_inputs(g: torch.Generator) -> tuple:
    entropy = 0.7 + 2.3 * torch.rand(4, generator=g)  # (K,)
    return entropy * torch.rand(6, 4, generator=g), entropy  # (D, K), (K,)


def _direction(z, labels):
    return z[labels].mean(dim=0) - z[~labels].mean(dim=0)


def _backwards(z, labels):
    """Your direction points the other way: adding it would take the attribute away. Which mean is to be subtracted
    from which?
    """
    return z[~labels].mean(dim=0) - z[labels].mean(dim=0)


def _only_with(z, labels):
    """This is the mean of the codes WITH the attribute: an average face, not a direction. What is left when you take
    away the average face without it?
    """
    return z[labels].mean(dim=0)


def _from_everyone(z, labels):
    """You subtract the mean over all codes, those with the attribute included. That direction is too short: subtract
    the mean of those without.
    """
    return z[labels].mean(dim=0) - z.mean(dim=0)


def _sums(z, labels):
    """You subtract sums, so the larger group wins. Take the mean of each group."""
    return z[labels].sum(dim=0) - z[~labels].sum(dim=0)


def _divided_by_all(z, labels):
    """You divide each group's sum by the number of ALL codes, as a mean over z * labels does. Divide by the size of the
    group: z[labels] keeps only its rows.
    """
    return torch.where(labels[:, None], z, -z).mean(dim=0)


def _one_number(z, labels):
    """You return a single number. A direction has one number for each latent dimension: average over the images only,
    dim=0.
    """
    return z[labels].mean() - z[~labels].mean()


def _rows_0_and_1(z, labels):
    """You turn the labels into whole numbers, and z[0 or 1] picks the ROWS 0 and 1 again and again. Keep them bool, and
    z[labels] keeps the rows where they are True.
    """
    return z[labels.long()].mean(dim=0) - z[1 - labels.long()].mean(dim=0)


def _unit_length(z, labels):
    """You give the direction the length 1. Its own length is worth keeping: one step is then the way from the average
    without the attribute to the average with it.
    """
    return torch.nn.functional.normalize(_direction(z, labels), dim=0)


def _medians(z, labels):
    """You take medians. Use means: differences of means add up, which latent arithmetic relies on."""
    return z[labels].median(dim=0).values - z[~labels].median(dim=0).values


def _pairs(z, labels):
    """You subtract the two groups row by row, as if they were pairs, and lose the rows that have no partner. Average
    each group first.
    """
    size = int(min(labels.sum(), (~labels).sum()))
    return (z[labels][:size] - z[~labels][:size]).mean(dim=0)


def _half(z, labels):
    """Your direction is half as long as it should be. From the average without to the average with is the whole
    difference.
    """
    return _direction(z, labels) / 2


def _direction_inputs(g: torch.Generator) -> tuple:
    labels = torch.arange(11)[torch.randperm(11, generator=g)] < 3  # 3 with, 8 without
    z = torch.randn(11, 4, generator=g) + torch.tensor([2.0, -1.0, 0.5, 1.0])
    return z + labels[:, None] * torch.tensor([1.0, 0.0, -2.0, 0.5]), labels


# fmt: off
CHECKS = [
    Check(
        name="mutual-information-gap",
        lesson="09",
        reference=_mig,
        make_inputs=_information_inputs,
        mistakes=mistakes(
            _in_nats, _averaged_apart, _for_each_dimension, _for_each_dimension_in_nats, _above_the_mean,
            _above_the_others, _above_the_smallest, _two_smallest, _no_gap, _relative_gap, _below_zero, _not_averaged,
            _summed, _by_the_dimensions,
        ),
    ),
    Check(
        name="attribute-direction",
        lesson="09",
        reference=_direction,
        make_inputs=_direction_inputs,
        mistakes=mistakes(
            _backwards, _only_with, _from_everyone, _sums, _divided_by_all, _one_number, _rows_0_and_1,
            _unit_length, _medians, _pairs, _half,
        ),
    ),
    Check(
        name="controlled-edit",
        lesson="09",
        reference=edit,
        make_inputs=edit_inputs,
        mistakes=mistakes(*WRONG_EDITS),
    ),
]
# fmt: on
