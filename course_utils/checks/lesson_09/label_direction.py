"""label-direction: from the average code without an attribute to the average code with it, worth the whole range."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def parts(z: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The difference of the average codes, (D,), and of the average values, of the two groups."""
    has = value > 0.5
    return z[has].mean(dim=0) - z[~has].mean(dim=0), value[has].mean() - value[~has].mean()


def label_direction(z: Tensor, value: Tensor) -> Tensor:
    step, gap = parts(z, value)
    return step / gap


def of_parts(combine):
    """A wrong answer made of the right difference of codes and the right difference of values."""
    return lambda z, value: combine(*parts(z, value))


def of_groups(combine):
    """A wrong answer whose difference of codes is made otherwise of the two groups' codes; the gap is right."""
    return lambda z, value: combine(z[value > 0.5], z[value <= 0.5]) / parts(z, value)[1]


def split_at(limit):
    """A wrong answer that splits the faces elsewhere."""

    def answer(z, value):
        has = value > limit(value)
        return (z[has].mean(dim=0) - z[~has].mean(dim=0)) / (value[has].mean() - value[~has].mean())

    return answer


def faces(count, with_it, dim=4):
    """Codes away from the origin that move with the value; so many values above 0.5, far from even."""

    def inputs(g):
        has = torch.randperm(count, generator=g) < with_it
        value = torch.rand(count, generator=g) * 0.45 + 0.53 * has
        slope = torch.tensor([1.0, 0.0, -2.0, 0.5])[:dim]
        noise = torch.randn(count, dim, generator=g)
        return noise + torch.tensor([2.0, -1.0, 0.5, 1.0])[:dim] + value[:, None] * slope, value

    return inputs


CHECK = Check(
    label_direction,
    inputs={"": faces(11, 3), "most faces have the attribute": faces(13, 9), "one face has it": faces(7, 1),
            "a code has two numbers": faces(9, 4, dim=2)},
    mistakes=[
        Mistake(of_parts(lambda step, gap: step), "This is the step between the two averages. How much of the range is "
            "it worth? Divide by what the average value gains from one group to the other."),
        Mistake(of_parts(lambda step, gap: step * gap), "You multiply by the gain of the average value. The step is "
            "worth LESS than the whole range, so it has to become longer: divide."),
        Mistake(of_parts(lambda step, gap: -step / gap), "Your step leads from the faces with the attribute to those "
            "without it. Which average is to be subtracted from which?"),
        Mistake(of_parts(lambda step, gap: normalize(step, dim=0)), "You give the step the length 1. How long it is, "
            "is to be decided by what it is worth: divide by the gain of the average value."),
        Mistake(of_parts(lambda step, gap: normalize(step, dim=0) / gap), "You give the step the length 1 before you "
            "divide. Its own length leads from the one average to the other: keep it."),
        Mistake(of_groups(lambda some, others: some.mean(dim=0)), "You take the average code WITH the attribute: a "
            "place, not a step. Subtract the average code of the other faces."),
        Mistake(of_groups(lambda some, others: some.mean(dim=0) + others.mean(dim=0)), "You add the two averages. A "
            "step from one place to another is their difference."),
        Mistake(of_groups(lambda some, others: some.sum(dim=0) - others.sum(dim=0)), "You subtract sums of codes, so "
            "the larger group wins. Take the mean of each group."),
        Mistake(of_groups(lambda some, others: some.mean() - others.mean()), "You average over the dimensions too. A "
            "step has one number for each dimension: mean(dim=0)."),
        Mistake(of_groups(lambda some, others: some.median(dim=0).values - others.median(dim=0).values), "You take "
            "medians of the codes. Take means."),
        Mistake(of_groups(lambda some, others: some[0] - others[0]), "You subtract one code from another. Two faces "
            "differ in much besides the attribute: average each group."),
        Mistake(lambda z, value: (z[value > 0.5].mean(dim=0) - z.mean(dim=0)) / parts(z, value)[1], "You subtract the "
            "average over ALL codes. Subtract the average of those without the attribute."),
        Mistake(lambda z, value: (z * (value > 0.5)[:, None]).mean(dim=0) - (z * (value <= 0.5)[:, None]).mean(dim=0),
            "z * has keeps the other rows as zeros, and the mean counts them. z[has] drops them. The step must also be "
            "divided by the gain of the average value."),
        Mistake(split_at(torch.median), "You split the faces at the median. A face has the attribute if its value is "
            "above 0.5."),
        Mistake(split_at(torch.mean), "You split the faces at the mean value. A face has the attribute if its value "
            "is above 0.5."),
        Mistake(lambda z, value: parts(z, value)[0] / value[value > 0.5].mean(), "You divide by the average value of "
            "those with the attribute. The others' average is not 0: divide by the difference of the two."),
        Mistake(lambda z, value: ((z - z.mean(dim=0)) * (value - value.mean())[:, None]).mean(dim=0)
            / (value - value.mean()).square().mean(), "You fit a straight line of each code number against the value. "
            "That is a good direction too, but a slightly different one: here, subtract the averages of two groups."),
        Mistake(lambda z, value: label_direction(z, value) / z.std(dim=0), "You divide by the standard deviation of "
            "each dimension. The step leads between the codes as they are."),
    ],
)  # fmt: skip
