"""The exactly solvable model against torch.distributions, quadrature and Monte Carlo."""

import math

import pytest
import torch
from helpers import generator
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from course_utils.latents import LatentModel
from course_utils.losses import elbo
from course_utils.models.linear_gaussian import LinearGaussian

CASES = [(5, 2), (1, 1), (3, 4), (40, 3)]  # P, D; also more latent than observed numbers


def model_of(p, d, std=0.6, **q):
    weight = torch.randn(p, d, generator=generator(1), dtype=torch.float64)
    return LinearGaussian(weight, torch.randn(p, generator=generator(2), dtype=torch.float64), std, **q)


def evidence(model):
    covariance = model.weight @ model.weight.T + model.std**2 * torch.eye(len(model.bias)).double()
    return MultivariateNormal(model.bias, covariance)


def joint_posterior(model, x):
    """By conditioning the joint Gaussian of (z, x): another route than the model's precision matrix."""
    covariance = evidence(model).covariance_matrix
    gain = model.weight.T @ torch.linalg.inv(covariance)
    return (x - model.bias) @ gain.T, torch.eye(model.weight.shape[1]).double() - gain @ model.weight


def q_of(model, x):
    mu, logvar = model.posterior(x)
    return Independent(Normal(mu, (0.5 * logvar).exp()), 1)


@pytest.mark.parametrize(("p", "d"), CASES)
@pytest.mark.parametrize("std", [0.05, 0.6, 4.0])
def test_evidence(p, d, std):
    model = model_of(p, d, std)
    x = 2 * torch.randn(6, p, generator=generator(3), dtype=torch.float64)
    result = model.log_evidence(x)
    assert result.shape == (6,)
    torch.testing.assert_close(result, evidence(model).log_prob(x), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("p", "d"), CASES)
def test_true_posterior(p, d):
    model = model_of(p, d)
    x = 2 * torch.randn(6, p, generator=generator(3), dtype=torch.float64)
    mean, covariance = model.true_posterior(x)
    expected_mean, expected_covariance = joint_posterior(model, x)
    assert mean.shape == (6, d)
    torch.testing.assert_close(mean, expected_mean, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(covariance, expected_covariance, rtol=1e-8, atol=1e-10)


def test_bayes_rule_at_any_code():
    model = model_of(5, 2)
    x = model.sample(3, generator())
    z = torch.randn(3, 2, generator=generator(4), dtype=torch.float64)
    mean, covariance = model.true_posterior(x)
    posterior = MultivariateNormal(mean, covariance).log_prob(z)
    prior = Independent(Normal(torch.zeros_like(z), 1.0), 1).log_prob(z)
    by_bayes = prior - model.negative_log_likelihood(x, z) - posterior
    torch.testing.assert_close(by_bayes, model.log_evidence(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("p", "d"), CASES)
def test_likelihood(p, d):
    model = model_of(p, d)
    x, z = model.sample(6, generator()), model.sample_latent(6, generator(1))
    expected = Independent(Normal(model.decode(z), model.std), 1).log_prob(x)
    torch.testing.assert_close(-model.negative_log_likelihood(x, z), expected, rtol=1e-10, atol=0)


Q = [{}, {"scale": 1.7}, {"offset": -0.4}, {"scale": torch.tensor([0.5, 2.0]), "offset": torch.tensor([0.3, 0.0])}]


@pytest.mark.parametrize("q", Q)
def test_evidence_is_elbo_plus_gap_and_the_gap_is_the_kl(q):
    model = model_of(5, 2, **q)
    x = model.sample(6, generator())
    torch.testing.assert_close(model.elbo(x) + model.gap(x), model.log_evidence(x), rtol=1e-10, atol=1e-10)
    mean, covariance = model.true_posterior(x)
    mu, logvar = model.posterior(x)
    full_q = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    expected = kl_divergence(full_q, MultivariateNormal(mean, covariance.expand(6, 2, 2)))
    torch.testing.assert_close(model.gap(x), expected, rtol=1e-8, atol=1e-10)
    assert (model.gap(x) > 1e-3).all()


@pytest.mark.parametrize("q", Q)
def test_exact_elbo_is_the_mean_of_its_estimates(q):
    model = model_of(5, 2, **q)
    x = model.sample(4, generator())
    estimates = elbo(model, x.repeat(3000, 1), 1, generator(0)).reshape(3000, 4)
    error = estimates.std(0) / math.sqrt(len(estimates))
    assert ((estimates.mean(0) - model.elbo(x)).abs() < 4.5 * error).all()


def test_the_default_q_is_the_best_diagonal_one():
    model = model_of(5, 3)
    x = model.sample(4, generator())
    best = model.gap(x)
    for d in range(3):
        for change in (-0.05, 0.05):
            for name, neutral in (("scale", torch.ones(3)), ("offset", torch.zeros(3))):
                setattr(model, name, neutral + change * torch.eye(3)[d])
                assert (model.gap(x) > best + 1e-5).all()
                setattr(model, name, neutral)


def test_there_is_no_gap_where_the_columns_are_orthogonal():
    weight = torch.tensor([[2.0, 0.0], [0.0, 0.5], [0.0, 0.0]]).double()
    model = LinearGaussian(weight, torch.zeros(3).double(), 0.3)
    x = model.sample(5, generator())
    assert model.gap(x).abs().max() < 1e-12
    model.scale = 1.1
    # tr and log det of a scaled covariance: D * (1.1**2 - 1 - log 1.1**2) / 2
    torch.testing.assert_close(model.gap(x), torch.full((5,), 1.21 - 1 - math.log(1.21)).double())


def test_samples_have_the_models_mean_and_covariance():
    model = model_of(4, 2)
    x = model.sample(100_000, generator())
    assert (x.mean(0) - model.bias).abs().max() < 0.03
    assert (x.T.cov() - evidence(model).covariance_matrix).abs().max() < 0.1


def test_it_is_a_latent_model_and_takes_images():
    model = model_of(6, 2)
    assert isinstance(model, LatentModel)
    assert model.latent_shape == (2,)
    x = model.sample(3, generator())
    assert torch.equal(model.log_evidence(x.reshape(3, 1, 2, 3)), model.log_evidence(x))
    assert torch.equal(model.encode(x), model.posterior(x)[0])
    assert model.decode(model.sample_latent(5)).shape == (5, 6)
    assert torch.equal(model.sample(2, generator(7)), model.sample(2, generator(7)))


def test_single_precision_is_close():
    model = model_of(40, 3, std=0.1)
    x = model.sample(6, generator())
    exact = model.log_evidence(x), model.elbo(x)
    model = model.float()
    assert model.log_evidence(x.float()).dtype == torch.float32
    torch.testing.assert_close(model.log_evidence(x.float()).double(), exact[0], rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(model.elbo(x.float()).double(), exact[1], rtol=1e-4, atol=1e-2)


def test_wrong_arguments_are_named():
    weight = torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"\(3, 2\) and bias \(2,\)"):
        LinearGaussian(weight, torch.zeros(2), 1.0)
    with pytest.raises(ValueError, match="std is 0.0"):
        LinearGaussian(weight, torch.zeros(3), 0.0)
    with pytest.raises(ValueError, match="scale is -1.0"):
        LinearGaussian(weight, torch.zeros(3), 1.0, scale=-1.0)
    with pytest.raises(ValueError, match="x has 4 numbers an example, but this model has 3"):
        LinearGaussian(weight, torch.zeros(3), 1.0).log_evidence(torch.zeros(1, 4))
