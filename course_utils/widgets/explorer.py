"""What all explorers share: talking to the browser, running models without a trace, and showing errors."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import anywidget
import numpy as np
import torch
from torch import Tensor
from traitlets import Bytes, Dict

from course_utils.latents import model_device, model_dtype
from course_utils.plots import PALETTE, Chart
from course_utils.widgets.spec import CONTRACT, fault, plain

_HERE = Path(__file__).parent
LONGEST = 300  # letters of an error that is shown: torch's own may fill a page
_MODULES = ("spec", "chart", "latent_pad", "map_explorer", "explorer")


@contextmanager
def evaluating(*models) -> Iterator[None]:
    """Inference mode, with every given module in evaluation mode; each one's own mode comes back afterwards."""
    modules = [m for model in models if isinstance(model, torch.nn.Module) for m in model.modules() if m.training]
    try:
        for module in modules:
            module.training = False
        with torch.inference_mode():
            yield
    finally:
        for module in modules:
            module.training = True


def for_model(model, tensor: Tensor) -> Tensor:
    """A tensor on the model's device and in its number format."""
    return tensor.to(model_device(model), model_dtype(model))


def to_bytes(image: Tensor | Chart) -> bytes:
    """One image (C, H, W), floats in [0, 1] or uint8, as H * W * C bytes; or a chart's numbers as float32."""
    if isinstance(image, Chart):
        numbers = [values for one in image.series for values in (one.x, one.y)]
        return np.concatenate(numbers).astype("<f4").tobytes()
    if image.dtype != torch.uint8:
        image = image.clamp(0, 1).mul(255).round().to(torch.uint8)
    return image.permute(1, 2, 0).contiguous().numpy().tobytes()


def panel(title: str, image: Tensor | Chart, size: int) -> dict:
    """Description of one panel: a title, the shape (H, W, C) of its image (C, H, W), and its width in CSS pixels.

    A chart is three times as wide as an image, and two times as high.
    """
    if isinstance(image, Chart):
        return {"kind": "chart", "title": str(title), "chart": (3 * size, 2 * size)}
    return {"kind": "image", "title": str(title), "shape": (*image.shape[1:], image.shape[0]), "size": size}


def describe_chart(image: Tensor | Chart) -> dict | None:
    """All of a chart but its numbers, which `to_bytes` has; None for an image."""
    if not isinstance(image, Chart):
        return None
    series = []
    for k, one in enumerate(image.series):
        known = {"name": one.name, "kind": one.kind, "count": len(one.x), "width": one.width}
        series.append(known | {"shape": image.color(k), "color": PALETTE[image.color(k)]})
    return {
        "label": image.summary(), "series": series, "xRange": image.x_range, "yRange": image.y_range,
        "xlabel": image.xlabel, "ylabel": image.ylabel, "logX": image.log_x, "logY": image.log_y,
    }  # fmt: skip


class Explorer(anywidget.AnyWidget):
    """A control and the images that follow it.

    A subclass passes a description to `__init__` and implements `_draw(value)`, which returns the images (or charts),
    their captions, one sentence, and the value it really used. explorer.js draws them. State in the browser, with
    every field in spec.py, by which both sides check what they get:

        _spec     what the explorer looks like: title, control, rows of panels
        _points   the codes of a map: float32 pairs, then one byte of class each
        _frame    pixels of all panels, H * W * C bytes each, one after another; of a chart its numbers, as float32
        _answer   what _frame shows, and the token of the message that it answers

    Moving the control sends a message; the browser sends no other position before this one is answered.
    """

    _esm = f"const CONTRACT = {json.dumps(CONTRACT)};\n" + "".join(
        (_HERE / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES
    )
    _css = (_HERE / "explorer.css").read_text(encoding="utf-8")
    _spec = Dict().tag(sync=True)
    _points = Bytes().tag(sync=True)
    _frame = Bytes().tag(sync=True)
    _answer = Dict().tag(sync=True)

    def __init__(self, spec: dict, start, points: bytes = b""):
        self._shapes = None  # of the images that were shown first: the panels keep them
        self._shown = self._draw(start)  # before anything is displayed, so that a bad model fails here, in the cell
        spec = plain(spec | {"start": self._shown[3], "rows": self._rows()})
        if wrong := fault(CONTRACT["spec"], spec):
            raise ValueError(f"an explorer of kind {spec.get('kind')!r} cannot be described so: {wrong}.")
        self._kind = spec["kind"]
        super().__init__(_spec=spec, _points=points, _frame=self._pack(), _answer=self._describe(""))
        self.on_msg(self._receive)

    def _draw(self, value) -> tuple[Sequence[Tensor | Chart], Sequence[str], str, object]:
        """Images (C, H, W) or charts, and captions, of all panels, one sentence, and the value shown."""
        raise NotImplementedError

    def _rows(self) -> list[dict]:
        """Rows of panels, [{"title": ..., "panels": [panel(...), ...]}, ...], in the order of _draw's images."""
        raise NotImplementedError

    def _pack(self) -> bytes:
        shapes = ["chart" if isinstance(image, Chart) else tuple(image.shape) for image in self._shown[0]]
        if self._shapes not in (None, shapes):
            here, first = next((a, b) for a, b in zip(shapes, self._shapes, strict=True) if a != b)
            raise ValueError(f"an image has shape {here} here but {first} at the start: it must stay the same.")
        self._shapes = shapes
        return b"".join(map(to_bytes, self._shown[0]))

    def _describe(self, token: str, error: str = "") -> dict:
        images, captions, text, value = self._shown
        charts = list(map(describe_chart, images))
        said = {"text": text, "captions": list(map(str, captions)), "charts": charts}
        answer = plain({"token": token, "value": value, **said, "error": error})
        if wrong := fault(CONTRACT["answer"][self._kind], answer):
            raise ValueError(f"an explorer of kind {self._kind!r} cannot answer so: {wrong}.")
        return answer

    def _show(self, value, token: str = "") -> None:
        before = dict(vars(self))
        try:
            self._shown = self._draw(value)
            frame, answer = self._pack(), self._describe(token)
        except BaseException as error:  # also when the kernel is interrupted: the browser waits for an answer
            vars(self).update(before)  # whatever the subclass has noted of a position that is not shown
            said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
            said = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
            self._answer = self._describe(token, f"This position cannot be shown. {said}")
            raise
        with self.hold_sync():  # one message for both
            self._frame, self._answer = frame, answer

    def _receive(self, _, content: dict, buffers) -> None:
        """Draw the position a reader moved to. An error is shown in the explorer: nobody would see a traceback."""
        token = content.get("token") if isinstance(content, dict) else None
        token = token if isinstance(token, str) else ""
        if wrong := fault(CONTRACT["message"][self._kind], content):
            cannot = f"The explorer got a message that it cannot read: {wrong}; reload the page."
            self._answer = self._describe(token, cannot)
            return
        with suppress(Exception, KeyboardInterrupt):  # _show has shown it
            self._show(content["value"], token)

    @property
    def text(self) -> str:
        """What the explorer shows now, in one sentence."""
        return self._shown[2]

    @property
    def error(self) -> str:
        """The error that the explorer shows now; empty when there is none."""
        return self._answer.get("error", "")

    def __repr__(self) -> str:
        """One short line: what a page without a kernel shows in place of the explorer."""
        closed = "" if self.comm else " It was closed: run its cell again."
        return f"{type(self).__name__}: {self.text}{closed}"
