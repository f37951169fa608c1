"""Explorers show what the model says, leave it as it was, and show their errors."""

import importlib.util
import itertools
import json
import math
import sys
import threading
import types
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from helpers import generator
from torch import nn

from course_utils.interpolation import lerp, slerp
from course_utils.latents import latent_grid
from course_utils.widgets import ComponentSlider, Explorer, LatentPad, PathSlider
from course_utils.widgets.latent_pad import MOST_POINTS

SHAPE = (1, 5, 3)  # not square, so that a swap of height and width is seen
NAMES = ("bag", "coat", "boot")


class Model(nn.Module):
    """A LatentModel whose images depend on every latent dimension, with dropout that must stay silent."""

    def __init__(self, latent_dim=2, channels=1, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.image_shape = (channels, *SHAPE[1:])
            self.to_z = nn.Linear(math.prod(self.image_shape), latent_dim)
            self.to_x = nn.Linear(latent_dim, math.prod(self.image_shape))
        self.dropout = nn.Dropout(0.5)
        self.latent_shape = (latent_dim,)
        self.modes = []

    def encode(self, x):
        return self.to_z(x.flatten(1))

    def decode(self, z):
        self.modes.append((self.training, torch.is_inference_mode_enabled()))
        return self.dropout(torch.sigmoid(self.to_x(z))).unflatten(1, self.image_shape)

    def reconstruct(self, x, num_components):
        z = self.encode(x)
        z[:, num_components:] = 0
        return self.decode(z)


class Plain:
    """A LatentModel that is no module, with codes of shape (2, 2)."""

    latent_shape = (2, 2)

    def encode(self, x):
        return x[:, 0, :2, :2]

    def decode(self, z):
        return torch.sigmoid(z[:, None].repeat(1, 3, 2, 1))

    def sample_latent(self, n, generator=None):
        return torch.randn(n, 2, 2, generator=generator)


class Fragile(Model):
    """Fails where the first code is positive."""

    def decode(self, z):
        if (z[:, 0] > 0).any():
            raise RuntimeError("out of cloth")
        return super().decode(z)


def pixels(n, channels=1):
    return torch.rand(n, channels, *SHAPE[1:], generator=generator(1))


def make_pad(model=None, n=60, **options):
    model = model or Model()
    codes = torch.randn(n, *model.latent_shape, generator=generator(2)) * 2
    labels = torch.arange(n) % 3
    return LatentPad(model, codes, labels, NAMES, **options), codes


def as_bytes(image):
    """Row by row, channels last, 0 to 255: written here again, in NumPy."""
    image = np.asarray(image)
    image = image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * 255)
    return np.transpose(image, (1, 2, 0)).astype(np.uint8).tobytes()


def decoded(model, z):
    """What the model decodes in evaluation mode."""
    training = model.training
    with torch.no_grad():
        image = model.eval().decode(torch.as_tensor(z, dtype=torch.float32)[None])[0]
    model.train(training)
    return image


