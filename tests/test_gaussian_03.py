"""Divergences and densities of diagonal Gaussians against torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from course_utils.gaussian import (
    kl_gaussians,
    kl_per_dimension,
    kl_standard_normal,
    log_mean_exp,
    log_prob_gaussian,
    reparameterize,
)

HALF = (torch.float16, torch.bfloat16)


def draws(*shape, dtype=torch.float64, low=-30.0, high=30.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mu = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    logvar = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
    return mu.to(dtype), logvar.to(dtype)


def normal(mu, logvar):
    return Independent(Normal(mu, (0.5 * logvar).exp()), 1)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 50)])
def test_kl_gaussians_is_that_of_torch_distributions(shape):
    mu_q, logvar_q = draws(*shape)
    mu_p, logvar_p = draws(*shape, seed=1)
    kl = kl_gaussians(mu_q, logvar_q, mu_p, logvar_p)
    assert kl.shape == shape[:1]
    torch.testing.assert_close(kl, kl_divergence(normal(mu_q, logvar_q), normal(mu_p, logvar_p)), rtol=1e-6, atol=0)


def test_kl_gaussians_to_the_standard_normal_and_from_one_row():
    mu, logvar = draws(5, 3)
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(kl_gaussians(mu, logvar, zero, zero), kl_standard_normal(mu, logvar), rtol=1e-12, atol=0)
    assert kl_gaussians(mu, logvar, mu, logvar).tolist() == [0.0] * 5


def test_kl_gaussians_is_exact_for_nearly_equal_distributions():
    delta = torch.tensor([[1e-7]], dtype=torch.float64)
    zero = torch.zeros_like(delta)
    torch.testing.assert_close(kl_gaussians(zero, delta, zero, zero), delta[0] ** 2 / 4, rtol=1e-2, atol=0)
    wide = torch.tensor([[30.0]], dtype=torch.float64)
    assert kl_gaussians(zero, wide + delta, zero, wide) < 1e-12


def test_kl_gaussians_is_not_symmetric_and_its_gradient_is_right():
    q, p = draws(4, 3, low=-3, high=3), draws(4, 3, low=-3, high=3, seed=1)
    assert not torch.allclose(kl_gaussians(*q, *p), kl_gaussians(*p, *q), rtol=0.1)
    inputs = [t.requires_grad_() for t in (*q, *p)]
    assert torch.autograd.gradcheck(kl_gaussians, inputs)


def test_kl_per_dimension_are_the_summands():
    mu, logvar = draws(6, 4)
    terms = kl_per_dimension(mu, logvar)
    assert terms.shape == (6, 4)
    one = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(torch.zeros(()).double(), 1.0))
    torch.testing.assert_close(terms, one, rtol=1e-6, atol=0)
    torch.testing.assert_close(terms.sum(1), kl_standard_normal(mu, logvar), rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 5, 4)])
def test_log_prob_is_that_of_torch_distributions(shape):
    mu, logvar = draws(*shape)
    x = mu + (0.5 * logvar).exp() * draws(*shape, seed=2)[0]
    expected = normal(mu, logvar).log_prob(x)
    result = log_prob_gaussian(x, mu, logvar)
    assert result.shape == shape[:-1]
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=0)


def test_log_prob_integrates_to_one():
    x = torch.linspace(-12, 14, 20001, dtype=torch.float64)[:, None]
    density = log_prob_gaussian(x, torch.tensor([1.0]).double(), torch.tensor([0.7]).double()).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_log_mean_exp(dim):
    x = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(log_mean_exp(x, dim), x.exp().mean(dim).log(), rtol=1e-12, atol=1e-12)
    for shift in (-1e4, 1e4):  # where exp underflows and overflows
        torch.testing.assert_close(log_mean_exp(x + shift, dim), x.exp().mean(dim).log() + shift, rtol=1e-9, atol=0)


def test_log_mean_exp_at_the_edges():
    inf = torch.inf
    assert log_mean_exp(torch.tensor([-inf, -inf]), 0) == -inf
    assert log_mean_exp(torch.tensor([-inf, 0.0]), 0).item() == pytest.approx(-math.log(2))
    with pytest.raises(ValueError, match=r"\(3, 0\).*dimension 1"):
        log_mean_exp(torch.zeros(3, 0), 1)


@pytest.mark.parametrize("dtype", HALF)
def test_16_bit_inputs_are_computed_and_returned_in_float32(dtype):
    mu, logvar = draws(5, 200, dtype=dtype)
    wide = [t.float() for t in (mu, logvar)]
    zero = torch.zeros_like(mu)
    for fn, extra in ((kl_standard_normal, ()), (kl_per_dimension, ()), (kl_gaussians, (zero, zero))):
        result = fn(mu, logvar, *extra)
        assert result.dtype == torch.float32
        assert torch.equal(result, fn(*wide, *(t.float() for t in extra)))
    assert torch.equal(log_prob_gaussian(zero, mu, logvar), log_prob_gaussian(zero.float(), *wide))
    z = reparameterize(mu, logvar, torch.Generator().manual_seed(3))
    assert torch.equal(z, reparameterize(*wide, torch.Generator().manual_seed(3)))
    weights = torch.full((3, 3000), -2.0, dtype=dtype)
    torch.testing.assert_close(log_mean_exp(weights, 1), torch.full((3,), -2.0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [*HALF, torch.float32, torch.float64])
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_finite_where_the_exact_value_is(dtype, logvar):
    mu, v = torch.full((2, 3), 4.0, dtype=dtype), torch.full((2, 3), logvar, dtype=dtype)
    exact_mu, exact_v = mu.double(), v.double()
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for result, expected in (
        (kl_standard_normal(mu, v), kl_standard_normal(exact_mu, exact_v)),
        (kl_gaussians(mu, v, -mu, -v), kl_gaussians(exact_mu, exact_v, -exact_mu, -exact_v)),
        (log_prob_gaussian(-mu, mu, v), log_prob_gaussian(-exact_mu, exact_mu, exact_v)),
    ):
        assert result.dtype == wide
        assert result.isfinite().all()
        torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_gradients_are_finite_too(logvar):
    mu, v = torch.full((2, 3), 4.0, requires_grad=True), torch.full((2, 3), logvar, requires_grad=True)
    (kl_standard_normal(mu, v) + kl_gaussians(mu, v, -mu, 0 * v) + log_prob_gaussian(0 * mu, mu, v)).sum().backward()
    assert mu.grad.isfinite().all()
    assert v.grad.isfinite().all()
