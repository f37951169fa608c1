"""Handles into pixels: a face drawn from soft-edged shapes, in a form that torch can vectorise and differentiate.

Coordinates: x to the right and y upwards, the image about from -0.9 to 0.9, taken at pixel centres. A shape is given by
its signed distance d to the outline, to first order and positive inside, and covers sigmoid(4 d / pixel) of a pixel:
anti-aliased, and smooth in all that moves the outline. Most shapes here are |x - c(y)| < w(y), so that
d = (w(y)^2 - (x - c(y))^2) / (2 w): nearly all the work is on rows and columns, and little on whole images.

Two stages: the large shapes (hair, head, neck, clothes, background) become weights of layers that sum to 1 at each
pixel, and one matrix product with the layers' colours gives the image. The small ones are then painted over it, each
inside a fixed window.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.faces.features import paint_features
from course_utils.data.faces.handles import HANDLES, as_handles, as_whole
from course_utils.data.faces.shapes import Grid, make_grid

SKIN = ((0.98, 0.85, 0.75), (0.94, 0.76, 0.62), (0.83, 0.62, 0.46), (0.63, 0.43, 0.30), (0.42, 0.28, 0.20))
HAIR = (
    (0.09, 0.08, 0.10), (0.26, 0.16, 0.11), (0.45, 0.26, 0.14), (0.70, 0.29, 0.11), (0.83, 0.52, 0.22),
    (0.93, 0.79, 0.48),
)  # fmt: skip
BACKGROUND = ((0.46, 0.63, 0.82), (0.47, 0.73, 0.68), (0.88, 0.80, 0.60), (0.90, 0.62, 0.58), (0.65, 0.57, 0.80))
GREY = (0.78, 0.78, 0.80)
FIXED = {
    "clothes": (0.27, 0.36, 0.50),
    "white": (0.97, 0.97, 0.96),
    "light": (0.99, 0.99, 0.99),
    "iris": (0.32, 0.22, 0.15),
    "dark": (0.06, 0.05, 0.06),
    "lash": (0.14, 0.09, 0.09),
    "throat": (0.45, 0.12, 0.13),
    "frame": (0.12, 0.12, 0.16),
}


def render_faces(handles: Tensor, size: int = 64) -> Tensor:
    """Draw faces.

    Args:
        handles: (N, K), columns in the order of `HANDLES`, each within its range. The image is smooth in all of them,
            so gradients can be taken.
        size: Side of an image in pixels, at least 16.

    Returns:
        (N, 3, size, size) in [0, 1], on the handles' device; float64 if they are, else float32.

    Raises:
        TypeError, ValueError: handles are not finite numbers (N, K), or size is below 16.

    Example:
        >>> from course_utils.data.faces import default_handles
        >>> render_faces(default_handles(4, turn=torch.linspace(-1, 1, 4)), size=32).shape
        torch.Size([4, 3, 32, 32])
    """
    handles = as_handles(handles, f"(N, {len(HANDLES)})")
    if handles.ndim != 2 or handles.shape[1] != len(HANDLES):
        raise ValueError(f"handles have shape {tuple(handles.shape)}: give (N, {len(HANDLES)}), one column a handle.")
    size = as_whole(size, "size", 16, "below 16 pixels there is no face to see.")
    if handles.dtype not in (torch.float32, torch.float64):
        handles = handles.float()
    pixels = 2**17 if handles.device.type == "cpu" else 2**23  # a part that the caches of a CPU hold
    parts = handles.split(max(1, pixels // size**2))
    with torch.autocast(handles.device.type, enabled=False):  # half precision would show
        return torch.cat([_draw(part, size) for part in parts])


def _ramp(t: Tensor, colors: tuple) -> Tensor:
    """A smooth way through colours: (N, 1, 1) in [0, 1] to (N, 3)."""
    stops = torch.linspace(0, 1, len(colors), dtype=t.dtype, device=t.device)
    near = torch.softmax(-(((t.reshape(-1, 1) - stops) * (len(colors) - 1)) ** 2) * 2.5, dim=1)
    return near @ torch.tensor(colors, dtype=t.dtype, device=t.device)


def _step(t: Tensor, middle: float, width: float) -> Tensor:
    return torch.sigmoid((t - middle) * (4 / width))


def _draw(handles: Tensor, size: int) -> Tensor:
    h = SimpleNamespace(**dict(zip(HANDLES, handles[:, :, None, None].unbind(1), strict=True)))
    grid = make_grid(size, handles.dtype, handles.device)
    ink = _inks(h)
    image, hair = _large_shapes(h, grid, ink)
    paint_features(h, grid, ink, image, hair)
    return image.clamp_(0, 1)


def _inks(h: SimpleNamespace) -> SimpleNamespace:
    """The colours, each (N, 3)."""
    skin = _ramp(h.skin, SKIN)
    grey = torch.sigmoid((h.age.reshape(-1, 1) - 0.68) * 11) * 0.95
    hair = torch.lerp(_ramp(h.hair_color, HAIR), skin.new_tensor(GREY), grey)
    fixed = {name: skin.new_tensor(color).expand_as(skin) for name, color in FIXED.items()}
    lips = skin * skin.new_tensor((0.88, 0.56, 0.54))
    return SimpleNamespace(
        skin=skin,
        neck=skin * skin.new_tensor((0.86, 0.80, 0.78)),
        shade=skin * skin.new_tensor((0.62, 0.48, 0.42)),
        shine=skin * 0.65 + 0.35,
        blush=torch.lerp(skin, skin.new_tensor((0.95, 0.35, 0.30)), 0.5),
        lips=lips,
        parting=lips * 0.55,
        hair=hair,
        back=hair * 0.72,
        brow=hair * 0.72,
        background=_ramp(h.background, BACKGROUND),
        **fixed,
    )


def _large_shapes(h: SimpleNamespace, g: Grid, ink: SimpleNamespace) -> tuple[Tensor, Tensor]:
    """Hair, head, neck, clothes, background: the images (N, 3, size, size), and the hair in front (N, size, size)."""
    x, y = g.x, g.y
    middle, half = 0.04 * h.turn, 0.49 + 0.05 * h.face_width
    v = y / 0.62
    across = x - middle * (1 - 0.4 * v)
    squared = across * across
    inside = half.square() * (1 - v.square()) * (1 + 0.12 * v - 0.10 * v.square()).square() - squared
    head = g.edge(inside * (0.5 / half))
    ear_u = ((x - middle).square() + 1e-4).sqrt() - half + 0.01
    rows = g.window(-1, 1, -0.22, 0.18)[0]
    ear = g.edge((1 - (ear_u / 0.085).square()) * 0.045 - ((y[:, rows] + 0.02) / 0.13).square() * 0.045)
    ear = ear * (1 - head[:, rows])
    skin = head + F.pad(ear, (0, 0, rows.start, g.size - rows.stop))

    volume = 0.03 + 0.05 * h.hair_length + 0.10 * h.hair_curl
    around = half + volume
    up = (y - 0.10).clamp(min=0) / (0.58 + volume)  # above, half an ellipse; below, straight down to the ends
    ends = torch.sigmoid((y - 0.12 + 1.05 * h.hair_length) * 18)
    outline = around.square() * (1 - up.square()) * ends - squared
    hair = g.edge(torch.addcmul(outline, 0.10 * h.hair_curl.square(), g.lobes) * (0.5 / around))
    side = (x - 1.4 * middle) / half
    line = 0.42 - (0.30 + 0.50 * h.hair_length) * side.square().square() + 0.06 * side
    front = hair * g.edge(y - line)

    neck = g.edge((0.046 * (1 - ((y + 0.5) / 0.34).square()) - x.square()) * 2.9)
    clothes = g.edge((1 - (x / 0.84).square() - ((y + 1.17) / 0.52).square()) * 0.26)

    layers = [front]  # from the front to the back: each covers what the ones before it leave free
    free = 1 - front
    for cover in (skin, neck, clothes, hair):
        layers.append(cover * free)
        free = free - layers[-1]
    layers.append(free)
    colors = [ink.hair, ink.skin * 0.95, ink.neck, ink.clothes, ink.back, ink.background]

    # Light: brighter towards it, darker away from it and at the rim. Signed layers on top of those above.
    lit = h.light * (torch.tanh(1.6 * x / half) * 0.20) + 0.05 * y
    texture = torch.addcmul((0.07 - 0.07 * h.hair_curl) * g.strands, 0.40 * h.hair_curl, g.curls)
    layers += [
        (layers[0] + layers[4]) * torch.add(texture, lit, alpha=1.3),
        layers[1] * torch.add(lit, inside, alpha=0.30),
        layers[2] * (lit + 0.30 * (y + 0.55)),
        layers[3] * lit,
        free * g.glow,
    ]
    added = [ink.hair * 0.8 + 0.02, ink.skin, ink.neck, ink.clothes, ink.background * 0.25 + 0.05]
    darkness = torch.stack([1 - color for color in colors] + [-color for color in added], dim=2)
    below_one = torch.bmm(darkness, torch.stack(layers, dim=1).flatten(2))
    image = 1 - F.softplus(below_one, beta=24)  # highlights roll off smoothly
    return image.unflatten(2, (g.size, g.size)), front
