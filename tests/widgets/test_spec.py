"""What Python and the browser tell each other fits the contract; what does not is an error that says so.

tests/browser/test_spec.py gives the browser's check the same right and wrong values.
"""

import copy
import json
import math

import numpy as np
import pytest
import torch
from small_models import style_gan
from widgets import test_handle_sliders as handles
from widgets.test_function_sliders import X, chart_and_image, line_chart
from widgets.test_map_explorer import CODES, LABELS, MAPS
from widgets.test_map_explorer import make as make_map
from widgets.test_widgets import SHAPE, Model, browser_moves, make_pad, pixels

from course_utils.data import ImageSet
from course_utils.models.pixels import PixelSpace
from course_utils.plots import Chart, Series
from course_utils.widgets import (
    ComponentSlider,
    Explorer,
    FunctionSlider,
    FunctionSliders,
    HandleSliders,
    LatentPad,
    MapExplorer,
    PathLab,
    PathSlider,
    StyleMixer,
    TruncationSlider,
)
from course_utils.widgets.spec import CONTRACT, fault, plain

KINDS = list(CONTRACT["spec"]["by kind"])
IMAGES = ImageSet((pixels(4) * 255).to(torch.uint8), torch.arange(4), ("Bag", "Coat", "Boot", "Shoe"))
X_OF_MODEL = pixels(1)[0]
EXPLORERS = {  # every class, and among them every kind and every field of the contract
    "pad": lambda: make_pad(images=pixels(60))[0],
    "components": lambda: ComponentSlider(Model(), X_OF_MODEL, start=1),
    "path": lambda: PathSlider(Model(), *pixels(2)),
    "function": lambda: FunctionSlider(lambda a: {"chart": line_chart(a, 0.5), "image": X * a}, 0, 1),
    "functions": lambda: FunctionSliders(chart_and_image, {"slope": (-2, 2, 1), "height": (0, 4)}),
    "handles": lambda: HandleSliders(handles.Model(), handles.image()),
    "laboratory": lambda: PathLab({"pixels": PixelSpace(SHAPE)}, IMAGES),
    "styles": lambda: StyleMixer(style_gan((3, 6, 10)), torch.eye(7)[:2], start=[0.25]),
    "truncation": lambda: TruncationSlider({"w": (style_gan().in_w(), torch.eye(7)[:2], None)}),
    "map": make_map,
    "map of images": lambda: make_map({"PCA": CODES[:, :2]}, settings=("method",), model=None, codes=None),
}
MESSAGES = {
    "slider": {"value": 0.25, "token": "view:1"},
    "sliders": {"value": [1, 0.5], "token": "view:1"},
    "pad": {"value": [0.5, -1], "token": "view:1"},
    "map": {"value": {"at": [0, 0.5], "map": [0, 1], "hidden": [2], "pick": True}, "token": "view:1"},
}
WRONG = {  # for each word of the contract
    "text": [3, None],
    "number": ["3", None, True, [0.5], math.nan, math.inf],
    "positive": [0, -1, "3", -math.inf],
    "whole": [1.5, -1, "1", True],
    "truth": [1, "true", None],
    "range": [[1, 1], [2, 1], [1], [0, "1"], [0, math.nan], 3],
    "choice": [[], {}, math.nan],
}


def parts(explorer) -> list:
    """(type, value) of what an explorer tells the browser, and of a message that it gets, as plain JSON."""
    kind = explorer._spec["kind"]
    sent = explorer.get_state()
    told = [
        (["spec"], sent["_spec"]),
        (["answer", kind], sent["_answer"]),
        (["message", kind], MESSAGES[kind]),
    ]
    return [(way, json.loads(json.dumps(value, allow_nan=False))) for way, value in told]


def table(way: list):
    """The type at a way through the contract."""
    wanted = CONTRACT
    for name in way:
        wanted = wanted[name]
    return wanted


