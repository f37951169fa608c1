"""What all explorers share: talking to the browser, running models without a trace, and showing errors."""

import copy
import json
import re
import reprlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anywidget
import numpy as np
import torch
from ipywidgets import ValueWidget
from torch import Tensor
from traitlets import Any, Bytes, Dict, TraitError, Unicode

from course_utils.latents import model_device, model_dtype
from course_utils.plots import PALETTE, Chart
from course_utils.widgets import front_end
from course_utils.widgets.spec import CONTRACT, MOVES, as_bytes, fault, plain
from course_utils.widgets.words import say

LONGEST = 300  # letters of an error that is shown: torch's own may fill a page


@contextmanager
def evaluating(model) -> Iterator:
    """Inference mode, and a model in evaluation mode to compute with.

    In the main thread that is the model itself, whose modules get their own modes back. In another thread, where
    JupyterLab lets explorers answer while a cell runs, this cell may be training the model: then it is a copy.
    """
    modules = [m for m in model.modules() if m.training] if isinstance(model, torch.nn.Module) else []
    if modules and threading.current_thread() is not threading.main_thread():
        model, modules = copy.deepcopy(model).eval(), []
    try:
        for module in modules:
            module.training = False
        with torch.inference_mode():
            yield model
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
    return as_bytes(image[None]).tobytes()


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


def one_line(error: BaseException) -> str:
    """The kind and the words of an error, at most LONGEST letters."""
    said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"


class Position(Any):
    """The trait `value`: to set it is to show it. What cannot be shown raises and leaves the explorer as it was."""

    def get(self, obj, cls=None):
        """A copy: a list that somebody changes in place must not be mistaken for what is shown."""
        return json.loads(json.dumps(super().get(obj, cls)))

    def set(self, obj, value):
        """Show it, unless it is shown already."""
        obj._assign(value)

    def keep(self, obj, value):
        """Note what is shown, and tell those who observe the trait."""
        super().set(obj, value)


class Coordinate(Any):
    """The trait `value_0`, `value_1`, ...: one number of a value that is a list."""

    def __init__(self, place: int, **options):
        super().__init__(**options)
        self.place = place

    def get(self, obj, cls=None):
        """The number, as it stands in the list."""
        return obj.value[self.place]

    def set(self, obj, value):
        """Show the list with this number in it."""
        whole = obj.value
        whole[self.place] = value
        obj.value = whole


