"""Every explorer in a real browser: moved by keyboard and by mouse, with pixels and words that change.

One lesson runs whole in JupyterLab. The explorers of the others are mounted by themselves, in one notebook with one
kernel, each lesson's by one cell that runs what they depend on and no more (`lesson_explorers.py`). By default these
are the lessons in SOME, and of three sliders or more the first and the last are moved. With `--everything`, as in
`.ci/run`, every slider of every lesson is. That every lesson runs whole, without a browser, is tested in notebooks/.
"""

import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from helpers import ROOT
from lesson_explorers import kinds_of
from pages import run_all, run_cell

pytestmark = pytest.mark.slow_because("moves controls in a real browser")

NOTEBOOKS = ROOT / "notebooks"
LESSONS = {path.stem[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
WHOLE = "01"  # quick, with two explorers
SOME = ["08", "13"]  # quick to build; with the sample below they have each kind
ALL = os.environ.get("COURSE_EVERYTHING") == "1"
CLASSES = {  # an explorer's class, and its root's in the browser
    "LatentPad": "course-latent-pad",
    "ComponentSlider": "course-component-slider",
    "PathSlider": "course-path-slider",
    "FunctionSlider": "course-function-slider",
    "FunctionSliders": "course-function-slider",
    "HandleSliders": "course-handle-sliders",
    "PathLab": "course-path-lab",
    "StyleMixer": "course-style-mixer",
    "TruncationSlider": "course-truncation-slider",
    "MapExplorer": "course-map-explorer",
    "Brush": "course-brush",
}
FOLLOWS = {  # the image that must change when the control moves; None: any of them
    "course-latent-pad": "Decoded here",
    "course-component-slider": "Reconstruction",
    "course-path-slider": "LERP",
    "course-function-slider": None,
    "course-handle-sliders": "Decoded here",
    "course-path-lab": None,
    "course-style-mixer": "Mixed styles",
    "course-truncation-slider": None,
    "course-map-explorer": None,
    "course-brush": None,
}
SAMPLE = {
    "models": """
import torch
from course_utils.data import fashion_mnist
from course_utils.models.pca import PCA
from course_utils.plots import Chart, Series
from course_utils.models.styles import StyleGAN
from course_utils.widgets import (
    ComponentSlider, FunctionSliders, HandleSliders, LatentPad, PathSlider, StyleMixer, TruncationSlider,
)
images = fashion_mnist("train", limit=1000)
x = images.pixels()
pca = PCA(20).fit(x)
z = pca.encode(x)
""",
    "pad": "pad = LatentPad(pca, z, images.labels, images.class_names, images=images)\npad",
    "components": "ComponentSlider(pca, x[0])",
    "path": "PathSlider({'PCA, 20-D': pca, 'PCA, 2-D': PCA(2).fit(x)}, x[5], x[9])",
    "path-of-one": "PathSlider(pca, x[1], x[8], start=0.3)",
    "handles": "HandleSliders(pca, z=torch.zeros(20), dims=[0, 1, 2])",
    "function": """
def wave(height, offset):
    points = torch.linspace(0, 6, 50)
    series = [Series("wave", points, offset + height * points.sin()),
              Series("points", points[::10], offset + height * points[::10].sin(), "points"),
              Series("bars", [1, 2, 3], [height, offset, 1.0], "bars"), Series("offset", offset, kind="markers")]
    return {"a chart": Chart(series, (0, 6), (-3, 3), "x", "y"), "x": x[0] * height, "faded": x[1] * (1 - height)}
FunctionSliders(wave, {"height": (0, 1), "offset": (0, 2, 0.5)})
""",
    "styles": """
torch.manual_seed(0)
style = StyleGAN(8, image_shape=(3, 28, 28), hidden=4).eval()
w = 3 * style.in_w().sample_latent(3)
StyleMixer(style, w[:2], start=[0.5, 0, 0])
""",
    "truncation": "TruncationSlider({'w': (style.in_w(), w, style.mean_w), 'PCA': (pca, z[:3], None)})",
    "broken": """
class Broken(PCA):
    def decode(self, z):
        if z[0, 0] > 1:
            raise RuntimeError("no clothes here")
        return super().decode(z)
LatentPad(Broken(2).fit(x), z[:, :2], images.labels, images.class_names)
""",
}


@pytest.fixture(scope="module")
def run(open_notebook, tmp_path_factory):
    """A function that runs cells of one notebook: those of SAMPLE, by name, and one a lesson, by number."""
    sources = SAMPLE | {number: f"import lesson_explorers\nlesson_explorers.show({number!r})" for number in LESSONS}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text.strip()) for text in sources.values()])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path_factory.mktemp("explorers") / "explorers.ipynb"
    nbformat.write(notebook, path)
    page = open_notebook(path)
    return lambda name: (page, run_cell(page, list(sources).index(name)))


