"""Curves, spectra and histograms."""

import numpy as np
import pytest

from course_utils import plots


def _epochs():
    return [
        {"epoch": k, "train": {"loss": 9.0 / k, "kl": 1.0 * k}, "validation": {"loss": 10.0 / k, "kl": 2.0 * k}}
        for k in (1, 2, 3)
    ]


def test_training_curves_draw_the_numbers_of_the_history():
    class History:
        epochs = _epochs()

    ax = plots.training_curves(History(), terms=["kl"])
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["kl, training"].get_ydata() == pytest.approx([1, 2, 3])
    assert lines["kl, validation"].get_ydata() == pytest.approx([2, 4, 6])
    assert lines["kl, training"].get_linestyle() != lines["kl, validation"].get_linestyle()
    without = [entry | {"validation": None} for entry in _epochs()]
    assert len(plots.training_curves(without).lines) == 1


def test_spectrum_marks_where_the_share_is_reached():
    ax = plots.spectrum([0.5, 0.3, 0.15, 0.05], mark=0.9)
    assert ax.texts[0].get_text() == "3 components: 95%"
    assert ax.texts[0].xy == (3, 0.9)
    assert not plots.spectrum([0.5, 0.2], mark=0.9).texts


def test_histogram_areas_are_one_on_common_bins():
    ax = plots.error_histogram({"a": np.random.default_rng(0).gamma(2, 3, 400), "b": np.array([1.0, 50.0])}, bins=7)
    for patch in ax.patches:
        corners = patch.get_xy()[:-1]
        x, y = corners[:, 0], corners[:, 1]
        assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == pytest.approx(1)


def test_logarithmic_axis_with_few_values_names_them():
    ax = plots.curves({"a": ([2, 8, 32], [3, 2, 1])}, "k", "error", log_x=True)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2", "8", "32"]
