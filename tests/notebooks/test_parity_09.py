"""What lesson 09 defines inline is what the package has, and what it measures with measures."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from helpers import generator
from lesson_cells import lesson_definitions, lesson_namespace
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from torch import nn

from course_utils import latents, metrics
from course_utils.models.networks import decoder_network, encoder_network
from course_utils.models.vae import conditional as conditional_vae

functions = partial(lesson_definitions, "09")


@pytest.fixture(scope="module")
def codes_and_factors():
    g = generator()
    factors = torch.rand(500, 4, generator=g)
    factors[:, 3] = (factors[:, 3] > 0.4).float()  # one with two values
    codes = factors @ torch.randn(4, 6, generator=g) + 0.1 * torch.randn(500, 6, generator=g)
    codes[:, 0] = factors[:, 1] ** 3
    return codes, factors


def test_mutual_information_and_its_gap(codes_and_factors):
    inline = functions("information-code", torch=torch, F=F)
    information, entropy = inline["information_and_entropy"](*codes_and_factors)
    assert information.shape == (6, 4)
    torch.testing.assert_close(information, metrics.mutual_information(*codes_and_factors))
    two_values = codes_and_factors[1][:, 3].mean().double()
    torch.testing.assert_close(entropy[3], torch.distributions.Bernoulli(two_values).entropy())
    mig = lesson_namespace("09", "mig-exercise", torch=torch)["mig"]
    package = metrics.mutual_information_gap(*codes_and_factors)
    assert mig(information, entropy).item() == pytest.approx(package)
    assert package > 0.05


def test_a_dimension_that_does_not_vary_knows_nothing(codes_and_factors):
    codes, factors = codes_and_factors
    inline = functions("information-code", torch=torch, F=F)
    information, _ = inline["information_and_entropy"](torch.cat([codes, torch.ones(500, 1)], dim=1), factors)
    torch.testing.assert_close(information[-1], torch.zeros(4, dtype=torch.float64))


def test_what_single_numbers_explain_is_the_square_of_a_correlation(codes_and_factors):
    codes, factors = codes_and_factors
    r2 = functions("instrument", torch=torch)["r2"]
    inline = functions("single", torch=torch, LinearRegression=LinearRegression, share=factors, r2=r2)
    by_lines = [
        max(
            LinearRegression().fit(codes[:, [d]], factors[:, k]).score(codes[:, [d]], factors[:, k].numpy())
            for d in range(6)
        )
        for k in range(4)
    ]
    torch.testing.assert_close(inline["single"](codes), torch.tensor(by_lines, dtype=torch.float32))
    whole = LinearRegression().fit(codes, factors)
    assert inline["together"](codes).mean().item() == pytest.approx(whole.score(codes, factors.numpy()), abs=1e-4)


def test_the_direction_is_the_package_s_and_worth_the_range():
    g = generator(1)
    z, value = torch.randn(30, 5, generator=g), torch.rand(30, generator=g) ** 2
    inline = lesson_namespace("09", "direction-exercise")["label_direction"]
    gap = latents.attribute_direction(value[:, None], value > 0.5)
    torch.testing.assert_close(inline(z, value) * gap, latents.attribute_direction(z, value > 0.5))


def test_controlled_edit_is_the_package_s_projection():
    g = generator(2)
    z, weights, direction = (torch.randn(*shape, generator=g) for shape in ((6, 8), (5, 8), (8,)))
    step = latents.project_out(direction, weights[[0, 3, 4]])
    inline = lesson_namespace("09", "edit-exercise", torch=torch)["controlled_edit"]
    expected = z + step * (0.3 / (weights[2] @ step))
    torch.testing.assert_close(inline(z, direction, weights, 2, [0, 3, 4], 0.3), expected, rtol=1e-4, atol=1e-4)


def test_conditional_vae():
    inline = functions(
        "cvae-code", torch=torch, nn=nn, encoder_network=encoder_network, decoder_network=decoder_network
    )
    options = {"architecture": "conv", "hidden": 8, "image_shape": (3, 32, 32), "likelihood": "gaussian", "std": 0.2}
    package = conditional_vae.ConditionalVAE(5, 2, **options)
    ours = inline["ConditionalVAE"](5, 2, architecture="conv", hidden=8, shape=(3, 32, 32))
    ours.load_state_dict(package.state_dict())
    x, y, z = torch.rand(4, 3, 32, 32), torch.randn(4, 2), torch.randn(4, 5)
    torch.testing.assert_close(ours.posterior(x, y), package.posterior(x, y))
    torch.testing.assert_close(ours.decode(z, y), package.decode(z, y))


def test_a_random_rotation_is_one():
    inline = functions("rotation", torch=torch, nn=nn, g=generator(4))
    rotation = inline["random_rotation"](5)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(5), rtol=0, atol=1e-5)


def test_total_correlation_is_bounded_from_below():
    inline = functions("correlation", torch=torch, math=math, GaussianMixture=GaussianMixture)
    g = generator(5)
    z = torch.randn(4000, 3, generator=g)
    assert -0.05 < inline["at_least"](z) < 0.05
    z[:, 1] = (z[:, 0] + 0.5 * z[:, 1]) ** 3  # bent, so that a correlation of the numbers themselves is another one
    exact = 0.5 * math.log(1 + 1 / 0.25)  # of two normal numbers of correlation 1 / sqrt(1.25)
    assert exact - 0.08 < inline["at_least"](z) < exact + 0.03
