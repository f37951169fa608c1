"""An explorer's value is a trait: set, observed, and tied to ipywidgets' controls and to other explorers."""

import ipywidgets
import pytest
import torch
import traitlets
from widgets.test_spec import EXPLORERS
from widgets.test_widgets import Fragile, Model, browser_moves, make_pad, pixels

from course_utils.widgets import FunctionSlider, FunctionSliders, LatentPad, PathSlider

OTHER = {  # a value of each that is not its start
    "pad": [0.5, -1.25],
    "components": 2,
    "path": 0.25,
    "function": 0.75,
    "functions": [-1.0, 3.5],
    "handles": [0.5, -0.25, 0.0, 1.0, 2.0],
    "laboratory": [2, 3, 0.75],
    "styles": [0.75],
    "truncation": 0.5,
    "map": {"at": [0.25, -0.5], "map": [0, 0], "hidden": [1], "pick": True},
    "map of images": {"at": [0.25, -0.5], "map": [0], "hidden": [], "pick": False},
}
WRONG = {
    "pad": ["left", None, 0.5, [0.5], [0.5, 1, 2], [0.5, float("nan")], {"x": 1}],
    "components": ["2", 1.5, 7, -1, [1], None],
    "path": [1.5, -0.1, "a", [0.5], None, float("inf")],
    "function": [2.0, "a", [0.5]],
    "functions": [[0.5], [3.0, 0.0], 0.5, ["a", 1]],
    "handles": [[0.5], [9.0] * 5, "a"],
    "laboratory": [[0, 9, 0.5], [0.5, 1, 0.5], [0, 1], [0, 1, 2.0]],
    "styles": [[1.5], [-0.1], [0.5, 0.5], [], 0.5, ["a"], [None]],
    "truncation": [1.55, -0.1, "a", [0.5], None, float("nan")],
    "map": [0.5, [0.5, 0.5], {"at": [0, 0]}, OTHER["map"] | {"map": [9, 0]}, OTHER["map"] | {"hidden": [0, 1, 2]}],
    "map of images": [{"at": "here", "map": [0], "hidden": [], "pick": False}],
}


def watch(explorer, name="value") -> list:
    heard = []
    explorer.observe(lambda change: heard.append(change["new"]), name)
    return heard


@pytest.mark.parametrize("name", EXPLORERS)
def test_to_set_the_value_is_to_show_it(name):
    explorer, other = EXPLORERS[name](), EXPLORERS[name]()
    heard, frame = watch(explorer), explorer._frame
    explorer.value = OTHER[name]
    browser_moves(other, OTHER[name])
    assert explorer.value == OTHER[name] == other.value
    assert explorer._frame == other._frame != frame
    assert explorer.text == other.text
    assert heard == [OTHER[name]]
    explorer.value = OTHER[name]
    assert heard == [OTHER[name]], "the same value is no change"


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_wrong_value_is_refused_in_one_sentence_and_the_old_one_stays(name):
    explorer = EXPLORERS[name]()
    explorer.value = OTHER[name]
    heard, shown = watch(explorer), (explorer._frame, explorer.text)
    for wrong in WRONG[name]:
        with pytest.raises((traitlets.TraitError, ValueError, TypeError)) as error:
            explorer.value = wrong
        assert "\n" not in str(error.value)
        assert str(error.value).rstrip(".") in explorer.error, "nobody sees what a slider tied to it raises"
        assert (explorer.value, explorer._frame, explorer.text) == (OTHER[name], *shown)
    assert heard == []
    explorer.value = OTHER[name]
    assert explorer.error == ""


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_move_in_the_browser_is_heard_once_and_everything_is_new_by_then(name):
    explorer = EXPLORERS[name]()
    heard = []
    explorer.observe(lambda change: heard.append((change["new"], explorer.value, explorer.text)), "value")
    browser_moves(explorer, OTHER[name])
    assert heard == [(OTHER[name], OTHER[name], explorer.text)]
    browser_moves(explorer, OTHER[name], "view:2")
    assert len(heard) == 1
    assert explorer._answer["token"] == "view:2", "an answer is due even so"


def test_the_value_that_is_really_used_comes_back():
    """The marker of a map follows its image to the image's place on another map."""
    explorer = EXPLORERS["map"]()
    explorer.value = explorer.value | {"map": [1, 1]}
    place = explorer._answer["value"]["place"]
    assert explorer.value["at"] == pytest.approx(place)
    assert explorer.value["at"] != [0, 0]


def test_a_list_that_is_changed_in_place_changes_nothing():
    pad, _ = make_pad()
    pad.value[0] = 7
    assert pad.value == [0, 0]
    pad.value = (0.5, torch.tensor(0.25))
    assert pad.value == [0.5, 0.25]
    pad.value = torch.tensor([0.5, 1])
    assert pad.value == [0.5, 1]


def test_each_number_of_a_list_is_a_trait():
    pad, _ = make_pad()
    heard, first, second = watch(pad), watch(pad, "value_0"), watch(pad, "value_1")
    pad.value_0 = 0.5
    pad.value = [0.5, -1]
    assert (pad.value, pad.value_0, pad.value_1) == ([0.5, -1], 0.5, -1)
    assert (heard, first, second) == ([[0.5, 0], [0.5, -1]], [0.5], [-1])
    with pytest.raises(traitlets.TraitError, match=r"its \[1\] is \"up\", but must be a finite number"):
        pad.value_1 = "up"
    assert pad.value == [0.5, -1]
    assert not EXPLORERS["path"]().has_trait("value_0")


