"""`course site`: the course as a book of web pages, its explorers alive in the reader's browser."""

import contextlib
import functools
import http.server
import importlib
import importlib.util
import os
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from course_utils.command.lab import heeding
from course_utils.files import data_dir, require_writable

OURS = ".course-site"  # a file by which a folder is known to hold a book that we wrote, and may replace
PORT, PORTS = 8000, 20  # the first port to try, and how many
NEEDED = {"sphinx": "Sphinx", "myst_nb": "MyST-NB", "furo": "Furo", "latex2mathml": "latex2mathml"}
TYPES = {".js": "text/javascript", ".css": "text/css", ".woff": "font/woff", ".bin": "application/octet-stream"}


def sources_dir() -> Path:
    """The folder of the book's own sources, beside the data; a wheel has none."""
    return data_dir(override=False).parent / "site"


def default_out() -> Path:
    """Where the book is written by default: a folder of the checkout that git ignores."""
    return sources_dir().parent / "build" / "site"


def parts(name: str) -> types.ModuleType:
    """A module of the book's sources, such as "build": they lie in site/, which no package is named after.

    Raises:
        RuntimeError: The sources are not here, or a package that makes the book is missing; it says what to do.
    """
    folder = sources_dir()
    if not (folder / "build.py").is_file():
        raise RuntimeError(f"There is no {folder}: it comes with the repository, so run `course site` in a checkout.")
    missing = [called for module, called in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise RuntimeError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed here, and the book is made "
            "by it: run `uv sync --group site`, or `pip install --group site`, in the checkout."
        )
    import matplotlib

    matplotlib.use("agg")  # lessons draw on the way; MPLBACKEND would reach kernels that are started later
    package = sys.modules.setdefault("course_site", types.ModuleType("course_site"))
    package.__path__ = [str(folder)]
    return importlib.import_module(f"course_site.{name}")


def check_out(out: Path) -> Path:
    """The folder of a book, absolute.

    Raises:
        ValueError: It is a file, or a folder with something in it that is no book of ours.
        OSError: It cannot be written; the message says what to do.
    """
    out = Path(os.path.abspath(out.expanduser()))
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give a folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / OURS).is_file():
        raise ValueError(f"{out} has something in it that `course site` did not write: give an empty or a new folder.")
    require_writable(out / OURS)
    require_writable(out.with_name(f".{out.name}"))  # where it is built
    return out


def build(out: Path, *, only: Sequence[str] = (), say: Callable[[str], None] = print):
    """Write the book into a folder. A book that is there is replaced when the new one is whole, and not before.

    Args:
        out: The folder.
        only: Numbers of lessons, for a smaller book.
        say: Called with one line at each step.

    Returns:
        What was made: the `Report` of site/build.py.

    Raises:
        ValueError, OSError: As for `check_out`.
        RuntimeError: Something is missing, as for `parts`, or Sphinx has failed.
    """
    out = check_out(out)
    building = parts("build")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as beside:
        new = Path(beside, "new")
        new.mkdir()
        report = building.build(new, only=only, say=say)
        (new / OURS).write_text("Written by `course site`, which may replace this folder.\n", encoding="utf-8")
        if out.exists():
            out.rename(Path(beside, "old"))
        new.rename(out)
    return report


def single(file: Path, say: Callable[[str], None] = print) -> Path:
    """Write the first screen as one file, which a browser opens from the disk.

    Raises:
        ValueError: The name does not end in .html, or is a folder's.
        OSError: It cannot be written.
        RuntimeError: Something is missing, as for `parts`.
    """
    file = Path(os.path.abspath(file.expanduser()))
    if file.suffix != ".html" or file.is_dir():
        raise ValueError(f"{file} is no name of a page: give a file that ends in .html.")
    require_writable(file)
    parts("build").single(file, say)
    return file


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the types that browsers insist on, never from a browser's memory, and no line for each."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | TYPES

    def end_headers(self):
        """Let a browser ask again each time: the book may have been built anew."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_):
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A server on this machine alone, on a port that nobody else has."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would share a port that is taken


@contextlib.contextmanager
def serving(folder: Path, port: int | None = None) -> Iterator[str]:
    """Show a folder on this machine, and on no other, while the block runs.

    Args:
        folder: What to show.
        port: The port; None takes the first free one from 8000 on, 0 any that is free.

    Yields:
        The address, with a slash at its end.

    Raises:
        OSError: The port, or each of those tried, is taken.
    """
    handler = functools.partial(Handler, directory=str(folder))
    tried = range(PORT, PORT + PORTS) if port is None else [port]
    for number in tried:
        try:
            server = Server(("127.0.0.1", number), handler)
            break
        except OSError:
            continue
    else:
        which = f"port {port} is" if port is not None else f"the ports {PORT} to {PORT + PORTS - 1} are"
        raise OSError(f"{which} taken: give another one with --port.")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve(out: Path, port: int | None = None) -> int:
    """Show a book until Ctrl-C, or until this process is asked to end; returns 0."""
    stop = threading.Event()
    with heeding(lambda number: stop.set()), serving(out, port) as address:
        print(f"\nOpen this address in a browser:\n\n    {address}\n\nCtrl-C here stops it.\n", flush=True)
        while not stop.wait(1):  # a signal to another thread wakes no wait, so it looks once a second
            pass
    return 0


def run(*, out: Path | None, show: bool, port: int | None, file: Path | None) -> int:
    """What `course site` does with its options: build, unless there is a book to show; then show it.

    Args:
        out: Folder of the book; `default_out` by default.
        show: Show it afterwards. A book that is there is shown as it is.
        port: See `serving`.
        file: Write the first screen as this one file instead.

    Returns:
        The exit status: 0, or what stopped it.
    """
    say = functools.partial(print, flush=True)
    if file is not None:
        written = single(file, say)
        say(f"{written}: {written.stat().st_size / 1000:.0f} kB. A browser opens it without a server or a network.")
        return 0
    target = check_out(out or default_out())
    if show and (target / OURS).is_file():
        say(f"The book in {target} is shown as it is; `course site` without --serve builds it anew.")
        return serve(target, port)
    report = build(target, say=say)
    for warning in report.warnings:
        say(f"Sphinx says: {warning}")
    say(
        f"{target}: {report.lessons} lessons and {report.explorers} explorers, {report.bytes / 1e6:.1f} MB, made in "
        f"{report.seconds:.0f} seconds."
    )
    if show:
        return serve(target, port)
    say("`course site --serve` shows it on this machine; any web server can show it to others.")
    return 0
