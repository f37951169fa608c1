"""The kernel's bytes are those of its text."""

import wasmtime
from build_kernel import TEXT, built


def test_the_bytes_are_made_of_the_text_that_stands_beside_them():
    assert TEXT.with_suffix(".wasm").read_bytes() == built(TEXT.read_text(encoding="utf-8")), "tools/build_kernel.py"


def test_only_names_are_left_out():
    text = '(module (func (export "twice") (param $x i32) (result i32) (i32.mul (local.get $x) (i32.const 200))))'
    assert b"twice" in built(text)
    assert built(text) + wasmtime.wat2wasm(text)[len(built(text)) :] == wasmtime.wat2wasm(text)
    assert len(built(text)) < len(wasmtime.wat2wasm(text))