def browser_moves(explorer, value, token="view:1"):
    """Deliver the state that explorer.js saves, by ipywidgets' own way in."""
    message = {"method": "update", "state": {"value": value, "_ask": token}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": message, "comm_id": explorer.comm.comm_id}, "buffers": []})


def one_of_each(model=None):
    model = model or Model()
    x = pixels(2)
    return [
        (make_pad(model)[0], [0.4, -0.7]),
        (ComponentSlider(model, x[0], start=0), 2),
        (PathSlider(model, x[0], x[1]), 0.34),
    ]


EACH = ("pad", "components", "path")


def test_moving_the_pad_decodes_that_code():
    model = Model()
    pad, _ = make_pad(model)
    before = pad._frame
    pad.move_to(0.5, -1.25)
    assert pad.position == (0.5, -1.25)
    torch.testing.assert_close(pad.image, decoded(model, [0.5, -1.25]))
    assert pad._frame != before
    assert pad._frame == as_bytes(decoded(model, [0.5, -1.25]))
    assert "(0.50, -1.25)" in pad.text


def test_pad_names_and_shows_the_nearest_code():
    model = Model()
    images = (torch.arange(60 * 15) % 251).to(torch.uint8).reshape(60, *SHAPE)
    pad, codes = make_pad(model, images=images)
    pad.move_to(1.0, 0.5)
    gaps = np.hypot(codes[:, 0].numpy() - 1.0, codes[:, 1].numpy() - 0.5)
    assert pad.nearest == gaps.argmin()
    assert f"{NAMES[gaps.argmin() % 3]}, {gaps.min():.2f} away" in pad.text
    assert pad._frame == as_bytes(decoded(model, [1.0, 0.5])) + as_bytes(images[pad.nearest])
    assert pad._answer["captions"][1] == f"Nearest: {NAMES[gaps.argmin() % 3]}"


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_a_message_from_the_browser_does_what_move_to_does(number):
    explorer, value = one_of_each()[number]
    other = one_of_each()[number][0]
    before = explorer._frame
    browser_moves(explorer, value, "view:7")
    other.move_to(*value) if number == 0 else other.move_to(value)
    assert explorer._frame == other._frame != before
    assert explorer.text == other.text
    assert explorer._answer["token"] == "view:7"


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_one_message_answers_one_move(number, monkeypatch):
    explorer, value = one_of_each()[number]
    if getattr(explorer.comm, "kernel", True) is None:  # ipywidgets 7 sends nothing without a kernel
        monkeypatch.setattr(type(explorer.comm), "kernel", object())
    sent = []
    explorer.send_state = lambda key=None: sent.append(set(key))  # the set is emptied afterwards
    browser_moves(explorer, value)
    assert sent == [{"_frame", "_answer"}]


@pytest.mark.parametrize("number", range(3), ids=EACH)
@pytest.mark.parametrize("training", [True, False])
def test_model_and_random_state_are_left_alone(number, training):
    model = Model().train(training)
    model.to_x.train(not training)  # a mixed state must come back too
    explorer, value = one_of_each(model)[number]
    state, modes = torch.get_rng_state(), [module.training for module in model.modules()]
    parameters = [p.clone() for p in model.parameters()]
    browser_moves(explorer, value)
    explorer.static()
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and torch.equal(p, old) for p, old in zip(model.parameters(), parameters, strict=True))
    assert set(model.modes) == {(False, True)}, "decode must run in evaluation and inference mode"
    plt.close("all")


def test_mode_comes_back_after_an_error_too():
    model = Fragile().train()
    pad, _ = make_pad(model, start=(-1, 0))
    browser_moves(pad, [1.0, 0.0])
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_an_answer_from_another_thread_leaves_a_training_model_alone(number):
    """JupyterLab lets explorers answer while a cell runs, which may be training their model."""
    model = Model()
    explorer, value = one_of_each(model)[number]
    model.train().modes.clear()
    before = bytes(explorer._frame)
    thread = threading.Thread(target=browser_moves, args=(explorer, value))
    thread.start()
    thread.join()
    assert bytes(explorer._frame) != before, "it must have answered"
    assert model.modes == [], "the model itself must not compute"
    assert all(module.training for module in model.modules())
    plt.close("all")


def test_images_can_be_used_in_training():
    pad, _ = make_pad()
    weight = torch.ones((), requires_grad=True)
    (pad.image * weight).sum().backward()
    assert weight.grad is not None


def test_component_slider_reconstructs_and_measures():
    model, x = Model(latent_dim=4), pixels(1)[0]
    slider = ComponentSlider(model, x, start=1)
    slider.move_to(3)
    with torch.no_grad():
        z = model.to_z(x.flatten()[None])
        z[:, 3:] = 0
    expected = decoded(model, z[0])
    assert slider.num_components == 3
    torch.testing.assert_close(slider.image, expected)
    error = ((expected.numpy().astype(float) - x.numpy()) ** 2).sum()
    assert slider.squared_error == pytest.approx(error, rel=1e-5)
    assert f"{error:.2f}, summed over 15 pixels" in slider.text
    assert slider._frame == as_bytes(x) + as_bytes(expected)


