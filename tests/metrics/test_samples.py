"""Measures of samples, against scipy, closed forms, brute force and answers known beforehand."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from course_utils.data import fashion_mnist
from course_utils.metrics import (
    density_coverage,
    frechet_distance,
    image_features,
    precision_recall,
    quality_floor,
    sample_quality,
)
from course_utils.models.classifier import Classifier


def gaussian(n, f, seed, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, f, generator=generator, dtype=torch.float64) * torch.as_tensor(scale) + torch.as_tensor(shift)


# ------------------------------------------------------------------------------------- Frechet distance


class TestFrechet:
    def test_against_scipy(self):
        """Correlated features, different numbers of them."""
        mix_a, mix_b = gaussian(7, 7, 0), gaussian(7, 7, 1)
        a, b = gaussian(50, 7, 2) @ mix_a + 1.5, gaussian(31, 7, 3) @ mix_b
        cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
        root = scipy.linalg.sqrtm(cov_a @ cov_b).real
        expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(cov_a + cov_b - 2 * root)
        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)

    def test_diagonal_gaussians_have_a_closed_form(self):
        """sum of (m_a - m_b)^2 + (s_a - s_b)^2; the features are made to have exactly these moments."""
        white = gaussian(40, 3, 0)
        white = white - white.mean(0)
        white = white @ torch.linalg.inv(torch.linalg.cholesky(white.T @ white / 39)).T  # covariance exactly I
        s_a, s_b, m = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 2.0, 0.1]), torch.tensor([0.0, -1.0, 4.0])
        expected = (m.square().sum() + (s_a - s_b).square().sum()).item()
        assert frechet_distance(white * s_a, white * s_b + m) == pytest.approx(expected, rel=1e-6)

    def test_singular_covariances(self):
        """Fewer points than dimensions, and a unit that never fires: against the same in the space they span."""
        a, b = gaussian(4, 2, 0), gaussian(5, 2, 1, shift=2.0)
        basis = torch.linalg.qr(gaussian(9, 2, 2)).Q.T  # (2, 9), orthonormal rows
        assert frechet_distance(a @ basis, b @ basis) == pytest.approx(frechet_distance(a, b), rel=1e-6)
        assert frechet_distance(a @ basis, a @ basis) == pytest.approx(0, abs=1e-6)

    def test_is_symmetric_and_finite_where_float32_would_not_be(self):
        a, b = gaussian(30, 5, 0, shift=1e4), gaussian(20, 5, 1, shift=1e4)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
        assert frechet_distance(a.float(), b.float()) == pytest.approx(frechet_distance(a, b), rel=0.02)

    def test_bias_falls_with_the_number_of_features(self):
        few, many = (frechet_distance(gaussian(n, 8, 0), gaussian(n, 8, 1)) for n in (100, 10_000))
        assert few > 20 * many > 0

    def test_errors(self):
        with pytest.raises(ValueError, match=r"\(3,\) and \(3, 2\): give \(N, F\) and \(M, F\)"):
            frechet_distance(torch.zeros(3), torch.zeros(3, 2))
        with pytest.raises(ValueError, match="there are 5 and 1 features: give at least 2"):
            frechet_distance(torch.zeros(5, 2), torch.zeros(1, 2))
        with pytest.raises(ValueError, match="NaN or infinite values in features"):
            frechet_distance(torch.zeros(5, 2), torch.full((4, 2), torch.nan))


# ------------------------------------------------------------------------------------- balls around neighbours


def brute_force(real, generated, k):
    """Precision, recall, density, coverage by loops over pairs, in float64 numpy."""
    real, generated = real.double().numpy(), generated.double().numpy()
    distance = lambda u, v: math.sqrt(((u - v) ** 2).sum())  # noqa: E731
    radius = lambda points, i: sorted(distance(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]  # noqa: E731
    r_real = [radius(real, i) for i in range(len(real))]
    r_generated = [radius(generated, i) for i in range(len(generated))]
    precision = np.mean([any(distance(g, x) <= r for x, r in zip(real, r_real, strict=True)) for g in generated])
    recall = np.mean([any(distance(g, x) <= r for g, r in zip(generated, r_generated, strict=True)) for x in real])
    density = sum(distance(g, x) <= r for x, r in zip(real, r_real, strict=True) for g in generated)
    coverage = np.mean([any(distance(g, x) <= r for g in generated) for x, r in zip(real, r_real, strict=True)])
    return precision, recall, density / (k * len(generated)), coverage


@pytest.mark.parametrize(("k", "batch_size"), [(1, 1000), (3, 7), (5, 13)])
def test_balls_against_brute_force(k, batch_size):
    real, generated = gaussian(43, 3, 0), gaussian(29, 3, 1, scale=1.3, shift=[0.5, 0.0, 0.0])
    expected = brute_force(real, generated, k)
    assert all(value > 0.05 for value in expected[:3])
    assert len(set(expected)) == 4, "the four must differ, or a mix-up would not be seen"
    measured = (*precision_recall(real, generated, k, batch_size), *density_coverage(real, generated, k, batch_size))
    assert measured == pytest.approx(expected, rel=1e-6)


def test_known_answers():
    real = gaussian(600, 4, 0)
    same = gaussian(600, 4, 1)
    assert min(precision_recall(real, same)) > 0.8
    assert density_coverage(real, same).density == pytest.approx(1, abs=0.15)
    assert density_coverage(real, same).coverage > 0.9
    inner = gaussian(600, 4, 2, scale=0.3)  # plausible, but without variety
    assert precision_recall(real, inner).precision > 0.9 > 0.3 > precision_recall(real, inner).recall
    wide = gaussian(600, 4, 3, scale=3.0)  # all there is, and much that is not
    assert precision_recall(real, wide).recall > 0.95 > 0.5 > precision_recall(real, wide).precision
    far = gaussian(600, 4, 4, shift=100.0)
    assert (*precision_recall(real, far), *density_coverage(real, far)) == (0, 0, 0, 0)


def test_one_outlier_spoils_precision_but_not_density():
    real = torch.cat([gaussian(200, 2, 0), torch.tensor([[60.0, 60.0]])])
    generated = gaussian(200, 2, 2, shift=[40.0, 40.0])  # far from all but within the outlier's huge ball
    assert precision_recall(real, generated).precision > 0.9
    assert density_coverage(real, generated).density < 0.4


def test_copies_count_and_a_point_is_not_its_own_neighbour():
    real = torch.tensor([[0.0], [0.0], [5.0], [6.0]])
    assert density_coverage(real, torch.tensor([[0.0]]), k=1) == (2.0, 0.5)  # twins: balls of radius 0 hold a copy


def test_errors_of_counts():
    with pytest.raises(ValueError, match="k is 4, but each of 4 points has 3 others"):
        precision_recall(torch.zeros(4, 2), torch.zeros(9, 2), k=4)
    with pytest.raises(ValueError, match="k is 0"):
        density_coverage(torch.zeros(4, 2), torch.zeros(9, 2), k=0)
    with pytest.raises(ValueError, match="4 and 2 features: give at least 4"):
        precision_recall(torch.zeros(4, 2), torch.zeros(2, 2), k=3)


# ------------------------------------------------------------------------------------- images


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return Classifier(num_features=12, hidden=8).train()


def test_features_of_any_images(classifier):
    images = fashion_mnist("test", limit=70)
    x = images.pixels()
    expected = classifier.eval().features(x).detach()
    classifier.train()
    torch.testing.assert_close(image_features(images, classifier, batch_size=32), expected)
    torch.testing.assert_close(image_features(images.images, classifier), expected)
    torch.testing.assert_close(image_features(x.expand(-1, 3, -1, -1), classifier), expected, atol=1e-5, rtol=1e-4)
    assert classifier.training, "left as it was"
    large = torch.nn.functional.interpolate(x, size=(56, 56), mode="nearest")
    torch.testing.assert_close(image_features(large, classifier), expected, atol=0.05, rtol=0.3)
    red = torch.zeros(2, 3, 32, 40)
    red[:, 0] = 1
    grey = torch.full((2, 1, 28, 28), 0.299)
    torch.testing.assert_close(image_features(red, classifier), image_features(grey, classifier))


def test_features_refuse_what_is_no_image(classifier):
    with pytest.raises(ValueError, match=r"\(5, 784\): give at least one, \(N, C, H, W\)"):
        image_features(torch.zeros(5, 784), classifier)
    with pytest.raises(TypeError, match="not list"):
        image_features([1, 2], classifier)


def test_sample_quality_is_its_parts(classifier):
    real, other = fashion_mnist("test", limit=120), fashion_mnist("train", limit=90)
    a, b = image_features(other, classifier), image_features(real, classifier)
    measured = sample_quality(other, real, classifier, batch_size=37)
    precision, recall = precision_recall(b, a)
    density, coverage = density_coverage(b, a)
    assert list(measured) == ["frechet", "precision", "recall", "density", "coverage"]
    assert measured == pytest.approx(
        {"frechet": frechet_distance(a, b), "precision": precision, "recall": recall, "density": density,
         "coverage": coverage}, rel=1e-5,
    )  # fmt: skip
    assert sample_quality(a, b, classifier) == pytest.approx(measured)


def test_floor_is_one_half_against_the_other(classifier):
    real = fashion_mnist("test", limit=121)
    floor = quality_floor(real, classifier, generator=torch.Generator().manual_seed(1))
    first, second = torch.randperm(121, generator=torch.Generator().manual_seed(1)).chunk(2)
    assert floor == sample_quality(real[first], real[second], classifier)
    again = quality_floor(real, classifier, generator=torch.Generator().manual_seed(2))
    assert again != floor


@pytest.mark.parametrize("scale", [lambda x: 2 * x - 1, lambda x: 255 * x, lambda x: (x - 0.3) / 0.35])
def test_images_in_another_range_are_refused(classifier, scale):
    images = fashion_mnist("test", limit=12)
    floats = images.pixels()
    expected = sample_quality(images, floats, classifier)
    assert expected["frechet"] == pytest.approx(0, abs=1e-3)
    for pair in ((scale(floats), images), (images, scale(floats))):
        with pytest.raises(ValueError, match="images reach from .* but must lie in"):
            sample_quality(*pair, classifier)
    with pytest.raises(ValueError, match="NaN or infinite values in images"):
        quality_floor(torch.full((12, 1, 28, 28), torch.nan), classifier)


def test_features_leave_the_mode_of_every_layer():
    model = Classifier(3, hidden=4, image_shape=(1, 8, 12)).train()
    model.body[2].eval()  # frozen
    modes, before = [layer.training for layer in model.modules()], model.body[2].running_mean.clone()
    image_features(torch.rand(3, 1, 8, 12), model)
    assert [layer.training for layer in model.modules()] == modes
    assert torch.equal(model.body[2].running_mean, before)
    half = image_features(torch.rand(3, 1, 8, 12), model.bfloat16())
    assert half.dtype == torch.float32
