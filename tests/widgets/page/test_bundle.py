"""What is in a bundle, read back as files.js reads it."""

import gzip
import json

import numpy as np
import torch
from small_models import style_gan

from course_utils.models.vae import VAE
from course_utils.widgets.page.bundle import FORMAT, Page, write
from course_utils.widgets.page.layers import layers_of, run
from course_utils.widgets.page.rounding import rounded

EARLY = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))  # codes
SHOWN = {"spec": {"title": "ü"}, "answer": {"text": "<b>"}, "frame": b"123", "points": b"12345", "words": {}}


def read(file) -> tuple[dict, dict[str, bytes]]:
    """The header, and the parts by name."""
    raw = gzip.decompress(file.read_bytes())
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    start = 8 * -(-(4 + length) // 8)
    return header, {name: raw[start + at : start + at + size] for name, (at, size) in header["parts"].items()}


def model() -> VAE:
    torch.manual_seed(0)
    return VAE(3, architecture="conv", hidden=8, image_shape=(1, 8, 12))


def test_all_is_in_one_file_where_nothing_can_wait(tmp_path):
    (tmp_path / "one.more.bin").write_bytes(b"of an earlier version")
    page = Page("handles", {"a": [1]}, {"z": np.arange(3, dtype="<f4")}, {"decoder": (layers_of(model()), (3,))})
    write(tmp_path, "one", page, **SHOWN)
    assert [file.name for file in tmp_path.iterdir()] == ["one.bin"]
    header, parts = read(tmp_path / "one.bin")
    assert header["format"] == FORMAT
    assert header["spec"] == {"title": "ü"}
    assert header["more"] == ""
    assert header["page"] == {"kind": "handles", "pictures": None, "a": [1]}
    assert parts["frame"] == b"123"
    assert parts["points"] == b"12345"
    assert np.frombuffer(parts["z"], "<f4").tolist() == [0, 1, 2]
    assert header["networks"]["decoder"]["shape"] == [1, 8, 12]
    assert all(at % 8 == 0 for at, _ in header["parts"].values())


def test_the_weights_are_found_where_the_header_says(tmp_path):
    layers = layers_of(model())
    write(tmp_path, "one", Page("handles", networks={"decoder": (layers, (3,))}), **SHOWN)
    header, parts = read(tmp_path / "one.bin")
    halves, single = np.frombuffer(parts["halves"], "<f2"), np.frombuffer(parts["single"], "<f4")
    stored = header["networks"]["decoder"]["layers"]
    assert [layer["op"] for layer in stored] == [layer["op"] for layer in layers]
    for told, layer in zip(stored, layers, strict=True):
        for name in {"w", "b"} & set(layer):
            place, wanted = told[name], layer[name].half() if layer[name].ndim > 1 else layer[name]
            numbers = halves if "scale" in place else single
            assert place["shape"] == list(wanted.shape)
            assert numbers[place["at"] : place["at"] + wanted.numel()].tolist() == wanted.flatten().tolist()


def test_what_can_wait_is_in_a_second_file_that_belongs_to_the_first(tmp_path):
    images = torch.rand(5, 1, 4, 6)
    page = Page("pad", networks={"decoder": (layers_of(model()), (3,))}, pictures=images, early=EARLY)
    write(tmp_path, "two", page, **SHOWN)
    (header, parts), (later, rest) = read(tmp_path / "two.bin"), read(tmp_path / "two.more.bin")
    assert header["more"] == later["of"] != ""
    assert set(rest) == {"halves", "pictures"}
    assert "halves" not in parts
    assert {"coarse", "scales"} <= set(parts)
    assert "frame" not in parts, "it stands in the page as pictures"
    assert header["page"]["pictures"] == [4, 6, 1]
    assert (
        rest["pictures"] == images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    )
    other = Page("pad", networks=page.networks, pictures=1 - images, early=EARLY)
    write(tmp_path, "other", other, **SHOWN)
    assert read(tmp_path / "other.bin")[0]["more"] != header["more"]


def test_the_rounded_weights_are_found_where_the_header_says(tmp_path):
    layers = layers_of(model())
    write(tmp_path, "one", Page("pad", networks={"decoder": (layers, (3,))}, early=EARLY), **SHOWN)
    header, parts = read(tmp_path / "one.bin")
    whole, scales = np.frombuffer(parts["coarse"], "i1"), np.frombuffer(parts["scales"], "<f4")
    wanted = iter(rounded(layers, EARLY))
    for told in header["networks"]["decoder"]["layers"]:
        if "scale" in told.get("w", {}):
            place, one = told["w"], next(wanted)
            assert whole[place["at"] :][: one.whole.numel()].tolist() == one.whole.flatten().tolist()
            assert scales[place["scale"] :][: len(one.scales)].tolist() == one.scales.tolist()
    assert next(wanted, None) is None


def test_the_same_page_is_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, "one", Page("pad", networks={"d": (layers_of(model()), (3,))}, early=EARLY), **SHOWN)
    for file in ("one.bin", "one.more.bin"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_work_of_a_network_is_its_multiplications(tmp_path):
    layers = layers_of(model())  # 3 -> 8 * 2 * 3, then 3 x 3 convolutions of 2 x 3 and of 4 x 6 pixels
    write(tmp_path, "one", Page("handles", networks={"decoder": (layers, (3,))}), **SHOWN)
    assert run(layers, torch.zeros(1, 3)).shape == (1, 1, 8, 12)
    work = 3 * 48 + 16 * 8 * 9 * 6 + 4 * 4 * 9 * 24
    assert read(tmp_path / "one.bin")[0]["networks"]["decoder"]["work"] == work


def test_the_work_of_a_style_generator_too(tmp_path):
    layers = layers_of(style_gan((3, 32, 48), mapping_layers=2))
    write(tmp_path, "one", Page("handles", networks={"decoder": (layers, (7,))}), **SHOWN)
    work = 2 * 7 * 7  # the mapping; then 3 x 3 convolutions, the sizes of their outputs before they are enlarged
    work += 9 * (16 * 16 * 24 + 16 * 8 * 24 + 8 * 8 * 96 + 8 * 4 * 96 + 4 * 4 * 384)
    work += 12 * (16 * 24 + 8 * 96 + 4 * 384)  # to the image
    work += 7 * (16 + 16 + 8 + 8 + 4 + 16 + 8 + 4)  # styles
    assert read(tmp_path / "one.bin")[0]["networks"]["decoder"]["work"] == work
