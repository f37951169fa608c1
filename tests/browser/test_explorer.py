"""An explorer's value in the browser: tied to ipywidgets' controls, in their boxes, and on a screen of 390 pixels.

The first part needs a page but no JupyterLab: the module that a notebook gets, over a model of a few lines.
"""

import json
import time

import nbformat
import pytest
import torch
from browser.test_spec import PAGE, said, traits
from pages import run_all
from widgets.test_spec import EXPLORERS, IMAGES, SHAPE

from course_utils.models.pixels import PixelSpace
from course_utils.widgets import Explorer, FunctionSliders, PathLab

PHONE = 390  # CSS pixels


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": PHONE, "height": 800}, has_touch=True)
    page.thrown = []
    page.on("pageerror", lambda error: page.thrown.append(str(error)))
    page.evaluate(PAGE, Explorer._esm)
    page.add_style_tag(content=Explorer._css)
    yield page
    page.close()


def standing(page) -> float | list[float]:
    """Where the controls stand, as the reader sees it; of a pad where its marker was drawn last."""
    return page.evaluate(
        "[...document.querySelectorAll('#cell .course-range, #cell .course-choice')].map((one) => Number(one.value))"
    )


# ------------------------------------------------------------------------------------- the trait and the control


def test_a_move_sets_the_trait_at_once_and_asks_once_at_a_time(page):
    page.evaluate("show", traits(EXPLORERS["path"]()))
    page.evaluate("window.followed = []; model.on('change:value', () => followed.push(model.get('value')))")
    page.locator("#cell .course-range").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("followed") == pytest.approx([0.52, 0.54, 0.56, 0.58, 0.6])  # what is linked follows
    sent = page.evaluate("sent")
    assert [one["value"] for one in sent] == [0.52]  # the kernel has not answered yet
    answer = traits(EXPLORERS["path"]())["answer"] | {"value": 0.52, "token": sent[0]["_ask"]}
    page.evaluate("answer", answer)
    assert [one["value"] for one in page.evaluate("sent")] == [0.52, 0.6]  # the latest, and none between
    assert standing(page) == [0.6]  # the answer to the first did not pull it back
    assert not page.thrown


@pytest.mark.parametrize("name", EXPLORERS)
def test_the_control_follows_what_others_set_the_trait_to(name, page):
    explorer = EXPLORERS[name]()
    page.evaluate("show", traits(explorer))
    value = explorer.value
    if explorer._spec["kind"] == "slider":
        value = explorer._spec["max"]
    elif explorer._spec["kind"] == "sliders":
        value = [one["max"] for one in explorer._spec["sliders"]]
    elif explorer._spec["kind"] == "pad":
        value = [explorer._spec["xRange"][1], value[1]]
    elif explorer._spec["kind"] == "brush":
        value = {"hidden": [0, 1, 2]}
    else:
        value |= {"map": [len(one["values"]) - 1 for one in explorer._spec["settings"]], "at": [0.5, -0.5]}
    before = page.locator("#cell .course-control").screenshot()
    page.evaluate("(value) => { model.set('value', value); model.save_changes(); }", value)
    assert page.locator("#cell .course-control").screenshot() != before
    assert len(page.evaluate("sent")) == 1, "it asked the kernel again for what another widget had asked"
    if explorer._spec["kind"] in ("slider", "sliders"):
        assert standing(page) == pytest.approx(value if isinstance(value, list) else [value])
    assert said(page) == ""
    page.evaluate("model.set('value', 'nonsense')")
    assert not page.thrown


def test_the_numbers_of_a_list_are_traits_and_follow_both_ways(page):
    page.evaluate("show", traits(EXPLORERS["functions"]()))
    page.locator("#cell .course-range").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("['value', 'value_0', 'value_1'].map(model.get)") == [[2, 2], 2, 2]
    page.evaluate("model.set('value_1', 3)")
    assert page.evaluate("model.get('value')") == [2, 3]
    assert standing(page)[1] == pytest.approx(3, abs=0.05)
    page.evaluate("fromKernel('value', [1, 0.5])")
    assert page.evaluate("[model.get('value_0'), model.get('value_1')]") == [1, 0.5]