def _until(condition, what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.03)


def _kind(explorer) -> str:
    return next(name for name in explorer.get_attribute("class").split() if name in FOLLOWS)


def _value(explorer) -> str:
    return explorer.evaluate("node => node.dataset.value")


def _picture(explorer) -> str:
    """The pixels of the image that follows the control, or of all images and charts."""
    text = FOLLOWS[_kind(explorer)]
    part = explorer.locator(".course-rows") if text is None else explorer.locator("figure", has_text=text).first
    return part.evaluate("node => [...node.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join()")


def _texts(explorer) -> list[str]:
    """What it says in words: the line below the images, and a caption to each image."""
    return explorer.locator(".course-readout, .course-caption").all_inner_texts()


def _moves(explorer, move, what: str) -> None:
    """Do something and wait until the explorer's value and its picture have changed."""
    value, picture = _value(explorer), _picture(explorer)
    move()
    _until(lambda: _value(explorer) != value, f"{_kind(explorer)}: a new value after {what}")
    _until(lambda: _picture(explorer) != picture, f"{_kind(explorer)}: a new picture after {what}")
    assert explorer.locator(".course-error").is_hidden()


def _exercise(page, explorer) -> None:
    """Move one explorer by keyboard and by mouse."""
    explorer.scroll_into_view_if_needed()
    if _kind(explorer) == "course-map-explorer":
        return _exercise_map(page, explorer)
    if _kind(explorer) == "course-brush":
        return _exercise_brush(page, explorer)
    pad = _kind(explorer) == "course-latent-pad"
    controls = explorer.locator(".course-pad" if pad else ".course-range").all()
    said = [_texts(explorer)]
    if _kind(explorer) == "course-style-mixer":
        controls = controls[:2]  # the fine layers of a trained generator may change no pixel
    for control in controls if ALL or len(controls) < 3 else (controls[0], controls[-1]):
        said += _exercise_control(page, explorer, control, pad)
    assert all(map(any, said)), "it says nothing in words"
    assert any(words != said[0] for words in said), "it says the same wherever it stands"


def _exercise_map(page, explorer) -> None:
    """Point by keyboard and mouse, hover, decode, choose another map, and hide a class."""
    pad = explorer.locator(".course-pad")
    _exercise_control(page, explorer, pad, True)

    def told(key):
        return json.loads(_value(explorer))[key]

    box = pad.bounding_box()
    index = told("index")
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    _until(lambda: told("index") != index, "another image after hovering")
    if told("decoded") is not None:
        assert told("decoded") != told("index")  # hovering decodes nothing
        page.keyboard.press("Enter")
        _until(lambda: told("decoded") == told("index"), "the code decoded after Enter")
    page.mouse.move(1, 1)  # where the page scrolls under a mouse that is on the map, it hovers over another image
    assert _late(explorer) <= 2
    for choice in explorer.locator(".course-range, .course-choice").all():
        chosen, index, picture = told("map"), told("index"), pad.screenshot()
        choice.focus()
        page.keyboard.press("ArrowLeft" if choice.evaluate("node => node.value > 0") else "ArrowRight")
        if choice.evaluate("node => node.tagName") == "SELECT" and told("map") == chosen:
            choice.select_option(index=1 if chosen[0] != 1 else 0)
        _until(lambda chosen=chosen: told("map") != chosen, "another map")
        assert told("index") == index  # the marker stays with its image
        _until(lambda picture=picture: pad.screenshot() != picture, "other points")
    last = told("map")
    picture = pad.screenshot()
    explorer.locator(".course-class input").first.uncheck()
    _until(lambda: told("hidden") == [0], "a class hidden")
    assert told("map") == last
    assert pad.screenshot() != picture
    explorer.locator(".course-class input").first.check()
    _until(lambda: told("hidden") == [], "all classes shown")
    assert explorer.locator(".course-error").is_hidden()


