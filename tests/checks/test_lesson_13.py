"""The checks of lesson 13: right answers in other words pass, and each wrong one gets its own message."""

import math

import numpy as np
import pytest
import torch
from lesson_cells import lesson_namespace
from verdicts import assert_told_apart, verdict

from course_utils import interpolation

# Right answers, none of which is written as the reference is.


def lerp_by_einsum(z_a, z_b, weight):
    w = torch.as_tensor(weight)
    if w.ndim == 0:
        return z_a + w * (z_b - z_a)
    return torch.stack([torch.lerp(z_a, z_b, one) for one in w])


def slerp_with_arccos(z_a, z_b, weight):
    """The textbook's way, with thresholds."""
    norm_a, norm_b = float(np.linalg.norm(z_a)), float(np.linalg.norm(z_b))
    if min(norm_a, norm_b) == 0:
        return torch.lerp(z_a, z_b, weight)
    u_a, u_b = z_a / norm_a, z_b / norm_b
    cosine = torch.dot(u_a, u_b).clamp(-1, 1)
    length = (1 - weight) * norm_a + weight * norm_b
    if cosine > 0.9999995:
        return torch.lerp(z_a, z_b, weight)
    if cosine < -0.999999:
        v = torch.zeros_like(u_a)
        v[0], v[1] = -u_a[1], u_a[0]  # a quarter turn in the first two coordinates
        v = v / v.norm()
        return length * (math.cos(weight * math.pi) * u_a + math.sin(weight * math.pi) * v)
    theta = torch.arccos(cosine)
    return length * (torch.sin((1 - weight) * theta) * u_a + torch.sin(weight * theta) * u_b) / torch.sin(theta)


def slerp_by_rotation(z_a, z_b, weight):
    """Turn u_a towards the part of z_b that is perpendicular to it, by a Gram-Schmidt step."""
    if not z_a.any() or not z_b.any():
        return interpolation.lerp(z_a, z_b, weight)
    u_a = z_a / z_a.norm()
    across = z_b - (z_b @ u_a) * u_a
    if across.norm() < 1e-4 * z_b.norm():
        if z_a @ z_b > 0:
            return interpolation.lerp(z_a, z_b, weight)
        across = torch.linalg.svd(u_a[None]).Vh[-1]
    theta = torch.atan2(
        across.norm() if z_a @ z_b > -z_a.norm() * z_b.norm() * 0.99999 else torch.tensor(0.0), z_b @ u_a
    )
    turned = math.cos(weight * theta) * u_a + math.sin(weight * theta) * across / across.norm()
    return interpolation.lerp(z_a.norm(), z_b.norm(), weight) * turned


def scores_in_loops(images, data):
    steps = [torch.dist(images[k], images[k + 1]) for k in range(len(images) - 1)]
    nearest = [min(torch.dist(x, other) for other in data) for x in images[1:-1]]
    return sum(steps) / len(steps) / max(steps), sum(nearest) / len(nearest)


