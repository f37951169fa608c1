"""What a reader sees of ipywidgets' controls, and what changes when a slider is moved: without a browser.

`course_utils.checks` looks at a learner's controls through it. While a `Screen` is on, it stands in for the notebook:
what is displayed, printed and plotted is kept, each in the `Output` in which it would stand.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import ipywidgets
import matplotlib.pyplot as plt
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets import interaction
from matplotlib.figure import Figure

from course_utils.widgets.boxes import choices_in, inside, sliders_in

LINKS = ("LinkModel", "DirectionalLinkModel")  # what jslink and jsdlink make, and only a browser obeys
WIDGET = "widget"


class _Area(list):
    """What stands in one output: (kind, content, display_id) each."""

    doomed = False  # by clear_output(wait=True): until something new comes


class Screen:
    """The notebook's place, for a function that makes controls.

    Example:
        >>> screen = Screen()
        >>> with screen.on():
        ...     slider = ipywidgets.FloatSlider(0.5, min=0, max=1)
        ...     out = ipywidgets.interactive_output(lambda a: print(2 * a), {"a": slider})
        ...     box = ipywidgets.HBox([slider, out])
        ...     before = screen.seen(box)
        ...     screen.move(slider, 0.75)
        ...     before, screen.seen(box), screen.sliders(box) == [slider]
        ([('text', '1.0\\n')], [('text', '1.5\\n')], True)
    """

    def __init__(self):
        self.errors: list[BaseException] = []  # what only a traceback in an output would tell
        self.lost = 0  # things displayed by a move outside of every Output, where no reader looks
        self.unshown = 0  # figures that a move drew and did not show
        self.published = 0  # things displayed, wherever
        self._cell, self._areas, self._stack = _Area(), {}, []
        self._made: list[ipywidgets.Widget] = []
        self._moving = False

    # ------------------------------------------------------------------ as the notebook

    @contextmanager
    def on(self) -> Iterator["Screen"]:
        """While it is on, the widgets that are made are noted, and closed at the end."""
        screen, enter = self, ipywidgets.Output

        def show(*args, **options):  # a function, for matplotlib writes a signature to it
            screen.show_figures()

        plt.close(plt.figure())  # matplotlib asks the shell once, before its first figure
        self._before = set(plt.get_fignums())
        shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
        stand_in = _Shell(self, shell)
        watch = ipywidgets.Widget._widget_construction_callback
        patches = [
            mock.patch.object(InteractiveShell, "initialized", classmethod(lambda cls: True)),
            mock.patch.object(InteractiveShell, "instance", classmethod(lambda cls, *args, **options: stand_in)),
            mock.patch.object(enter, "__enter__", lambda out: screen._stack.append(screen._area(out))),
            mock.patch.object(enter, "__exit__", lambda out, *error: screen._leave(*error)),
            mock.patch.object(interaction, "show_inline_matplotlib_plots", show),
            mock.patch.object(plt, "show", show),
            mock.patch.object(sys, "stdout", _Stream(self, sys.stdout)),
        ]
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch)
            ipywidgets.Widget.on_widget_constructed(self._made.append)
            try:
                yield self
            finally:
                ipywidgets.Widget.on_widget_constructed(watch)
                self._close_figures()
                for widget in self._made:
                    widget.unobserve_all()  # to close is a change too
                    widget.close()

    def _area(self, out) -> _Area:
        return self._areas.setdefault(id(out), _Area())

    def _leave(self, kind=None, error=None, trace=None) -> bool:
        self._stack.pop()
        if isinstance(error, Exception):
            self.errors.append(error)
        return isinstance(error, Exception)  # as in a notebook, where the Output has shown it

    def publish(self, kind: str, content, display_id=None, update: bool = False) -> None:
        """Take what is displayed."""
        self.published += 1
        if update:
            for area in (self._cell, *self._areas.values()):
                area[:] = [(kind, content, display_id) if one[2] == display_id else one for one in area]
            return
        if self._moving and not self._stack:
            self.lost += 1
            return
        area = self._stack[-1] if self._stack else self._cell
        if area.doomed:
            area.clear()
            area.doomed = False
        if kind == "text" and area and area[-1][0] == "text":
            area[-1] = ("text", area[-1][1] + content, display_id)
        else:
            area.append((kind, content, display_id))

    def clear_output(self, wait: bool = False) -> None:
        """Take what stands in the innermost output away, at once or before something new comes."""
        area = self._stack[-1] if self._stack else _Area() if self._moving else self._cell
        area.doomed = wait
        if not wait:
            area.clear()

    def show_figures(self) -> None:
        """What plt.show() does in a notebook: show all open figures, and close them."""
        for number in self._new_figures():
            self.publish("image", _pixels(plt.figure(number)))
            plt.close(number)

    def _new_figures(self) -> list[int]:
        return [number for number in plt.get_fignums() if number not in self._before]

    def _close_figures(self) -> int:
        left = self._new_figures()
        for number in left:
            plt.close(number)
        return len(left)

    # ------------------------------------------------------------------ as the reader

    def display(self, widget) -> None:
        """Show what a cell ends with, and the figures that it has left open."""
        self.show_figures()
        if hasattr(widget, "_handle_displayed"):  # before ipywidgets 8 `interactive` draws only then
            widget._handle_displayed()

    def move(self, slider, value: float) -> None:
        """Move a slider as a browser does, with all that is tied to it there."""
        self._by_hand(slider, "value", value)

    def choose(self, choice, place: int) -> None:
        """Choose the option at a place of a Dropdown or the like, as a browser does."""
        self._by_hand(choice, "index", place)

    def _by_hand(self, widget, name: str, value) -> None:
        self._moving = True
        try:
            self._set(widget, name, value, [])
        finally:
            self._moving = False
            self.unshown += self._close_figures()

    def _set(self, widget, name: str, value, came: list) -> None:
        try:
            widget.set_state({name: value})
        except Exception as error:
            self.errors.append(error)
        for link in self._made:
            if link._model_name in LINKS and tuple(link.source) == (widget, name) and link not in came:
                self._set(*link.target, getattr(widget, name), [*came, link])

    def sliders(self, widget) -> list:
        """The sliders in a box, from the first to the last."""
        return sliders_in(widget)

    def choices(self, widget) -> list:
        """What offers one of several options in a box, from the first to the last."""
        return choices_in(widget)

    def seen(self, widget) -> list[tuple[str, object]]:
        """What a reader sees beside the sliders: ("image", bytes) and ("text", words), in order."""
        visited = set()
        found = [one for part in inside(widget, visited) for one in self._content(part, visited)]
        return found + [one for item in self._cell for one in self._item(*item[:2], visited)]

    def _content(self, widget, visited: set) -> list[tuple[str, object]]:
        if isinstance(widget, ipywidgets.Output):
            kept = [item for item in self._areas.get(id(widget), ()) for item in self._item(*item[:2], visited)]
            return kept + [("image" if "image/" in repr(one) else "text", repr(one)) for one in widget.outputs]
        if hasattr(widget, "_frame"):  # an explorer
            return [("image", bytes(widget._frame)), ("text", widget.text)]
        if isinstance(widget, ipywidgets.Image):
            return [("image", bytes(widget.value))] if widget.value else []
        value = getattr(widget, "value", None)
        if isinstance(value, str) and value:
            return [("image" if "<img" in value or "<svg" in value else "text", value)]
        return []

    def _item(self, kind: str, content, visited: set) -> list[tuple[str, object]]:
        if kind != WIDGET:
            return [(kind, content)]
        return [one for part in inside(content, visited) for one in self._content(part, visited)]


class _Shell:
    """What `display` and `get_ipython` find in place of the notebook's shell, whose all else it is."""

    def __init__(self, screen: Screen, shell):
        self._screen, self._real = screen, shell
        self.display_pub = self.display_formatter = self
        self._formatter = DisplayFormatter()

    def format(self, one, include=None, exclude=None) -> tuple[dict, dict]:
        if isinstance(one, ipywidgets.Widget):
            if hasattr(one, "_handle_displayed"):
                one._handle_displayed()
            return {WIDGET: one}, {}
        if isinstance(one, Figure):
            return {"image/png": _pixels(one)}, {}
        return self._formatter.format(one, include, exclude)

    def publish(self, data: dict, metadata=None, *args, transient=None, update: bool = False, **options) -> None:
        name = (transient or {}).get("display_id")
        for kind, content in data.items():
            if kind == WIDGET or kind.startswith("image/"):
                return self._screen.publish(kind.partition("/")[0], content, name, update)
        for kind in ("text/html", "text/markdown", "text/latex", "text/plain"):
            if kind in data:
                form = "image" if "<img" in data[kind] or "<svg" in data[kind] else "text"
                return self._screen.publish(form, data[kind], name, update)

    def clear_output(self, wait: bool = False) -> None:
        self._screen.clear_output(wait)

    def showtraceback(self, error=None, **options) -> None:
        self._screen.errors.append((error or sys.exc_info())[1])

    def __getattr__(self, name: str):
        return getattr(self._real, name)


class _Stream:
    """Standard output: what is printed inside an Output stands there."""

    def __init__(self, screen: Screen, stream):
        self._screen, self._real = screen, stream

    def write(self, text: str) -> int:
        if not self._screen._stack:
            return self._real.write(text)
        self._screen.publish("text", text)
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self._real, name)


def _pixels(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="raw", dpi=40)
    return file.getvalue()
