"""JupyterLab on this machine, opened by a headless browser."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from course_utils.command.lab import CONNECTION

CHECKOUT = Path(__file__).parents[2]
IMPORTABLE = [CHECKOUT, *(CHECKOUT / folder for folder in ("tests", "tests/browser", "tools"))]  # in kernels
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAB_OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    f"--ServerApp.kernel_websocket_connection_class={CONNECTION}",  # as in `course lab`
    "--LanguageServerManager.autodetect=False",  # it asks npm, and JupyterLab would not end before npm has answered
]


def _chromium() -> str | None:
    """Path of a Chromium: COURSE_CHROMIUM, or the first of the usual names that is installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("COURSE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab with settings of its own, on the loopback address: (url, token, folder it serves)."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    root = tmp_path_factory.mktemp("lab")
    settings = root / ".config" / "labconfig"
    settings.mkdir(parents=True)
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    env = dict(
        os.environ,
        JUPYTER_CONFIG_DIR=str(root / ".config"),
        JUPYTER_DATA_DIR=str(root / ".data"),
        JUPYTER_RUNTIME_DIR=str(root / ".run"),
        COURSE_HOME=str(root / ".course"),
        PYTHONPATH=os.pathsep.join(filter(None, [*map(str, IMPORTABLE), os.environ.get("PYTHONPATH")])),
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, url = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    own = [f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    command = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS, *own]
    with open(root / "lab.log", "w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            _wait_until_up(process, f"{url}/api/status?token={token}", root / "lab.log")
            yield url, token, root
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_up(process, address: str, log: Path, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"JupyterLab stopped:\n{log.read_text()[-3000:]}"
        try:
            urllib.request.urlopen(address, timeout=20)
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"JupyterLab did not answer in {seconds} s:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = _chromium()
    if path is None:
        pytest.skip("no Chromium found: install one, or set COURSE_CHROMIUM to its path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_notebook(lab, browser):
    """A function that opens a copy of a notebook, waits until its kernel is idle, and returns the page.

    One page at a time: opening the next closes the one before, and ends its kernel.
    """
    url, token, root = lab
    contexts = []

    def close():
        while contexts:
            contexts.pop().close()
            _stop_kernels(url, token)

    def go(path: Path):
        close()
        contexts.append(browser.new_context(viewport={"width": 1200, "height": 1000}))
        page = contexts[0].new_page()
        (root / path.name).write_bytes(path.read_bytes())
        page.goto(f"{url}/doc/tree/{path.name}?token={token}&reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=180_000)
        # Before the kernel is idle Run All is silently dropped, and only the status bar tells the truth about it.
        page.locator("#jp-main-statusbar", has_text=re.compile(r"\| Idle")).wait_for(timeout=180_000)
        return page

    yield go
    close()


def _stop_kernels(url: str, token: str) -> None:
    """Free the memory of the kernels that the test started."""
    headers = {"Authorization": f"token {token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/kernels", headers=headers)) as answer:
        kernels = json.load(answer)
    for kernel in kernels:
        address = f"{url}/api/kernels/{kernel['id']}"
        urllib.request.urlopen(urllib.request.Request(address, headers=headers, method="DELETE")).close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots are kept: COURSE_ARTIFACTS, or artifacts/ in the checkout, which git ignores."""
    folder = Path(os.environ.get("COURSE_ARTIFACTS") or CHECKOUT / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
