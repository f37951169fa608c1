"""Sampling and the KL divergence, against torch.distributions and Monte Carlo with an error bar."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from course_utils.gaussian import kl_standard_normal, reparameterize


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