def _exercise_brush(page, explorer) -> None:
    """Hide cells by a stroke and show them by another, walk and hide by keyboard, and clear."""
    canvas = explorer.locator(".course-canvas")
    canvas.scroll_into_view_if_needed()
    box, (rows, columns) = canvas.bounding_box(), (8, 8)

    def hidden() -> list[int]:
        return json.loads(_value(explorer))["hidden"]

    def at(row, column):
        return box["x"] + (column + 0.5) / columns * box["width"], box["y"] + (row + 0.5) / rows * box["height"]

    def stroke():
        value = _value(explorer)
        page.mouse.move(*at(6, 1))
        page.mouse.down()
        page.mouse.move(*at(6, 5), steps=2)  # a quick hand
        assert _value(explorer) == value, "the kernel was asked before the brush was lifted"
        page.mouse.up()

    before, row = set(hidden()), {6 * columns + k for k in range(1, 6)}
    looked = canvas.screenshot()
    _moves(explorer, stroke, "a stroke")
    assert set(hidden()) == before | row
    assert canvas.screenshot() != looked
    _moves(explorer, stroke, "the same stroke, from a hidden cell on")
    assert set(hidden()) == before - row
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft"):  # from where the stroke ended, (6, 5)
        page.keyboard.press(key)
    _moves(explorer, lambda: page.keyboard.press("Space"), "the space bar")
    assert set(hidden()) == (before - row) ^ {5 * columns + 3}
    assert canvas.evaluate("node => node === document.activeElement"), "the notebook took the keys"
    _until(lambda: explorer.locator(".course-spoken").inner_text(), "a word for who only hears it")
    _moves(explorer, explorer.locator(".course-reset").click, "the button")
    assert hidden() == []
    _moves(explorer, lambda: page.mouse.click(*at(3, 3)), "a click on one cell")
    assert hidden() == [3 * columns + 3]


def _late(explorer) -> int:
    """Wait until the value has stayed the same for a moment; how often it changed until then, up to 6 times."""
    last = _value(explorer)
    for late in range(6):
        time.sleep(0.3)
        last, before = _value(explorer), last
        if last == before:
            return late
    return 6


