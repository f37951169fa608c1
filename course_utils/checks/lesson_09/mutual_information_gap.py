"""mutual-information-gap: has each handle a dimension of its own?"""

import math

import torch

from course_utils.checks._check import Check, Mistake


def two_best(information, dim=0):
    return information.topk(2, dim=dim).values.unbind(dim)


def mig(information, entropy):
    first, second = two_best(information)
    return ((first - second) / entropy).mean()


def gap_from(other):
    """A wrong answer that subtracts something else than the second largest, from information."""
    return lambda information, entropy: ((information.amax(dim=0) - other(information)) / entropy).mean()


def of_gap(score):
    """A wrong answer that makes another score of each handle's gap in nats, (K,)."""
    return lambda information, entropy: score(mig_gap(information), information, entropy)


def mig_gap(information):
    first, second = two_best(information)
    return first - second


def below_the_largest(information):
    """The largest value that is smaller than the largest."""
    return information.masked_fill(information == information.amax(dim=0), 0).amax(dim=0)


def table(dimensions, handles, change=lambda information: information):
    """Information below each handle's entropy, and the entropies, of different size."""

    def inputs(g):
        entropy = 0.7 + 2.3 * torch.rand(handles, generator=g)
        return change(entropy * torch.rand(dimensions, handles, generator=g)), entropy

    return inputs


def tied(information):
    information[3, :2] = information[1, :2] = information[:, :2].amax(dim=0) + 0.1
    return information


def nothing_known(information):
    return information * torch.tensor([1.0, 0, 1, 1])