def walk(wanted, value, way=()):
    """(way, type, value) of everything in a right value, itself first; of a list its first two."""
    yield way, wanted, value
    if isinstance(wanted, list):
        each = wanted if len(wanted) > 1 else wanted * len(value)
        for k in range(min(2, len(value))):
            yield from walk(each[k], value[k], (*way, k))
    elif isinstance(wanted, dict) and "or null" in wanted:
        if value is not None:
            yield from list(walk(wanted["or null"], value, way))[1:]
    elif isinstance(wanted, dict) and "every" in wanted:
        for name, each in list(value.items())[:2]:
            yield from walk(wanted["every"], each, (*way, name))
    elif isinstance(wanted, dict) and "one of" not in wanted:
        fields = wanted["by kind"][value["kind"]] if "by kind" in wanted else wanted
        for name, one in fields.items():
            if name.removesuffix("?") in value:
                yield from walk(one, value[name.removesuffix("?")], (*way, name.removesuffix("?")))


def spell(way) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in way).removeprefix(".")


def changed(value, way, change):
    """A copy whose part at a way is what `change` makes of it."""
    if not way:
        return change(copy.deepcopy(value))
    value = copy.deepcopy(value)
    inner = value
    for one in way[:-1]:
        inner = inner[one]
    inner[way[-1]] = change(inner[way[-1]])
    return value


def without(name):
    return lambda record: {key: one for key, one in record.items() if key != name}


def faults(wanted, value):
    """(wrong value, beginning of the sentence that it must get): each part missing, mistyped, and one too many."""
    for way, one, _ in walk(wanted, value):
        place, inside = f"its {spell(way)}" if way else "it", "".join([spell(way), "." if way else ""])
        nullable = isinstance(one, dict) and "or null" in one
        one = one["or null"] if nullable else one
        if isinstance(one, str):
            bad = [wrong for wrong in WRONG[one] if not (nullable and wrong is None)]
        elif isinstance(one, list):
            bad = [3, {"0": 1}, "text"] + ([[0]] if len(one) > 1 else [])
        elif "one of" in one:
            bad = ["pie", 3, None]
        else:
            bad = [3, [], "text"]
        for wrong in bad:
            yield changed(value, way, lambda _, wrong=wrong: wrong), f"{place} is "
        if isinstance(one, dict) and not {"one of", "every"} & set(one) and isinstance(_at(value, way), dict):
            fields = one
            if "by kind" in one:
                fields = one["by kind"][_at(value, way)["kind"]]
                for kind in ("paad", "", None, 3, "toString"):
                    wrong = changed(value, (*way, "kind"), lambda _, kind=kind: kind)
                    yield wrong, f"its {inside}kind is {json.dumps(kind) if kind is not None else 'nothing'}, but must"
            for name in fields:
                if not name.endswith("?"):
                    yield changed(value, way, without(name)), f"its {inside}{name} is missing"
            yield changed(value, way, lambda record: record | {"stepp": 1}), f"its {inside}stepp is no field"


def _at(value, way):
    for one in way:
        value = value[one]
    return value


def cases() -> list:
    """(way to the type, value, beginning of the sentence): "" where the value is right."""
    found = [(way, value, "") for make in EXPLORERS.values() for way, value in parts(make())]
    found += [(way, *bad) for way, value, _ in list(found) for bad in faults(table(way), value)]
    slider = parts(EXPLORERS["components"]())[0][1]
    for low, high in ((1, 1), (2, 1.5)):
        found.append((["spec"], slider | {"min": low, "max": high}, f"its max is {high}, but must be above its min"))
    words = ["", "ü", "x" * 39 + "é", "x" * 41, '"quoted"\n', 0.1, -2.0, 1e21, False]
    found += [(["spec"], slider | {"kind": word}, "its kind is ") for word in words]
    found += [(["spec"], value, "it is ") for value in (None, 3, [], "")]
    optional = parts(EXPLORERS["handles"]())[0][1]
    return [*found, (["spec"], without("reset")(optional), ""), (["spec"], optional | {"reset": None}, "its reset is ")]


@pytest.fixture(scope="module")
def all_cases():
    return cases()


def test_every_wrong_part_of_every_message_is_named(all_cases):
    assert len(all_cases) > 2000
    for way, value, sentence in all_cases:
        said = fault(table(way), value)
        assert said.startswith(sentence) if sentence else said == "", (way, sentence, said)


