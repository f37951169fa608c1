"""What lesson 01 defines inline is what the package has."""

import pytest
import torch
from lesson_cells import lesson_namespace

from course_utils import metrics
from course_utils.latents import nearest_neighbors
from course_utils.models.pca import PCA


def test_pca(g):
    cells = lesson_namespace("01", "exercise-fit-pca", "exercise-encode", "exercise-decode", torch=torch)
    x = torch.rand(40, 1, 4, 6, generator=g) * torch.linspace(0.1, 1, 24).reshape(1, 4, 6)  # no two equal variances
    mean, components, variance = cells["fit_pca"](x[:30].flatten(1), 5)
    pca = PCA(5).fit(x[:30])
    torch.testing.assert_close(mean, pca.mean)
    torch.testing.assert_close(variance[:5], pca.explained_variance)
    torch.testing.assert_close(variance[:5] / variance.sum(), pca.explained_variance_ratio)
    sign = (components * pca.components).sum(dim=1).sign()  # a component may point either way
    torch.testing.assert_close(sign[:, None] * components, pca.components, rtol=1e-3, atol=1e-4)

    z = cells["pca_encode"](x[30:].flatten(1), mean, components)
    torch.testing.assert_close(sign * z, pca.encode(x[30:]), rtol=1e-3, atol=1e-4)
    x_hat = cells["pca_decode"](z, mean, components).clamp(0, 1)  # the package's images stay in [0, 1]
    torch.testing.assert_close(x_hat, pca.decode(sign * z).flatten(1), rtol=1e-3, atol=1e-4)


def test_same_neighbors(g):
    same_neighbors = lesson_namespace("01", "exercise-neighbors", torch=torch)["same_neighbors"]
    x, z = torch.randn(30, 7, generator=g), torch.randn(30, 4, generator=g)
    (by_pixels, _), (by_codes, _) = nearest_neighbors(x, x, k=4), nearest_neighbors(z, z, k=4)
    assert torch.equal(by_pixels[:, 0], torch.arange(30))  # the package counts a row as its own first neighbour
    pairs = zip(by_pixels[:, 1:].tolist(), by_codes[:, 1:].tolist(), strict=True)
    expected = torch.tensor([len(set(a) & set(b)) / 3 for a, b in pairs])
    assert 0 < expected.mean() < 1
    torch.testing.assert_close(same_neighbors(x, z, 3), expected)


def test_relative_contrast(g):
    inline = lesson_namespace("01", "relative-contrast", torch=torch)["relative_contrast"]
    query, points = torch.rand(5, 3, generator=g), torch.rand(11, 3, generator=g)
    torch.testing.assert_close(inline(query, points), metrics.relative_contrast(query, points))


@pytest.mark.parametrize("k", [2, 6])
def test_intrinsic_dimension(g, k):
    inline = lesson_namespace("01", "intrinsic-dimension", torch=torch, g=g)["intrinsic_dimension"]
    points = torch.randn(80, 3, generator=g)
    assert inline(points, k) == pytest.approx(metrics.intrinsic_dimension(points, k), rel=1e-6)
