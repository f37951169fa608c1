"""price-slider: an IntSlider of plain ipywidgets over the price of a nat, and the figure that follows."""

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control


def price_slider(draw, highest):
    from ipywidgets import VBox, interactive_output

    price = slider(highest)
    return VBox([price, interactive_output(draw, {"price": price})])


def slider(highest, make="IntSlider", **options):
    """The right slider, but for some of its fields."""
    import ipywidgets

    right = {"value": 0, "min": 0, "max": highest, "description": "price"} | options
    return getattr(ipywidgets, make)(**{key: one for key, one in right.items() if one is not None})


def drawing(highest):
    """What is handed over as `draw`: a bar as high as the price; and the highest price."""

    def inputs(g):
        import matplotlib.pyplot as plt

        def draw(price):
            ax = plt.figure(figsize=(2, 2)).add_subplot()
            ax.set(ylim=(-1, 20))
            ax.bar([0], [price])
            plt.show()

        return draw, highest

    return inputs


def wrong(make=slider, tied=True, shown=("slider", "picture"), change=lambda price: price):
    """A wrong answer: another slider, another price that is drawn, or not all of it shown."""

    def answer(draw, highest):
        from ipywidgets import Output, VBox, interactive_output

        one = make(highest)
        picture = interactive_output(lambda price: draw(change(price)), {"price": one}) if tied else Output()
        made = {"slider": one, "picture": picture}
        return VBox([made[name] for name in shown])

    return answer


def drawn_once(draw, highest):
    from ipywidgets import VBox

    draw(0)
    return VBox([slider(highest)])


def only_when_moved(draw, highest):
    from ipywidgets import VBox

    one = slider(highest)
    one.observe(lambda change: draw(change["new"]), names="value")
    return VBox([one])


def piling_up(draw, highest):
    from ipywidgets import Output, VBox

    one, out = slider(highest), Output()

    def redraw(change=None):
        with out:
            draw(one.value)

    redraw()
    one.observe(redraw, names="value")
    return VBox([one, out])


CHECK = control(
    price_slider,
    inputs={"": drawing(10), "the highest price is another one": drawing(20)},
    verb="",
    mistakes=[
        Mistake(drawn_once, "The figure is drawn once, and nothing follows the slider. interactive_output(draw, "
            '{"price": slider}) ties the two.'),
        Mistake(wrong(tied=False), "Nothing is drawn: no function is tied to the slider. interactive_output(draw, "
            '{"price": slider}) does that, and returns the figure.'),
        Mistake(only_when_moved, "A figure is drawn when the slider is moved, outside of the box, and none before. "
            "interactive_output returns a place for it, and draws the start."),
        Mistake(piling_up, "Each move adds a figure below the others. interactive_output clears its place before it "
            "draws; in an Output, out.clear_output(wait=True) does."),
        Mistake(wrong(lambda highest: slider(highest, "FloatSlider")), "A FloatSlider stops between two whole prices. "
            "Which slider knows whole numbers only?"),
        Mistake(wrong(lambda highest: slider(highest, max=None, value=None)), "Without max an IntSlider ends at 100. "
            "Which is the highest price?"),
        Mistake(wrong(lambda highest: slider(highest + 1)), "Your slider goes one price too far. The last one is "
            "`highest`."),
        Mistake(wrong(lambda highest: slider(highest - 1)), "Your slider stops before the highest price. Both ends of "
            "an IntSlider belong to it: max is `highest`."),
        Mistake(wrong(lambda highest: slider(highest, min=1, value=1)), "Your slider begins at 1. Let it begin at 0, "
            "where a code costs nothing."),
        Mistake(wrong(lambda highest: slider(highest, value=highest)), "Your slider starts at the highest price. Let "
            "it start at 0."),
        Mistake(wrong(shown=("picture",)), "You return the figure alone, so there is nothing to move. Put the slider "
            "and the figure into one VBox."),
        Mistake(wrong(shown=("slider",)), "You return the slider alone. Put the slider and the figure into one VBox."),
        Mistake(wrong(change=lambda price: 0), "Each move draws the price 0: the slider's value is not used."),
    ],
)  # fmt: skip
