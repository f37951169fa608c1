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
        "kl-exercise", "elbo-exercise", "exact-answers", "iwae-exercise", "gap-functions", "gaussian-nll-function",
        "beta-exercise",
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
    inline = lesson["iwae"](*lesson["log_densities"](model, x, 4000, torch.Generator().manual_seed(5)))
    package = losses.iwae_bound(model, x, 4000, chunk=500, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(inline, package, rtol=0, atol=0.15)  # other noise, the same bound


def test_the_densities_that_iwae_is_made_of(lesson, linear):
    model, x = linear
    log_joint, log_q = lesson["log_densities"](model, x, 1, torch.Generator().manual_seed(7))
    package = losses.iwae_bound(model, x, 1, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(lesson["iwae"](log_joint, log_q), package)


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
