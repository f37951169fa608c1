"""How many modes of a known mixture generated points reach."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.inputs import centred, numbers


@dataclass(frozen=True)
class ModeCoverage:
    """What `modes_covered` finds.

    Attributes:
        modes: Number of centres with enough points near them.
        quality: Share of the points that lie near some centre, 0 to 1.
        counts: Points near each centre, int64 (K,).
    """

    modes: int
    quality: float
    counts: Tensor


def modes_covered(
    points: Tensor, centres: Tensor, std: float, *, radius: float = 3.0, at_least: int = 1
) -> ModeCoverage:
    """How many Gaussians of a mixture are reached, and how many points lie in any (Srivastava et al. 2017, sec. 4).

    A point counts for its nearest centre if it is at most ``radius * std`` away; a mode is covered if ``at_least``
    points count for it. Of the points of a Gaussian in the plane 98.9% lie within 3 standard deviations. Collapsed
    generators score few modes, vague ones a low quality: look at both. Lesson 10.

    Args:
        points: Generated points (N, D).
        centres: Centres of the mixture (K, D).
        std: Standard deviation of its Gaussians.
        radius: How many standard deviations count as near.
        at_least: Points that a mode needs. With 1, as in the paper, a single stray point covers a mode.

    Returns:
        A ModeCoverage.

    Raises:
        ValueError: There are no points or centres, their dimensions differ, or std, radius or at_least is not positive.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
        >>> found = modes_covered(torch.tensor([[0.1, 0.0], [0.0, 0.1], [2.1, 0.0], [9.0, 9.0]]), centres, std=0.1)
        >>> found.modes, found.quality, found.counts.tolist()
        (2, 0.75, [2, 0, 1])
    """
    points, centres = numbers(points, "points"), numbers(centres, "centres")
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1] or not points.numel():
        raise ValueError(
            f"points have shape {tuple(points.shape)} and centres {tuple(centres.shape)}: give (N, D) and (K, D), with "
            "at least one point."
        )
    if not len(centres):
        raise ValueError("there are no centres: give at least one, (K, D).")
    if not (std > 0 and radius > 0 and at_least >= 1):
        raise ValueError(
            f"std is {std}, radius {radius} and at_least {at_least}: std and radius must be positive, at_least 1 or "
            "more."
        )
    distance, nearest = torch.cdist(*centred(points, centres.to(points.device))).min(dim=1)
    counts = nearest[distance <= radius * std].bincount(minlength=len(centres))
    return ModeCoverage(int((counts >= at_least).sum()), counts.sum().item() / len(points), counts.cpu())
