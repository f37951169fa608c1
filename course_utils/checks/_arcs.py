"""The check of lesson 13's slerp: ordinary vectors first, then every edge case by its name."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils import interpolation
from course_utils.checks._engine import Check, Mistake, difference


def slerp(z_a: Tensor, z_b: Tensor, weight: float) -> Tensor:
    """The package's own, for two vectors."""
    return interpolation.slerp(z_a, z_b, weight, batch_dims=0)


def _slerp_inputs(g: torch.Generator) -> tuple:
    """Cases by name, each a list of (z_a, z_b, weight)."""
    a, b, c = torch.randn(3, 7, generator=g)
    w = (0.15 + 0.2 * torch.rand((), generator=g)).item()
    b_as_long = b * a.norm() / b.norm()
    obtuse = b_as_long if a @ b < 0 else -b_as_long
    return (
        {
            "ordinary": [(2 * a, 2 * b_as_long, w), (a, obtuse, 1 - w), (a, -obtuse, 0.5)],
            "norms": [(a, 3 * b, w), (5 * a, 0.5 * c, 0.5)],
            "ends": [(a, b, 0.0), (a, b, 1.0)],
            "parallel": [(a, 2.5 * a, w), (b, b.clone(), w), (a, a + 1e-5 * b, 0.5)],
            "zero": [(torch.zeros(7), b, w), (a, torch.zeros(7), w), (torch.zeros(7), torch.zeros(7), w)],
            "antipodal": [(a, -a, w), (a, -a, 0.5), (b, -2 * b, 1 - w)],
        },
    )


def _observe_slerp(fn: Callable, cases: dict) -> dict:
    """For each case the results, or in words what is no result; of antipodal ends what any great circle must have."""
    seen = {}
    for name, calls in cases.items():
        found = []
        for z_a, z_b, weight in calls:
            try:
                z = fn(z_a, z_b, weight)
            except NotImplementedError:
                raise
            except Exception as error:
                if name == "ordinary":
                    raise  # the engine shows the line
                found.append(f"{type(error).__name__}: {error}")
                continue
            if isinstance(z, Tensor) and not z.isfinite().all():
                z = "NaN"
            found.append(z)
        seen[name] = _of_any_half_circle(found, calls) if name == "antipodal" else found
    return seen


def _of_any_half_circle(found: list, calls: list) -> list:
    """Norm of each point, its component along z_a, and the cosine between the ways that the first two turned."""
    if not all(isinstance(z, Tensor) and z.shape == z_a.shape for z, (z_a, _, _) in zip(found, calls, strict=True)):
        return found
    parts, aside = [], []
    for z, (z_a, _, _) in zip(found, calls, strict=True):
        along = (z @ z_a) / z_a.norm()
        parts.append(torch.stack([z.norm(), along]).to(z_a))
        aside.append(z - along * z_a / z_a.norm())
    lengths = aside[0].norm() * aside[1].norm()
    return [*parts, (aside[0] @ aside[1]) / lengths if lengths > 1e-6 else torch.tensor(0.0)]


def _named(z_a: Tensor, z_b: Tensor) -> tuple[Tensor, Tensor, float]:
    u_a, u_b = z_a / z_a.norm(), z_b / z_b.norm()
    return u_a, u_b, torch.acos((u_a @ u_b).clamp(-1, 1)).item()


def _arc(u_a, u_b, theta, weight):
    return (math.sin((1 - weight) * theta) * u_a + math.sin(weight * theta) * u_b) / math.sin(theta)


def _line(z_a, z_b, weight):
    return (1 - weight) * z_a + weight * z_b


def _length(z_a, z_b, weight):
    return (1 - weight) * z_a.norm() + weight * z_b.norm()


def _with_edges(ordinary: Callable) -> Callable:
    """A wrong answer whose edge cases are all right."""

    def answer(z_a, z_b, weight):
        edge = not z_a.any() or not z_b.any() or math.sin(_named(z_a, z_b)[2]) < 1e-3
        return slerp(z_a, z_b, weight) if edge else ordinary(z_a, z_b, weight)

    return answer


@_with_edges
def _unit(z_a, z_b, weight):
    return _arc(*_named(z_a, z_b), weight)


@_with_edges
def _raw(z_a, z_b, weight):
    _, _, theta = _named(z_a, z_b)
    return _arc(z_a, z_b, theta, weight)


@_with_edges
def _nlerp(z_a, z_b, weight):
    u_a, u_b, _ = _named(z_a, z_b)
    z = (1 - weight) * u_a + weight * u_b
    return _length(z_a, z_b, weight) * z / z.norm()


@_with_edges
def _reversed(z_a, z_b, weight):
    return slerp(z_b, z_a, weight)


@_with_edges
def _swapped(z_a, z_b, weight):
    u_a, u_b, theta = _named(z_a, z_b)
    return _length(z_a, z_b, weight) * _arc(u_a, u_b, theta, 1 - weight)


@_with_edges
def _degrees(z_a, z_b, weight):
    u_a, u_b, theta = _named(z_a, z_b)
    return _length(z_a, z_b, weight) * _arc(u_a, u_b, math.degrees(theta), weight)


