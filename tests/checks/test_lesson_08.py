"""Right answers to the exercises of lesson 08, in other styles than the reference."""

from collections import Counter

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as scikit_learns
from sklearn.metrics import silhouette_samples, silhouette_score
from verdicts import accepts, says

from course_utils import metrics
from course_utils.embedding import embed


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


def judged_by_loops(z, labels, order, perplexity=30, k=10):
    tsne = TSNE(n_components=2, perplexity=perplexity, random_state=0)
    points = tsne.fit_transform(z.numpy())
    scores = {}
    for name, y in (("PCA", PCA(2).fit_transform(z)), ("shuffled", points[order.numpy()]), ("t-SNE", points)):
        y = torch.from_numpy(y)
        scores[name] = [trust_by_loops(z, y, k), accuracy_by_loops(y, labels, k)]
    return torch.from_numpy(points), scores


def judged_with_fit(z, labels, order, perplexity=30, k=10):
    points = torch.tensor(TSNE(perplexity=perplexity, random_state=0).fit(z).embedding_)
    both = [(scikit_learns(z, y, n_neighbors=k), metrics.knn_accuracy(y, labels, k))
            for y in (points, embed(z, "pca"), points[order])]  # fmt: skip
    return points, dict(zip(("t-SNE", "PCA", "shuffled"), both, strict=True))


def judged_by_the_package(z, labels, order, perplexity=30, k=10):
    points = embed(z, perplexity=perplexity, random_state=0)
    maps = {"t-SNE": points, "PCA": embed(z, "pca"), "shuffled": points.index_select(0, order)}
    return points, {name: (metrics.trustworthiness(z, y, k), metrics.knn_accuracy(y, labels, k))
                    for name, y in maps.items()}  # fmt: skip


def judged_as_arrays(z, labels, order, perplexity=30, k=10):
    points = TSNE(random_state=0, perplexity=perplexity).fit_transform(np.asarray(z))
    axes = torch.linalg.svd(z - z.mean(0), full_matrices=False).Vh[:2]
    maps = {"t-SNE": torch.from_numpy(points), "shuffled": torch.from_numpy(points)[order], "PCA": z @ axes.T}
    return [points, {name: (np.float64(trust_in_numpy(z, y, k)), accuracy_by_one_hot(y, labels, k))
                     for name, y in maps.items()}]  # fmt: skip


def judged_with_pairs_as_tensors(*inputs, **options):
    points, scores = judged_as_arrays(*inputs, **options)
    return torch.as_tensor(points), {name: torch.tensor([float(one) for one in pair]) for name, pair in scores.items()}


def drawn(points, labels):
    plt.scatter(*torch.as_tensor(points).T, c=labels)
    plt.xlim(-3, 3)
    plt.ylim(-3, 3)
    plt.show()


def control_by_interact(map_of, labels, names):
    return ipywidgets.interact(lambda p: drawn(map_of(p), labels), p=ipywidgets.IntSlider(30, 2, 100))


def control_by_interactive_output(map_of, labels, names):
    slider = ipywidgets.IntSlider(value=30, min=2, max=100, continuous_update=False)
    out = ipywidgets.interactive_output(lambda value: drawn(map_of(value), labels), {"value": slider})
    return ipywidgets.HBox([out, slider])


def control_by_observing(map_of, labels, names):
    slider, out = ipywidgets.IntSlider(min=2, max=100, value=30, step=2), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            drawn(map_of(perplexity=slider.value), labels)

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def control_by_interactive(map_of, labels, names):
    def show(perplexity):
        drawn(map_of(perplexity), labels)

    return ipywidgets.interactive(show, perplexity=ipywidgets.IntSlider(value=30, min=2, max=100))


def ratio_of(values):
    return np.max(values) / np.min(values)


def lie_in_numpy(z, points, group, cloud):
    z, points, group = z.numpy(), points.numpy(), group.numpy()
    votes = []
    for x in (z, points):
        near = np.argsort(cdist(x, x) + np.diag(np.full(len(x), 1e9)), axis=1)[:, :10]
        votes.append(np.mean(stats.mode(group[near], axis=1).mode == group))
    if votes[0] > votes[1] + 0.2:
        return "hidden"
    if np.mean(silhouette_samples(points, group)) > 0.5 and silhouette_score(z, group) <= cloud:
        return "invented"
    for word, measure in (("distances", gaps_in_numpy), ("sizes", radii_in_numpy)):
        a, b = ratio_of(measure(points, group)), ratio_of(measure(z, group))
        if a > 1.4 * b or b > 1.4 * a:
            return word
    return "none"


