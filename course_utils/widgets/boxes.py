"""What stands in a box of ipywidgets."""

from collections.abc import Iterator

import ipywidgets

SLIDERS = (ipywidgets.FloatSlider, ipywidgets.IntSlider, ipywidgets.FloatLogSlider)
CHOICES = (ipywidgets.Dropdown, ipywidgets.RadioButtons, ipywidgets.ToggleButtons, ipywidgets.Select)


def sliders_in(control) -> list[ipywidgets.Widget]:
    """The sliders of a control, in the order in which a reader meets them, to tie them to something else.

    Args:
        control: A widget, a box of widgets and boxes, or what `interact` returns.

    Returns:
        ipywidgets' own sliders, each once. An explorer has none.

    Example:
        >>> first, second = ipywidgets.FloatSlider(1.5), ipywidgets.IntSlider(2)
        >>> box = ipywidgets.HBox([ipywidgets.VBox([first, ipywidgets.Label("a")]), second])
        >>> [one.value for one in sliders_in(box)]
        [1.5, 2]
    """
    return [one for one in inside(getattr(control, "widget", control), set()) if isinstance(one, SLIDERS)]


def choices_in(control) -> list[ipywidgets.Widget]:
    """The widgets of a control in which a reader chooses one of several options, in order.

    Example:
        >>> box = ipywidgets.HBox([ipywidgets.FloatSlider(), ipywidgets.Dropdown(options=["a", "b"])])
        >>> [one.value for one in choices_in(box)]
        ['a']
    """
    return [one for one in inside(getattr(control, "widget", control), set()) if isinstance(one, CHOICES)]


def inside(widget, met: set[int]) -> Iterator[ipywidgets.Widget]:
    """A widget and all that stands in it, from the first to the last, but for those whose ids are in `met`."""
    if id(widget) not in met:
        met.add(id(widget))
        yield widget
        for child in getattr(widget, "children", ()):
            yield from inside(child, met)
