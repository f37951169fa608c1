"""Metrics of lesson 02, against SciPy, scikit-learn and geometry."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from course_utils.metrics import knn_accuracy, principal_angles


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
    with pytest.raises(ValueError, match="one label a point"):
        knn_accuracy(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long))
    for k in (0, 3):
        with pytest.raises(ValueError, match="k must be"):
            knn_accuracy(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), k)
