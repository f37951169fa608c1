"""slerp: the arc between two vectors, and every pair for which the formula breaks."""

import math

import torch
from torch import Tensor

from course_utils import interpolation
from course_utils.checks._check import Check, Mistake, Parts


def slerp(z_a, z_b, weight):
    return interpolation.slerp(z_a, z_b, weight, batch_dims=0)


def line(z_a, z_b, weight):
    return (1 - weight) * z_a + weight * z_b


def length(z_a, z_b, weight):
    return (1 - weight) * z_a.norm() + weight * z_b.norm()


def units(z_a, z_b):
    return z_a / z_a.norm(), z_b / z_b.norm()


def angle(z_a, z_b):
    u_a, u_b = units(z_a, z_b)
    return 2 * math.atan2((u_a - u_b).norm(), (u_a + u_b).norm())


def arc(u_a, u_b, theta, weight):
    return (math.sin((1 - weight) * theta) * u_a + math.sin(weight * theta) * u_b) / math.sin(theta)


def sort_of(z_a, z_b):
    """What is particular about two ends."""
    if not z_a.any() or not z_b.any():
        return "zero"
    theta = angle(z_a, z_b)
    return "parallel" if theta < 1e-3 else "opposite" if theta > math.pi - 1e-3 else "ordinary"


def wrong_if(sort, function):
    """A wrong answer that is right for all ends of another sort."""
    return lambda z_a, z_b, weight: (function if sort_of(z_a, z_b) == sort else slerp)(z_a, z_b, weight)


def direction_is(direction):
    """A wrong answer for ordinary ends, whose direction is made otherwise from u_a, u_b, theta and weight."""
    return wrong_if("ordinary", lambda z_a, z_b, weight: (
        length(z_a, z_b, weight) * direction(*units(z_a, z_b), angle(z_a, z_b), weight)))  # fmt: skip


def length_is(norm):
    """A wrong answer for ordinary ends, whose length is made otherwise from |z_a|, |z_b| and weight."""
    return wrong_if("ordinary", lambda z_a, z_b, weight: (
        norm(z_a.norm(), z_b.norm(), weight) * arc(*units(z_a, z_b), angle(z_a, z_b), weight)))  # fmt: skip


def angle_is(theta):
    """A wrong answer for ordinary ends, with another angle, from z_a, z_b and the right angle."""
    return wrong_if("ordinary", lambda z_a, z_b, weight: (
        length(z_a, z_b, weight) * arc(*units(z_a, z_b), theta(z_a, z_b, angle(z_a, z_b)), weight)))  # fmt: skip


def half_circle(turn):
    """A wrong answer for opposite ends, which turns by an angle made from weight."""
    return wrong_if("opposite", lambda z_a, z_b, weight: length(z_a, z_b, weight) * (
        math.cos(turn(weight)) * units(z_a, z_b)[0] + math.sin(turn(weight)) * across(z_a)))  # fmt: skip


def nan(z_a, z_b, weight):
    return z_a * torch.nan


def unclamped(z_a, z_b, weight):
    u_a, u_b = units(z_a, z_b)
    return nan(z_a, z_b, weight) if (u_a @ u_b).acos().isnan() else line(z_a, z_b, weight)


def no_axis(place):
    """A wrong answer for opposite ends along the axis at a place, from which it makes its perpendicular vector."""
    return wrong_if("opposite", lambda z_a, z_b, weight: (
        nan if z_a[place(z_a)].abs() == z_a.norm() else slerp)(z_a, z_b, weight))  # fmt: skip


def padded(z_a, z_b, weight, tiny):
    u_a, u_b = z_a / (z_a.norm() + tiny), z_b / (z_b.norm() + tiny)
    theta = (u_a @ u_b).clamp(-1, 1).acos()
    mixed = ((1 - weight) * theta).sin() * u_a + (weight * theta).sin() * u_b
    return length(z_a, z_b, weight) * mixed / (theta.sin() + tiny)


def across(z_a):
    """A unit vector perpendicular to z_a."""
    u = z_a / z_a.norm()
    axis = torch.zeros_like(u)
    axis[u.abs().argmin()] = 1.0
    axis = axis - (axis @ u) * u
    return axis / axis.norm()


