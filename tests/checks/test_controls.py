"""Controls that learners build of plain ipywidgets: every style is accepted, every mistake is named.

The exercise component-control of lesson 01 stands for all of this kind.
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
from course_utils.checks.lesson_01.component_control import CHECK
from course_utils.widgets import FunctionSlider


def at(z, k, value):
    moved = z.clone()
    moved[k] = value
    return moved


def draw(model, z):
    plt.imshow(model.decode(z[None])[0, 0].detach(), cmap="gray")
    plt.show()


def slider_of(z, k, reach):
    return FloatSlider(value=z[k].item(), min=-reach, max=reach, step=0.05, description=f"z[{k}]")


def by_interact(model, z, k, reach):
    """The start is the default value of the function."""
    start = z[k].item()
    return interact(lambda first=start: draw(model, at(z, k, first)), first=(-reach, reach, 0.1))


def by_interact_with_a_slider_and_a_title(model, z, k, reach):
    @interact(first=slider_of(z, k, reach))
    def show(first):
        plt.figure(figsize=(2, 2))
        plt.title(f"z[{k}] = {first:.2f}")
        plt.imshow(model.decode(torch.cat([z[:k], torch.tensor([first]), z[k + 1 :]])[None]).squeeze().detach())

    return show


def by_interactive_in_a_box(model, z, k, reach):
    """Before ipywidgets 8 it draws when its box is displayed, not when it is made."""
    return HBox([interactive(lambda first: draw(model, at(z, k, first)), first=slider_of(z, k, reach))])


def by_interactive_output(model, z, k, reach):
    slider = slider_of(z, k, reach)
    return VBox([slider, interactive_output(lambda first: draw(model, at(z, k, first)), {"first": slider})])


def by_observe_and_image(model, z, k, reach):
    slider, image = slider_of(z, k, reach), Image()

    def follow(change=None):
        file = io.BytesIO()
        imsave(file, model.decode(at(z, k, slider.value)[None])[0, 0].detach(), format="png")
        image.value = file.getvalue()

    slider.observe(follow)  # every change, and the function does not mind
    follow()
    return HBox([slider, HBox([image])])


def by_output_and_figure(model, z, k, reach):
    slider, out = slider_of(z, k, reach), Output()

    @out.capture(clear_output=True, wait=True)
    def follow(change):
        draw(model, at(z, k, change["new"]))

    follow({"new": slider.value})
    slider.observe(follow, names="value")
    return HBox([slider, out])


def by_display_of_a_figure(model, z, k, reach):
    slider, out = slider_of(z, k, reach), Output()
    figure, axis = plt.subplots()
    plt.close(figure)

    def follow(change):
        axis.imshow(model.decode(at(z, k, slider.value)[None])[0, 0].detach())
        with out:
            clear_output(wait=True)
            display(figure)

    follow(None)
    slider.observe(follow, "value")
    return VBox([out, slider])


def by_two_pictures(model, z, k, reach):
    """The start beside the image that follows, as pictures of PIL."""
    slider = slider_of(z, k, reach)

    def show(first):
        images = model.decode(torch.stack([at(z, k, first), z])).detach()
        for image in images:
            display(Picture.fromarray((255 * image[0]).byte().numpy()))

    return HBox([slider, interactive_output(show, {"first": slider})])


def by_a_handle(model, z, k, reach):
    slider = slider_of(z, k, reach)

    def picture(value):
        return Picture.fromarray((255 * model.decode(at(z, k, value)[None])[0, 0].detach()).byte().numpy())

    handle = display(picture(slider.value), display_id=True)
    slider.observe(lambda change: handle.update(picture(change.new)), names="value")
    return slider


def by_jslink(model, z, k, reach):
    """A slider of ipywidgets tied to an explorer in the browser."""
    slider = slider_of(z, k, reach)
    fn = lambda first: model.decode(at(z, k, first)[None])  # noqa: E731
    explorer = FunctionSlider(fn, -reach - 0.001, reach + 0.001, labels=["decoded"], start=z[k].item())
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


def in_place(model, z, k, reach):
    slider = slider_of(z, k, reach)

    def show(first):
        z[k] = first
        draw(model, z)

    return HBox([slider, interactive_output(show, {"first": slider})])


def raises_when_moved(model, z, k, reach):
    slider = slider_of(z, k, reach)
    return HBox([slider, interactive_output(lambda first: draw(model, at(z, k, first)[:1]), {"first": slider})])


def with_a_box_to_type_in(model, z, k, reach):
    box = ipywidgets.FloatText(z[k].item())
    return HBox([box, interactive_output(lambda first: draw(model, at(z, k, first)), {"first": box})])


def two_sliders(model, z, k, reach):
    return HBox([slider_of(z, k, reach), by_interactive_output(model, z, k, reach)])


def other_ends(model, z, k, reach):
    return interact(lambda first: draw(model, at(z, k, first)), first=FloatSlider(z[k].item(), min=-9, max=9))


def half_way(model, z, k, reach):
    return interact(lambda first: draw(model, at(z, k, first / 2)), first=slider_of(z, k, reach))


def only_upwards(model, z, k, reach):
    slider, image = slider_of(z, k, reach), by_observe_and_image(model, z, k, reach).children[1].children[0]

    def follow(change):
        new = by_observe_and_image(model, at(z, k, change.new), k, reach).children[1].children[0].value
        if change.new > z[k]:
            image.value = new

    slider.observe(follow, "value")
    return HBox([slider, image])


SAYS = [
    (
        lambda model, z, k, reach: [slider_of(z, k, reach), Image()],
        "a list of 2 where a control is expected.*into one box",
    ),
    (lambda *inputs: None, "returns nothing"),
    (lambda *inputs: "0.5", "type str"),
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
