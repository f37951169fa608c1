"""Codes in the plane, by class."""

import pytest
import torch
from matplotlib.colors import to_rgb

from course_utils import plots


def test_scatter_shows_each_class_with_its_own_colour_marker_and_name():
    z = torch.tensor([[0.0, 0.0], [4.0, 1.0], [0.2, 0.1], [4.2, 1.2]])
    ax = plots.latent_scatter(z, torch.tensor([0, 2, 0, 2]), ["bag", "coat", "boot"])
    points = {c.get_label(): c for c in ax.collections}
    assert points["boot"].get_offsets().data == pytest.approx(z[[1, 3]].numpy())
    assert len(points["coat"].get_offsets()) == 0
    faces = [tuple(c.get_facecolor()[0][:3]) for c in ax.collections]
    assert faces == [to_rgb(color) for color in plots.PALETTE[:3]]
    vertices = {len(c.get_paths()[0].vertices) for c in ax.collections}
    assert len(vertices) > 1, "classes must differ in shape too"
    assert {text.get_text() for text in ax.texts} == {"bag", "boot"}
