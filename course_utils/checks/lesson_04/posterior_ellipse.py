"""posterior-ellipse: the half-axes of the ellipse that holds a share of a two-dimensional Gaussian."""

import math

import torch

from course_utils.checks._check import Check, Mistake


def half_axes(std, share):
    return math.sqrt(-2 * math.log(1 - share)) * std


def radius(r):
    """A wrong answer that multiplies std by another function of the share."""
    return lambda std, share: r(share) * std


def clouds(count, share=None):
    def inputs(g):
        drawn = 0.2 + 0.7 * torch.rand(1, generator=g).item()
        return 0.2 + 2 * torch.rand(count, 2, generator=g), drawn if share is None else share

    return inputs


ndtri = torch.special.ndtri

CHECK = Check(
    half_axes,
    inputs={"": clouds(3), "there is one cloud": clouds(1), "the share is small": clouds(4, 0.03),
            "the share is large": clouds(5, 0.995)},
    mistakes=[
        Mistake(radius(lambda share: 1.0),
                "Your half-axes are the standard deviations whatever the share is. In two dimensions one standard "
                "deviation holds 39% only: solve exp(-r^2 / 2) = 1 - share for r."),
        Mistake(radius(lambda share: 2.0),
                "Your half-axes are two standard deviations whatever the share is: solve exp(-r^2 / 2) = 1 - share "
                "for r."),
        Mistake(radius(lambda share: -2 * math.log(1 - share)),
                "You use r squared as r. What undoes the square?"),
        Mistake(radius(lambda share: -math.log(1 - share)),
                "The 2 and the root are missing: exp(-r^2 / 2) = 1 - share gives r^2 = -2 log(1 - share)."),
        Mistake(radius(lambda share: math.sqrt(-2 * math.log(share))),
                "You solved exp(-r^2 / 2) = share. That is the share OUTSIDE; the share inside is 1 minus it."),
        Mistake(radius(lambda share: -2 * math.log(share)),
                "You solved exp(-r^2 / 2) = share, for r^2. The share inside is 1 minus that, and the square has to be "
                "undone."),
        Mistake(radius(lambda share: math.sqrt(-math.log(share))),
                "You solved exp(-r^2) = share. The exponent is -r^2 / 2, and the share inside is 1 minus it."),
        Mistake(lambda std, share: half_axes(std**2, share),
                "You multiply by the variance. An axis has the unit of z, as the standard deviation has."),
        Mistake(lambda std, share: half_axes(std.sqrt(), share),
                "You multiply by the root of std. std is the root of the variance already."),
        Mistake(lambda std, share: half_axes(torch.exp(0.5 * std), share),
                "You treat std as if it were logvar. It is the standard deviation already."),
        Mistake(lambda std, share: half_axes(1 / std, share),
                "You divide by std, so wide clouds get small ellipses. Which way round should it be?"),
        Mistake(lambda std, share: std * 0 + half_axes(1.0, share),
                "All your ellipses are the same circle: std does not enter. What has the share r = 1, and what do its "
                "axes have to do with std?"),
        Mistake(lambda std, share: std + half_axes(1.0, share),
                "You add r to std. A cloud twice as wide has an ellipse twice as large: which operation is that?"),
        Mistake(lambda std, share: half_axes(std.mean(dim=1, keepdim=True).expand_as(std), share),
                "Both axes get the mean of the two standard deviations, which makes circles. Each has its own."),
        Mistake(lambda std, share: half_axes(std.norm(dim=1, keepdim=True).expand_as(std), share),
                "Both axes get the length of the row of std, which makes circles. Each has its own number."),
        Mistake(lambda std, share: half_axes(std.mean(dim=0, keepdim=True).expand_as(std), share),
                "All clouds get the same axes: you average std over the batch. Each cloud has its own."),
        Mistake(lambda std, share: half_axes(std.flip(1), share),
                "The two axes are swapped: the first half-axis belongs to the first number of std."),
        Mistake(lambda std, share: half_axes(std.prod(dim=1), share),
                "You return one number for each cloud. An ellipse has two half-axes, one for each number of std."),
        Mistake(radius(lambda share: math.sqrt(-math.log(1 - share))),
                "The 2 is missing: exp(-r^2 / 2) = 1 - share gives r^2 = -2 log(1 - share)."),
        Mistake(radius(lambda share: 2 * math.sqrt(-math.log(1 - share))),
                "Your r is the root of -4 log(1 - share): a 2 before the root counts as a 4 inside. It is r^2 that "
                "equals -2 log(1 - share)."),
        Mistake(radius(lambda share: 2 * math.sqrt(-2 * math.log(1 - share))),
                "You return the whole axes. A half-axis goes from the centre to the rim."),
        Mistake(radius(lambda share: 0.5 * math.sqrt(-2 * math.log(1 - share))),
                "You halve r. It is the distance from the centre to the rim already: nothing is left to be halved."),
        Mistake(radius(lambda share: math.sqrt(-2 * math.log10(1 - share))),
                "You took the logarithm to base 10. exp is undone by the natural logarithm."),
        Mistake(radius(lambda share: math.sqrt(-2 * math.log2(1 - share))),
                "You took the logarithm to base 2. exp is undone by the natural logarithm."),
        Mistake(radius(lambda share: math.sqrt(2 * math.log(1 + share))),
                "You took log(1 + share). Which sign has the share on the right side of exp(-r^2 / 2) = 1 - share?"),
        Mistake(radius(lambda share: math.nan),
                "Your result is not a number (nan): log(1 - share) is negative, and so is what stands under the root. "
                "Which sign is missing?"),
        Mistake(radius(lambda share: 1 - math.exp(-(share**2) / 2)),
                "You put the share in the place of r: 1 - exp(-r^2 / 2) is the share for a given r. Here r is wanted: "
                "solve for it."),
        Mistake(radius(lambda share: math.exp(-(share**2) / 2)),
                "You put the share in the place of r. Here r is wanted: solve exp(-r^2 / 2) = 1 - share for it."),
        Mistake(radius(lambda share: ndtri(torch.tensor((1 + share) / 2))),
                "That is the interval that holds the share in ONE dimension. In two, both coordinates must stay close "
                "at once: use exp(-r^2 / 2) = 1 - share."),
        Mistake(radius(lambda share: ndtri(torch.tensor((1 + math.sqrt(share)) / 2))),
                "That is half of a RECTANGLE that holds the share: each coordinate lies within it with the root of the "
                "share. For the ellipse use exp(-r^2 / 2) = 1 - share."),
        Mistake(radius(lambda share: ndtri(torch.tensor(share))),
                "That is the quantile of a Gaussian in one dimension, on one side. For the ellipse use "
                "exp(-r^2 / 2) = 1 - share."),
        Mistake(radius(lambda share: share),
                "You multiply std by the share. How far out must one go to have the share inside? Solve "
                "exp(-r^2 / 2) = 1 - share for r."),
        Mistake(radius(lambda share: math.sqrt(share)),
                "You multiply std by the root of the share. The density falls outwards: solve exp(-r^2 / 2) = 1 - "
                "share for r."),
        Mistake(lambda std, share: half_axes(1.0, share),
                "You return r alone. The half-axes are r times the standard deviations."),
    ],
)  # fmt: skip
