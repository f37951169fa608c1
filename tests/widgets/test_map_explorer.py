"""MapExplorer finds the point, its neighbours and its code, on whichever map and whichever classes are shown."""

import json
import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from widgets.test_widgets import Fragile, Model, browser_moves, decoded, generator, pixels

from course_utils.widgets import MapExplorer

NAMES = ("bag", "coat", "boot")
N = 40
CODES = torch.randn(N, 4, generator=generator(3))
LABELS = torch.arange(N) % 3
MAPS = {(p, s): torch.randn(N, 2, generator=generator(10 * p + s)) * p + s for p in (2, 30, 5) for s in (0, 1)}
SETTINGS = ("perplexity", "seed")


def make(maps=None, **options):
    options = {"images": pixels(N), "model": Model(4), "codes": CODES, "settings": SETTINGS} | options
    return MapExplorer(MAPS if maps is None else maps, LABELS, NAMES, **options)


def value(at=(0.0, 0.0), chosen=(0, 0), hidden=(), pick=False):
    return {"at": list(at), "map": list(chosen), "hidden": list(hidden), "pick": pick}


def scaled(points):
    """Centred by its range, with a largest absolute coordinate of 1: written here again, in NumPy."""
    points = np.asarray(points, dtype=np.float64)
    low, high = points.min(0), points.max(0)
    return (points - (low + high) / 2) / (high - low).max() * 2


def nearest_to(points, place, others=None):
    """Indices by distance from a place."""
    order = np.argsort(np.linalg.norm(np.asarray(points) - np.asarray(place), axis=1))
    return [int(i) for i in order if others is None or i in others]


def shown_images(explorer):
    """All panels of the frame as (H, W) uint8, by what the browser is told of their shapes."""
    frame, images = np.frombuffer(explorer._frame, np.uint8), []
    for row in explorer._spec["rows"]:
        for one in row["panels"]:
            size = math.prod(one["shape"])
            images.append(frame[:size].reshape(one["shape"])[..., 0])
            frame = frame[size:]
    assert len(frame) == 0
    return images


def test_pointing_shows_the_nearest_image_and_both_kinds_of_neighbours():
    explorer = make()
    browser_moves(explorer, value((0.3, -0.2), (1, 1)))
    browser_moves(explorer, value((0.31, -0.25), (1, 1)))
    points = scaled(MAPS[5, 1])
    index = nearest_to(points, (0.31, -0.25))[0]
    assert explorer.index == index
    expected = (pixels(N)[:, 0] * 255).round().to(torch.uint8).numpy()
    on_map, as_codes = nearest_to(points, points[index])[1:6], nearest_to(CODES, CODES[index])[1:6]
    images = shown_images(explorer)
    assert len(images) == 2 + 5 + 5
    for image, i in zip([images[0], *images[2:]], [index, *on_map, *as_codes], strict=True):
        assert (image == expected[i]).all()
    said = explorer._answer["value"]
    assert said["index"] == index
    assert said["place"] == pytest.approx(points[index].tolist(), abs=1e-6)
    assert np.allclose(said["friends"], points[as_codes], atol=1e-6)
    assert f"{len(set(on_map) & set(as_codes))} are among the nearest on the map" in explorer.text
    assert explorer.text.startswith("Perplexity 5, seed 1. Here: " + NAMES[index % 3])


def test_only_a_click_decodes():
    model = Model(4)
    explorer = make(model=model)
    first = explorer.decoded
    browser_moves(explorer, value((0.7, 0.7)))
    assert torch.equal(explorer.decoded, first)
    browser_moves(explorer, value((0.7, 0.7), pick=True))
    torch.testing.assert_close(explorer.decoded, decoded(model, CODES[explorer.index]))
    assert not torch.equal(explorer.decoded, first)
    kept = explorer.index
    browser_moves(explorer, value((-0.7, -0.7)))
    assert explorer.index != kept
    torch.testing.assert_close(explorer.decoded, decoded(model, CODES[kept]))
    assert explorer._answer["captions"][1] == f"Code decoded: {NAMES[kept % 3]}"
    assert model.modes.count((False, True)) == 2  # as often as a code was asked for, in evaluation and inference mode
    assert not any(training for training, _ in model.modes)
    assert model.training


def test_on_another_map_the_marker_stays_with_its_image():
    explorer = make()
    explorer.move_to(0.9, 0.1)
    index = explorer.index
    before = explorer._points
    browser_moves(explorer, value((0.9, 0.1), (2, 1)))
    assert explorer.index == index
    assert explorer.setting == {"perplexity": 30, "seed": 1}
    points = scaled(MAPS[30, 1])
    assert explorer._answer["value"]["at"] == pytest.approx(points[index].tolist(), abs=1e-6)
    drawn = np.frombuffer(explorer._points[: 8 * N], "<f4").reshape(N, 2)
    assert np.allclose(drawn, points, atol=1e-6)
    assert list(explorer._points[8 * N :]) == LABELS.tolist()
    assert explorer._points != before


def test_hidden_classes_are_not_found_and_not_named():
    explorer = make()
    index = explorer.index
    browser_moves(explorer, value(hidden=[index % 3]))
    shown = [i for i in range(N) if i % 3 != index % 3]
    points = scaled(MAPS[2, 0])
    assert explorer.index == nearest_to(points, (0, 0), shown)[0]
    near = nearest_to(points, points[explorer.index], shown)[1:6]
    assert explorer._answer["captions"][2:7] == [NAMES[i % 3] for i in near]
    assert {k for k, _, _ in explorer._answer["value"]["names"]} == {0, 1, 2} - {index % 3}
    explorer.show_classes(["bag"])
    assert explorer._answer["value"]["hidden"] == [1, 2]
    explorer.show_classes()
    assert explorer.index == index


