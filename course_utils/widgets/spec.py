"""The contract between an explorer in Python and its half in the browser: every field that goes to and fro.

`CONTRACT` is written here and nowhere else. Python checks by it what it sends and what it gets; explorer.py puts it as
JSON in front of spec.js, which checks in the browser, in the same words. A type is one of

    "text"                              a word of WORDS
    ["text"]                            a list, of any length
    ["number", "number"]                a list of exactly these
    {"label": "text", "reset?": "text"} a record of exactly these fields; one with "?" may be missing
    {"one of": ["line", "bars"]}        one of these words
    {"or null": "number"}               that, or nothing
    {"by kind": {"image": {...}, ...}}  a record, whose field `kind` says which
    {"every": "text"}                   a record of any fields, each of that type

and where a record has the fields min and max, min is below max.
"""

import json
import math

import numpy as np
import torch
from torch import Tensor

WORDS = {
    "text": "text",
    "number": "a finite number",
    "positive": "a number above 0",
    "whole": "a whole number from 0",
    "truth": "true or false",
    "range": "two finite numbers, the smaller first",
    "choice": "text, a finite number, true, false or nothing",
}
POINT = ["number", "number"]  # x and y, in units of the map

# ------------------------------------------------------------------ _spec: what an explorer looks like, sent once

PANELS = {
    "image": {
        "title": "text",
        "shape": ["whole", "whole", "whole"],  # height, width, channels: so many bytes of _frame are its own
        "size": "positive",  # width in CSS pixels
    },
    "chart": {
        "title": "text",
        "chart": ["positive", "positive"],  # width and height in CSS pixels
    },
}
COMMON = {
    "className": "text",  # for explorer.css
    "title": "text",  # what a screen reader calls the explorer
    "help": "text",  # how to use the control
    "words": {"every": "text"},  # templates of what it says, by words.py and words.js
    "rows": [{"title": "text", "panels": [{"by kind": PANELS}]}],
}
SLIDER = {"label": "text", "min": "number", "max": "number", "step": "positive"}
OPTIONS = {"options?": ["choice"]}  # where it is a list to choose from: its number is a place in it
MAP = {
    "label": "text",  # what a screen reader calls the map
    "size": "positive",  # width in CSS pixels
    "xRange": "range",  # left and right end
    "yRange": "range",  # lower and upper end
    "axes": ["text", "text"],
    "names": ["text"],  # of the classes
    "palette": ["text"],  # colours of the classes, used again from the first
}
NAME_PLACES = [["whole", "number", "number"]]  # class; x and y of its name in pixels, from the upper left corner

# ------------------------------------------------------------------ _answer: what is shown now

SERIES = {
    "name": "text",
    "kind": {"one of": ["line", "points", "bars", "markers"]},
    "count": "whole",  # numbers x, then as many y (markers have none), in _frame as float32
    "width": {"or null": "number"},  # of a bar
    "shape": "whole",  # of a marker or a dash
    "color": "text",
}
CHART = {
    "label": "text",  # the chart in words
    "series": [SERIES],
    "xRange": "range",
    "yRange": "range",
    "xlabel": "text",
    "ylabel": "text",
    "logX": "truth",
    "logY": "truth",
}
ANSWER = {
    "token": "text",  # of the message that it answers; empty where Python moved the control
    "text": "text",  # one sentence
    "captions": ["text"],  # one a panel
    "charts": [{"or null": CHART}],  # one a panel; null for an image
    "error": "text",  # empty where there is none; otherwise the panels keep what they show
    "warning": "text",  # empty, or what failed of what follows the explorer; the panels show the value
}

# ------------------------------------------------------------------ what each kind of control adds

FIELDS = {  # of _spec
    "slider": SLIDER,
    "sliders": {"sliders": [SLIDER | OPTIONS], "reset?": "text"},  # the name of a button that moves back to the start
    "pad": MAP | {"namePlaces": NAME_PLACES},
    "map": MAP | {"settings": [{"name": "text", "values": ["choice"]}]},  # what the sliders and lists choose a map by
    "brush": {
        "label": "text",  # what a screen reader calls the image that is painted on; its pixels are in _points
        "size": "positive",  # width in CSS pixels
        "shape": ["whole", "whole", "whole"],  # height, width, channels
        "cells": ["whole", "whole"],  # rows and columns
        "clear": "text",  # the name of a button that shows all
    },
}
MOVES = {  # what the browser sends
    "slider": "number",
    "sliders": ["number"],  # one a slider
    "pad": POINT,
    "map": {
        "at": POINT,
        "map": ["whole"],  # which of each setting's values
        "hidden": ["whole"],  # classes
        "pick": "truth",  # a click, which decodes the code
    },
    "brush": {"hidden": ["whole"]},  # cells, row by row
}
FOUND = {  # by the kernel at that place
    "index": "whole",  # which point
    "place": POINT,  # where it lies
    "friends": [POINT],  # where its nearest codes lie
    "names": NAME_PLACES,
    "decoded": {"or null": "whole"},  # the point whose code was decoded last
}
VALUES = MOVES | {"map": MOVES["map"] | FOUND}  # what the explorer shows: the start, and the value of each answer
# A move is what the trait `value` holds too. It travels as this trait, with the token in the trait `_ask`.