def test_the_explorers_use_every_field_of_the_contract():
    used, written = set(), set()
    for make in EXPLORERS.values():
        for way, value in parts(make()):
            kind = value["kind"] if way == ["spec"] else way[1]
            found = walk(table(way), value)
            used |= {(way[0], kind, spell(0 if isinstance(one, int) else one for one in at)) for at, _, _ in found}

    def fields(wanted, kind, way=()):
        yield way
        if isinstance(wanted, list):
            yield from (at for one in wanted[:2] for at in fields(one, kind, (*way, 0)))
        elif isinstance(wanted, dict) and "or null" in wanted:
            yield from fields(wanted["or null"], kind, way)
        elif isinstance(wanted, dict) and not {"one of", "every"} & set(wanted):
            if "by kind" in wanted:
                kinds = wanted["by kind"]
                wanted = {name: one for each in kinds.values() for name, one in each.items()} if way else kinds[kind]
            for name, one in wanted.items():
                yield from fields(one, kind, (*way, name.removesuffix("?")))

    for kind in KINDS:
        for part, way in (("spec", ["spec"]), ("answer", ["answer", kind]), ("message", ["message", kind])):
            written |= {(part, kind, spell(at)) for at in fields(table(way), kind)}
    # A pad and a map show no charts, and a list of numbers may be empty.
    unused = {(part, kind, at) for part, kind, at in written - used if not at.endswith("]")}
    assert {one for one in unused if not (one[1] in ("pad", "map") and "chart" in one[2])} == set()


def test_what_is_no_json_at_all_is_named():
    for value, said in [({1}, "a set"), (torch.zeros(2), "a Tensor"), (np.float32(1), "a float32")]:
        assert fault("text", value) == f"it is {said}, but must be text"


def test_plain_makes_numbers_pythons_own():
    value = {"a": torch.tensor(1.5), "b": (np.int64(2), [np.float32(0.5)]), "c": np.arange(2), "d": "text", "e": None}
    made = plain(value)
    assert made == {"a": 1.5, "b": (2, [0.5]), "c": [0, 1], "d": "text", "e": None}
    assert [type(one) for one in (made["a"], made["b"][0], made["b"][1][0], made["c"][0])] == [float, int, float, int]


# ------------------------------------------------------------------ an explorer of one's own


class Own(Explorer):
    """The smallest explorer there can be, with a description to spoil."""

    def __init__(self, spec=(), said="A sentence."):
        self._said = said
        own = {"kind": "slider", "className": "own", "title": "Own", "label": "a", "help": "Drag."}
        super().__init__(own | {"min": 0, "max": 1, "step": 0.1} | dict(spec), 0.5)

    def _draw(self, value):
        return [torch.zeros(1, 2, 2)], ["zeros"], self._said if value > 0.2 else 3, value

    def _rows(self):
        return [{"title": "", "panels": [{"kind": "image", "title": "zeros", "shape": (2, 2, 1), "size": 100}]}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "paad"}, "'paad'.*: its kind is \"paad\", but must be one of slider, sliders, pad, map"),
        ({"step": 0}, "of kind 'slider' cannot be described so: its step is 0, but must be a number above 0"),
        ({"title": None}, "its title is nothing, but must be text"),
        ({"stepp": 1}, "its stepp is no field that is known"),
        ({"min": torch.tensor(2.0)}, "its max is 1, but must be above its min, 2"),
    ],
)
def test_a_description_that_does_not_fit_fails_where_it_is_made(spec, message):
    with pytest.raises(ValueError, match=message) as error:
        Own(spec)
    assert "\n" not in str(error.value)


def test_an_answer_that_does_not_fit_is_shown_and_the_explorer_goes_on():
    with pytest.raises(ValueError, match="of kind 'slider' cannot answer so: its text is nothing, but must be text"):
        Own(said=None)
    explorer = Own()
    browser_moves(explorer, 0.1)
    assert explorer.error.endswith("cannot answer so: its text is 3, but must be text.")
    assert explorer.text == "A sentence."
    browser_moves(explorer, 0.9)
    assert explorer.error == ""


