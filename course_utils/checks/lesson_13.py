"""Exercises of lesson 13: lerp, slerp with all its edge cases, and two measures of a path."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks._arcs import SLERP
from course_utils.checks._engine import Check, Mistake, difference

# ------------------------------------------------------------------------------------------------ lerp


def lerp(z_a: Tensor, z_b: Tensor, weight) -> Tensor:
    """(1 - w) z_a + w z_b, w standing in front of all dimensions of a code."""
    w = _in_front(weight, z_a)
    return (1 - w) * z_a + w * z_b


def _in_front(weight, z: Tensor) -> Tensor:
    weight = torch.as_tensor(weight)
    return weight.reshape([*weight.shape, *[1] * z.ndim])


def _lerp_inputs(g: torch.Generator) -> tuple:
    z_a, z_b = torch.randn(2, 3, 5, generator=g)
    return z_a, z_b, torch.rand(5, generator=g)  # as many weights as the code has columns: the wrong axis is silent


def _observe_lerp(fn: Callable, z_a: Tensor, z_b: Tensor, weight: Tensor) -> dict:
    return {"one weight": fn(z_a, z_b, weight[0].item()), "five weights": fn(z_a, z_b, weight)}


def _lerp_fault(out, expected, *inputs) -> str | None:
    if fault := difference(out["one weight"], expected["one weight"]):
        return f"With one number as weight: {fault}"
    if fault := difference(out["five weights"], expected["five weights"]):
        return f"With one weight it is right, with a vector of 5 weights not: {fault}"
    return None


def _mix(first: Callable, second: Callable) -> Callable:
    """A wrong answer: first(w) z_a + second(w) z_b."""

    def answer(z_a, z_b, weight):
        w = _in_front(weight, z_a)
        return first(w) * z_a + second(w) * z_b

    return answer


def _along_the_last_axis(z_a, z_b, weight):
    return (1 - weight) * z_a + weight * z_b


def _product(z_a, z_b, weight):
    w = _in_front(weight, z_a)
    return (1 - w) * z_a * w * z_b


def _rescaled(z_a, z_b, weight):
    z = lerp(z_a, z_b, weight)
    return z / z.norm(dim=-1, keepdim=True)


# ------------------------------------------------------------------------------------------------ path scores


def path_scores(images: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Mean step over longest step, and the mean distance of the inner images to the nearest image of the data."""
    x, data = images.flatten(1), data.flatten(1)
    steps = (x[1:] - x[:-1]).norm(dim=1)
    distance = torch.cdist(x[1:-1], data)
    return steps.mean() / steps.max(), distance.min(dim=1).values.mean()


def _path_inputs(g: torch.Generator) -> tuple:
    return torch.rand(6, 1, 4, 3, generator=g), torch.rand(11, 1, 4, 3, generator=g)


def _steps(change: Callable) -> Callable:
    """A wrong answer whose first score is change(x), x (K, D), and whose second is right."""
    return lambda images, data: (change(images.flatten(1)), path_scores(images, data)[1])


def _distances(change: Callable, inner: slice = slice(1, -1)) -> Callable:
    """A wrong answer whose second score is change(distances (K - 2, N)), and whose first is right."""

    def answer(images, data):
        return path_scores(images, data)[0], change(torch.cdist(images.flatten(1)[inner], data.flatten(1)))

    return answer


def _lengths(x: Tensor) -> Tensor:
    return (x[1:] - x[:-1]).norm(dim=1)


def _nearest(distance: Tensor) -> Tensor:
    return distance.min(dim=1).values


def _squared(x):
    steps = _lengths(x).square()
    return steps.mean() / steps.max()


def _from_the_first(x):
    steps = (x[1:] - x[0]).norm(dim=1)
    return steps.mean() / steps.max()


def _summed_differences(x):
    steps = (x[1:] - x[:-1]).abs().sum(dim=1)
    return steps.mean() / steps.max()


