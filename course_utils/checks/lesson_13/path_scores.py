"""path-scores: four numbers that judge a path: evenness of its steps, sharpness, distance to the data, length kept."""

from functools import partial

import torch
from torch import cdist

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.interpolation import lerp
from course_utils.metrics import sharpness

NAMES = ("evenness", "sharpness", "distance", "length")
Evenness, Sharpness, Distance, Length = (partial(Mistake, part=f"in the {name}") for name in NAMES)


def lengths(x):
    return (x[1:] - x[:-1]).norm(dim=1)


def even(steps):
    return steps.mean() / steps.max()


def nearest(distance):
    return distance.amin(dim=1)


def kept(norms, between=None):
    """|z_k| / r(w_k)."""
    return norms / (lerp(norms[0], norms[-1], torch.linspace(0, 1, len(norms))) if between is None else between)


def path_scores(codes, images, features, real):
    sharp = sharpness(images)
    return (
        even(lengths(features)),
        sharp[1:-1].mean() / sharp[[0, -1]].mean(),
        nearest(cdist(features[1:-1], real)).mean(),
        kept(codes.norm(dim=1)).min(),
    )


def changed(place, score):
    """A wrong answer whose number at a place is another function of the arguments."""

    def answer(codes, images, features, real):
        right = list(path_scores(codes, images, features, real))
        right[place] = score(codes, images, features, real)
        return tuple(right)

    return answer


def first(score):
    """The evenness another function of the features (K, F)."""
    return changed(0, lambda codes, images, features, real: score(features))


def second(score):
    """The sharpness another function of the images (K, C, H, W)."""
    return changed(1, lambda codes, images, features, real: score(images))


def third(score):
    """The distance another function of the features (K, F) and the real ones (N, F)."""
    return changed(2, lambda codes, images, features, real: score(features, real))


def of_table(score, inner=slice(1, -1)):
    """The distance another function of the distances (K - 2, N)."""
    return third(lambda x, real: score(cdist(x[inner], real)))


def fourth(score):
    """The length another function of the codes (K, D)."""
    return changed(3, lambda codes, images, features, real: score(codes))


def of_norms(score):
    return fourth(lambda codes: score(codes.norm(dim=1)))


def observe(fn, codes, images, features, real):
    """The four numbers together, and each by itself."""
    out = fn(codes, images, features, real)
    if not isinstance(out, (tuple, list)) or len(out) != len(NAMES):
        return out
    return Parts({"": tuple(out)} | {f"in the {name}": one for name, one in zip(NAMES, out, strict=True)})


def walk(number, many, dims, shape, change=lambda codes, images, features, real: (codes, images, features, real)):
    """A path of so many points, and real features that are as many as nothing else."""
    return lambda g: change(
        torch.randn(number, dims[0], generator=g), torch.rand(number, *shape, generator=g),
        torch.randn(number, dims[1], generator=g), torch.randn(many, dims[1], generator=g),
    )  # fmt: skip


def jump(codes, images, features, real):
    place = [0] * 4 + [-1] * 3
    return codes[place], images[place], features[place], real


def ends_in_data(codes, images, features, real):
    return codes, images, features, torch.cat([real[:4], features[:1], real[4:], features[-1:]])


