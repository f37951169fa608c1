"""Right answers to the exercises of lesson 08, in other styles than the reference."""

from collections import Counter

import numpy as np
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from verdicts import accepts, says

from course_utils import metrics


def accuracy_by_loops(z, labels, k=5):
    right = 0
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        others.sort(key=lambda j: float((z[i] - z[j]).square().sum()))
        right += Counter(labels[others[:k]].tolist()).most_common(1)[0][0] == int(labels[i])
    return torch.tensor(right / len(z))


def accuracy_by_scikit_learn(z, labels, k=5):
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=k).fit(z.numpy()).kneighbors(return_distance=False)
    return np.mean(stats.mode(labels.numpy()[near], axis=1).mode == labels.numpy())


def accuracy_by_one_hot(z, labels, k=5):
    near = (torch.cdist(z, z) + torch.diag(torch.full((len(z),), 1e6))).argsort(dim=1)[:, :k]
    return torch.nn.functional.one_hot(labels)[near].sum(1).argmax(1).eq(labels).double().mean()


def accuracy_leaving_each_out(z, labels, k=5):
    votes = []
    for i in range(len(z)):
        rest = torch.arange(len(z)) != i
        nearest = (z[rest] - z[i]).norm(dim=1).topk(k, largest=False).indices
        votes.append(torch.bincount(labels[rest][nearest]).argmax())
    return float((torch.stack(votes) == labels).sum()) / len(labels)


def nearest(points, k):
    return torch.cdist(points, points).fill_diagonal_(torch.inf).topk(k, largest=False).indices


def perplexity_in_bits(p):
    return 2 ** -(p * torch.log2(p.clamp(min=1e-30))).sum(dim=1)


def perplexity_by_scipy(p):
    return torch.from_numpy(np.exp(stats.entropy(p.numpy(), axis=1)))


def perplexity_by_distributions(p):
    return torch.distributions.Categorical(probs=p).perplexity()


def perplexity_row_by_row(p):
    return torch.stack([torch.prod(row[row > 0] ** -row[row > 0]) for row in p])


def perplexity_with_a_small_number(p):
    return torch.exp(-torch.einsum("nk,nk->n", p, (p + 1e-10).log()))


def trust_by_scikit_learn(z, points, k=5):
    from sklearn.manifold import trustworthiness

    return trustworthiness(z.numpy(), points.numpy(), n_neighbors=k)


def trust_by_loops(z, points, k=5):
    n, total = len(z), 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        in_data = sorted(others, key=lambda j: torch.dist(z[i], z[j]).item())
        on_map = sorted(others, key=lambda j: torch.dist(points[i], points[j]).item())
        total += sum(in_data.index(j) + 1 - k for j in on_map[:k] if j not in in_data[:k])
    return 1 - 2 * total / n / k / (2 * n - 3 * k - 1)


def trust_in_numpy(z, points, k=5):
    data, shown = cdist(z, z), cdist(points, points)
    rank = stats.rankdata(data, axis=1) - 1  # the point itself has 0
    near = np.argsort(shown, axis=1)[:, 1 : k + 1]
    n = len(z)
    excess = np.clip(np.take_along_axis(rank, near, axis=1) - k, 0, None).sum()
    return np.float32(1 - excess * 2 / (n * k * (2 * n - 3 * k - 1)))


def trust_by_counting(z, points, k=5):
    data = (z[:, None] - z).norm(dim=2)
    near = nearest(points, k)
    rank = (data[:, None, :] < data.gather(1, near)[:, :, None]).sum(dim=2)  # with the point itself
    n = len(z)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * torch.relu(rank - k).sum()


TRUTH = {"A": "distances", "B": "invented groups", "C": "sizes"}
RIGHT = {
    "knn-accuracy": [
        accuracy_by_loops, accuracy_by_scikit_learn, accuracy_by_one_hot, accuracy_leaving_each_out,
        metrics.knn_accuracy,
    ],
    "perplexity": [
        perplexity_in_bits, perplexity_by_scipy, perplexity_by_distributions, perplexity_row_by_row,
        perplexity_with_a_small_number,
    ],
    "trustworthiness": [
        trust_by_scikit_learn, trust_by_loops, trust_in_numpy, trust_by_counting, metrics.trustworthiness,
    ],
    "spot-the-lies": [
        lambda: dict(reversed(TRUTH.items())),
        lambda: {name.lower(): word.title() for name, word in TRUTH.items()},
        lambda: TRUTH | {"B": "invented_group"},
        lambda: TRUTH | {"A": "Distance ", "C": "size"},
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("knn-accuracy", lambda z, labels, k: (labels[nearest(z, k)] == labels[:, None]).mean(), ".float() makes"),
        ("trustworthiness", lambda z, points, k: trust_by_loops(z.sub_(z.mean(0)), points, k), "in place"),
        ("perplexity", lambda p: perplexity_in_bits(p)[:, None], "only their shape"),
        ("spot-the-lies", lambda: "sizes", "Return a dictionary"),
        ("spot-the-lies", lambda: TRUTH | {"B": "clusters"}, "none of the words"),
        ("spot-the-lies", lambda: {"A": "distances", "B": "invented groups"}, "Map C is missing"),
    ]
)