@pytest.mark.parametrize("name", EXPLORERS)
def test_messages_that_do_not_fit_are_answered_in_one_sentence(name):
    explorer = EXPLORERS[name]()
    kind, shown, frame = explorer._spec["kind"], explorer._answer["value"], explorer._frame
    wanted, right = CONTRACT["message"][kind], MESSAGES[kind]
    cases = [(content, sentence) for content, sentence in faults(wanted, right) if isinstance(content, dict)]
    for content, sentence in [one for one in cases if set(one[0]) == {"value", "token"}]:
        browser_moves(explorer, content["value"], content["token"])
        said = explorer.error
        assert said.startswith(f"The explorer got a message that it cannot read: {sentence}"), content
        assert said.endswith("; reload the page.")
        assert "\n" not in said
        assert explorer._answer["token"] == (content["token"] if isinstance(content["token"], str) else "")
        assert (explorer._answer["value"], explorer._frame) == (shown, frame)
    move = {key: shown[key] for key in ("at", "map", "hidden", "pick")} if kind == "map" else shown
    browser_moves(explorer, move)
    assert explorer.error == ""


# ------------------------------------------------------------------ numbers, at the door


def functions(*slider):
    return FunctionSliders(lambda a: {"x": X * 0.5}, {"a": slider})


def function(low, high, **options):
    return FunctionSlider(lambda a: {"x": X * 0.5}, low, high, **options)


def pad(**options):
    return make_pad(Model(3), **options)[0]


