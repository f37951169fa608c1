"""Handles into pixels: a face drawn from soft-edged shapes, in a form that torch can vectorise and differentiate.

Coordinates: x from -1 (left) to 1 (right) and y from -1 (bottom) to 1 (top), taken at pixel centres. A shape is given by
its signed distance d to the outline, to first order and positive inside, and covers sigmoid(4 d / pixel) of a pixel:
anti-aliased, and smooth in all that moves the outline. Most shapes here are |x - c(y)| < w(y), so that
d = (w(y)^2 - (x - c(y))^2) / (2 w): nearly all the work is on rows and columns, and little on whole images.

Two stages: the large shapes (hair, head, neck, clothes, background) become weights of layers that sum to 1 at each
pixel, and one matrix product with the layers' colours gives the image. The small ones are then painted over it, each
inside a fixed window.
"""

import math
from functools import lru_cache
from types import SimpleNamespace

import torch
from torch import Tensor

from course_utils.faces.handles import HANDLES

SKIN = ((0.98, 0.85, 0.75), (0.94, 0.76, 0.62), (0.83, 0.62, 0.46), (0.63, 0.43, 0.30), (0.42, 0.28, 0.20))
HAIR = ((0.09, 0.08, 0.10), (0.26, 0.16, 0.11), (0.45, 0.26, 0.14), (0.70, 0.29, 0.11), (0.83, 0.52, 0.22), (0.93, 0.79, 0.48))  # fmt: skip
BACKGROUND = ((0.46, 0.63, 0.82), (0.47, 0.73, 0.68), (0.88, 0.80, 0.60), (0.90, 0.62, 0.58), (0.65, 0.57, 0.80))
GREY = (0.78, 0.78, 0.80)
CLOTHES = (0.27, 0.36, 0.50)


