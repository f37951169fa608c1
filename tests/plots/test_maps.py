"""Maps side by side."""

import numpy as np
import pytest

from course_utils import plots


def test_a_grid_of_maps_has_one_legend_and_a_place_for_each():
    points = {name: np.random.default_rng(k).normal(size=(30, 2)) for k, name in enumerate("abcde")}
    axes = plots.map_grid(points, np.arange(30) % 3, ["bag", "coat", "boot"], columns=3)
    figure = axes[0, 0].figure
    figure.canvas.draw()
    assert [ax.get_title() for ax in axes.flat] == [*"abcde", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bag", "coat", "boot"]
    assert np.concatenate([one.get_offsets() for one in axes[1, 1].collections]).shape == (30, 2)
    assert not axes[1, 2].axison
    with pytest.raises(ValueError, match="no maps"):
        plots.map_grid({}, [], [])
