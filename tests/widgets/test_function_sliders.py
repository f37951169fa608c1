"""Functions of several numbers, and charts: what the browser is told, the static twin, and every bad input."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course_utils.plots import MARKERS, PALETTE, Chart, Series, draw_chart, panel_table
from course_utils.widgets import FunctionSlider, FunctionSliders

X = torch.linspace(0, 1, 15).reshape(1, 3, 5)  # not square
GRID = np.linspace(-2.0, 2.0, 9)


def line_chart(slope, height, **options):
    series = [
        Series("line", GRID, height + slope * GRID),
        Series("places", [-1.0, 0.5], [height - slope, height + slope / 2], "points"),
        Series("bars", [0.0, 1.0, 2.0], [1.0, slope, 2.0], "bars"),
        Series("height", height, kind="markers"),
    ]
    return Chart(series, (-2, 2), (-5, 5), "x in m", "y in s", **options)


def chart_and_image(slope, height):
    return {"chart": line_chart(slope, height), "image": X * abs(slope) / 2, "strip": X.repeat(1, 1, 6)}


@pytest.fixture
def explorer():
    return FunctionSliders(chart_and_image, {"slope": (-2, 2, 1), "height": (0, 4, 1, 0.5)}, title="Lines")


def browser_moves(explorer, value) -> None:
    message = {"method": "update", "state": {"value": value, "_ask": "view:1"}, "buffer_paths": []}
    explorer._handle_msg({"content": {"data": message}, "buffers": []})


def numbers(explorer) -> np.ndarray:
    """The chart's float32 numbers, which stand first in the frame."""
    count = sum(s["count"] * (1 if s["kind"] == "markers" else 2) for s in explorer._answer["charts"][0]["series"])
    return np.frombuffer(bytes(explorer._frame)[: 4 * count], "<f4")


def test_there_is_a_slider_for_each_number(explorer):
    spec = explorer._spec
    assert (spec["kind"], spec["title"], spec["start"]) == ("sliders", "Lines", [1.0, 1.0])
    assert [(s["label"], s["min"], s["max"], s["step"]) for s in spec["sliders"]] == [
        ("slope", -2, 2, pytest.approx(0.08)),
        ("height", 0, 4, 0.5),
    ]


def test_charts_and_images_stand_in_rows_of_their_own(explorer):
    rows = explorer._spec["rows"]
    assert [[panel["title"] for panel in row["panels"]] for row in rows] == [["chart"], ["image", "strip"]]
    assert "shape" not in rows[0]["panels"][0]
    image, strip = rows[1]["panels"]
    assert (image["shape"], strip["shape"]) == ((3, 5, 1), (3, 30, 1))
    assert strip["size"] == 4 * 140, "a wide strip is shown wide"


def test_the_browser_gets_the_numbers_of_the_function(explorer):
    for slope, height in ((1.0, 1.0), (-0.5, 3.5)):
        browser_moves(explorer, [slope, height])
        assert explorer.values == {"slope": slope, "height": height}
        assert explorer._answer["value"] == [slope, height]
        x, y = numbers(explorer)[:9], numbers(explorer)[9:18]
        np.testing.assert_allclose(x, GRID)
        np.testing.assert_allclose(y, height + slope * GRID, rtol=1e-6)
        np.testing.assert_allclose(numbers(explorer)[18:20], [-1.0, 0.5])
        assert numbers(explorer)[-1] == height
        pixels = np.frombuffer(bytes(explorer._frame)[4 * len(numbers(explorer)) :], np.uint8)
        assert len(pixels) == 15 + 90
        np.testing.assert_allclose(pixels[:15], X.flatten().numpy() * abs(slope) / 2 * 255, atol=0.51)


def test_the_description_of_a_chart_holds_all_but_the_numbers(explorer):
    chart, *images = explorer._answer["charts"]
    assert images == [None, None]
    assert [(s["name"], s["kind"], s["count"]) for s in chart["series"]] == [
        ("line", "line", 9),
        ("places", "points", 2),
        ("bars", "bars", 3),
        ("height", "markers", 1),
    ]
    assert [s["color"] for s in chart["series"]] == list(PALETTE[:4])
    assert chart["series"][2]["width"] == pytest.approx(0.8)
    assert (chart["xRange"], chart["yRange"]) == ((-2, 2), (-5, 5))
    assert (chart["xlabel"], chart["ylabel"], chart["logX"], chart["logY"]) == ("x in m", "y in s", False, False)
    assert chart["label"] == explorer.panels["chart"].summary()


