"""The browser's half of the contract: the same verdicts as Python's, and what cannot be shown says so in its place.

Most of it needs a page but no JupyterLab: the module that a notebook gets is given a model of a few lines.
"""

import json

import nbformat
import pytest
from pages import run_all
from widgets.test_spec import EXPLORERS, KINDS, table
from widgets.test_spec import cases as all_cases

from course_utils.widgets import Explorer
from course_utils.widgets.spec import CONTRACT, fault

# The module with more exports, and show(traits), which renders them as a notebook would. What is sent is kept.
PAGE = """async (source) => {
    source += '\\nexport { fault, CONTRACT, CONTROLS, PANELS };';
    const half = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    const view = (bytes) => new DataView(Uint8Array.from(bytes).buffer);
    const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    window.half = half;
    window.show = async ({ spec, value, answer, frame = [], points = [] }) => {
        const numbers = Array.isArray(value) ? value.map((one, k) => [`value_${k}`, one]) : [];
        const traits = { value, _ask: '', _spec: spec, _answer: answer, _frame: view(frame), _points: view(points),
                         ...Object.fromEntries(numbers) };
        const heard = [];
        window.fire?.('destroy'); // the one before
        window.sent = [];
        window.said = [];
        let unsaved = {};
        const put = (name, value) => {
            if (JSON.stringify(traits[name]) === JSON.stringify(value)) return;
            traits[name] = value;
            for (const [event, listen] of [...heard]) if (event === `change:${name}`) listen();
        };
        const model = window.model = {
            get: (name) => traits[name],
            set(name, value) { unsaved[name] = value; put(name, value); },
            save_changes() { window.sent.push(unsaved); unsaved = {}; },
            on: (event, listen) => heard.push([event, listen]),
            send(content) { window.said.push(content); },
            off: (event, listen) => { heard.splice(heard.findIndex((one) => one[1] === listen), 1); },
        };
        window.fromKernel = put;
        window.fire = (event, ...given) => {
            for (const [one, listen] of [...heard]) if (one === event) listen(...given);
        };
        window.deliver = async ({ frame, answer, value }) => {
            traits._frame = view(frame);
            put('value', value);
            put('_answer', answer);
            await frames();
        };
        window.answer = async (answer) => { put('_answer', answer); await frames(); };
        window.stop?.();
        document.body.innerHTML = '<div id="cell"></div>';
        const { initialize, render } = half.default();
        initialize({ model });
        window.stop = render({ model, el: document.getElementById('cell') });
        await frames();
    };
}"""
CANNOT = "This explorer cannot be shown: {}; reload the page or update the course."


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.thrown = []
    page.on("pageerror", lambda error: page.thrown.append(str(error)))
    page.evaluate(PAGE, Explorer._esm)
    yield page
    page.close()


def traits(explorer) -> dict:
    state = explorer.get_state()
    spec, answer = (json.loads(json.dumps(state[name])) for name in ("_spec", "_answer"))
    value = json.loads(json.dumps(state["value"]))
    shown = {"spec": spec, "value": value, "answer": answer}
    return shown | {"frame": list(state["_frame"]), "points": list(state["_points"])}


def said(page) -> str:
    """The error that the reader sees; empty where none is seen."""
    alert = page.locator("#cell .course-error")
    return alert.inner_text() if alert.is_visible() else ""


def test_both_sides_say_the_same_of_every_right_and_wrong_value(page):
    cases = [(way, value) for way, value, _ in all_cases()]
    judge = "([way, value]) => half.fault(way.reduce((at, name) => at[name], half.CONTRACT), value)"
    verdicts = page.evaluate(f"{json.dumps(cases)}.map({judge})")  # as source: an argument of this size takes seconds
    assert len(verdicts) == len(cases) > 2000
    for (way, value), verdict in zip(cases, verdicts, strict=True):
        assert verdict == fault(table(way), value), (way, value)


def test_there_is_a_control_for_every_kind_and_a_panel_for_every_kind(page):
    panels = CONTRACT["spec"]["by kind"]["pad"]["rows"][0]["panels"][0]["by kind"]
    assert page.evaluate("Object.keys(half.CONTROLS)") == KINDS
    assert page.evaluate("Object.keys(half.PANELS)") == list(panels)
    assert page.evaluate("half.CONTRACT") == CONTRACT