CHECK = Check(
    path_scores,
    inputs={"": walk(6, 11, (5, 4), (1, 4, 3)), "the images have three channels": walk(4, 7, (3, 6), (3, 2, 5)),
            "the path jumps from its first image to its last": walk(2, 9, (4, 3), (1, 3, 4), jump),
            "the features of the ends are among the real ones": walk(5, 8, (6, 3), (1, 4, 3), ends_in_data),
            "there is one inner image and one real image": walk(3, 1, (4, 5), (1, 2, 4))},
    observe=observe,
    mistakes=[
        Mistake(lambda *inputs: path_scores(*inputs)[::-1], "You return the right numbers in the reverse order: "
            "evenness, sharpness, distance, length."),
        Mistake(lambda *inputs: tuple(score.item() for score in path_scores(*inputs)), "You return plain Python "
            "numbers. The lesson stacks the scores: leave them scalar tensors."),
        Mistake(lambda *inputs: torch.stack(path_scores(*inputs)), "You return one tensor of four numbers. Return four "
            "scalar tensors, with commas between."),
        Mistake(lambda *inputs: path_scores(*inputs)[:3], "You return three things. The fourth, the length, is "
            "missing."),
        Evenness(first(lambda x: even((x[:, 1:] - x[:, :-1]).norm(dim=1))), "These are differences of neighbouring "
            "features of one picture (diff runs along the last axis unless told otherwise). Which axis counts the "
            "points of the path?"),
        Evenness(first(lambda x: even(lengths(x[1:-1]))), "You leave out the first and the last step. All K points "
            "count here; only distance and sharpness look at the inner ones."),
        Evenness(first(lambda x: lengths(x).max() / lengths(x).mean()), "Your evenness is upside down: it should "
            "be 1 for even steps and SMALLER for uneven ones."),
        Evenness(first(lambda x: lengths(x).min() / lengths(x).max()), "You divide the shortest step by the longest. "
            "What is to be compared with the longest step?"),
        Evenness(first(lambda x: lengths(x).median() / lengths(x).max()), "You take the median step. The evenness "
            "divides the mean step by the longest."),
        Evenness(first(lambda x: even(lengths(x).square())), "Your steps are squared. What turns a sum of squares "
            "into a length?"),
        Evenness(first(lambda x: even((x[1:] - x[:-1]).abs().sum(dim=1))), "Your steps are sums of absolute "
            "differences. The Euclidean length squares, sums and takes the root."),
        Evenness(first(lambda x: even((x[1:].norm(dim=1) - x[:-1].norm(dim=1)).abs())), "Your steps are differences "
            "of norms. A step is the norm of the difference."),
        Evenness(changed(0, lambda codes, images, features, real: even(lengths(images.flatten(1)))), "Your steps are "
            "taken between pixels. They should be taken between features."),
        Evenness(changed(0, lambda codes, images, features, real: even(lengths(codes))), "Your steps are taken between "
            "codes, where both paths are even by design. Take them between features."),
        Evenness(first(lambda x: torch.ones(())), "Your evenness is always 1. Is there one length for each step, "
            "by norm(dim=1), or one for all?"),
        Evenness(first(lambda x: even((x[1:] - x[0]).norm(dim=1))), "You measure how far each picture is from the "
            "FIRST one. A step goes from each picture to the next."),
        Evenness(first(lambda x: even((x - x.roll(1, 0)).norm(dim=1))), "You count a step from the last picture back "
            "to the first, as roll does: there are K - 1 steps."),
        Evenness(first(lambda x: lengths(x).sum() / len(x) / lengths(x).max()), "You divide the sum of the steps by "
            "the K pictures. There are K - 1 steps."),
        Evenness(first(lambda x: lengths(x).mean()), "Your first number is the mean step itself. What makes it a "
            "number between 0 and 1?"),
        Evenness(first(lambda x: (x[-1] - x[0]).norm() / lengths(x).sum()), "You divide the distance of the ends by "
            "the length of the path. Asked for is how even its steps are."),
        Evenness(first(lambda x: lengths(x).std() / lengths(x).mean()), "You return standard deviation / mean, which "
            "is 0 for even steps. It is to be 1 for them."),
        Sharpness(second(lambda x: sharpness(x).mean() / sharpness(x)[[0, -1]].mean()), "You average the sharpness of "
            "all pictures, the two ends too. Which are the inner ones?"),
        Sharpness(second(lambda x: sharpness(x)[1:-1].mean()), "Your second number is the sharpness of the inner "
            "pictures itself. Divide it by that of the two ends."),
        Sharpness(second(lambda x: sharpness(x)[[0, -1]].mean() / sharpness(x)[1:-1].mean()), "Your sharpness is "
            "upside down: soft inner pictures should give LESS than 1."),
        Sharpness(second(lambda x: sharpness(x)[1:-1].mean() / sharpness(x)[0]), "You compare with the first end only. "
            "The mean of both ends is asked for."),
        Sharpness(second(lambda x: sharpness(x)[1:-1].mean() / sharpness(x).mean()), "You divide by the mean of all "
            "pictures. The inner ones are to be compared with the two ends."),
        Sharpness(second(lambda x: sharpness(x)[1:-1].mean() / sharpness(x)[[0, -1]].sum()), "You divide by the SUM of "
            "the two ends. Their mean is asked for."),
        Sharpness(second(lambda x: sharpness(x)[1:-1].min() / sharpness(x)[[0, -1]].mean()), "You take the softest "
            "inner picture. The mean of the inner ones is asked for."),
        Sharpness(second(lambda x: sharpness(x)[1:-1].mean() / sharpness(x[[0, -1]].mean(dim=0, keepdim=True))[0]),
            "You mix the two ends into one picture before you measure it. Measure each, then take the mean."),
        Sharpness(second(lambda x: sharpness(x[1:-1].mean(dim=0, keepdim=True))[0] / sharpness(x)[[0, -1]].mean()),
            "You average the inner pictures before you measure, and an average is soft. Measure each, then take the "
            "mean."),
        Distance(of_table(lambda d: nearest(d).mean(), slice(None)), "Your distance counts the two ends as well, which "
            "are not made by the walk. Which points are inner ones?"),
        Distance(of_table(lambda d: nearest(d).mean(), slice(1, None)), "Your distance counts the last point as well. "
            "Both ends are left out."),
        Distance(of_table(lambda d: nearest(d).mean(), slice(-1)), "Your distance counts the first point as well. Both "
            "ends are left out."),
        Distance(third(lambda x, real: cdist(x[1:-1].mean(dim=0, keepdim=True), real).min()), "You measure how far "
            "the MEAN of the inner points is. Measure each, then take the mean."),
        Distance(third(lambda x, real: nearest(cdist(x[1:-1], real)).mean() / x.shape[1] ** 0.5),
            "You average over the features (a root mean square). A Euclidean distance sums the squares."),
        Distance(third(lambda x, real: nearest(cdist(x[1:-1], real)).sum() / len(x)), "You divide the sum over the "
            "inner points by the number of all points. There are K - 2 inner ones."),
        Distance(of_table(lambda d: d.mean()), "You average over ALL real images. How far is it to the nearest one?"),
        Distance(of_table(lambda d: d.amax(dim=1).mean()), "You take the farthest real image. How far is it to the "
            "nearest one?"),
        Distance(of_table(lambda d: d.amin(dim=0).mean()), "For each real image you look for the nearest point of the "
            "path. Over which dimension is the minimum?"),
        Distance(of_table(lambda d: nearest(d).sum()), "You sum over the path, so a walk with more points would score "
            "worse. What should it be instead?"),
        Distance(of_table(lambda d: nearest(d).max()), "You take the inner point that is farthest out. The mean over "
            "the inner points is asked for."),
        Distance(of_table(lambda d: d.min()), "You take the minimum over everything. Each inner point has a nearest "
            "real image of its own; then the mean."),
        Distance(of_table(lambda d: nearest(d).square().mean()), "Your distances are squared. Take the root before "
            "the mean."),
        Distance(third(lambda x, real: nearest(cdist(x[1:-1], real, p=1)).mean()), "Your distances are sums of "
            "absolute differences. The Euclidean one squares, sums and takes the root."),
        Length(of_norms(lambda n: n.min()), "Your fourth number is the smallest length itself. Divide each length by "
            "r(w) at its point first."),
        Length(of_norms(lambda n: n.min() / n[[0, -1]].mean()), "You divide by the mean length of the ends at every "
            "point. r goes linearly from the first length to the last."),
        Length(of_norms(lambda n: n.min() / n.max()), "You divide by the longest code. Each length is to be compared "
            "with r(w) at its own point."),
        Length(of_norms(lambda n: kept(n).mean()), "You take the mean of |z| / r. The smallest is asked for."),
        Length(of_norms(lambda n: kept(n).max()), "You take the largest |z| / r. The smallest is asked for."),
        Length(of_norms(lambda n: kept(n, n[0]).min()), "You divide by the length of the first code everywhere. r goes "
            "linearly from the first length to the last."),
        Length(of_norms(lambda n: (1 / kept(n)).min()), "You divide r by |z|. It should be |z| / r: below 1 where the "
            "code is too short."),
        Length(fourth(lambda z: kept(z.norm(dim=1), lerp(z[0], z[-1], torch.linspace(0, 1, len(z))).norm(dim=1)).min()),
            "You compare with the length of LERP's code. r mixes the two lengths, not the two codes."),
        Length(of_norms(lambda n: kept(n)[len(n) // 2]), "You look at the middle only. The smallest over all points is "
            "asked for."),
        Length(fourth(lambda z: kept(z.norm(dim=1).square()).min()), "Your lengths are squared. norm() has taken the "
            "root already."),
        Length(changed(3, lambda codes, images, features, real: kept(features.norm(dim=1)).min()), "You take the "
            "lengths of the features. The lengths of the codes are asked for."),
    ],
)  # fmt: skip
