"""The small parts of a drawn face: wrinkles, eyes, brows, glasses, nose, mouth and cheeks, each in its own window."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.faces.shapes import Grid, paint


def paint_features(h: SimpleNamespace, g: Grid, ink: SimpleNamespace, image: Tensor, hair: Tensor) -> None:
    """Paint all small parts over the large shapes, in place.

    Args:
        h: Handles by name, each (N, 1, 1).
        g: Grid of the image's size.
        ink: Colours by name, each (N, 3).
        image: (N, 3, size, size).
        hair: (N, size, size), how much the hair in front covers; it hides wrinkles and brows.
    """
    old = h.age * (0.2 + 0.8 * h.age)
    _nose(h, g, ink, image)
    _cheeks(h, g, ink, image, old)
    _mouth(h, g, ink, image)
    _forehead(h, g, ink, image, hair, old)
    _eyes(h, g, ink, image, old)
    _brows(h, g, ink, image, hair)
    _glasses(h, g, ink, image, hair)


def _sides(h, x: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of columns outwards from the nearer eye's centre, and which side it is (-1 to 1); (N, 1, W) both."""
    x = x - 0.095 * h.turn
    return (x.square() + 1e-4).sqrt() - 0.215, torch.tanh(40 * x)


def _forehead(h, g, ink, image, hair, old) -> None:
    window = rows, columns = g.window(-0.42, 0.42, 0.24, 0.42)
    y = g.y[:, rows] + 0.3 * (g.x[:, :, columns] - 0.13 * h.turn).square()
    ends = torch.exp(-((g.x[:, :, columns] - 0.13 * h.turn) / 0.22).square().square())
    lines = (g.line(y - 0.37, 0.009) + g.line(y - 0.305, 0.009)) * ends * (0.7 * old)
    paint(image, window, [(ink.shade, lines * (1 - hair[:, rows, columns]))])


def _eyes(h, g, ink, image, old) -> None:
    window = rows, columns = g.window(-0.54, 0.54, -0.16, 0.16)
    x, v = g.x[:, :, columns], g.y[:, rows] - 0.02
    out, side = _sides(h, x)
    wide = 0.125 - 0.018 * side * h.turn
    u2 = (out / wide).square()
    lid = 1 - u2
    ends = torch.sigmoid(lid * 6 + 1)
    shown = 1 - (1 - h.eye_open).square()
    upper, lower = lid * (0.125 * shown - 0.03), lid * (-0.05 * shown - 0.03)
    eye = g.edge(upper - v) * (g.edge(v - lower) * ends)
    r2 = (out - 0.02 * h.turn * side).square() + (v - 0.008).square()
    iris, pupil = (g.edge((r**2 - r2) * (0.5 / r)) for r in (0.066, 0.032))
    glint = g.edge((0.019**2 - (out * side + 0.024).square() - (v - 0.038).square()) * (0.5 / 0.019))
    lash = g.line(v - upper, 0.017) * ends
    bags = g.line(v + 0.12 - 0.03 * u2, 0.010) * (torch.exp(-(u2 / 0.8).square()) * (0.65 * old))
    feet = torch.exp(-((out - 0.175) / 0.035).square()) * (0.65 * old)
    crow = (g.line(v - 0.03 - 0.5 * (out - 0.14), 0.008) + g.line(v + 0.02 + 0.4 * (out - 0.14), 0.008)) * feet
    paint(
        image,
        window,
        [
            (ink.shade, bags + crow),
            (ink.white, eye),
            (ink.iris, eye * iris),
            (ink.dark, eye * pupil),
            (ink.light, eye * glint),
            (ink.lash, lash * 0.9),
        ],
    )


def _brows(h, g, ink, image, hair) -> None:
    window = rows, columns = g.window(-0.56, 0.56, 0.04, 0.42)
    out, _ = _sides(h, g.x[:, :, columns])
    u = (out + 0.01) / 0.15
    height = 0.20 + 0.05 * h.brow + (0.035 + 0.01 * h.brow) * (1 - u.square()) + (0.014 - 0.030 * h.brow) * u
    brow = g.line(g.y[:, rows] - height, 0.024) * torch.sigmoid((1 - u.square()) * 5)
    paint(image, window, [(ink.brow, brow * (1 - hair[:, rows, columns]) * 0.95)])


