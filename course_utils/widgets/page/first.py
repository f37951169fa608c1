"""The first frame of an explorer as HTML: what stands in a page before it is live, in print, and without scripts."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from course_utils import plots

# Bytes of a picture that loses nothing. A larger one, of a face, shows how it begins, and is drawn anew soon.
EXACT = 2000
NOTES = {  # under the first frame; the page's script puts another one in place of the first where it cannot go on
    "still": "This is a still picture: in a browser that runs JavaScript it can be moved.",
    "missing": "This is a still picture: the file that moves it could not be loaded.",
    "damaged": "This is a still picture: the file that moves it is damaged.",
    "other": "This is a still picture: the file that moves it is of another version of the course.",
    "browser": "This is a still picture: this browser is too old to move it.",
}
WORDS = {  # of the page's source: what source.js says of the kernel
    "silent": "The page has not answered yet: the model may still be loading.",
    "cannot": "This explorer cannot be shown: {why}.",
    "partly": "Some files could not be loaded: the model is a little inexact, or images of the data are missing.",
}


def place(name: str, spec: dict, answer: dict, images: list, points: bytes = b"") -> str:
    """The HTML of a place.

    Args:
        name: Of the bundle.
        spec: How the explorer looks.
        answer: What it shows first.
        images: Its panels, bytes (H, W, C) or `plots.Chart`.
        points: Of its map.

    Returns:
        A div with the pictures in it.
    """
    images = iter(zip(images, answer["captions"], strict=True))
    rows = []
    for row in spec["rows"]:
        figures = "".join(_figure(panel, *next(images)) for panel in row["panels"])
        title = f'<div class="course-row-title">{html.escape(row["title"])}</div>' if row["title"] else ""
        rows.append(f'<div class="course-row">{title}<div class="course-panels">{figures}</div></div>')
    notes = " ".join(f'data-{key}="{html.escape(text)}"' for key, text in NOTES.items() if key != "still")
    return (
        f'<div class="course-place" data-explorer="{name}" role="group" aria-label="{html.escape(spec["title"])}">'
        f'<div class="course-first">{_map(spec, answer["value"], points) if points else ""}'
        f'<div class="course-result"><div class="course-rows">{"".join(rows)}</div>'
        f'<p class="course-first-text">{html.escape(answer["text"])}</p></div>'
        f'<p class="course-first-note" {notes}>{NOTES["still"]}</p></div></div>'
    )


def _figure(panel: dict, image, caption: str) -> str:
    if isinstance(image, plots.Chart):
        width, height = panel["chart"]
        picture, alt, caption = _drawn(image, width, height), image.summary(), ""
    else:
        tall, wide, channels = panel["shape"]
        picture, alt = webp(np.frombuffer(image, np.uint8).reshape(tall, wide, channels)), caption
        width, height = panel["size"], round(panel["size"] * tall / wide)
    below = f'<figcaption class="course-caption">{html.escape(caption)}</figcaption>' if caption else ""
    return (
        f'<figure class="course-panel"><img class="course-image" src="{_source(picture)}" alt="{html.escape(alt)}" '
        f'width="{width:g}" height="{height:g}">{below}</figure>'
    )


def _map(spec: dict, value, points: bytes) -> str:
    """The points of a map in the colours of their classes, a ring where the marker is; half as fine as CSS pixels."""
    edge, side = np.array([38, 6]), spec["size"] - 44  # as in latent_pad.js
    low, high = np.array([spec["xRange"][0], spec["yRange"][1]]), np.array([spec["xRange"][1], spec["yRange"][0]])
    colors = [[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in spec["palette"]]
    count = len(points) // 9
    places, classes = (
        np.frombuffer(points, "<f4", 2 * count).reshape(-1, 2),
        np.frombuffer(points, "u1", offset=8 * count),
    )
    canvas = np.full((side // 2 + 20, spec["size"] // 2, 3), 255, np.uint8)
    rows, columns = np.indices(canvas.shape[:2])

    def draw(at, inner: float, outer: float, color) -> None:
        x, y = (edge + (np.asarray(at) - low) / (high - low) * side) / 2
        far = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        canvas[(far >= inner) & (far < outer)] = color

    inside = ((places - low) * (places - high) <= 0).all(axis=1)
    for at, kind in zip(places[inside], classes[inside], strict=True):
        draw(at, 0, 1.1, colors[kind % len(colors)])
    draw(value["at"] if isinstance(value, dict) else value, 3.5, 5, (0, 0, 0))
    return (
        f'<div class="course-control"><img src="{_source(webp(canvas))}" alt="{html.escape(spec["label"])}" '
        f'width="{2 * canvas.shape[1]}" height="{2 * canvas.shape[0]}"></div>'
    )


def _source(picture: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def webp(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, C), uint8, C of 1 or 3, as a WebP file: exactly, or about so where that takes more than 2 kB."""
    image = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    exact = _saved(image, lossless=True)
    return exact if len(exact) <= EXACT else _saved(image, quality=90)


def _saved(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", method=6, **options)
    return file.getvalue()


def _drawn(chart, width: float, height: float) -> bytes:
    """A chart as a WebP file, twice as fine as CSS pixels."""
    figure, ax = plt.subplots(figsize=(width / 80, height / 80), layout="constrained")
    plots.draw_chart(chart, ax=ax)
    file = io.BytesIO()
    figure.savefig(file, format="webp", dpi=120, pil_kwargs={"lossless": True})
    plt.close(figure)
    return file.getvalue()