def test_component_slider_takes_anything_that_reconstructs():
    class Half:
        def reconstruct(self, x, num_components):
            return x * num_components / 8

    slider = ComponentSlider(Half(), pixels(1), maximum=8)  # (1, C, H, W) is one image too
    slider.move_to(4)
    torch.testing.assert_close(slider.image, pixels(1)[0] / 2)


def test_path_slider_walks_each_model_each_way():
    models, (x_a, x_b) = {"one": Model(), "four": Model(latent_dim=4, seed=3)}, pixels(2)
    slider = PathSlider(models, x_a, x_b)
    slider.move_to(0.3)
    shown = slider.images
    torch.testing.assert_close(shown["pixels"], x_a + 0.3 * (x_b - x_a))
    for name, model in models.items():
        with torch.no_grad():
            z_a, z_b = model.encode(torch.stack([x_a, x_b]))
        for method, walk in {"lerp": lerp, "slerp": slerp}.items():
            torch.testing.assert_close(shown[name, method], decoded(model, walk(z_a, z_b, 0.3)))
    order = [x_a, shown["pixels"], x_b, *(shown[n, m] for n in models for m in ("lerp", "slerp"))]
    assert slider._frame == b"".join(map(as_bytes, order))
    assert [row["title"] for row in slider._spec["rows"]] == ["Pixels", "one", "four"]


def test_path_slider_of_one_model_shows_the_ends_outside():
    model, (x_a, x_b) = Model(), pixels(2)
    slider = PathSlider(model, x_a, x_b, methods=("slerp",), start=0)
    images = slider.images
    assert slider._frame == b"".join(map(as_bytes, [x_a, x_a, images["", "slerp"], x_b]))
    torch.testing.assert_close(images["", "slerp"], decoded(model, model.encode(x_a[None])[0].detach()))
    z = model.encode(x_a[None]).detach()
    assert slider._answer["captions"] == ["A", "Pixel cross-fade", f"SLERP, |z| = {z.norm():.2f}", "B"]


def test_models_without_parameters_and_with_shaped_codes():
    model, x = Plain(), pixels(2, channels=3)
    slider = PathSlider(model, x[0], x[1], methods="lerp", start=1.0)
    torch.testing.assert_close(slider.images["", "lerp"], model.decode(model.encode(x[1:]))[0])
    slider = PathSlider(model, x[0], x[1], start=0.5)
    z_a, z_b = model.encode(x)
    arc = slerp(z_a, z_b, 0.5, batch_dims=0)  # one code turns as one vector, not each channel by itself
    torch.testing.assert_close(slider.images["", "slerp"], model.decode(arc[None])[0])


def test_pad_over_two_of_many_dimensions_holds_the_others():
    model, base = Model(latent_dim=4), torch.tensor([0.5, -0.5, 1.0, 2.0])
    pad, codes = make_pad(model, dims=(3, 1), base=base)
    pad.move_to(0.25, -0.75)
    torch.testing.assert_close(pad.image, decoded(model, [0.5, -0.75, 1.0, 0.25]))
    mean, _ = make_pad(model, dims=(3, 1))
    torch.testing.assert_close(mean.image, decoded(model, [codes[:, 0].mean(), 0.0, codes[:, 2].mean(), 0.0]))


def test_pad_with_a_chart_of_its_own():
    model = Plain()

    def project(z):
        return torch.stack([z[:, 0, 1], z[:, 1, 0]], dim=1)

    def unproject(points):
        z = torch.zeros(len(points), 2, 2)
        z[:, 0, 1], z[:, 1, 0] = points.T
        return z

    pad, _ = make_pad(model, chart=(project, unproject))
    pad.move_to(0.5, -1.0)
    torch.testing.assert_close(pad.image, model.decode(torch.tensor([[[0.0, 0.5], [-1.0, 0.0]]]))[0])


