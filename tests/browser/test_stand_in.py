"""A kernel that does not answer: the page does, says so, and hands back.

The first part needs a page but no JupyterLab: the module that a notebook gets, and an explorer whose messages a test
delivers, or keeps.
"""

import base64
import importlib.resources
import json
import re
import time
import urllib.request

import nbformat
import numpy as np
import pytest
from browser.test_page import EXPLORERS
from browser.test_spec import PAGE, said, traits
from pages import run_cell

from course_utils.widgets import Explorer, LatentPad, front_end

FRAME = """() => {
    const all = [];
    for (const canvas of document.querySelectorAll('#cell figure canvas.course-image')) {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        for (let i = 0; i < data.length; i += 4) all.push(data[i], data[i + 1], data[i + 2]);
    }
    return all;
}"""
RECEIVE = """async ([content, buffers]) => {
    const views = buffers.map((one) => new DataView(Uint8Array.from(atob(one), (c) => c.charCodeAt(0)).buffer));
    fire('msg:custom', content, views);
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.thrown = []
    page.on("pageerror", lambda error: page.thrown.append(str(error)))
    page.on("console", lambda line: line.type in ("error", "warning") and page.thrown.append(line.text))
    page.evaluate(PAGE, Explorer._esm)
    page.add_style_tag(content=Explorer._css)
    yield page
    page.close()


class Kernel:
    """An explorer, and the page that shows it. What the page sends waits until `work` is called."""

    def __init__(self, page, explorer: Explorer, status: str | None = "busy"):
        self.page, self.explorer = page, explorer
        self.done = self.told = 0
        self.sizes = []  # bytes of what it has sent apart from answers
        explorer.send = lambda content, buffers=(): self._send(content, list(buffers))
        page.evaluate("show", traits(explorer))
        if status:
            page.evaluate("(status) => { model.widget_manager = { kernel: { status } }; }", status)

    def _send(self, content, buffers) -> None:
        self.sizes.append(sum(map(len, buffers)))
        self.page.evaluate(RECEIVE, [content, [base64.b64encode(one).decode() for one in buffers]])

    @property
    def waiting(self) -> int:
        return len(self.page.evaluate("sent")) - self.done

    def work(self, most: int = 100) -> None:
        """Handle messages, and send the answers."""
        while most and self.waiting:
            state = self.page.evaluate("sent")[self.done]
            self.done, most = self.done + 1, most - 1
            data = {"method": "update", "state": state, "buffer_paths": []}
            self.explorer._handle_msg({"content": {"data": data}, "buffers": []})
            now = self.explorer
            change = {"answer": now._answer, "frame": list(now._frame), "value": now.value}
            self.page.evaluate("deliver", json.loads(json.dumps(change)))

    def asked(self, seconds: float = 3) -> list[dict]:
        """What the page has asked for by messages of its own; those that are new are answered."""
        deadline = time.monotonic() + seconds
        while len(found := self.page.evaluate("said")) == self.told and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        for content in found[self.told :]:
            self.explorer._handle_custom_msg(content, [])
        self.told = len(found)
        return found

    def ready(self) -> None:
        """Move once and let it rest, so that the page gets what it needs."""
        press(self.page, "ArrowRight")
        self.work()
        assert self.asked()
        self.page.wait_for_timeout(300)


def press(page, key: str) -> None:
    pad = page.locator("#cell .course-pad")
    (pad if pad.count() else page.locator("#cell .course-range").first).focus()
    page.keyboard.press(key)


def line(page) -> str:
    return page.locator("#cell .course-status").inner_text()


def value(page):
    return page.evaluate("JSON.parse(document.querySelector('#cell .course-explorer').dataset.value)")


def settled(page) -> None:
    """Wait until the explorer has shown the same for half a second."""
    before = None
    while before != (before := value(page)):
        page.wait_for_timeout(500)


def until(page, condition, what: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s: {page.thrown}"
        page.wait_for_timeout(30)


KINDS = ["vae_pad", "conditional_pad", "faces_handles", "map", "path", "laboratory", "components"]


@pytest.mark.parametrize("name", KINDS)
def test_the_page_answers_for_a_busy_kernel_what_python_would(name, page):
    explorer = EXPLORERS[name]()
    kernel = Kernel(page, explorer)
    kernel.ready()
    assert line(page) == ""
    before = value(page)
    press(page, "ArrowRight")
    until(page, lambda: line(page), "a line")
    assert line(page) == explorer.words["busy"]
    assert value(page) != before
    for _ in range(2):
        press(page, "ArrowRight")
        settled(page)
    assert kernel.waiting == 1, "the kernel is asked once"
    at = value(page)
    sent = {key: at[key] for key in ("at", "map", "hidden", "pick")} if isinstance(at, dict) else at
    explorer_here = EXPLORERS[name]()
    explorer_here._show(explorer.value)
    explorer_here._show(sent)
    assert page.locator("#cell .course-readout").inner_text() == explorer_here.text
    if name != "laboratory":  # whose chart stands between its images
        grey = np.frombuffer(explorer_here._frame, np.uint8)
        if explorer_here._spec["rows"][0]["panels"][0]["shape"][2] == 1:
            grey = grey.repeat(3)
        shown = np.array(page.evaluate(FRAME), np.uint8)
        assert np.abs(shown.astype(int) - grey).max() <= 1
    assert said(page) == ""
    kernel.work()
    assert line(page) == ""
    assert (
        value(page) == pytest.approx(at) if not isinstance(at, dict) else value(page)["at"] == pytest.approx(at["at"])
    )
    moved = explorer.value["at"] if isinstance(at, dict) else explorer.value
    assert moved == pytest.approx(at["at"] if isinstance(at, dict) else at), "Python knows where the reader went"
    assert not page.thrown


def test_nothing_is_asked_for_before_a_move(page):
    kernel = Kernel(page, EXPLORERS["vae_pad"]())
    page.wait_for_timeout(1600)
    assert page.evaluate("said") == []
    kernel.ready()
    assert page.evaluate("said") == [{"page": ""}]
    assert sum(kernel.sizes) > 50_000
    press(page, "ArrowRight")
    kernel.work()
    assert len(kernel.asked()) == 2, "the model may have learned meanwhile"
    assert kernel.sizes[1] == 0, "it has not"


def test_late_answers_are_dropped_and_the_latest_position_is_asked(page):
    explorer = EXPLORERS["vae_pad"]()
    kernel = Kernel(page, explorer)
    kernel.ready()
    for _ in range(3):
        press(page, "ArrowRight")
        until(page, lambda: line(page), "a line")
        settled(page)
    here, at = value(page), explorer.value
    kernel.work(1)
    assert explorer.value != at, "the first of the three"
    assert explorer.value != here
    assert value(page) == here
    assert line(page) == explorer.words["busy"]
    assert kernel.waiting == 1
    assert page.evaluate("sent")[-1]["value"] == here
    kernel.work()
    assert explorer.value == value(page) == here
    assert line(page) == ""
    press(page, "ArrowLeft")
    kernel.work()
    assert line(page) == ""
    assert not page.thrown


@pytest.mark.parametrize(
    ("status", "which"),
    [("busy", "busy"), ("idle", "gone"), ("dead", "gone"), ("unknown", "unheard"), (None, "unheard")],
)
def test_the_line_says_what_is_known_of_the_kernel(status, which, page):
    explorer = EXPLORERS["components"]()
    kernel = Kernel(page, explorer, status)
    kernel.ready()
    press(page, "ArrowRight")
    until(page, lambda: line(page), "a line")
    assert line(page) == explorer.words[which]


def test_a_kernel_that_dies_while_it_is_busy(page):
    explorer = EXPLORERS["components"]()
    kernel = Kernel(page, explorer)
    kernel.ready()
    press(page, "ArrowRight")
    until(page, lambda: line(page), "a line")
    page.evaluate("model.widget_manager.kernel = null")
    until(page, lambda: line(page) == explorer.words["gone"], "another line")
    before = value(page)
    press(page, "ArrowRight")
    until(page, lambda: value(page) != before, "an answer", 0.9)
    assert kernel.waiting == 1


def test_what_only_python_can_run_waits_as_before(page):
    explorer = EXPLORERS["table"]()
    kernel = Kernel(page, explorer)
    press(page, "ArrowRight")
    kernel.work()
    assert kernel.asked() == [{"page": ""}]
    assert kernel.sizes == [0]
    press(page, "ArrowRight")
    kernel.work()
    page.wait_for_timeout(1500)
    assert page.evaluate("said") == [{"page": ""}], "it was told that there is none"
    press(page, "ArrowRight")
    until(page, lambda: said(page), "today's sentence", 7)
    assert said(page).startswith("The kernel has not answered yet.")
    assert line(page) == ""
    kernel.work()
    assert said(page) == ""


def test_a_message_that_is_damaged_leaves_all_as_it_was(page):
    explorer = EXPLORERS["components"]()
    kernel = Kernel(page, explorer)
    press(page, "ArrowRight")
    kernel.work()
    page.evaluate(RECEIVE, [{"page": "a", "scripts": front_end.stand_in()}, [base64.b64encode(b"damaged").decode()]])
    until(page, lambda: page.thrown, "a word in the console")
    page.thrown.clear()
    press(page, "ArrowRight")
    page.wait_for_timeout(1500)
    assert line(page) == ""
    kernel.work()
    assert value(page) == explorer.value


def test_axe_finds_nothing_serious_in_the_line(page):
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    kernel = Kernel(page, EXPLORERS["components"]())
    kernel.ready()
    press(page, "ArrowRight")
    until(page, lambda: line(page), "a line")
    page.evaluate(importlib.resources.files(package).joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run('#cell', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.locator("#cell [role=status].course-status").count() == 1


# ------------------------------------------------------------------------------------------------- in a notebook

CELLS = [
    """