def test_a_chart_in_words():
    assert line_chart(1.0, 1.0).summary() == (
        "Chart of y in s against x in m. line: line from -1 at -2 to 3 at 2. places: 2 points, -1 to 0.5 across. "
        "bars: 3 bars, the highest 2 at 2. height: at 1."
    )
    hill = Chart([Series("hill", GRID, 4 - GRID**2)], (-2, 2), (0, 5), "x", "y")
    assert "highest 4 at 0" in hill.summary()


def test_sliders_move_together_or_by_name(explorer):
    explorer.move_to(2, 0.5)
    explorer.move_to(height=3)
    assert explorer.values == {"slope": 2.0, "height": 3.0}
    assert explorer.text == "slope: 2, height: 3."
    with pytest.raises(ValueError, match="all 2 values"):
        explorer.move_to(1.0)
    with pytest.raises(ValueError, match="no slider 'width'"):
        explorer.move_to(width=1.0)
    with pytest.raises(ValueError, match="off the slider"):
        explorer.move_to(0.0, 4.5)
    assert explorer.values == {"slope": 2.0, "height": 3.0}


def test_the_sentence_gets_all_numbers():
    options = {"describe": lambda a, b: f"The sum is {a + b:g}."}
    explorer = FunctionSliders(lambda a, b: {"x": X * a * b}, {"a": (0, 1), "b": (0, 1)}, **options)
    assert explorer.text == "a: 0.5, b: 0.5. The sum is 1."


def test_a_wrong_message_is_shown_and_the_last_panels_stay(explorer):
    shown = bytes(explorer._frame)
    browser_moves(explorer, [1.0])
    assert "1 numbers for 2 sliders" in explorer.error
    assert bytes(explorer._frame) == shown
    browser_moves(explorer, [0.0, 1.0])
    assert explorer.error == ""


@pytest.mark.parametrize(
    ("fn", "error", "message"),
    [
        (lambda a, b: torch.stack([X, X]), TypeError, "give a label"),
        (lambda a, b: [X], TypeError, "returned a list"),
        (lambda a, b: {}, ValueError, "no panels"),
        (lambda a, b: {"x": X.numpy()}, TypeError, "image 'x' must be a torch tensor"),
        (lambda a, b: {"x": X * torch.nan}, ValueError, "NaN"),
        (lambda a, b: {"x": 2 * X}, ValueError, "pixels of image 'x' reach"),
        (lambda a, b: {f"at {a:g}": X}, ValueError, "at the start"),
        (lambda a, b: {"x": X if a < 0.9 else line_chart(a, b)}, ValueError, "at the start"),
        ("no function", TypeError, "a function of 2 numbers"),
    ],
)
def test_a_function_that_does_not_fit_is_named(fn, error, message):
    with pytest.raises(error, match=message):
        FunctionSliders(fn, {"a": (0, 1), "b": (0, 1)}).move_to(1.0, 1.0)


def test_sliders_that_cannot_be():
    with pytest.raises(ValueError, match="sliders is empty: give a dictionary, {name: "):
        FunctionSliders(lambda: {"x": X}, {})
    with pytest.raises(ValueError, match="'b' goes from 2 to 1"):
        FunctionSliders(lambda a, b: {"x": X}, {"a": (0, 1), "b": (2, 1)})
    with pytest.raises(ValueError, match="3 is off the slider|3.0 is off the slider"):
        FunctionSliders(lambda a: {"x": X}, {"a": (0, 1, 3)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Series("s", [1, 2], [1, 2, 3]), "2 x values and 3 y values"),
        (lambda: Series("s", [1, 2], [1, float("nan")]), "NaN or infinite"),
        (lambda: Series("s", [1], [1], "pie"), "'pie'"),
        (lambda: Series("s", [], []), "empty"),
        (lambda: Chart([], (0, 1), (0, 1), "x", "y"), "at least one"),
        (lambda: Chart([Series("s", 1, 1)], (1, 0), (0, 1), "x", "y"), r"x_range is \(1, 0\)"),
        (lambda: Chart([Series("s", 1, 1)], (0, 1), (0, 1), "x", "y", log_y=True), "y_range begins at 0"),
        (lambda: panel_table({}), "there are no rows to draw"),
        (lambda: panel_table({"a": []}), "at least one row"),
        (lambda: panel_table({"a": [X], "b": [X, X]}), "as many cells"),
    ],
)
def test_charts_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_static_chart_is_drawn_from_the_same_description():
    chart = line_chart(1.0, 1.0)
    ax = draw_chart(chart)
    line, places, marker = ax.lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([GRID, 1 + GRID], axis=1))
    assert places.get_marker() == MARKERS[1]
    assert [to_hex(one.get_color()) for one in ax.lines] == [PALETTE[0], PALETTE[1], PALETTE[3]]
    np.testing.assert_allclose(marker.get_xdata(), [1, 1])
    assert [bar.get_height() for bar in ax.patches] == [1, 1, 2]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-5, 5))
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"line", "places", "bars", "height"}
    plt.close(ax.figure)


