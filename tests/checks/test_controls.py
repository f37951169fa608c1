"""Controls that learners build of plain ipywidgets: every style is accepted, every mistake is named.

The exercise code-slider of lesson 02 stands for all of this kind.
"""

import io
import re

import ipywidgets
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
import torch
from IPython.display import clear_output, display
from ipywidgets import FloatSlider, HBox, Image, Output, VBox, interact, interactive, interactive_output, jslink
from matplotlib.image import imsave
from PIL import Image as Picture

from course_utils.checks import review
from course_utils.checks.lesson_02.code_slider import CHECK
from course_utils.widgets import FunctionSlider


def at(z, value):
    moved = z.clone()
    moved[0] = value
    return moved


def draw(model, z):
    plt.imshow(model.decode(z[None])[0, 0].detach(), cmap="gray")
    plt.show()


def slider_of(z):
    return FloatSlider(value=z[0].item(), min=z[0].item() - 3, max=z[0].item() + 3, step=0.05, description="z[0]")


def by_interact(model, z):
    return interact(lambda first: draw(model, at(z, first)), first=(z[0].item() - 3, z[0].item() + 3, 0.1))


def by_interact_with_a_slider_and_a_title(model, z):
    @interact(first=slider_of(z))
    def show(first):
        plt.figure(figsize=(2, 2))
        plt.title(f"z[0] = {first:.2f}")
        plt.imshow(model.decode(torch.cat([torch.tensor([first]), z[1:]])[None]).squeeze().detach())

    return show


def by_interactive_in_a_box(model, z):
    """Before ipywidgets 8 it draws when its box is displayed, not when it is made."""
    return HBox([interactive(lambda first: draw(model, at(z, first)), first=slider_of(z))])


def by_interactive_output(model, z):
    slider = slider_of(z)
    return VBox([slider, interactive_output(lambda first: draw(model, at(z, first)), {"first": slider})])


def by_observe_and_image(model, z):
    slider, image = slider_of(z), Image()

    def follow(change=None):
        file = io.BytesIO()
        imsave(file, model.decode(at(z, slider.value)[None])[0, 0].detach(), format="png")
        image.value = file.getvalue()

    slider.observe(follow)  # every change, and the function does not mind
    follow()
    return HBox([slider, HBox([image])])


def by_output_and_figure(model, z):
    slider, out = slider_of(z), Output()

    @out.capture(clear_output=True, wait=True)
    def follow(change):
        draw(model, at(z, change["new"]))

    follow({"new": slider.value})
    slider.observe(follow, names="value")
    return HBox([slider, out])


def by_display_of_a_figure(model, z):
    slider, out = slider_of(z), Output()
    figure, axis = plt.subplots()
    plt.close(figure)

    def follow(change):
        axis.imshow(model.decode(at(z, slider.value)[None])[0, 0].detach())
        with out:
            clear_output(wait=True)
            display(figure)

    follow(None)
    slider.observe(follow, "value")
    return VBox([out, slider])


def by_two_pictures(model, z):
    """The start beside the image that follows, as pictures of PIL."""
    slider = slider_of(z)

    def show(first):
        images = model.decode(torch.stack([at(z, first), z])).detach()
        for image in images:
            display(Picture.fromarray((255 * image[0]).byte().numpy()))

    return HBox([slider, interactive_output(show, {"first": slider})])


def by_a_handle(model, z):
    slider = slider_of(z)

    def picture(value):
        return Picture.fromarray((255 * model.decode(at(z, value)[None])[0, 0].detach()).byte().numpy())

    handle = display(picture(slider.value), display_id=True)
    slider.observe(lambda change: handle.update(picture(change.new)), names="value")
    return slider


def by_jslink(model, z):
    """A slider of ipywidgets tied to an explorer in the browser."""
    slider = slider_of(z)
    fn = lambda first: model.decode(at(z, first)[None])  # noqa: E731
    low, high = z[0].item() - 3.001, z[0].item() + 3.001
    explorer = FunctionSlider(fn, low, high, labels=["decoded"], start=z[0].item())
    jslink((slider, "value"), (explorer, "value"))
    return HBox([slider, explorer])


RIGHT = [
    by_interact, by_interact_with_a_slider_and_a_title, by_interactive_in_a_box, by_interactive_output,
    by_observe_and_image,
    by_output_and_figure, by_display_of_a_figure, by_two_pictures, by_a_handle, by_jslink,
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT, ids=lambda one: one.__name__)
def test_controls_of_every_style_are_accepted(answer):
    assert review(CHECK, answer) is None


@pytest.mark.parametrize("mistake", CHECK.mistakes, ids=lambda one: one.message[:40])
def test_each_mistake_is_told_apart(mistake):
    assert review(CHECK, mistake.function) == mistake.message


def test_the_reference_is_right_and_messages_differ():
    assert review(CHECK, CHECK.reference) is None
    assert len({mistake.message for mistake in CHECK.mistakes}) == len(CHECK.mistakes) >= 8


def in_place(model, z):
    slider = slider_of(z)

    def show(first):
        z[0] = first
        draw(model, z)

    return HBox([slider, interactive_output(show, {"first": slider})])


def raises_when_moved(model, z):
    slider = slider_of(z)
    return HBox([slider, interactive_output(lambda first: draw(model, at(z, first)[:1]), {"first": slider})])


def with_a_box_to_type_in(model, z):
    box = ipywidgets.FloatText(z[0].item())
    return HBox([box, interactive_output(lambda first: draw(model, at(z, first)), {"first": box})])


def two_sliders(model, z):
    return HBox([slider_of(z), by_interactive_output(model, z)])


def other_ends(model, z):
    return interact(lambda first: draw(model, at(z, first)), first=FloatSlider(z[0].item(), min=-9, max=9))


def half_way(model, z):
    return interact(lambda first: draw(model, at(z, first / 2)), first=slider_of(z))


def only_upwards(model, z):
    slider, image = slider_of(z), by_observe_and_image(model, z).children[1].children[0]

    def follow(change):
        new = by_observe_and_image(model, at(z, change.new)).children[1].children[0].value
        if change.new > z[0]:
            image.value = new

    slider.observe(follow, "value")
    return HBox([slider, image])


SAYS = [
    (lambda model, z: [slider_of(z), Image()], "a list of 2 where a control is expected.*into one box"),
    (lambda model, z: None, "returns nothing"),
    (lambda model, z: "0.5", "type str"),
    (raises_when_moved, r"It raises RuntimeError in your line `.*decode"),
    (with_a_box_to_type_in, "There is no slider in what you return"),
    (two_sliders, "There are 2 sliders"),
    (other_ends, "The slider goes from -9 to 9 and starts at"),
    (half_way, r"With the slider at [-\d.]+ the model is asked for \["),
    (only_upwards, "does not change with all of them"),
    (in_place, "changes its inputs in place"),
]


@pytest.mark.parametrize(("answer", "words"), SAYS)
def test_what_is_wrong_in_another_way_is_described(answer, words):
    said = review(CHECK, answer)
    assert re.search(words, said), said


def test_a_check_leaves_the_notebook_as_it_was(capsys):
    """Widgets that the answer makes are closed, figures too; display, print and the shell are what they were."""
    kept = FloatSlider()
    figures, construct, enter = plt.get_fignums(), ipywidgets.Widget._widget_construction_callback, Output.__enter__
    show = plt.show
    assert review(CHECK, by_interactive_output) is None
    assert plt.get_fignums() == figures
    assert (ipywidgets.Widget._widget_construction_callback, Output.__enter__, plt.show) == (construct, enter, show)
    assert kept.comm is not None
    assert capsys.readouterr().out == ""
