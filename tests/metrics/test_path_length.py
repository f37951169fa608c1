"""Perceptual path length against generators whose speed along a path is known."""

import pytest
import torch
from helpers import default_dtype
from helpers import generator as rng
from torch import nn

from course_utils.latents import LatentModel
from course_utils.metrics import perceptual_path_length

SHAPE = (2, 3, 5)


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=rng(seed))


class Linear:
    """x = A z; not in [0, 1], which a function of features does not ask for."""

    def __init__(self, matrix: torch.Tensor, latent_shape=None):
        self.matrix, self.latent_shape = matrix, latent_shape or (matrix.shape[1],)

    def decode(self, z):
        return (z.flatten(1) @ self.matrix.T).view(len(z), *SHAPE)

    def encode(self, x):
        raise AssertionError("nothing is encoded")

    def sample_latent(self, n, generator=None):
        raise AssertionError("nothing is drawn")


def flat(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1)


def test_of_a_linear_generator_it_is_the_squared_length_of_the_path():
    """Along a line the speed is A (z_b - z_a) everywhere, also in features that are linear in the image."""
    model, z_a, z_b = Linear(draws(30, 4)), draws(7, 4, seed=1), draws(7, 4, seed=2)
    assert isinstance(model, LatentModel)
    read = draws(30, 6, seed=3)
    for features, matrix in ((flat, model.matrix), (lambda x: x.flatten(1) @ read, read.T @ model.matrix)):
        expected = ((z_b - z_a) @ matrix.T).square().sum(1).double()
        for options in ({}, {"ends": True}, {"batch_size": 3}):
            found = perceptual_path_length(model, z_a, z_b, features, epsilon=1e-3, **options)
            assert found.shape == (7,)
            assert found.dtype == torch.float64
            torch.testing.assert_close(found, expected, rtol=0.01, atol=0)
        rough = perceptual_path_length(model, z_a, z_b, features)
        torch.testing.assert_close(rough.mean(), expected.mean(), rtol=0.02, atol=0)


def test_codes_may_have_any_shape():
    matrix, z_a, z_b = draws(30, 12), draws(4, 3, 4, seed=1), draws(4, 3, 4, seed=2)
    found = perceptual_path_length(Linear(matrix, (3, 4)), z_a, z_b, flat, epsilon=1e-3)
    torch.testing.assert_close(found, ((z_b - z_a).flatten(1) @ matrix.T).square().sum(1).double(), rtol=0.01, atol=0)


def test_along_an_arc_it_is_the_radius_times_the_angle():
    """A with orthonormal columns keeps lengths; between codes of one norm slerp goes along the circle at one speed."""
    matrix = torch.linalg.qr(draws(30, 4)).Q
    z_a, z_b = (3 * torch.nn.functional.normalize(draws(6, 4, seed=s), dim=1) for s in (1, 2))
    angle = (z_a * z_b).sum(1).div(9).acos().double()
    for ends in (True, False):
        found = perceptual_path_length(Linear(matrix), z_a, z_b, flat, path="slerp", ends=ends, epsilon=1e-3)
        torch.testing.assert_close(found, (3 * angle).square(), rtol=0.01, atol=0)


def test_its_mean_over_t_is_that_of_the_squared_speed():
    """x = z**2 from 0 to 1 has the speed 2 t: 4/3 in the mean of its square, and 0 at the start."""

    class Square(Linear):
        def decode(self, z):
            return z.square().view(len(z), 1, 1, 1)

    n = 20_000
    model, z = Square(torch.ones(1, 1)), torch.zeros(n, 1)
    found = perceptual_path_length(model, z, z + 1, flat, epsilon=1e-3, generator=rng(4), batch_size=n)
    assert found.mean().item() == pytest.approx(4 / 3, rel=0.03)
    again = perceptual_path_length(model, z, z + 1, flat, epsilon=1e-3, generator=rng(4), batch_size=777)
    torch.testing.assert_close(again, found)
    assert perceptual_path_length(model, z, z + 1, flat, epsilon=1e-3, ends=True).max() < 1e-5


def test_the_draws_do_not_depend_on_the_default_format():
    class Square(Linear):
        def decode(self, z):
            return z.square().view(len(z), 1, 1, 1)

    def length():
        z = torch.zeros(20, 1, dtype=torch.float64)
        model = Square(torch.ones(1, 1, dtype=torch.float64))
        return perceptual_path_length(model, z, z + 1, flat, epsilon=1e-2, generator=rng(4))

    expected = length()
    with default_dtype(torch.float64):
        torch.testing.assert_close(length(), expected, rtol=1e-3, atol=1e-5)


class Reader(nn.Module):
    """Reads 3 x 4 x 6 images; in training mode something else."""

    image_shape = (3, 4, 6)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(draws(72, 5, seed=6))

    def features(self, x):
        return (x.flatten(1) @ self.weight).exp() if self.training else (x.flatten(1) @ self.weight).tanh()


def test_features_of_a_model_are_read_in_evaluation_mode():
    class Images(Linear):
        def decode(self, z):
            return z.sigmoid().view(len(z), 3, 4, 6)

    reader, (z_a, z_b) = Reader().train(), (draws(4, 72, seed=s) for s in (1, 2))
    found = perceptual_path_length(Images(torch.zeros(1, 1)), z_a, z_b, reader, epsilon=1e-3, ends=True)
    assert reader.training, "left as it was"
    a, b = z_a.double(), z_b.double()
    speed = (a.sigmoid() * (1 - a.sigmoid()) * (b - a)) @ reader.weight.double()
    speed = speed * (1 - (a.sigmoid() @ reader.weight.double()).tanh().square())
    expected = speed.square().sum(1)
    assert expected.min() > 0.01
    torch.testing.assert_close(found, expected.detach(), rtol=0.03, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "line"}, "path is 'line': use 'lerp' or 'slerp'"),
        ({"epsilon": 0}, "epsilon is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"z_b": draws(6, 4)}, r"z_a has shape \(7, 4\) and z_b \(6, 4\): give equally many codes"),
        ({"z_a": draws(0, 4), "z_b": draws(0, 4)}, "at least one"),
        ({"z_a": torch.full((7, 4), torch.nan)}, "NaN or infinite values in z_a"),
    ],
)
def test_what_it_cannot_take(change, message):
    given = {"model": Linear(draws(30, 4)), "z_a": draws(7, 4), "z_b": draws(7, 4), "features": flat} | change
    with pytest.raises(ValueError, match=message):
        perceptual_path_length(**given)
