"""What lesson 04 defines inline is what the package has."""

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_namespace
from torch import nn

from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.losses import bernoulli_nll
from course_utils.models.vae import VAE


@pytest.fixture(scope="module")
def lesson():
    cells = ("heads-exercise", "loss-exercise", "vae-class", "step-exercise")
    return lesson_namespace("04", *cells, torch=torch, nn=nn, F=F)


@pytest.fixture
def models(lesson):
    """The lesson's VAE and the package's with the same weights: the two heads are the package's last layer, split."""
    torch.manual_seed(0)
    inline, package = lesson["SmallVAE"](3, hidden=31), VAE(3, hidden=31)
    with torch.no_grad():
        for kind in ("weight", "bias"):
            heads = torch.cat([getattr(inline.head_mu, kind), getattr(inline.head_logvar, kind)])
            getattr(package.encoder[3], kind).copy_(heads)
            getattr(package.encoder[1], kind).copy_(getattr(inline.features[1], kind))
    package.decoder.load_state_dict(inline.decoder.state_dict())
    return inline, package


def images(seed):
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def test_posterior_and_decoder(models):
    inline, package = models
    x = images(1)
    mu, logvar = inline.posterior(x)
    package_mu, package_logvar = package.posterior(x)
    torch.testing.assert_close(mu, package_mu)
    torch.testing.assert_close(logvar, package_logvar)
    torch.testing.assert_close(inline.decode(mu), package.decode(package_mu))


def test_the_two_terms_of_the_loss(lesson, models):
    inline, _ = models
    x = images(2)
    mu, logvar = inline.posterior(x)
    x_logits = inline.decoder(mu)
    recon, kl = lesson["vae_loss"](x_logits, x, mu, logvar)
    torch.testing.assert_close(recon, bernoulli_nll(x_logits, x))
    torch.testing.assert_close(kl, kl_standard_normal(mu, logvar))


def test_a_draw_from_the_cloud(lesson, models):
    inline, _ = models
    x = images(4)
    torch.manual_seed(5)
    eps = torch.randn(5, 3)
    mu, logvar, z = lesson["encode_and_sample"](inline.features(x), inline.head_mu, inline.head_logvar, eps)
    torch.manual_seed(5)
    torch.testing.assert_close(z, reparameterize(mu, logvar))


def test_a_training_step(lesson, models):
    """The package's loss terms and its gradients, from the same noise."""
    inline, package = models
    x = images(6)
    torch.manual_seed(7)
    recon, kl = lesson["vae_step"](inline, torch.optim.SGD(inline.parameters(), lr=0.01), x)
    torch.manual_seed(7)
    terms = package.loss_terms(x)
    optimizer = torch.optim.SGD(package.parameters(), lr=0.01)
    terms["loss"].backward()
    optimizer.step()
    assert (recon, kl) == pytest.approx((terms["recon"].item(), terms["kl"].item()), rel=1e-5)
    torch.testing.assert_close(inline.decode(torch.ones(2, 3)), package.decode(torch.ones(2, 3)))
    torch.testing.assert_close(inline.posterior(x)[0], package.encode(x))


def test_prices_in_the_text(lesson):
    """The numbers that the section on the price names."""
    for mu, sigma, nats in ((4, 1, 8.0), (0, 0.1, 1.81), (0, 1, 0.0)):
        logvar = 2 * torch.tensor([[float(sigma)]]).log()
        kl = kl_standard_normal(torch.tensor([[float(mu)]]), logvar)
        assert kl.item() == pytest.approx(nats, abs=5e-3)
