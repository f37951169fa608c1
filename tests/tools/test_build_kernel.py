"""The kernel's bytes are those of its text."""

import wasmtime
from build_kernel import ADDED, TEXT, built, files


def test_the_bytes_are_made_of_the_text_that_stands_beside_them():
    made = files(TEXT.read_text(encoding="utf-8"))
    assert sorted(made) == sorted(TEXT.parent.glob("*.wasm"))
    for path, data in made.items():
        assert path.read_bytes() == data, f"{path.name}: run tools/build_kernel.py"


def test_in_the_quicker_one_every_product_of_the_sums_is_added_in_one_step():
    plain, fused = files(TEXT.read_text(encoding="utf-8")).values()
    assert len(ADDED.findall(TEXT.read_text(encoding="utf-8"))) == 8
    assert fused.count(b"\xfd\x85\x02") == 8  # f32x4.relaxed_madd
    assert plain.count(b"\xfd\x85\x02") == 0


def test_only_names_are_left_out():
    text = '(module (func (export "twice") (param $x i32) (result i32) (i32.mul (local.get $x) (i32.const 200))))'
    assert b"twice" in built(text)
    assert built(text) + wasmtime.wat2wasm(text)[len(built(text)) :] == wasmtime.wat2wasm(text)
    assert len(built(text)) < len(wasmtime.wat2wasm(text))
