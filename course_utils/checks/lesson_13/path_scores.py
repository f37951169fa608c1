"""path-scores: how even the steps of a path are, and how far it is from the data."""

from functools import partial

import torch
from torch import cdist

from course_utils.checks._check import Check, Mistake, Parts

Uniformity, Distance = (partial(Mistake, part=part) for part in ("in the uniformity", "in the distance"))


def lengths(x):
    return (x[1:] - x[:-1]).norm(dim=1)


def even(steps):
    return steps.mean() / steps.max()


def nearest(distance):
    return distance.amin(dim=1)


def path_scores(images, data):
    x, data = images.flatten(1), data.flatten(1)
    return even(lengths(x)), nearest(cdist(x[1:-1], data)).mean()


def first(score):
    """A wrong answer whose uniformity is another function of the images (K, C * H * W)."""
    return lambda images, data: (score(images.flatten(1)), path_scores(images, data)[1])


def second(score):
    """A wrong answer whose distance is another function of the images (K, C * H * W) and the data."""
    return lambda images, data: (path_scores(images, data)[0], score(images.flatten(1), data.flatten(1)))


def of_table(score, inner=slice(1, -1)):
    """A wrong answer whose distance is another function of the distances (K - 2, N)."""
    return second(lambda x, data: score(cdist(x[inner], data)))


def observe(fn, images, data):
    """The two scores together, and each by itself."""
    out = fn(images, data)
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        return out
    return Parts({"": tuple(out), "in the uniformity": out[0], "in the distance": out[1]})


def walk(number, many, *shape, change=lambda images, data: (images, data)):
    """A path of images, and data that are as many as nothing else."""
    return lambda g: change(torch.rand(number, *shape, generator=g), torch.rand(many, *shape, generator=g))


def jump(images, data):
    return torch.cat([images[:1].expand(4, *images.shape[1:]), images[-1:].expand(3, *images.shape[1:])]), data


def ends_in_data(images, data):
    return images, torch.cat([data[:4], images[:1], data[4:], images[-1:]])