@pytest.mark.parametrize("name", EXPLORERS)
def test_what_python_describes_is_shown_and_what_the_browser_sends_is_understood(name, page):
    explorer = EXPLORERS[name]()
    page.evaluate("show", traits(explorer))
    assert said(page) == ""
    control = page.locator("#cell .course-pad, #cell .course-range").first
    control.focus()
    page.keyboard.press({"pad": "ArrowRight", "map": "ArrowRight", "brush": "Space"}.get(explorer._spec["kind"], "End"))
    sent = page.evaluate("sent")
    assert len(sent) == 1
    asked = {"value": sent[0]["value"], "token": sent[0]["_ask"]}
    assert fault(CONTRACT["message"][explorer._spec["kind"]], asked) == ""
    data = {"method": "update", "state": sent[0], "buffer_paths": []}
    explorer._handle_msg({"content": {"data": data}, "buffers": []})
    assert explorer.error == ""
    assert explorer._answer["token"] == sent[0]["_ask"]
    if explorer._spec["kind"] != "map":  # whose marker goes where its image lies on the other map
        assert explorer.value == sent[0]["value"]
    assert not page.thrown


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_description_that_does_not_fit_is_an_error_in_the_cell(name, page):
    good = traits(EXPLORERS[name]())
    for change, why in [
        ({"kind": "paad"}, f'its kind is "paad", but must be one of {", ".join(KINDS)}'),
        ({"title": None}, "its title is nothing, but must be text"),
        ({"rows": 3}, "its rows is 3, but must be a list"),
        ({"stepp": 0.1}, "its stepp is no field that is known"),
    ]:
        page.evaluate("show", good | {"spec": good["spec"] | change})
        assert said(page) == CANNOT.format(why)
        assert page.locator("#cell .course-control").count() == 0, "half an explorer"
        assert page.evaluate("stop") is None
    page.evaluate("show", good | {"spec": None})
    assert said(page) == CANNOT.format("it is nothing, but must be a record")
    page.evaluate("show", good)
    assert said(page) == ""
    assert not page.thrown


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_answer_that_does_not_fit_is_an_error_in_the_cell(name, page):
    good = traits(EXPLORERS[name]())
    page.evaluate("show", good)
    for change, why in [
        ({"value": "left"}, 'its answer.value is "left", but must be'),
        ({"captions": [3]}, "its answer.captions[0] is 3, but must be text"),
        ({"pace": 1}, "its answer.pace is no field that is known"),
    ]:
        page.evaluate("answer", good["answer"] | change)
        assert said(page).startswith(CANNOT.split("{}")[0] + why)
        page.evaluate("answer", good["answer"])
        assert said(page) == ""
    page.evaluate("show", good | {"answer": {}})
    assert said(page) == CANNOT.format("its answer.token is missing")
    assert not page.thrown


def test_what_fails_while_it_is_drawn_is_shown_too(page):
    pad, chart = traits(EXPLORERS["pad"]()), traits(EXPLORERS["function"]())
    page.evaluate("show", pad | {"points": [0] * 10})
    assert said(page).startswith("This explorer cannot be shown: RangeError: ")
    page.evaluate("show", chart | {"frame": [0] * 10})
    assert said(page).startswith("This explorer cannot be shown: RangeError: ")
    page.evaluate("show", chart)
    assert said(page) == ""
    assert not page.thrown


@pytest.mark.slow_because("opens JupyterLab in a real browser")
def test_an_unknown_kind_is_an_error_that_the_notebook_shows(open_notebook, tmp_path, artifacts):
    cells = [
        "import torch\nfrom course_utils.widgets import FunctionSlider\n"
        "slider = FunctionSlider(lambda a: torch.full((1, 1, 4, 4), a), 0, 1, labels=['grey'])\nslider",
        "slider._spec = slider._spec | {'kind': 'paad'}\nslider",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "spec.ipynb")
    page = open_notebook(tmp_path / "spec.ipynb")
    run_all(page)
    explorers = page.locator(".course-explorer")
    explorers.nth(1).wait_for(timeout=180_000)
    wanted = CANNOT.format(f'its kind is "paad", but must be one of {", ".join(KINDS)}')
    assert explorers.nth(1).locator(".course-error").inner_text() == wanted
    explorers.nth(1).screenshot(path=artifacts / "unknown-kind.png")
    slider, alert = explorers.nth(0).locator(".course-range"), explorers.nth(0).locator(".course-error")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.course-explorer').dataset.value === '1'", polling=200)
    assert alert.is_hidden()
