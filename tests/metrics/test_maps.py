"""Trustworthiness and continuity, against scikit-learn, a plain loop and maps whose faults are known."""

import pytest
import torch
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from course_utils.metrics import continuity, trustworthiness


@pytest.mark.parametrize(("n", "k", "batch_size"), [(61, 1, 500), (61, 7, 13), (120, 5, 1), (120, 29, 50)])
def test_trustworthiness_is_that_of_scikit_learn(g, n, k, batch_size):
    z = torch.randn(n, 9, generator=g) + 100
    points = z[:, :2] + 0.5 * torch.randn(n, 2, generator=g)
    expected = sklearn_trustworthiness(z.double().numpy(), points.double().numpy(), n_neighbors=k)
    assert 0.5 < expected < 0.97
    assert trustworthiness(z, points, k, batch_size) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [1, 6])
def test_continuity_swaps_the_roles(g, k):
    z = torch.randn(50, 5, generator=g)
    points = z[:, :2] ** 3
    expected = sklearn_trustworthiness(points.double().numpy(), z.double().numpy(), n_neighbors=k)
    assert continuity(z, points, k, 17) == pytest.approx(expected, abs=1e-12)
    assert continuity(z, points, k) != pytest.approx(trustworthiness(z, points, k), abs=1e-4)


def test_the_definition_as_a_plain_loop(g):
    z, points, k = torch.rand(23, 2, 3, generator=g), torch.rand(23, 2, generator=g), 4
    n, penalty = len(z), 0

    def neighbours(values, i):
        others = [j for j in range(n) if j != i]
        return sorted(others, key=lambda j: float((values[i] - values[j]).double().square().sum()))

    for i in range(n):
        in_data, on_map = neighbours(z, i), neighbours(points, i)
        for j in on_map[:k]:
            if j not in in_data[:k]:
                penalty += in_data.index(j) + 1 - k
    assert trustworthiness(z, points, k) == pytest.approx(1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1)), abs=1e-12)


def test_a_rotated_and_scaled_copy_is_perfect_and_noise_gets_a_half(g):
    z = torch.randn(300, 2, generator=g)
    turn = torch.linalg.qr(torch.randn(2, 2, generator=g)).Q
    assert trustworthiness(z, 3 * z @ turn + 7, 10) == continuity(z, 3 * z @ turn + 7, 10) == 1
    noise = torch.randn(300, 2, generator=g)
    assert trustworthiness(z, noise, 10) == pytest.approx(0.5, abs=0.05)


def test_laying_over_and_tearing_are_told_apart(g):
    """A folded sheet loses trust and keeps continuity; a circle cut open keeps trust and loses continuity."""
    sheet = torch.rand(400, 2, generator=g) * torch.tensor([4.0, 1.0])
    folded = torch.stack([(sheet[:, 0] - 2).abs(), sheet[:, 1]], dim=1)
    assert trustworthiness(sheet, folded, 10) < continuity(sheet, folded, 10) - 0.05
    angle = torch.rand(400, 1, generator=g) * 2 * torch.pi
    circle = torch.cat([angle.cos(), angle.sin()], dim=1)
    assert continuity(circle, angle, 10) < trustworthiness(circle, angle, 10) - 0.005


def test_order_of_the_points_does_not_matter(g):
    z, points = torch.randn(70, 4, generator=g), torch.randn(70, 2, generator=g)
    order = torch.randperm(70, generator=g)
    assert trustworthiness(z[order], points[order], 5) == pytest.approx(trustworthiness(z, points, 5), abs=1e-12)


def test_what_does_not_fit_is_named(g):
    z, points = torch.randn(20, 4, generator=g), torch.randn(20, 2, generator=g)
    with pytest.raises(ValueError, match="20 points in the data and 19 on the map"):
        trustworthiness(z, points[1:])
    for k in (0, 10):
        with pytest.raises(ValueError, match=f"k is {k}.*less than 10"):
            continuity(z, points, k)
    with pytest.raises(ValueError, match="batch_size is 0"):
        trustworthiness(z, points, batch_size=0)
    points[3, 1] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite values in points"):
        trustworthiness(z, points)