CHECK = Check(
    path_scores,
    inputs={"": walk(6, 11, 1, 4, 3), "the images have three channels": walk(4, 7, 3, 2, 5),
            "the path jumps from its first image to its last": walk(2, 9, 1, 3, 4, change=jump),
            "the ends of the path are among the data": walk(5, 8, 1, 4, 3, change=ends_in_data),
            "there is one inner image and one image of the data": walk(3, 1, 1, 2, 4)},
    observe=observe,
    mistakes=[
        Uniformity(first(lambda x: even((x[:, 1:] - x[:, :-1]).norm(dim=1))), "diff runs along the last axis unless "
            "told otherwise: these are differences of neighbouring pixels. Which axis counts the images?"),
        Uniformity(first(lambda x: even(lengths(x[1:-1]))), "You leave out the first and the last step. Only the "
            "distance is that of the inner images."),
        Uniformity(first(lambda x: (x[1:] - x[:-1]).mean(dim=0).norm() / lengths(x).max()), "You average the steps "
            "before you take their length, so detours cancel. Which comes first?"),
        Mistake(lambda *inputs: path_scores(*inputs)[::-1], "You return the right two numbers in the reverse order: "
            "uniformity first."),
        Mistake(lambda *inputs: tuple(score.item() for score in path_scores(*inputs)), "You return plain Python "
            "numbers. The lesson stacks the scores: leave them scalar tensors."),
        Mistake(lambda *inputs: torch.stack(path_scores(*inputs)), "You return one tensor of two numbers. Return two "
            "scalar tensors: uniformity, distance."),
        Uniformity(first(lambda x: lengths(x).max() / lengths(x).mean()), "Your uniformity is upside down: it should "
            "be 1 for even steps and SMALLER for uneven ones."),
        Uniformity(first(lambda x: lengths(x).min() / lengths(x).max()), "You divide the shortest step by the longest. "
            "What is to be compared with the longest step?"),
        Uniformity(first(lambda x: lengths(x).median() / lengths(x).max()), "You take the median step. The uniformity "
            "divides the mean step by the longest."),
        Uniformity(first(lambda x: even(lengths(x).square())), "Your steps are squared. What turns a sum of squares "
            "into a length?"),
        Uniformity(first(lambda x: even((x[1:] - x[:-1]).abs().sum(dim=1))), "Your steps are sums of absolute "
            "differences. The Euclidean length squares, sums and takes the root."),
        Uniformity(first(lambda x: even((x[1:].norm(dim=1) - x[:-1].norm(dim=1)).abs())), "Your steps are differences "
            "of norms. A step is the norm of the difference."),
        Uniformity(lambda images, data: (even((images[1:] - images[:-1]).norm(dim=1)), path_scores(images, data)[1]),
            "You take the norm over the channels only, so each pixel is a step of its own. What does flatten(1) do?"),
        Uniformity(first(lambda x: torch.ones(())), "Your uniformity is always 1. Is there one length for each step, "
            "by norm(dim=1), or one for all?"),
        Uniformity(first(lambda x: even((x[1:] - x[0]).norm(dim=1))), "You measure how far each image is from the "
            "FIRST one. A step goes from each image to the next."),
        Uniformity(first(lambda x: even((x - x.roll(1, 0)).norm(dim=1))), "You count a step from the last image back "
            "to the first, as roll does: there are K - 1 steps."),
        Uniformity(first(lambda x: even(lengths(x)[1:])), "The first step is missing: there are K - 1 of them."),
        Uniformity(first(lambda x: even(lengths(x)[:-1])), "The last step is missing: there are K - 1 of them."),
        Uniformity(first(lambda x: lengths(x).sum() / len(x) / lengths(x).max()), "You divide the sum of the steps by "
            "the K images. There are K - 1 steps."),
        Uniformity(first(lambda x: lengths(x).mean()), "Your first score is the mean step in pixels. What makes it a "
            "number between 0 and 1?"),
        Uniformity(first(lambda x: (x[-1] - x[0]).norm() / lengths(x).sum()), "You divide the distance of the ends by "
            "the length of the path. Asked for is how even its steps are."),
        Uniformity(first(lambda x: lengths(x).std() / lengths(x).mean()), "You return standard deviation / mean, which "
            "is 0 for even steps. It is to be 1 for them."),
        Distance(of_table(lambda d: nearest(d).mean(), slice(None)), "Your distance counts the two ends as well, which "
            "are not made by the walk. Which images are inner ones?"),
        Distance(of_table(lambda d: nearest(d).mean(), slice(1, None)), "Your distance counts the last image as well. "
            "Both ends are left out."),
        Distance(of_table(lambda d: nearest(d).mean(), slice(-1)), "Your distance counts the first image as well. Both "
            "ends are left out."),
        Distance(second(lambda x, data: cdist(x[1:-1].mean(dim=0, keepdim=True), data).min()), "You measure how far "
            "the MEAN of the inner images is. Measure each, then take the mean."),
        Distance(second(lambda x, data: nearest(cdist(x[1:-1], data)).mean() / x.shape[1] ** 0.5),
            "You average over the pixels (a root mean square). A Euclidean distance sums the squares."),
        Mistake(lambda images, data: path_scores(images[:, :1], data[:, :1]), "You look at the first channel only. "
            "Which dimensions does one image have?"),
        Distance(second(lambda x, data: nearest(cdist(x[1:-1], data)).sum() / len(x)), "You divide the sum over the "
            "inner images by the number of all images. There are K - 2 inner ones."),
        Distance(of_table(lambda d: d.mean()), "You average over ALL images of the data. How far is it to the nearest "
            "one?"),
        Distance(of_table(lambda d: d.amax(dim=1).mean()), "You take the farthest image of the data. How far is it to "
            "the nearest one?"),
        Distance(of_table(lambda d: d.amin(dim=0).mean()), "For each image of the data you look for the nearest point "
            "of the path. Over which dimension is the minimum?"),
        Distance(of_table(lambda d: nearest(d).sum()), "You sum over the path, so a walk with more images would score "
            "worse. What should it be instead?"),
        Distance(of_table(lambda d: nearest(d).square().mean()), "Your distances are squared. Which root is missing?"),
        Distance(of_table(lambda d: nearest(d).max()), "You return the farthest of the inner images. Asked for is "
            "their mean."),
        Distance(of_table(lambda d: d.min()), "You return the distance of the one inner image that is nearest. Asked "
            "for is the mean over them."),
        Distance(of_table(lambda d: d.argmin(dim=1).float().mean()), "You average the places of the nearest images in "
            "data, not their distances: .values, not .indices."),
        Distance(second(lambda x, data: nearest(cdist(x[1:-1], data, p=1)).mean()), "You add up absolute differences "
            "(p=1). A Euclidean distance has squares and a root."),
        Distance(second(lambda x, data: (x[1:-1] - data.mean(dim=0)).norm(dim=1).mean()), "You measure the distance to "
            "the mean image of the data. How far is it to the nearest one?"),
        Distance(second(lambda x, data: nearest(cdist(x[1:-1], x[[0, -1]])).mean()), "You measure the distance to the "
            "two ends. How far is it to the nearest image of the data?"),
        Distance(second(lambda x, data: nearest(cdist(x[1:-1], torch.cat([data, x[[0, -1]]]))).mean()),
            "You count the ends of the path among the data. The nearest image is looked for in data alone."),
    ],
)  # fmt: skip
