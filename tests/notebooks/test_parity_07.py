"""What lesson 07 defines inline is what the package has."""

from functools import partial

import pytest
import torch
from lesson_cells import lesson_definitions, lesson_namespace

from course_utils import gaussian, metrics
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import linear
from course_utils.recipes import sick_runs


@pytest.fixture(scope="module")
def clouds():
    g = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(40, 5, generator=g), torch.randn(40, 5, generator=g) - 1


functions = partial(lesson_definitions, "07")


def test_kl_per_dimension_and_active_units(clouds):
    mu, logvar = clouds
    inline = functions("units-code", torch=torch, x_test=None)
    torch.testing.assert_close(
        inline["kl_per_dimension"](mu, logvar), gaussian.kl_per_dimension(mu, logvar).mean(dim=0)
    )
    mu = mu * torch.tensor([1.0, 0.5, 0.3, 0.2, 0.0])
    assert torch.equal(inline["active_units"](mu), metrics.active_units(mu))
    assert 0 < inline["active_units"](mu).sum() < 5


def test_annealing():
    kl_weight = lesson_namespace("07", "annealing-exercise")["kl_weight"]
    for step in range(0, 30, 3):
        assert kl_weight(step, 17, 2.5) == pytest.approx(linear(step, 17, end=2.5))


def test_free_bits_loss_is_that_of_the_package():
    """Both losses from the same weights and the same noise."""
    torch.manual_seed(0)
    model, x = VAE(6, hidden=20, free_bits=0.3), torch.rand(7, 1, 28, 28)
    with torch.no_grad():
        model.encoder[3].bias[:3] += 2.0  # three dimensions above the allowance, three about at it
    free = lesson_namespace("07", "free-bits-exercise")
    inline = functions("cures", torch=torch, reparameterize=gaussian.reparameterize, free_bits_kl=free["free_bits_kl"])
    torch.manual_seed(1)
    package = model.loss_terms(x)
    torch.manual_seed(1)
    ours = inline["free_bits_loss"](model, x, free_bits=0.3)
    for term in ("loss", "recon", "kl"):
        torch.testing.assert_close(ours[term], package[term])
    assert ours["loss"] > ours["recon"] + ours["kl"]


def test_aggregate_posterior(clouds):
    mu, logvar = clouds
    names = ("log_mean_exp", "log_prob_gaussian", "reparameterize")
    used = {name: getattr(gaussian, name) for name in names}
    inline = functions("density-code", torch=torch, g=torch.Generator().manual_seed(3), **used)
    z = torch.randn(9, 5, generator=torch.Generator().manual_seed(4))
    ours, package = inline["log_aggregate"](z, mu, logvar), gaussian.log_prob_aggregate(z, mu, logvar)
    torch.testing.assert_close(ours.double(), package, rtol=1e-4, atol=1e-4)
    drawn = inline["draw_aggregate"](mu, logvar, 20_000)
    variance = logvar.exp().mean(dim=0) + mu.var(dim=0, unbiased=False)
    torch.testing.assert_close(drawn.mean(dim=0), mu.mean(dim=0), rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.var(dim=0), variance, rtol=0.06, atol=0)


def test_the_loss_of_sick_run_b_has_the_beta_the_lesson_says():
    """Its gradient points where that of recon + 784 kl does."""
    torch.manual_seed(0)
    terms = sick_runs.loss_of_b(VAE(3, hidden=10), torch.rand(4, 1, 28, 28))
    torch.testing.assert_close(784 * terms["loss"], terms["recon"] + 784 * terms["kl"])
