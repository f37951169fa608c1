"""Sampling, divergences and densities of Gaussians: torch.distributions, and Monte Carlo with an error bar."""

import math

import pytest
import torch
from helpers import generator
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from course_utils.gaussian import (
    kl_gaussians,
    kl_per_dimension,
    kl_standard_normal,
    log_mean_exp,
    log_prob_aggregate,
    log_prob_gaussian,
    reparameterize,
)


@pytest.fixture
def posterior():
    """Means and log variances of 5 Gaussians in 3 dimensions, spread wide."""
    return 2 * torch.randn(5, 3, generator=generator(1)), 1.5 * torch.randn(5, 3, generator=generator(2))


def as_distribution(mu: torch.Tensor, logvar: torch.Tensor) -> Independent:
    return Independent(Normal(mu, logvar.exp().sqrt()), 1)


class TestKL:
    def test_equals_torch_distributions(self, posterior):
        mu, logvar = (t.double() for t in posterior)
        prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
        expected = kl_divergence(as_distribution(mu, logvar), prior)
        kl = kl_standard_normal(mu, logvar)
        assert kl.shape == (5,)
        torch.testing.assert_close(kl, expected)

    def test_is_the_mean_log_ratio_of_samples(self, posterior):
        mu, logvar = (t[:1] for t in posterior)
        q, p = as_distribution(mu, logvar), Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
        z = reparameterize(mu.expand(100_000, 3), logvar.expand(100_000, 3), generator())
        ratio = (q.log_prob(z) - p.log_prob(z)).double()
        error = ratio.std().item() / math.sqrt(len(ratio))
        assert abs(ratio.mean().item() - kl_standard_normal(mu, logvar).item()) < 4.5 * error
        assert error < 0.02  # else the line above would accept anything

    def test_is_zero_only_at_the_prior(self):
        assert torch.equal(kl_standard_normal(torch.zeros(4, 7), torch.zeros(4, 7)), torch.zeros(4))
        assert kl_standard_normal(torch.full((1, 1), 1e-2), torch.zeros(1, 1)).item() == pytest.approx(5e-5, rel=1e-4)

    def test_keeps_its_digits_next_to_the_prior(self):
        logvar = torch.tensor([[1e-4]])  # KL = logvar**2 / 4 + ..., lost entirely if exp(logvar) - 1 is rounded first
        exact = 0.5 * (math.expm1(1e-4) - 1e-4)
        assert kl_standard_normal(torch.zeros(1, 1), logvar).item() == pytest.approx(exact, rel=1e-2)

    def test_gradient(self, posterior):
        mu, logvar = (t.double().requires_grad_() for t in posterior)
        assert torch.autograd.gradcheck(kl_standard_normal, (mu, logvar))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_16_bits_are_summed_in_32(self, posterior, dtype):
        mu, logvar = (t.to(dtype) for t in posterior)
        kl = kl_standard_normal(mu, logvar)
        assert kl.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(kl.double(), kl_standard_normal(mu.double(), logvar.double()), rtol=1e-5, atol=1e-5)


