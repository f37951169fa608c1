"""What lesson 06 defines inline is what the package has."""

import math

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_namespace
from torch.distributions import MultivariateNormal, Normal

from course_utils import gaussian, losses
from course_utils.models.linear_gaussian import LinearGaussian
from course_utils.models.vae import VAE

GIVEN = {
    "torch": torch,
    "math": math,
    "F": F,
    "Normal": Normal,
    "MultivariateNormal": MultivariateNormal,
    "reparameterize": gaussian.reparameterize,
}


@pytest.fixture(scope="module")
def lesson():
    cells = (
        "kl", "model", "elbo-exercise", "exact-answers", "iwae-exercise", "gaussian-nll-function", "beta-exercise",
        "importance-exercise", "grid-exercise", "bound-exercise",
    )  # fmt: skip
    return lesson_namespace("06", *cells, **GIVEN)


@pytest.fixture
def linear():
    g = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(5, 3, generator=g), torch.randn(5, generator=g)
    model = LinearGaussian(weight, bias, 0.6, offset=0.3, scale=1.4)
    return model, model.sample(7, g)


def test_kl(lesson):
    mu, logvar = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lesson["kl_standard_normal"](mu, logvar), gaussian.kl_standard_normal(mu, logvar))


def test_elbo_of_the_linear_model(lesson, linear):
    model, x = linear
    mu, logvar = model.posterior(x)
    eps = torch.empty_like(mu).normal_(generator=torch.Generator().manual_seed(2))
    inline = lesson["one_sample_elbo"](model.negative_log_likelihood, x, mu, logvar, eps)
    torch.testing.assert_close(inline, losses.elbo(model, x, 1, torch.Generator().manual_seed(2)))


def test_elbo_of_a_vae(lesson):
    torch.manual_seed(0)
    vae, x = VAE(3, hidden=16), torch.rand(4, 1, 28, 28)
    mu, logvar = vae.posterior(x)
    eps = torch.empty_like(mu).normal_(generator=torch.Generator().manual_seed(3))
    inline = lesson["one_sample_elbo"](vae.negative_log_likelihood, x, mu, logvar, eps)
    torch.testing.assert_close(inline, losses.elbo(vae, x, 1, torch.Generator().manual_seed(3)))
    torch.testing.assert_close(-inline.mean(), vae.loss_terms(x, torch.Generator().manual_seed(3))["loss"])


def test_evidence_and_posterior(lesson, linear):
    model, x = linear
    log_evidence, mean, covariance = lesson["exact_answers"](model.weight, model.bias, model.std, x)
    torch.testing.assert_close(log_evidence, model.log_evidence(x), rtol=1e-4, atol=1e-4)
    for inline, package in zip((mean, covariance), model.true_posterior(x), strict=True):
        torch.testing.assert_close(inline, package, rtol=1e-4, atol=1e-5)


def test_log_mean_exp_and_the_iwae_bound(lesson, linear):
    log_joint, log_q = 300 * torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(lesson["iwae"](log_joint, log_q), gaussian.log_mean_exp(log_joint - log_q, dim=0))
    model, x = linear
    inline = lesson["iwae"](*log_densities(model, x, 4000, torch.Generator().manual_seed(5)))
    package = losses.iwae_bound(model, x, 4000, chunk=500, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(inline, package, rtol=0, atol=0.15)  # other noise, the same bound
    inline = lesson["iwae"](*log_densities(model, x, 1, torch.Generator().manual_seed(7)))
    torch.testing.assert_close(inline, losses.iwae_bound(model, x, 1, generator=torch.Generator().manual_seed(7)))


def log_densities(model, x, num_samples, generator):
    """log p(x, z_k) and log q(z_k|x) for K samples of z from q, both (K, B)."""
    mu, logvar = (t.expand(num_samples, *t.shape) for t in model.posterior(x))  # (K, B, D)
    z = mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator)
    every_x = x.expand(num_samples, *x.shape).flatten(0, 1)
    log_likelihood = -model.negative_log_likelihood(every_x, z.flatten(0, 1)).reshape(mu.shape[:2])
    log_prior = Normal(0.0, 1.0).log_prob(z).sum(dim=2)
    return log_likelihood + log_prior, Normal(mu, torch.exp(0.5 * logvar)).log_prob(z).sum(dim=2)


def test_grid_and_importance_sampling_give_the_evidence_of_a_linear_model(lesson):
    """One latent number, two of x: the model whose answers are known in closed form."""
    weight, bias, std = torch.tensor([[1.2], [-0.5]]), torch.tensor([0.3, -0.1]), 0.8
    model = LinearGaussian(weight, bias, std, offset=0.4, scale=1.3)
    x = model.sample(4, torch.Generator().manual_seed(9))
    z, step = torch.linspace(-8, 8, 801, dtype=torch.float64), 0.02

    def log_joint(x, z):
        mean = z[..., None] * weight[:, 0] + bias
        return Normal(0.0, 1.0).log_prob(z) + Normal(mean, std).log_prob(x).sum(dim=-1)

    joints = log_joint(x[:, None], z)
    log_evidence, posterior = lesson["posterior_on_grid"](joints, step)
    torch.testing.assert_close(log_evidence.float(), model.log_evidence(x))
    torch.testing.assert_close((posterior @ z * step).float(), model.true_posterior(x)[0][:, 0])
    mu, logvar = model.posterior(x)
    elbo, gap = lesson["bound_on_grid"](joints, Normal(mu, torch.exp(0.5 * logvar)).log_prob(z), step)
    torch.testing.assert_close(elbo.float(), model.elbo(x))
    torch.testing.assert_close(gap.float(), model.gap(x), rtol=1e-4, atol=1e-5)
    eps = torch.randn(40_000, generator=torch.Generator().manual_seed(10))
    estimate, error = lesson["importance_sampling"](log_joint, x[0], 0.1, 1.4, eps)
    assert abs(estimate - log_evidence[0].exp()) < 4 * error < 0.05 * estimate


def test_every_posterior_of_the_seen_model_is_a_density(lesson):
    x = torch.randn(5, 1, 2, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    _, posterior = lesson["posterior_on_grid"](lesson["log_joint"](x, lesson["z_grid"]), lesson["step"])
    torch.testing.assert_close(posterior.sum(dim=1) * lesson["step"], torch.ones(5, dtype=torch.float64))


def test_gaussian_likelihood(lesson):
    x_hat, x = torch.rand(2, 3, 1, 4, 5, generator=torch.Generator().manual_seed(8))
    torch.testing.assert_close(lesson["gaussian_nll"](x_hat, x, 0.3), losses.gaussian_nll(x_hat, x, 0.3))


def test_the_meter_agrees_with_the_formula_for_every_form_of_the_lesson(lesson):
    forms = lesson_namespace("06", "forms", **GIVEN)
    recon = torch.rand(forms["B"], forms["P"], requires_grad=True)
    kl = torch.rand(forms["B"], forms["D"], requires_grad=True)
    sizes = {"pixels": forms["P"], "latent_dim": forms["D"], "batch_size": forms["B"]}
    assert len(forms["forms"]) >= 5
    for loss, reductions in forms["forms"].values():
        measured = lesson["measure_beta"](loss, recon, kl)
        assert measured == pytest.approx(losses.effective_beta(**sizes, **reductions), rel=1e-4)
