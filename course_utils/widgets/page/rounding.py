"""Weights as whole numbers of few bits, so chosen that the layers' outputs change little for the codes of a map.

Rounding each weight to the nearest step is not the best: what one weight loses, those that come after it in the same
row can give back, since pixels that lie beside each other are alike. That halves the error here. (E. Frantar et al.,
GPTQ, 2022, arXiv:2210.17323; after B. Hassibi and D. Stork, Optimal brain surgeon, 1993.)
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.widgets.page.layers import code_of, modulate, run

SMALL = 20_000  # weights of a layer that get 6 bits; 3 where it has more: what costs little
STEPS = {True: 31, False: 3}  # the largest whole number, for a small layer and for a large one
CONVOLUTION, ENLARGE = {"op": "conv", "rim": "zeros"}, {"op": "enlarge", "by": 2, "smooth": True}
DAMPING = 0.01  # of the mean square of the inputs: what is never seen on the map keeps its weight


class Rounded(NamedTuple):
    """Weights (O, I, ...) as whole numbers, int8, and a scale for each row, or each column where those are fewer."""

    whole: Tensor
    scales: Tensor

    def weights(self) -> Tensor:
        """What they stand for."""
        return self.whole * _spread(self.scales, self.whole)


def _spread(scales: Tensor, w: Tensor) -> Tensor:
    """The scales with as many dimensions as the weights."""
    return scales.view(-1, *[1] * (w.ndim - (1 if w.shape[0] <= w.shape[1] else 2)))


def nearest(w: Tensor) -> Rounded:
    """Each weight to the nearest step.

    Example:
        >>> whole, scales = nearest(torch.tensor([[1.0, -0.6, 0.1], [0.0, 0.2, 0.2]]))
        >>> whole.tolist(), [round(scale, 4) for scale in scales.tolist()]
        ([[31, -19, 3], [0, 31, 31]], [0.0323, 0.0065])
    """
    rows = w.flatten(1) if w.shape[0] <= w.shape[1] else w.transpose(0, 1).flatten(1)
    scales = rows.abs().amax(dim=1).clamp(min=1e-30) / STEPS[w.numel() <= SMALL]
    return Rounded((w / _spread(scales, w)).round().to(torch.int8), scales)


def giving_back(w: Tensor, seen: Tensor) -> Rounded:
    """Weights (O, I, ...) so rounded that their products with what comes in change little.

    One column after another is rounded. What its error does to the outputs is made up for, as well as it can be, by the
    columns that are still to come: with H = seen seen^T and U^T U = H^-1, U upper triangular, column j with the error e
    changes each later column k by -e U[j, k] / U[j, j].

    Args:
        w: The weights.
        seen: Inputs, (I * ..., N): what each weight of a row is multiplied with, N times.
    """
    scales = nearest(w).scales
    left, step = w.flatten(1).double(), _spread(scales, w).expand_as(w).flatten(1).double()
    h = (seen @ seen.T).double()
    h += DAMPING * h.diagonal().mean().clamp(min=1e-30) * torch.eye(len(h))
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    whole, most = torch.zeros_like(left), STEPS[w.numel() <= SMALL]
    for j in range(left.shape[1]):
        whole[:, j] = (left[:, j] / step[:, j]).round().clamp(-most, most)
        error = (left[:, j] - whole[:, j] * step[:, j]) / u[j, j]
        left[:, j + 1 :] -= error[:, None] * u[j, j + 1 :]
    return Rounded(whole.view_as(w).to(torch.int8), scales)


def rounded(layers: list[dict], codes: Tensor) -> list[Rounded]:
    """The matrices and kernels of a decoder, in their order, each rounded for what reaches it through those before.

    Args:
        layers: Of a decoder; see layers.py.
        codes: Codes to be good for, (N, D): some dozens say enough.
    """
    found = []
    with torch.inference_mode():
        _round(layers, codes.float(), found)
    return found


def _round(layers: list[dict], x: Tensor, found: list[Rounded]) -> Tensor:
    for layer in layers:
        if layer["op"] == "residual":
            x = x + _round(layer["layers"], x, found)
            continue
        if layer["op"] == "styles":
            found.append(nearest(layer["w"]))
            maps = found[-1].weights().expand(len(x), -1, -1, -1)
            x = _round_within(layer["layers"], maps, x.reshape(len(x), -1, layer["length"]), found)[1]
            continue
        if layer["op"] in ("linear", "conv", "transposed"):
            w = layer["w"]
            found.append(nearest(w) if layer["op"] == "transposed" else giving_back(w, _inputs(layer, x)))
            layer = layer | {"w": found[-1].weights()}
        x = run([layer], x)
    return x


def _round_within(layers: list[dict], x: Tensor, code: Tensor, found: list[Rounded]) -> tuple[Tensor, Tensor | None]:
    """The layers of `styles`: maps, and codes (B, L or 1, D), to maps, and the sum of the parts of the image."""
    image = None
    for layer in layers:
        if layer["op"] == "modulated":
            place = len(found)  # the convolution is told before the layers that make its factors
            style = _round(layer["layers"], code_of(layer, code), found)
            scaled, padding = x * style[:, :, None, None], {"padding": layer["w"].shape[-1] // 2, "stride": 1}
            found.insert(place, giving_back(layer["w"], _inputs(layer | padding | CONVOLUTION, scaled)))
            x = modulate(layer | {"w": found[place].weights()}, x, style)
        elif layer["op"] == "part":
            part, _ = _round_within(layer["layers"], x, code, found)
            image = part if image is None else part + run([ENLARGE], image)
        elif layer["op"] == "noise":
            found.append(nearest(layer["w"]))
            x = run([layer | {"w": found[-1].weights()}], x)
        else:
            x = run([layer], x)
    return x, image


def _inputs(layer: dict, x: Tensor) -> Tensor:
    """What each weight of a row is multiplied with, (I * ..., N)."""
    if layer["op"] == "linear":
        return x.flatten(1).T
    p = layer["padding"]
    x = F.pad(x, (p, p, p, p), mode="constant" if layer["rim"] == "zeros" else "reflect") if p else x
    return F.unfold(x, layer["w"].shape[2:], stride=layer["stride"]).transpose(0, 1).flatten(1)
