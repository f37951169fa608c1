"""judged-map: a t-SNE map by scikit-learn, and its measures beside those of two controls."""

from unittest import mock

import numpy as np
import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_08.knn_accuracy import knn_accuracy


def tsne(z, perplexity, **options):
    from sklearn.manifold import TSNE

    return torch.from_numpy(TSNE(perplexity=perplexity, **({"random_state": 0} | options)).fit_transform(z.numpy()))


def pca(z, axes=2):
    from sklearn.decomposition import PCA

    return torch.from_numpy(PCA(axes).fit_transform(z.numpy()))


def trust(z, points, k):
    from sklearn.manifold import trustworthiness

    return trustworthiness(z.numpy(), points.numpy(), n_neighbors=k)


def judged_map(z, labels, order, perplexity=30, k=10):
    return judged(tsne(z, perplexity), z, labels, order, k)


def judged(points, z, labels, order, k, pca=pca, shuffled=None, score=None):
    """The map with the scores of all three maps, some of them made in another way."""
    maps = {"t-SNE": points, "PCA": pca(z), "shuffled": points[order] if shuffled is None else shuffled}
    score = score or (lambda z, y, labels, k: (trust(z, y, k), knn_accuracy(y, labels, k)))
    return points, {name: score(z, y, labels, k) for name, y in maps.items()}


def makes(map_of):
    """A wrong answer with another map, from the codes and the perplexity."""
    return lambda z, labels, order, perplexity, k: judged(map_of(z, perplexity), z, labels, order, k)


def controls(**changes):
    """A wrong answer with another control, from the codes, the map and the order."""

    def answer(z, labels, order, perplexity, k):
        points = tsne(z, perplexity)
        made = {name: make(z, points, order) for name, make in changes.items()}
        if "pca" in made:
            made["pca"] = lambda z, y=made["pca"]: y
        return judged(points, z, labels, order, k, **made)

    return answer


def scores(score):
    """A wrong answer that measures in another way, from the codes, the map, the labels and k."""
    return lambda z, labels, order, perplexity, k: judged(tsne(z, perplexity), z, labels, order, k, score=score)


def labels_shuffled(z, labels, order, perplexity, k):
    points, found = judged_map(z, labels, order, perplexity, k)
    return points, found | {"shuffled": (trust(z, points, k), knn_accuracy(points, labels[order], k))}


def codes(k, n=(19, 22), perplexity=12):
    """Two classes that overlap, with one wide axis that says nothing of them; no vote can be tied, for k is odd."""

    def inputs(g):
        labels = torch.arange(2).repeat_interleave(torch.tensor(n))[torch.randperm(sum(n), generator=g)]
        z = torch.randn(sum(n), 5, generator=g) + 1.5 * labels[:, None] * torch.tensor([0.0, 0, 1, 1, 1]) + 2
        z[:, 0] *= 3
        return z, labels, torch.randperm(sum(n), generator=g), perplexity, k

    return inputs


def in_place_of_tsne(self, X, y=None):
    """What stands in for the second-long descent: a bent map that depends on what t-SNE was asked for."""
    x = np.asarray(X, dtype=np.float64)
    x = np.pad(x - x.mean(axis=0), ((0, 0), (0, max(0, 5 - x.shape[1]))))
    turn = 0.1 * self.perplexity + (1 if self.random_state == 0 else 2.5)
    flat = x[:, 2:4] + np.stack([np.cos(turn) * x[:, 4], np.sin(turn) * x[:, 1]], axis=1)
    self.embedding_ = np.concatenate([flat, x], axis=1)[:, : self.n_components].astype(np.float32)
    return self.embedding_


def observe(fn, *inputs):
    """The answer with plain numbers and a tensor; t-SNE itself is not waited for."""
    from sklearn.manifold import TSNE

    with mock.patch.object(TSNE, "fit_transform", in_place_of_tsne):
        out = fn(*inputs)
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        return out
    points, found = out
    if isinstance(points, np.ndarray):
        points = torch.from_numpy(points)
    if isinstance(found, dict):
        found = {name: tuple(map(plain, pair)) if np.shape(pair) == (2,) else pair for name, pair in found.items()}
    return points, found


def plain(value):
    return float(value) if isinstance(value, (Tensor, np.ndarray, np.generic, int)) and np.ndim(value) == 0 else value


