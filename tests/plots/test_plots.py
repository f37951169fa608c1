"""Figures show what they are given, where they should, legibly, and refuse what they cannot draw."""

import itertools

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from course_utils import plots
from course_utils.plots.style import spread_labels


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _epochs():
    return [
        {"epoch": k, "train": {"loss": 9.0 / k, "kl": 1.0 * k}, "validation": {"loss": 10.0 / k, "kl": 2.0 * k}}
        for k in (1, 2, 3)
    ]


def _chart():
    series = [plots.Series("a", [0, 1], [0, 1]), plots.Series("b", 0.5, kind="markers")]
    return plots.Chart(series, (0, 1), (0, 1), "x", "y")


DRAWN = {
    "image_grid": lambda **ax: plots.image_grid(np.full((5, 1, 6, 4), 0.5), columns=3, titles=list("abcde"), **ax),
    "image_rows": lambda **ax: plots.image_rows({"x": torch.zeros(3, 3, 6, 4), "y": torch.ones(3, 3, 6, 4)}, **ax),
    "latent_canvas": lambda **ax: plots.latent_canvas(torch.rand(3, 4, 1, 6, 5), (-1, 2), (0, 4), **ax),
    "image_scatter": lambda **ax: plots.image_scatter(torch.randn(3, 2), torch.rand(3, 1, 6, 4), **ax),
    "latent_scatter": lambda **ax: plots.latent_scatter(
        torch.randn(90, 2), torch.arange(90) % 3, ["a", "b", "c"], **ax
    ),
    "latent_map": lambda **ax: plots.latent_map(
        torch.randn(90, 2), torch.arange(90) % 3, "abc", images=torch.rand(90, 1, 6, 4), thumbnails=5, **ax
    ),
    "curves": lambda **ax: plots.curves({"a": ([1, 2], [3, 4]), "b": ([1, 2], [4, 5])}, "k", "error", **ax),
    "training_curves": lambda **ax: plots.training_curves(_epochs(), terms=["loss", "kl"], **ax),
    "spectrum": lambda **ax: plots.spectrum([0.5, 0.3, 0.1, 0.05], **ax),
    "error_histogram": lambda **ax: plots.error_histogram({"a": torch.rand(50), "b": np.ones(9)}, **ax),
    "draw_chart": lambda **ax: plots.draw_chart(_chart(), **ax),
    "estimates": lambda **ax: plots.estimates([10, 100], [1.5, 0.8], [0.6, 0.3], exact=1.0, **ax),
    "seed_bands": lambda **ax: plots.seed_bands({"a": ([1, 2], [[3, 4], [4, 6]])}, "epoch", "loss", **ax),
    "roc_curve": lambda **ax: plots.roc_curve({"a": ([0, 0.2, 1], [0, 0.7, 1])}, scores={"a": 0.75}, **ax),
}
WITHOUT_AXES = {"image_grid", "image_rows"}
OWN_FIGURES = {"panel_table", "map_grid"}


def test_every_public_function_is_tried_here():
    assert {name for name in plots.__all__ if name.islower()} == set(DRAWN) | {
        "panel_table",
        "map_grid",
    }  # make their own figures