f32, i64, t = np.float32, np.int64, torch.tensor
SAME = {  # explorers of tensors and NumPy's numbers, and the same of Python's
    "functions": (lambda: functions(t(0.0), f32(2), f32(0.5), t(0.25)), lambda: functions(0, 2, 0.5, 0.25)),
    "gradient": (lambda: functions(t(0.0, requires_grad=True), t([2.0])), lambda: functions(0, 2)),
    "function": (
        lambda: function(i64(0), f32(2), start=t(1), step=f32(0.5)),
        lambda: function(0, 2, start=1, step=0.5),
    ),
    "components": (
        lambda: ComponentSlider(Model(), X_OF_MODEL, start=t(1), maximum=i64(2)),
        lambda: ComponentSlider(Model(), X_OF_MODEL, start=1, maximum=2),
    ),
    "path": (
        lambda: PathSlider(Model(), *pixels(2), start=f32(0.25)),
        lambda: PathSlider(Model(), *pixels(2), start=0.25),
    ),
    "handles": (
        lambda: HandleSliders(handles.Model(), handles.image(), reach=t(2.0), dims=t([0, 2])),
        lambda: HandleSliders(handles.Model(), handles.image(), reach=2, dims=[0, 2]),
    ),
    "laboratory": (
        lambda: PathLab({"pixels": PixelSpace(SHAPE)}, IMAGES, start=(i64(1), t(2), f32(0.25))),
        lambda: PathLab({"pixels": PixelSpace(SHAPE)}, IMAGES, start=(1, 2, 0.25)),
    ),
    "pad": (
        lambda: pad(start=t([0.5, 1.0]), dims=t([2, 0]), size=i64(200)),
        lambda: pad(start=(0.5, 1.0), dims=(2, 0), size=200),
    ),
    "pad's start": (lambda: pad(start=(t(0.5), f32(1))), lambda: pad(start=(0.5, 1.0))),
    "map": (
        lambda: make_map({(i64(p), t(s)): points for (p, s), points in MAPS.items()}, size=f32(300)),
        lambda: make_map(size=300),
    ),
    "map by number": (
        lambda: make_map({f32(0.5): CODES[:, :2], f32(0.25): CODES[:, 1:3]}, settings=("weight",)),
        lambda: make_map({0.5: CODES[:, :2], 0.25: CODES[:, 1:3]}, settings=("weight",)),
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_tensors_and_numbers_of_numpy_are_numbers(case):
    theirs, ours = (make().get_state() for make in SAME[case])
    for trait in ("_spec", "_answer"):
        assert json.dumps(theirs[trait], allow_nan=False) == json.dumps(ours[trait], allow_nan=False)
    assert theirs["_frame"] == ours["_frame"]


def test_charts_of_numbers_of_numpy_too():
    series = [
        Series("line", t([0.0, 1.0]), np.arange(2), color=i64(1)),
        Series("bar", [1], [1], "bars", width=f32(0.5)),
    ]
    chart = Chart(series, (f32(0), t(1.0)), (0, 2), "x", "y", log_x=np.bool_(False))
    described = FunctionSlider(lambda a: {"chart": chart}, 0, 1)._answer["charts"][0]
    assert json.loads(json.dumps(described))["series"][1]["width"] == 0.5
    assert described["logX"] is False


BAD = {
    "no step": (
        lambda: functions(0, 1, 0.5, 0),
        "the step of the slider 'a' is 0: give a number above 0 and at most 1",
    ),
    "one step of no size": (lambda: function(0, 1, step=0), "the step of the slider 'value' is 0"),
    "a step back": (lambda: functions(0, 1, 0.5, -0.1), "the step of the slider 'a' is -0.1"),
    "a wide step": (lambda: functions(0, 1, 0.5, 2), "the step of the slider 'a' is 2: .* at most 1"),
    "NaN step": (lambda: functions(0, 1, 0.5, math.nan), "the step of the slider 'a' is nan: give one finite number"),
    "no end": (lambda: functions(0, math.inf), "an end of the slider 'a' is inf: give one finite number"),
    "NaN end": (lambda: functions(t(math.nan), 1), r"an end of the slider 'a' is tensor\(nan\): give one finite"),
    "text": (lambda: functions("0", 1), "an end of the slider 'a' is '0': give one finite number"),
    "two numbers": (lambda: functions(t([0.0, 1.0]), 2), "an end of the slider 'a' is .*: give one finite number"),
    "nothing": (lambda: functions(None, 2), "an end of the slider 'a' is None: give one finite number"),
    "start": (lambda: functions(0, 1, math.inf), "the start of the slider 'a' is inf"),
    "title": (lambda: FunctionSliders(lambda a: {"x": X}, {"a": (0, 1)}, title=3), "its title is 3, but must be text"),
    "no components": (
        lambda: ComponentSlider(Model(), X_OF_MODEL, maximum=0),
        "maximum is 0: give a whole number from 1",
    ),
    "half": (lambda: ComponentSlider(Model(), X_OF_MODEL, start=0.5), "start is 0.5: give a whole number from 0"),
    "NaN weight": (lambda: PathSlider(Model(), *pixels(2), start=math.nan), "start is nan: give one finite number"),
    "reach": (lambda: HandleSliders(handles.Model(), handles.image(), reach=math.inf), "reach is inf: give one finite"),
    "half a dim": (
        lambda: HandleSliders(handles.Model(), handles.image(), dims=[0.5]),
        "one of dims is 0.5: give a whole",
    ),
    "half an image": (
        lambda: PathLab({"pixels": PixelSpace(SHAPE)}, IMAGES, start=(0.5, 1, 0)),
        "no image 0.5: use 0 to 3",
    ),
    "pad size": (lambda: pad(size=0), "size is 0: give a whole number from 100"),
    "pad size NaN": (lambda: pad(size=math.nan), "size is nan"),
    "pad dims": (lambda: pad(dims=(0, 1.5)), "one of dims is 1.5: give a whole number"),
    "pad start": (lambda: pad(start=("0", 1)), r"start is \('0', 1\): give two finite numbers"),
    "map size": (lambda: make_map(size=44), "size is 44: give a whole number from 100"),
    "map NaN": (
        lambda: make_map({math.nan: CODES[:, :2]}, settings=("p",)),
        "a map is called nan: call it by text or by finite numbers",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_arguments_are_checked_where_the_explorer_is_made(case):
    make, message = BAD[case]
    with pytest.raises((TypeError, ValueError), match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_the_names_of_classes_are_text_for_the_browser():
    shown = [
        LatentPad(Model(), torch.zeros(2, 2), [0, 1], [0, 1]),
        MapExplorer(CODES[:, :2], LABELS, range(3), images=pixels(40)),
    ]
    assert [explorer._spec["names"] for explorer in shown] == [("0", "1"), ("0", "1", "2")]
