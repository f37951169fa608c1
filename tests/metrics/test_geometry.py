"""Contrast, dimension, neighbours and angles, against other computations and data of known dimension."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from course_utils.data import rotating_bar, swiss_roll
from course_utils.metrics import intrinsic_dimension, knn_accuracy, principal_angles, relative_contrast


def test_relative_contrast_is_that_of_a_plain_loop(g):
    query, points = torch.randn(4, 3, generator=g), torch.randn(7, 3, generator=g)
    expected = []
    for q in query.tolist():
        distances = [math.dist(q, p) for p in points.tolist()]
        expected.append((max(distances) - min(distances)) / min(distances))
    assert relative_contrast(query, points).tolist() == pytest.approx(expected, rel=1e-5)


def test_relative_contrast_takes_images_and_ignores_their_scale(g):
    query, points = torch.rand(3, 1, 4, 5, generator=g), torch.rand(9, 1, 4, 5, generator=g)
    flat = relative_contrast(query.flatten(1), points.flatten(1))
    torch.testing.assert_close(relative_contrast(3 * query, 3 * points), flat)


def test_relative_contrast_of_independent_coordinates_falls_like_one_over_root_d(g):
    low, high = (
        relative_contrast(torch.rand(40, d, generator=g), torch.rand(1000, d, generator=g)).mean() for d in (900, 3600)
    )
    assert low / high == pytest.approx(2, rel=0.1)  # four times the dimension


def test_relative_contrast_is_infinite_on_a_point():
    assert relative_contrast(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [1.0, 0.0]])).item() == math.inf


def test_relative_contrast_names_bad_input():
    with pytest.raises(ValueError, match=r"query has shape \(2, 3\) and points \(5, 4\)"):
        relative_contrast(torch.zeros(2, 3), torch.zeros(5, 4))
    with pytest.raises(ValueError, match="there are 1 points"):
        relative_contrast(torch.zeros(2, 3), torch.zeros(1, 3))


@pytest.mark.parametrize("k", [2, 7])
def test_intrinsic_dimension_is_that_of_a_plain_loop(g, k):
    points = torch.randn(60, 4, generator=g)
    found, _ = NearestNeighbors(n_neighbors=k + 1).fit(points.numpy()).kneighbors(points.numpy())
    logs = [math.log(row[k] / row[j]) for row in found for j in range(1, k)]  # row[0] is the point itself
    assert intrinsic_dimension(points, k=k) == pytest.approx(1 / np.mean(logs), rel=1e-4)
    assert intrinsic_dimension(points, k=k, batch_size=17) == pytest.approx(1 / np.mean(logs), rel=1e-4)


@pytest.mark.parametrize(("d", "k"), [(1, 2), (3, 2), (3, 10), (6, 10)])
def test_gaussians_have_the_dimension_they_were_drawn_in(g, d, k):
    assert intrinsic_dimension(torch.randn(2000, d, generator=g), k=k) == pytest.approx(d, rel=0.12)


@pytest.mark.parametrize("k", [2, 10])
def test_a_rolled_up_plane_has_two_dimensions_and_a_turning_bar_one(g, k):
    assert intrinsic_dimension(swiss_roll(2000, generator=g)[0], k=k) == pytest.approx(2, abs=0.2)
    assert intrinsic_dimension(rotating_bar(1000, generator=g)[0], k=k) == pytest.approx(1, abs=0.12)


def test_neither_rotation_nor_empty_dimensions_change_the_estimate(g):
    points = torch.randn(300, 3, generator=g)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=g)).Q
    embedded = torch.cat([points, torch.zeros(300, 5)], dim=1) @ rotation
    assert intrinsic_dimension(5 * embedded, k=5) == pytest.approx(intrinsic_dimension(points, k=5), rel=1e-4)


def test_copies_count_once(g):
    points = torch.randn(200, 2, generator=g)
    assert intrinsic_dimension(torch.cat([points, points[:50]]), k=3) == intrinsic_dimension(points, k=3)


@pytest.mark.parametrize("k", [1, 20])
def test_intrinsic_dimension_names_a_bad_k(g, k):
    with pytest.raises(ValueError, match=f"k is {k}, but with 20 different points it must be 2 to 19"):
        intrinsic_dimension(torch.randn(20, 3, generator=g), k=k)


def rows(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("k", "m"), [(3, 3), (2, 5), (5, 2), (1, 1)])
def test_principal_angles_are_scipys(k, m):
    a, b = rows(0, k, 9), rows(1, m, 9)
    expected = np.rad2deg(np.sort(subspace_angles(a.T.numpy(), b.T.numpy())))
    np.testing.assert_allclose(principal_angles(a, b), expected, rtol=1e-9)


def test_principal_angles_resolve_what_a_cosine_cannot():
    small = 1e-7
    a = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([[math.cos(small), math.sin(small), 0.0]], dtype=torch.float64)
    assert principal_angles(a, b).item() == pytest.approx(math.degrees(small), rel=1e-6)


def test_principal_angles_depend_on_the_space_not_on_its_basis():
    a, mix = rows(2, 4, 11), rows(3, 4, 4)
    assert principal_angles(a, mix @ a).max() < 1e-5
    assert principal_angles(a[:2], a).max() < 1e-5  # contained


def test_principal_angles_of_float32_rows_with_gradients():
    a = torch.eye(5)[:2].requires_grad_()
    torch.testing.assert_close(principal_angles(a, torch.eye(5)[1:3]), torch.tensor([0.0, 90.0], dtype=torch.float64))


def test_principal_angles_refuse_what_is_no_pair_of_subspaces():
    with pytest.raises(ValueError, match="give"):
        principal_angles(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="K, L <= N"):
        principal_angles(rows(0, 4, 3), rows(1, 2, 3))
    with pytest.raises(ValueError, match="fewer than 2"):
        principal_angles(torch.ones(2, 3), torch.eye(3)[:1])
    with pytest.raises(ValueError, match="no rows"):
        principal_angles(torch.ones(0, 3), torch.eye(3)[:1])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_knn_accuracy_is_scikit_learns_leave_one_out(k):
    z, labels = rows(4, 90, 3).float(), torch.arange(90) % 4
    z += labels[:, None] * 0.7  # neither hopeless nor trivial; k = 2 has many ties
    predicted = cross_val_predict(KNeighborsClassifier(k), z.numpy(), labels.numpy(), cv=LeaveOneOut())
    expected = (predicted == labels.numpy()).mean()
    assert 0.3 < expected < 0.9
    assert knn_accuracy(z, labels, k) == pytest.approx(expected)
    assert knn_accuracy(z, labels, k, batch_size=7) == pytest.approx(expected)


def test_knn_accuracy_lets_copies_vote_but_never_the_point_itself():
    z = torch.tensor([[0.0, 1.0], [0.0, 1.0], [9.0, 9.0], [9.0, 9.5]])
    assert knn_accuracy(z, torch.tensor([0, 1, 1, 1]), k=1) == 0.5


def test_knn_accuracy_takes_images():
    x = rows(5, 20, 1, 3, 4).float()
    labels = torch.arange(20) % 3
    assert knn_accuracy(x, labels, 3) == knn_accuracy(x.flatten(1), labels, 3)


def test_knn_accuracy_refuses_bad_input():
    with pytest.raises(ValueError, match=r"labels have shape \(4,\) for 3 examples"):
        knn_accuracy(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
    for k in (0, 3):
        with pytest.raises(ValueError, match="k must be"):
            knn_accuracy(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), k)


def test_relative_contrast_keeps_its_promises_among_many_points_far_away(g):
    """Many: torch.cdist then multiplies matrices, by which a point is not at distance 0 from itself."""
    points = torch.randn(60, 30, generator=g)
    assert relative_contrast(points[:5], points).tolist() == [math.inf] * 5
    assert relative_contrast(points[:5] + 1e4, points + 1e4).tolist() == [math.inf] * 5
    near, far = (relative_contrast(p[:5] + 0.5, p) for p in (points.double(), points.double() + 1e9))
    torch.testing.assert_close(near, far, rtol=1e-4, atol=0)
    assert relative_contrast(torch.ones(2, 3), torch.ones(4, 3)).tolist() == [0, 0], "none is farther than another"


def test_intrinsic_dimension_of_degenerate_and_far_points(g):
    assert intrinsic_dimension(torch.eye(3)) == math.inf, "all distances are the same"
    with pytest.raises(ValueError, match="there are 1 different points: give at least 3"):
        intrinsic_dimension(torch.ones(5, 2))
    points = torch.randn(200, 4, generator=g, dtype=torch.float64)
    assert intrinsic_dimension(points + 1e7) == pytest.approx(intrinsic_dimension(points), rel=1e-4)


def test_knn_accuracy_takes_labels_of_any_whole_numbers_and_codes_far_away(g):
    z, labels = torch.randn(90, 30, generator=g), torch.arange(90) % 3
    z[:, 0] += 2 * labels
    expected = knn_accuracy(z, labels)
    assert 0.5 < expected < 1
    for y in (labels.int(), labels.byte(), labels.numpy(), labels * 10**9):  # of 10**9 one_hot would make 720 GB
        assert knn_accuracy(z, y) == expected
    assert knn_accuracy(z.double() + 1e8, labels) == pytest.approx(expected, abs=0.02)
    assert knn_accuracy(z, labels > 0) > expected
    with pytest.raises(ValueError, match="labels reach from -1 to 1"):
        knn_accuracy(z, labels - 1)