def test_a_position_that_cannot_be_shown_leaves_the_hand_on_the_control(page):
    """The trait goes back to what is shown; the marker stays, so that a reader can walk over a place that fails."""
    good = traits(EXPLORERS["path"]())
    page.evaluate("show", good)
    page.locator("#cell .course-range").focus()
    page.keyboard.press("End")
    token = page.evaluate("sent")[0]["_ask"]
    page.evaluate("answer", good["answer"] | {"token": token, "error": "This position cannot be shown."})
    page.evaluate("fromKernel('value', 0.5)")
    assert standing(page) == [1]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("sent")[-1]["value"] == pytest.approx(0.98)
    page.evaluate("answer", good["answer"] | {"token": page.evaluate("sent")[-1]["_ask"], "value": 0.98})
    assert said(page) == ""


def test_a_warning_is_shown_beside_the_picture_that_it_is_not_about(page):
    good = traits(EXPLORERS["path"]())
    page.evaluate("show", good)
    page.evaluate("answer", good["answer"] | {"warning": "What follows this explorer failed."})
    assert said(page) == "What follows this explorer failed."
    assert page.locator("#cell .course-stale").count() == 0
    page.evaluate("answer", good["answer"])
    assert said(page) == ""


# ------------------------------------------------------------------------------------------------- on a phone


@pytest.mark.parametrize("name", EXPLORERS)
def test_explorers_fit_a_phone(name, page):
    page.evaluate("show", traits(EXPLORERS[name]()))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    for part in page.locator("#cell .course-range, #cell figure, #cell .course-pad, #cell .course-reset").all():
        box = part.bounding_box()
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= PHONE, name
    for pad in page.locator("#cell .course-pad").all():
        box = pad.bounding_box()
        beside = [PHONE - 20, box["y"] + box["height"] / 2]
        touch = "([x, y]) => getComputedStyle(document.elementFromPoint(x, y)).touchAction"
        assert page.evaluate(touch, beside) != "none", "no margin beside the map to scroll the page by"
        assert page.evaluate(touch, [box["x"] + 100, beside[1]]) == "none"


def lines(page) -> list[int]:
    """How many images stand in each line of images."""
    tops = page.evaluate(
        "[...document.querySelectorAll('#cell figure')].map((one) => Math.round(one.getBoundingClientRect().top))"
    )
    return [tops.count(top) for top in sorted(set(tops))]


@pytest.mark.parametrize(
    ("count", "wanted"), [(2, [2]), (3, [3]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3]), (7, [3, 3, 1]), (8, [3, 3, 2])]
)
def test_images_fill_their_lines_evenly(count, wanted, page):
    shade = torch.ones(1, 4, 4)
    explorer = FunctionSliders(lambda a: {f"{k}": shade * a for k in range(count)}, {"a": (0, 1)})
    page.evaluate("show", traits(explorer))
    assert lines(page) == wanted
    page.set_viewport_size({"width": 1400, "height": 800})
    page.wait_for_timeout(100)
    assert lines(page) == [count]
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.wait_for_timeout(100)
    assert lines(page) == wanted


def test_the_laboratorys_two_rows_of_six_wrap_together(page):
    """LERP above SLERP: two rows of six at 1,000 pixels, and of three each where six do not fit."""
    spaces = {f"space {k}": PixelSpace(SHAPE) for k in range(6)}
    page.evaluate("show", traits(PathLab(spaces, IMAGES)))
    for width, wanted in ((1000, [6, 6]), (800, [6, 6]), (600, [3, 3, 3, 3]), (PHONE, [3, 3, 3, 3])):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert lines(page)[-len(wanted) :] == wanted, width
        assert sum(lines(page)) == 3 + 12
        sizes = page.evaluate("[...document.querySelectorAll('#cell canvas.course-image')].map((x) => x.clientWidth)")
        assert len(set(sizes[-12:])) == 1, "the two rows are of one size"
        assert min(sizes) >= 64


