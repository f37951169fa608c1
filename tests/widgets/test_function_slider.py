"""The explorer of any function: it shows what the function returns, and says what is wrong with the function."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils.widgets import Explorer, FunctionSlider

X = torch.linspace(0, 1, 15).reshape(1, 3, 5)  # not square


def before_and_after(value: float) -> torch.Tensor:
    return torch.stack([X, X * value])


@pytest.fixture
def slider():
    return FunctionSlider(before_and_after, 0, 0.8, labels=["before", "after"], name="factor", start=0.4)


def pixels(explorer) -> np.ndarray:
    return np.frombuffer(bytes(explorer._frame), np.uint8).reshape(2, 3, 5)


def browser_moves(explorer, value) -> None:
    message = {"method": "update", "state": {"value": value, "_ask": "view:1"}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": message}, "buffers": []})


def test_the_browser_gets_what_the_function_returns(slider):
    assert isinstance(slider, Explorer)
    for value in (0.4, 0.0, 0.8):
        browser_moves(slider, value)
        expected = np.stack([X[0].numpy(), X[0].numpy() * value]) * 255
        np.testing.assert_allclose(pixels(slider), expected, atol=0.51)
        assert slider.value == value
        assert slider._answer["value"] == value
        assert slider._answer["token"] == "view:1"
        assert slider.text == f"factor: {value:.3g}."
        assert slider.error == ""


def test_the_sentence_follows_the_value():
    slider = FunctionSlider(before_and_after, 0, 1, labels=["a", "b"], describe=lambda v: f"Twice that is {2 * v:g}.")
    slider.move_to(0.25)
    assert slider.text == "value: 0.25. Twice that is 0.5."


def test_the_control_is_a_slider_over_the_range_with_a_name(slider):
    spec = slider._spec
    assert (spec["kind"], spec["label"], spec["min"], spec["max"], spec["start"]) == ("slider", "factor", 0, 0.8, 0.4)
    assert spec["step"] == pytest.approx(0.016)
    assert [panel["title"] for panel in spec["rows"][0]["panels"]] == ["before", "after"]
    assert [panel["shape"] for panel in spec["rows"][0]["panels"]] == [(3, 5, 1)] * 2


def test_no_gradient_is_kept_and_the_images_are_copies(slider):
    weight = torch.tensor(0.5, requires_grad=True)
    images = FunctionSlider(lambda value: (X * weight * value)[None], 0, 1, labels=["a"]).images
    assert not images.requires_grad
    slider.images.zero_()
    assert slider.images[0].max() == 1


def test_an_error_is_shown_and_the_last_images_stay():
    def fragile(value):
        if value > 0.5:
            raise RuntimeError("out of reach")
        return before_and_after(value)

    slider = FunctionSlider(fragile, 0, 1, labels=["a", "b"], start=0.25)
    shown = pixels(slider).copy()
    browser_moves(slider, 0.75)
    assert "out of reach" in slider.error
    np.testing.assert_array_equal(pixels(slider), shown)
    with pytest.raises(RuntimeError, match="out of reach"):
        slider.move_to(0.9)
    browser_moves(slider, 0.1)
    assert slider.error == ""


@pytest.mark.parametrize(
    ("fn", "error", "message"),
    [
        (lambda v: [X, X], TypeError, "returned a list"),
        (lambda v: X, ValueError, "for 2 labels"),
        (lambda v: torch.stack([X, X, X]), ValueError, "for 2 labels"),
        (lambda v: torch.stack([X, X + 0.5]), ValueError, "pixels of image 'b' reach"),
        (lambda v: torch.stack([X, X * torch.nan]), ValueError, "NaN"),
        (lambda v: torch.zeros(2, 1, 3, 5, dtype=torch.uint8), TypeError, "pixels of image 'a' are torch.uint8"),
        (X, TypeError, "give a function"),
    ],
)
def test_a_function_that_does_not_fit_fails_in_the_cell(fn, error, message):
    with pytest.raises(error, match=message):
        FunctionSlider(fn, 0, 1, labels=["a", "b"])


def test_the_images_may_not_change_their_size():
    slider = FunctionSlider(lambda v: torch.zeros(1, 1, 3, 5 if v < 0.9 else 6), 0, 1, labels=["a"])
    with pytest.raises(ValueError, match="at the start"):
        slider.move_to(1.0)


def test_values_off_the_slider_and_an_empty_range(slider):
    with pytest.raises(ValueError, match="off the slider"):
        slider.move_to(0.9)
    with pytest.raises(ValueError, match="smaller value first"):
        FunctionSlider(before_and_after, 1, 1, labels=["a", "b"])


def test_the_static_twin_draws_the_same_function(slider):
    ax = slider.static([0.0, 0.8])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["before", "after"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "0.8"]
    picture = np.asarray(ax.images[0].get_array())
    brightest = picture[..., 0][picture[..., 3] > 0].max()
    assert brightest == pytest.approx(1.0)
    assert picture[picture.shape[0] // 2 + 1 :, picture.shape[1] // 2 :, 0].max() == pytest.approx(0.8)
    assert slider.value == 0.4, "drawing the twin does not move the slider"
    plt.close(ax.figure)