def observe(fn, z_a, z_b, weight):
    """The point; for opposite ends the one that a fixed half circle has in its place, and what all half circles share.

    A known mistake may stand for an observation alone: it then returns `Parts`.
    """
    z = fn(z_a, z_b, weight)
    if isinstance(z, Parts) or not isinstance(z, Tensor) or z.shape != z_a.shape or sort_of(z_a, z_b) != "opposite":
        return z
    other = fn(z_a, z_b, 0.5)
    u = z_a / z_a.norm()
    aside, other_aside = z - (z @ u) * u, other - (other @ u) * u
    cosine = (aside @ other_aside) / (aside.norm() * other_aside.norm()).clamp(min=1e-9)
    r = length(z_a, z_b, weight)
    return Parts({
        "": (z @ u) * u + aside.norm() * across(z_a),
        "in two calls": torch.tensor(not (cosine < 0.99 and aside.norm() > 0.1 * r)),
        "in the norm": torch.tensor(bool((z.norm() - r).abs() < 1e-3 * r)),
    })  # fmt: skip


def seen(part):
    """Something observed at opposite ends that is wrong, while all other ends are right."""
    return wrong_if("opposite", lambda *inputs: Parts({part: torch.tensor(False)}))


def ends(make, dimensions=7):
    """Two ends made from two draws, and a weight away from 0, 1/2 and 1."""

    def inputs(g):
        a, b = torch.randn(2, dimensions, generator=g)
        side, share = torch.rand(2, generator=g).tolist()
        return make(a, b, 0.15 + 0.2 * share + 0.5 * (side > 0.5))

    return inputs


def of_equal_norm(a, b, acute):
    b = b * a.norm() / b.norm()
    return b if (a @ b > 0) == acute else -b


def turned(a, b, w, stretch, tangent):
    """The second end is a stretched, and tilted towards b by an angle of that tangent."""
    side = b - (b @ a) / (a @ a) * a
    return a, stretch * (a + tangent * a.norm() * side / side.norm()), w


def parallel(accepts):
    """Parallel ends whose cosine, however it is computed, is rounded as asked for."""

    def inputs(g):
        while True:
            a, stretch = torch.randn(7, generator=g), 0.5 + 2 * torch.rand(1, generator=g).item()
            b = stretch * a
            u_a, u_b = units(a, b)
            ways = u_a @ u_b, (u_a * u_b).sum(), a @ b / (a.norm() * b.norm()), a @ b / a.norm() / b.norm()
            if all(map(accepts, ways)):
                return a, b, 0.2 + 0.2 * torch.rand(1, generator=g).item()

    return inputs


def along(place, sign):
    axis = sign * torch.eye(4)[place]
    return ends(lambda a, b, w: (a[0].abs() * axis, -b[0].abs() * axis, w))