CHECK = Check(
    judged_map,
    inputs={"": codes(7), "three neighbours count": codes(3, (24, 15), 8)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(scores(lambda z, y, labels, k: (trust(y, z, k), knn_accuracy(y, labels, k))), "Your trustworthiness "
            "has its arguments exchanged: first the codes, then the map. The other way round is another measure."),
        Mistake(scores(lambda z, y, labels, k: (trust(z, y, 5), knn_accuracy(y, labels, k))), "Your trustworthiness "
            "always looks at 5 neighbours, scikit-learn's default. Hand k over: n_neighbors=k."),
        Mistake(scores(lambda z, y, labels, k: (trust(z, y, k), knn_accuracy(y, labels, 5))), "Your k-NN accuracy "
            "always asks 5 neighbours, your function's default. Hand k over as well."),
        Mistake(scores(lambda z, y, labels, k: (trust(z, y, 5), knn_accuracy(y, labels, 5))), "Both measures use 5 "
            "neighbours, their default: k is not handed over."),
        Mistake(scores(lambda z, y, labels, k: (trust(z, y, k), knn_accuracy(z, labels, k))), "Your k-NN accuracy is "
            "that of the codes, so it is the same for every map. Which points are to be judged here?"),
        Mistake(scores(lambda z, y, labels, k: (trust(y, y, k), knn_accuracy(y, labels, k))), "Your trustworthiness "
            "compares each map with itself and is always 1. Its first argument is the codes."),
        Mistake(scores(lambda z, y, labels, k: (knn_accuracy(y, labels, k), trust(z, y, k))), "The two scores are "
            "exchanged: first the trustworthiness, then the k-NN accuracy."),
        Mistake(scores(lambda z, y, labels, k: (100 * trust(z, y, k), 100 * knn_accuracy(y, labels, k))), "You return "
            "percent; both scores are to be fractions from 0 to 1."),
        Mistake(scores(lambda z, y, labels, k: trust(z, y, k)), "You give the trustworthiness alone. A pair is asked "
            "for: (trustworthiness, k-NN accuracy)."),
        Mistake(makes(lambda z, perplexity: tsne(z, 30)), "Your map always has perplexity 30, the default. Hand the "
            "argument over: TSNE(perplexity=perplexity, ...)."),
        Mistake(makes(lambda z, perplexity: tsne(z, perplexity, random_state=None)), "Your TSNE has no random_state, "
            "so nobody can make the same map again. random_state=0 is asked for."),
        Mistake(makes(lambda z, perplexity: tsne(pca(z), perplexity)), "Your t-SNE maps the PCA map, two numbers a "
            "point. It should see all numbers of a code."),
        Mistake(makes(lambda z, perplexity: tsne((z - z.mean(dim=0)) / z.std(dim=0), perplexity)), "You scale each "
            "number of the codes to spread 1 first. That changes who is near; map the codes as they are."),
        Mistake(makes(lambda z, perplexity: pca(z)), "Your map is that of PCA. TSNE(...).fit_transform makes the one "
            "that is asked for."),
        Mistake(makes(lambda z, perplexity: tsne(z, perplexity, n_components=3)), "Your map has three numbers a point. "
            "Leave n_components at its default, 2."),
        Mistake(controls(shuffled=lambda z, points, order: points), "Your shuffled map has the same scores as the "
            "t-SNE map. Only the points are to change places, points[order]; the codes and labels stay."),
        Mistake(controls(shuffled=lambda z, points, order: pca(z)[order]), "You shuffled the PCA map. The t-SNE map "
            "is to be shuffled."),
        Mistake(controls(shuffled=lambda z, points, order: tsne(z[order], 12)), "You shuffled the codes before the "
            "map was made. Shuffle the points of the map that you have: points[order]."),
        Mistake(labels_shuffled, "You shuffled the labels. Then the map still shows the codes, and the trustworthiness "
            "cannot see it. Shuffle the points: points[order]."),
        Mistake(controls(pca=lambda z, points, order: z[:, :2]), "Your PCA map is the first two numbers of the codes. "
            "PCA(2) looks for the two directions of largest variance."),
        Mistake(controls(pca=lambda z, points, order: pca(points)), "Your PCA is that of the t-SNE map, which only "
            "turns it. Give PCA the codes."),
        Mistake(controls(pca=lambda z, points, order: pca(z, 5)), "Your PCA keeps all axes, so nothing is lost. A map "
            "has two: PCA(2)."),
        Mistake(lambda z, labels, order, perplexity, k: judged_map(z, labels, order, perplexity, k)[::-1],
            "You return the scores first. The map comes first, then the scores."),
        Mistake(lambda z, labels, order, perplexity, k: judged_map(z, labels, order, perplexity, k)[0],
            "You return the map alone. Return two things: the map and the scores."),
        Mistake(lambda z, labels, order, perplexity, k: judged_map(z, labels, order, perplexity, k)[1],
            "You return the scores alone. Return two things: the map and the scores."),
    ],
)  # fmt: skip