def _exercise_control(page, explorer, control, pad: bool) -> list[list[str]]:
    """Move one control; return what the explorer said at each place."""
    said, seen = [], explorer.locator(".course-rows").screenshot()
    control.focus()
    keys = ["Shift+ArrowRight", "Shift+ArrowUp"] if pad else ["ArrowRight", "ArrowRight", "ArrowLeft"]
    if not pad and control.evaluate("node => Number(node.value) >= Number(node.max)"):  # it stands at its end
        keys = ["ArrowLeft", "ArrowLeft", "ArrowRight"]
    for key in keys:
        _moves(explorer, lambda key=key: page.keyboard.press(key), key)
        said.append(_texts(explorer))
    assert explorer.locator(".course-rows").screenshot() != seen, "the screen does not show what the canvases hold"
    assert control.evaluate("node => node === document.activeElement"), "the notebook took the keys"
    box = control.bounding_box()

    def point(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    start, end = (0.25, 0.4), (0.8, 0.7)
    if not pad:  # click on the other half of the slider: a slider with few positions might stand at the first place
        now = control.evaluate("node => (node.value - node.min) / (node.max - node.min)")
        start, end = ((0.2, 0.5), (0.7, 0.5)) if now > 0.5 else ((0.8, 0.5), (0.3, 0.5))
    _moves(explorer, lambda: page.mouse.click(*point(*start)), "a click")

    def drag():
        page.mouse.move(*point(*start))
        page.mouse.down()
        page.mouse.move(*point(*end), steps=20)
        page.mouse.up()

    _moves(explorer, drag, "a drag")
    # One move may be under way and one waiting, however slow the machine is, but no queue.
    assert _late(explorer) <= 2, "events were still queued after the drag"
    return [*said, _texts(explorer)]


def _exercise_all(page, part, kinds: list[str], artifacts: Path, name: str) -> None:
    """Move every explorer in a part of the page, which has to have these kinds in this order."""
    explorers = part.locator(".course-explorer")
    _until(lambda: explorers.count() >= len(kinds), "all explorers on the page", 180)
    assert [_kind(one) for one in explorers.all()] == [CLASSES[kind] for kind in kinds]
    for i, one in enumerate(explorers.all()):
        _exercise(page, one)
        one.screenshot(path=artifacts / f"{name}-{i}-{_kind(one)}.png")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("pad", "LatentPad"),
        ("components", "ComponentSlider"),
        ("path", "PathSlider"),
        ("path-of-one", "PathSlider"),
        ("handles", "HandleSliders"),
        ("function", "FunctionSliders"),
        ("styles", "StyleMixer"),
    ],
)
def test_sample_of_explorers(run, cell, kind, artifacts):
    run("models")
    _exercise_all(*run(cell), [kind], artifacts, f"sample-{cell}")


def test_truncation_and_the_buttons_of_the_mixer_by_keyboard(run, artifacts):
    run("models")
    page, cell = run("styles")
    mixer = cell.locator(".course-explorer")
    mixer.scroll_into_view_if_needed()
    for key, name in (("Enter", "fine"), ("Space", "coarse"), ("Enter", "fine")):
        button = mixer.get_by_role("button", name=f"{name} of B")
        button.focus()
        _moves(mixer, lambda key=key: page.keyboard.press(key), f"{key} on a button")
        assert button.evaluate("node => node === document.activeElement"), "the notebook took the key"
        assert sum(json.loads(_value(mixer))) == {"coarse": 1, "fine": 2}[name]
    _exercise_all(*run("truncation"), ["TruncationSlider"], artifacts, "sample-truncation")


def test_an_error_in_the_model_is_shown(run, artifacts):
    run("models")
    page, cell = run("broken")
    _shows_its_errors(page, cell.locator(".course-explorer"), artifacts)


def _shows_its_errors(page, explorer, artifacts) -> None:
    """An error in the model is shown where the reader looks, and the explorer goes on working."""
    explorer.scroll_into_view_if_needed()
    control, alert = explorer.locator(".course-pad"), explorer.locator(".course-error")
    assert alert.is_hidden()
    control.focus()
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    _until(alert.is_visible, "an error message")
    assert "RuntimeError: no clothes here" in alert.inner_text()
    explorer.screenshot(path=artifacts / "sample-error.png")
    _moves(explorer, lambda: [page.keyboard.press("Shift+ArrowLeft") for _ in range(6)], "moving back")


@pytest.mark.parametrize("number", [number for number in LESSONS if number != WHOLE] if ALL else SOME)
def test_explorers_of_lesson(number, run, artifacts):
    page, cell = run(number)
    _exercise_all(page, cell, kinds_of(number), artifacts, LESSONS[number].stem)
    page.screenshot(path=artifacts / f"{LESSONS[number].stem}.png")


def test_a_whole_lesson(open_notebook, artifacts):
    page, name = open_notebook(LESSONS[WHOLE]), LESSONS[WHOLE].stem
    run_all(page)
    _exercise_all(page, page, kinds_of(WHOLE), artifacts, name)
    page.screenshot(path=artifacts / f"{name}.png")
