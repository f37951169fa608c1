"""Toy sets: geometry, statistics, scikit-learn's definitions, generators, bad sizes."""

import math

import pytest
import torch
from helpers import default_dtype, generator
from sklearn.datasets import make_moons, make_swiss_roll

from course_utils import data
from course_utils.data import toys
from course_utils.data.toys import ring_of_gaussians, rotating_bar, swiss_roll, two_moons

SETS = {f.__name__: f for f in (ring_of_gaussians, two_moons, swiss_roll, rotating_bar)}


@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
class TestEvery:
    def test_sizes_and_types(self, make):
        for n in (1, 7):
            points, second = make(n, generator=generator())
            assert len(points) == n
            assert second.shape == (n,)
            assert points.dtype == torch.float32
            assert second.dtype == (torch.int64 if make in (ring_of_gaussians, two_moons) else torch.float32)

    def test_the_generator_decides_and_the_global_one_is_left_alone(self, make):
        before = torch.get_rng_state()
        first, second, other = (
            make(9, generator=generator(3)),
            make(9, generator=generator(3)),
            make(9, generator=generator()),
        )
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert not torch.equal(first[0], other[0])
        assert torch.equal(before, torch.get_rng_state())

    def test_without_one_the_global_generator_decides(self, make):
        torch.manual_seed(5)
        first = make(9)[0]
        torch.manual_seed(5)
        assert torch.equal(first, make(9)[0])

    @pytest.mark.parametrize("n", [0, -3])
    def test_no_points_is_an_error(self, make, n):
        with pytest.raises(ValueError, match=f"n is {n}: ask for at least 1 point"):
            make(n)

    def test_data_exports_it(self, make):
        assert getattr(data, make.__name__) is getattr(toys, make.__name__)


class TestRing:
    def test_each_mode_is_a_gaussian_at_its_place(self):
        n, modes, radius, std = 35_000, 7, 2.0, 0.1
        points, labels = ring_of_gaussians(n, modes=modes, radius=radius, std=std, generator=generator())
        counts = labels.bincount(minlength=modes)
        assert len(counts) == modes
        assert ((counts - n / modes).abs() < 4.5 * math.sqrt(n / modes)).all()
        for k in range(modes):
            cluster = points[labels == k].double()
            center = radius * torch.tensor([math.cos(2 * math.pi * k / modes), math.sin(2 * math.pi * k / modes)])
            assert ((cluster.mean(0) - center).abs() < 4.5 * std / math.sqrt(len(cluster))).all()
            torch.testing.assert_close(cluster.T.cov(), std**2 * torch.eye(2).double(), atol=6e-4, rtol=0)

    def test_without_noise_points_lie_on_the_circle(self):
        points, _ = ring_of_gaussians(50, radius=3.0, std=0.0, generator=generator())
        torch.testing.assert_close(points.norm(dim=1), torch.full((50,), 3.0))

    def test_no_modes_is_an_error(self):
        with pytest.raises(ValueError, match="modes is 0"):
            ring_of_gaussians(5, modes=0)


class TestMoons:
    def test_points_lie_on_the_half_circles_of_scikit_learn(self):
        points, labels = two_moons(400, noise=0.0, generator=generator())
        reference, classes = make_moons(2000, noise=0.0)
        for label in (0, 1):
            distance = torch.cdist(points[labels == label].double(), torch.from_numpy(reference[classes == label]))
            assert distance.amin(dim=1).max() < 0.002  # half a step of the reference's 1000 points on an arc of pi
            assert (
                torch.cdist(points[labels == label].double(), torch.from_numpy(reference[classes != label])).min() > 0.1
            )

    def test_the_moons_are_equally_full(self):
        assert two_moons(101, generator=generator())[1].bincount().tolist() == [51, 50]

    def test_noise_has_the_standard_deviation_asked_for(self):
        quiet, noisy = (two_moons(20_000, noise=s, generator=generator())[0] for s in (0.0, 0.3))
        assert (noisy - quiet).std().item() == pytest.approx(0.3, rel=4.5 / math.sqrt(2 * 40_000))


class TestRoll:
    def test_equals_scikit_learns_surface(self):
        points, t = swiss_roll(3000, generator=generator())
        torch.testing.assert_close(points[:, 0], t * t.cos())
        torch.testing.assert_close(points[:, 2], t * t.sin())
        reference, positions = make_swiss_roll(3000, random_state=0)
        for ours, theirs in ((t, positions), (points[:, 1], reference[:, 1])):  # both uniform on the same interval
            assert ours.min().item() == pytest.approx(theirs.min(), abs=0.1)
            assert ours.max().item() == pytest.approx(theirs.max(), abs=0.1)
            spread = theirs.std() / math.sqrt(3000)
            assert abs(ours.mean().item() - theirs.mean()) < 4.5 * math.sqrt(2) * spread

    def test_noise(self):
        quiet, noisy = (swiss_roll(20_000, noise=s, generator=generator())[0] for s in (0.0, 0.5))
        assert (noisy - quiet).std().item() == pytest.approx(0.5, rel=4.5 / math.sqrt(2 * 60_000))


class TestBar:
    @pytest.mark.parametrize("size", [20, 28, 33])
    def test_the_angle_can_be_read_off_the_image(self, size):
        images, angles = rotating_bar(64, size=size, generator=generator())
        assert images.shape == (64, 1, size, size)
        assert images.min() >= 0
        assert images.max() <= 1
        assert angles.min() >= 0
        assert angles.max() < math.pi
        y, x = torch.meshgrid(
            -(torch.arange(size) - (size - 1) / 2), torch.arange(size) - (size - 1) / 2, indexing="ij"
        )
        weight = images[:, 0].double()
        xx, yy, xy = ((weight * m).sum((1, 2)) for m in (x * x, y * y, x * y))
        seen = 0.5 * torch.atan2(2 * xy, xx - yy)  # direction of the longest axis, y pointing up
        difference = (seen - angles + math.pi / 2).remainder(math.pi) - math.pi / 2
        assert difference.abs().max() < 0.02

    def test_every_bar_has_the_same_area_and_centre(self):
        size = 28
        images, _ = rotating_bar(64, size=size, width=0.12, generator=generator())
        area = images.sum((1, 2, 3))
        assert ((area / (4 * 0.8 * 0.12 * (size / 2) ** 2) - 1).abs() < 0.03).all()
        torch.testing.assert_close(images, images.flip(2, 3), atol=1e-4, rtol=0)

    def test_one_parameter_moves_the_image_continuously(self):
        images, angles = rotating_bar(200, generator=generator())
        order = angles.argsort()
        step = (images[order][1:] - images[order][:-1]).flatten(1).norm(dim=1)
        turn = angles[order].diff()
        assert (step <= 60 * turn + 0.05).all()


@pytest.mark.parametrize(
    "draw",
    [ring_of_gaussians, two_moons, swiss_roll, rotating_bar, data.faces.sample_handles],
    ids=lambda f: f.__name__,
)
def test_a_seed_does_not_depend_on_the_default_format(draw):
    with default_dtype(torch.float64):
        drawn = draw(5, generator=generator())
    for a, b in zip(drawn, draw(5, generator=generator()), strict=True):  # points and labels, or row by row
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
