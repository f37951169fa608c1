"""What lesson 13 writes inline agrees with the package, with scipy and with numbers drawn by the million."""

import math

import pytest
import scipy.stats
import torch
from lesson_cells import lesson_namespace

from course_utils import interpolation
from course_utils.metrics import path_quality, sharpness


@pytest.fixture(scope="module")
def lesson():
    return lesson_namespace(
        "13", "imports", "angle", "weights-exercise", "slerp-exercise", "sharpness", "scores-exercise",
        "paired", "nlerp", "one-pair", w=torch.linspace(0, 1, 7),
    )  # fmt: skip


def degrees(u, v):
    return math.degrees(math.acos(max(-1.0, min(1.0, (u @ v / (u.norm() * v.norm())).item()))))


def vectors(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("d", [2, 7, 64])
def test_angle(lesson, d):
    a, b = vectors(2, d)
    assert math.degrees(lesson["angle_between"](a, 3 * b)) == pytest.approx(degrees(a, b), abs=0.01)
    assert math.degrees(lesson["angle_between"](a, -2 * a)) == pytest.approx(180, abs=0.1)


@pytest.mark.parametrize("theta", [0.0, 1e-4, 0.5, 2.0, 3.0])
def test_arc_weights_put_a_point_at_its_angle(lesson, theta):
    u_a, u_b = torch.tensor([1.0, 0.0]), torch.tensor([math.cos(theta), math.sin(theta)])
    w_a, w_b = lesson["arc_weights"](torch.tensor(theta), 0.3)
    expected = torch.tensor([math.cos(0.3 * theta), math.sin(0.3 * theta)])
    torch.testing.assert_close(w_a * u_a + w_b * u_b, expected, atol=1e-4, rtol=0)


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


def test_histogram_is_a_density(lesson):
    edges = torch.linspace(-4, 4, 17)
    centres, density = lesson["histogram"](vectors(1, 5000).flatten(), edges)
    assert (density * edges.diff()).sum().item() == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(centres[0], torch.tensor(-3.75))


def test_sharpness(lesson):
    images = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lesson["sharpness"](images), sharpness(images))


def test_path_scores(lesson):
    g = torch.Generator().manual_seed(0)
    codes, images = torch.randn(7, 6, generator=g), torch.rand(7, 2, 5, 4, generator=g)
    features, real = torch.randn(7, 3, generator=g), torch.randn(9, 3, generator=g)
    evenness, sharp, distance, length = lesson["path_scores"](codes, images, features, real)
    of_images, of_features = path_quality(images, codes=codes), path_quality(features, data=real)
    torch.testing.assert_close(evenness, of_features.uniformity)
    torch.testing.assert_close(sharp, of_images.sharpness)
    torch.testing.assert_close(distance, of_features.distance)
    torch.testing.assert_close(length, of_images.norm)


def test_difference_and_bar(lesson):
    first, second = vectors(2, 11)
    mean, bar = lesson["difference_and_bar"](first, second)
    assert mean.item() == pytest.approx((second - first).mean().item())
    assert bar.item() == pytest.approx(2 * scipy.stats.sem((second - first).numpy()), rel=1e-5)