# ---------------------------------------------------------------------------------------- in a notebook, by keyboard

LINKED = [
    """
import torch
from ipywidgets import FloatSlider, HBox, VBox, interactive_output, jslink, link
from course_utils.widgets import FunctionSlider, FunctionSliders, LatentPad
from course_utils.models.pca import PCA
x = torch.rand(60, 1, 8, 6, generator=torch.Generator().manual_seed(0))
pca = PCA(2).fit(x)
pads = [LatentPad(pca, pca.encode(x), torch.arange(60) % 2, ("bag", "boot"), size=200) for _ in range(2)]
jslink((pads[0], "value"), (pads[1], "value"))
grey = FunctionSlider(lambda a: torch.full((1, 1, 4, 4), a), 0, 1, labels=["grey"], start=0.5)
seen = []
grey.observe(lambda change: seen.append(change.new), "value")
by_python, in_browser = FloatSlider(0.5, min=0, max=1, step=0.25), FloatSlider(min=-3, max=3, step=0.25)
link((by_python, "value"), (grey, "value"))
jslink((in_browser, "value"), (pads[0], "value_0"))
said = interactive_output(lambda z: print("z is", [round(v, 2) for v in z]), {"z": pads[1]})
VBox([HBox([by_python, grey]), HBox([in_browser, pads[0]]), HBox([pads[1], said])])
""",
    "print(pads[0].value == pads[1].value, pads[0].value_0 == in_browser.value, grey.value == by_python.value)\n"
    "print(seen == list(dict.fromkeys(seen)), len(seen) == 2, grey.error or 'no error')",
]


@pytest.mark.slow_because("opens JupyterLab in a real browser")
def test_links_in_a_notebook_by_keyboard(open_notebook, tmp_path, artifacts):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in LINKED])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "links.ipynb")
    page = open_notebook(tmp_path / "links.ipynb")
    run_all(page)
    explorers = page.locator(".course-explorer")
    explorers.nth(2).wait_for(timeout=180_000)

    def is_at(number: int, value):
        deadline = time.monotonic() + 60
        while True:
            found = [json.loads(one.evaluate("node => node.dataset.value")) for one in explorers.all()]
            if found[number] == pytest.approx(value):  # ipywidgets' slider stops at 0.7500000000000004
                return
            said = page.locator(".course-error:visible").all_inner_texts()
            assert time.monotonic() < deadline, f"explorer {number} is not at {value}: {found}; they say {said}"
            time.sleep(0.1)

    handles = page.locator(".widget-slider [role=slider], .widget-slider .ui-slider-handle, .noUi-handle")
    handles.first.focus()
    page.keyboard.press("ArrowRight")
    is_at(0, 0.75)
    explorers.nth(0).locator(".course-range").focus()
    page.keyboard.press("Home")
    is_at(0, 0)
    handles.nth(1).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    is_at(1, [0.75, 0])
    is_at(2, [0.75, 0])
    explorers.nth(1).locator(".course-pad").focus()
    page.keyboard.press("Home")
    is_at(1, [0, 0])
    is_at(2, [0, 0])
    page.locator(".jp-OutputArea", has_text="z is [0.0, 0.0]").first.wait_for(timeout=30_000)
    for box in page.locator(".widget-hbox").all():
        assert box.evaluate("node => node.scrollWidth <= node.clientWidth"), "a box scrolls sideways"
    page.screenshot(path=artifacts / "linked-explorers.png")
    cell = page.locator(".jp-CodeCell").nth(1)
    cell.locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")
    cell.locator(".jp-OutputArea-output", has_text="True True True").wait_for(timeout=30_000)
    assert "True True no error" in cell.locator(".jp-OutputArea-output").inner_text()
