"""What lesson 13 writes inline agrees with the package, with scipy and with numbers drawn by the million."""

import math

import pytest
import scipy.stats
import torch
from lesson_cells import lesson_namespace

from course_utils import interpolation
from course_utils.metrics import path_quality


@pytest.fixture(scope="module")
def lesson():
    return lesson_namespace(
        "13", "imports", "shell-table", "midpoint-table", "densities", "lerp-exercise", "slerp-exercise", "nlerp",
        "path-exercise", degrees_between=degrees,
    )  # fmt: skip


def degrees(u, v):
    return math.degrees(math.acos(max(-1.0, min(1.0, (u @ v / (u.norm() * v.norm())).item()))))


def vectors(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0, torch.tensor([0.0, 0.25, 1.0])])
def test_lerp(lesson, weight):
    z_a, z_b = vectors(6, 5).view(2, 3, 5)
    torch.testing.assert_close(lesson["lerp"](z_a, z_b, weight), interpolation.lerp(z_a, z_b, weight))


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_slerp_with_every_edge_case(lesson, scale):
    a, b = vectors(2, 9)
    pairs = [(a, scale * b), (a, scale * a), (a, -scale * a), (a, a + 1e-6), (a, 0 * b), (0 * a, b), (0 * a, 0 * b)]
    for z_a, z_b in pairs:
        for weight in (0.0, 0.2, 0.5, 0.9, 1.0):
            ours, packages = lesson["slerp"](z_a, z_b, weight), interpolation.slerp(z_a, z_b, weight)
            torch.testing.assert_close(ours, packages, atol=2e-5, rtol=1e-4)


def test_nlerp_walks_the_same_arc_at_another_speed(lesson):
    a, b = vectors(2, 9)
    b = b / b.norm() * a.norm()
    for weight in (0.0, 0.5, 1.0):
        torch.testing.assert_close(lesson["nlerp"](a, b, weight), interpolation.slerp(a, b, weight))
    early, arc = lesson["nlerp"](a, b, 0.2), interpolation.slerp(a, b, 0.2)
    assert early.norm().item() == pytest.approx(arc.norm().item(), rel=1e-5)
    assert degrees(a, early) < degrees(a, arc) - 1


@pytest.mark.parametrize("d", [1, 2, 7, 512])
def test_expected_norm_is_the_mean_of_the_chi_distribution(lesson, d):
    assert lesson["expected_norm"](d) == pytest.approx(scipy.stats.chi(d).mean(), rel=1e-9)


@pytest.mark.parametrize("d", [2, 5, 300])
def test_chi_density(lesson, d):
    r = torch.linspace(0.3, 25, 40)
    expected = torch.from_numpy(scipy.stats.chi(d).pdf(r.double().numpy())).float()
    torch.testing.assert_close(lesson["chi_density"](r, d), expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("d", [2, 3, 16])
def test_expected_ratio_against_a_million_pairs(lesson, d):
    a, b = vectors(1_000_000, d, 1).view(2, -1, d).unbind(0)
    ratio = (a + b).norm(dim=1) / (a.norm(dim=1) + b.norm(dim=1))
    error = ratio.std().item() / math.sqrt(len(ratio))
    assert lesson["expected_ratio"](d) == pytest.approx(ratio.mean().item(), abs=4 * error + 1e-4)


def test_the_ratio_for_ends_of_equal_norm_in_the_plane():
    """With equal norms R = cos(theta / 2), whose mean over all angles is 2 / pi, less than for draws."""
    theta = torch.linspace(0, torch.pi, 100_001, dtype=torch.float64)
    assert torch.cos(theta / 2).mean().item() == pytest.approx(2 / math.pi, abs=1e-5)


def test_histogram_is_a_density(lesson):
    edges = torch.linspace(-4, 4, 17)
    centres, density = lesson["histogram"](vectors(1, 5000).flatten(), edges)
    assert (density * edges.diff()).sum().item() == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(centres[0], torch.tensor(-3.75))


def test_path_scores(lesson):
    images, data = torch.rand(7, 2, 5, 4, generator=torch.Generator().manual_seed(0)), torch.rand(9, 2, 5, 4)
    uniformity, distance = lesson["path_scores"](images, data)
    quality = path_quality(images, data=data)
    torch.testing.assert_close(uniformity, quality.uniformity)
    torch.testing.assert_close(distance, quality.distance)
