"""What lesson 01 defines inline is what the package has."""

import pytest
import torch
from lesson_cells import lesson_namespace

from course_utils import metrics
from course_utils.latents import nearest_neighbors
from course_utils.models.pca import PCA


def test_pca(g):
    cells = lesson_namespace("01", "exercise-fit-pca", "exercise-encode-decode", torch=torch)
    x = torch.rand(40, 1, 4, 6, generator=g) * torch.linspace(0.1, 1, 24).reshape(1, 4, 6)  # no two equal variances
    mean, components = cells["fit_pca"](x[:30].flatten(1), 5)
    pca = PCA(5).fit(x[:30])
    torch.testing.assert_close(mean, pca.mean)
    sign = (components * pca.components).sum(dim=1).sign()  # a component may point either way
    torch.testing.assert_close(sign[:, None] * components, pca.components, rtol=1e-3, atol=1e-4)

    z = cells["pca_encode"](x[30:].flatten(1), mean, components)
    torch.testing.assert_close(sign * z, pca.encode(x[30:]), rtol=1e-3, atol=1e-4)
    x_hat = cells["pca_decode"](z, mean, components).clamp(0, 1)  # the package's images stay in [0, 1]
    torch.testing.assert_close(x_hat, pca.decode(sign * z).flatten(1), rtol=1e-3, atol=1e-4)


def test_nearest_others(g):
    nearest_others = lesson_namespace("01", "exercise-nearest-others", torch=torch)["nearest_others"]
    codes = torch.randn(30, 4, generator=g)
    indices, _ = nearest_neighbors(codes, codes, k=4)
    assert torch.equal(indices[:, 0], torch.arange(30))  # the package counts a code as its own first neighbour
    assert torch.equal(nearest_others(codes, 3), indices[:, 1:])


def test_relative_contrast(g):
    inline = lesson_namespace("01", "relative-contrast", torch=torch)["relative_contrast"]
    query, points = torch.rand(5, 3, generator=g), torch.rand(11, 3, generator=g)
    torch.testing.assert_close(inline(query, points), metrics.relative_contrast(query, points))


@pytest.mark.parametrize("k", [2, 6])
def test_intrinsic_dimension(g, k):
    inline = lesson_namespace("01", "intrinsic-dimension", torch=torch, g=g)["intrinsic_dimension"]
    points = torch.randn(80, 3, generator=g)
    assert inline(points, k) == pytest.approx(metrics.intrinsic_dimension(points, k), rel=1e-6)
