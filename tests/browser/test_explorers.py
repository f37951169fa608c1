"""Every explorer in a real browser: moved by keyboard and by mouse, with pixels that change."""

import json
import time
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = {  # lesson: the explorers it must show
    "00_start_here": {"course-latent-pad"},
    "01_what_is_a_latent_space": {"course-component-slider", "course-path-slider"},
    "02_autoencoders": {"course-latent-pad", "course-path-slider"},
    "03_robust_and_sparse_codes": {"course-function-slider"},
    "04_variational_autoencoders": {"course-function-slider", "course-latent-pad"},
    "05_the_reparameterization_trick": {"course-function-slider"},
    "06_kl_and_the_elbo": {"course-function-slider"},
    "07_training_a_vae_well": {"course-function-slider"},
    "08_latent_maps": {"course-map-explorer"},
    "09_disentanglement_and_control": {"course-function-slider", "course-handle-sliders"},
    "13_lerp_and_slerp": {"course-function-slider", "course-path-lab"},
    "12_diffusion_latents": {"course-function-slider", "course-path-slider"},
    "10_gan_latents": {"course-function-slider", "course-latent-pad", "course-path-slider"},
}
FOLLOWS = {  # the image that must change when the control moves; None: any of them
    "course-latent-pad": "Decoded here",
    "course-component-slider": "Reconstruction",
    "course-path-slider": "LERP",
    "course-function-slider": None,
    "course-handle-sliders": "Decoded here",
    "course-path-lab": None,
    "course-map-explorer": None,
}
SAMPLE = {
    "models": """
import torch
from course_utils.data import fashion_mnist
from course_utils.models.pca import PCA
from course_utils.plots import Chart, Series
from course_utils.widgets import ComponentSlider, FunctionSliders, LatentPad, PathSlider
images = fashion_mnist("train", limit=1000)
x = images.pixels()
pca = PCA(20).fit(x)
z = pca.encode(x)
""",
    "pad": "pad = LatentPad(pca, z, images.labels, images.class_names, images=images)\npad",
    "components": "ComponentSlider(pca, x[0])",
    "path": "PathSlider({'PCA, 20-D': pca, 'PCA, 2-D': PCA(2).fit(x)}, x[5], x[9])",
    "path-of-one": "PathSlider(pca, x[1], x[8], start=0.3)",
    "function": """
def wave(height, offset):
    points = torch.linspace(0, 6, 50)
    series = [Series("wave", points, offset + height * points.sin()),
              Series("points", points[::10], offset + height * points[::10].sin(), "points"),
              Series("bars", [1, 2, 3], [height, offset, 1.0], "bars"), Series("offset", offset, kind="markers")]
    return {"a chart": Chart(series, (0, 6), (-3, 3), "x", "y"), "x": x[0] * height, "faded": x[1] * (1 - height)}
FunctionSliders(wave, {"height": (0, 1), "offset": (0, 2, 0.5)})
""",
    "broken": """
class Broken(PCA):
    def decode(self, z):
        if z[0, 0] > 1:
            raise RuntimeError("no clothes here")
        return super().decode(z)
LatentPad(Broken(2).fit(x), z[:, :2], images.labels, images.class_names)
""",
}


@pytest.fixture
def sample(tmp_path):
    """A small notebook with every explorer, and one whose model fails on one side of the map."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in SAMPLE.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "sample.ipynb"
    nbformat.write(notebook, path)
    return path


def _until(condition, what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)


def _kind(explorer) -> str:
    return next(name for name in explorer.get_attribute("class").split() if name in FOLLOWS)


def _value(explorer) -> str:
    return explorer.evaluate("node => node.dataset.value")


def _picture(explorer) -> bytes:
    """Screenshot of the image that follows the control."""
    text = FOLLOWS[_kind(explorer)]
    if text is None:
        return explorer.locator(".course-rows").screenshot()
    caption = explorer.locator("figure", has_text=text).first
    return caption.locator("canvas").screenshot()


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
    pad = _kind(explorer) == "course-latent-pad"
    for control in explorer.locator(".course-pad" if pad else ".course-range").all():
        _exercise_control(page, explorer, control, pad)


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


def _exercise_control(page, explorer, control, pad: bool) -> None:
    control.focus()
    keys = ["Shift+ArrowRight", "Shift+ArrowUp"] if pad else ["ArrowRight", "ArrowRight", "ArrowLeft"]
    for key in keys:
        _moves(explorer, lambda key=key: page.keyboard.press(key), key)
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
    last, late = _value(explorer), 0
    for _ in range(6):  # one move may be under way and one waiting, however slow the machine is, but no queue
        time.sleep(0.3)
        late, last, before = late + (_value(explorer) != last), _value(explorer), last
        if last == before:
            break
    assert late <= 2, "events were still queued after the drag"


def _exercise_all(page, expected: set[str], artifacts: Path, name: str) -> None:
    explorers = page.locator(".course-explorer")
    _until(lambda: explorers.count() >= len(expected), "all explorers on the page")
    assert {_kind(explorers.nth(i)) for i in range(explorers.count())} >= expected
    for i in range(explorers.count()):
        _exercise(page, explorers.nth(i))
        explorers.nth(i).screenshot(path=artifacts / f"{name}-{i}-{_kind(explorers.nth(i))}.png")


def test_sample_of_all_explorers(open_notebook, sample, artifacts):
    page = open_notebook(sample)
    explorers = page.locator(".course-explorer")
    _until(lambda: explorers.count() == 6, "six explorers on the page")
    for i in range(5):
        _exercise(page, explorers.nth(i))
        explorers.nth(i).screenshot(path=artifacts / f"sample-{i}-{_kind(explorers.nth(i))}.png")
    _shows_its_errors(page, explorers.nth(5), artifacts)


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


@pytest.mark.parametrize("lesson", LESSONS)
def test_explorers_of_lesson(lesson, open_notebook, artifacts):
    path = NOTEBOOKS / f"{lesson}.ipynb"
    if not path.exists():
        pytest.skip(f"{path.name} has not been written yet")
    page = open_notebook(path)
    _exercise_all(page, LESSONS[lesson], artifacts, lesson)
    page.screenshot(path=artifacts / f"{lesson}.png")
