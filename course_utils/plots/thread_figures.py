"""Figures of a running cell and of a widget that is answered meanwhile do not mix.

Since ipykernel 7, JupyterLab sends the messages of widgets to threads of their own. A slider that moves while a cell
runs then draws at the same time as the cell; but "the current figure" of pyplot is one for all threads, and what shows
figures after a message shows and closes all of them. The cell's picture is lost, or the cell fails (issue 1564 of
ipykernel, issue 19719 of JupyterLab).
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping


class ThreadFigures(MutableMapping):
    """The open figures of pyplot by number, the current one last: each thread sees its own.

    Args:
        figures: Those of the thread that makes it.

    Example:
        >>> figures = ThreadFigures({1: "a figure"})
        >>> elsewhere = []
        >>> thread = threading.Thread(target=lambda: elsewhere.append(len(figures)))
        >>> thread.start()
        >>> thread.join()
        >>> len(figures), elsewhere
        (1, [0])
    """

    def __init__(self, figures: MutableMapping):
        self._local = threading.local()
        self._local.figures = OrderedDict(figures)

    @property
    def _own(self) -> OrderedDict:
        if not hasattr(self._local, "figures"):
            self._local.figures = OrderedDict()
        return self._local.figures

    def __getitem__(self, number):
        return self._own[number]

    def __setitem__(self, number, manager) -> None:
        self._own[number] = manager

    def __delitem__(self, number) -> None:
        del self._own[number]

    def __iter__(self) -> Iterator:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def values(self):
        """As of a dictionary, so that they can be reversed."""
        return self._own.values()

    def move_to_end(self, number) -> None:
        """Make a figure the current one."""
        self._own.move_to_end(number)


def keep_figures_apart() -> None:
    """In a kernel that shows figures inline, give each thread figures of its own.

    Elsewhere, and when it is called again, it does nothing.

    Example:
        >>> keep_figures_apart()
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return
    from matplotlib._pylab_helpers import Gcf
    from matplotlib_inline.backend_inline import flush_figures, show  # its import registers what shows figures

    try:
        shell.events.unregister("post_execute", flush_figures)
    except ValueError:  # not inline, or done before
        return

    def flush_thread_figures() -> None:
        show._draw_called = bool(Gcf.figs)  # whatever another thread has shown meanwhile
        flush_figures()

    shell.events.register("post_execute", flush_thread_figures)
    Gcf.figs = ThreadFigures(Gcf.figs)
