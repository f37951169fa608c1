"""The animation at the top of README.md, and the tool that records it."""

import re

import record_animation
from lesson_cells import ROOT
from PIL import Image
from record_animation import FRAMES, MOST, route, write


def test_the_ring_stays_in_the_map_and_ends_where_it_began():
    places = [route(k) for k in range(FRAMES + 1)]
    assert all(0.1 < x < 0.9 and 0.1 < y < 0.95 for x, y in places)
    assert max(abs(a - b) for a, b in zip(places[0], places[-1], strict=True)) < 1e-9
    steps = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in zip(places, places[1:], strict=False)]
    assert max(steps) < 0.1  # no jumps


def test_frames_become_a_gif_that_repeats(tmp_path):
    frames = [Image.new("RGB", (20, 10), (40 * k, 0, 255 - 40 * k)) for k in range(6)]
    size = write(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as found:
        assert (found.n_frames, found.size, found.info["loop"]) == (6, (20, 10), 0)
        for k in (0, 4):
            found.seek(k)
            red, green, blue = found.convert("RGB").getpixel((3, 4))
            assert max(abs(red - 40 * k), green, abs(blue - 255 + 40 * k)) < 24
    assert size == (tmp_path / "a.gif").stat().st_size


def test_a_gif_that_is_too_large_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record_animation, "record", lambda book: [Image.new("RGB", (8, 8), c) for c in ("red", "blue")])
    monkeypatch.setattr(record_animation, "ROOT", tmp_path)
    monkeypatch.setattr(record_animation, "TARGET", tmp_path / "a.gif")
    assert record_animation.main(["--book", str(tmp_path)]) == 0
    monkeypatch.setattr(record_animation, "MOST", 10)
    assert record_animation.main(["--book", str(tmp_path)]) == 1
    assert "take fewer frames" in capsys.readouterr().err


def test_the_readme_opens_with_it():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"!\[[^\]]{60,}\]\(([^)]+)\)", text)
    assert first[1] == "docs/images/face_map.gif"
    assert (ROOT / first[1]).stat().st_size <= MOST
    with Image.open(ROOT / first[1]) as picture:
        assert picture.n_frames == FRAMES
