"""Figures show what they are given, where they should, legibly, and refuse what they cannot draw."""

import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text

from course_utils import plots


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
    "101 classes": (lambda: plots.latent_scatter(np.zeros((2, 2)), np.zeros(2), ["a"] * 101), "101 classes.*only 100"),
    "no history": (lambda: plots.training_curves([]), "empty"),
    "unknown term": (lambda: plots.training_curves(_epochs(), terms=["elbo"]), "'elbo'.*loss, kl"),
    "variances": (lambda: plots.spectrum([12.0, 3.0]), "divide by the total"),
    "no groups": (lambda: plots.error_histogram({}), "no groups"),
    "NaN errors": (lambda: plots.error_histogram({"a": [1.0, np.nan]}), "NaN"),
    "rates": (lambda: plots.roc_curve({"a": ([0, 2], [0, 1])}), "from 0 to 1"),
    "no rates": (lambda: plots.roc_curve({}), "no curves"),
    "no series": (lambda: plots.curves({}, "x", "y"), "no series to draw: give a dictionary"),
    "lengths": (lambda: plots.curves({"a": ([1], [1, 2])}, "x", "y"), "1 x values and 2 y"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_sentence(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
    assert not plt.get_fignums()


def test_numbers_of_16_bits_are_drawn_too():
    for dtype in (torch.float16, torch.bfloat16):
        axes = plots.curves({"a": (torch.arange(3, dtype=dtype), torch.tensor([0.5, 1.0, 4.0], dtype=dtype))}, "x", "y")
        assert axes.lines[0].get_ydata().tolist() == [0.5, 1.0, 4.0]


Z, LABELS = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
IMAGES = torch.rand(6, 1, 6, 4, generator=torch.Generator().manual_seed(1))
NUMBERS = {  # where each function takes numbers
    "image_grid": (IMAGES, plots.image_grid),
    "image_rows": (IMAGES, lambda x: plots.image_rows({"a": IMAGES, "b": x})),
    "latent_canvas": (IMAGES.reshape(2, 3, 1, 6, 4), lambda x: plots.latent_canvas(x, (-1, 2), (0, 4))),
    "image_scatter": (Z, lambda z: plots.image_scatter(z, IMAGES)),
    "background": (Z, lambda z: plots.image_scatter(Z, IMAGES, background=z)),
    "latent_scatter": (Z, lambda z: plots.latent_scatter(z, LABELS, "abc")),
    "labels": (LABELS.float(), lambda labels: plots.latent_scatter(Z, labels, "abc")),
    "latent_map": (IMAGES, lambda x: plots.latent_map(Z, LABELS, "abc", images=x, thumbnails=2)),
    "map_grid": (Z, lambda z: plots.map_grid({"a": Z, "b": z}, LABELS, "abc")),
    "curves": (Z[:, 0], lambda x: plots.curves({"a": ([1, 2], [3, 4]), "b": (x, Z[:, 1])}, "x", "y")),
    "spectrum": (torch.tensor([0.5, 0.3, 0.1]), plots.spectrum),
    "error_histogram": (Z[:, 0], lambda x: plots.error_histogram({"a": x, "b": [1.0, 2.0]})),
    "roc_curve": (torch.tensor([0.0, 0.7, 1.0]), lambda x: plots.roc_curve({"a": (x, x)})),
    "estimates": (torch.tensor([10.0, 20.0]), lambda x: plots.estimates(x, x, x)),
    "seed_bands": (Z, lambda x: plots.seed_bands({"a": ([1, 2], [[3, 4]]), "b": ([1, 2], x)}, "x", "y")),
    "draw_chart": (Z[:, 0].abs(), lambda x: plots.draw_chart(plots.Chart([plots.Series("s", x, x)], *_ENDS))),
    "panel_table": (IMAGES[0], lambda x: plots.panel_table({"a": [x, IMAGES[0]]})),
}
_ENDS = ((0, 9), (0, 9), "x", "y")
FORMS = {
    "NumPy": lambda x: x.numpy(),
    "list of tensors with gradients": lambda x: list(x.clone().requires_grad_()),
    "gradients": lambda x: x.clone().requires_grad_(),
    "float64": lambda x: x.double(),
}
NO_FORMS = {
    "NaN": lambda x: torch.where(torch.arange(x.numel()).reshape(x.shape) == 1, torch.nan, x),
    "infinite": lambda x: x / 0,
    "masked": lambda x: np.ma.masked_greater(x.numpy(), float(x.median())),
    "complex": lambda x: x.to(torch.complex64),
    "sparse": lambda x: x.to_sparse(),
    "text": lambda x: "abc",
    "nothing": lambda x: None,
    "ragged": lambda x: [[1.0, 2.0], [3.0]],
    "dictionary": lambda x: {"a": x},
    "empty": lambda x: x[:0],
}


def picture(result) -> np.ndarray:
    figure = np.ravel(result)[0].figure
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()


@pytest.mark.parametrize("name", NUMBERS)
def test_the_same_numbers_in_any_form_give_the_same_figure(name):
    right, draw = NUMBERS[name]
    wanted = picture(draw(right))
    for form, change in FORMS.items():
        assert np.array_equal(picture(draw(change(right))), wanted), form


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_cannot_be_drawn_get_a_sentence_and_leave_no_figure(name):
    right, draw = NUMBERS[name]
    for form, change in NO_FORMS.items():
        if form == "nothing" and name in {"background", "latent_map"}:
            continue  # these may be None
        with pytest.raises((TypeError, ValueError)) as error:
            draw(change(right))
        assert re.search(r"give |leave them out|nothing to draw|look for|'b' has|rates of", str(error.value)), form
        assert "\n" not in str(error.value)
        assert not plt.get_fignums(), form


def test_a_failed_plot_leaves_given_axes_as_they_were():
    figure, (ours, _) = plt.subplots(1, 2)
    plots.curves({"mine": ([1, 2], [3, 4])}, "x", "y", ax=ours)
    before = ours.get_children()
    with pytest.raises(ValueError, match="1 x values and 2 y"):
        plots.curves({"a": ([1, 2], [3, 4]), "b": ([1], [1, 2])}, "x", "y", ax=ours)
    assert ours.get_children() == before
    assert plt.get_fignums() == [figure.number]
    with pytest.raises(TypeError, match=r"ax is a tuple: give one matplotlib axes, for example plt\.subplots\(\)\[1\]"):
        plots.spectrum([0.5], ax=plt.subplots())


def test_curves_may_have_gaps():
    y = plots.curves({"a": ([1, 2, 3], [1.0, math.nan, 3.0])}, "x", "y").lines[0].get_ydata()
    assert np.isnan(y).tolist() == [False, True, False]


def test_from_the_eleventh_class_on_colours_come_again_with_other_markers():
    ax = plots.latent_scatter(torch.rand(52, 2), torch.arange(52) % 26, [chr(97 + k) for k in range(26)])
    looks = {(to_hex(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes()) for one in ax.collections}
    assert len(looks) == len(ax.collections) == 26
    assert [to_hex(one.get_facecolor()[0]) for one in ax.collections[10:20]] == list(plots.PALETTE)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.training_curves(_epochs(), terms="los"), "no term 'los'"),
        (lambda: plots.curves({"a": [1.0, 2.0, 3.0]}, "x", "y"), "'a' is no tuple of 2 arrays"),
        (lambda: plots.curves([1.0, 2.0], "x", "y"), r"series are a list: give a dictionary, \{label: \(x, y\)\}"),
        (lambda: plots.training_curves([0.5, 0.4]), "history is a list: give what `training.fit` returns"),
        (lambda: plots.latent_scatter(Z, LABELS + 0.5, "abc"), "labels hold 0.5: give whole numbers"),
        (lambda: plots.map_grid({"a": Z}, LABELS, "abc", columns=0), "columns is 0"),
        (lambda: plots.panel_table({"a": [IMAGES[0]]}, column_titles="ab"), "2 column titles for 1 columns"),
        (lambda: plots.panel_table({"a": [IMAGES[0] * 255]}), "reach from .* scale them"),
        (lambda: plots.panel_table({"a": [IMAGES[0].tolist(), None]}), "an image of 'a' cannot be read"),
        (lambda: plots.image_grid(IMAGES, titles=Z[:5, 0]), "5 titles for 6 images"),
        (lambda: plots.latent_canvas(IMAGES.reshape(2, 3, 1, 6, 4), None, (0, 1)), "x_range is None: give two finite"),
        (lambda: plots.Chart([plots.Series("s", 1, 1)], (0, 1, 2), (0, 1), "x", "y"), r"x_range is \(0, 1, 2\)"),
    ],
)
def test_what_is_wrong_with_an_argument_is_named(draw, message):
    with pytest.raises((TypeError, ValueError), match=message):
        draw()
    assert not plt.get_fignums()


def test_titles_may_be_numbers():
    assert [one.get_text() for one in plots.image_grid(IMAGES, titles=np.arange(6) / 4).texts][:2] == ["0.0", "0.25"]
