"""knn-accuracy: how often the nearest others name a point's class."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, one_hot

from course_utils.checks._check import Check, Mistake

TWINS = ("Another point can lie at the same place, so neither the first of the sorted points nor all at distance 0 "
         "are the point itself. Leave it out by its position, the diagonal.")  # fmt: skip


def nearest(z, k, diagonal=torch.inf, largest=False, p=2):
    table = torch.cdist(z, z, p=p)
    if diagonal is not None:
        table.fill_diagonal_(diagonal)
    return table.topk(k, dim=1, largest=largest).indices


def share_right(guess, labels):
    return (guess == labels).float().mean().item()


def knn_accuracy(z, labels, k=5):
    return share_right(labels[nearest(z, k)].mode(dim=1).values, labels)


def asks(neighbors):
    """A wrong answer that lets others vote: neighbors(z, k), (N, some)."""
    return lambda z, labels, k: share_right(labels[neighbors(z, k)].mode(dim=1).values, labels)


def most(table):
    """A wrong answer that asks those with the largest numbers of a table (N, N)."""
    return asks(lambda z, k: table(z).fill_diagonal_(-torch.inf).topk(k).indices)


def counts(right):
    """A wrong answer from who of the neighbours has a point's own label, bool (N, k)."""
    return lambda z, labels, k: right(labels[nearest(z, k)] == labels[:, None]).float().mean().item()


def guesses(vote):
    """A wrong answer with another vote, from the neighbours' labels (N, k)."""
    return lambda z, labels, k: share_right(vote(labels[nearest(z, k)]), labels)


def weighted(z, labels, k):
    distance, near = torch.cdist(z, z).fill_diagonal_(torch.inf).topk(k, largest=False)
    return share_right((one_hot(labels)[near] / (distance[:, :, None] + 1e-9)).sum(dim=1).argmax(dim=1), labels)


def nearest_mean(z, labels, k):
    means = torch.stack([z[labels == c].mean(dim=0) for c in range(labels.max() + 1)])
    return share_right(torch.cdist(z, means).argmin(dim=1), labels)


def each_class(z, labels, k):
    right = labels[nearest(z, k)].mode(dim=1).values == labels
    return torch.stack([right[labels == c].float().mean() for c in labels.unique()]).mean().item()


def points(k, sizes=(12, 9, 6), twins=0):
    """Points of classes that overlap, away from the origin: where no vote is tied and no distance at rank k is."""

    def inputs(g):
        centers = torch.tensor([[2.0, 0.5, 1.0], [3.5, 1.5, 1.0], [2.2, 2.4, 0.0]])
        centers = torch.cat([centers, 6 * torch.randn(9, 3, generator=g)])
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        labels = labels[torch.randperm(len(labels), generator=g)]
        some, others = torch.where(labels == 0)[0][:twins], torch.where(labels == 1)[0][:twins]
        z, unclear = torch.empty(len(labels), 3), torch.ones(len(labels), dtype=torch.bool)
        while unclear.any():  # points whose vote is unclear are drawn anew
            unclear[others] |= unclear[some]
            z[unclear] = centers[labels[unclear]] + 0.9 * torch.randn(int(unclear.sum()), 3, generator=g)
            z[some] = z[others]
            distance, order = torch.cdist(z.double(), z.double()).fill_diagonal_(torch.inf).sort(dim=1)
            votes = one_hot(labels[order[:, :k]], 12).sum(dim=1).sort(dim=1, descending=True).values
            unclear = (distance[:, k] - distance[:, k - 1] < 1e-3) | (votes[:, 0] == votes[:, 1])
        return z, labels, k

    return inputs


def as_number(fn, *inputs):
    """The output as a float where it is one number, of whatever kind."""
    out = fn(*inputs)
    return float(out) if isinstance(out, (Tensor, np.ndarray, np.generic, int)) and np.ndim(out) == 0 else out


