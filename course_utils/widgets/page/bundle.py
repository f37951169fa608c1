"""A bundle: one file that holds all that a page needs to show an explorer; files.js opens it.

gzip over the length of a header (four bytes), the header in JSON, and arrays, each of which begins at a multiple of 8
bytes. gzip's checksum notices a truncated or altered file. Of what is not needed for the first live picture a second
file is made, which the page fetches afterwards: the images of the data set and, where no sentence depends on the exact
pixels, the weights in 16 bits. In the first file they are then whole numbers of 4 or 7 bits, a third of the bytes.
"""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.widgets.page.layers import run
from course_utils.widgets.spec import as_bytes

FORMAT = 1
SMALL = 13_000  # weights of a layer that come in 7 bits at first, and in 4 where it has more: what costs little
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY)


@dataclass
class Page:
    """What an explorer needs in a page, apart from what it looks like.

    Attributes:
        kind: Which of the functions in answers.js answers.
        data: What that function needs, as JSON.
        parts: The arrays that it needs.
        networks: {name: (layers, shape of what goes in)}, the decoders; see layers.py.
        pictures: Images of the data set, (N, C, H, W), uint8 or floats in [0, 1].
        early: Whether the page may be live before the exact weights are there.
        spec: Changes of the description.
        start: Where it begins, if not where the explorer stands.
    """

    kind: str
    data: dict = field(default_factory=dict)
    parts: dict[str, object] = field(default_factory=dict)
    networks: dict[str, tuple[list[dict], tuple[int, ...]]] = field(default_factory=dict)
    pictures: Tensor | None = None
    early: bool = False
    spec: dict = field(default_factory=dict)
    start: object = None


