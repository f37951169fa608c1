"""Record the animation at the top of README.md: the ring dragged over the map of faces, in the book's own first page.

uv run tools/record_animation.py              builds the book first
uv run tools/record_animation.py --book DIR   of a book that is there

A headless Chromium drags the ring by its mouse; each frame is what the page shows there. The result is
docs/images/face_map.gif.
"""

import argparse
import io
import math
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from tqdm.auto import tqdm

from course_utils.command import site

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "face_map.gif"
FRAMES, MILLISECONDS = 48, 110
MOST = 1_000_000  # bytes
PLOT = (48, 16, 384, 352)  # left, top, right, bottom of the map's frame within its canvas, in screen pixels


def route(frame: int) -> tuple[float, float]:
    """Where the ring is in a frame, each from 0 (left, bottom) to 1: one round of a loop that ends where it began."""
    angle = 2 * math.pi * frame / FRAMES
    return 0.5 + 0.3 * math.sin(angle + 0.6), 0.53 + 0.36 * math.cos(angle - 0.1)


def record(book: Path) -> list[Image.Image]:
    """What the first explorer of the book shows as its ring is dragged."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    left, top, right, bottom = PLOT
    with sync_playwright() as playwright, site.serving(book, 0) as address:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto(f"{address}index.html")
        page.locator('.course-place[data-state="ready"]').first.wait_for()
        explorer = page.locator(".course-explorer").first
        pad = page.locator(".course-pad").first.bounding_box()
        frames = []
        for k in tqdm(range(FRAMES), "frames"):
            x, y = route(k)
            page.mouse.move(pad["x"] + left + x * (right - left), pad["y"] + bottom - y * (bottom - top))
            if k == 0:
                page.mouse.down()
            page.wait_for_timeout(150)  # until the face is drawn
            frames.append(Image.open(io.BytesIO(explorer.screenshot())).convert("RGB"))
        browser.close()
    return frames


def write(frames: list[Image.Image], target: Path) -> int:
    """A GIF that repeats, with one palette for all frames; how many bytes it has."""
    width, height = frames[0].size
    sample = Image.new("RGB", (width, height * 6))
    for k in range(6):
        sample.paste(frames[k * len(frames) // 6], (0, height * k))
    palette = sample.quantize(128)
    first, *rest = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    first.save(target, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0, optimize=False)
    return target.stat().st_size


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", type=Path, metavar="DIR", help="a book that is there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        book = options.book
        if book is None:
            book = Path(folder, "book")
            site.build(book)
        frames = record(book)
    size = write(frames, TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {len(frames)} frames, {size / 1e3:.0f} kB")
    if size > MOST:
        print(f"That is more than {MOST / 1e6:.0f} MB: take fewer frames or colours.", file=sys.stderr)
    return int(size > MOST)


if __name__ == "__main__":
    sys.exit(main())