def test_pad_with_names_of_its_own_for_the_axes_and_colours():
    colors = ["#10aA20", "#000000", "#ffffff"]
    pad = LatentPad(Model(), CODES, LABELS, NAMES, axes=("left to right", "up"), colors=colors)
    assert pad._spec["axes"] == ["left to right", "up"]
    assert list(pad._spec["palette"]) == colors
    assert pad.static(2).get_ylabel() == "up"
    plt.close("all")


def test_pad_sends_its_points_once_and_not_too_many():
    model, n = Model(), MOST_POINTS * 2 + 7
    pad, codes = make_pad(model, n=n)
    count = len(pad._points) // 9
    assert count == MOST_POINTS
    points = np.frombuffer(pad._points[: 8 * count], "<f4").reshape(count, 2)
    labels = np.frombuffer(pad._points[8 * count :], np.uint8)
    lookup = {tuple(point): i for i, point in enumerate(codes.numpy())}
    found = [lookup[tuple(point)] for point in points]
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, n - 1)
    assert labels.tolist() == [i % 3 for i in found]


def test_map_holds_the_codes_and_the_start_at_one_scale():
    pad, codes = make_pad(n=500, start=(30.0, 0.0))
    (x0, x1), (y0, y1) = pad._spec["xRange"], pad._spec["yRange"]
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert x0 < 30 < x1
    inside = ((codes > torch.tensor([x0, y0])) & (codes < torch.tensor([x1, y1]))).all(dim=1)
    assert inside.float().mean() > 0.97


def test_class_names_stay_on_the_map_and_apart():
    model = Model()
    codes = torch.randn(90, 2, generator=generator()) * 0.01  # all classes in one place
    pad = LatentPad(model, codes, torch.arange(90) % 3, ["a long name of a class"] * 3, start=(0.02, 0))
    places = np.array([place[1:] for place in pad._spec["namePlaces"]])
    assert ((places >= 0) & (places <= pad._spec["size"])).all()
    assert all(abs(a[1] - b[1]) > 15 for a, b in itertools.combinations(places, 2))


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_errors_are_shown_and_the_explorer_goes_on(number):
    class Sometimes(Model):
        broken = False

        def decode(self, z):
            if self.broken:
                raise RuntimeError("out of cloth")
            return super().decode(z)

    model = Sometimes()
    explorer, value = one_of_each(model)[number]
    position, frame = explorer._answer["value"], explorer._frame
    model.broken = True
    browser_moves(explorer, value, "view:1")  # raises nothing: nobody would see it
    assert explorer.error == "This position cannot be shown. RuntimeError: out of cloth"
    assert explorer._answer["token"] == "view:1", "an error is an answer, or the browser would wait for ever"
    assert (explorer._answer["value"], explorer._frame) == (position, frame)
    with pytest.raises(RuntimeError, match="out of cloth"):  # in a cell it is raised as well
        explorer.move_to(*value) if number == 0 else explorer.move_to(value)
    model.broken = False
    browser_moves(explorer, value, "view:2")
    assert explorer.error == ""
    assert explorer._frame != frame


@pytest.mark.parametrize("value", ["left", None, [0.5], [0.5, "up"], {"x": 0.5}])
def test_unreadable_positions_are_shown(value):
    pad, _ = make_pad()
    browser_moves(pad, value)
    assert pad.error.startswith("The explorer got a message that it cannot read: its value")
    assert pad.value == [0, 0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, *SHAPE), torch.nan), "NaN"),
        (torch.zeros(SHAPE), r"\(1, 5, 3\) for 1 codes"),
        (torch.zeros(1, 2, 5, 3), "must be"),
        (np.zeros((1, *SHAPE)), "ndarray"),
    ],
)
def test_a_decoder_that_returns_nonsense_is_named(images, message):
    class Nonsense(Plain):
        latent_shape = (2,)

        def decode(self, z):
            return images

    with pytest.raises((TypeError, ValueError), match=message):
        make_pad(Nonsense())


