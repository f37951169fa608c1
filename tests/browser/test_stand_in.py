"""A kernel that does not answer: the page does, says so, and hands back. With a kernel of a few lines, and with a real one.

The first part needs a page but no JupyterLab: the module that a notebook gets, and an explorer whose messages a test
delivers, or keeps.
"""

import base64
import json
import re
import time

import nbformat
import numpy as np
import pytest
from browser.test_page import EXPLORERS
from browser.test_spec import PAGE, said, traits
from pages import run_cell

from course_utils.widgets import Explorer, LatentPad

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
    for key in ("ArrowRight", "ArrowRight"):
        press(page, key)
        page.wait_for_timeout(150)
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
    "print('at', [round(v, 6) for v in pad.value])",
    "os.kill(os.getpid(), 9)",
]


def start_cell(page, number: int) -> None:
    """Start a cell and do not wait for its end."""
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")


@pytest.mark.slow_because("opens JupyterLab in a real browser")
def test_a_pad_in_a_notebook_goes_on_without_its_kernel(open_notebook, tmp_path, artifacts):
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

    def move(seconds: float):
        """Press a key on the pad, and wait until its picture is another one; the seconds that it took."""
        before, start = picture(), time.monotonic()
        pad.locator(".course-pad").focus()
        page.keyboard.press("Shift+ArrowRight")
        until(page, lambda: picture() != before, "another picture", seconds)
        return time.monotonic() - start

    page.thrown = warned
    move(30)
    page.wait_for_function("performance.getEntriesByName('course:stand-in').length", timeout=30_000, polling=200)
    assert status.inner_text() == ""

    start_cell(page, 1)
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Busy")).wait_for(timeout=20_000)
    took = [move(4), move(2), move(2)]
    assert status.inner_text() == LatentPad.words["busy"]
    assert took[0] < 2.5, took
    pad.screenshot(path=artifacts / "busy-kernel.png")
    grey.locator(".course-range").focus()
    page.keyboard.press("End")
    grey.locator(".course-error", has_text="The kernel has not answered yet.").wait_for(timeout=10_000)
    assert grey.locator(".course-status").inner_text() == ""
    assert at()[0] == pytest.approx(at()[0])
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle")).wait_for(timeout=60_000)
    until(page, lambda: status.inner_text() == "", "the end of the line", 20)
    assert (
        run_cell(page, 2).locator(".jp-OutputArea-output").inner_text().strip() == f"at {[round(v, 6) for v in at()]}"
    )

    start_cell(page, 3)
    page.locator(".jp-Dialog").wait_for(timeout=60_000)  # it says that the kernel died
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle")).wait_for(timeout=60_000)
    took = [move(4), move(2)]
    until(page, lambda: status.inner_text() == LatentPad.words["gone"], "a word of the kernel", 5)
    pad.screenshot(path=artifacts / "gone-kernel.png")
    page.keyboard.press("Control+s")
    run_cell(page, 0)
    until(page, lambda: page.locator(".course-latent-pad").count() == 1, "one pad", 20)
    move(30)
    assert status.inner_text() == ""
