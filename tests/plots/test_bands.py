"""Bands over seeds: from the lowest run to the highest."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils import plots


def test_bands_reach_from_the_lowest_run_to_the_highest():
    values = np.array([[3.0, 2.0, 1.0], [5.0, 2.5, 0.0]])
    ax = plots.seed_bands(
        {"Adam": (torch.tensor([1, 2, 4]), torch.tensor(values)), "other": ([1, 2, 4], -values)}, "x", "y"
    )
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 4], [2, 2.25], [4, 0.5]])
    edge = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices.tolist()}
    assert {(1.0, 3.0), (1.0, 5.0), (4.0, 0.0), (4.0, 1.0)} <= edge
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Adam (2 runs)", "other (2 runs)"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ({}, "there are no runs to draw: give a dictionary, {label"),
        ({"a": ([1, 2], [[1.0, 2.0, 3.0]])}, "as many"),
        ({"a": ([1.0], [[float("nan")]])}, "NaN"),
    ],
)
def test_bands_name_what_does_not_fit(runs, words):
    with pytest.raises(ValueError, match=words):
        plots.seed_bands(runs, "x", "y")
