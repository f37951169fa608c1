"""The browser's half as text: one module for a notebook, and files for a page, made of the same files."""

import json
from pathlib import Path

from course_utils.widgets.spec import CONTRACT

_HERE = Path(__file__).parent
MODULES = ("words", "spec", "source", "chart", "latent_pad", "map_explorer", "explorer")
PAGE = ("page/decoder", "page/answers", "page/files", "page/back_end", "page/host")
STAND_IN = {  # what a notebook gets too, once it may need it; the worker and the others each follow the decoder
    "decoder": ("page/decoder",),
    "others": ("words", "page/answers", "page/files", "page/back_end", "page/stand_in"),
    "worker": ("page/worker",),
}


def read(*names: str) -> str:
    """Files of JavaScript, one after another."""
    return "".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def module() -> str:
    """The module that anywidget gives to a notebook: each explorer there has its own, so its bytes count."""
    return _small(_common() + read("kernel"))


def stand_in() -> dict[str, str]:
    """The page's back end for a notebook, whose kernel does not answer: texts that kernel.js puts together."""
    return {name: _small(read(*files)) for name, files in STAND_IN.items()}


def _common() -> str:
    return f"const CONTRACT = {json.dumps(CONTRACT)};\n" + read(*MODULES)


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
        "explorers.js": _small(_common() + read(*PAGE)),
        "explorer-worker.js": _small(read("page/decoder", "page/worker")),
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
