"""The browser's half as text: one module for a notebook, and files for a page, made of the same files."""

import base64
import json
from pathlib import Path

from course_utils.widgets.spec import CONTRACT

_HERE = Path(__file__).parent
MODULES = ("words", "spec", "source", "chart", "latent_pad", "map_explorer", "explorer")
PAGE = ("page/decoder", "page/answers", "page/files", "page/host")


def read(*names: str) -> str:
    """Files of JavaScript, one after another."""
    return "".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def module() -> str:
    """The module that anywidget gives to a notebook."""
    return f"const CONTRACT = {json.dumps(CONTRACT)};\n" + read(*MODULES)


def page_module() -> str:
    """What a page has beside it: what answers in place of a kernel."""
    return _kernel() + read(*PAGE)


def worker() -> str:
    """The worker's script: what decodes."""
    return _kernel() + read("page/decoder", "page/worker")


def _kernel() -> str:
    return f'const KERNEL = "{base64.b64encode((_HERE / "page" / "kernel.wasm").read_bytes()).decode()}";\n'


def style() -> str:
    """What explorers look like."""
    return (_HERE / "explorer.css").read_text(encoding="utf-8")


def write_front_end(folder: Path | str) -> list[str]:
    """Write what a page needs for any explorer, to the folder in which its bundles are.

    The head of the page needs ``<link rel="stylesheet" href="explorers.css">`` and
    ``<script type="module" src="explorers.js"></script>``.

    Args:
        folder: Where to; it is made.

    Returns:
        The names of the files.

    Raises:
        OSError: The folder cannot be written to.
    """
    files = {
        "explorers.js": _small(module() + page_module()),
        "explorer-worker.js": _small(worker()),
        "explorers.css": style() + (_HERE / "page" / "page.css").read_text(encoding="utf-8"),
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (Path(folder) / name).write_text(text, encoding="utf-8")
    return list(files)


def _small(script: str) -> str:
    """A script without indentation and without the lines that are only a comment: they are a third of its bytes."""
    lines = map(str.strip, script.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))
