"""Sliders are found in boxes of every shape."""

import pytest
from ipywidgets import FloatSlider, FloatText, HBox, IntSlider, Tab, VBox, interact, interactive

from course_utils.widgets import sliders_in


def test_each_slider_once_and_in_the_order_in_which_it_is_read():
    a, b, c = FloatSlider(0.25), IntSlider(3), FloatSlider(0.75)
    assert sliders_in(VBox([HBox([a, FloatText(9.0), VBox([b])]), a, Tab([c])])) == [a, b, c]
    assert sliders_in(b) == [b]
    assert sliders_in(HBox([FloatText(1.0)])) == []


@pytest.mark.parametrize("make", [interact, interactive])
def test_those_of_interact_and_of_interactive(make):
    a, b = FloatSlider(0.25), IntSlider(3)

    def add(first, second):
        return first + second

    made = interactive(add, first=a, second=b) if make is interactive else interact(first=a, second=b)(add)
    assert sliders_in(made) == [a, b]
