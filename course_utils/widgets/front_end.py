"""The browser's half as text: one module for a notebook, and files for a page, made of the same files."""

import base64
import json
from pathlib import Path

from course_utils.widgets.spec import CONTRACT

_HERE = Path(__file__).parent
MODULES = ("words", "spec", "source", "chart", "latent_pad", "map_explorer", "brush", "explorer")
PAGE = ("page/answers", "page/files", "page/back_end", "page/host")  # after the decoder
STAND_IN = {  # what a notebook gets beside the decoder, once it may need it; each follows the decoder
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
    return {"decoder": _small(decoder())} | {name: _small(read(*files)) for name, files in STAND_IN.items()}


def decoder() -> str:
    """What decodes: decoder.js, and before it the bytes of its loops for WebAssembly, those that are tried first."""
    files = (_HERE / "page" / name for name in ("kernel-fused.wasm", "kernel.wasm"))
    loops = [base64.b64encode(file.read_bytes()).decode() for file in files]
    return f"const KERNELS = {json.dumps(loops)};\n" + read("page/decoder")


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
        "explorers.js": _small(_common() + decoder() + read(*PAGE)),
        "explorer-worker.js": _small(decoder() + read("page/worker")),
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
