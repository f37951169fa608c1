"""Codes of a GAN: searched for an image, and truncated as scipy does."""

import copy
import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from course_utils.latents import encode_dataset
from course_utils.models.gan import GAN, invert, truncate

# ------------------------------------------------------------------------------------ the GAN


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(2)
    model = GAN(3, image_shape=(2, 8, 12), hidden=8, inversion_steps=150)
    for _ in range(30):
        model.generator(torch.randn(64, 3))  # statistics of the batch normalisation
    return model.eval()


def test_encoding_finds_the_code_of_a_generated_image_the_same_each_time(small):
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(4))
    x = small.decode(z).detach()
    state, before = torch.get_rng_state(), copy.deepcopy(small.state_dict())
    codes = small.encode(x)
    assert (codes - z).abs().max() < 0.05
    assert (small.decode(codes) - x).square().mean() < 1e-6
    assert torch.equal(torch.get_rng_state(), state), "no global draw"
    assert torch.equal(small.encode(x), codes), "deterministic"
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert all(p.grad is None for p in small.parameters())
    torch.testing.assert_close(small.encode(x[2:3]), codes[2:3], rtol=0, atol=1e-3)  # images do not see each other
    with torch.inference_mode():
        torch.testing.assert_close(small.encode(x), codes)  # as explorers call it
    torch.testing.assert_close(encode_dataset(small, x, batch_size=2), codes, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="images reach"):
        small.encode(2 * x + 1)


def test_the_search_is_bounded_watched_and_descends(small):
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(4))
    x, errors = small.decode(z).detach(), []
    invert(small.generator, x, 20, restarts=3, on_step=lambda step, error: errors.append((step, error)))
    assert [step for step, _ in errors] == list(range(1, 21))
    assert errors[0][1].shape == (3, 4)
    assert (errors[-1][1].min(0).values < errors[0][1].min(0).values).all()
    assert (errors[0][1][0] <= errors[0][1][2]).all(), "the nearest candidate comes first"


def test_the_best_of_several_restarts_is_returned():
    """Two wells: (z**2 - 1)**2 = 0 at z = 1 and -1, and only the one at 1 is as high as the other pixel asks for."""

    class Wells(nn.Module):
        latent_shape = (1,)

        def forward(self, z):
            return torch.cat([(z.square() - 1).square(), 0.1 * z, 0.1 * z.abs()], dim=1)

    x = torch.tensor([[0.0, 0.1, 0.1], [0.0, -0.1, 0.1]])
    for seed in range(5):
        rng = torch.Generator().manual_seed(seed)
        z = invert(Wells(), x, 200, restarts=6, candidates=6, rng=rng)
        torch.testing.assert_close(z, torch.tensor([[1.0], [-1.0]]), rtol=0, atol=1e-2)


def test_the_prior_pulls_codes_to_the_origin_as_the_closed_form_says():
    """For G(z) = A z: z* = (A'A + prior I)^-1 A' x."""
    matrix = torch.randn(6, 2, generator=torch.Generator().manual_seed(8))

    class Linear2(nn.Module):
        latent_shape = (2,)

        def forward(self, z):
            return z @ matrix.T

    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(7))
    for prior in (0.0, 1.5):
        expected = torch.linalg.solve(matrix.T @ matrix + prior * torch.eye(2), matrix.T @ x.T).T
        torch.testing.assert_close(invert(Linear2(), x, 400, prior=prior), expected, rtol=0, atol=2e-3)


def test_searches_that_cannot_be_made(small):
    x = torch.rand(2, 2, 8, 12)
    for options in ({"steps": 0}, {"restarts": 0}, {"restarts": 5, "candidates": 4}):
        with pytest.raises(ValueError, match="must be at least 1"):
            invert(small.generator, x, **options)


# --------------------------------------------------------------------------------- truncation


@pytest.mark.parametrize("method", ["resample", "quantile"])
@pytest.mark.parametrize("limit", [0.02, 0.7, 2.0])
def test_truncated_codes_have_the_distribution_of_scipy(method, limit):
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(4000, 5, generator=generator)
    cut = truncate(z, limit, method=method, generator=generator)
    assert cut.shape == z.shape
    assert cut.dtype == z.dtype
    assert cut.abs().max() <= limit
    known = scipy.stats.truncnorm(-limit, limit)
    assert scipy.stats.kstest(cut.flatten().numpy(), known.cdf).pvalue > 0.001
    assert cut.std().item() == pytest.approx(known.std(), rel=0.02)
    correlations = np.corrcoef(cut.numpy().T) - np.eye(5)
    assert np.abs(correlations).max() < 0.06


def test_resampling_keeps_what_is_within_the_limit():
    z = torch.tensor([[0.5, -3.0], [2.5, -0.9]])
    cut = truncate(z, 1.0, generator=torch.Generator().manual_seed(0))
    assert cut[0, 0] == 0.5
    assert cut[1, 1] == pytest.approx(-0.9)
    assert z[0, 1] == -3, "the caller's codes are left alone"
    assert torch.equal(truncate(z, math.inf), z)


def test_quantiles_move_smoothly_and_keep_the_order():
    z = torch.randn(200, generator=torch.Generator().manual_seed(0)).sort().values
    limits = torch.linspace(0.1, 4, 40).tolist()
    cuts = torch.stack([truncate(z, limit, method="quantile") for limit in limits])
    assert (cuts.diff(dim=1) >= 0).all()
    assert (cuts.abs().diff(dim=0) >= -1e-6).all(), "a wider limit never moves a number towards 0"
    assert cuts.diff(dim=0).abs().max() < 0.11, "no jumps"
    torch.testing.assert_close(truncate(z, 30.0, method="quantile"), z, rtol=0, atol=1e-4)


def test_bad_truncations():
    with pytest.raises(ValueError, match="limit is 0"):
        truncate(torch.zeros(1), 0)
    with pytest.raises(ValueError, match="method is 'clip'"):
        truncate(torch.zeros(1), 1, method="clip")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bits(dtype):
    torch.manual_seed(0)
    generator = GAN(3, image_shape=(1, 8, 12), hidden=8).generator.eval()
    x = generator(torch.randn(2, 3)).detach()
    exact, z = invert(generator, x, steps=20), invert(copy.deepcopy(generator).to(dtype), x.to(dtype), steps=20)
    assert z.dtype == dtype
    assert (generator(z.float()) - x).abs().max() < (generator(exact) - x).abs().max() + 0.02
    for method in ("resample", "quantile"):
        cut = truncate(torch.tensor([-3.0, 0.5, 4.0], dtype=dtype), 1.0, method=method)
        assert cut.dtype == dtype
        assert cut.abs().max() <= 1


def test_the_search_leaves_a_generator_in_training_as_it_was():
    generator = GAN(3, image_shape=(1, 8, 12), hidden=8).generator.train()
    before = copy.deepcopy(generator.state_dict())
    x = torch.rand(2, 1, 8, 12)
    z = invert(generator, x, steps=2)
    assert generator.training
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert torch.equal(z, invert(generator.eval(), x, steps=2))
