"""What stands in a box of ipywidgets."""

import ipywidgets

SLIDERS = (ipywidgets.FloatSlider, ipywidgets.IntSlider, ipywidgets.FloatLogSlider)


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
    found, waiting, met = [], [getattr(control, "widget", control)], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in met:
            met.add(id(one))
            found += [one] if isinstance(one, SLIDERS) else []
            waiting = [*getattr(one, "children", ()), *waiting]
    return found
