"""attribute-direction: from the average code without an attribute to the average code with it."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def direction(z, labels):
    return z[labels].mean(dim=0) - z[~labels].mean(dim=0)


def groups(combine):
    """A wrong answer from the codes with the attribute and those without."""
    return lambda z, labels: combine(z[labels], z[~labels])


def codes(images, with_it, numbers=4):
    """Codes away from the origin, of groups of different size; some images have the attribute."""

    def inputs(g):
        labels = torch.randperm(images, generator=g) < with_it
        z = torch.randn(images, numbers, generator=g) + torch.tensor([2.0, -1.0, 0.5, 1.0])[:numbers]
        return z + labels[:, None] * torch.tensor([1.0, 0.0, -2.0, 0.5])[:numbers], labels

    return inputs


def in_pairs(some, others):
    size = min(len(some), len(others))
    return (some[:size] - others[:size]).mean(dim=0)


CHECK = Check(
    direction,
    inputs={"": codes(11, 3), "most images have the attribute": codes(13, 9),
            "as many images have it as have it not": codes(10, 5), "a single image has the attribute": codes(7, 1),
            "all but one image have the attribute": codes(6, 5), "a code is one number": codes(9, 4, numbers=1)},
    mistakes=[
        Mistake(lambda z, labels: ((2.0 * labels - 1)[:, None] * z).sum(dim=0) / (len(z) / 2),
                "You divide both sums by half of N. Groups need not be equally large: divide each by its own size."),
        Mistake(groups(lambda some, others: others.mean(dim=0) - some.mean(dim=0)),
                "Your direction points the other way: adding it would take the attribute away. Which mean is to be "
                "subtracted from which?"),
        Mistake(groups(lambda some, others: some.mean(dim=0)),
                "This is the mean of the codes WITH the attribute: an average face, not a direction. What is left when "
                "you take away the average face without it?"),
        Mistake(groups(lambda some, others: others.mean(dim=0)),
                "This is the mean of the codes WITHOUT the attribute: the start of the step. Where does it end, and "
                "what lies between?"),
        Mistake(groups(lambda some, others: some.mean(dim=0) + others.mean(dim=0)),
                "You add the two means. A step from one place to another is their difference."),
        Mistake(lambda z, labels: z[labels].mean(dim=0) - z.mean(dim=0),
                "You subtract the mean over all codes, those with the attribute included. That direction is too short: "
                "subtract the mean of those without."),
        Mistake(lambda z, labels: z.mean(dim=0) - z[~labels].mean(dim=0),
                "You start at the mean without the attribute, but end at the mean of ALL codes. The step ends at the "
                "mean of those with it."),
        Mistake(groups(lambda some, others: some.sum(dim=0) - others.sum(dim=0)),
                "You subtract sums, so the larger group wins. Take the mean of each group."),
        Mistake(lambda z, labels: torch.where(labels[:, None], z, -z).mean(dim=0),
                "You divide each group's sum by the number of ALL codes, as a mean over z * labels does. Divide by the "
                "size of the group: z[labels] keeps only its rows."),
        Mistake(lambda z, labels: (z * labels[:, None]).mean(dim=0) - z[~labels].mean(dim=0),
                "The mean without is right, but that with divides by the number of ALL codes. z * labels keeps the "
                "other rows as zeros; z[labels] drops them."),
        Mistake(lambda z, labels: z[labels].mean(dim=0) - (z * ~labels[:, None]).mean(dim=0),
                "The mean with is right, but that without divides by the number of ALL codes. z * ~labels keeps the "
                "other rows as zeros; z[~labels] drops them."),
        Mistake(groups(lambda some, others: some.mean(dim=0) - others.sum(dim=0)),
                "You subtract a sum from a mean. Take the mean of both groups."),
        Mistake(lambda z, labels: (z * labels[:, None]).mean(dim=0),
                "You average z * labels over all rows: the others are zeros there and counted. Take z[labels], and "
                "subtract the mean of z[~labels]."),
        Mistake(groups(lambda some, others: some.sum(dim=0) / len(others) - others.sum(dim=0) / len(some)),
                "You divide each group's sum by the size of the other group."),
        Mistake(groups(lambda some, others: (some.sum(dim=0) - others.sum(dim=0)) / len(some)),
                "You divide both sums by the number of images with the attribute. Each group has its own size."),
        Mistake(groups(lambda some, others: some.mean() - others.mean()),
                "You return a single number. A direction has one number for each latent dimension: average over the "
                "images only, dim=0."),
        Mistake(lambda z, labels: direction(z, labels).norm(),
                "You return the length of the direction. The direction itself, (D,), is asked for."),
        Mistake(lambda z, labels: z[labels.long()].mean(dim=0) - z[1 - labels.long()].mean(dim=0),
                "You turn the labels into whole numbers, and z[0 or 1] picks the ROWS 0 and 1 again and again. Keep "
                "them bool, and z[labels] keeps the rows where they are True."),
        Mistake(lambda z, labels: z[labels.long()].mean(dim=0) - z[~labels.long()].mean(dim=0),
                "Your labels are whole numbers: z[0 or 1] picks the rows 0 and 1 again and again, and ~ makes -1 and "
                "-2 of them. Keep them bool."),
        Mistake(lambda z, labels: normalize(direction(z, labels), dim=0),
                "You give the direction the length 1. Its own length is worth keeping: one step is then the way from "
                "the average without the attribute to the average with it."),
        Mistake(groups(lambda some, others: normalize(some.mean(dim=0), dim=0) - normalize(others.mean(dim=0), dim=0)),
                "You give each mean the length 1 before you subtract. The means are places; leave them where they "
                "are."),
        Mistake(lambda z, labels: direction(normalize(z, dim=1), labels),
                "You give each code the length 1 first. The step leads between the codes as they are."),
        Mistake(groups(lambda some, others: some.median(dim=0).values - others.median(dim=0).values),
                "You take medians. Use means: differences of means add up, which latent arithmetic relies on."),
        Mistake(groups(in_pairs),
                "You subtract the two groups row by row, as if they were pairs, and lose the rows that have no "
                "partner. Average each group first."),
        Mistake(groups(lambda some, others: some[0] - others[0]),
                "You subtract one code from another. Two images differ in much besides the attribute: average each "
                "group."),
        Mistake(groups(lambda some, others: (some.mean(dim=0) - others.mean(dim=0)) / 2),
                "Your direction is half as long as it should be. From the average without to the average with is the "
                "whole difference."),
        Mistake(groups(lambda some, others: (some.mean(dim=0) - others.mean(dim=0)).abs()),
                "You take absolute values, so the direction has lost its signs. Where the average falls, the step must "
                "fall too."),
        Mistake(lambda z, labels: direction(z, labels) / z.std(dim=0),
                "You divide by the spread of each dimension (or standardise the codes first). Then one step no longer "
                "leads from one average to the other."),
        Mistake(lambda z, labels: ((z - z.mean(dim=0)) * (labels.float() - labels.float().mean())[:, None]).mean(dim=0),
                "That is the covariance of the codes with the label: it points the same way, but is shorter. The "
                "difference of the two means is asked for."),
    ],
)  # fmt: skip
