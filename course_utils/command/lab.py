"""Start JupyterLab on the learner's copies of the lessons; `course lab` is this."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from course_utils.command.machine import DISTRIBUTION, let_threads_sleep
from course_utils.command.workspace import keep

FIRST_LESSON = "00_start_here.ipynb"
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # nor the question about news
PREVIEW = {"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}}}  # glossary
# The learner's own configuration may set the folders of any of these: JupyterLab would show another one, or not start.
CONTENTS = [
    f"{kind}Manager" for kind in ("Contents", "FileContents", "AsyncFileContents", "LargeFile", "AsyncLargeFile")
]
CONNECTION = "course_utils.command.connection.PromptConnection"  # an explorer's answer is sent at once
HUB_SERVER = "jupyterhub.singleuser"
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
PATIENCE = 20  # seconds that JupyterLab has to end its kernels and itself; a kernel that ignores it takes 5 to 7


def command(
    target: Path,
    *,
    port: int | None = None,
    browser: bool = True,
    options: tuple[str, ...] = (),
    server: str = "jupyterlab",
) -> list[str]:
    """The command line that opens JupyterLab at lesson 00.

    Args:
        target: The workspace, which becomes JupyterLab's root.
        port: The first port to try; JupyterLab goes on to the next ones while it is taken.
        browser: Open a browser.
        options: Further JupyterLab options; they come last, so they win over the course's.
        server: The module that is run: JupyterLab's own, or JupyterHub's server of one learner.
    """
    line = [
        *(sys.executable, "-m", server),
        f"--ServerApp.root_dir={target}",
        f"--ServerApp.preferred_dir={target}",
        *(f"--{name}.root_dir={target}" for name in CONTENTS),
        *(f"--{name}.preferred_dir=" for name in CONTENTS),
        f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}",
        f"--LabApp.workspaces_dir={target / '.jupyterlab'}",  # tabs of the learner's other projects stay out
        "--LabApp.news_url=None",  # no announcements, and nothing that asks the network
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.kernel_websocket_connection_class={CONNECTION}",
        "--LanguageServerManager.autodetect=False",  # it asks npm, and JupyterLab cannot end before npm has answered
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
        JupyterLab's exit status; 0 after Ctrl-C, a request to terminate, or the end of the terminal. A second one ends
        JupyterLab and its kernels at once, and so does JupyterLab's taking longer than PATIENCE.

    Raises:
        RuntimeError: JupyterLab is not installed in this environment.
        OSError: The workspace cannot be written.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise RuntimeError(
            "JupyterLab is not installed here: run `pip install jupyterlab`, or `uv sync` in a checkout."
        )
    _keep_settings(target)
    started = time.time()
    events = queue.SimpleQueue()  # signals, and None when JupyterLab has ended
    with heeding(events.put):
        # In a session of its own the terminal's signals reach this process alone, which ends JupyterLab in good order.
        apart = {"stdin": subprocess.DEVNULL, "start_new_session": True}
        line = command(target, port=port, browser=browser, options=options)
        process = subprocess.Popen(line, env=environment(target), **apart)
        threading.Thread(target=lambda: events.put(process.wait() and None), daemon=True).start()
        threading.Thread(target=_announce, args=(process, target, started, browser), daemon=True).start()
        number = _next(events)
        if number is None:
            return process.returncode
        process.terminate()
        if number == signal.SIGINT:
            print("\nStopping JupyterLab. Ctrl-C again stops it at once.", flush=True)
        _next(events, PATIENCE)
        if process.returncode is None:
            _kill(process)
            process.wait()
        return 0


def require_hub() -> None:
    """See that a JupyterHub has started this process and that its server of a user is installed here.

    Raises:
        RuntimeError: It is not so; one sentence says what to do.

    Example:
        >>> try:
        ...     require_hub()
        ... except RuntimeError as error:
        ...     print(error)
        No JupyterHub has started this: on your own machine `course lab` without --hub opens the lessons.
    """
    if not os.environ.get("JUPYTERHUB_API_TOKEN"):
        raise RuntimeError(
            "No JupyterHub has started this: on your own machine `course lab` without --hub opens the lessons."
        )
    if importlib.util.find_spec("jupyterhub") is None:
        raise RuntimeError(
            f"JupyterHub is not installed in {sys.prefix}: install it there, of the same version as the hub's."
        )


def seat(target: Path, *, options: tuple[str, ...] = ()) -> None:
    """Become the JupyterLab of one learner on a JupyterHub: this process is replaced by JupyterHub's server of a user.

    The hub starts `course lab --hub` as the learner's own operating-system user and says by environment variables where
    to listen and whom to let in. MEM_LIMIT, which is the hub's setting `Spawner.mem_limit` in bytes, bounds what this
    server and each of its kernels may allocate (on Linux): a cell that asks for more fails with a MemoryError, and the
    machine and the other learners go on.

    Args:
        target: The workspace, made ready before.
        options: Further options of JupyterLab.

    Raises:
        RuntimeError: As by `require_hub`.
        OSError: The workspace cannot be written.

    Example:
        >>> import tempfile
        >>> try:
        ...     seat(Path(tempfile.gettempdir()))  # no hub has started this
        ... except RuntimeError as error:
        ...     print(str(error)[:30])
        No JupyterHub has started this
    """
    require_hub()
    _keep_settings(target)
    _bound_memory(os.environ.get("MEM_LIMIT", ""))
    line = command(target, options=options, server=HUB_SERVER)
    os.execve(line[0], line, environment(target))


def _bound_memory(limit: str) -> None:
    """Bound what this process and those that it starts may each allocate, in bytes; where there is no limit, do not."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), hard))


def _keep_settings(target: Path) -> None:
    """Write JupyterLab's settings for the course into the workspace."""
    settings = target / ".jupyterlab" / "labconfig"
    keep(settings / "page_config.json", json.dumps(NO_NEWS).encode())
    keep(settings / "default_setting_overrides.json", json.dumps(PREVIEW).encode())


@contextlib.contextmanager
def heeding(listen: Callable[[int], object]) -> Iterator[None]:
    """While the block runs, signals that ask a process to end go to a function; those that were ignored stay so."""
    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]  # after nohup: no SIGHUP
    earlier = {number: signal.signal(number, lambda number, frame: listen(number)) for number in heeded}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _next(events: queue.SimpleQueue, seconds: float = float("inf")) -> int | None:
    """Wait for the next event, for so many seconds; None if JupyterLab has ended, or if there was none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A signal that comes to another thread does not wake this one, so it looks once a second.
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=1)
    return None


def _kill(process: subprocess.Popen) -> None:
    """End JupyterLab at once, and its kernels, which are in sessions of their own; a browser it opened lives on."""
    import psutil

    def is_kernel(candidate):
        with contextlib.suppress(psutil.Error):
            return any(Path(word).match("kernel-*.json") for word in candidate.cmdline())

    started = []
    with contextlib.suppress(psutil.Error):
        for kernel in filter(is_kernel, psutil.Process(process.pid).children()):
            started += [kernel, *kernel.children(recursive=True)]
    process.kill()
    for child in started:
        with contextlib.suppress(psutil.Error):
            child.kill()


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
