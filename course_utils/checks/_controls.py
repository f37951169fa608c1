"""Exercises whose answer is a function that makes a control of plain ipywidgets: a slider, and a picture that follows.

The check calls the learner's function with a small model, or with a function that draws. It moves each slider that it
finds as a browser would, and notes what the model was asked and what a reader would see. How the control is built does
not count: `interact`, `interactive_output`, `observe`, `jslink`, an `Image`, an `Output` with a figure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._difference import difference, kind, number, numbers

PLACES = (0.0, 1.0, 0.3)  # where each slider is moved to, as shares of its range; then back to its start


def control(
    reference: Callable,
    inputs: Callable | Mapping[str, Callable],
    mistakes: Sequence[Mistake] = (),
    *,
    verb: str = "decode",
    steps: bool = False,
    **options,
) -> Check:
    """The check of an exercise whose answer makes a control.

    The first of its inputs is the model, or a function that draws. The answer returns a widget, or what `interact`
    returns. Its sliders must have the ends and the start of the reference's, and have the model asked for the same;
    what is seen must follow them.

    Args:
        reference: The right answer.
        inputs: As for `Check`.
        mistakes: As for `Check`.
        verb: The model's method that the picture comes from; "" where the first input is itself called.
        steps: Whether the sliders must have the reference's steps too.
        options: Further fields of the `Check`.
    """
    observe, compare = partial(_observe, verb), partial(_fault, verb, steps)
    return Check(reference, inputs, mistakes, observe=observe, compare=compare, **{"draws": 1} | options)


def _observe(verb: str, fn: Callable, first: Any, *inputs: Any) -> Any:
    """What is found of a control, in terms that do not depend on how it is built; what is no control, as it is."""
    from course_utils.widgets.screen import Screen

    screen, moves = Screen(), []
    with screen.on(), _noted(first, verb) as (noted, asked):
        made = fn(noted, *inputs)
        box = getattr(made, "widget", made)  # of what `interact` returns
        if not hasattr(box, "comm"):
            return made
        screen.display(box)
        begun, sliders = screen.seen(box), screen.sliders(box)
        ends = [[float(one.min), float(one.max), float(one.value)] for one in sliders]
        for slider, (low, high, start) in zip(sliders, ends, strict=True):
            for value in (*(low + share * (high - low) for share in PLACES), start):
                asked.clear()
                published, before = screen.published, screen.seen(box)
                screen.move(slider, value)
                after = screen.seen(box)
                moves.append((value, list(asked), after != before, screen.published > published or bool(asked), after))
        chosen = _choices(screen, box, asked)
        deaf = bool(screen.errors) and any(map(_listens_to_all, sliders))
        if screen.errors and not deaf:
            raise screen.errors[0]
        for slider in sliders:  # away from the start, where what was changed in place would be as it was
            screen.move(slider, slider.min)
    images = [[content for form, content in seen if form == "image"] for seen in (begun, *(one[-1] for one in moves))]
    return Parts({
        "": "a control",
        "its sliders": torch.tensor(ends, dtype=torch.float64),
        "their kinds": [type(one).__name__ for one in sliders],
        "their steps": [float(one.step) for one in sliders],
        "what they listen to": "everything" if deaf else "",
        "pictures at first": min(len(images[0]), 1),
        "places": [one[0] for one in moves],
        "asked": _rows([one[1] for one in moves]),
        "something happens": [one[3] for one in moves],
        "another picture": [one[2] for one in moves],
        "lost": screen.lost > 0,
        "never shown": screen.unshown > 0,
        "more and more pictures": bool(moves) and len(images[-1]) > len(images[1]),
        "the same at the start": bool(moves) and set(images[-1]) == set(images[0]),
    } | chosen)  # fmt: skip


def _choices(screen: Any, box: Any, asked: list) -> dict:
    """What is found of the first list of options: their names, and what choosing each does; {} where there is none."""
    if not (found := screen.choices(box)):
        return {}
    choice, moves = found[0], []
    start, names = choice.index, [str(one) for one in choice._options_labels]
    order = [k for k in range(len(names)) if k != start] + [start]
    for k in order:
        asked.clear()
        before = screen.seen(box)
        screen.choose(choice, k)
        moves.append((list(asked), screen.seen(box) != before))
    return {
        "its options": names,
        "chosen": [names[k] for k in order],
        "asked when chosen": _rows([one[0] for one in moves]),
        "another picture when chosen": [one[1] for one in moves],
    }


@contextmanager
def _noted(thing: Any, verb: str) -> Iterator[tuple[Any, list[Tensor]]]:
    """The model or function to hand over, and a list that gets what it is asked.

    A model is asked by its method, and by the network that is called as it is (decoder).
    """
    asked = []

    def note(*given):
        asked.append(torch.as_tensor(given[-1]).detach().clone().float())

    if not verb:

        @wraps(thing)
        def noting(*given, **named):
            note(list(signature(thing).bind(*given, **named).arguments.values()))
            return thing(*given, **named)

        yield noting, asked
        return

    own, part = getattr(thing, verb), getattr(thing, f"{verb}r", None)

    def noting(z, *rest, **options):
        note(z)
        return own(z, *rest, **options)

    hook = part.register_forward_pre_hook(lambda module, given: note(*given)) if isinstance(part, nn.Module) else None
    setattr(thing, verb, noting)
    try:
        yield thing, asked
    finally:
        delattr(thing, verb)
        if hook is not None:
            hook.remove()


def _rows(moves: Sequence[Sequence[Tensor]]) -> Tensor:
    """One code a move, (M, D): the last that the model was asked for and that is not asked at every move; else NaN."""
    rows = [[row.flatten() for z in asked for row in (z if z.ndim > 1 else z[None])] for asked in moves]
    if not any(rows):
        return torch.full((len(moves), 1), torch.nan)
    always = [one for one in rows[0] if all(any(torch.equal(one, other) for other in some) for some in rows)]
    chosen = []
    for some in rows:
        new = [one for one in some if not any(torch.equal(one, other) for other in always)] or some
        chosen.append(new[-1] if new else None)
    size = max(len(one) for one in chosen if one is not None)
    blank = torch.full((size,), torch.nan)
    return torch.stack([blank if one is None or len(one) != size else one for one in chosen])


def _listens_to_all(slider) -> bool:
    """Whether somebody observes every trait of it."""
    from traitlets import All

    return any(some for some in slider._trait_notifiers.get(All, {}).values())


def _fault(verb: str, steps: bool, out: Any, expected: Parts, *inputs: Any) -> str | None:
    """The first thing that is wrong with a control."""
    if not isinstance(out, Parts):
        if out is None:
            return "It returns nothing: is the return statement missing?"
        parts = out if isinstance(out, (list, tuple)) else ()
        box = " Put them into one box: HBox([...])." if any(hasattr(one, "comm") for one in parts) else ""
        return f"It returns {kind(out)} where a control is expected: a box of widgets, or what interact returns.{box}"
    sliders, right = out["its sliders"], expected["its sliders"]
    if not len(sliders):
        return "There is no slider in what it returns. Put the FloatSlider into the box: HBox([slider, ...])."
    if len(sliders) != len(right):
        found = "is one slider" if len(sliders) == 1 else f"are {len(sliders)} sliders"
        return f"There {found} in what it returns where {len(right)} {'is' if len(right) == 1 else 'are'} expected."
    if difference(sliders, right, 1e-4):
        k = next(k for k in range(len(right)) if difference(sliders[k], right[k], 1e-4))
        (low, high, start), (l, h, s) = (map(number, one) for one in (sliders[k], right[k]))  # noqa: E741
        return f"The slider goes from {low} to {high} and starts at {start}, where {l} to {h} and {s} are expected."
    if out["their kinds"] != expected["their kinds"]:
        return f"Its slider is a {out['their kinds'][0]} where a {expected['their kinds'][0]} is expected."
    if steps and out["their steps"] != expected["their steps"]:
        k = next(k for k, one in enumerate(expected["their steps"]) if out["their steps"][k] != one)
        bad, good = (number(one["their steps"][k]) for one in (out, expected))
        return f"Its slider moves in steps of {bad} where {good} is expected."
    if out["what they listen to"]:
        return (
            "Your function fails, because it listens to every change of the slider, also to those whose new value is "
            'no number. Name the one that you want: slider.observe(f, names="value").'
        )
    if out["lost"]:
        return (
            "When the slider is moved the picture is drawn outside of the box, where no reader sees it. Draw it inside "
            "an Output (`with out:`), which stands in the box, or let interactive_output do so."
        )
    if out["never shown"]:
        return "When the slider is moved a figure is drawn and never shown: plt.show() is missing."
    if not any(out["something happens"]):
        return (
            "Nothing happens when the slider is moved. Tie a function to it: interactive_output(f, "
            '{"name": slider}), or slider.observe(f, names="value").'
        )
    asked = "the model is asked for" if verb else "the function that draws is called with"
    if fault := _asked_wrongly(asked, out, expected):
        return fault
    if "its options" in expected and (fault := _chosen_wrongly(asked, out, expected)):
        return fault
    if out["more and more pictures"]:
        return "Each move adds a picture to those that are there: clear the Output before you draw."
    if out["another picture"] != expected["another picture"]:
        return f"{asked.capitalize()} the right numbers, but what a reader sees does not change with all of them."
    if not out["pictures at first"]:
        return "There is no picture before the slider is moved: draw one for the start."
    if not out["the same at the start"]:
        return "The picture at the start of the slider differs from the one that was there at first."
    return None


def _chosen_wrongly(is_asked: str, out: Parts, expected: Parts) -> str | None:
    right = expected["its options"]
    if "its options" not in out:
        return f"There is no list of options in what it returns: put a Dropdown of {', '.join(right)} into the box."
    if out["its options"] != right:
        return f"Its options are {', '.join(out['its options'])} where {', '.join(right)} are expected."
    if out["chosen"] != expected["chosen"]:
        return f"At first {out['chosen'][-1]} is chosen where {expected['chosen'][-1]} is expected."
    for name, asked, wanted in zip(out["chosen"], out["asked when chosen"], expected["asked when chosen"], strict=True):
        if asked.isnan().all():
            return f"Nothing happens when {name} is chosen: tie your function to the Dropdown too."
        if difference(asked, wanted, 1e-4):
            return f"When {name} is chosen {is_asked} {numbers(asked)} where {numbers(wanted)} is expected."
    if out["another picture when chosen"] != expected["another picture when chosen"]:
        return "What a reader sees does not change when another option is chosen."
    return None


def _asked_wrongly(is_asked: str, out: Parts, expected: Parts) -> str | None:
    asked, right, places = out["asked"], expected["asked"], out["places"]
    if asked.isnan().all():
        return f"When the slider is moved {is_asked} nothing, so the picture cannot be a new one."
    if asked.shape != right.shape:
        return f"{is_asked.capitalize()} {asked.shape[1]} numbers where {right.shape[1]} are expected."
    wrong = [k for k in range(len(right)) if difference(asked[k], right[k], 1e-4)]
    if not wrong:
        return None
    k = wrong[0]
    return (
        f"With the slider at {number(places[k])} {is_asked} {numbers(asked[k])} where {numbers(right[k])} is expected."
    )
