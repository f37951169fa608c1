"""Handle sliders start from an image's code, move it as they say, and show the true face where it is known."""

import json
import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_models import style_gan
from torch import nn

from course_utils.data.faces import HANDLES, default_handles, render_faces
from course_utils.models.styles import mix_styles
from course_utils.widgets import HandleSliders

SHAPE = (3, 16, 16)
MATRIX = torch.randn(5, math.prod(SHAPE), generator=torch.Generator().manual_seed(0)) / 8
TO_CODE = torch.linalg.pinv(MATRIX)


class Model(nn.Module):
    """A linear LatentModel of colour images, with dropout that must stay silent."""

    latent_shape = (5,)

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def encode(self, x):
        return (x.flatten(1) - 0.5) @ TO_CODE * 4

    def decode(self, z):
        return self.dropout((0.5 + z @ MATRIX / 4).clamp(0, 1)).unflatten(1, SHAPE)


class Grid:
    """A LatentModel whose codes are no vectors."""

    latent_shape = (2, 2)

    def encode(self, x):
        return x[:, 0, :2, :2]

    def decode(self, z):
        return z[:, None]


def image(seed=1):
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def browser_moves(explorer, value, token="view:1"):
    """Deliver the state that explorer.js saves, by ipywidgets' own way in."""
    message = {"method": "update", "state": {"value": value, "_ask": token}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": message, "comm_id": explorer.comm.comm_id}, "buffers": []})


def decoded(z):
    return (0.5 + z @ MATRIX / 4).clamp(0, 1).unflatten(0, SHAPE)


@pytest.fixture
def by_dimension():
    return HandleSliders(Model().train(), image())


@pytest.fixture
def true_face():
    """Handles, their face, and a slider of two handles and one that is none."""
    handles = default_handles(1, smile=0.25)[0]
    x = render_faces(handles[None], size=16)[0]
    directions = {"smile": torch.eye(5)[1], "mood": torch.ones(5), "age": -2 * torch.eye(5)[3]}
    return HandleSliders(Model(), x, directions, handles=handles, reach=1.5), handles, x


def test_sliders_start_at_the_code_of_the_image(by_dimension):
    z = Model().encode(image()[None])[0]
    assert list(by_dimension.values) == [f"z[{d}]" for d in range(5)]
    torch.testing.assert_close(torch.tensor(list(by_dimension.values.values())), z)
    torch.testing.assert_close(by_dimension.z, z)
    torch.testing.assert_close(by_dimension.image, decoded(z))
    assert by_dimension.text == "Nothing moved. Mean change of a pixel: 0.000."
    assert by_dimension.true_image is None


def test_one_slider_moves_one_dimension(by_dimension):
    start = by_dimension.z
    by_dimension.move_to(**{"z[3]": -2.0})
    expected = start.clone()
    expected[3] = -2.0
    torch.testing.assert_close(by_dimension.z, expected)
    torch.testing.assert_close(by_dimension.image, decoded(expected))
    change = (decoded(expected) - decoded(start)).abs().mean()
    assert by_dimension.text == f"z[3] from {start[3]:.2f} to -2.00. Mean change of a pixel: {change:.3f}."
    by_dimension.reset()
    torch.testing.assert_close(by_dimension.z, start)
    assert by_dimension.text.startswith("Nothing moved")


def test_directions_add_up():
    start, up, side = torch.zeros(5), torch.tensor([1.0, 0, 0, 0, 2]), torch.tensor([0.0, 1, 0, 0, 1])
    explorer = HandleSliders(Model(), None, {"up": up, "side": side}, z=start, reach=2)
    explorer.move_to(0.5, -1.5)
    torch.testing.assert_close(explorer.z, 0.5 * up - 1.5 * side)
    torch.testing.assert_close(explorer.image, decoded(0.5 * up - 1.5 * side))
    assert explorer._answer["captions"] == ["Decoded at the start", "Decoded here"]
    assert [(s["min"], s["max"]) for s in explorer._spec["sliders"]] == [(-2, 2), (-2, 2)]


@pytest.fixture(scope="module")
def edits():
    """A style generator, its draws of w, and directions that a regression of two readings of the images finds."""
    model = style_gan((3, 32, 48))
    w = model.in_w().sample_latent(300, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        read = readings(model.generator.synthesize(w))
    weights = torch.linalg.lstsq(torch.cat([w, torch.ones(300, 1)], dim=1), read).solution[:-1]  # (D, 2)
    return model, w, dict(zip(("red", "left"), torch.linalg.pinv(weights), strict=True))


def readings(x):
    """How red the images are, and how much lighter their left half is, (B, 2)."""
    red = (x[:, 0] - x[:, 2]).mean((1, 2))
    return torch.stack([red, x[..., :24].mean((1, 2, 3)) - x[..., 24:].mean((1, 2, 3))], dim=1)


def test_a_direction_of_a_regression_on_w_raises_its_own_reading(edits):
    model, w, directions = edits
    explorer = HandleSliders(model.in_w(), None, directions, z=w[7], reach=0.1)
    changes = []
    for k, name in enumerate(directions):
        found = []
        for value in (-0.01, 0.01):
            explorer.reset()
            explorer.move_to(**{name: value})
            torch.testing.assert_close(explorer.z, w[7] + value * directions[name])
            found.append(readings(explorer.image[None])[0])
        changes.append((found[1] - found[0]) / 0.02)
        assert changes[-1][k] > 0.3, "a unit of the slider is about a unit of the reading"
        assert changes[-1].abs().argmax() == k
    assert len(changes) == 2


def test_in_w_plus_a_direction_edits_the_chosen_layers(edits):
    model, w, directions = edits
    space, step = model.in_w(per_layer=True), directions["red"][None]
    codes = mix_styles(w[:1], w[1:2], [1, 4], num_layers=5)
    every = model.generator.styles(step)[0]
    chosen = mix_styles(torch.zeros(1, 7), step, [2, 3], num_layers=5)[0]
    explorer = HandleSliders(space, None, {"red": every, "red, layers 2 and 3": chosen}, z=codes[0], reach=2)
    explorer.move_to(-1.5, 0.5)
    wanted = codes[0] - 1.5 * step
    wanted[2:4] += 0.5 * step
    torch.testing.assert_close(explorer.z, wanted)
    with torch.inference_mode():
        torch.testing.assert_close(explorer.image[None], model.generator.synthesize(wanted[None]))
    explorer.move_to(0, 1)
    assert (explorer.z != codes[0]).any(1).tolist() == [False, False, True, True, False]
    ax = explorer.static(2)
    picture = np.asarray(ax.images[0].get_array())
    with torch.inference_mode():
        wanted = model.generator.synthesize((codes[0] + 2 * every)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(picture[2 : 2 + 32, 51 : 51 + 48, :3], wanted, atol=1e-5)
    plt.close(ax.figure)
    x = explorer.image
    for wrong, said in (
        (lambda: HandleSliders(space, z=codes[0]), r"shape \(5, 7\): give directions"),
        (lambda: HandleSliders(space, None, {"a": step[0]}, z=codes[0]), r"'a' has shape \(7,\) but .* \(5, 7\)"),
        (lambda: HandleSliders(space, None, {"a": every}, z=w[0]), r"z has shape \(7,\) but .* \(5, 7\)"),
        (lambda: HandleSliders(space, x, [every]), r"\{name: direction \(5, 7\)\}"),
        (lambda: HandleSliders(space, x, {"a": every}, dims=[0]), "dims and directions are both given"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            wrong()


def test_without_a_code_it_starts_from_the_one_that_is_found_for_the_image(edits):
    model, w, _ = edits
    space = model.in_w(per_layer=True)
    space.inversion_steps = 2
    x = space.decode(model.generator.styles(w[:1]))[0].detach()
    explorer = HandleSliders(space, x, {"a": torch.ones(5, 7)})
    torch.testing.assert_close(explorer.z, space.encode(x[None])[0])
    assert explorer._answer["captions"] == ["Original x", "Decoded at the start", "Decoded here"]


def test_a_slider_reaches_as_far_as_the_code():
    explorer = HandleSliders(Model(), z=torch.tensor([0.0, 7.0, -5.0, 1.0, 0.0]), dims=[2, 0, 1])
    assert list(explorer.values.items()) == [("z[2]", -5.0), ("z[0]", 0.0), ("z[1]", 7.0)]
    assert [(s["min"], s["max"]) for s in explorer._spec["sliders"]] == [(-5, 3), (-3, 3), (-3, 7)]


def test_a_slider_of_a_handle_shows_its_value_and_the_true_face(true_face):
    explorer, handles, x = true_face
    assert explorer.values["smile"] == pytest.approx(0.25)
    assert explorer.values["mood"] == 0
    smile, mood, age = explorer._spec["sliders"]
    assert (smile["min"], smile["max"]) == (HANDLES["smile"].low, HANDLES["smile"].high)
    assert (mood["min"], mood["max"]) == (-1.5, 1.5)
    torch.testing.assert_close(explorer.true_image, x)
    start, goal = explorer.z, HANDLES["age"].high
    explorer.move_to(smile=-0.5, mood=0.5, age=goal)
    expected = handles.clone()
    expected[list(HANDLES).index("smile")] = -0.5
    expected[list(HANDLES).index("age")] = goal
    torch.testing.assert_close(explorer.true_image, render_faces(expected[None], size=16)[0])
    moved = start - 0.75 * torch.eye(5)[1] + 0.5 - 2 * (goal - explorer._sliders["age"][2]) * torch.eye(5)[3]
    torch.testing.assert_close(explorer.z, moved)
    gap = (explorer.image - explorer.true_image).abs().mean()
    assert explorer.text.endswith(f"Mean distance to the true face: {gap:.3f}.")


def test_what_the_browser_sends_is_shown(by_dimension):
    before, value = bytes(by_dimension._frame), [0.5, -1.0, 0.0, 2.0, 3.0]
    browser_moves(by_dimension, value)
    assert by_dimension.error == ""
    assert by_dimension._answer["token"] == "view:1"
    assert by_dimension._answer["value"] == value
    pixels = decoded(torch.tensor(value)).permute(1, 2, 0).mul(255).round().to(torch.uint8).numpy().tobytes()
    length = math.prod(SHAPE)
    assert bytes(by_dimension._frame)[2 * length :] == pixels
    assert bytes(by_dimension._frame)[: 2 * length] == before[: 2 * length], "the start stays"


def test_a_message_off_the_slider_is_shown_as_an_error(by_dimension):
    browser_moves(by_dimension, [9.0, 0, 0, 0, 0])
    assert "off the slider" in by_dimension.error
    browser_moves(by_dimension, [0.0, 0.0])
    assert "2 numbers for 5 sliders" in by_dimension.error
    browser_moves(by_dimension, [0.0] * 5)
    assert by_dimension.error == ""


def test_what_the_browser_gets_is_plain_and_complete(true_face):
    state = true_face[0].get_state()
    spec = json.loads(json.dumps(state["_spec"]))
    assert (spec["kind"], spec["className"]) == ("sliders", "course-handle-sliders")
    assert spec["reset"]
    assert spec["help"]
    assert spec["start"] == list(true_face[0].values.values())
    shapes = [panel["shape"] for row in spec["rows"] for panel in row["panels"]]
    assert len(shapes) == 4
    assert len(state["_frame"]) == sum(map(math.prod, shapes))
    assert "spec.reset" in true_face[0]._esm


def test_the_text_stays_short(by_dimension):
    by_dimension.move_to(1, 1, 1, 1, 1)
    assert "and 2 more" in by_dimension.text
    assert len(repr(by_dimension)) < 160


def test_the_model_is_left_in_its_mode_and_runs_without_dropout():
    model = Model().train()
    explorer = HandleSliders(model, image())
    assert model.training
    assert model.dropout.training
    explorer.move_to(0, 0, 0, 0, 0)
    torch.testing.assert_close(explorer.image, torch.full(SHAPE, 0.5))


def test_the_twin_is_a_traversal_grid(by_dimension):
    start = by_dimension.z
    ax = by_dimension.static(5)
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"z[{d}]" for d in range(5)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-3", "-1.5", "0", "1.5", "3"]
    picture = np.asarray(ax.images[0].get_array())
    top, left = 3 * 17 + 1, 4 * 17  # of z[3] = 3, with a gap of one pixel
    expected = start.clone()
    expected[3] = 3.0
    cell = picture[top : top + 16, left : left + 16, :3]
    torch.testing.assert_close(torch.tensor(cell).float(), decoded(expected).permute(1, 2, 0))
    assert by_dimension.text.startswith("Nothing moved"), "drawing the twin does not move the sliders"
    plt.close(ax.figure)


def test_the_middle_of_the_twin_is_called_0():
    explorer = HandleSliders(Model(), None, {"up": torch.ones(5)}, z=torch.zeros(5), reach=1)
    ax = explorer.static(7)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-1", "-0.67", "-0.33", "0", "0.33", "0.67", "1"]
    plt.close(ax.figure)


def test_the_twin_has_the_true_faces_under_each_handle(true_face):
    ax = true_face[0].static(3)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["smile", "smile, true", "mood", "age", "age, true"]
    assert not ax.get_xticklabels(), "the columns mean something else in every row"
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((object(), image()), {}, TypeError, "has no encode"),
        ((Grid(), image()), {}, ValueError, r"shape \(2, 2\)"),
        ((Model(),), {}, ValueError, "nothing to start from"),
        ((Model(), image()), {"reach": 0}, ValueError, "reach is 0"),
        ((Model(), image()), {"dims": [0, 5]}, ValueError, "between 0 and 4"),
        ((Model(), image()), {"dims": [1, 1]}, ValueError, "different dimensions"),
        ((Model(), image()), {"dims": []}, ValueError, "different dimensions"),
        ((Model(), image()), {"z": torch.zeros(4)}, ValueError, "5 numbers"),
        ((Model(), image()), {"z": torch.full((5,), torch.nan)}, ValueError, "NaN"),
        ((Model(), image(), {}), {}, ValueError, "directions is empty"),
        ((Model(), image(), {"a": torch.zeros(2)}), {}, ValueError, r"direction 'a' has shape \(2,\)"),
        ((Model(), image()), {"handles": default_handles(1)[0]}, ValueError, "give directions"),
        ((Model(), image(), {"a": torch.zeros(5)}), {"handles": torch.zeros(2)}, ValueError, "one face's"),
        ((Model(), image() * 255), {}, ValueError, "pixels of x reach"),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        HandleSliders(*arguments, **options)


def test_sliders_move_together_or_by_name(by_dimension):
    with pytest.raises(ValueError, match="all 5 values"):
        by_dimension.move_to(1.0)
    with pytest.raises(ValueError, match="no slider 'smile'"):
        by_dimension.move_to(smile=1.0)
    with pytest.raises(ValueError, match="off the slider"):
        by_dimension.move_to(0, 0, 0, 0, 3.5)