def test_logarithmic_axes():
    chart = Chart([Series("s", [1, 10], [1, 100], "bars")], (0.5, 20), (0.1, 1000), "x", "y", log_x=True, log_y=True)
    ax = draw_chart(chart)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    bar = ax.patches[1]
    assert (bar.get_y(), bar.get_y() + bar.get_height()) == pytest.approx((0.1, 100))
    plt.close(ax.figure)


def test_the_twin_has_a_column_for_each_position(explorer):
    axes = explorer.static([(0, 1), (2, 3), (1, 0)])
    assert axes.shape == (3, 3)
    assert axes[0, 1].get_title() == "slope = 2, height = 3"
    np.testing.assert_allclose(axes[0, 1].lines[0].get_ydata(), 3 + 2 * GRID)
    assert axes[1, 1].images[0].get_array().max() == pytest.approx(1.0)
    assert axes[1, 2].images[0].get_array().max() == pytest.approx(0.5)
    assert explorer.values == {"slope": 1.0, "height": 1.0}, "drawing the twin does not move the sliders"
    plt.close(axes[0, 0].figure)
    axes = explorer.static()
    titles = [ax.get_title() for ax in axes[0]]
    assert titles[0] == "slope = 1, height = 1"
    assert titles[1:3] == ["slope = -2, height = 1", "slope = 2, height = 1"]
    plt.close(axes[0, 0].figure)


def test_one_slider_may_show_a_chart_too():
    slider = FunctionSlider(lambda a: {"chart": line_chart(a, 0.5)}, 0, 2, name="slope")
    slider.move_to(1.5)
    assert slider.value == 1.5
    assert slider._spec["kind"] == "slider"
    np.testing.assert_allclose(slider.panels["chart"].series[0].y, 0.5 + 1.5 * GRID)
    assert slider.static().shape == (1, 4)
    plt.close("all")


# ------------------------------------------------------------------------------------------------- lists, rows, codes


def shade(word, times, height):
    """Two rows of two images."""
    x = X * height * {"dark": 0.25, "light": 1.0}[word] / times
    return {"one": torch.stack([x, x / 2]), "other": torch.stack([1 - x, x * 0])}


@pytest.fixture
def lists():
    sliders = {"word": ["dark", "light"], "times": {1, 20, 2}, "height": (0, 1, 1)}
    return FunctionSliders(shade, sliders, labels=["first", "second"])


def test_of_a_list_the_value_is_a_place_and_the_function_gets_what_is_chosen(lists):
    assert [one.get("options") for one in lists._spec["sliders"]] == [["dark", "light"], [1, 2, 20], None]
    assert lists._spec["sliders"][1] | {"label": ""} == {
        "label": "",
        "min": 0,
        "max": 2,
        "step": 1,
        "options": [1, 2, 20],
    }
    browser_moves(lists, [1, 2, 0.5])
    assert lists.values == {"word": "light", "times": 20, "height": 0.5}
    assert torch.allclose(lists.panels["one, first"], X * 0.5 / 20)
    lists.move_to(word="dark", times=2)
    assert lists.value == [0, 1, 0.5]
    assert lists.text == "word: dark, times: 2, height: 0.5."
    lists.move_to("light", 1, 0.25)
    assert lists.value == [1, 0, 0.25]


def test_the_sentence_says_words_in_place_of_the_list():
    sliders = {"word": ["dark", "light"], "times": {1, 2}}
    words = FunctionSliders(lambda *at: shade(*at, 1), sliders, describe=lambda word, times: f"It is {word}.")
    assert words.text == "times: 1. It is dark."
    only = FunctionSliders(
        lambda word: shade(word, 1, 1), {"word": ["dark", "light"]}, describe=lambda word: f"It is {word}."
    )
    assert only.text == "It is dark."


def test_rows_of_images_have_titles_and_captions(lists):
    rows = lists._spec["rows"]
    assert [(row["title"], [panel["title"] for panel in row["panels"]]) for row in rows] == [
        ("one", ["first", "second"]),
        ("other", ["first", "second"]),
    ]
    assert lists._answer["captions"] == ["first", "second"] * 2
    assert all(panel["size"] >= 128 for row in rows for panel in row["panels"])
    assert list(lists.panels) == ["one, first", "one, second", "other, first", "other, second"]
    assert torch.allclose(lists.panels["other, first"], 1 - X / 4)


