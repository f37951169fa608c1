"""Make the bytes of the explorers' kernel of its text: course_utils/widgets/page/kernel.wasm of kernel.wat beside it.

uv run tools/build_kernel.py
"""

from pathlib import Path

import wasmtime

TEXT = Path(__file__).resolve().parents[1] / "course_utils" / "widgets" / "page" / "kernel.wat"
CUSTOM = 0  # the kind of a section that is not run: the names of what the text names, a quarter of the bytes


def built(text: str) -> bytes:
    """A module of WebAssembly without its custom sections."""
    full = bytes(wasmtime.wat2wasm(text))
    kept, at = full[:8], 8  # magic and version; then sections: kind, length, content
    while at < len(full):
        length, start = _number(full, at + 1)
        if full[at] != CUSTOM:
            kept += full[at : start + length]
        at = start + length
    return kept


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A whole number in LEB128, seven bits a byte, the lowest first; and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


if __name__ == "__main__":
    TEXT.with_suffix(".wasm").write_bytes(built(TEXT.read_text(encoding="utf-8")))