import os, time, torch
from ipywidgets import VBox
from course_utils.widgets import FunctionSlider, LatentPad
from course_utils.models.pca import PCA
x = torch.rand(60, 1, 8, 6, generator=torch.Generator().manual_seed(0))
pca = PCA(2).fit(x)
pad = LatentPad(pca, pca.encode(x), torch.arange(60) % 2, ("bag", "boot"), size=200)
grey = FunctionSlider(lambda a: torch.full((1, 1, 4, 4), a), 0, 1, labels=["grey"], start=0.5)
VBox([pad, grey])
""",
    "end = time.monotonic() + 20\nwhile time.monotonic() < end:\n    pass",
    "print(pad.value)",
    "os.kill(os.getpid(), 9)",
]


def start_cell(page, number: int) -> None:
    """Start a cell and do not wait for its end."""
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")


@pytest.fixture
def one_thing_at_a_time(lab):
    """JupyterLab as all notebooks were, and as Colab and VS Code are: a cell that runs keeps widgets waiting.

    From JupyterLab 4.4 and ipykernel 7 on, widgets' messages go to a thread of their own.
    """
    url, token, _ = lab
    address = f"{url}/lab/api/settings/@jupyterlab/apputils-extension:kernels-settings?token={token}"

    def put(settings: dict) -> None:
        data = json.dumps({"raw": json.dumps(settings)}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"token {token}"}
        urllib.request.urlopen(urllib.request.Request(address, data, headers, method="PUT")).close()

    put({"commsOverSubshells": "disabled"})
    yield
    put({})


@pytest.mark.usefixtures("one_thing_at_a_time")
@pytest.mark.slow_because("opens JupyterLab in a real browser")
def test_a_pad_in_a_notebook_goes_on_without_its_kernel(lab, open_notebook, tmp_path, artifacts):
    saved = lab[2] / "alone.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "alone.ipynb")
    page = open_notebook(tmp_path / "alone.ipynb")
    warned = []
    page.on("console", lambda line: warned.append(line.text))
    run_cell(page, 0)
    pad, grey = page.locator(".course-latent-pad"), page.locator(".course-function-slider")
    pad.wait_for(timeout=60_000)
    status = pad.locator(".course-status")

    def at():
        return json.loads(pad.evaluate("node => node.dataset.value"))

    def picture():
        return pad.locator("figure canvas").first.evaluate("canvas => canvas.toDataURL()")

    def move(seconds: float, key: str = "ArrowRight"):
        """Press a key on the pad, and wait until its picture is another one."""
        before = picture()
        pad.locator(".course-pad").focus()
        page.keyboard.press(f"Shift+{key}")
        until(page, lambda: picture() != before, "another picture", seconds)

    page.thrown = warned
    move(30)
    page.wait_for_function("performance.getEntriesByName('course:stand-in').length", timeout=30_000, polling=200)
    assert status.inner_text() == ""

    start_cell(page, 1)
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Busy")).wait_for(timeout=20_000)
    move(10), move(5), move(5)  # 1 s is the wait for the kernel; a busy machine takes longer
    assert status.inner_text() == LatentPad.words["busy"]
    pad.screenshot(path=artifacts / "busy-kernel.png")
    grey.locator(".course-range").focus()
    page.keyboard.press("End")
    grey.locator(".course-error", has_text="The kernel has not answered yet.").wait_for(timeout=10_000)
    assert grey.locator(".course-status").inner_text() == ""
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle")).wait_for(timeout=60_000)
    until(page, lambda: status.inner_text() == "", "the end of the line", 20)
    told = run_cell(page, 2).locator(".jp-OutputArea-output").inner_text()
    assert json.loads(told) == pytest.approx(at(), abs=1e-5), "Python knows where the reader went"

    start_cell(page, 3)
    page.locator(".jp-Dialog").wait_for(timeout=60_000)  # it says that the kernel died
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle")).wait_for(timeout=60_000)
    move(10, "ArrowLeft"), move(5, "ArrowLeft")
    until(page, lambda: status.inner_text() == LatentPad.words["gone"], "a word of the kernel", 15)
    pad.screenshot(path=artifacts / "gone-kernel.png")
    run_cell(page, 0)
    until(page, lambda: pad.count() == 1 and at() == [0, 0], "a new pad", 60)
    move(30)
    assert status.inner_text() == ""
    page.locator(".jp-CodeCell").nth(2).locator(".cm-content").first.click()  # the pad keeps its keys from JupyterLab
    page.keyboard.press("Control+s")
    until(page, lambda: "VBox(children" in saved.read_text(), "a saved notebook", 20)
    assert saved.stat().st_size < 20_000, "the notebook that is saved has nothing of it"
