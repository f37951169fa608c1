"""Modes that samples cover, counted on known points."""

import math

import pytest
import torch

from course_utils.data import ring_of_gaussians
from course_utils.metrics import modes_covered


def test_modes_of_known_points():
    angle = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([angle.cos(), angle.sin()], dim=1)
    real, labels = ring_of_gaussians(4000, std=0.05, generator=torch.Generator().manual_seed(0))
    found = modes_covered(real, centres, 0.05)
    assert found.modes == 8
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.006)  # a disc of 3 standard deviations
    three = modes_covered(real[labels < 3], centres, 0.05)
    assert (three.modes, three.counts[3:].tolist()) == (3, [0] * 5)
    middle = modes_covered(torch.zeros(10, 2), centres, 0.05)
    assert (middle.modes, middle.quality) == (0, 0.0)
    one = torch.cat([centres[:1].expand(99, 2), centres[4:5] + 0.1])
    assert modes_covered(one, centres, 0.05).modes == 2
    assert modes_covered(one, centres, 0.05, at_least=2).modes == 1
    assert modes_covered(one, centres, 0.05, radius=2.5).modes == 1, "0.1 in both coordinates is 2.83 of 0.05"


def test_modes_that_cannot_be_counted():
    with pytest.raises(ValueError, match="at least one point"):
        modes_covered(torch.zeros(0, 2), torch.zeros(8, 2), 0.1)
    with pytest.raises(ValueError, match="std is 0"):
        modes_covered(torch.zeros(3, 2), torch.zeros(8, 2), 0)
    with pytest.raises(ValueError, match="there are no centres"):
        modes_covered(torch.zeros(3, 2), torch.zeros(0, 2), 0.1)


def test_points_that_are_not_finite():
    with pytest.raises(ValueError, match="NaN or infinite values in points"):
        modes_covered(torch.tensor([[0.0, torch.nan]]), torch.zeros(1, 2), 1.0)