def gaps_in_numpy(x, group):
    return pdist([x[group == k].mean(axis=0) for k in np.unique(group)])


def radii_in_numpy(x, group):
    return [np.sqrt(x[group == k].var(axis=0).sum()) for k in np.unique(group)]


def lie_by_a_table(z, points, group, cloud):
    shown, there = silhouette_score(points, group), silhouette_score(z, group)
    accuracy = [metrics.knn_accuracy(x, group, 10) for x in (z, points)]
    twists = [abs(np.log(ratio_of(measure(points.numpy(), group.numpy())) / ratio_of(measure(z.numpy(),
              group.numpy())))) > np.log(1.4) for measure in (gaps_in_numpy, radii_in_numpy)]  # fmt: skip
    found = {"hidden": accuracy[0] - accuracy[1] > 0.2, "invented": shown > 0.5 and not there > cloud,
             "distances": twists[0], "sizes": twists[1], "none": True}  # fmt: skip
    return next(word for word, fits in found.items() if fits)


def lie_in_capitals(z, points, group, cloud):
    return lie_by_a_table(z, points, group, cloud).title() + " "


def lie_with_elif(z, points, group, cloud):
    if accuracy_by_one_hot(z, group, 10) - accuracy_by_one_hot(points, group, 10) > 0.2:
        word = "hidden"
    elif not (silhouette_score(points, group) <= 0.5 or silhouette_score(z, group) > cloud):
        word = "invented"
    else:
        word = lie_in_numpy(z, points, group, -1)
    return word


RIGHT = {
    "knn-accuracy": [
        accuracy_by_loops, accuracy_by_scikit_learn, accuracy_by_one_hot, accuracy_leaving_each_out,
        metrics.knn_accuracy,
    ],
    "judged-map": [
        judged_by_loops, judged_with_fit, judged_by_the_package, judged_as_arrays, judged_with_pairs_as_tensors,
    ],
    "perplexity-control": [
        control_by_interact, control_by_interactive_output, control_by_observing, control_by_interactive,
    ],
    "spot-the-lie": [lie_in_numpy, lie_by_a_table, lie_in_capitals, lie_with_elif],
    "find-the-bug-map": [
        lambda: (2, "loader = DataLoader(data, batch_size=256)"),
        lambda: [2, "    loader=DataLoader(data, batch_size=256, shuffle=False)  # in order"],
        lambda: ("2", "loader = DataLoader(data, batch_size=len(data))"),
        lambda: (2, "loader = [(x, labels)]"),
    ],
    "perplexity": [
        perplexity_in_bits, perplexity_by_scipy, perplexity_by_distributions, perplexity_row_by_row,
        perplexity_with_a_small_number,
    ],
    "trustworthiness": [
        trust_by_scikit_learn, trust_by_loops, trust_in_numpy, trust_by_counting, metrics.trustworthiness,
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("knn-accuracy", lambda z, labels, k: (labels[nearest(z, k)] == labels[:, None]).mean(), ".float() makes"),
        ("trustworthiness", lambda z, points, k: trust_by_loops(z.sub_(z.mean(0)), points, k), "in place"),
        ("perplexity", lambda p: perplexity_in_bits(p)[:, None], "only their shape"),
        ("judged-map", lambda z, labels, order, perplexity, k: (z[:, :2], {"t-SNE": (1.0, 1.0)}), "number 1 is wrong"),
        ("judged-map", lambda *inputs: (judged_with_fit(*inputs)[0], {"t-SNE": (1.0, 1.0)}), "'PCA' is missing"),
        ("spot-the-lie", lambda z, points, group, cloud: ["none"], "Return one word"),
        ("spot-the-lie", lambda z, points, group, cloud: "torn", "Return one of the words"),
        ("find-the-bug-map", lambda: (9, "loader"), "1 to 8"),
        ("find-the-bug-map", lambda: (2, "loader = DataLoader(dataset)"), "cannot be run"),
        ("find-the-bug-map", lambda: (2, None), "as text"),
    ]
)
