"""Figures as they are stored in a notebook: smaller, and where it matters not changed at all.

A figure of at most 256 colours keeps every pixel, and so does one of greys alone (photographs of clothes). Elsewhere
each colour that covers a noticeable share of the figure is kept exactly, so that a line or a point is never of another
colour than its entry in the legend, and white is white. Only the rest, which is the smooth edges of lines and letters
and the pixels of photographs, may move, by at most MAX_ERROR a channel; a grey only to another grey, and a quarter as
far, or photographs of clothes would be tinted. A figure for which that does not give a palette of 256 colours keeps
every pixel too.
"""

import base64
import io

NOTICEABLE = 1 / 1000  # of a figure's pixels: a line, the points of a class, an area
MAX_ERROR = 16  # of 255, in each channel
FINER_GREYS = 4  # so many times closer a grey stays
TOLERANCES = (2, 4, 6, 8, 10, 12, 14, MAX_ERROR)


def stored_figure(png: str) -> str:
    """A figure in base64 as it is stored; unchanged where it is no picture or cannot be made smaller."""
    import numpy as np
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    except (ValueError, OSError):  # no picture that Pillow can read: leave it as it is
        return png
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    pixels = np.asarray(picture)
    if not np.ptp(pixels, axis=2).any():
        picture = Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    else:
        colours, place, counts = colours_of(pixels)
        if len(colours) > 256:
            colours, place, _ = colours_of(with_few_colours(colours, counts)[place])
        if len(colours) <= 256:
            picture = Image.fromarray(place.astype(np.uint8))
            picture.putpalette(colours.astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), png, key=len)


def colours_of(pixels):
    """The colours of pixels (H, W, 3), sorted: (N, 3), each pixel's place among them (H, W), and their counts (N,)."""
    import numpy as np

    packed = pixels.astype(np.int64) @ [1 << 16, 1 << 8, 1]
    found, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    return colours, place.reshape(packed.shape), counts


def with_few_colours(colours, counts):
    """What becomes of each colour, (N, 3): at most 256 different ones, or all as they are where that cannot be.

    The colours that stay are those that cover a noticeable share and then, again and again, the most frequent one that
    is not near any of these. All others move to the nearest one that stays.

    Args:
        colours: Different colours, (N, 3).
        counts: How many pixels have each, (N,).
    """
    import numpy as np

    order = np.argsort(-counts, kind="stable")
    noticeable = int((counts >= NOTICEABLE * counts.sum()).sum())  # so many at the start of the order
    grey = np.ptp(colours, axis=1) == 0
    for tolerance in TOLERANCES if noticeable <= 256 else ():
        changed, distance = colours.copy(), np.full(len(colours), 256)
        for number in range(256):
            if number >= noticeable:
                if distance.max() <= tolerance:
                    break
                number = (distance[order] > tolerance).argmax()
            colour = colours[order[number]]
            to_it = np.abs(colours - colour).max(axis=1) * np.where(grey, FINER_GREYS, 1)
            if np.ptp(colour):
                to_it[grey] = 256
            changed[to_it < distance] = colour
            distance = np.minimum(distance, to_it)
        if distance.max() <= tolerance:
            return changed
    return colours
