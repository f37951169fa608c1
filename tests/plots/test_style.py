"""Labels that do not overlap, and colours that stay apart."""

import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from course_utils import plots
from course_utils.plots.style import spread_labels


def test_labels_are_spread_until_none_overlap():
    points = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [30.0, 30.0]])
    widths, height = np.array([6.0, 9.0, 7.0, 5.0]), 2.0
    centres = spread_labels(points, widths, height)
    assert centres[3].tolist() == [30.0, 30.0]
    for i, j in itertools.combinations(range(4), 2):
        apart = np.abs(centres[i] - centres[j])
        assert apart[0] >= (widths[i] + widths[j]) / 2 - 1e-3 or apart[1] >= height - 1e-3


# Machado, Oliveira and Fernandes (2009), table 1, severity 1.0, on linear RGB.
DEFICIENCY = {
    "none": np.eye(3),
    "protan": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "deutan": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip


def _lab(color: str, matrix: np.ndarray) -> np.ndarray:
    """CIELAB of a colour as someone with the deficiency sees it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (matrix @ linear).clip(0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = [v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz / [0.95047, 1.0, 1.08883]]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _closest_pair(palette, matrix) -> float:
    colors = [_lab(color, matrix) for color in palette]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2))


@pytest.mark.parametrize("deficiency", DEFICIENCY)
def test_palette_stays_apart_for_colour_blind_readers(deficiency):
    assert len(set(plots.PALETTE)) == len(set(plots.MARKERS)) == 10
    tab10 = list(matplotlib.color_sequences["tab10"])
    assert _closest_pair(plots.PALETTE, DEFICIENCY[deficiency]) > 8
    if deficiency != "none":
        assert _closest_pair(tab10, DEFICIENCY[deficiency]) < 8, "the measure must tell a poor palette"
