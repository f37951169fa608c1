"""moment-slider: an IntSlider of plain ipywidgets over the moments of a training, and the picture that follows."""

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control


def moment_slider(draw, last):
    from ipywidgets import VBox, interactive_output

    moment = slider(last)
    return VBox([moment, interactive_output(draw, {"moment": moment})])


def slider(last, make="IntSlider", **options):
    """The right slider, but for some of its fields."""
    import ipywidgets

    right = {"value": 0, "min": 0, "max": last, "description": "moment"} | options
    return getattr(ipywidgets, make)(**{key: one for key, one in right.items() if one is not None})


def drawing(last):
    """What is handed over as `draw`: a bar as high as the moment's number; and that of the last moment."""

    def inputs(g):
        import matplotlib.pyplot as plt

        def draw(moment):
            ax = plt.figure(figsize=(2, 2)).add_subplot()
            ax.set(ylim=(-1, 20))
            ax.bar([0], [moment])
            plt.show()

        return draw, last

    return inputs


def wrong(make=slider, tied=True, shown=("slider", "picture"), change=lambda moment: moment):
    """A wrong answer: another slider, another moment that is drawn, or not all of it shown."""

    def answer(draw, last):
        from ipywidgets import Output, VBox, interactive_output

        one = make(last)
        picture = interactive_output(lambda moment: draw(change(moment)), {"moment": one}) if tied else Output()
        made = {"slider": one, "picture": picture}
        return VBox([made[name] for name in shown])

    return answer


def drawn_once(draw, last):
    from ipywidgets import VBox

    draw(0)
    return VBox([slider(last)])


def only_when_moved(draw, last):
    from ipywidgets import VBox

    one = slider(last)
    one.observe(lambda change: draw(change["new"]), names="value")
    return VBox([one])


def piling_up(draw, last):
    from ipywidgets import Output, VBox

    one, out = slider(last), Output()

    def redraw(change=None):
        with out:
            draw(one.value)

    redraw()
    one.observe(redraw, names="value")
    return VBox([one, out])


CHECK = control(
    moment_slider,
    inputs={"": drawing(10), "the training has other moments": drawing(20)},
    verb="",
    mistakes=[
        Mistake(drawn_once, "The picture is drawn once, and nothing follows the slider. interactive_output(draw, "
            '{"moment": slider}) ties the two.'),
        Mistake(wrong(tied=False), "Nothing is drawn: no function is tied to the slider. interactive_output(draw, "
            '{"moment": slider}) does that, and returns the picture.'),
        Mistake(only_when_moved, "A picture is drawn when the slider is moved, outside of the box, and none before. "
            "interactive_output returns a place for it, and draws the start."),
        Mistake(piling_up, "Each move adds a picture below the others. interactive_output clears its place before it "
            "draws; in an Output, out.clear_output(wait=True) does."),
        Mistake(wrong(lambda last: slider(last, "FloatSlider")), "A FloatSlider stops between two moments, where no "
            "weights were kept. Which slider knows whole numbers only?"),
        Mistake(wrong(lambda last: slider(last, max=None, value=None)), "Without max an IntSlider ends at 100. Which "
            "number has the last moment?"),
        Mistake(wrong(lambda last: slider(last + 1)), "Your slider goes one moment too far. They are numbered from 0, "
            "and the last has the number `last`."),
        Mistake(wrong(lambda last: slider(last - 1)), "Your slider stops before the last moment. Its number is `last`: "
            "both ends of an IntSlider belong to it."),
        Mistake(wrong(lambda last: slider(last, min=1, value=1)), "Your slider begins at 1, so nobody sees the "
            "untrained model: its number is 0."),
        Mistake(wrong(lambda last: slider(last, value=last)), "Your slider starts at the end. Let it start at 0, "
            "before the training."),
        Mistake(wrong(shown=("picture",)), "You return the picture alone, so there is nothing to move. Put the slider "
            "and the picture into one VBox."),
        Mistake(wrong(shown=("slider",)), "You return the slider alone. Put the slider and the picture into one VBox."),
        Mistake(wrong(change=lambda moment: 0), "Each move draws moment 0: the slider's value is not used."),
    ],
)  # fmt: skip