@pytest.mark.parametrize("name", DRAWN)
def test_text_is_legible_and_axes_are_labelled(name):
    ax = DRAWN[name]()
    ax.figure.canvas.draw()
    texts = [text for text in ax.figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert all(text.get_fontsize() >= 9 for text in texts)
    assert ax.figure.get_size_inches()[0] <= 9
    if name not in WITHOUT_AXES:
        assert ax.get_xlabel()
        assert ax.get_ylabel()


@pytest.mark.parametrize("name", DRAWN)
def test_given_axes_are_used_and_no_other_figure_is_made(name):
    figure, axes = plt.subplots(1, 2)
    assert DRAWN[name](ax=axes[1]) is axes[1]
    assert axes[1].has_data()
    assert not axes[0].has_data()
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", DRAWN)
def test_legends_stand_beside_or_above_the_data(name):
    ax = DRAWN[name]()
    ax.figure.canvas.draw()
    if ax.get_legend() is not None:
        legend, data = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert legend.x0 >= data.x1 or legend.y0 >= data.y1
        assert legend.x1 <= ax.figure.bbox.x1 + 1


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


BAD = {
    "three dimensions": (lambda: plots.image_grid(np.zeros((3, 28, 28))), r"shape \(3, 28, 28\)"),
    "two channels": (lambda: plots.image_grid(np.zeros((3, 2, 8, 8))), "2 channels"),
    "channels last": (lambda: plots.image_grid(np.zeros((3, 28, 28, 1))), "28 channels"),
    "range 255": (lambda: plots.image_grid(np.full((3, 1, 8, 8), 255.0)), "255"),
    "NaN": (lambda: plots.image_grid(np.full((3, 1, 8, 8), np.nan)), "NaN"),
    "empty": (lambda: plots.image_grid(np.zeros((0, 1, 8, 8))), "empty"),
    "titles": (lambda: plots.image_grid(np.zeros((3, 1, 8, 8)), titles=["one"]), "1 titles for 3 images"),
    "columns": (lambda: plots.image_grid(np.zeros((3, 1, 8, 8)), columns=0), "columns is 0"),
    "no rows": (lambda: plots.image_rows({}), "no rows"),
    "uneven rows": (lambda: plots.image_rows({"a": np.zeros((2, 1, 8, 8)), "b": np.zeros((3, 1, 8, 8))}), "differ"),
    "column titles": (lambda: plots.image_rows({"a": np.zeros((2, 1, 8, 8))}, column_titles=["x"]), "1 column titles"),
    "canvas of a list": (lambda: plots.latent_canvas(np.zeros((4, 1, 8, 8)), (0, 1), (0, 1)), "grid"),
    "backward range": (lambda: plots.latent_canvas(np.zeros((2, 2, 1, 8, 8)), (1, 0), (0, 1)), "x_range"),
    "codes in 3-D": (lambda: plots.latent_scatter(np.zeros((4, 3)), np.zeros(4), ["a"]), r"\(4, 3\)"),
    "unnamed label": (lambda: plots.latent_scatter(np.zeros((2, 2)), np.array([0, 5]), ["a"]), "0 to 5"),
    "eleven classes": (lambda: plots.latent_scatter(np.zeros((2, 2)), np.zeros(2), ["a"] * 11), "11 classes"),
    "no history": (lambda: plots.training_curves([]), "empty"),
    "unknown term": (lambda: plots.training_curves(_epochs(), terms=["elbo"]), "'elbo'.*loss, kl"),
    "variances": (lambda: plots.spectrum([12.0, 3.0]), "divide by the total"),
    "no groups": (lambda: plots.error_histogram({}), "no groups"),
    "NaN errors": (lambda: plots.error_histogram({"a": [1.0, np.nan]}), "NaN"),
    "rates": (lambda: plots.roc_curve({"a": ([0, 2], [0, 1])}), "from 0 to 1"),
    "no rates": (lambda: plots.roc_curve({}), "no curves"),
    "no series": (lambda: plots.curves({}, "x", "y"), "nothing to draw"),
    "lengths": (lambda: plots.curves({"a": ([1], [1, 2])}, "x", "y"), "1 x values and 2 y"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_sentence(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
    assert not plt.get_fignums() or case in {"unknown term", "rates", "lengths"}


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


def test_thumbnails_stand_at_points_far_from_each_other():
    points = np.concatenate([np.zeros((20, 2)), [[1, 0], [0, 1]]]) + 1e-3 * np.arange(22)[:, None]
    ax = plots.latent_map(points, np.zeros(22), ["bag"], images=torch.rand(22, 1, 6, 4), thumbnails=3)
    places = {tuple(np.round(child.xy, 1)) for child in ax.get_children() if hasattr(child, "offsetbox")}
    assert places == {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)}
    assert len(ax.get_xticks()) == 0
    with pytest.raises(ValueError, match="3 images for 22 points"):
        plots.latent_map(points, np.zeros(22), ["bag"], images=torch.rand(3, 1, 6, 4))


def test_numbers_of_16_bits_are_drawn_too():
    for dtype in (torch.float16, torch.bfloat16):
        axes = plots.curves({"a": (torch.arange(3, dtype=dtype), torch.tensor([0.5, 1.0, 4.0], dtype=dtype))}, "x", "y")
        assert axes.lines[0].get_ydata().tolist() == [0.5, 1.0, 4.0]