CHECK = Check(
    slerp,
    inputs={
        "": ends(lambda a, b, w: (a, of_equal_norm(a, b, True), w)),
        "the angle is more than 90 degrees": ends(lambda a, b, w: (a, of_equal_norm(a, b, False), w), 5),
        "the ends have different norms": ends(lambda a, b, w: (a, 3 * b, w), 3),
        "the weight is 0": ends(lambda a, b, w: (a, 2 * b, 0.0), 4),
        "the weight is 1": ends(lambda a, b, w: (a, 2 * b, 1.0), 4),
        "the ends are far apart, but not opposite": ends(lambda a, b, w: turned(a, b, w, -1.5, 0.1)),
        "the angle is small, 10 to 17 degrees": ends(lambda a, b, w: turned(a, b, w, 1.5, 0.2 + 0.1 * w)),
        "the ends are parallel": parallel(lambda cosine: cosine == 1),
        "rounding makes the cosine of the ends greater than 1": parallel(lambda cosine: cosine > 1),
        "the ends are nearly parallel": ends(lambda a, b, w: (a, a + 1e-5 * b, w)),
        "z_a is zero": ends(lambda a, b, w: (0 * a, b, w), 4),
        "z_b is zero": ends(lambda a, b, w: (a, 0 * b, w), 4),
        "both ends are zero": ends(lambda a, b, w: (0 * a, 0 * b, w), 3),
        "the ends are opposite": ends(lambda a, b, w: (a, -2 * a, w)),
        "the ends are opposite, along the first axis": along(0, 1),
        "the ends are opposite, along the first axis, and z_a is negative": along(0, -1),
        "the ends are opposite, along the last axis, and z_a is negative": along(-1, -1),
        "the ends are opposite and have two numbers": ends(lambda a, b, w: (a, -a, w), 2),
    },
    observe=observe,
    tolerance=1e-3,
    draws=2,
    mistakes=[
        Mistake(wrong_if("ordinary", line), "Your path is the straight line: its middle is shorter than its ends. "
            "Which norm should every point of the arc have?"),
        Mistake(wrong_if("ordinary", lambda z_a, z_b, weight: slerp(z_b, z_a, weight)), "Your path runs backwards: "
            "weight 0 should give z_a and weight 1 z_b."),
        Mistake(direction_is(lambda u_a, u_b, theta, w: arc(u_a, u_b, theta, 1 - w)), "Your directions run backwards, "
            "though your lengths do not. Which end does sin((1 - w) theta) belong to?"),
        Mistake(length_is(lambda a, b, w: (1 - w) * b + w * a), "Your lengths run backwards, though your directions do "
            "not: r(w) begins at |z_a|."),
        Mistake(length_is(lambda a, b, w: 1), "All points of your path have norm 1. What is r(w)?"),
        Mistake(length_is(lambda a, b, w: a), "Every point of your path has the norm of z_a. Which straight line from "
            "|z_a| to |z_b| is r(w)?"),
        Mistake(length_is(lambda a, b, w: b), "Every point of your path has the norm of z_b. Which straight line from "
            "|z_a| to |z_b| is r(w)?"),
        Mistake(length_is(lambda a, b, w: a ** (1 - w) * b**w), "Your length changes by equal factors (a geometric "
            "mean). r(w) is a straight line from |z_a| to |z_b|."),
        Mistake(wrong_if("ordinary", lambda z_a, z_b, weight: (arc(*units(z_a, z_b), angle(z_a, z_b), weight) *
            line(z_a, z_b, weight).norm())), "Your length is that of the point on the straight line. r(w) mixes the "
            "two norms, not the two vectors."),
        Mistake(wrong_if("ordinary", lambda z_a, z_b, weight: (line if angle(z_a, z_b) < 0.34 else slerp)(z_a, z_b,
            weight)), "For small angles you fall back to lerp, where the arc and the line still differ. Do so only "
            "where sin(theta) is nearly 0."),
        Mistake(direction_is(lambda u_a, u_b, theta, w: line(u_a, u_b, w) / line(u_a, u_b, w).norm()),
            "That is nlerp: it walks the arc faster in the middle. Where does the angle theta come in?"),
        Mistake(angle_is(lambda z_a, z_b, theta: math.degrees(theta)), "Your angle is in degrees, but torch.sin takes "
            "radians."),
        Mistake(angle_is(lambda z_a, z_b, theta: math.cos(theta)), "You use the cosine as if it were the angle. What "
            "turns u_a @ u_b into theta?"),
        Mistake(angle_is(lambda z_a, z_b, theta: math.asin(math.cos(theta))), "You take the arc sine of u_a @ u_b, "
            "which is a cosine. Which function undoes that?"),
        Mistake(angle_is(lambda z_a, z_b, theta: min(theta, math.pi - theta)), "Your angle is never more than 90 "
            "degrees: an arc sine, or the cosine's absolute value, cannot tell more."),
        Mistake(angle_is(lambda z_a, z_b, theta: math.acos((z_a @ z_b).clamp(-1, 1)) or torch.nan),
            "Your angle is the arc cosine of z_a . z_b, which is a cosine only for vectors of length 1. What should "
            "you divide by?"),
        Mistake(wrong_if("ordinary", lambda z_a, z_b, weight: line(z_a, z_b, weight) if abs(z_a @ z_b) >= 1 else
            length(z_a, z_b, weight) * arc(*units(z_a, z_b), math.acos(z_a @ z_b), weight)), "Your angle comes from "
            "z_a . z_b, which is a cosine only for vectors of length 1; beyond 1 you fall back to lerp. What should "
            "you divide by?"),
        Mistake(direction_is(lambda u_a, u_b, theta, w: math.sin(theta) * arc(u_a, u_b, theta, w)),
            "Every point is sin(theta) times too short. What does the formula divide by?"),
        Mistake(direction_is(lambda u_a, u_b, theta, w: math.cos(w * theta) * u_a + math.sin(w * theta) * u_b),
            "cos(w theta) u_a + sin(w theta) v is the arc only for a v of norm 1 perpendicular to u_a. u_b is not."),
        Mistake(wrong_if("ordinary", lambda z_a, z_b, weight: arc(z_a, z_b, angle(z_a, z_b), weight)),
            "You put z_a and z_b into the formula where the unit vectors belong: the longer one pulls. Give the length "
            "back afterwards, with r(w)."),
        Mistake(wrong_if("parallel", unclamped), "For parallel vectors rounding can make the cosine greater than 1, "
            "and its arc cosine NaN. What keeps the cosine within [-1, 1]?"),
        Mistake(wrong_if("parallel", lambda z_a, z_b, weight: (nan if units(z_a, z_b)[0] @ units(z_a, z_b)[1] >= 1 else
            line)(z_a, z_b, weight)), "For parallel vectors sin(theta) is 0 and you return NaN. What is the arc "
            "between vectors of the same direction?"),
        *[Mistake(lambda z_a, z_b, weight, tiny=tiny: padded(z_a, z_b, weight, tiny),
                "A small number below each fraction keeps it finite, but zero and parallel ends need lerp, and "
                "opposite ends a half circle. Treat them before you divide.")
          for tiny in (1e-6, 1e-7, 1e-8, 1e-9, 1e-12)],
        Mistake(wrong_if("parallel", lambda z_a, z_b, weight: z_a.clone()), "For parallel ends you return z_a whatever "
            "the weight is. Their norms may differ: lerp."),
        Mistake(wrong_if("parallel", lambda z_a, z_b, weight: line(*units(z_a, z_b), weight)), "For parallel ends you "
            "return a vector of norm 1. lerp of the two vectors themselves is asked for."),
        Mistake(wrong_if("zero", nan), "A zero vector has no direction: dividing by its norm gives NaN. Fall back to "
            "lerp where an end is zero, before you divide."),
        Mistake(wrong_if("zero", lambda z_a, z_b, weight: slerp(z_a, z_b, weight) if z_a.any() or z_b.any() else
            nan(z_a, z_b, weight)), "If both ends are zero you return NaN. lerp has an answer there."),
        Mistake(wrong_if("zero", lambda z_a, z_b, weight: 0 * z_a), "If an end is zero you return zero whatever the "
            "weight is: lerp is asked for."),
        Mistake(wrong_if("zero", lambda z_a, z_b, weight: z_a + z_b), "If an end is zero you return the other end "
            "whatever the weight is: lerp is asked for."),
        Mistake(wrong_if("opposite", line), "For opposite ends your path runs straight through the origin. Turn "
            "towards any unit vector perpendicular to z_a, by w times half a turn."),
        Mistake(wrong_if("opposite", nan), "For opposite ends you return NaN, since sin(theta) is 0. Choose a unit "
            "vector perpendicular to z_a and turn towards it, by w times half a turn."),
        Mistake(wrong_if("opposite", lambda z_a, z_b, weight: slerp(z_a, z_b, weight) / length(z_a, z_b, weight)),
            "For opposite ends your half circle has radius 1. What is r(w)?"),
        Mistake(half_circle(lambda w: w * math.pi / 2), "For opposite ends you turn by a quarter only. The angle "
            "between them is half a turn: w times pi."),
        *[Mistake(no_axis(place), f"For opposite ends along {which} you return NaN. Is your perpendicular vector made "
                  "from a fixed axis? There has to be one for every z_a: take that where |z_a| is smallest.")
          for which, place in (("the first axis", lambda z: 0), ("the last axis", lambda z: -1),
                               ("an axis", lambda z: z.abs().argmax()))],
        *[Mistake(no_axis(place), f"For opposite ends along an axis, in its {which} direction, you return NaN. Take "
                  "the axis where |z_a| is smallest: is an abs() missing?")
          for which, place in (("negative", torch.argmin), ("positive", torch.argmax))],
        Mistake(wrong_if("opposite", lambda z_a, z_b, weight: (z_a.norm() / length(z_a, z_b, weight)) * slerp(z_a, z_b,
            weight)), "For opposite ends your half circle keeps the norm of z_a. What is r(w)?"),
        Mistake(wrong_if("opposite", lambda z_a, z_b, weight: length(z_a, z_b, weight) * (math.cos(weight * math.pi) *
            z_a / z_a.norm() + math.sin(weight * math.pi) * across(z_a) * (1 - (z_a.abs().min() /
            z_a.norm()).square()).sqrt())), "For opposite ends your half circle is squashed. Has the perpendicular "
            "vector norm 1?"),
        Mistake(seen("in two calls"), "For opposite ends two calls must go the same way round, and yours do not. "
            "Choose the perpendicular vector without chance, and not by the weight."),
        Mistake(seen("in the norm"), "For opposite ends your point does not have the norm r(w); the formula divides by "
            "sin(theta), nearly 0. Turn towards a unit vector perpendicular to z_a, by w times half a turn."),
    ],
)  # fmt: skip
