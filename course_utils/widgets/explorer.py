"""What all explorers share: talking to the browser, running models without a trace, and showing errors."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import anywidget
import numpy as np
import torch
from torch import Tensor
from traitlets import Bytes, Dict

from course_utils.plots import PALETTE, Chart
from course_utils.widgets.spec import CONTRACT, fault, plain

_HERE = Path(__file__).parent
_MODULES = ("spec", "chart", "latent_pad", "map_explorer", "explorer")


@contextmanager
def evaluating(*models) -> Iterator[None]:
    """Inference mode, with every given module in evaluation mode; each one's own mode comes back afterwards."""
    modules = [m for model in models if isinstance(model, torch.nn.Module) for m in model.modules() if m.training]
    for module in modules:
        module.training = False
    try:
        with torch.inference_mode():
            yield
    finally:
        for module in modules:
            module.training = True


def check_model(model, needs: Sequence[str] = ("encode", "decode")) -> None:
    """Raise one clear error unless the model has the methods an explorer calls."""
    missing = [name for name in needs if not callable(getattr(model, name, None))]
    if missing:
        raise TypeError(f"a {type(model).__name__} has no {' and no '.join(missing)}: give a LatentModel.")


def check_number(value, name: str) -> float:
    """One finite number, also from a tensor or from NumPy, as a float; or one clear error."""
    try:
        number = math.nan if isinstance(value, str) else float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor of several numbers
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}: give one finite number.")
    return number


def check_whole(value, name: str, least: int) -> int:
    """One whole number of at least so much, also from a tensor or from NumPy, as an int; or one clear error."""
    number = check_number(value, name)
    if number != int(number) or number < least:
        raise ValueError(f"{name} is {number:g}: give a whole number from {least}.")
    return int(number)


def check_image(x, name: str) -> Tensor:
    """One image (C, H, W) of floats in [0, 1], on the CPU, or one clear error."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch tensor, not {type(x).__name__}.")
    if x.ndim == 4 and len(x) == 1:
        x = x[0]
    if x.ndim != 3 or x.shape[0] not in (1, 3):
        raise ValueError(f"{name} has shape {tuple(x.shape)}: give one image (C, H, W) with C of 1 or 3.")
    if not x.is_floating_point():
        raise TypeError(f"{name} is {x.dtype} but models take floats in [0, 1]: use ImageSet.pixels, or divide by 255.")
    x = x.detach().float().cpu()
    if not (x.amin() >= -1e-3 and x.amax() <= 1 + 1e-3):
        raise ValueError(f"{name} reaches from {x.amin():.3g} to {x.amax():.3g}: models take pixels in [0, 1].")
    return x


def check_decoded(images, count: int) -> Tensor:
    """Decoded images (count, C, H, W), finite and on the CPU, or one clear error."""
    if not isinstance(images, Tensor):
        raise TypeError(f"decode returned a {type(images).__name__}: it must return a tensor (B, C, H, W).")
    if images.ndim != 4 or len(images) != count or images.shape[1] not in (1, 3):
        raise ValueError(f"decode returned shape {tuple(images.shape)} for {count} codes: it must be (B, C, H, W).")
    images = images.float().cpu()
    if not torch.isfinite(images).all():
        raise ValueError("decode returned NaN or infinite pixels for this code.")
    return images


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
        return {"kind": "chart", "title": title, "chart": (3 * size, 2 * size)}
    return {"kind": "image", "title": title, "shape": (*image.shape[1:], image.shape[0]), "size": size}


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
        return b"".join(map(to_bytes, self._shown[0]))

    def _describe(self, token: str, error: str = "") -> dict:
        images, captions, text, value = self._shown
        charts = list(map(describe_chart, images))
        said = {"text": text, "captions": list(captions), "charts": charts}
        answer = plain({"token": token, "value": value, **said, "error": error})
        if wrong := fault(CONTRACT["answer"][self._kind], answer):
            raise ValueError(f"an explorer of kind {self._kind!r} cannot answer so: {wrong}.")
        return answer

    def _show(self, value, token: str = "") -> None:
        before = self._shown
        try:
            self._shown = self._draw(value)
            frame, answer = self._pack(), self._describe(token)
        except Exception as error:
            self._shown = before
            self._answer = self._describe(token, f"This position cannot be shown. {type(error).__name__}: {error}")
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
        with suppress(Exception):  # _show has shown it
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
        return f"{type(self).__name__}: {self.text}"
