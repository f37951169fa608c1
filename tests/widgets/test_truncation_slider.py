"""The truncation slider: the images of truncated codes in each space, what the browser is told, and every bad input."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_models import style_gan
from widgets.test_widgets import browser_moves

from course_utils.models.styles import truncate_w
from course_utils.widgets import TruncationSlider

SHAPE, K = (3, 16, 24), 3


@pytest.fixture(scope="module")
def model():
    return style_gan(SHAPE)


@pytest.fixture(scope="module")
def plain():
    return style_gan(SHAPE, mapping_layers=0)


@pytest.fixture(scope="module")
def z():
    return torch.randn(K, 7, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def slider(model, plain, z):
    w = model.map(z).detach()
    several = model.generator.styles(w), model.mean_w  # one mean for all layers
    spaces = {"z": (plain, z, None), "w": (model.in_w(), w, model.mean_w)}
    return TruncationSlider(spaces | {"w+": (model.in_w(per_layer=True), *several)}, start=0.5)


def test_the_images_are_those_of_truncated_codes(slider, model, plain, z):
    w = model.map(z).detach()
    assert model.mean_w.abs().min() > 0.01, "a mean of 0 says nothing"
    for psi in (0.5, 0.0, 1.0, 1.35):
        slider.move_to(psi)
        with torch.inference_mode():
            wanted = model.generator.synthesize(truncate_w(w, model.mean_w, psi))
            torch.testing.assert_close(slider.images["w"], wanted)
            torch.testing.assert_close(slider.images["w+"], wanted)
            torch.testing.assert_close(slider.images["z"], plain.decode(psi * z))
    assert not torch.allclose(slider.images["w"], slider.images["z"], atol=0.02)


def test_the_sentence_says_how_much_the_images_of_a_row_differ(slider):
    slider.move_to(1)
    told = []
    for name, x in slider.images.items():
        off = np.mean([abs(x[i] - x[j]).mean() for i in range(K) for j in range(i)])
        assert off > 0.02
        told.append(f"{name} {off:.2f}")
    wanted = f"psi = 1.00. Mean difference of a pixel between two images of a row: {', '.join(told)}."
    assert slider.text == wanted
    slider.move_to(0)
    assert slider.text.endswith("z 0.00, w 0.00, w+ 0.00.")


def test_where_only_the_direction_of_z_counts_truncation_in_z_does_nothing(model, z):
    slider = TruncationSlider({"z": (model, z, None)}, start=1.5)
    first = slider.images["z"]
    slider.move_to(0.2)
    torch.testing.assert_close(slider.images["z"], first, atol=1e-4, rtol=0)


def test_what_the_browser_is_told_and_sends(slider):
    spec = slider._spec
    assert (spec["kind"], spec["label"], spec["min"], spec["max"], spec["start"]) == ("slider", "psi", 0, 1.5, 0.5)
    assert [(row["title"], len(row["panels"])) for row in spec["rows"]] == [("z", K), ("w", K), ("w+", K)]
    assert all(panel["size"] >= 128 for row in spec["rows"] for panel in row["panels"])
    assert slider._answer["captions"] == 3 * ["draw 0", "draw 1", "draw 2"]
    browser_moves(slider, 1.25)
    assert (slider.psi, slider.error) == (1.25, "")
    browser_moves(slider, 1.75)
    assert "psi is 1.75: use a number from 0 to 1.5" in slider.error
    assert slider.psi == 1.25


def test_the_twin_has_a_row_for_each_space_and_psi(slider):
    ax = slider.static([0, 0.7])
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == [f"{name}, psi = {psi}" for name in ("z", "w", "w+") for psi in (0, 0.7)]
    picture = np.asarray(ax.images[0].get_array())
    slider.move_to(0.7)
    top, left = 3 * 17 + 1, 2 * 26  # of w, psi = 0.7, the last draw; with gaps of 1 and 2 pixels
    wanted = slider.images["w"][2].permute(1, 2, 0)
    np.testing.assert_allclose(picture[top : top + 16, left : left + 24, :3], wanted, atol=1e-5)
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m, z: [], TypeError, "spaces is a list: give a dictionary"),
        (lambda m, z: {}, ValueError, "spaces is empty"),
        (lambda m, z: {"z": (m, z)}, TypeError, r"space 'z' has 2 parts: give three, \(model, codes, mean\)"),
        (lambda m, z: {"z": m}, TypeError, "space 'z' is a StyleGAN: give three"),
        (lambda m, z: {"z": (object(), z, None)}, TypeError, "has no decode and no latent_shape"),
        (lambda m, z: {"z": (m, z[:1], None)}, ValueError, "there are codes of 1 in 'z': .*at least two"),
        (lambda m, z: {"z": (m, z, None), "w": (m, z[:2], None)}, ValueError, "codes of 3 in 'z', 2 in 'w'"),
        (
            lambda m, z: {"z": (m, z, None), "other": (style_gan((3, 24, 16)), z, None)},
            ValueError,
            "sizes 16 x 24 in 'z', 24 x 16 in 'other': give models whose images have one size",
        ),
        (lambda m, z: {"z": (m, z[:, :5], None)}, ValueError, r"the codes of 'z' have shape \(3, 5\)"),
        (lambda m, z: {"z": (m, z, z)}, ValueError, r"the mean of 'z' has shape \(3, 7\) but codes of it have \(7,\)"),
        (lambda m, z: {"z": (m, z, z[0] * torch.nan)}, ValueError, "the mean of 'z'"),
    ],
)
def test_what_does_not_fit_is_named(make, error, message, model, z):
    with pytest.raises(error, match=message) as found:
        TruncationSlider(make(model, z))
    assert "\n" not in str(found.value)


def test_a_psi_off_the_slider_is_named(slider, model, z):
    with pytest.raises(ValueError, match="psi is 1.6"):
        slider.move_to(1.6)
    for wrong in ("a", None, True):
        with pytest.raises(ValueError, match=f"psi is {wrong!r}: give one finite number"):
            slider.move_to(wrong)
        assert f"psi is {wrong!r}" in slider.error
    with pytest.raises(ValueError, match="values are empty"):
        slider.static([])
    with pytest.raises(ValueError, match="psi is -0.1"):
        slider.static([-0.1])
    with pytest.raises(ValueError, match="start is nan"):
        TruncationSlider({"z": (model, z, None)}, start=float("nan"))
    with pytest.raises(ValueError, match="no steps to give"):
        slider.page("no", "x", steps=3)
