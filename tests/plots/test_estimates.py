"""Estimates with error bars show what they are given."""

import matplotlib
import numpy as np
import pytest
import torch

from course_utils.plots import estimates

matplotlib.use("Agg")


def test_points_bars_and_the_exact_value():
    ax = estimates(torch.tensor([10, 100, 1000]), [1.5, 0.8, 1.1], np.array([0.6, 0.3, 0.1]), exact=1.0, ylabel="KL")
    (bars,) = ax.containers
    points, _, (lines,) = bars.lines
    np.testing.assert_allclose(points.get_xydata(), [[10, 1.5], [100, 0.8], [1000, 1.1]])
    np.testing.assert_allclose([segment[:, 1] for segment in lines.get_segments()], [[0.9, 2.1], [0.5, 1.1], [1, 1.2]])
    exact = next(line for line in ax.lines if line.get_label() == "exact")
    assert set(exact.get_ydata()) == {1.0}
    assert (ax.get_xscale(), ax.get_ylabel()) == ("log", "KL")


def test_without_an_exact_value_there_is_no_line():
    ax = estimates([1, 2], [0.0, 0.0], [1.0, 1.0])
    assert all(line.get_label() != "exact" for line in ax.lines)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (([1, 2], [0.0], [1.0]), "2 counts, 1 means"),
        (([0, 2], [0.0, 0.0], [1.0, 1.0]), "a count is 0"),
        (([1, 2], [0.0, 0.0], [1.0, -0.5]), "cannot be negative"),
    ],
)
def test_bad_input_is_named(given, words):
    with pytest.raises(ValueError, match=words):
        estimates(*given)