def _glasses(h, g, ink, image, hair) -> None:
    window = rows, columns = g.window(-0.68, 0.68, -0.22, 0.24)
    x, v = g.x[:, :, columns], g.y[:, rows] - 0.01
    out, side = _sides(h, x)
    ring = ((out - 0.002) / 0.170).square().square() + (v / 0.150).square().square() - 1
    bar = g.line(v - 0.03, 0.013)
    reach = 0.49 + 0.05 * h.face_width - (x - 0.04 * h.turn) * side
    between = g.edge(-0.165 - out) + g.edge(out - 0.17) * g.edge(reach) * (1 - hair[:, rows, columns])
    frame = 1 - (1 - g.line(ring * 0.042, 0.013)) * (1 - bar * between)
    lens = g.edge(ring * -0.042)
    paint(image, window, [(ink.light, lens * (0.07 * h.glasses)), (ink.frame, frame * h.glasses)])


def _nose(h, g, ink, image) -> None:
    window = rows, columns = g.window(-0.36, 0.36, -0.27, 0.10)
    y, x = g.y[:, rows], g.x[:, :, columns] - 0.175 * h.turn
    under = g.line(y + 0.195 - 1.8 * x.square(), 0.016) * torch.exp(-(x / 0.085).square().square())
    bridge = torch.exp(-((x + 0.06 * h.light) / 0.05).square()) * torch.exp(-((y + 0.09) / 0.09).square())
    tip = torch.exp(-((y + 0.135) / 0.055).square()) * torch.exp(-((x - 0.03 * h.light) / 0.055).square())
    paint(image, window, [(ink.shade, 0.22 * bridge), (ink.shine, 0.45 * tip), (ink.shade, 0.7 * under)])


def _cheeks(h, g, ink, image, old) -> None:
    window = rows, columns = g.window(-0.63, 0.63, -0.44, 0.06)
    y, x = g.y[:, rows], g.x[:, :, columns] - 0.13 * h.turn
    away = (x.square() + 0.0004).sqrt()
    blush = torch.exp(-((away - 0.29) / 0.10).square()) * (0.28 + 0.14 * h.smile - 0.12 * h.age)
    blush = blush * torch.exp(-((y + 0.15) / 0.085).square())
    folds = g.line((away - 0.1575) + 0.25 * y, 0.011)
    folds = folds * (torch.exp(-((y + 0.28) / 0.09).square().square()) * (0.65 * old))
    paint(image, window, [(ink.blush, blush), (ink.shade, folds)])


def _mouth(h, g, ink, image) -> None:
    window = rows, columns = g.window(-0.48, 0.48, -0.68, -0.26)
    y, x = g.y[:, rows], g.x[:, :, columns] - 0.13 * h.turn
    happy = F.softplus(6 * (h.smile - 0.25)) / 6
    opened = torch.sigmoid((happy - 0.14) * 28)
    u2 = (x / (0.185 + 0.04 * h.smile)).square()
    inner = 1 - u2
    middle = -0.365 + (0.058 + 0.022 * h.smile) * h.smile * (u2 - 0.6)
    top, bottom = middle + 0.010 * inner, middle - (0.02 + 0.14 * happy) * inner
    lips = g.edge((top + 0.030 * inner) - y) * g.edge(y - (bottom - 0.045 * inner))
    hole = g.edge(top - y) * (g.edge(y - bottom) * opened)
    teeth = hole * g.edge(y - (bottom + 0.045))
    parting = g.line(y - middle, 0.013) * (g.edge(inner * 0.08 + 0.01) * (1 - opened))
    paint(image, window, [(ink.lips, lips), (ink.throat, hole), (ink.white, teeth), (ink.parting, parting)])