RIGHT = [
    ("lerp", interpolation.lerp),
    ("lerp", lerp_by_einsum),
    ("slerp", interpolation.slerp),
    ("slerp", slerp_with_arccos),
    ("slerp", slerp_by_rotation),
    ("path-scores", scores_in_loops),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_in_other_words_are_accepted(name, answer):
    assert verdict(name, answer) is None


@pytest.mark.parametrize(("name", "function"), [("lerp", "lerp"), ("slerp", "slerp"), ("path-scores", "path_scores")])
def test_the_lessons_own_solution_passes(name, function):
    cells = ("imports", "lerp-exercise", f"{name.split('-')[0]}-exercise")
    assert verdict(name, lesson_namespace("13", *cells)[function]) is None


# Wrong answers, written without looking at the check's own, with words that only their message has.


def careless(z_a, z_b, weight):
    """The formula and nothing else."""
    norm_a, norm_b = z_a.norm(), z_b.norm()
    theta = torch.acos(z_a @ z_b / (norm_a * norm_b))
    u = (torch.sin((1 - weight) * theta) * z_a / norm_a + torch.sin(weight * theta) * z_b / norm_b) / torch.sin(theta)
    return ((1 - weight) * norm_a + weight * norm_b) * u


def guarded(z_a, z_b, weight, *, zero=True, parallel=True, antipodal=True):
    """Right, but for the edge cases that are switched off."""
    if (not z_a.any() or not z_b.any()) and zero:
        return interpolation.lerp(z_a, z_b, weight)
    cosine = torch.nn.functional.cosine_similarity(z_a, z_b, dim=0)
    if (cosine > 0.99999 and parallel) or (cosine < -0.99999 and antipodal):
        return interpolation.slerp(z_a, z_b, weight)
    return careless(z_a, z_b, weight)


def other_side_each_time(z_a, z_b, weight):
    if z_a.any() and z_b.any() and torch.nn.functional.cosine_similarity(z_a, z_b, dim=0) < -0.9999:
        v = torch.randn_like(z_a)
        v = v - (v @ z_a) * z_a / (z_a @ z_a)
        half = math.cos(weight * math.pi) * z_a / z_a.norm() + math.sin(weight * math.pi) * v / v.norm()
        return interpolation.lerp(z_a.norm(), z_b.norm(), weight) * half
    return guarded(z_a, z_b, weight)


def from_a_library(z_a, z_b, weight):
    """The common one for diffusion noise: lerp where vectors are almost parallel or opposite; no unit vectors."""
    cosine = z_a @ z_b / (z_a.norm() * z_b.norm())
    if not cosine.isfinite() or cosine.abs() > 0.9995:
        return (1 - weight) * z_a + weight * z_b
    theta = torch.arccos(cosine)
    return torch.sin((1 - weight) * theta) / torch.sin(theta) * z_a + torch.sin(weight * theta) / torch.sin(theta) * z_b


WRONG = [
    ("lerp", lambda a, b, w: torch.lerp(b, a, torch.as_tensor(w).reshape(-1, 1, 1).squeeze() if False else w)
     if not isinstance(w, torch.Tensor) else torch.lerp(b, a, w.reshape(-1, 1, 1)), "runs backwards"),
    ("lerp", lambda a, b, w: torch.lerp(a, b, w), "met one column"),
    ("lerp", lambda a, b, w: (1 - w) * a + w * b, "met one column"),
    ("lerp", lambda a, b, w: a + torch.as_tensor(w).reshape(-1, 1, 1).squeeze(0) * b
     if not isinstance(w, torch.Tensor) else a + w.reshape(-1, 1, 1) * b, "return z_a + z_b"),
    ("lerp", lambda a, b, w: [(1 - w) * a, w * b], "a list of 2"),
    ("slerp", lambda a, b, w: (1 - w) * a + w * b, "Your path is the straight line"),
    ("slerp", lambda a, b, w: interpolation.slerp(b, a, w), "runs backwards"),
    ("slerp", careless, "For parallel or nearly parallel vectors"),
    ("slerp", lambda a, b, w: guarded(a, b, w, zero=False), "zero vector has no direction"),
    ("slerp", lambda a, b, w: guarded(a, b, w, parallel=False), "For parallel or nearly parallel vectors"),
    ("slerp", lambda a, b, w: guarded(a, b, w, antipodal=False), "For opposite ends, z_b = -z_a"),
    ("slerp", other_side_each_time, "the same one at every call"),
    ("slerp", from_a_library, "the longer one pulls the direction"),
    ("slerp", lambda a, b, w: interpolation.slerp(a, b, w) / 2, "for two ordinary vectors"),
    ("path-scores", lambda x, d: scores_in_loops(x, d)[::-1], "Value 1 of 2"),
    ("path-scores", lambda x, d: scores_in_loops(x, torch.cat([d, x[1:2]])), "Value 2 of 2"),
    ("path-scores", lambda x, d: scores_in_loops(x, d)[0], "where 2 values are expected"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_wrong_answers_are_told_apart(name, answer, words):
    assert_told_apart(name, answer, words)


def test_every_edge_case_has_its_own_words():
    without = {}
    for case in ("zero", "parallel", "antipodal"):
        without[case] = verdict("slerp", lambda a, b, w, case=case: guarded(a, b, w, **{case: False}))
    assert len(set(without.values())) == 3
    assert "NaN" in without["zero"]
    assert "NaN" in without["parallel"]


def test_an_error_in_an_edge_case_is_shown():
    def raising(z_a, z_b, weight):
        if not z_a.any():
            raise ZeroDivisionError("float division by zero")
        return interpolation.slerp(z_a, z_b, weight)

    assert "zero vector has no direction" in verdict("slerp", raising)
    assert "ZeroDivisionError: float division by zero" in verdict("slerp", raising)
