"""Every argument of every explorer: whatever form it comes in it fits, or one sentence says why not.

Numbers, steps and sizes are tried in test_spec.py.
"""

import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_models import style_gan
from widgets import test_handle_sliders as handles
from widgets.test_function_sliders import X
from widgets.test_spec import EXPLORERS, IMAGES
from widgets.test_widgets import SHAPE, Model, browser_moves, pixels

from course_utils.data.faces import default_handles
from course_utils.models.pixels import PixelSpace
from course_utils.widgets import (
    ComponentSlider,
    FunctionSlider,
    FunctionSliders,
    HandleSliders,
    LatentPad,
    MapExplorer,
    PathLab,
    PathSlider,
    StyleMixer,
    TruncationSlider,
)

N = 12
CODES, LABELS = torch.randn(N, 2, generator=torch.Generator().manual_seed(0)), torch.arange(N) % 3
FACE = default_handles()[0]


def pad(codes=CODES, labels=LABELS, names=("bag", "coat", "boot"), **options):
    return LatentPad(Model(), codes, labels, names, **options)


def maps(given=CODES, labels=LABELS, names=("bag", "coat", "boot"), **options):
    return MapExplorer(given, labels, names, **{"images": pixels(N)} | options)


def faces(directions=None, x=True, **options):
    return HandleSliders(handles.Model(), handles.image() if x else None, directions, **options)


def laboratory(spaces=None, images=IMAGES, **options):
    return PathLab({"pixels": PixelSpace(SHAPE)} if spaces is None else spaces, images, **options)


def functions(fn=lambda a: {"x": X * a}, sliders=None, **options):
    return FunctionSliders(fn, {"a": (0, 1)} if sliders is None else sliders, **options)


def path(encode):
    model = SimpleNamespace(encode=encode, decode=lambda z: z, latent_shape=SHAPE)
    return PathSlider(model, *pixels(2))