CHECK = Check(
    knn_accuracy,
    inputs={"": points(5, (22, 17, 12)), "four neighbours vote": points(4, (13, 8, 7)), "only one votes": points(1),
            "there are twelve classes": points(3, (6, 4, 5, 3, 4, 5, 3, 4, 5, 4, 3, 4)),
            "some points lie on one of another class": points(3, (13, 9), twins=4),
            "all other points vote": points(28, (14, 9, 6))},
    observe=as_number,
    mistakes=[
        Mistake(asks(lambda z, k: nearest(z, k, diagonal=None)), "Each point is among its own neighbours, at distance "
            "0, and votes for its own label. Put infinity on the diagonal of the distances first."),
        Mistake(asks(lambda z, k: nearest(z, k + 1, diagonal=-1)),
            "k others vote, and each point with them: it is at distance 0 from itself. Leave it out before the vote."),
        Mistake(asks(lambda z, k: nearest(z, max(k, 2), diagonal=-1)[:, 1:]),
            "You leave the point itself out of its k nearest, so only k - 1 others vote."),
        Mistake(asks(lambda z, k: nearest(z, k + 1)),
            "You ask k + 1 others. With infinity on the diagonal the point itself is gone already."),
        Mistake(asks(lambda z, k: nearest(z, k + 1)[:, 1:]), "You leave out the nearest other point. The point itself "
            "was gone already (infinity on the diagonal), so nothing else is to be dropped."),
        Mistake(asks(lambda z, k: (torch.cdist(z, z) + 1e9 * (torch.cdist(z, z) < 1e-6)).topk(k, largest=False)[1]),
            TWINS),
        Mistake(asks(lambda z, k: torch.cdist(z, z).argsort(dim=1, stable=True)[:, 1 : k + 1]), TWINS),
        Mistake(most(lambda z: torch.cdist(z, z)),
            "You ask the FARTHEST points: topk returns the largest values unless told otherwise."),
        Mistake(asks(lambda z, k: nearest(z, k, largest=True)),
            "topk takes the LARGEST unless told otherwise (largest=False): each point itself and the farthest others."),
        Mistake(most(lambda z: z @ z.T), "You take the largest dot products, which favour long vectors wherever they "
            "lie. What measures how far apart two points are?"),
        Mistake(most(lambda z: cosine_similarity(z[:, None], z, dim=2)),
            "You compare angles (cosine). Neighbours on a map are near by distance: torch.cdist."),
        Mistake(asks(lambda z, k: nearest(z, k, p=1)),
            "You add up absolute differences of coordinates (p=1). A Euclidean distance has squares and a root: p=2."),
        Mistake(counts(lambda right: right), "You return the average share of neighbours with the right label. Here "
            "they vote: each point counts as right or wrong by the majority of its k."),
        Mistake(counts(lambda right: right.any(dim=1)),
            "You count a point as right if ANY of its neighbours has its label. The majority decides."),
        Mistake(counts(lambda right: right.all(dim=1)),
            "You count a point as right only if ALL of its neighbours have its label. The majority decides."),
        Mistake(counts(lambda right: right.float().mean(dim=1) > 0.5), "You ask for more than half of the votes. With "
            "three classes or more the most frequent label can win with less."),
        Mistake(counts(lambda right: right.float().mean(dim=1) >= 0.5), "You count a point as right if at least half "
            "of its neighbours have its label. The most frequent label wins, whatever its share."),
        Mistake(counts(lambda right: right[:, 0]), "Only the nearest neighbour decides: k has no effect."),
        Mistake(counts(lambda right: right[:, -1]),
            "Only the k-th nearest decides; the nearer ones have no vote. Which k vote?"),
        Mistake(asks(lambda z, k: nearest(z[:, :2], k)),
            "You look at the first two coordinates only. z has D of them, and all count."),
        Mistake(lambda z, labels, k: share_right(nearest(z, k).mode(dim=1).values, labels),
            "You compare the neighbours' numbers in the batch with the labels. labels[nearest] looks up their labels."),
        Mistake(lambda z, labels, k: (labels[nearest(z, k)].mode(dim=0).values[:, None] == labels).float().mean(),
            "You take the vote down the columns, (k,). Each row holds the k votes for one point: dim=1."),
        Mistake(asks(lambda z, k: nearest(z, 5)), "Always five neighbours vote: k has no effect."),
        Mistake(guesses(lambda votes: votes.float().mean(dim=1).round()), "You average the labels. They are names, not "
            "amounts: the mean of classes 0 and 2 is not class 1. Which label is the most frequent of a row?"),
        Mistake(guesses(lambda votes: votes.median(dim=1).values), "You take the median of the labels. They are names, "
            "not amounts, and have no order. Which label is the most frequent of a row (mode)?"),
        Mistake(weighted, "You weight the votes by how near a neighbour is. Here each of the k has one vote."),
        Mistake(nearest_mean, "You ask which class's mean is nearest. Here the k nearest points vote."),
        Mistake(each_class, "You average over the classes, so that a small one counts as much as a large one. Here "
            "every point counts the same."),
        Mistake(lambda z, labels, k: (labels[nearest(z, k)].mode(dim=1).values[:, None] == labels).float().mean(),
            "Broadcasting has compared every vote with every label, (N, N). Print both shapes; vote i belongs to label "
            "i."),
        Mistake(lambda z, labels, k: 100 * knn_accuracy(z, labels, k),
            "You return percent; a fraction from 0 to 1 is asked for."),
        Mistake(lambda z, labels, k: 1 - knn_accuracy(z, labels, k),
            "You return the share of points whose neighbours are wrong."),
        Mistake(lambda z, labels, k: labels[nearest(z, k)].mode(dim=1).values == labels,
            "You return True or False for each point. Which share of them is True? (.float().mean())"),
        Mistake(lambda z, labels, k: labels[nearest(z, k)].mode(dim=1).values,
            "You return the votes. How often does a point's vote name its own label?"),
    ],
)  # fmt: skip
