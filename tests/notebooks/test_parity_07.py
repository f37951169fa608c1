"""What lesson 07 defines inline is what the package has."""

import itertools
from functools import partial

import pytest
import torch
from lesson_cells import lesson_definitions, lesson_namespace
from torch import nn

from course_utils import gaussian, metrics
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.recipes import sick_runs


@pytest.fixture(scope="module")
def clouds():
    g = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(40, 5, generator=g), torch.randn(40, 5, generator=g) - 1


functions = partial(lesson_definitions, "07")


def test_four_numbers(clouds):
    mu, logvar = clouds
    mu = mu * torch.tensor([1.0, 0.5, 0.3, 0.2, 0.0])
    recon = torch.arange(40.0) + 200
    one = lesson_namespace("07", "read-exercise")["read_run"](recon, mu, logvar)
    torch.testing.assert_close(one["kl_dims"], gaussian.kl_per_dimension(mu, logvar).mean(dim=0))
    torch.testing.assert_close(one["rate"], gaussian.kl_standard_normal(mu, logvar).mean())
    assert one["distortion"] == 219.5
    assert torch.equal(one["active"], metrics.active_units(mu))
    assert 0 < one["active"].sum() < 5


def test_the_cured_loss_is_that_of_the_package():
    """Both losses from the same weights and the same noise: with the lesson's free bits, and halfway up a ramp."""
    used = {"reparameterize": gaussian.reparameterize, "kl_per_dimension": gaussian.kl_per_dimension}
    cured = functions("own-run", torch=torch, itertools=itertools, **used)["cured"]
    free, x = lesson_namespace("07", "cure-exercise")["kl_cure"], torch.rand(7, 1, 28, 28)
    ramp = Annealing("linear", steps=400)
    for charge, options in (
        (free, {"free_bits": 0.5}),
        (lambda kl_dims, step: ramp(step + 150) * kl_dims.mean(dim=0).sum(), {"beta": ramp}),
    ):
        torch.manual_seed(0)
        model = VAE(6, hidden=20, **options)
        with torch.no_grad():
            for weights in model.encoder.parameters():
                weights.mul_(2.2)
            kl = gaussian.kl_per_dimension(*model.posterior(x)).mean(dim=0)
        assert kl.min() < 0.4 < 0.6 < kl.max()
        if "beta" in options:
            model.step.fill_(150)
        torch.manual_seed(1)
        package = model.loss_terms(x)
        torch.manual_seed(1)
        terms = cured(charge)(model, x)
        for term in ("loss", "recon", "kl"):
            torch.testing.assert_close(terms[term], package[term])


def test_the_cured_loss_counts_its_steps():
    used = {"reparameterize": gaussian.reparameterize, "kl_per_dimension": gaussian.kl_per_dimension}
    seen = []
    cured = functions("own-run", torch=torch, itertools=itertools, **used)["cured"]
    loss = cured(lambda kl_dims, step: seen.append(step) or kl_dims.sum())
    for _ in range(3):
        loss(VAE(2, hidden=5), torch.rand(2, 1, 28, 28))
    assert seen == [0, 1, 2]


def test_the_deep_decoder_has_as_many_layers_as_it_says():
    seeds = []
    used = {"nn": nn, "VAE": VAE, "itertools": itertools, "seed_everything": seeds.append, "device": "cpu", "fit": None}
    small_vae = functions("deep-decoder", **used)["small_vae"]
    for layers in (1, 5):
        decoder = small_vae(layers, seed=3).decoder
        assert sum(isinstance(part, nn.Tanh) for part in decoder) == layers
        assert decoder(torch.zeros(2, 16)).shape == (2, 1, 28, 28)
    assert seeds == [3, 3]


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
