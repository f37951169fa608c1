"""Measures of paths, on paths whose answers are known beforehand."""

import math

import pytest
import torch

from course_utils.interpolation import path
from course_utils.metrics import norm_profile, path_quality, sharpness, step_lengths


def pictures(n, seed, shape=(2, 6, 9)):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


class TestParts:
    def test_step_lengths(self):
        points = torch.tensor([[[0.0, 0, 0], [0, 3, 4], [0, 3, 4]], [[1, 1, 1], [2, 1, 1], [2, 1, 8]]])
        assert step_lengths(points, batch_dims=1).tolist() == [[5, 0], [1, 7]]
        assert step_lengths(points[1]).tolist() == [1, 7]
        assert step_lengths(pictures(4, 0)).shape == (3,)

    def test_sharpness_counts_every_pair_of_neighbours(self):
        images = pictures(3, 0)
        for image, value in zip(images, sharpness(images), strict=True):
            channels, height, width = image.shape
            squares = [
                (image[c, i, j] - image[c, i + di, j + dj]).item() ** 2
                for c in range(channels)
                for i in range(height)
                for j in range(width)
                for di, dj in ((0, 1), (1, 0))
                if i + di < height and j + dj < width
            ]
            assert value.item() == pytest.approx(math.sqrt(sum(squares) / len(squares)), rel=1e-5)

    def test_sharpness_falls_with_blur_and_is_zero_for_a_flat_image(self):
        x = pictures(2, 1)
        blurred = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        assert (sharpness(blurred) < 0.6 * sharpness(x)).all()
        assert sharpness(torch.full((1, 1, 3, 4), 0.7)).item() == 0

    def test_norm_profile(self):
        codes = torch.tensor([[4.0, 0, 0], [0, 0, 1], [0, 2, 0]])
        assert norm_profile(codes).tolist() == pytest.approx([1, 1 / 3, 1])
        assert norm_profile(torch.stack([codes, 7 * codes]), batch_dims=1)[1].tolist() == pytest.approx([1, 1 / 3, 1])


class TestQuality:
    def test_straight_and_even(self):
        a, b = pictures(2, 0)
        quality = path_quality(path(a, b, 6), codes=path(a, b, 6))
        assert quality.uniformity.item() == pytest.approx(1, rel=1e-4)
        assert all(value.shape == () for value in quality)
        assert torch.isnan(quality.distance)

    @pytest.mark.parametrize("count", [3, 8])
    def test_one_jump(self, count):
        a, b = pictures(2, 0)
        jump = torch.stack([a] * (count - 1) + [b])
        quality = path_quality(jump, data=torch.stack([a, b]))
        assert quality.uniformity.item() == pytest.approx(1 / (count - 1))
        assert quality.distance.item() == pytest.approx(0, abs=1e-5)

    def test_uniformity_of_known_steps(self):
        points = torch.tensor([0.0, 1.0, 4.0, 6.0])[:, None] * torch.tensor([0.6, 0.8])
        quality = path_quality(points)
        assert quality.uniformity.item() == pytest.approx(2 / 3)
        assert torch.isnan(quality.sharpness), "codes have no edges"

    def test_a_path_that_stays(self):
        assert path_quality(torch.ones(4, 1, 3, 5)).uniformity.item() == 1

    def test_sharpness_of_a_double_exposure(self):
        """Edges in different places: halfway the squares halve, so sharpness is 1 / sqrt 2 of the ends."""
        a, b = torch.zeros(2, 1, 8, 8)
        a[:, :, 1], b[:, :, 6] = 1, 1
        halfway = torch.stack([a, (a + b) / 2, b])
        assert path_quality(halfway).sharpness.item() == pytest.approx(1 / math.sqrt(2))
        against = path_quality(halfway, ends=torch.stack([2 * a, 2 * b])).sharpness.item()
        assert against == pytest.approx(0.5 / math.sqrt(2)), "ends given are those it is compared with"

    def test_distance_is_of_the_inner_points_to_the_nearest_data(self):
        data = torch.tensor([[0.0, 0.0], [10.0, 0.0], [5.0, 9.0]])
        points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 7.0], [9.0, 0.0]])
        assert path_quality(points, data=data).distance.item() == pytest.approx((1 + 2) / 2)

    def test_features_are_the_space_of_steps_and_distances(self):
        a, b = pictures(2, 3)
        images = path(a, b, 5)

        def mean_squared(x):
            return x.mean((1, 2, 3))[:, None] ** 2

        quality = path_quality(images, data=torch.tensor([[4.0], [1.0]]), features=mean_squared)
        values = [image.mean().item() ** 2 for image in images]
        steps = [abs(v - u) for u, v in zip(values, values[1:], strict=False)]
        assert quality.uniformity.item() == pytest.approx(sum(steps) / 4 / max(steps), rel=1e-3)
        assert quality.distance.item() == pytest.approx(sum(1 - v for v in values[1:-1]) / 3, rel=1e-4)
        assert quality.uniformity.item() < 0.99 < path_quality(images).uniformity.item()

    @pytest.mark.parametrize(("method", "expected"), [("lerp", 1 / math.sqrt(2)), ("slerp", 1.0)])
    def test_norm_at_a_right_angle(self, method, expected):
        z_a, z_b = torch.tensor([3.0, 0, 0, 0]), torch.tensor([0, 0, 3.0, 0])
        codes = path(z_a, z_b, 9, method)
        assert path_quality(codes, codes=codes).norm.item() == pytest.approx(expected, rel=1e-5)

    def test_many_paths_at_once(self):
        images, codes = pictures(15, 4).unflatten(0, (3, 5)), pictures(15, 5, (7,)).unflatten(0, (3, 5))
        data, ends = pictures(11, 6), pictures(6, 7).unflatten(0, (3, 2))
        several = path_quality(images, codes=codes, data=data, ends=ends, batch_dims=1)
        for p in range(3):
            one = path_quality(images[p], codes=codes[p], data=data, ends=ends[p])
            torch.testing.assert_close(torch.stack([value[p] for value in several]), torch.stack(list(one)))

    def test_errors(self):
        with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\): a path needs its two ends and a point between"):
            path_quality(torch.zeros(2, 1, 4, 4))
        with pytest.raises(ValueError, match=r"codes have shape \(4, 2\) for images \(5, 1, 4, 4\)"):
            path_quality(torch.zeros(5, 1, 4, 4), codes=torch.zeros(4, 2))
        with pytest.raises(ValueError, match="batch_dims is 2"):
            path_quality(torch.zeros(5, 1, 4, 4), batch_dims=2)
        with pytest.raises(ValueError, match="at least 2, after the dimension of the paths"):
            step_lengths(torch.zeros(3, 1, 2), batch_dims=1)
        with pytest.raises(ValueError, match="H and W of at least 2"):
            sharpness(torch.zeros(1, 1, 5))


def test_nothing_divided_by_nothing_is_as_it_should_be():
    still = torch.zeros(4, 5)
    assert norm_profile(still).tolist() == [1] * 4
    flat = torch.full((4, 1, 6, 9), 0.5)
    assert path_quality(flat, codes=still) == (1, 1, pytest.approx(math.nan, nan_ok=True), 1)


def test_steps_of_codes_far_away_and_of_bytes():
    codes = torch.arange(4.0, dtype=torch.float64)[:, None] * 1e-3 + 1e6
    torch.testing.assert_close(step_lengths(codes).float(), torch.full((3,), 1e-3))
    for function in (sharpness, path_quality):
        with pytest.raises(TypeError, match="images are torch.uint8: divide by 255"):
            function(torch.zeros(4, 1, 6, 9, dtype=torch.uint8))