class Explorer(anywidget.AnyWidget, ValueWidget):
    """A control and the images that follow it.

    `value` is where the control stands, as a trait that is known to the browser: a number where there is one slider, a
    list of numbers where there are several or a map, a dictionary for `MapExplorer` and `Brush`. It can be read, set,
    observed, and tied by `link`, `jslink`, `interact` and `interactive_output` to ipywidgets' sliders or to another
    explorer of the same kind. After a move it is what the explorer really shows. A value that cannot be shown raises
    TraitError (its form is wrong) or the error of what draws it; the explorer says so too, and keeps the value that it
    had. Where the value is a list each of its numbers is a trait as well, `value_0`, `value_1` and so on, for a slider
    that moves one coordinate: `jslink((slider, "value"), (pad, "value_0"))`.

    A subclass passes a description to `__init__` and implements `_draw(value)`, which returns the images (or charts),
    their captions, one sentence, and the value it really used. What it says it fills into the templates in `words`,
    which are all that has to be translated. explorer.js draws them. State in the browser, with
    every field in spec.py, by which both sides check what they get:

        value     where the control stands
        _ask      a token: the browser changes it with each move that it wants an answer to
        _spec     what the explorer looks like: title, control, rows of panels
        _points   the codes of a map: float32 pairs, then one byte of class each; of a brush the pixels painted on
        _frame    pixels of all panels, H * W * C bytes each, one after another; of a chart its numbers, as float32
        _answer   what _frame shows, and the token of the move that it answers

    Moving the control sends `value` and `_ask`; the browser sends no other position before this one is answered.

    While the kernel is busy or gone, the page itself answers, and a line below the picture says so: kernel.js and
    page/stand_in.py. What it needs for that, the browser gets when the reader's hand rests after a move; not where it
    is too large, or only Python can run what the explorer shows (`_stands_in`). Once the kernel answers again, `value`
    goes to where the reader went meanwhile. Until then nothing in Python follows: no observer, no `link`, no
    `interactive_output`. Of what `jslink` ties, controls follow, and the pictures of other explorers do not.

    Args:
        spec: The description, by `CONTRACT["spec"]`, without rows and start.
        start: The first position.
        points: The codes of a map, or the pixels that a brush paints on.
        layout: ipywidgets' `Layout`, or a dictionary of its fields.
    """

    _esm = front_end.module()
    _css = front_end.style()
    words = {  # templates of `say`
        "refused": "This position cannot be shown. {why}",
        "off": "There is no stored answer for it.",
        "busy": "The kernel is busy: this page answers, with the model as it was.",
        "gone": "The kernel of this explorer has gone: this page answers, with the model as it was. Run this cell "
        "again to connect the explorer to Python.",
        "unheard": "The kernel does not answer: this page does, with the model as it was. If the kernel was "
        "restarted, run this cell again.",
    }
    _stands_in = False  # whether the page may answer when the kernel does not
    _sent = None  # what it needs for that, as the browser got it: see page/stand_in.py
    value = Position(help="Where the control stands.").tag(sync=True)
    _ask = Unicode().tag(sync=True)
    _spec = Dict().tag(sync=True)
    _points = Bytes().tag(sync=True)
    _frame = Bytes().tag(sync=True)
    _answer = Dict().tag(sync=True)

    def __init__(self, spec: dict, start, points: bytes = b"", *, layout=None):
        self._shapes = None  # of the images that were shown first: the panels keep them
        self._shown = self._draw(start)  # before anything is displayed, so that a bad model fails here, in the cell
        spec = plain(spec | {"words": self.words, "start": self._shown[3], "rows": self._rows()})
        if wrong := fault(CONTRACT["spec"], spec):
            raise ValueError(f"an explorer of kind {spec.get('kind')!r} cannot be described so: {wrong}.")
        self._kind = spec["kind"]
        frame, answer = self._pack(), self._describe("")
        value = self._position_shown()
        self._numbers = [f"value_{k}" for k in range(len(value))] if isinstance(value, list) else []
        Explorer.value.keep(self, value)
        self.add_traits(**{name: Coordinate(k).tag(sync=True) for k, name in enumerate(self._numbers)})
        options = {} if layout is None else {"layout": layout}
        super().__init__(_spec=spec, _points=points, _frame=frame, _answer=answer, **options)

    def _draw(self, value) -> tuple[Sequence[Tensor | Chart], Sequence[str], str, object]:
        """Images (C, H, W) or charts, and captions, of all panels, one sentence, and the value shown."""
        raise NotImplementedError

    def _rows(self) -> list[dict]:
        """Rows of panels, [{"title": ..., "panels": [panel(...), ...]}, ...], in the order of _draw's images."""
        raise NotImplementedError

    def _say(self, which: str, **values) -> str:
        """One of the explorer's sentences."""
        return say(self.words[which], **values)

    def _pack(self) -> bytes:
        shapes = ["chart" if isinstance(image, Chart) else tuple(image.shape) for image in self._shown[0]]
        if self._shapes not in (None, shapes):
            here, first = next((a, b) for a, b in zip(shapes, self._shapes, strict=True) if a != b)
            raise ValueError(f"an image has shape {here} here but {first} at the start: it must stay the same.")
        self._shapes = shapes
        return b"".join(map(to_bytes, self._shown[0]))

    def _describe(self, token: str, error: str = "", warning: str = "") -> dict:
        images, captions, text, value = self._shown
        charts = list(map(describe_chart, images))
        said = {"text": text, "captions": list(map(str, captions)), "charts": charts}
        answer = plain({"token": token, "value": value, **said, "error": error, "warning": warning})
        if wrong := fault(CONTRACT["answer"][self._kind], answer):
            raise ValueError(f"an explorer of kind {self._kind!r} cannot answer so: {wrong}.")
        return answer

    def _position_shown(self):
        """The value that is shown, in the form in which the browser sends one: with Python's numbers, and lists."""
        value = json.loads(json.dumps(plain(self._shown[3])))
        return {name: value[name] for name in MOVES[self._kind]} if isinstance(value, dict) else value

    def _show(self, value, token: str = "", asked: bool = False) -> None:
        """Draw a position and tell the browser and all observers of it; `asked`: the browser has sent it."""
        before = dict(vars(self))
        try:
            self._shown = self._draw(value)
            frame, answer, now = self._pack(), self._describe(token), self._position_shown()
        except BaseException as error:  # also when the kernel is interrupted: the browser waits for an answer
            vars(self).update(before)  # whatever the subclass has noted of a position that is not shown
            self._answer = self._describe(token, self._say("refused", why=one_line(error)))
            raise
        old = self.value
        known = {"value": now} | dict(zip(self._numbers, now if self._numbers else (), strict=True))
        with self.hold_sync(), self._lock_property(**known if asked and now == value else {}):  # one message for all
            self._frame, self._answer = frame, answer
            Explorer.value.keep(self, now)
            for k, name in enumerate(self._numbers):
                if now[k] != old[k]:
                    self._notify_trait(name, old[k], now[k])

    def _assign(self, value) -> None:
        """Show what somebody sets `value` to."""
        value = plain(value)
        if wrong := fault(CONTRACT["message"][self._kind]["value"], value):
            said = f"The value {reprlib.repr(value)} does not fit: {wrong}. Give one like {reprlib.repr(self.value)}."
            self._answer = self._describe("", said)
            raise TraitError(said)
        value = list(value) if isinstance(value, tuple) else value
        if value != self.value or self.error:
            self._show(value)

    def _at(self, value) -> tuple[Sequence[Tensor | Chart], list[bytes], dict]:
        """The images, the same as bytes, and the answer at a value, which is not shown."""
        before = dict(vars(self))
        try:
            self._shown = self._draw(value)
            self._pack()
            return self._shown[0], list(map(to_bytes, self._shown[0])), self._describe("")
        finally:
            vars(self).update(before)

    def page(self, folder: Path | str, name: str, *, steps: int | Sequence[int] | None = None) -> str:
        """Write what a page needs to show this explorer without Python, and return the HTML of its place.

        The page needs the files of `write_front_end` in the same folder. It computes the same pictures and says the
        same sentences as the explorer does here. It begins where the explorer stands now.

        Args:
            folder: Where NAME.bin is written to, and NAME.more.bin with what can come later.
            name: Letters, digits, "-" and "_".
            steps: Where answers are stored: positions of each slider, ends included, one number or one a slider; by
                default those that the explorer has.

        Returns:
            A div with the first frame, as pictures with alternative text and one sentence; it is enough for print and
            for a reader without JavaScript.

        Raises:
            TypeError: The page cannot run the model, or a layer of it; it is named.
            ValueError: The name does not fit, or the explorer cannot be shown in a page; the sentence says why.
            OSError: The folder cannot be written to.
        """
        from course_utils.widgets.page import bundle, first

        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"name is {name!r}: use letters, digits, '-' and '_'.")
        page = self._page(steps)
        images, blobs, answer = self._at(self.value if page.start is None else page.start)
        spec = self._spec | page.spec
        bundle.write(
            folder, name, page, spec=spec, answer=answer, frame=b"".join(blobs), points=self._points, words=first.WORDS
        )
        panels = [one if isinstance(one, Chart) else blob for one, blob in zip(images, blobs, strict=True)]
        return first.place(name, spec, answer, panels, self._points)

    def _page(self, steps: int | Sequence[int] | None):
        """What a page needs, a `page.bundle.Page`: all answers, unless a subclass knows how the page computes them."""
        from course_utils.widgets.page.table import stored

        return stored(self, steps)

    def _handle_custom_msg(self, content, buffers) -> None:
        super()._handle_custom_msg(content, buffers)
        have = content.get("page") if isinstance(content, dict) else None
        if isinstance(have, str):
            from course_utils.widgets.page import stand_in

            self.send(*stand_in.message(self, have))

    def _no_steps(self, steps) -> None:
        if steps is not None:
            raise ValueError(f"the page computes what a {type(self).__name__} shows: there are no steps to give.")

    def set_state(self, sync_data: dict) -> None:
        """Take what the browser sends: where it moved the control, draw; all else is ipywidgets' own affair."""
        ours = {"value", "_ask", *self._numbers} & set(sync_data)
        super().set_state({name: one for name, one in sync_data.items() if name not in ours})
        if ours:
            self._receive({name: sync_data[name] for name in ours})

    def _receive(self, moved: dict) -> None:
        """Draw the position a reader moved to. An error is shown in the explorer: nobody would see a traceback."""
        token, value = moved.get("_ask", ""), self.value
        if "value" in moved:
            value = moved["value"]
        elif self._numbers:
            value = [moved.get(name, one) for name, one in zip(self._numbers, value, strict=True)]
        if wrong := fault(CONTRACT["message"][self._kind], {"value": value, "token": token}):
            cannot = f"The explorer got a message that it cannot read: {wrong}; reload the page."
            self._answer = self._describe(token if isinstance(token, str) else "", cannot)
        elif not token and value == self.value and not self.error:
            return  # what was linked to this explorer has followed it
        else:
            shown = self._shown
            try:
                self._show(value, token, asked=True)
            except (Exception, KeyboardInterrupt) as error:
                if self._shown is not shown:  # it is shown, and somebody who was told of it failed
                    said = f"What follows this explorer failed: an observer, or a link. {one_line(error)}"
                    self._answer = self._describe(token, warning=said)
        if self._answer["error"]:
            self.send_state(["value", *self._numbers])  # the browser's own is a position that is not shown

    @property
    def description(self) -> str:
        """The heading: what `interact` calls the control."""
        return self._spec["title"]

    @property
    def text(self) -> str:
        """What the explorer shows now, in one sentence."""
        return self._shown[2]

    @property
    def error(self) -> str:
        """The error that the explorer shows now; empty when there is none."""
        return self._answer.get("error") or self._answer.get("warning", "")

    def __repr__(self) -> str:
        """One short line: what a page without a kernel shows in place of the explorer."""
        closed = "" if self.comm else " It was closed: run its cell again."
        return f"{type(self).__name__}: {self.text}{closed}"
