"""All answers of an explorer that has few positions, computed now."""

import itertools
import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from course_utils.widgets.page.bundle import Page

MOST = 4000  # positions
LARGEST = 64_000_000  # bytes of all panels, before they are packed
FEW = 48  # codes for which a decoder's weights are rounded in the first file


def stored(
    explorer,
    steps: int | Sequence[int] | None,
    *,
    codes: Callable[..., Tensor] | None = None,
    network: tuple[list[dict], tuple[int, ...]] | None = None,
) -> Page:
    """The page of an explorer with one slider or several, with an answer for each position.

    Args:
        explorer: It draws all of them, and shows afterwards what it showed before.
        steps: Positions of each slider, ends included, one number or one a slider; by default those that it has. A
            list has all its options.
        codes: A function of a value that returns a code for each panel, (P, D): they are stored in place of the panels,
            each number in 16 bits, and the page decodes.
        network: The decoder for it, as `Page.networks` wants it.

    Raises:
        ValueError: It has no sliders, or too many positions.
    """
    spec, kind = explorer._spec, type(explorer).__name__
    if spec["kind"] not in ("slider", "sliders"):
        raise ValueError(f"a page cannot store the answers of a {kind}: it has no sliders, so no end of positions.")
    many = spec["kind"] == "sliders"
    sliders = spec["sliders"] if many else [spec]
    counts = _counts(sliders, steps, kind)
    sliders = [one | {"step": (one["max"] - one["min"]) / (n - 1)} for one, n in zip(sliders, counts, strict=True)]
    axes = [_places(one, n) for one, n in zip(sliders, counts, strict=True)]
    start = explorer.value if many else [explorer.value]
    start = [min(axis, key=lambda place: abs(place - at)) for axis, at in zip(axes, start, strict=True)]
    panels, places, answers, size = {}, [], [], 0  # each different panel once: {bytes: place}
    captions, charts = {}, {}
    for steps_here in itertools.product(*map(range, counts)):
        at = [axis[k] for axis, k in zip(axes, steps_here, strict=True)]
        _, blobs, answer = explorer._at(at if many else at[0])
        if codes is not None:
            blobs = [code.tobytes() for code in codes(at if many else at[0]).numpy().astype("<f4")]
        for blob in blobs:
            if blob not in panels:
                panels[blob], size = size, size + len(blob)
            places += [panels[blob], len(blob)]
        if size > LARGEST:
            raise ValueError(f"the panels of a {kind} take more than {LARGEST // 10**6} MB: {_fewer(counts)}.")
        said = (captions.setdefault(json.dumps(answer["captions"]), len(captions)),
                charts.setdefault(json.dumps(answer["charts"]), len(charts)))  # fmt: skip
        answers.append([answer["text"], *said])
    data = {
        "counts": counts,
        "answers": answers,
        "captions": list(map(json.loads, captions)),
        "charts": list(map(json.loads, charts)),
        "off": explorer.words["off"],
    }
    parts, early = {"panels": b"".join(panels), "places": np.array(places, "<u4")}, None
    if codes is not None:
        known = np.frombuffer(parts["panels"], "<f4").reshape(len(panels), -1)  # different codes
        low = known.min(axis=0)
        step = np.maximum(known.max(axis=0) - low, 1e-6) / 65535
        parts |= {"panels": ((known - low) / step).round().astype("<u2"), "low": low, "step": step}
        parts["places"] //= 4  # counted in numbers
        early = torch.from_numpy(known[:: math.ceil(len(known) / FEW)].copy())
    start = start if many else start[0]
    change = {"sliders": sliders} if many else {"step": sliders[0]["step"]}
    networks = {} if network is None else {"decoder": network}
    return Page("table", data, parts, networks, early=early, spec=change | {"start": start}, start=start)


def _counts(sliders: list[dict], steps, kind: str) -> list[int]:
    """How many positions each slider has."""
    if steps is None:
        counts = [int((one["max"] - one["min"]) / one["step"] + 1e-6) + 1 for one in sliders]
    else:
        counts = list(steps) if isinstance(steps, Sequence) else [steps] * len(sliders)
        if len(counts) == len(sliders):
            counts = [len(one["options"]) if "options" in one else n for one, n in zip(sliders, counts, strict=True)]
        if len(counts) != len(sliders) or not all(isinstance(n, int) and n >= 2 for n in counts):
            raise ValueError(f"steps are {steps!r} for {len(sliders)} sliders: give 2 or more positions for each.")
    if math.prod(counts) > MOST:
        raise ValueError(
            f"a {kind} with {' x '.join(map(str, counts))} positions is too much to store: {_fewer(counts)}."
        )
    return counts


def _fewer(counts: list[int]) -> str:
    """A proposal."""
    each = max(2, round(1000 ** (1 / len(counts))))
    return f"give fewer, for example steps={[min(n, each) for n in counts]}"


def _places(slider: dict, count: int) -> list[float]:
    """The positions of a slider, as answers.js computes them; whole numbers stay whole."""
    return [min(slider["max"], slider["min"] + k * slider["step"]) for k in range(count)]
