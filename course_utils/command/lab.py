"""Start JupyterLab on the learner's copies of the lessons; `course lab` is this."""

import importlib.metadata
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from course_utils.command.machine import DISTRIBUTION, let_threads_sleep
from course_utils.files import write_atomically

FIRST_LESSON = "00_start_here.ipynb"
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # nor the question about news


def command(target: Path, *, port: int | None = None, browser: bool = True, options: tuple[str, ...] = ()) -> list[str]:
    """The command line that opens JupyterLab at lesson 00.

    Args:
        target: The workspace, which becomes JupyterLab's root.
        port: The first port to try; JupyterLab goes on to the next ones while it is taken.
        browser: Open a browser.
        options: Further JupyterLab options; they come last, so they win over the course's.
    """
    line = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={target}",
        f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}",
        f"--LabApp.workspaces_dir={target / '.jupyterlab'}",  # tabs of the learner's other projects stay out
        "--LabApp.news_url=None",  # no announcements, and nothing that asks the network
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--ServerApp.answer_yes=True",  # one Ctrl-C stops it
        "--Application.log_level=WARN",
    ]
    line += [] if browser else ["--no-browser"]
    line += [] if port is None else [f"--port={port}"]
    line += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return line + list(options)


def environment(target: Path) -> dict[str, str]:
    """Environment variables under which JupyterLab's kernel is this very Python, with `course_utils` importable.

    Args:
        target: The workspace, in which JupyterLab's own settings for the course are.
    """
    variables = dict(os.environ)
    let_threads_sleep(variables)
    _put_first(variables, "JUPYTER_CONFIG_PATH", str(target / ".jupyterlab"))
    # A kernel specification in the learner's home would otherwise come before this environment's own.
    _put_first(variables, "JUPYTER_PATH", str(Path(sys.prefix, "share", "jupyter")))
    try:
        importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that was not installed
        _put_first(variables, "PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return variables


def run(target: Path, *, port: int | None = None, browser: bool = True, options: tuple[str, ...] = ()) -> int:
    """Run JupyterLab until it is stopped, and say at which address it is.

    Args:
        target: The workspace; see `command` for this and the others.
        port: The first port to try.
        browser: Open a browser.
        options: Further JupyterLab options.

    Returns:
        JupyterLab's exit status; 0 after Ctrl-C or a request to terminate.

    Raises:
        RuntimeError: JupyterLab is not installed in this environment.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise RuntimeError(
            "JupyterLab is not installed here: run `pip install jupyterlab`, or `uv sync` in a checkout."
        )
    write_atomically(target / ".jupyterlab" / "labconfig" / "page_config.json", json.dumps(NO_NEWS).encode())
    started = time.time()
    process = subprocess.Popen(command(target, port=port, browser=browser, options=options), env=environment(target))
    stopped = []

    def stop(signum, frame):
        stopped.append(signum)
        process.terminate()

    earlier = signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_announce, args=(process, target, started, browser), daemon=True).start()
    try:
        while True:
            try:
                status = process.wait()
                return 0 if stopped else status
            except KeyboardInterrupt:  # the terminal sends Ctrl-C to JupyterLab too; elsewhere it has to be told
                if stopped:
                    process.kill()
                stop(signal.SIGINT, None)
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _announce(process: subprocess.Popen, target: Path, started: float, browser: bool) -> None:
    """Print the address once the server has written down where it listens."""
    from jupyter_core.paths import jupyter_runtime_dir

    while process.poll() is None and time.time() < started + 120:
        for record in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
            try:
                if record.stat().st_mtime < started - 2:
                    continue
                server = json.loads(record.read_text(encoding="utf-8"))
                if Path(server["root_dir"]).resolve() != target.resolve():
                    continue
            except (OSError, ValueError, KeyError):
                continue  # another server's file, or one that is just being written
            token = f"?token={server['token']}" if server.get("token") else ""
            address = f"{server['url']}lab/tree/{FIRST_LESSON}{token}"
            heading = "If no browser opens, open this address:" if browser else "Open this address in a browser:"
            print(f"\n{heading}\n\n    {address}\n\nCtrl-C here stops it.\n", flush=True)
            return
        time.sleep(0.1)


def _put_first(variables: dict[str, str], name: str, folder: str) -> None:
    variables[name] = os.pathsep.join(filter(None, (folder, variables.get(name))))