CHECK = Check(
    mig,
    # Square comes first: there a wrong axis gives numbers to be recognised, and in the others an error.
    inputs={"": table(6, 6), "there are more dimensions than handles": table(7, 4),
            "there are more handles than dimensions": table(3, 5),
            "two dimensions know the same of a handle": table(5, 4, tied),
            "no dimension knows anything of one handle": table(5, 4, nothing_known),
            "the code has two dimensions": table(2, 3),
            "there is one handle": table(5, 1)},
    mistakes=[
        Mistake(of_gap(lambda gap, information, entropy: gap.mean()),
                "Your gaps are in nats, so a handle with a large entropy counts for more than one with a small "
                "entropy. By what must each handle's gap be divided so that 1 is the best there is?"),
        Mistake(of_gap(lambda gap, information, entropy: gap.mean() / entropy.mean()),
                "You divide the mean gap by the mean entropy. Divide each handle's gap by that handle's own entropy, "
                "then average."),
        Mistake(of_gap(lambda gap, information, entropy: (gap.mean() / entropy).mean()),
                "You average the gaps before you divide by the entropies. Divide each handle's gap by that handle's "
                "own entropy, then average."),
        Mistake(of_gap(lambda gap, information, entropy: gap.mean() / entropy),
                "You average the gaps and then divide by each entropy, which gives K numbers. Divide each gap by its "
                "own entropy first; the mean comes last."),
        Mistake(of_gap(lambda gap, information, entropy: gap.mean() / entropy.sum()),
                "You divide the mean gap by the SUM of the entropies. Divide each handle's gap by that handle's own "
                "entropy, then average."),
        Mistake(of_gap(lambda gap, information, entropy: gap.mean() / entropy.max()),
                "You divide by the largest entropy. Each handle has its own, which is what its gap can reach at most."),
        Mistake(of_gap(lambda gap, information, entropy: (gap * entropy).mean()),
                "You multiply by the entropy. A share of it is a gap DIVIDED by it."),
        Mistake(of_gap(lambda gap, information, entropy: (entropy / gap).mean()),
                "Your share is upside down: gap divided by entropy, not entropy by gap."),
        Mistake(lambda information, entropy: (mig_gap(information.T).mean() / entropy.mean()),
                "You compare the two best handles of each dimension. MIG asks the other way round: for each handle, "
                "the two dimensions that know most about it. Which axis are the dimensions?"),
        Mistake(lambda information, entropy: mig_gap(information.T).mean(),
                "You compare the two best handles of each dimension, and in nats. For each HANDLE find the two "
                "dimensions that know most about it, and divide their gap by the handle's entropy."),
        Mistake(lambda information, entropy: mig_gap((information / entropy).T).mean(),
                "You divide by the entropies first, which is right, but then compare the two best handles of each "
                "dimension. For each HANDLE compare the two best dimensions: dim=0."),
        Mistake(lambda information, entropy: (mig_gap(information.T) / entropy).mean(),
                "You compare the two best handles of each row. A row is a dimension of the code; a column is a handle, "
                "and the two largest of each COLUMN are meant."),
        Mistake(lambda information, entropy: (mig_gap(information.flatten()) / entropy).mean(),
                "You take the two largest numbers of the whole table. Each handle, a column, has its own two."),
        Mistake(gap_from(lambda information: information.mean(dim=0)),
                "You subtract the average over all dimensions. A second dimension that knows nearly as much as the "
                "first would hardly show in it: subtract the second largest."),
        Mistake(gap_from(lambda information: (information.sum(dim=0) - information.amax(dim=0))
                                             / (len(information) - 1)),
                "You subtract the average of the other dimensions, most of which know nothing. Subtract the largest "
                "among the others, that is the second largest of all."),
        Mistake(gap_from(lambda information: information.sum(dim=0) - information.amax(dim=0)),
                "You subtract all that the other dimensions know. Subtract the largest among them alone."),
        Mistake(gap_from(lambda information: information.sort(dim=0, descending=True).values[2]),
                "You subtract the third largest. The largest stands at 0 and the second at 1."),
        Mistake(gap_from(lambda information: information.median(dim=0).values),
                "You subtract the median over the dimensions. Subtract the second largest."),
        Mistake(gap_from(below_the_largest),
                "Where two dimensions know the same of a handle, both are the best and their gap is 0. You subtract "
                "the next SMALLER value: drop one of the two only, as topk and sort do."),
        Mistake(gap_from(lambda information: information.amin(dim=0)),
                "You subtract the smallest value. It is near 0 for every model; the second largest tells whether a "
                "handle is spread over two dimensions."),
        Mistake(lambda information, entropy: (-mig_gap(-information) / entropy).mean().abs(),
                "You take the two SMALLEST values of each handle: sort puts the smallest first. Take the last two, or "
                "topk."),
        Mistake(lambda information, entropy: (mig_gap(-information) / -entropy).mean(),
                "You subtract the second smallest from the smallest: sort puts the smallest first. Sort with "
                "descending=True, or topk."),
        Mistake(lambda information, entropy: (two_best(information)[1] / entropy).mean(),
                "You return the share that the SECOND best dimension knows. The gap is the largest minus that."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / entropy).max()),
                "You take the largest gap of all handles. The MIG is their mean."),
        Mistake(lambda information, entropy: ((information[0] - information[1]) / entropy).mean(),
                "You subtract row 1 from row 0 as they stand. The two best dimensions differ from handle to handle: "
                "sort the columns, or topk."),
        Mistake(lambda information, entropy: (information.amax(dim=0) / entropy).mean(),
                "You take the largest share of each handle's entropy, but no gap. A handle that two dimensions know "
                "equally well would get a high score: subtract the second."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / information.amax(dim=0)).mean()),
                "You divide by the largest information. Then a handle of which the code knows next to nothing can "
                "still score 1. Divide by the entropy of the handle."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / information.sum(dim=0)).mean()),
                "You divide by all that the dimensions know of a handle. Divide by the handle's entropy, which is what "
                "there is to know."),
        Mistake(lambda information, entropy: (two_best(information)[1] / two_best(information)[0]).mean(),
                "You divide the second largest by the largest. The gap is their difference, as a share of the "
                "entropy."),
        Mistake(of_gap(lambda gap, information, entropy: (-gap / entropy).mean()),
                "The sign is wrong: you subtract the larger from the smaller. The gap is largest minus second "
                "largest."),
        Mistake(of_gap(lambda gap, information, entropy: gap / entropy),
                "You return one gap for each handle. They are worth looking at, but the score is their average."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / entropy).sum()),
                "You sum over the handles, so the score grows with their number. Average, and the best there is will "
                "be 1."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / entropy).median()),
                "You take the median over the handles. The MIG is their mean."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / entropy).sum() / len(information)),
                "You divide the sum over the handles by the number of dimensions. Which of the two axes do the gaps "
                "run along?"),
        Mistake(of_gap(lambda gap, information, entropy: gap.mean() / math.log(len(information))),
                "You divide by the logarithm of the number of dimensions, which is not what a handle's gap can reach "
                "at most. That is the handle's own entropy."),
        Mistake(of_gap(lambda gap, information, entropy: (gap / math.log(2) / entropy).mean()),
                "You turn the gap into bits, but the entropy is in nats. A share needs both in the same unit."),
        Mistake(lambda information, entropy: mig(information, entropy).item(),
                "The number is right, but a plain Python number. The lesson goes on with a scalar tensor: leave the "
                ".item() or float() out."),
    ],
)  # fmt: skip
