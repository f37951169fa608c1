"""The controls of plain ipywidgets that a learner builds, as the complete lessons have them: moved by keyboard."""

import ast
import time

import nbformat
import pytest
from lesson_explorers import statements
from pages import run_all

from course_utils.checks import _engine

pytestmark = pytest.mark.slow_because("opens JupyterLab in a real browser")

CONTROLS = [name for name in _engine.exercises() if name.endswith(("-control", "-slider", "-sliders"))]
STEPS = 4  # a step of a fine slider may move a picture by less than a pixel
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
MADE = """
import torch
from course_utils import plots
from course_utils.checks import _engine
inputs = _engine.find({name!r}).inputs
make = inputs[""] if isinstance(inputs, dict) else inputs
{function}(*make(torch.Generator().manual_seed(0)))
"""


def cell_of(name: str) -> str:
    """A cell that shows the lesson's own answer to an exercise, with the small inputs of its check."""
    definitions = [each for each in statements(_engine.find(name).lesson) if isinstance(each.tree, DEFINITIONS)]
    function = name.replace("-", "_")
    wanted, names = [], {function}
    for each in reversed(definitions):
        if each.defines & names:
            wanted.append(ast.unparse(each.tree))
            names |= each.uses | each.later
    return "\n".join([*reversed(wanted), MADE.format(name=name, function=function)])


def picture(cell) -> str:
    """What is shown beside the sliders: the pictures' addresses, which hold their content, and the text."""
    return cell.locator(".jp-OutputArea img, .widget-image").evaluate_all(
        "nodes => nodes.map(node => node.src).join(' ')"
    )


def another(cell, before: str, message: str) -> str:
    """The cell's picture when it is another one than before, and has been the same for a second."""
    deadline, now, since = time.monotonic() + 150, "", time.monotonic()
    while now in (before, "") or time.monotonic() - since < 1:
        assert time.monotonic() < deadline, f"{message}; the cell says: {cell.inner_text()!r}"
        time.sleep(0.1)
        if (seen := picture(cell)) != now:
            now, since = seen, time.monotonic()
    return now


def test_there_is_one_in_each_lesson_of_the_second_edition():
    lessons = sorted({_engine.find(name).lesson for name in CONTROLS})
    assert lessons == ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14"]


def test_learners_controls_by_keyboard(open_notebook, tmp_path, artifacts):
    """Each slider of each control gets the focus and is moved by an arrow key; the picture follows, there and back."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell_of(name)) for name in CONTROLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "controls.ipynb")
    page = open_notebook(tmp_path / "controls.ipynb")
    run_all(page)
    for k, name in enumerate(CONTROLS):
        cell = page.locator(".jp-CodeCell").nth(k)
        cell.scroll_into_view_if_needed()
        handles = cell.locator(".widget-slider .ui-slider-handle, .noUi-handle")
        handles.first.wait_for(timeout=150_000)
        assert handles.count() == len(_sliders(name)), name
        shown = another(cell, "", f"{name} shows no picture")
        for handle in handles.all():
            handle.focus()
            at_its_end = handle.evaluate("node => Number(node.ariaValueNow) >= Number(node.ariaValueMax)")
            for key in ("ArrowLeft", "ArrowRight") if at_its_end else ("ArrowRight", "ArrowLeft"):
                for _ in range(STEPS):
                    page.keyboard.press(key)
                shown = another(cell, shown, f"{name}: the picture does not follow the slider with {key}")
        cell.screenshot(path=artifacts / f"control-{name}.png")


def _sliders(name: str) -> list:
    """The sliders that the right answer makes."""
    import torch

    from course_utils.widgets.screen import Screen

    check = _engine.find(name)
    make = check.inputs[""] if isinstance(check.inputs, dict) else check.inputs
    screen = Screen()
    with screen.on():
        return screen.sliders(check.reference(*make(torch.Generator().manual_seed(0))))