def test_few_points_leave_empty_panels():
    labels = torch.zeros(N, dtype=torch.long)
    labels[:3] = 1
    explorer = MapExplorer(MAPS[2, 0], labels, NAMES[:2], images=pixels(N))
    explorer.show_classes(["coat"])
    assert explorer._answer["captions"][1:] == ["coat", "coat", "none", "none", "none"]
    assert [image.any() for image in shown_images(explorer)] == [True] * 3 + [False] * 3
    assert explorer.decoded is None


def test_errors_are_shown_inside_and_the_explorer_goes_on():
    codes = CODES.clone()
    codes[:, 0] = torch.where(torch.arange(N) == nearest_to(scaled(MAPS[2, 0]), (1, 1))[0], 1.0, -1.0)
    explorer = make(model=Fragile(4), codes=codes)
    browser_moves(explorer, value((1, 1), pick=True))
    assert "out of cloth" in explorer.error
    browser_moves(explorer, value(hidden=[0, 1, 2]))
    assert "all classes are hidden" in explorer.error
    for wrong in (value(chosen=(7, 0)), value(at=(math.nan, 0)), value(hidden=[5]), {"at": [0, 0]}, 3):
        browser_moves(explorer, wrong)
        assert explorer.error
    browser_moves(explorer, value((0.1, 0.1)))
    assert explorer.error == ""


def test_maps_by_name_and_a_single_map():
    named = make({"PCA": CODES[:, :2], "t-SNE": CODES[:, 1:3]}, settings=("method",))
    assert named._spec["settings"] == [{"name": "method", "values": ["PCA", "t-SNE"]}]
    named.show_map("t-SNE")
    assert named.setting == {"method": "t-SNE"}
    single = MapExplorer(CODES[:, :2], LABELS, NAMES, model=Model(4), codes=CODES)
    torch.testing.assert_close(single.image, decoded(Model(4), CODES[single.index]))
    assert single._spec["settings"] == [{"name": "map", "values": [None]}]


def test_sliders_are_in_order_whatever_the_order_of_the_maps():
    explorer = make()
    assert explorer._spec["settings"][0] == {"name": "perplexity", "values": [2, 5, 30]}
    explorer.show_map(seed=1)
    explorer.show_map(30)
    assert explorer.setting == {"perplexity": 30, "seed": 1}


def test_what_the_browser_gets_is_plain_and_complete():
    explorer = make()
    spec = json.loads(json.dumps(explorer.get_state()["_spec"]))
    answer = json.loads(json.dumps(explorer.get_state()["_answer"]))
    assert spec["label"]
    assert "Enter" in spec["help"]
    assert len(answer["captions"]) == sum(len(row["panels"]) for row in spec["rows"])
    assert spec["start"] == answer["value"]
    assert len(repr(explorer)) < 200
    assert "function makeMap" in explorer._esm


def test_static_twin_shows_this_map_and_these_classes():
    explorer = make()
    explorer.show_classes(["bag", "boot"])
    ax = explorer.static(thumbnails=4)
    drawn = np.concatenate([one.get_offsets() for one in ax.collections])
    assert len(drawn) == sum(1 for i in range(N) if i % 3 != 1)
    assert {tuple(np.round(row, 4)) for row in drawn} <= {tuple(np.round(row, 4)) for row in scaled(MAPS[2, 0])}
    plt.close("all")


BAD = {
    "shape": (lambda: make(torch.zeros(5, 3), settings=("map",)), r"\(5, 3\): give two numbers"),
    "NaN": (lambda: make(MAPS[2, 0] * math.nan, settings=("map",)), "NaN"),
    "none": (lambda: make({}), "there are no maps"),
    "missing": (lambda: make({k: v for k, v in MAPS.items() if k != (5, 1)}), "5 maps for 6 positions"),
    "keys": (lambda: make({2: MAPS[2, 0]}), "1 values for the settings perplexity, seed"),
    "numbers": (lambda: make({(2, 0): MAPS[2, 0], (5, 0): MAPS[2, 0][1:]}), "one map has 40 points and another 39"),
    "labels": (lambda: MapExplorer(MAPS[2, 0], LABELS[1:], NAMES, images=pixels(N)), r"\(39,\) for 40 examples"),
    "names": (lambda: MapExplorer(MAPS[2, 0], LABELS, NAMES[:2], images=pixels(N)), "from 0 to 2.*2 class names"),
    "images": (lambda: make(images=pixels(7)), "for 40 codes"),
    "codes": (lambda: make(codes=CODES[1:]), "39 codes for 40 points"),
    "no codes": (lambda: make(codes=None), "no codes for it to decode"),
    "nothing": (lambda: MapExplorer(MAPS[2, 0], LABELS, NAMES), "nothing to show"),
    "setting": (lambda: make().show_map(perplexity=7), r"no map with perplexity 7: there are \[2, 5, 30\]"),
    "name": (lambda: make().show_map(seeds=1), "no setting 'seeds'"),
    "too many": (lambda: make().show_map(2, 0, 1), "3 values are given for 2 settings"),
    "class": (lambda: make().show_classes(["hat"]), "no class 'hat'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_sentence(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