def test_a_slider_and_an_explorer_tied_by_link():
    explorer, slider = EXPLORERS["path"](), ipywidgets.FloatSlider(0.25, min=0, max=2)
    traitlets.link((slider, "value"), (explorer, "value"))
    assert explorer.value == 0.25
    heard = watch(explorer)
    slider.value = 0.75
    browser_moves(explorer, 0.5)
    assert (slider.value, explorer.value, heard) == (0.5, 0.5, [0.75, 0.5])
    with pytest.raises(ValueError, match="1.5 is no weight"):
        slider.value = 1.5
    assert explorer.value == 0.5
    pad, _ = make_pad()
    traitlets.link((slider, "value"), (pad, "value_1"))
    slider.value = 0.125
    assert pad.value == [0, 0.125]


def test_two_explorers_tied_by_link_follow_each_other_without_a_loop():
    (one, _), (two, _) = make_pad(), make_pad(Model(seed=4))
    ipywidgets.link((one, "value"), (two, "value"))
    heard = watch(one), watch(two)
    browser_moves(one, [0.5, 1])
    two.value_0 = 2
    assert one.value == two.value == [2, 1]
    assert heard == ([[0.5, 1], [2, 1]],) * 2


def test_interact_and_interactive_output_take_an_explorer():
    pad, _ = make_pad()
    seen = []
    ipywidgets.interactive_output(lambda z: seen.append(z), {"z": pad})
    inside = ipywidgets.interactive(lambda z, w: seen.append((z, w)), z=pad, w=(0.0, 1.0))
    assert pad in inside.children
    browser_moves(pad, [1, 0])
    assert [1, 0] in seen
    assert ([1, 0], 0.5) in seen
    assert isinstance(pad, ipywidgets.ValueWidget)


def test_jslink_finds_the_traits():
    pad, slider = make_pad()[0], ipywidgets.FloatSlider()
    ipywidgets.jslink((slider, "value"), (pad, "value_0"))
    ipywidgets.jslink((make_pad()[0], "value"), (pad, "value"))
    state = pad.get_state()
    assert {"value", "value_0", "value_1", "_ask"} <= set(state)


def asks(explorer, **state) -> None:
    """What the browser saves after another control there has set a trait of the explorer: no token."""
    explorer._handle_msg({"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []})


def test_what_jslink_sets_is_shown_and_what_follows_from_itself_is_not_drawn_again():
    model = Model()
    pad, _ = make_pad(model)
    asks(pad, value_0=0.5)
    assert pad.value == [0.5, 0]
    asks(pad, value=[0.25, 1], value_0=0.25, value_1=1)
    assert (pad.value, pad._answer["token"]) == ([0.25, 1], "")
    drawn = len(model.modes)
    asks(pad, value=[0.25, 1])
    assert len(model.modes) == drawn


def sent_by(explorer, monkeypatch, move) -> list[set]:
    """The names in each message to the browser."""
    if getattr(explorer.comm, "kernel", True) is None:  # ipywidgets 7 sends nothing without a kernel
        monkeypatch.setattr(type(explorer.comm), "kernel", object())
    sent = []
    explorer.send_state = lambda key=None: sent.append({key} if isinstance(key, str) else set(key))
    move()
    return sent


def test_the_browser_is_told_of_the_value_only_where_it_has_another(monkeypatch):
    pad, broken = make_pad()[0], make_pad(Fragile(), start=(-1, 0))[0]
    drawn = {"_frame", "_answer"}
    assert sent_by(pad, monkeypatch, lambda: browser_moves(pad, [1, 0.5])) == [drawn]
    both = {"value", "value_0", "value_1"}
    assert sent_by(pad, monkeypatch, lambda: setattr(pad, "value", [2, 3])) == [drawn | both]
    told = sent_by(broken, monkeypatch, lambda: browser_moves(broken, [1, 0]))
    assert told == [{"_answer"}, both], "the browser must go back to what is shown"
    assert broken.value == [-1, 0]


def test_what_fails_in_an_observer_is_shown_beside_the_picture():
    pad, _ = make_pad()
    before = pad._frame

    def fails(change):
        raise RuntimeError("no ink")

    pad.observe(fails, "value")
    browser_moves(pad, [1, 0], "view:3")  # raises nothing: nobody would see it
    assert pad.value == [1, 0]
    assert pad._frame != before
    assert pad._answer["error"] == ""
    assert pad.error == "What follows this explorer failed: an observer, or a link. RuntimeError: no ink"
    assert pad._answer["token"] == "view:3"
    with pytest.raises(RuntimeError, match="no ink"):
        pad.value = [0, 0]
    pad.unobserve_all("value")
    browser_moves(pad, [1, 1])
    assert pad.error == ""


def test_an_observer_may_move_the_explorer_again():
    explorer = EXPLORERS["function"]()
    explorer.observe(lambda change: setattr(explorer, "value", round(change["new"])), "value")
    browser_moves(explorer, 0.8)
    assert explorer.value == 1
    assert explorer._answer["value"] == 1


def test_explorers_take_a_layout_and_stand_in_boxes():
    x = torch.ones(1, 1, 4, 4)
    made = [
        FunctionSlider(lambda a: x * a, 0, 1, labels=["x"], layout={"width": "50%"}),
        FunctionSliders(lambda a: {"x": x[0] * a}, {"a": (0, 1)}, layout=ipywidgets.Layout(width="50%")),
        PathSlider(Model(), *pixels(2), layout={"width": "50%"}),
        LatentPad(Model(), torch.zeros(2, 2), [0, 1], ["a", "b"], layout={"width": "50%"}),
    ]
    assert [one.layout.width for one in made] == ["50%"] * 4
    assert ipywidgets.HBox([*made, ipywidgets.FloatSlider()]).children[:4] == tuple(made)