@pytest.mark.parametrize(
    ("value", "said"), [([2, 0, 1], "no option 2: use a whole number from 0 to 1"), ([0, 0.5, 1], "no option 0.5")]
)
def test_a_place_that_a_list_has_not_is_named(lists, value, said):
    browser_moves(lists, value)
    assert said in lists.error
    assert lists.value == [0, 0, 1.0]


def test_an_option_that_a_list_has_not_is_named(lists):
    with pytest.raises(ValueError, match="the list 'word' has no 'grey': choose one of 'dark', 'light'"):
        lists.move_to(word="grey")
    with pytest.raises(ValueError, match="the slider 'height' is 'dark': give one finite number"):
        lists.move_to(height="dark")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "has 0 numbers"),
        (["a"], "the list 'word' is .*: give two or more"),
        ({1}, "give two or more"),
        (["a", None], "an end of the slider 'word' is 'a': give one finite number"),
        ({1, float("nan")}, "give two or more texts or finite numbers"),
        ({1, "1"}, "give two or more texts or finite numbers"),
        (["a", "b", "a"], "are called 'a'"),
    ],
)
def test_a_list_that_does_not_fit_is_named(options, said):
    with pytest.raises(ValueError, match=said):
        FunctionSliders(lambda at: {"x": X}, {"word": options})


def test_rows_need_a_label_for_each_image():
    with pytest.raises(ValueError, match="fn returned 2 images in row 'one': there are 3 labels"):
        FunctionSliders(lambda a: shade("dark", 1, a), {"a": (0, 1)}, labels=["a", "b", "c"])


def test_the_twin_of_lists_is_asked_by_what_they_hold(lists):
    axes = lists.static([("dark", 1, 1.0), ("light", 20, 0.5)])
    assert axes.shape == (4, 2)
    assert "word = light, times = 20, height = 0.5" in axes[0, 1].get_title()
    assert lists.static().shape == (4, 1 + 2 * 3)
    plt.close("all")


class Flat:
    """A decoder to look at: three numbers are the shade, the height of a bar and nothing."""

    latent_shape = (3,)

    def decode(self, z):
        return z[:, :1, None, None].expand(-1, 1, 2, 4) + z[:, 1, None, None, None] * torch.eye(2, 4)


def codes(word, a):
    return torch.tensor([[0.5, a, 9.0], [0.25, 0.0, -9.0]]) * (1 if word == "one" else 0.5)


def test_codes_are_decoded():
    explorer = FunctionSliders(codes, {"word": ["one", "half"], "a": (0, 0.5)}, labels=["x", "y"], model=Flat())
    assert torch.allclose(explorer.panels["x"], 0.5 + 0.25 * torch.eye(2, 4)[None])
    explorer.move_to("half", 0.5)
    assert torch.allclose(explorer.panels["x"], 0.25 + 0.25 * torch.eye(2, 4)[None])
    assert torch.equal(explorer._codes([1, 0.5]), codes("half", 0.5))
    rows = FunctionSliders(lambda a: {"p": codes("one", a), "q": codes("half", a)}, {"a": (0, 0.5)}, model=Flat())
    assert torch.equal(rows._codes([0.5]), torch.cat([codes("one", 0.5), codes("half", 0.5)]))
    assert torch.allclose(rows.panels["q, 2"], torch.full((1, 2, 4), 0.125))


@pytest.mark.parametrize(
    ("fn", "kind", "said"),
    [
        (lambda a: X, ValueError, r"codes of shape \(1, 3, 5\): with this model they must be \(K, 3\)"),
        (lambda a: torch.zeros(2, 4), ValueError, r"codes of shape \(2, 4\)"),
        (lambda a: torch.zeros(0, 3), ValueError, r"codes of shape \(0, 3\)"),
        (lambda a: [0.0, 1.0, 2.0], TypeError, "fn returned a list: with a model it must return codes"),
        (lambda a: torch.full((2, 3), torch.inf), ValueError, "NaN or infinite numbers in its codes"),
    ],
)
def test_codes_that_do_not_fit_are_named(fn, kind, said):
    with pytest.raises(kind, match=said):
        FunctionSliders(fn, {"a": (0, 1)}, labels=["x", "y"], model=Flat())


def test_a_model_that_cannot_decode_is_named():
    with pytest.raises(TypeError, match="a str has no decode"):
        FunctionSliders(codes, {"a": (0, 1)}, model="nothing")
