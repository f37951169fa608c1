"""Make the bytes of the explorers' kernel of its text: of course_utils/widgets/page/kernel.wat the two files beside it.

In kernel-fused.wasm a product is added in one step. That is relaxed SIMD, which some browsers do not have: they take
kernel.wasm.

uv run tools/build_kernel.py
"""

import re
from pathlib import Path

import wasmtime

TEXT = Path(__file__).resolve().parents[1] / "course_utils" / "widgets" / "page" / "kernel.wat"
_GET = r"\(local\.get (\$\w+)\)"
ADDED = re.compile(rf"\(f32x4\.add {_GET} \(f32x4\.mul {_GET} {_GET}\)\)")
FUSED = r"(f32x4.relaxed_madd (local.get \2) (local.get \3) (local.get \1))"
CUSTOM = 0  # the kind of a section that is not run: the names of what the text names, a quarter of the bytes


def files(text: str) -> dict[Path, bytes]:
    """What is made of the text: paths and their bytes."""
    fused = TEXT.with_name("kernel-fused.wasm")
    return {TEXT.with_suffix(".wasm"): built(text), fused: built(ADDED.sub(FUSED, text))}


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
    for path, data in files(TEXT.read_text(encoding="utf-8")).items():
        path.write_bytes(data)
