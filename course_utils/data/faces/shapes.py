"""What the drawing of faces is made of: pixel grids, soft edges, lines, and painting inside a window."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

ZOOM, LIFT = 1.1, 0.01  # a face's own coordinates are x / ZOOM and (y + LIFT) / ZOOM


@dataclass(frozen=True, eq=False)
class Grid:
    """What does not depend on handles, for one size, type and device; fields are (1, size, size).

    Attributes:
        size: Pixels a side.
        pixel: A pixel's side in the face's coordinates.
        x: (1, 1, size), to the right.
        y: (1, size, 1), upwards.
        lobes: Wave along the outline of curly hair.
        strands: Fine waves of straight hair, in [-1, 1].
        curls: Waves both ways, in [-1, 1].
        glow: Brightness of the background around its mean.
    """

    size: int
    pixel: float
    x: Tensor
    y: Tensor
    lobes: Tensor
    strands: Tensor
    curls: Tensor
    glow: Tensor

    def edge(self, distance: Tensor) -> Tensor:
        """How much of a pixel a shape covers whose outline is so far away, positive inside."""
        return (distance * (4 / self.pixel)).sigmoid_()

    def line(self, distance: Tensor, width: float) -> Tensor:
        """How much a soft line of half width ``width`` covers; below a pixel it grows pale, not thin."""
        spread = width**2 + (0.45 * self.pixel) ** 2
        return torch.exp(distance * distance * (-0.5 / spread)) * (width / math.sqrt(spread))

    def window(self, left: float, right: float, bottom: float, top: float) -> tuple[slice, slice]:
        """Rows and columns of the pixels that a rectangle touches."""
        columns = [(side * ZOOM + 1) / 2 * self.size for side in (left, right)]
        rows = [(1 - (side * ZOOM - LIFT)) / 2 * self.size for side in (top, bottom)]
        cut = [slice(max(0, math.floor(a)), min(self.size, math.ceil(b))) for a, b in (rows, columns)]
        return cut[0], cut[1]


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept for later calls, which may want gradients
def make_grid(size: int, dtype: torch.dtype, device: torch.device) -> Grid:
    """The grid of a size, computed once in float64 on the CPU."""
    axis = (torch.arange(size, dtype=torch.float64, device="cpu") + 0.5) * (2 / size) - 1
    x, y = axis[None, None, :] / ZOOM, (LIFT - axis[None, :, None]) / ZOOM
    angle, radius = torch.atan2(x, y - 0.1), (x**2 + (y - 0.1) ** 2).sqrt()

    def averaged(frequency: float) -> float:  # what is left of a wave once a pixel has averaged it
        return math.exp(-((frequency * 2 / size) ** 2) / 6)

    curls = torch.sin(21 * x + 2.5 * torch.sin(8 * y)) * torch.sin(19 * y + 2.5 * torch.sin(9 * x))
    fields = {
        "x": x,
        "y": y,
        "lobes": (torch.cos(8 * angle + 0.4 * torch.sin(3 * angle)) ** 2 + 0.01).sqrt() - 0.6,
        "strands": averaged(40) * torch.cos(34 * angle + 3 * torch.sin(5 * radius) + torch.sin(9 * angle)),
        "curls": averaged(25) * curls,
        "glow": torch.exp(-(x**2 + (y - 0.2) ** 2) / 0.7) - 0.4,
    }
    return Grid(size, 2 / size / ZOOM, **{name: field.to(device, dtype) for name, field in fields.items()})


def paint(image: Tensor, window: tuple[slice, slice], layers: list[tuple[Tensor, Tensor]]) -> None:
    """Paint layers over a window of images, in place.

    Args:
        image: (N, 3, size, size).
        window: Rows and columns, see `Grid.window`.
        layers: From the lowest to the highest: colours (N, 3) and coverage (N, h, w).
    """
    clear, weights = None, []
    for _, cover in reversed(layers):
        weights.append(cover if clear is None else cover * clear)
        clear = 1 - cover if clear is None else clear - weights[-1]
    colors = torch.stack([color for color, _ in reversed(layers)], dim=2)
    rows, columns = window
    part = image[:, :, rows, columns].clone()  # autograd needs what is painted over
    below = (part * clear[:, None]).flatten(2)
    painted = torch.baddbmm(below, colors, torch.stack(weights, dim=1).flatten(2))
    image[:, :, rows, columns] = painted.view_as(part)
