"""The style mixer: whose styles each layer has, what the browser is told, and every bad input."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_models import style_gan
from widgets.test_widgets import browser_moves

from course_utils.models.pixels import PixelSpace
from course_utils.models.styles import mix_styles
from course_utils.widgets import StyleMixer

SHAPE = (3, 32, 48)  # layers 0; 1, 2; 3, 4 on maps of 4 x 6, 8 x 12 and 16 x 24


@pytest.fixture(scope="module")
def model():
    return style_gan(SHAPE)


@pytest.fixture(scope="module")
def w(model):
    return model.map(torch.randn(4, 7, generator=torch.Generator().manual_seed(1))).detach()


@pytest.fixture
def two(model, w):
    return StyleMixer(model, w[:2])


@pytest.fixture
def several(model, w):
    return StyleMixer(model, w, start=[0, 0.5, 1, 1, 1], groups={"early": [0, 1], "late": [4]})


def synthesized(model, w):
    with torch.inference_mode():
        return model.generator.eval().synthesize(w)


def test_with_weights_of_0_and_1_it_mixes_as_the_lesson_does(model, w, two):
    for layers in ([], [0], [1, 2], [0, 4], [0, 1, 2, 3, 4]):
        two.move_to([float(k in layers) for k in range(5)])
        torch.testing.assert_close(two.w[None], mix_styles(w[:1], w[1:2], layers, num_layers=5))
        wanted = synthesized(model, mix_styles(w[:1], w[1:2], layers, num_layers=5))
        torch.testing.assert_close(two.image[None], wanted)
    assert not torch.allclose(two.image, two._shown[0][0], atol=0.02), "A and B are alike: this says nothing"


def test_a_weight_between_is_a_style_between(model, w, two):
    two.move_to([0, 1, 0.25, 0, 0])
    code = w[0].repeat(5, 1)
    code[1], code[2] = w[1], 0.75 * w[0] + 0.25 * w[1]
    torch.testing.assert_close(two.w, code)
    torch.testing.assert_close(two.image[None], synthesized(model, code[None]))
    assert two.text == (
        "Layers of A: 0 (4 x 6), 3 (16 x 24), 4 (16 x 24). Layers of B: 1 (8 x 12). Between A and B: 2 (8 x 12), 25% B."
    )


def test_the_groups_are_the_sizes_of_the_maps(model, w, two):
    assert two.groups == {"coarse": [0], "middle": [1, 2], "fine": [3, 4]}
    assert two.weights == [1, 0, 0, 0, 0], "it starts with the coarse styles of B"
    two.move_to("fine")
    assert two.weights == [0, 0, 0, 1, 1]
    larger = style_gan((3, 64, 64))
    assert StyleMixer(larger, w[:2]).groups == {"coarse": [0, 1, 2], "middle": [3, 4], "fine": [5, 6]}
    small = style_gan((3, 16, 24))
    assert StyleMixer(small, w[:2]).groups == {"coarse": [0], "fine": [1, 2]}
    assert StyleMixer(style_gan((1, 10, 14)), w[:2]).groups == {"all": [0]}


def test_groups_of_ones_own(model, w):
    mixer = StyleMixer(model, w, groups={"all": torch.tensor([2, 0, 2]), 1: [0, 1]}, start="1")
    assert mixer.groups == {"all": [0, 2], "1": [0, 1]}
    assert mixer.weights == [1, 1, 0, 0, 0]
    ax = mixer.static(2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["all of B", "1 of B", "all layers of B"]
    plt.close(ax.figure)


def test_codes_may_have_one_w_a_layer_and_faces_are_chosen(model, w):
    codes = w[:, None] + 0.5 * torch.randn(4, 5, 7, generator=torch.Generator().manual_seed(2))
    mixer = StyleMixer(model, codes)
    assert mixer.pair == (0, 1)
    mixer.move_to([0, 0, 0, 1, 1], a=3, b=2)
    torch.testing.assert_close(mixer.w, torch.cat([codes[3, :3], codes[2, 3:]]))
    for place, face in ((0, 3), (2, 2)):
        torch.testing.assert_close(mixer._shown[0][place][None], synthesized(model, codes[face][None]))
    assert mixer._answer["captions"] == ["A: face 3", "Mixed styles", "B: face 2"]
    assert (mixer.pair, mixer.value) == ((3, 2), [3, 2, 0, 0, 0, 1, 1])


def test_what_the_browser_is_told(two, several):
    spec = two._spec
    assert (spec["kind"], spec["className"], spec["start"]) == ("sliders", "course-style-mixer", [1, 0, 0, 0, 0])
    assert [(s["label"], s["min"], s["max"]) for s in spec["sliders"]][:2] == [
        ("layer 0 (4 x 6)", 0, 1), ("layer 1 (8 x 12)", 0, 1),
    ]  # fmt: skip
    assert [(one["label"], one["value"]) for one in spec["presets"]] == [
        ("all of A", [0, 0, 0, 0, 0]), ("coarse of B", [1, 0, 0, 0, 0]), ("middle of B", [0, 1, 1, 0, 0]),
        ("fine of B", [0, 0, 0, 1, 1]),
    ]  # fmt: skip
    assert all(panel["size"] >= 128 for row in spec["rows"] for panel in row["panels"])
    spec = several._spec
    assert [(s["label"], s["max"], s["step"]) for s in spec["sliders"]][:2] == [("face A", 3, 1), ("face B", 3, 1)]
    assert spec["presets"][1] == {"label": "early of B", "value": [None, None, 1, 1, 0, 0, 0]}
    assert spec["start"] == [0, 1, 0, 0.5, 1, 1, 1]


def test_what_the_browser_sends_is_shown_or_refused(two, several):
    browser_moves(two, [0, 0, 0, 0, 1])
    assert (two.weights, two.error) == ([0, 0, 0, 0, 1], "")
    for wrong, said in (([0, 0, 0, 0, 1.5], "1.5 is no weight"), ([0, 0], "2 numbers for 5 sliders")):
        browser_moves(two, wrong)
        assert said in two.error
    browser_moves(several, [0, 9, 0, 0, 0, 0, 0])
    assert "there is no face 9: use 0 to 3" in several.error
    browser_moves(several, [0, 0.5, 0, 0, 0, 0, 0])
    assert "there is no face 0.5" in several.error
    browser_moves(several, [2, 3, 0, 0, 0, 0, 1])
    assert (several.pair, several.error) == ((2, 3), "")


def test_the_model_keeps_its_mode_and_its_mean(model, w):
    model.train()
    try:
        mean, mixer = model.mean_w.clone(), StyleMixer(model.generator, w[:2])
        assert model.generator.training
        assert torch.equal(model.mean_w, mean)
    finally:
        model.eval()
    assert torch.equal(mixer.image, StyleMixer(model, w[:2]).image)


def test_the_twin_has_a_row_for_each_group_and_one_for_all(model, w, several):
    several.move_to("late", a=1, b=3)
    ax = several.static(3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["early of B", "late of B", "all layers of B"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.00", "0.50", "1.00"]
    picture = np.asarray(ax.images[0].get_array())
    top, left = 34 + 2, 2 * 51  # of "late", weight 1, with gaps of 2 and 3 pixels
    wanted = synthesized(model, mix_styles(w[1:2], w[3:4], [4], num_layers=5))[0].permute(1, 2, 0)
    np.testing.assert_allclose(picture[top : top + 32, left : left + 48, :3], wanted, atol=1e-5)
    wanted = synthesized(model, w[3:4])[0].permute(1, 2, 0)
    np.testing.assert_allclose(picture[70 : 70 + 32, left : left + 48, :3], wanted, atol=1e-5)
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda m, w: StyleMixer(PixelSpace(SHAPE), w),
            TypeError,
            "a PixelSpace has no style a layer: give",
        ),
        (lambda m, w: StyleMixer(m, w[:1]), ValueError, r"shape \(1, 7\) but must be .*at least two faces"),
        (lambda m, w: StyleMixer(m, w[:, :5]), ValueError, r"shape \(4, 5\) but must be \(N, 7\) or \(N, 5, 7\)"),
        (lambda m, w: StyleMixer(m, w[:, None]), ValueError, r"shape \(4, 1, 7\)"),
        (lambda m, w: StyleMixer(m, w * torch.nan), ValueError, "in codes"),
        (lambda m, w: StyleMixer(m, w, groups=[0]), TypeError, "groups is a list"),
        (lambda m, w: StyleMixer(m, w, groups={"a": [5]}), ValueError, r"group 'a' has the layers \[5\].*0 to 4"),
        (lambda m, w: StyleMixer(m, w, groups={"a": []}), ValueError, "give at least one"),
        (lambda m, w: StyleMixer(m, w, groups={"a": [0.5]}), ValueError, "a layer of group 'a' is 0.5"),
        (lambda m, w: StyleMixer(m, w, start="later"), ValueError, "no group 'later': there are coarse, middle, fine"),
        (lambda m, w: StyleMixer(m, w, start=[0, 1]), TypeError, "give a list or tuple of 5"),
        (lambda m, w: StyleMixer(m, w, start=[0, 1, 0, 0, -0.5]), ValueError, "-0.5 is no weight"),
        (lambda m, w: StyleMixer(m, w).move_to("coarse", a=4), ValueError, "there is no face 4: use 0 to 3"),
        (lambda m, w: StyleMixer(m, w[:2]).move_to("coarse", a=1), ValueError, "there are two faces"),
        (lambda m, w: StyleMixer(m, w).move_to("coarse", b="1"), ValueError, "b is '1': give one finite number"),
        (lambda m, w: StyleMixer(m, w).move_to(None), TypeError, "weights is None: give a list or tuple of 5"),
        (lambda m, w: StyleMixer(m, w[:2]).static(0), ValueError, "steps is 0"),
        (lambda m, w: StyleMixer(m, w[:2]).page("no", "x", steps=2), ValueError, "no steps to give"),
    ],
)
def test_what_does_not_fit_is_named(make, error, message, model, w):
    with pytest.raises(error, match=message) as found:
        make(model, w)
    assert "\n" not in str(found.value)