def write(folder: Path | str, name: str, page: Page, *, spec: dict, answer: dict, frame: bytes, points: bytes, words):
    """Write NAME.bin, and NAME.more.bin where there is more.

    Args:
        folder: Where to; it is made.
        name: Of the files.
        page: What the explorer needs.
        spec: How it looks, by `CONTRACT["spec"]`.
        answer: What it shows first, by `CONTRACT["answer"]`.
        frame: Its panels.
        points: Of its map.
        words: What the page says about itself: {"silent", "cannot", "partly"}.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights, rest, pictures = _Weights(), {}, None
    networks = {key: weights.describe(layers, shape) for key, (layers, shape) in page.networks.items()}
    parts = {"frame": frame, "points": points, "single": np.array(weights.single, "<f4"), **page.parts}
    if page.early:
        parts |= {"coarse": _joined(weights.coarse, "i1"), "scales": _joined(weights.scales, "<f4")}
        if page.pictures is None:
            del parts["frame"]  # the page decodes it as soon as it could show it
    (rest if page.early else parts)["halves"] = _joined(weights.halves, "<f2")
    if page.pictures is not None:
        pictures = as_bytes(page.pictures)
        rest["pictures"] = pictures
    data = {"kind": page.kind, "pictures": None if pictures is None else list(pictures.shape[1:])} | page.data
    header = {"spec": spec, "answer": answer, "page": data, "networks": networks, "words": words}
    more = hashlib.sha256(b"".join(bytes(memoryview(one)) for one in rest.values())).hexdigest() if rest else ""
    (folder / f"{name}.bin").write_bytes(_packed(header | {"more": more}, parts))
    if rest:
        (folder / f"{name}.more.bin").write_bytes(_packed({"of": more}, rest))
    else:
        (folder / f"{name}.more.bin").unlink(missing_ok=True)


def together(page: Page, have: str = "") -> tuple[str, bytes]:
    """All that answers for an explorer as one file, packed quickly, without what its widget in a notebook has already.

    Args:
        page: What the explorer needs; `start` is left out.
        have: The digest of what the notebook has.

    Returns:
        The digest of what is in the file, and the file; empty where the notebook has it.
    """
    weights = _Weights(early=False)
    networks = {key: weights.describe(layers, shape) for key, (layers, shape) in page.networks.items()}
    parts = {"halves": _joined(weights.halves, "<f2"), "single": np.array(weights.single, "<f4"), **page.parts}
    if page.pictures is not None:
        parts["pictures"] = as_bytes(page.pictures)
    data = {"kind": page.kind, "pictures": list(parts["pictures"].shape[1:]) if "pictures" in parts else None}
    raw = _raw({"spec": page.spec, "page": data | page.data, "networks": networks}, parts)
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return digest, b"" if digest == have else gzip.compress(raw, 1, mtime=0)


def _packed(header: Mapping, parts: Mapping[str, object]) -> bytes:
    raw = _raw(header, parts)
    return min((_gzip(raw, strategy) for strategy in STRATEGIES), key=len)


def _raw(header: Mapping, parts: Mapping[str, object]) -> bytes:
    places, body, at = {}, [], 0
    for name, part in parts.items():
        raw = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        places[name] = [at, len(raw)]
        body.append(raw + bytes(-len(raw) % 8))
        at += len(body[-1])
    text = json.dumps({"format": FORMAT, **header, "parts": places}, ensure_ascii=False, separators=(",", ":")).encode()
    start = len(text).to_bytes(4, "little") + text
    return start + bytes(-len(start) % 8) + b"".join(body)


def _gzip(raw: bytes, strategy: int) -> bytes:
    file = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, 9, strategy)
    return file.compress(raw) + file.flush()


def _joined(arrays: list[Tensor], kind: str) -> np.ndarray:
    return torch.cat(arrays).numpy().astype(kind) if arrays else np.zeros(0, kind)


class _Weights:
    """The weights of all networks: matrices and kernels in 16 bits, all else in 32; `early`: and as whole numbers."""

    def __init__(self, early: bool = True):
        self._early = early
        self.halves, self.coarse, self.scales, self.single = [], [], [], []
        self.count = self.count_scales = 0

    def describe(self, layers: list[dict], shape: tuple[int, ...]) -> dict:
        """A network as JSON: where its weights are, the shape of its image, and how much work one is."""
        with torch.inference_mode():
            image, work = run(layers, torch.zeros(1, *shape))[0], _work(layers, torch.zeros(1, *shape))
        return {"shape": list(image.shape), "layers": list(map(self._told, layers)), "work": work}

    def _told(self, layer: dict) -> dict:
        known = {k: self._put(v) if isinstance(v, Tensor) else v for k, v in layer.items() if v is not None}
        return known | ({"layers": list(map(self._told, layer["layers"]))} if "layers" in layer else {})

    def _put(self, tensor: Tensor) -> dict:
        shape = list(tensor.shape)
        if tensor.ndim == 1:
            self.single += tensor.tolist()
            return {"at": len(self.single) - len(tensor), "shape": shape}
        place = {"at": self.count, "scale": self.count_scales, "shape": shape}
        self.halves.append(tensor.flatten().half())
        if not self._early:
            self.count += tensor.numel()
            return place
        whole, scales = coarse(tensor)
        self.coarse.append(whole.flatten())
        self.scales.append(scales)
        self.count, self.count_scales = self.count + tensor.numel(), self.count_scales + len(scales)
        return place


def coarse(w: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (O, I, ...) as whole numbers, int8, and the scale of each row, or of each column where those are fewer.

    Example:
        >>> whole, scales = coarse(torch.tensor([[1.0, -0.6, 0.1], [0.0, 0.2, 0.2]]))
        >>> whole.tolist(), [round(scale, 4) for scale in scales.tolist()]
        ([[63, -38, 6], [0, 63, 63]], [0.0159, 0.0032])
    """
    most = 63 if w.numel() <= SMALL else 7
    rows = w.flatten(1) if w.shape[0] <= w.shape[1] else w.transpose(0, 1).flatten(1)
    scales = rows.abs().amax(dim=1).clamp(min=1e-30) / most
    each = scales.view(-1, *[1] * (w.ndim - 1)) if w.shape[0] <= w.shape[1] else scales.view(-1, *[1] * (w.ndim - 2))
    return (w / each).round().to(torch.int8), scales


def _work(layers: list[dict], x: Tensor) -> int:
    """Multiplications that one code takes."""
    total = 0
    for layer in layers:
        out = run([layer], x)
        if layer["op"] == "residual":
            total += _work(layer["layers"], x)
        elif layer["op"] in ("linear", "conv"):
            total += out[0].numel() * math.prod(layer["w"].shape[1:])
        elif layer["op"] == "transposed":
            total += x[0].numel() * math.prod(layer["w"].shape[1:])
        x = out
    return total
