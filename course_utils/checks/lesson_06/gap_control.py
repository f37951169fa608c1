"""gap-control: two sliders of plain ipywidgets, and a picture that follows them."""

from course_utils.checks._check import Mistake
from course_utils.checks._controls import control

RANGES = {"mean": (-2.0, 2.0, -0.5), "std": (0.1, 1.5, 0.3)}


def gap_control(draw):
    from ipywidgets import VBox, interactive_output

    mean, std = (slider(name) for name in RANGES)
    return VBox([mean, std, interactive_output(draw, {"mean": mean, "std": std})])


def slider(name, make="FloatSlider", **options):
    """The right slider, but for some of its fields."""
    import ipywidgets

    low, high, start = RANGES[name]
    right = {"value": start, "min": low, "max": high, "step": 0.01, "description": name}
    return getattr(ipywidgets, make)(**{key: one for key, one in (right | options).items() if one is not None})


def drawing(g):
    """What is handed over as `draw`: a dot at the mean, with the standard deviation as its height."""
    import matplotlib.pyplot as plt

    def draw(mean, std):
        ax = plt.figure(figsize=(2, 2)).add_subplot()
        ax.set(xlim=(-3, 3), ylim=(0, 2))
        ax.plot([mean], [std], "o", snap=False)
        plt.show()

    return (draw,)


def wrong(make=slider, names=("mean", "std"), shown=("mean", "std", "picture"), tied=True):
    """A wrong answer: other sliders, tied to other arguments, or not all of it shown."""

    def answer(draw):
        from ipywidgets import Output, VBox, interactive_output

        made = {name: make(name) for name in RANGES}
        controls = dict(zip(names, made.values(), strict=True))
        made["picture"] = interactive_output(draw, controls) if tied else Output()
        return VBox([made[name] for name in shown])

    return answer


def one_slider(draw):
    from ipywidgets import VBox, interactive_output

    mean = slider("mean")
    return VBox([mean, interactive_output(lambda mean: draw(mean, 0.3), {"mean": mean})])


def drawn_once(draw):
    from ipywidgets import VBox

    draw(-0.5, 0.3)
    return VBox([slider(name) for name in RANGES])


def only_when_moved(draw):
    from ipywidgets import VBox

    mean, std = (slider(name) for name in RANGES)
    for one in (mean, std):
        one.observe(lambda change: draw(mean.value, std.value), names="value")
    return VBox([mean, std])


CHECK = control(
    gap_control,
    inputs=drawing,
    verb="",
    steps=True,
    mistakes=[
        Mistake(drawn_once, "The picture is drawn once, and nothing follows the sliders. interactive_output(draw, "
            "{...}) ties them to it."),
        Mistake(wrong(tied=False), "Nothing is drawn: no function is tied to the sliders. interactive_output(draw, "
            "{...}) does that, and returns the picture."),
        Mistake(only_when_moved, "A picture is drawn when a slider is moved, outside of the box, and none before. "
            "interactive_output(draw, {...}) returns a place for it, and draws the start."),
        Mistake(wrong(names=("std", "mean")), "The sliders are exchanged: the first one moves std. Which name belongs "
            "to which slider?"),
        Mistake(one_slider, "The box holds one slider, that of the mean. The standard deviation needs one too."),
        Mistake(wrong(shown=("picture",)), "You return the picture alone, so there is nothing to move. Put both "
            "sliders and the picture into one VBox."),
        Mistake(wrong(shown=("std", "picture")), "The slider for the mean is not in the box, so nobody can move it."),
        Mistake(wrong(lambda name: slider(name, min=None, max=None)), "Without min and max a FloatSlider goes from 0 "
            "to 10. From where to where should each go?"),
        Mistake(wrong(lambda name: slider(name, value=None)), "Without value a slider starts at 0, or at the end that "
            "is nearer to 0. Where should each start?"),
        Mistake(wrong(lambda name: slider(name, step=None)), "Without step a FloatSlider moves by 0.1, too coarse for "
            "a narrow hump. Steps of 0.01 are asked for."),
        Mistake(wrong(lambda name: slider(name, **({"min": 0.0} if name == "std" else {}))), "Your std goes down to 0. "
            "A Gaussian of width 0 has no density: where should that slider begin?"),
        Mistake(wrong(lambda name: slider(name, "IntSlider", value=round(RANGES[name][2]), min=round(RANGES[name][0]),
                                          max=round(RANGES[name][1]), step=1)), "An IntSlider stops at whole numbers "
            "only. Which slider takes all of them?"),
    ],
)  # fmt: skip