CONTRACT = {
    "words": WORDS,
    "spec": {"by kind": {kind: COMMON | fields | {"start": VALUES[kind]} for kind, fields in FIELDS.items()}},
    "answer": {kind: ANSWER | {"value": value} for kind, value in VALUES.items()},
    "message": {kind: {"value": move, "token": "text"} for kind, move in MOVES.items()},
}


def fault(wanted, value, place: str = "") -> str:
    """The first thing in a value that is not of the wanted type, in words; empty where all of it is."""
    if isinstance(wanted, str):
        return "" if _IS[wanted](value) else _must(place, value, WORDS[wanted])
    if isinstance(wanted, list):
        if not isinstance(value, (list, tuple)):
            return _must(place, value, "a list")
        if len(wanted) > 1 and len(value) != len(wanted):
            return _must(place, value, f"a list of {len(wanted)}")
        each = wanted if len(wanted) > 1 else wanted * len(value)
        return _first(fault(one, value[k], f"{place}[{k}]") for k, one in enumerate(each))
    if "or null" in wanted:
        return "" if value is None else fault(wanted["or null"], value, place)
    if "one of" in wanted:
        return "" if value in wanted["one of"] else _must(place, value, f"one of {', '.join(wanted['one of'])}")
    if not isinstance(value, dict):
        return _must(place, value, "a record")
    inside = f"{place}." if place else ""
    if "every" in wanted:
        return _first(fault(wanted["every"], one, f"{inside}{name}") for name, one in value.items())
    if "by kind" in wanted:
        kinds, kind = wanted["by kind"], value.get("kind")
        if not (isinstance(kind, str) and kind in kinds):
            return f"its {inside}kind is {_say(kind)}, but must be one of {', '.join(kinds)}"
        wanted = {"kind": "text"} | kinds[kind]
    known = {name.removesuffix("?"): name for name in wanted}
    for name, full in known.items():
        if name in value:
            if wrong := fault(wanted[full], value[name], inside + name):
                return wrong
        elif name == full:
            return f"its {inside}{name} is missing"
    if unknown := [name for name in value if name not in known]:
        return f"its {inside}{unknown[0]} is no field that is known"
    if "max" in known and value["min"] >= value["max"]:
        return f"its {inside}max is {_say(value['max'])}, but must be above its min, {_say(value['min'])}"
    return ""


def plain(value):
    """The same with Python's own numbers and lists in place of tensors and of NumPy's, which no message can carry."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]


_IS = {
    "text": lambda value: isinstance(value, str),
    "number": _is_number,
    "positive": lambda value: _is_number(value) and value > 0,
    "whole": lambda value: _is_number(value) and value >= 0 and value == int(value),
    "truth": lambda value: isinstance(value, bool),
    "range": _is_range,
    "choice": lambda value: value is None or isinstance(value, (str, bool)) or _is_number(value),
}


def _must(place: str, value, what: str) -> str:
    return f"{f'its {place}' if place else 'it'} is {_say(value)}, but must be {what}"


def _say(value) -> str:
    """A value in a few words, the same as spec.js says."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else f"{value[:40]}…", ensure_ascii=False)
    if isinstance(value, (bool, int, float)):
        return json.dumps(value).removesuffix(".0")
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return "a record" if isinstance(value, dict) else f"a {type(value).__name__}"


def _first(faults) -> str:
    return next(filter(None, faults), "")


def as_bytes(images: Tensor) -> np.ndarray:
    """Images (N, C, H, W), uint8 or floats in [0, 1], as bytes (N, H, W, C): what `_frame` and a page's files hold."""
    if images.dtype != torch.uint8:
        images = images.clamp(0, 1).mul(255).round().to(torch.uint8)
    return images.permute(0, 2, 3, 1).contiguous().numpy()
