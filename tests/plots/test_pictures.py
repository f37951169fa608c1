"""Images as grids, rows, canvases and scattered over a map."""

import numpy as np
import pytest
import torch

from course_utils import plots


def test_grid_puts_each_image_in_its_cell():
    images = torch.rand(5, 3, 6, 4)
    picture = plots.image_grid(images, columns=3).images[0].get_array()
    gap = 1
    assert picture.shape == (2 * (6 + gap), 3 * (4 + gap), 4)
    for i in range(5):
        top, left = (i // 3) * (6 + gap) + gap, (i % 3) * (4 + gap)
        torch.testing.assert_close(
            torch.tensor(picture[top : top + 6, left : left + 4, :3]), images[i].permute(1, 2, 0).double()
        )
    assert (picture[7:, 10:, 3] == 0).all(), "the unused cell must stay clear"


def test_grid_accepts_rows_of_bytes():
    images = np.arange(2 * 3 * 1 * 5 * 4, dtype=np.uint8).reshape(2, 3, 1, 5, 4)
    picture = np.asarray(plots.image_grid(images).images[0].get_array())
    assert picture[1:6, 5:9, 0] == pytest.approx(images[0, 1, 0] / 255)
    assert picture[7:12, 10:14, 2] == pytest.approx(images[1, 2, 0] / 255)


def test_rows_carry_their_labels_in_order():
    ax = plots.image_rows(
        {"first": np.zeros((3, 1, 6, 4)), "second": np.ones((3, 1, 6, 4))}, column_titles=["p", "q", "r"]
    )
    picture = np.asarray(ax.images[0].get_array())
    for label, tick in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True):
        assert picture[round(tick), 1, 0] == {"first": 0, "second": 1}[label.get_text()]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["p", "q", "r"]


def test_canvas_draws_each_image_around_its_own_coordinates():
    rows, columns = 3, 5
    x, y = np.linspace(-1, 2, columns), np.linspace(0, 4, rows)[::-1]  # row 0 has the largest y
    images = np.zeros((rows, columns, 1, 4, 4))
    images[0, 3] = 1
    ax = plots.latent_canvas(images, (-1, 2), (0, 4))
    picture, (left, right, bottom, top) = np.asarray(ax.images[0].get_array()), ax.images[0].get_extent()
    lit = np.argwhere(picture[..., 0] == 1).mean(axis=0) + 0.5
    assert left + lit[1] / picture.shape[1] * (right - left) == pytest.approx(x[3])
    assert top + lit[0] / picture.shape[0] * (bottom - top) == pytest.approx(y[0])


def test_image_scatter_puts_each_image_at_its_own_code():
    z = torch.tensor([[0.0, 5.0], [2.0, -1.0]])
    images = torch.stack([torch.zeros(1, 4, 6), torch.ones(1, 4, 6)])
    ax = plots.image_scatter(z, images, background=torch.tensor([[9.0, 0.0]]))
    boxes = [artist for artist in ax.artists if hasattr(artist, "xyann")]
    assert [tuple(box.xy) for box in boxes] == [(0.0, 5.0), (2.0, -1.0)]
    assert [float(np.asarray(box.offsetbox.get_data())[..., 0].mean()) for box in boxes] == [0.0, 1.0]
    assert ax.get_xlim()[1] > 9
    with pytest.raises(ValueError, match=r"z has shape \(3, 2\) and images \(2, 1, 4, 6\)"):
        plots.image_scatter(torch.zeros(3, 2), images)


def test_thumbnails_stand_at_points_far_from_each_other():
    points = np.concatenate([np.zeros((20, 2)), [[1, 0], [0, 1]]]) + 1e-3 * np.arange(22)[:, None]
    ax = plots.latent_map(points, np.zeros(22), ["bag"], images=torch.rand(22, 1, 6, 4), thumbnails=3)
    places = {tuple(np.round(child.xy, 1)) for child in ax.get_children() if hasattr(child, "offsetbox")}
    assert places == {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)}
    assert len(ax.get_xticks()) == 0
    with pytest.raises(ValueError, match="3 images for 22 points"):
        plots.latent_map(points, np.zeros(22), ["bag"], images=torch.rand(3, 1, 6, 4))