def render_faces(handles: Tensor, size: int = 64) -> Tensor:
    """Draw faces.

    Args:
        handles: (N, K), columns in the order of `HANDLES`, each within its range. The image is smooth in all of them,
            so gradients can be taken.
        size: Side of an image in pixels, at least 16.

    Returns:
        (N, 3, size, size) in [0, 1], of the handles' type and on their device.

    Raises:
        ValueError: handles are not (N, K), or size is below 16.

    Example:
        >>> from course_utils.faces import default_handles
        >>> render_faces(default_handles(4, turn=torch.linspace(-1, 1, 4)), size=32).shape
        torch.Size([4, 3, 32, 32])
    """
    if handles.ndim != 2 or handles.shape[1] != len(HANDLES):
        raise ValueError(f"handles have shape {tuple(handles.shape)}: give (N, {len(HANDLES)}), one column a handle.")
    if size < 16:
        raise ValueError(f"size is {size}: below 16 pixels there is no face to see.")
    if not handles.is_floating_point():
        handles = handles.float()
    pixels = 2**16 if handles.device.type == "cpu" else 2**23  # a part that the caches of a CPU hold
    return torch.cat([_draw(part, size) for part in handles.split(max(1, pixels // size**2))])


@lru_cache(maxsize=16)
def _grid(size: int, dtype: torch.dtype, device: torch.device) -> SimpleNamespace:
    """What does not depend on handles: coordinates, the hair's waves and curls, the background's glow."""
    axis = (torch.arange(size, dtype=torch.float64) + 0.5) * (2 / size) - 1
    x, y = axis[None, None, :], -axis[None, :, None]
    angle = torch.atan2(x, y - 0.1)
    radius = (x**2 + (y - 0.1) ** 2).sqrt()
    blur = lambda wave: math.exp(-((wave * 2 / size) ** 2) / 6)  # a wave finer than pixels is averaged away
    fields = {
        "x": x,
        "y": y,
        "bumps": torch.cos(15 * angle) + 0.5 * torch.cos(23 * angle + 1),
        "strands": blur(30) * torch.cos(26 * angle + 2 * torch.sin(6 * radius)),
        "curls": blur(20) * torch.sin(19 * x + 2 * torch.sin(7 * y)) * torch.sin(17 * y + 2 * torch.sin(9 * x)),
        "glow": torch.exp(-(x**2 + (y - 0.3) ** 2) / 0.8).reshape(1, size, size) - 0.4,
    }
    return SimpleNamespace(pixel=2 / size, **{k: v.to(device, dtype) for k, v in fields.items()})


def _ramp(t: Tensor, colors: tuple) -> Tensor:
    """A smooth way through colours: (N, 1, 1) in [0, 1] to (N, 3)."""
    stops = torch.linspace(0, 1, len(colors), dtype=t.dtype, device=t.device)
    near = torch.softmax(-(((t.reshape(-1, 1) - stops) * (len(colors) - 1)) ** 2) * 2.5, dim=1)
    return near @ torch.tensor(colors, dtype=t.dtype, device=t.device)


def _step(t: Tensor, middle: float, width: float) -> Tensor:
    return torch.sigmoid((t - middle) * (4 / width))


def _draw(handles: Tensor, size: int) -> Tensor:
    h = SimpleNamespace(**dict(zip(HANDLES, handles[:, :, None, None].unbind(1), strict=True)))
    g = _grid(size, handles.dtype, handles.device)
    ink = _inks(h)
    image, hidden = _large(h, g, ink)
    return _small(h, g, ink, image, hidden).clamp(0, 1)


def _inks(h) -> SimpleNamespace:
    skin = _ramp(h.skin, SKIN)
    grey = _step(h.age, 0.72, 0.3).reshape(-1, 1) * 0.9
    hair = torch.lerp(_ramp(h.hair_color, HAIR), skin.new_tensor(GREY), grey)
    return SimpleNamespace(
        skin=skin,
        hair=hair,
        back=hair * 0.72,
        brow=hair * 0.75,
        neck=skin * skin.new_tensor((0.86, 0.80, 0.78)),
        shade=skin * skin.new_tensor((0.62, 0.48, 0.42)),
        lips=skin * skin.new_tensor((0.86, 0.56, 0.54)),
        blush=torch.lerp(skin, skin.new_tensor((0.95, 0.35, 0.30)), 0.5),
        background=_ramp(h.background, BACKGROUND),
        clothes=skin.new_tensor(CLOTHES).expand_as(skin),
    )


def _large(h, g, ink) -> tuple[Tensor, Tensor]:
    x, y, sharp = g.x, g.y, 4 / g.pixel
    half = 0.46 + 0.05 * h.face_width
    v = y / 0.62
    center = 0.04 * h.turn * (1 - 0.4 * v)
    across = x - center  # (N, size, size)
    squared = across.square()
    head_w2 = half.square() * (1 - v.square()) * (1 + 0.13 * v - 0.10 * v.square()).square()
    inside = head_w2 - squared
    head = torch.sigmoid(inside * (sharp / (2 * half)))
    # Ears: one ellipse at each side.
    middle = 0.04 * h.turn
    ear_u = ((x - middle).abs() - half + 0.02) / 0.085
    ear = torch.sigmoid((1 - ear_u.square() - ((y + 0.02) / 0.13).square()) * (sharp * 0.045))
    skin = head + ear - head * ear
    # Hair: its silhouette, and the part of it that is in front, above the hairline.
    volume = 0.03 + 0.05 * h.hair_length + 0.10 * h.hair_curl
    hair_half = half + volume
    up = (y - 0.10).clamp(min=0) / (0.60 + volume)
    end = 0.12 - 1.05 * h.hair_length
    hair_w2 = hair_half.square() * (1 - up.square()) * torch.sigmoid((y - end) * 14)
    outline = hair_w2 - squared + (0.045 * h.hair_curl) * g.bumps
    hair = torch.sigmoid(outline * (sharp / (2 * hair_half)))
    side = (x - 1.4 * middle) / half
    line = 0.40 - (0.30 + 0.55 * h.hair_length) * side.square().square() + 0.06 * side
    front = hair * torch.sigmoid((y - line) * sharp)
    # Neck and clothes.
    neck = torch.sigmoid((0.17**2 * (1 - ((y + 0.5) / 0.34).square()) * 1.6 - x.square()) * (sharp / 0.34))
    clothes = torch.sigmoid((1 - (x / 0.82).square() - ((y + 1.22) / 0.52).square()) * (sharp * 0.26))
    w_skin = skin - skin * front
    left = (1 - front) - w_skin
    w_neck = left * neck
    left = left - w_neck
    w_clothes = left * clothes
    left = left - w_clothes
    w_back = left * hair
    left = left - w_back
    # Light: brighter towards it, darker away from it, darker at the rim.
    lit = h.light * (torch.tanh(1.6 * x / half) * 0.20) + 0.05 * y
    face_shade = w_skin * (lit + 0.30 * inside - 0.05)
    hair_shade = (front + w_back) * (
        1.3 * lit + (0.5 * h.hair_curl) * g.curls + (0.12 - 0.12 * h.hair_curl) * g.strands
    )
    body_shade = lit * w_clothes
    neck_shade = w_neck * (lit + 0.30 * (y + 0.55))
    weights = [front, w_skin, w_neck, w_clothes, w_back, left, left * g.glow, face_shade, hair_shade, body_shade, neck_shade]  # fmt: skip
    colors = [ink.hair, ink.skin, ink.neck, ink.clothes, ink.back, ink.background, ink.background * 0.25 + 0.05]
    colors += [ink.skin, ink.hair * 0.8 + 0.08, ink.clothes, ink.neck]
    layers = torch.stack(weights, dim=1).flatten(2)
    image = torch.bmm(torch.stack(colors, dim=2), layers).unflatten(2, across.shape[1:])
    return image, front


def _small(h, g, ink, image: Tensor, hidden: Tensor) -> Tensor:
    """Paint eyes, brows, nose, mouth, wrinkles and glasses."""
    size = image.shape[-1]
    sharp = 4 / g.pixel

    def window(left, right, bottom, top):
        c = slice(max(0, math.floor((left + 1) / 2 * size)), min(size, math.ceil((right + 1) / 2 * size)))
        r = slice(max(0, math.floor((1 - top) / 2 * size)), min(size, math.ceil((1 - bottom) / 2 * size)))
        return r, c

    def stroke(d, width):
        """Coverage of a line of half width ``width`` at distance d, blurred by the pixel."""
        spread = width**2 + (0.45 * g.pixel) ** 2
        return torch.exp(d.square() * (-0.5 / spread)) * (width / math.sqrt(spread))

    def edge(d):
        return torch.sigmoid(d * sharp)

    # ---------------------------------------------------------------- eyes, brows, glasses: one band for both sides
    rows, cols = window(-0.72, 0.72, -0.22, 0.50)
    x, y = g.x[:, :, cols], g.y[:, rows]
    part = image[:, :, rows, cols]
    open_ = 1 - hidden[:, rows, cols]
    middle = 0.13 * h.turn
    right = (x > middle).to(x.dtype)
    sign = 2 * right - 1
    ex = 0.21 - 0.035 * sign * h.turn
    u0 = (x - middle) * sign - ex  # outwards from the eye's centre, (N, 1, W)
    ew = 0.115 - 0.018 * sign * h.turn
    u = u0 / ew
    v = y - 0.03
    lid = 1 - u.square()
    opening = 0.105 * (1 - (1 - h.eye_open).square())
    upper = opening * lid - 0.01
    lower = -0.75 * opening * lid - 0.01
    eye = edge(upper - v) * edge(v - lower)
    gaze = 0.02 * h.turn * sign
    iris_r = 0.062
    r2 = (u0 - gaze).square() + (v - 0.005).square()
    iris = edge((iris_r**2 - r2) / (2 * iris_r))
    pupil = edge((0.030**2 - r2) / (2 * 0.030))
    glint = edge((0.016**2 - (u0 * sign + 0.022).square() - (v - 0.032).square()) / (2 * 0.016))
    span = edge((1.08 - u.square()) * (ew / 2))
    lash = stroke(v - upper.clamp(min=-0.02), 0.016) * span

    def paint(part, color, alpha):
        if not isinstance(color, Tensor):
            color = image.new_tensor(color).expand(len(image), 3)
        return torch.lerp(part, color[:, :, None, None], alpha[:, None])

    # wrinkles
    old = _step(h.age, 0.62, 0.5)
    fx = x - middle
    lines = stroke(y - 0.33 + 0.06 * (fx * 2).square(), 0.008) + stroke(y - 0.27 + 0.06 * (fx * 2).square(), 0.008)
    lines = lines * torch.exp(-(fx / 0.24).square().square())
    crow = (stroke(v - 0.02 - 0.5 * (u0 - 0.14), 0.007) + stroke(v + 0.01 + 0.3 * (u0 - 0.14), 0.007)) * torch.exp(
        -((u0 - 0.17) / 0.04).square()
    )
    bags = stroke(v + 0.115 - 0.03 * u.square(), 0.010) * torch.exp(-(u / 0.9).square().square())
    part = paint(part, ink.shade, old * open_ * (0.5 * lines + 0.5 * crow + 0.5 * bags))
    white = (0.97, 0.97, 0.96)
    part = paint(part, white, eye)
    part = paint(part, (0.30, 0.22, 0.16), eye * iris)
    part = paint(part, (0.06, 0.05, 0.06), eye * pupil)
    part = paint(part, (1.0, 1.0, 1.0), eye * glint)
    part = paint(part, (0.14, 0.09, 0.09), lash * 0.9)
    # brows
    ub = (u0 + 0.01) / 0.14
    by = (
        0.20
        + 0.05 * h.brow
        + 0.03 * (1 - ub.square())
        + (0.030 * h.brow.square() - 0.035 * h.brow) * 0
        + 0.045 * (0.5 * (h.brow - 1) * -1) * ub * 0.8
    )
    brow = stroke(y - by, 0.022) * edge((1 - ub.square()) * 0.07)
    part = paint(part, ink.brow, brow * open_ * 0.95)
    # glasses
    gu, gv = (u0 - 0.005) / 0.175, (v + 0.01) / 0.15
    ring = gu.square().square() + gv.square().square() - 1
    frame = stroke(ring * 0.04, 0.014)
    bridge = stroke(v - 0.03, 0.013) * edge(-(u0 + 0.16))
    temple = stroke(v - 0.03, 0.013) * edge(u0 - 0.17) * edge(0.45 + 0.05 * h.face_width - (x - 0.04 * h.turn) * sign)
    part = paint(part, (1.0, 1.0, 1.0), h.glasses * 0.10 * torch.sigmoid(-ring * sharp * 0.04))
    part = paint(part, (0.12, 0.12, 0.16), h.glasses * (frame + bridge + temple).clamp(max=1))
    image[:, :, rows, cols] = part

    # ---------------------------------------------------------------- nose
    rows, cols = window(-0.36, 0.36, -0.26, 0.14)
    x, y = g.x[:, :, cols], g.y[:, rows]
    part = image[:, :, rows, cols]
    nx = x - 0.17 * h.turn
    tip = torch.exp(-((y + 0.14) / 0.06).square()) * torch.exp(-(nx / 0.07).square())
    under = stroke(y + 0.185 - 1.6 * nx.square(), 0.014) * torch.exp(-(nx / 0.085).square().square())
    part = paint(part, ink.shade, 0.55 * under)
    part = paint(part, ink.skin * 0.6 + 0.4, 0.35 * tip)
    image[:, :, rows, cols] = part

    # ---------------------------------------------------------------- mouth and cheeks
    rows, cols = window(-0.56, 0.56, -0.60, 0.0)
    x, y = g.x[:, :, cols], g.y[:, rows]
    part = image[:, :, rows, cols]
    fx = x - 0.13 * h.turn
    su = fx / (0.17 + 0.04 * h.smile)
    happy = torch.nn.functional.softplus(6 * (h.smile - 0.25)) / 6
    cheek = torch.exp(-((fx.abs() - 0.28) / 0.10).square()) * torch.exp(-((y + 0.13) / 0.08).square())
    part = paint(part, ink.blush, (0.22 + 0.14 * h.smile) * cheek)
    folds = stroke(fx.abs() - 0.20 - 0.25 * (-0.18 - y), 0.010) * torch.exp(-((y + 0.27) / 0.09).square().square())
    part = paint(part, ink.shade, _step(h.age, 0.62, 0.5) * 0.5 * folds)
    curve = -0.36 + 0.075 * h.smile * (su.square() - 0.6)
    gap = 1 - su.square()
    top = curve + 0.010 * gap
    bottom = curve - (0.02 + 0.13 * happy) * gap
    lips = edge(top + 0.028 * gap - y) * edge(y - bottom + 0.045 * gap)
    hole = edge(top - 0.0 - y) * edge(y - bottom) * torch.sigmoid((happy - 0.12) * 30)
    line = stroke(y - curve, 0.012) * edge(gap * 0.08 + 0.01)
    part = paint(part, ink.lips, lips)
    part = paint(part, (0.45, 0.12, 0.13), hole)
    part = paint(part, white, hole * edge(y - bottom - 0.04))
    part = paint(part, ink.lips * 0.55, line * (1 - torch.sigmoid((happy - 0.12) * 30)))
    image[:, :, rows, cols] = part
    return image
