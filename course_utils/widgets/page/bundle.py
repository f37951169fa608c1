"""A bundle: one file that holds all that a page needs to show an explorer; files.js opens it.

gzip over the length of a header (four bytes), the header in JSON, and arrays, each of which begins at a multiple of 8
bytes. gzip's checksum notices a truncated or altered file. Of what is not needed for the first live picture a second
file is made, which the page fetches afterwards: the images of the data set and, where no sentence depends on the exact
pixels, the weights in 16 bits. In the first file they are then whole numbers of 3 or 6 bits, a quarter of the bytes,
and of the first frame the page has the pictures that stand in it already.
"""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.widgets.page.layers import run
from course_utils.widgets.page.rounding import Rounded, rounded
from course_utils.widgets.spec import as_bytes

FORMAT = 1
LEVEL = 5  # of memory: blocks of 2048 numbers, each with a code of its own; larger ones mix what is not alike
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
        early: Where the page may be live before the exact weights are there: codes, (N, D), for which the rounded
            weights of the first file shall be good. There is one network then, and each panel is an image.
        spec: Changes of the description.
        start: Where it begins, if not where the explorer stands.
    """

    kind: str
    data: dict = field(default_factory=dict)
    parts: dict[str, object] = field(default_factory=dict)
    networks: dict[str, tuple[list[dict], tuple[int, ...]]] = field(default_factory=dict)
    pictures: Tensor | None = None
    early: Tensor | None = None
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
    weights, rest, pictures, early = _Weights(), {}, None, page.early is not None
    networks = {
        key: weights.describe(layers, shape, rounded(layers, page.early) if early else None)
        for key, (layers, shape) in page.networks.items()
    }
    weights.lay_out()
    parts = {"frame": frame, "points": points, "single": np.array(weights.single, "<f4"), **page.parts}
    if early:
        parts |= {"coarse": _joined(weights.coarse, "i1"), "scales": _joined(weights.scales, "<f4")}
        del parts["frame"]
    (rest if early else parts)["halves"] = _joined(weights.halves, "<f2")
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
    weights = _Weights()
    networks = {key: weights.describe(layers, shape) for key, (layers, shape) in page.networks.items()}
    weights.lay_out()
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
    file = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, LEVEL, strategy)
    return file.compress(raw) + file.flush()


def _joined(arrays: list[Tensor], kind: str) -> np.ndarray:
    return torch.cat(arrays).numpy().astype(kind) if arrays else np.zeros(0, kind)


class _Weights:
    """The weights of all networks: matrices and kernels in 16 bits and, where they are rounded, as whole numbers; all
    else in 32 bits.
    """

    def __init__(self):
        self.single, self.kept = [], []  # kept: (where the header says its place, the tensor, the same rounded)

    def describe(self, layers: list[dict], shape: tuple[int, ...], rough: list[Rounded] | None = None) -> dict:
        """A network as JSON: where its weights are, the shape of its image, and how much work one is.

        Places are said once all weights are known, by `lay_out`.
        """
        with torch.inference_mode():
            image, work = run(layers, torch.zeros(1, *shape))[0], _work(layers, torch.zeros(1, *shape))
        rough = iter(rough or ())
        return {"shape": list(image.shape), "layers": [self._told(layer, rough) for layer in layers], "work": work}

    def _told(self, layer: dict, rough: Iterator[Rounded]) -> dict:
        known = {k: self._put(v, rough) if isinstance(v, Tensor) else v for k, v in layer.items() if v is not None}
        return known | ({"layers": [self._told(one, rough) for one in layer["layers"]]} if "layers" in layer else {})

    def _put(self, tensor: Tensor, rough: Iterator[Rounded]) -> dict:
        place = {"at": len(self.single), "shape": list(tensor.shape)}
        if tensor.ndim == 1:
            self.single += tensor.tolist()
        else:
            self.kept.append((place, tensor, next(rough, None)))
        return place

    def lay_out(self) -> None:
        """Put matrices and kernels one after another, the largest first: what is alike is packed best together."""
        self.kept.sort(key=lambda one: -one[1].numel())
        count = count_scales = 0
        for place, tensor, rough in self.kept:
            scales = 0 if rough is None else len(rough.scales)
            place |= {"at": count, "scale": count_scales}
            count, count_scales = count + tensor.numel(), count_scales + scales
        self.halves = [tensor.flatten().half() for _, tensor, _ in self.kept]
        self.coarse = [rough.whole.flatten() for _, _, rough in self.kept if rough]
        self.scales = [rough.scales for _, _, rough in self.kept if rough]


def _work(layers: list[dict], x: Tensor) -> int:
    """Multiplications that one code takes."""
    total = 0
    for layer in layers:
        out = run([layer], x)
        if layer["op"] == "residual":
            total += _work(layer["layers"], x)
        elif layer["op"] == "styles":
            total += _work_within(layer["layers"], layer["w"][0].numel())
        elif layer["op"] in ("linear", "conv"):
            total += out[0].numel() * math.prod(layer["w"].shape[1:])
        elif layer["op"] == "transposed":
            total += x[0].numel() * math.prod(layer["w"].shape[1:])
        x = out
    return total


def _work_within(layers: list[dict], places: int) -> int:
    """Multiplications of the layers of `styles`, on maps that have so many places at first."""
    total = 0
    for layer in layers:
        if layer["op"] == "enlarge":
            places *= layer["by"] ** 2
        elif layer["op"] == "part":
            total += _work_within(layer["layers"], places)
        elif layer["op"] == "modulated":
            total += places * layer["w"].numel() + sum(one["w"].numel() for one in layer["layers"])
    return total
