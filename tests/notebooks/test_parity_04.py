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
    return lesson_namespace(
        "04", "heads-exercise", "vae-class", "ellipse-exercise", "sample-exercise", torch=torch, nn=nn
    )


@pytest.fixture(scope="module")
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


def test_posterior_and_decoder(models):
    inline, package = models
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    mu, logvar = inline.posterior(x)
    package_mu, package_logvar = package.posterior(x)
    torch.testing.assert_close(mu, package_mu)
    torch.testing.assert_close(logvar, package_logvar)
    torch.testing.assert_close(inline.decode(mu), package.decode(package_mu))
    torch.testing.assert_close(inline.encode(x), package.encode(x))


def test_the_loss_of_the_recipe(models):
    """The two lines of the recipe that compute recon and kl, as they stand there."""
    inline, _ = models
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    mu, logvar = inline.posterior(x)
    z = mu
    x_logits = inline.decoder(z)
    recipe = recipe_lines("recon = ", "kl = ")
    values = {"F": F, "torch": torch, "x": x, "x_logits": x_logits, "mu": mu, "logvar": logvar}
    exec(recipe, values)
    torch.testing.assert_close(values["recon"], bernoulli_nll(x_logits, x))
    torch.testing.assert_close(values["kl"], kl_standard_normal(mu, logvar))


def recipe_lines(*starts):
    """Lines of the cell `recipe` that start as given, without their indent and remarks."""
    from lesson_cells import lesson_cells

    lines = [line.strip() for line in lesson_cells("04")["recipe"].splitlines()]
    found = [line for start in starts for line in lines if line.startswith(start)]
    assert len(found) == len(starts)
    return "\n".join(found)


def test_the_cloud_has_the_width_that_the_package_samples_with(lesson, models):
    inline, _ = models
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(4))
    mu, logvar, std = lesson["cloud"](inline.features(x), inline.head_mu, inline.head_logvar)
    torch.manual_seed(5)
    z = reparameterize(mu, logvar)
    torch.manual_seed(5)
    torch.testing.assert_close(z, mu + std * torch.randn_like(std))


def test_sampling(lesson, models):
    inline, package = models
    eps = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    images = lesson["sample_images"](inline.decoder, eps, 0.7)
    torch.testing.assert_close(images, package.decode(0.7 * eps))
    assert inline.sample_latent(6).shape == package.sample_latent(6).shape


def test_the_ellipse_holds_its_share_of_the_density(lesson):
    """Integrate the density of N(0, diag(std**2)) inside the ellipse on a fine grid."""
    std, share = torch.tensor([[0.4, 1.7]], dtype=torch.float64), 0.63
    a, b = lesson["half_axes"](std, share)[0].tolist()
    u = torch.linspace(-12, 12, 2001, dtype=torch.float64)
    x, y = torch.meshgrid(u, u, indexing="ij")
    density = torch.distributions.Normal(0, std[0, 0]).log_prob(x) + torch.distributions.Normal(0, std[0, 1]).log_prob(
        y
    )
    inside = (x / a) ** 2 + (y / b) ** 2 < 1
    assert density.exp()[inside].sum() * (u[1] - u[0]) ** 2 == pytest.approx(share, abs=2e-3)
