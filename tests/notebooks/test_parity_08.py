"""What lesson 08 defines inline is what the package, scikit-learn and automatic differentiation have."""

from functools import partial

import pytest
import torch
from lesson_cells import lesson_cells, lesson_definitions, lesson_namespace
from sklearn.manifold._t_sne import _joint_probabilities

from course_utils import metrics
from course_utils.checks.lesson_08 import find_the_bug_map, spot_the_lie

functions = partial(lesson_definitions, "08")


@pytest.fixture(scope="module")
def z():
    return torch.randn(80, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def tsne():
    perplexity = lesson_namespace("08", "perplexity-exercise", torch=torch)["perplexity"]
    inline = functions("calibrate", torch=torch, perplexity=perplexity) | functions("gradient", torch=torch)
    return inline | functions("descent", tsne_gradient=inline["tsne_gradient"], tsne_loss=inline["tsne_loss"],
                              torch=torch)  # fmt: skip


def test_knn_accuracy(z):
    labels = torch.arange(80) % 3
    points = z + labels[:, None]
    inline = lesson_namespace("08", "knn-exercise", torch=torch)["knn_accuracy"]
    for k in (1, 6, 11):
        assert inline(points, labels, k) == pytest.approx(metrics.knn_accuracy(points, labels, k), abs=1e-6)
    assert 0.4 < inline(points, labels, 5) < 0.95


def test_trustworthiness(z):
    inline = lesson_namespace("08", "ranks", "trust-exercise", torch=torch)["my_trustworthiness"]
    points = z[:, :2] + 0.3 * z[:, 2:4]
    for k in (3, 10):
        assert inline(z, points, k) == pytest.approx(metrics.trustworthiness(z, points, k), abs=1e-9)
        assert inline(points, z, k) == pytest.approx(metrics.continuity(z, points, k), abs=1e-9)


def test_measures_of_groups_are_those_of_the_check(z):
    inline, group = functions("groups", torch=torch) | functions("clouds", torch=torch), torch.arange(80) % 3
    x = z * (1 + group[:, None])
    for name in ("radii", "gaps"):
        torch.testing.assert_close(inline[name](x, group), getattr(spot_the_lie, name)(x, group))
    assert inline["twist"](torch.tensor([1.0, 3]), torch.tensor([4.0, 2])) == pytest.approx(1.5)
    assert inline["twist"](torch.tensor([4.0, 2]), torch.tensor([1.0, 3])) == pytest.approx(1.5)


def test_clouds_have_the_mean_and_covariance_of_the_data_and_are_cut_on_their_own_maps(z):
    mapped, seen = [], []

    def tsne_map(one, perplexity):
        mapped.append(perplexity)
        return -one

    def silhouette_score(one, group):
        seen.append((one, group))
        return len(seen)

    inline = functions("clouds", torch=torch, tsne_map=tsne_map, cut=lambda points, parts: parts * points,
                       silhouette_score=silhouette_score, knn_accuracy=lambda one, group, k: k)  # fmt: skip
    x = 3 + torch.cat([z] * 50) @ torch.triu(torch.ones(7, 7))
    torch.manual_seed(1)
    scores = inline["cloud_scores"](x, 7, 3)
    assert scores.tolist() == [[2 * i + 1, 2 * i + 2, 10] for i in range(5)]  # map, data, neighbours in the data
    assert mapped == [7] * 5
    for (points, of_map), (cloud, group) in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(points, -cloud)
        assert torch.equal(group, 3 * points)
        assert torch.equal(of_map, group)
        assert cloud.shape == x.shape
        torch.testing.assert_close(cloud.mean(dim=0), x.mean(dim=0), atol=0.3, rtol=0)
        torch.testing.assert_close(torch.cov(cloud.T), torch.cov(x.T), atol=1.2, rtol=0)


def test_the_script_hands_codes_out_in_another_order_than_labels():
    """Its mended line does not; the check runs that line alone."""
    cell = lesson_cells("08")["bug-script"]
    for number, line in find_the_bug_map.LINES.items():
        assert f"{line}  # line {number}" in cell


def test_neighbour_odds_are_those_of_scikit_learn(z, tsne):
    odds = tsne["neighbour_odds"](z, 12.0)
    joint = (odds + odds.T) / (2 * len(z))
    distance = torch.cdist(z.double(), z.double()).square().numpy()
    theirs = torch.from_numpy(_joint_probabilities(distance, 12.0, 0))  # the upper triangle, row by row
    upper = torch.triu_indices(80, 80, 1)
    torch.testing.assert_close(joint[upper[0], upper[1]].double(), theirs, rtol=0.01, atol=1e-7)


def test_loss_and_gradient_by_definition(z, tsne):
    z = z[:40]  # each of n * n terms is a graph of its own
    P = tsne["neighbour_odds"](z, 10.0)
    P = (P + P.T) / (2 * len(z))
    y = (5 * torch.randn(40, 2, generator=torch.Generator().manual_seed(1))).double().requires_grad_()
    loss = 0.0
    squares = [[(y[i] - y[j]).square().sum() for j in range(40)] for i in range(40)]
    total = sum(1 / (1 + squares[i][j]) for i in range(40) for j in range(40) if i != j)
    for i in range(40):
        for j in range(40):
            if P[i, j] > 0:
                loss = loss + P[i, j].double() * torch.log(P[i, j].double() * total * (1 + squares[i][j]))
    loss.backward()
    assert tsne["tsne_loss"](P.double(), y.detach()).item() == pytest.approx(loss.item(), rel=1e-6)
    torch.testing.assert_close(tsne["tsne_gradient"](P.double(), y.detach()), y.grad, rtol=1e-5, atol=1e-9)


def test_the_descent_finds_groups(tsne):
    groups = torch.arange(90) % 3
    z = torch.randn(90, 5, generator=torch.Generator().manual_seed(2)) + 8.0 * torch.eye(5)[groups]
    P = tsne["neighbour_odds"](z, 10.0)
    start = 1e-4 * torch.randn(90, 2, generator=torch.Generator().manual_seed(3))
    y, losses = tsne["my_tsne"]((P + P.T) / 180, start, steps=300, lr=60.0)
    assert losses[-1] < losses[0] / 3
    assert metrics.knn_accuracy(y, groups, 5) > 0.95