X = pixels(1)[0]
CODES, LABELS = torch.randn(6, 2, generator=generator()), torch.tensor([0, 1, 2, 0, 1, 2])
BAD = {
    "no model": (lambda: LatentPad(print, CODES, LABELS, NAMES), TypeError, "no encode"),
    "other codes": (lambda: LatentPad(Model(3), CODES, LABELS, NAMES), ValueError, r"\(6, 2\).*\(N, 3\)"),
    "no codes": (lambda: LatentPad(Model(), CODES[:0], LABELS[:0], NAMES), ValueError, r"\(0, 2\)"),
    "NaN codes": (lambda: LatentPad(Model(), CODES / 0 * 0, LABELS, NAMES), ValueError, "NaN"),
    "few labels": (lambda: LatentPad(Model(), CODES, LABELS[:4], NAMES), ValueError, r"\(4,\) for 6 examples"),
    "few names": (lambda: LatentPad(Model(), CODES, LABELS, NAMES[:2]), ValueError, "0 to 2.*2 class names"),
    "few images": (lambda: LatentPad(Model(), CODES, LABELS, NAMES, images=pixels(5)), ValueError, "for 6 codes"),
    "one number": (lambda: LatentPad(Model(), CODES, LABELS, NAMES, start=(1,)), ValueError, "two finite numbers"),
    "NaN start": (lambda: LatentPad(Model(), CODES, LABELS, NAMES, start=(math.nan, 0)), ValueError, "two finite"),
    "dims": (lambda: make_pad(Model(3), dims=(0, 3)), ValueError, r"\(0, 3\).*between 0 and 2"),
    "same dims": (lambda: make_pad(Model(3), dims=(1, 1)), ValueError, "two different"),
    "base": (lambda: make_pad(Model(3), base=[1.0, 2.0]), ValueError, r"base has shape \(2,\).*3 numbers"),
    "shaped codes": (lambda: make_pad(Plain()), ValueError, "chart="),
    "bad chart": (lambda: make_pad(Plain(), chart=(lambda z: z, lambda p: p)), ValueError, r"\(60, 2, 2\)"),
    "one axis": (lambda: LatentPad(Model(), CODES, LABELS, NAMES, axes=["up"]), TypeError, "axes is .*of 2"),
    "few colours": (
        lambda: LatentPad(Model(), CODES, LABELS, NAMES, colors=["#000000"]),
        TypeError,
        "colors is .*of 3",
    ),
    "a word": (lambda: LatentPad(Model(), CODES, LABELS, NAMES, colors=["red"] * 3), ValueError, "'red'.*#rrggbb"),
    "nothing to reconstruct": (lambda: ComponentSlider(Plain(), X), TypeError, "no reconstruct"),
    "batch": (lambda: ComponentSlider(Model(), pixels(2)), ValueError, r"\(2, 1, 5, 3\)"),
    "array": (lambda: ComponentSlider(Model(), X.numpy()), TypeError, "ndarray"),
    "bytes": (lambda: ComponentSlider(Model(), (X * 255).to(torch.uint8)), TypeError, "uint8"),
    "range": (lambda: ComponentSlider(Model(), X * 255), ValueError, r"\[0, 1\]"),
    "components": (lambda: ComponentSlider(Model(), X).move_to(3), ValueError, "3 is no number.*0 to 2"),
    "half a component": (lambda: ComponentSlider(Model(), X).move_to(1.5), ValueError, "whole number"),
    "no models": (lambda: PathSlider({}, X, X), ValueError, "models is empty: give a dictionary, {name: model}"),
    "method": (lambda: PathSlider(Model(), X, X, methods=("nlerp",)), ValueError, "'nlerp'.*'lerp' or 'slerp'"),
    "two shapes": (lambda: PathSlider(Model(), X, X.transpose(1, 2)), ValueError, "give one shape"),
    "weight": (lambda: PathSlider(Model(), X, X).move_to(1.5), ValueError, "1.5 is no weight"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_sentence(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_static_twin_of_the_pad_is_the_latent_grid():
    model = Model()
    pad, _ = make_pad(model)
    picture = np.asarray(pad.static(steps=4).images[0].get_array())
    with torch.no_grad():
        grid = latent_grid(model.eval(), pad._spec["xRange"], pad._spec["yRange"], 4)
    assert picture[..., 0] == pytest.approx(grid[:, :, 0].permute(0, 2, 1, 3).reshape(20, 12).numpy(), abs=1e-6)


def test_static_twins_of_the_sliders_show_the_same_images():
    model, (x_a, x_b) = Model(latent_dim=6), pixels(2)
    components, path = ComponentSlider(model, x_a), PathSlider({"m": model}, x_a, x_b)
    ax = components.static()
    assert [text.get_text().split("\n")[0] for text in ax.texts] == [
        "original", "k = 0", "k = 1", "k = 2", "k = 4", "k = 6",
    ]  # fmt: skip
    components.move_to(4)
    assert ax.texts[4].get_text() == f"k = 4\nerror {components.squared_error:.1f}"
    ax = path.static(steps=5)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["pixel cross-fade", "m LERP", "m SLERP"]
    path.move_to(0.75)
    picture, rows, columns = np.asarray(ax.images[0].get_array()), ax.get_yticks(), ax.get_xticks()
    for row, image in zip(rows, path.images.values(), strict=True):
        assert picture[round(row), round(columns[3]), 0] == pytest.approx(float(image[0, 2, 1]), abs=1e-6)
    plt.close("all")


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_what_the_browser_gets_is_plain_and_complete(number):
    explorer, _ = one_of_each()[number]
    state = explorer.get_state()
    spec = json.loads(json.dumps(state["_spec"]))
    assert spec["label"]
    assert spec["help"]
    assert spec["className"].startswith("course-")
    shapes = [panel["shape"] for row in spec["rows"] for panel in row["panels"]]
    assert len(state["_frame"]) == sum(map(math.prod, shapes))
    assert len(state["_answer"]["captions"]) == len(shapes)
    assert "export default" in explorer._esm
    assert "image-rendering: pixelated" in explorer._css


@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_text_for_pages_without_a_kernel_is_short(number):
    explorer, _ = one_of_each()[number]
    assert repr(explorer).startswith(type(explorer).__name__ + ": ")
    assert len(repr(explorer)) < 160
    bundle = explorer._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data


def test_colab_is_asked_for_its_widget_manager(monkeypatch):
    from anywidget import _util

    calls = []
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: calls.append(1)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _util.enable_custom_widget_manager_once.cache_clear()
    make_pad()
    make_pad()
    _util.enable_custom_widget_manager_once.cache_clear()
    assert calls == [1]


@pytest.mark.slow_because("the benchmark compares with `interact` and matplotlib, which are slow")
def test_benchmark_measures_every_explorer():
    path = Path(__file__).parents[2] / "benchmarks" / "explorers.py"
    spec = importlib.util.spec_from_file_location("explorers_benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    results = benchmark.measure(rounds=1)
    assert set(results) == {"LatentPad", "ComponentSlider", "PathSlider"}
    for ours, theirs in results.values():
        assert 0 < ours < theirs  # far less in truth: the benchmark itself says how much, on a machine at rest
    assert benchmark.table({"Pad": (0.5, 20.0)}).splitlines()[-1] == "| `Pad` | 0.50 ms | 20.0 ms | 1/40 |"


def test_an_explorer_must_say_what_it_draws():
    with pytest.raises(NotImplementedError):
        Explorer({}, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("number", range(3), ids=EACH)
def test_models_on_a_gpu(number):
    explorer, value = one_of_each(Model().cuda())[number]
    reference, _ = one_of_each(Model())[number]
    browser_moves(explorer, value)
    browser_moves(reference, value)
    difference = np.frombuffer(explorer._frame, np.uint8).astype(int) - np.frombuffer(reference._frame, np.uint8)
    assert explorer.error == ""
    assert abs(difference).max() <= 1