BAD = {
    "codes": (lambda: pad(None), "codes cannot be read as real numbers from a NoneType: give a tensor"),
    "ragged codes": (lambda: pad([[1.0, 2.0], [3.0]]), "codes cannot be read as real numbers from a list"),
    "complex codes": (lambda: pad(CODES.to(torch.complex64)), "codes cannot be read as real numbers"),
    "huge codes": (lambda: pad(CODES * 1e37), "far too large numbers are in codes"),
    "labels of text": (lambda: pad(labels=["a"] * N), "labels cannot be read as real numbers"),
    "half a label": (lambda: pad(labels=LABELS + 0.5), "labels hold 0.5: give whole numbers"),
    "NaN labels": (lambda: pad(labels=LABELS * math.nan), "NaN, .* are in labels"),
    "one-hot": (lambda: pad(labels=torch.eye(3)[LABELS]), r"labels have shape \(12, 3\) for 12 examples"),
    "names": (lambda: pad(names=3), "class_names is 3: give a list"),
    "one name": (lambda: pad(names="bag"), "0 to 2 .* there are 1 class names"),
    "300 classes": (lambda: pad(names=map(str, range(300))), "300 class names: an explorer can show 256"),
    "images of 255": (lambda: pad(images=pixels(N) * 255), r"images reach from [\d.]+ to 255 but must lie in"),
    "images about 0": (lambda: maps(images=pixels(N) * 2 - 1), "images reach from -.* must lie in"),
    "NaN images": (lambda: maps(images=pixels(N) * math.nan), "infinite values in images"),
    "a wide pad": (lambda: pad(size=10**9), "give a whole number from 100 to 4000"),
    "dims": (lambda: pad(dims=1), "dims is 1: give a list or tuple of 2"),
    "a mask as dims": (lambda: pad(dims=(True, False)), "one of dims is True"),
    "NaN base": (lambda: pad(base=[math.nan, 0]), "are in base"),
    "half a chart": (lambda: pad(chart=lambda z: z), "chart is .*: give a list or tuple of 2"),
    "no functions": (lambda: pad(chart=(None, None)), "first of chart is a NoneType: give a function"),
    "no points": (lambda: pad(chart=(lambda z: None, lambda p: p)), "points that chart returned cannot be read"),
    "the way back": (lambda: pad(chart=(lambda z: z, lambda p: p[:, :1])), r"way back have shape \(1, 1\)"),
    "list of maps": (lambda: maps([CODES, CODES]), "a map cannot be read as real numbers from a list"),
    "key of a map": (lambda: maps({(torch.zeros(2),): CODES}), "a map is called tensor.*: call it by text"),
    "settings": (lambda: maps({(1, 2): CODES}, settings=("a", "a")), "two of settings are called 'a'"),
    "flat codes": (lambda: maps(codes=CODES[:, 0]), r"codes have shape \(12,\) but must be \(N, D\)"),
    "directions": (lambda: faces(torch.eye(5)), "directions is a Tensor: give a dictionary"),
    "direction": (lambda: faces({"a": "b"}), r"direction 'a' cannot be read.*give a vector \(5,\)"),
    "both": (lambda: faces({"a": torch.ones(5)}, dims=[0]), "dims and directions are both given"),
    "dims of faces": (lambda: faces(dims=3), "dims is 3: give a list"),
    "handles": (lambda: faces({"a": torch.ones(5)}, handles={"smile": 1}), "handles cannot be read"),
    "a handle": (lambda: faces({"a": torch.ones(5)}, handles=FACE + 5), "handle 'smile' is 5.3: it goes from -1 to 1"),
    "no shape": (lambda: HandleSliders(SimpleNamespace(decode=abs), z=CODES[0]), "has no latent_shape"),
    "spaces": (lambda: laboratory(PixelSpace(SHAPE)), "spaces is a PixelSpace: give a dictionary"),
    "plain images": (lambda: laboratory(images=pixels(4)), "images are a Tensor: give an ImageSet"),
    "list of codes": (lambda: laboratory(codes=[1]), "codes is a list: give a dictionary"),
    "NaN codes": (lambda: laboratory(codes={"pixels": IMAGES.pixels() * math.nan}), "the codes of 'pixels'"),
    "one point": (
        lambda: laboratory(decoded={"pixels": torch.zeros(6, 2, 1, *SHAPE, dtype=torch.uint8)}),
        r"of shape \(6, 2, 1, 1, 5, 3\): give uint8, \(6, 2, K of at least 2, 1, 5, 3\)",
    ),
    "start": (lambda: laboratory(start=(0, 1)), r"start is \(0, 1\): give a list or tuple of 3"),
    "infinite start": (lambda: laboratory(start=(math.inf, 1, 0)), "one of start is inf"),
    "empty x": (lambda: ComponentSlider(Model(), torch.zeros(1, 0, 3)), r"x has shape \(1, 0, 3\)"),
    "NaN x": (lambda: ComponentSlider(Model(), pixels(1)[0] * math.nan), "infinite values in the pixels of x"),
    "maximum": (lambda: ComponentSlider(Model(), pixels(1)[0], maximum=9), "maximum is 9: .* from 1 to 2"),
    "methods": (lambda: PathSlider(Model(), *pixels(2), None), "methods is None: give a list"),
    "no codes": (lambda: path(lambda x: [x]), "encode returned a list for 2 images"),
    "NaN code": (lambda: path(lambda x: x * math.nan), "encode returned NaN"),
    "sliders": (lambda: functions(sliders=[(0, 1)]), "sliders is a list: give a dictionary"),
    "one number": (lambda: functions(sliders={"a": 1}), "the slider 'a' is 1: give a list"),
    "one end": (lambda: functions(sliders={"a": (1,)}), "the slider 'a' has 1 numbers: give"),
    "too far": (lambda: functions(sliders={"a": (-1e308, 1e308)}), "goes from .*: that is too far"),
    "too large": (
        lambda: functions(sliders={"a": (0, 10**400)}),
        "an end of the slider 'a' is 1000",
    ),
    "one name twice": (lambda: functions(sliders={1: (0, 1), "1": (0, 1)}), "two of sliders are called '1'"),
    "one label twice": (lambda: functions(labels=["a", "a"]), "two of labels are called 'a'"),
    "one panel twice": (lambda: functions(lambda a: {1: X, "1": X}), "two of the panels .* are called '1'"),
    "describe": (lambda: functions(describe="text"), "describe is a str: give a function"),
    "no sentence": (lambda: functions(describe=lambda a: None), "describe returned a NoneType"),
    "positions": (lambda: functions().static([(0, 1)]), "2 numbers for 1 sliders"),
    "values": (lambda: FunctionSlider(lambda a: {"x": X}, 0, 1).static(3), "values is 3: give a list"),
    "steps": (lambda: pad().static(0), "steps is 0: give a whole number from 1"),
    "methods of static": (lambda: laboratory().static(methods="l"), "methods are 'l': use 'lerp' or 'slerp'"),
    "counts": (lambda: ComponentSlider(Model(), pixels(1)[0]).static([3]), "one of counts is 3: .* from 0 to 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_named_in_one_sentence(case):
    make, message = BAD[case]
    with pytest.raises((TypeError, ValueError), match=message) as error:
        make()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250
    assert not plt.get_fignums()


FORMS = {
    "NumPy": lambda x: x.numpy(),
    "lists": lambda x: x.tolist(),
    "float64": lambda x: x.double(),
    "gradients": lambda x: x.float().clone().requires_grad_(),
}
TAKEN = {
    "pad": lambda f: pad(f(CODES), f(LABELS), base=f(CODES[0]), images=f(pixels(N)), start=f(CODES[1])),
    "map": lambda f: maps({"a": f(CODES)}, f(LABELS), codes=f(CODES), images=f(pixels(N))),
    "faces": lambda f: faces({"smile": f(torch.ones(5))}, z=f(torch.zeros(5)), handles=f(FACE)),
    "laboratory": lambda f: laboratory(codes={"pixels": f(IMAGES.pixels())}, start=f(torch.tensor([0.0, 1, 0.5]))),
    "styles": lambda f: StyleMixer(style_gan((3, 6, 10)), f(torch.eye(7)[:3]), start=f(torch.tensor([0.25]))),
    "truncation": lambda f: TruncationSlider({"w": (style_gan().in_w(), f(torch.eye(7)[:2]), f(torch.ones(7)))}),
    "edits": lambda f: HandleSliders(
        style_gan().in_w(per_layer=True), None, {"smile": f(torch.ones(3, 7))}, z=f(torch.eye(7)[:3]), reach=1
    ),
    "sliders": lambda f: functions(sliders={"a": f(torch.tensor([0.0, 1, 0.5]))}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TAKEN)
def test_any_form_of_the_same_numbers_makes_the_same_explorer(name, form):
    wanted, found = TAKEN[name](lambda x: x).get_state(), TAKEN[name](FORMS[form]).get_state()
    for trait in ("_spec", "_points", "_frame", "_answer"):
        assert found[trait] == wanted[trait]


def test_bytes_stay_bytes():
    images = (pixels(N) * 255).to(torch.uint8)
    assert pad(images=images.numpy())._frame == pad(images=images)._frame


@pytest.mark.parametrize("name", EXPLORERS)
def test_the_static_twin_takes_what_the_explorer_takes(name):
    explorer = EXPLORERS[name]()
    explorer.static()
    plt.close("all")


def test_names_may_be_numbers():
    lab = laboratory({1: PixelSpace(SHAPE), 2: PixelSpace(SHAPE)})
    assert [panel["title"] for panel in lab._spec["rows"][1]["panels"]] == ["1", "2"]
    lab.static(np.int64(3), methods="lerp")
    PathSlider({1: Model()}, *pixels(2)).static(torch.tensor(3))
    plt.close("all")


def test_maps_of_26_classes_have_static_twins():
    letters = [chr(97 + k) for k in range(26)]
    codes, labels = torch.rand(52, 2), torch.arange(52) % 26
    explorer = MapExplorer(codes, labels, letters, images=pixels(52))
    assert len(explorer.static().get_legend().get_texts()) == 26
    LatentPad(Model(), codes, labels, letters).static(3)
    plt.close("all")


# ------------------------------------------------------------------ a position that cannot be shown


def fails_above_one(error, z):
    if (z[:, 0] > 1).any():
        raise error
    return torch.sigmoid(z.sum() + torch.zeros(len(z), *SHAPE))


def test_what_an_explorer_says_of_itself_stays_when_a_position_cannot_be_shown():
    model = SimpleNamespace(decode=lambda z: fails_above_one(RuntimeError("no"), z), latent_shape=(2,))
    explorer = HandleSliders(model, z=[0.5, 0.0], reach=3)
    before = explorer.z
    browser_moves(explorer, [2.0, 0.0])
    assert explorer.error
    assert torch.equal(explorer.z, before)
    assert explorer.values == {"z[0]": 0.5, "z[1]": 0.0}


def test_an_interrupt_while_it_draws_is_answered_and_the_explorer_goes_on():
    model = SimpleNamespace(decode=lambda z: fails_above_one(KeyboardInterrupt(), z), latent_shape=(2,))
    explorer = HandleSliders(model, z=[0.5, 0.0], reach=3)
    browser_moves(explorer, [2.0, 0.0])
    assert explorer.error == "This position cannot be shown. KeyboardInterrupt"
    assert explorer._answer["token"] == "view:1", "the browser would wait for ever"
    with pytest.raises(KeyboardInterrupt):
        explorer.move_to(2.0, 0.0)
    browser_moves(explorer, [0.25, 0.0])
    assert (explorer.error, explorer.values["z[0]"]) == ("", 0.25)


def test_a_long_error_is_shown_in_short():
    model = SimpleNamespace(decode=lambda z: fails_above_one(RuntimeError("line\n" * 900), z), latent_shape=(2,))
    explorer = HandleSliders(model, z=[0.5, 0.0], reach=3)
    browser_moves(explorer, [2.0, 0.0])
    assert explorer.error.startswith("This position cannot be shown. RuntimeError: line line line")
    assert len(explorer.error) < 400


def test_images_may_not_change_their_size():
    model = Model()
    model.decode = lambda z: torch.zeros(len(z), 1, 5, 3 if z[0, 0] < 1 else 4)
    explorer = LatentPad(model, CODES, LABELS, ("bag", "coat", "boot"))
    frame = explorer._frame
    browser_moves(explorer, [2.0, 0.0])
    assert "an image has shape (1, 5, 4) here but (1, 5, 3) at the start" in explorer.error
    assert explorer._frame == frame


def test_a_closed_explorer_says_so():
    explorer = functions()
    assert "closed" not in repr(explorer)
    explorer.close()
    explorer.move_to(0.25)
    assert repr(explorer) == "FunctionSliders: a: 0.25. It was closed: run its cell again."


# ------------------------------------------------------------------ whatever the model's and PyTorch's number formats


def of_models(model, x, direction):
    """Explorers of a model, and a value for each that the browser may send."""
    return [
        (LatentPad(model, CODES, LABELS, ("bag", "coat", "boot"), images=x), [0.5, -0.25]),
        (MapExplorer(CODES, LABELS, ("bag", "coat", "boot"), images=x, model=model, codes=CODES), None),
        (ComponentSlider(model, x[0]), 1),
        (PathSlider(model, x[0], x[1]), 0.25),
        (HandleSliders(model, x[0], {"a": direction}), [1.0]),
        (HandleSliders(model, x[0]), [0.5, 0.25]),
    ]


def shown(explorers):
    frames = []
    for explorer, value in explorers:
        browser_moves(explorer, value or {"at": [0.5, -0.25], "map": [0], "hidden": [1], "pick": True})
        assert explorer.error == ""
        explorer.static()
        plt.close("all")
        frames.append(np.frombuffer(explorer._frame, np.uint8).astype(int))
    return frames


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_models_in_other_number_formats_have_explorers(dtype):
    wanted, found = (shown(of_models(model, pixels(N), torch.ones(2))) for model in (Model(), Model().to(dtype)))
    for one, other in zip(wanted, found, strict=True):
        assert abs(one - other).max() <= (1 if dtype == torch.float64 else 8)


@pytest.mark.parametrize("default", [torch.device("meta"), torch.float64])
def test_pytorchs_defaults_change_no_explorer(default):
    given = Model(), pixels(N), torch.ones(2)
    wanted = shown(of_models(*given))
    try:
        torch.set_default_device(default) if isinstance(default, torch.device) else torch.set_default_dtype(default)
        found = shown(of_models(*given))
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    for one, other in zip(wanted, found, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("change", [lambda x: x[::-1].copy()[::-1], lambda x: x.astype(">f4")])
def test_reversed_and_foreign_arrays_are_taken(change):
    codes = CODES.numpy()
    assert pad(change(codes))._points == pad(codes)._points