CHECKS = [
    Check(
        name="lerp",
        lesson="13",
        reference=lerp,
        make_inputs=_lerp_inputs,
        observe=_observe_lerp,
        compare=_lerp_fault,
        mistakes=[
            Mistake(
                _mix(lambda w: w, lambda w: 1 - w),
                "Your path runs backwards: weight 0 gives z_b. The weight is the share of the SECOND code, as in "
                "torch.lerp: which of the two is multiplied by w?",
            ),
            Mistake(
                _mix(lambda w: 1, lambda w: w),
                "At weight 1 you return z_a + z_b, not z_b: what must become smaller as w grows?",
            ),
            Mistake(
                _along_the_last_axis,
                "With a vector of weights, each weight met one column of the code instead of the whole code. The "
                "weights need a dimension of their own in front: what does weight.reshape(-1, 1, 1) do?",
            ),
            Mistake(
                _product,
                "You multiply the two terms. A path is a sum: (1 - w) times one code PLUS w times the other.",
            ),
            Mistake(
                _mix(lambda w: (1 - w).sqrt(), lambda w: w.sqrt()),
                "Your weights are square roots. That keeps the expected norm of independent draws, but between 0 and 1 "
                "the weights no longer add up to 1, so halfway between two equal codes you are somewhere else. Where?",
            ),
            Mistake(
                _mix(lambda w: 1 + w, lambda w: -w),
                "You walk away from z_b: z_a - w (z_b - z_a). Which sign leads towards it?",
            ),
            Mistake(
                _mix(lambda w: -w, lambda w: 1 + w),
                "You start at z_b and walk on beyond it. From which end does w (z_b - z_a) have to start?",
            ),
            Mistake(
                _mix(lambda w: 0.5, lambda w: 0.5),
                "You return the midpoint whatever the weight is. Where does w come in?",
            ),
            Mistake(
                _rescaled,
                "You scale the result to norm 1, so not even the ends come out right. What is to be kept at weight 0?",
            ),
        ],
    ),
    SLERP,
    Check(
        name="path-scores",
        lesson="13",
        reference=path_scores,
        make_inputs=_path_inputs,
        mistakes=[
            Mistake(
                _steps(lambda x: _lengths(x).max() / _lengths(x).mean()),
                "Your uniformity is upside down: it should be 1 for even steps and SMALLER for uneven ones.",
            ),
            Mistake(
                _steps(lambda x: _lengths(x).min() / _lengths(x).max()),
                "You divide the shortest step by the longest: one pause anywhere would make it 0. What is to be "
                "compared with the longest step?",
            ),
            Mistake(
                _steps(_squared),
                "Your steps are squared, so a long one counts more than its length. What turns a sum of squares into a "
                "length?",
            ),
            Mistake(
                _steps(_summed_differences),
                "Your steps are sums of absolute differences. The Euclidean length squares, sums and takes the root.",
            ),
            Mistake(
                _steps(_from_the_first),
                "You measure how far each image is from the FIRST one. A step goes from each image to the next.",
            ),
            Mistake(
                _steps(lambda x: _lengths(x).mean()),
                "Your first score is the mean step in pixels, so it depends on how far apart the ends are. What makes "
                "it a number between 0 and 1?",
            ),
            Mistake(
                _distances(lambda d: _nearest(d).mean(), slice(None)),
                "Your distance counts the two ends as well, which are images and not made by the walk. Which images "
                "are inner ones?",
            ),
            Mistake(
                _distances(lambda d: d.mean()),
                "You average over ALL images of the data. How far is it to the nearest one?",
            ),
            Mistake(
                _distances(lambda d: d.min(dim=0).values.mean()),
                "For each image of the data you look for the nearest point of the path. The question is the other way "
                "round: over which dimension is the minimum?",
            ),
            Mistake(
                _distances(lambda d: _nearest(d).sum()),
                "You sum over the path, so a walk with more images would score worse. What should it be instead?",
            ),
            Mistake(
                _distances(lambda d: _nearest(d).square().mean()),
                "Your distances are squared. Which root is missing?",
            ),
            Mistake(
                _distances(lambda d: _nearest(d).max()),
                "You return the farthest of the inner images. Asked for is their mean.",
            ),
        ],
    ),
]
