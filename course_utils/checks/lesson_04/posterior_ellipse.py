"""posterior-ellipse: the half-axes of the ellipse that holds a share of a two-dimensional Gaussian."""

from math import exp, log, log2, log10, nan, sqrt

import torch
from torch.special import ndtri

from course_utils.checks._check import Check, Mistake


def half_axes(std, share):
    return sqrt(-2 * log(1 - share)) * std


def radius(r):
    """A wrong answer that multiplies std by another function of the share."""
    return lambda std, share: r(share) * std


def std_is(change):
    """A wrong answer that stretches something else than std."""
    return lambda std, share: half_axes(change(std), share)


def clouds(count, share=None):
    def inputs(g):
        drawn = 0.2 + 0.7 * torch.rand(1, generator=g).item()
        return 0.2 + 2 * torch.rand(count, 2, generator=g), drawn if share is None else share

    return inputs


CHECK = Check(
    half_axes,
    inputs={"": clouds(3), "there is one cloud": clouds(1), "the share is small": clouds(4, 0.03),
            "the share is large": clouds(5, 0.995)},
    mistakes=[
        Mistake(radius(lambda p: 1.0), "Your half-axes are the standard deviations whatever the share is. In two "
            "dimensions one standard deviation holds 39% only: solve exp(-r^2 / 2) = 1 - share for r."),
        Mistake(radius(lambda p: 2.0), "Your half-axes are two standard deviations whatever the share is: solve "
            "exp(-r^2 / 2) = 1 - share for r."),
        Mistake(radius(lambda p: -2 * log(1 - p)), "You use r squared as r. What undoes the square?"),
        Mistake(radius(lambda p: -log(1 - p)), "The 2 and the root are missing: exp(-r^2 / 2) = 1 - share gives r^2 = "
            "-2 log(1 - share)."),
        Mistake(radius(lambda p: sqrt(-2 * log(p))), "You solved exp(-r^2 / 2) = share. That is the share OUTSIDE; the "
            "share inside is 1 minus it."),
        Mistake(radius(lambda p: -2 * log(p)), "You solved exp(-r^2 / 2) = share, for r^2. The share inside is 1 minus "
            "that, and the square has to be undone."),
        Mistake(radius(lambda p: sqrt(-log(p))), "You solved exp(-r^2) = share. The exponent is -r^2 / 2, and the "
            "share inside is 1 minus it."),
        Mistake(std_is(lambda std: std**2), "You multiply by the variance. An axis has the unit of std."),
        Mistake(std_is(lambda std: std.sqrt()), "You take the root of std. It is the variance's root already."),
        Mistake(std_is(lambda std: torch.exp(0.5 * std)), "You treat std as if it were logvar. It is sigma itself."),
        Mistake(std_is(lambda std: 1 / std), "You divide by std, so wide clouds get small ellipses. Which way round?"),
        Mistake(lambda std, share: std * 0 + half_axes(1.0, share), "All your ellipses are the same circle: std does "
            "not enter. What has the share r = 1, and what do its axes have to do with std?"),
        Mistake(lambda std, share: std + half_axes(1.0, share), "You add r to std. A cloud twice as wide has an "
            "ellipse twice as large: which operation is that?"),
        Mistake(std_is(lambda std: std.mean(dim=1, keepdim=True).expand_as(std)), "Both axes get the mean of the two "
            "standard deviations, which makes circles. Each has its own."),
        Mistake(std_is(lambda std: std.norm(dim=1, keepdim=True).expand_as(std)), "Both axes get the length of the row "
            "of std, which makes circles. Each has its own number."),
        Mistake(std_is(lambda std: std.mean(dim=0, keepdim=True).expand_as(std)), "All clouds get the same axes: you "
            "average std over the batch. Each cloud has its own."),
        Mistake(std_is(lambda std: std.flip(1)), "The two axes are swapped: the first belongs to std's first number."),
        Mistake(std_is(lambda std: std.prod(dim=1)), "You return one number a cloud. An ellipse has two half-axes."),
        Mistake(radius(lambda p: sqrt(-log(1 - p))), "The 2 of exp(-r^2 / 2) = 1 - share is missing."),
        Mistake(radius(lambda p: 2 * sqrt(-log(1 - p))), "Your r is the root of -4 log(1 - share): a 2 before the root "
            "counts as a 4 inside. It is r^2 that equals -2 log(1 - share)."),
        Mistake(radius(lambda p: 2 * sqrt(-2 * log(1 - p))), "You return whole axes. Is the rim so far from the "
            "centre?"),
        Mistake(radius(lambda p: 0.5 * sqrt(-2 * log(1 - p))), "You halve r. It is the distance from the centre to the "
            "rim already: nothing is left to be halved."),
        Mistake(radius(lambda p: sqrt(-2 * log10(1 - p))), "Base 10: exp is undone by the natural logarithm."),
        Mistake(radius(lambda p: sqrt(-2 * log2(1 - p))), "Base 2: exp is undone by the natural logarithm."),
        Mistake(radius(lambda p: sqrt(2 * log(1 + p))), "You took log(1 + share). Which sign has the share on the "
            "right side of exp(-r^2 / 2) = 1 - share?"),
        Mistake(radius(lambda p: nan), "Your result is not a number (nan): log(1 - share) is negative, and so is what "
            "stands under the root. Which sign is missing?"),
        Mistake(radius(lambda p: 1 - exp(-(p**2) / 2)), "You put the share in the place of r: 1 - exp(-r^2 / 2) is the "
            "share for a given r. Here r is wanted: solve for it."),
        Mistake(radius(lambda p: exp(-(p**2) / 2)), "You put the share in the place of r. Here r is wanted: solve "
            "exp(-r^2 / 2) = 1 - share for it."),
        Mistake(radius(lambda p: ndtri(torch.tensor((1 + p) / 2))), "That is the interval that holds the share in ONE "
            "dimension. In two, both coordinates must stay close at once: use exp(-r^2 / 2) = 1 - share."),
        Mistake(radius(lambda p: ndtri(torch.tensor((1 + sqrt(p)) / 2))), "That is half of a RECTANGLE that holds the "
            "share: each coordinate lies within it with the root of the share. For the ellipse use exp(-r^2 / 2) = 1 - "
            "share."),
        Mistake(radius(lambda p: sqrt(-2 * log(1 - p / 100))), "You divide the share by 100. It is no percentage: it "
            "lies between 0 and 1 already."),
        *(Mistake(std_is(lambda std, down=down: std.sort(dim=1, descending=bool(down)).values), "You sort the "
            "axes by length. The first one belongs to the first number of std, whichever is longer.")
          for down in (0, 1)),
        Mistake(radius(lambda p: ndtri(torch.tensor(p))), "That is the quantile of a Gaussian in one dimension, on one "
            "side. For the ellipse use exp(-r^2 / 2) = 1 - share."),
        Mistake(radius(lambda p: p), "You multiply std by the share. How far out must one go to have the share inside? "
            "Solve exp(-r^2 / 2) = 1 - share for r."),
        Mistake(radius(lambda p: sqrt(p)), "You multiply std by the root of the share. The density falls outwards: "
            "solve exp(-r^2 / 2) = 1 - share for r."),
        Mistake(lambda std, share: half_axes(1.0, share), "You return r alone. What do the half-axes have to do with "
            "std?"),
    ],
)  # fmt: skip