@_with_edges
def _without_dividing(z_a, z_b, weight):
    u_a, u_b, theta = _named(z_a, z_b)
    return _length(z_a, z_b, weight) * math.sin(theta) * _arc(u_a, u_b, theta, weight)


@_with_edges
def _start_norm(z_a, z_b, weight):
    return z_a.norm() * _arc(*_named(z_a, z_b), weight)


@_with_edges
def _not_normalised(z_a, z_b, weight):
    theta = math.acos(max(-1.0, min(1.0, (z_a @ z_b).item())))
    if math.sin(theta) == 0:
        return _line(z_a, z_b, weight)
    return _length(z_a, z_b, weight) * _arc(z_a / z_a.norm(), z_b / z_b.norm(), theta, weight)


@_with_edges
def _straight(z_a, z_b, weight):
    return _line(z_a, z_b, weight)


def _lerp_when_antipodal(z_a, z_b, weight):
    opposite = z_a.any() and z_b.any() and _named(z_a, z_b)[2] > math.pi - 1e-3
    return _line(z_a, z_b, weight) if opposite else slerp(z_a, z_b, weight)


_ORDINARY = (  # what goes wrong with any two vectors, whatever the edge cases do
    Mistake(
        _straight,
        "Your path is the straight line: for two vectors of equal norm its middle is shorter than its ends. Which "
        "norm should every point of the arc have?",
    ),
    Mistake(_reversed, "Your path runs backwards: weight 0 should give z_a and weight 1 z_b."),
    Mistake(
        _swapped,
        "Your directions run backwards, though your lengths do not. Which end does sin((1 - w) theta) belong to?",
    ),
    Mistake(
        _unit,
        "All points of your path have norm 1: the directions are right, the lengths are lost. What is r(w)?",
    ),
    Mistake(
        _nlerp,
        "That is nlerp: it stays on the arc but walks it faster in the middle than at the ends. Where does the angle "
        "theta come in?",
    ),
    Mistake(_degrees, "Your angle is in degrees, but torch.sin takes radians."),
    Mistake(
        _without_dividing,
        "The directions are right, but every point is sin(theta) times too short. What does the formula divide by?",
    ),
    Mistake(
        _not_normalised,
        "Your angle is the arc cosine of z_a . z_b, which is the cosine only for vectors of length 1. What should you "
        "divide by first?",
    ),
    Mistake(
        _raw,
        "For ends of different norm the longer one pulls the direction towards itself: you put z_a and z_b into the "
        "formula where the unit vectors belong. Give the length back afterwards, with r(w).",
    ),
    Mistake(
        _start_norm,
        "Every point of your path has the norm of z_a. If the ends differ, the length should go from |z_a| to |z_b|: "
        "which straight line is r(w)?",
    ),
)

_EDGES = {
    "ends": "At weight 0 or 1 the result is not the end itself. ",
    "parallel": "For parallel or nearly parallel vectors sin(theta) is 0 or nearly so, and the formula divides by it. "
    "What is the arc between two vectors of the same direction? ",
    "zero": "A zero vector has no direction, so there is no angle: fall back to lerp where an end is zero. ",
    "antipodal": "For opposite ends, z_b = -z_a, sin(theta) is 0 and the formula breaks down, yet an arc exists: "
    "choose any unit vector perpendicular to z_a, the same one at every call, and turn towards it, by w times half a "
    "turn. ",
}
_THROUGH_ZERO = (
    "For opposite ends your path runs straight through the origin, the one place that an arc keeps away from. Any unit "
    "vector perpendicular to z_a gives a half circle: turn towards it, by w times half a turn."
)


def _slerp_fault(out, expected, cases: dict) -> str | None:
    if difference(out["ordinary"], expected["ordinary"], 1e-3) or difference(out["norms"], expected["norms"], 1e-3):
        for mistake in _ORDINARY:
            seen = _observe_slerp(mistake.function, {name: cases[name] for name in ("ordinary", "norms")})
            if all(difference(out[name], seen[name], 1e-3) is None for name in seen):
                return mistake.message
        fault = difference(out["ordinary"], expected["ordinary"], 1e-3)
        if fault:
            return f"Already for two ordinary vectors of equal norm: {fault}"
        return f"For ends of different norm: {difference(out['norms'], expected['norms'], 1e-3)}"
    for name, sentence in _EDGES.items():
        if fault := difference(out[name], expected[name], 1e-3):
            straight = _observe_slerp(_line, {name: cases[name]})
            if name == "antipodal" and difference(out[name], straight[name], 1e-3) is None:
                return _THROUGH_ZERO
            words = next((one for one in out[name] if isinstance(one, str)), "")
            return sentence + (f"Yours gives {words}." if words else fault)
    return None


SLERP = Check(
    name="slerp",
    lesson="13",
    reference=slerp,
    make_inputs=_slerp_inputs,
    observe=_observe_slerp,
    compare=_slerp_fault,
    tolerance=1e-3,
    mistakes=[*_ORDINARY, Mistake(_lerp_when_antipodal, _THROUGH_ZERO)],
)