class TestReparameterize:
    def test_has_the_mean_and_variance_asked_for(self, posterior):
        mu, logvar = posterior
        n = 40_000
        z = reparameterize(mu.repeat(n, 1, 1), logvar.repeat(n, 1, 1), generator())
        error = logvar.mul(0.5).exp() / math.sqrt(n)
        assert ((z.mean(0) - mu).abs() < 4.5 * error).all()
        assert ((z.var(0) / logvar.exp() - 1).abs() < 4.5 * math.sqrt(2 / n)).all()

    def test_every_element_has_its_own_noise(self):
        z = reparameterize(torch.zeros(64, 3), torch.zeros(64, 3), generator())
        assert z.unique().numel() == z.numel()

    def test_gradients_are_those_of_mu_plus_std_times_eps(self, posterior):
        mu, logvar = (t.clone().requires_grad_() for t in posterior)
        z = reparameterize(mu, logvar, generator(5))
        eps = (z - mu).detach() / (0.5 * logvar.detach()).exp()
        d_mu, d_logvar = torch.autograd.grad(z.square().sum() / 2, (mu, logvar))  # dL/dz = z
        torch.testing.assert_close(d_mu, z.detach())
        torch.testing.assert_close(d_logvar, z.detach() * eps * (0.5 * logvar.detach()).exp() / 2)

    def test_the_generator_decides_and_the_global_one_is_left_alone(self, posterior):
        before = torch.get_rng_state()
        first, second = reparameterize(*posterior, generator(3)), reparameterize(*posterior, generator(3))
        assert torch.equal(first, second)
        assert not torch.equal(first, reparameterize(*posterior, generator(4)))
        assert torch.equal(before, torch.get_rng_state())

    def test_without_one_the_global_generator_decides(self, posterior):
        torch.manual_seed(8)
        first = reparameterize(*posterior)
        torch.manual_seed(8)
        assert torch.equal(first, reparameterize(*posterior))
        assert not torch.equal(first, reparameterize(*posterior))

    @pytest.mark.parametrize("shape", [(4, 1), (3,), (1, 3)])
    def test_shapes_that_would_share_the_noise_are_refused(self, shape):
        with pytest.raises(ValueError, match=r"mu has shape \(4, 3\) and logvar \(.*\): give both as \(B, D\)"):
            reparameterize(torch.zeros(4, 3), torch.zeros(shape))

    def test_double_precision_stays(self, posterior):
        assert reparameterize(*(t.double() for t in posterior)).dtype == torch.float64


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


def posteriors(n, d):
    g = torch.Generator().manual_seed(n)
    return torch.randn(n, d, generator=g), 2 * torch.randn(n, d, generator=g) - 2


@pytest.mark.parametrize(("n", "d", "q"), [(7, 3, 5), (1, 2, 4), (40, 16, 6)])
def test_density_is_that_of_a_mixture(n, d, q):
    mu, logvar = posteriors(n, d)
    z = 2 * torch.randn(q, d, generator=torch.Generator().manual_seed(9))
    parts = Independent(Normal(mu.double(), torch.exp(0.5 * logvar.double())), 1)
    mixture = MixtureSameFamily(Categorical(logits=torch.zeros(n)), parts)
    expected = mixture.log_prob(z.double())
    torch.testing.assert_close(log_prob_aggregate(z, mu, logvar), expected, rtol=1e-9, atol=1e-7)
    torch.testing.assert_close(log_prob_aggregate(z, mu, logvar, batch_size=2), expected, rtol=1e-9, atol=1e-7)


def test_density_integrates_to_one():
    mu, logvar = posteriors(6, 2)
    u = torch.linspace(-9, 9, 901, dtype=torch.float64)
    grid = torch.cartesian_prod(u, u)
    mass = log_prob_aggregate(grid, mu, logvar.clamp(min=-3), batch_size=10_000).exp().sum() * (u[1] - u[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_points_far_away_have_a_finite_density():
    mu, logvar = posteriors(6, 2)
    assert log_prob_aggregate(torch.full((1, 2), 1e4), mu, logvar).isfinite().all()


def test_no_points_give_no_densities():
    assert log_prob_aggregate(torch.zeros(0, 3), *posteriors(4, 3)).shape == (0,)


@pytest.mark.parametrize("shapes", [((5, 2), (4, 3), (4, 3)), ((5, 3), (4, 3), (4, 2)), ((3,), (4, 3), (4, 3))])
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(ValueError, match="give points"):
        log_prob_aggregate(*(torch.zeros(shape) for shape in shapes))


def test_the_aggregate_far_from_zero():
    z, mu = torch.randn(3, 2, generator=generator(), dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
    logvar = torch.full_like(mu, -4.0)
    near, far = (log_prob_aggregate(z + shift, mu + shift, logvar) for shift in (0, 2.0**24))
    torch.testing.assert_close(far, near, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kl", [kl_standard_normal, kl_per_dimension])
def test_shapes_that_would_share_a_variance_are_refused(kl):
    for shape in ((4, 1), (1, 3), (3,)):
        with pytest.raises(ValueError, match=r"mu has shape \(4, 3\) and logvar .*: give both as \(B, D\)"):
            kl(torch.zeros(4, 3), torch.zeros(shape))
