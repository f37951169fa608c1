"""What lesson 05 writes inline agrees with the package, and with closed forms."""

import math

import pytest
import torch
from lesson_cells import lesson_definitions, lesson_namespace
from torch.distributions import Normal

from course_utils import gaussian, plots
from course_utils.models.vae import VAE


@pytest.fixture(scope="module")
def lesson():
    exercises = ("reparameterize", "hand", "score", "ratio", "mend", "difference")
    names = lesson_namespace("05", "imports", "log-q", *(f"{name}-exercise" for name in exercises))
    return lesson_definitions("05", "autograd", "script", "control-twin", "real-ratio", **names)


def parameters(seed=0, shape=(5, 3), dtype=torch.float32):
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_reparameterize_draws_the_same_sample_with_the_same_gradients(lesson):
    results = []
    for function in (lesson["reparameterize"], gaussian.reparameterize):
        mu, logvar = (p.clone().requires_grad_() for p in parameters())
        torch.manual_seed(3)
        z = function(mu, logvar)
        z.pow(3).sum().backward()
        results.append((z.detach(), mu.grad, logvar.grad))
    for ours, packages in zip(*results, strict=True):
        torch.testing.assert_close(ours, packages)


def test_log_q_is_the_density_of_the_package_and_of_torch(lesson):
    mu, logvar = parameters(dtype=torch.float64)
    z = mu + 0.7
    ours = lesson["log_q"](z, mu, logvar)
    torch.testing.assert_close(ours, gaussian.log_prob_gaussian(z, mu, logvar))
    torch.testing.assert_close(ours, Normal(mu, torch.exp(0.5 * logvar)).log_prob(z).sum(1))


def test_the_points_on_the_line_are_the_codes_whose_images_are_shown(lesson):
    """The explorer's `move` and the control's `decoded` are two views of one thing, since the lesson ties them."""

    class Decoder:
        def decode(self, z):
            self.z = z
            return torch.zeros(len(z), 1, 2, 3)

    fixed, decoder = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), Decoder()
    lesson["decoded"](decoder, fixed, 0.7, -1.2)
    torch.testing.assert_close(decoder.z, torch.tensor([0.7, 0, 0]) + math.exp(-0.6) * fixed)
    names = {"math": math, "plots": plots, "fixed": fixed}
    line, codes = lesson_namespace("05", "fixed-eps", **names)["move"](0.7, -1.2)["z against eps"].series
    torch.testing.assert_close(torch.as_tensor(codes.y).float(), decoder.z[:, 0])
    assert (line.y[0] + line.y[1]) / 2 == pytest.approx(0.7)
    assert (line.y[1] - line.y[0]) / 6 == pytest.approx(math.exp(-0.6))


def test_a_library_draw_moves_with_its_mean_though_autograd_is_not_told():
    """What the lesson says: one records nothing and the other the slope 0. For a kept seed the draw does move."""
    parameter = torch.ones((), requires_grad=True)
    assert not Normal(parameter, 1.0).sample().requires_grad
    assert torch.autograd.grad(torch.normal(parameter, 1.0), parameter)[0] == 0
    assert torch.autograd.grad(Normal(parameter, 1.0).rsample(), parameter)[0] == 1
    for draw in (lambda mu: torch.normal(mu, 1.0), lambda mu: Normal(mu, 1.0).sample()):
        z = []
        for mu in (1.0, 1.01):
            torch.manual_seed(3)
            z.append(draw(torch.tensor(mu, dtype=torch.float64)))
        assert (z[1] - z[0]).item() == pytest.approx(0.01)


def test_with_a_graph_on_z_the_gradient_for_mu_is_zero_and_that_for_logvar_wrong(lesson):
    """log q of z = mu + std * eps does not depend on mu, and on logvar only through -logvar / 2."""
    mu, logvar = (p.requires_grad_() for p in parameters(dtype=torch.float64))
    eps = parameters(seed=1, dtype=torch.float64)[0]
    z = mu + torch.exp(0.5 * logvar) * eps
    f = lesson["square"](z).detach()
    slope, of_logvar = torch.autograd.grad((f * lesson["log_q"](z, mu, logvar)).sum(), (mu, logvar))
    assert slope.abs().max() < 1e-12
    torch.testing.assert_close(of_logvar, (-f / 2)[:, None].expand_as(of_logvar))
    loss = lesson["score_function_loss"](lesson["square"], mu, logvar, z)
    assert torch.autograd.grad(loss, mu)[0].abs().max() > 0.01


@pytest.mark.parametrize("batch", [2, 3, 5])
def test_the_mean_of_the_batch_leaves_a_share_of_the_slope_and_that_of_the_others_all_of_it(lesson, batch):
    """1 - 1/N, by quadrature, through the lesson's own surrogate loss."""
    nodes, weights = (torch.tensor(column) for column in _hermite(4).T)
    eps = torch.cartesian_prod(*[nodes] * batch).reshape(-1, batch)
    weight = torch.cartesian_prod(*[weights] * batch).reshape(-1, batch).prod(1)
    f = (1 + eps) ** 2
    others = (f.sum(1, keepdim=True) - f) / (batch - 1)
    for baseline, share in ((f.mean(1, keepdim=True).expand_as(f), 1 - 1 / batch), (others, 1), (f * 0 + 7, 1)):
        mu = torch.ones(f.numel(), 1, dtype=torch.float64, requires_grad=True)
        z = (1 + eps).reshape(-1, 1)
        loss = lesson["score_function_loss"](lesson["square"], mu, torch.zeros_like(mu), z, baseline.reshape(-1))
        slopes = torch.autograd.grad(loss * f.numel(), mu)[0].reshape(f.shape).mean(1)
        assert (weight * slopes).sum().item() == pytest.approx(2 * share)


@pytest.mark.parametrize("way", ["pathwise", "score function"])
@pytest.mark.parametrize("baseline", [0.0, 3.0])
def test_the_gradients_by_draw_have_the_exact_mean(lesson, way, baseline):
    """E[|z|^2] = sum(mu^2 + sigma^2), whatever the baseline."""
    torch.manual_seed(0)
    mu, logvar = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.0, -1.0, 0.5])
    found = lesson["gradients_by_draw"](lesson["square"], mu, logvar, torch.randn(40_000, 3), way, baseline)
    for samples, exact in zip(found, (2 * mu, logvar.exp()), strict=True):
        error = samples.std(0) / math.sqrt(len(samples))
        assert ((samples.mean(0) - exact).abs() < 5 * error).all()


@pytest.mark.parametrize("d", [1, 3])
def test_the_formulas_for_the_variance(lesson, d):
    """4d, 4d^3 + 14d^2 + 12d, 6d^2 + 12d; the best constant takes away 4d: by quadrature, not by moments or draws."""
    nodes, weights = torch.tensor(_hermite(8)).T
    grid = torch.cartesian_prod(*[nodes] * d).reshape(-1, d)  # eps
    weight = torch.cartesian_prod(*[weights] * d).reshape(-1, d).prod(1)
    z = 1 + grid
    f = lesson["square"](z)

    def total_variance(samples):
        mean = (weight[:, None] * samples).sum(0)
        return (weight[:, None] * (samples - mean) ** 2).sum().item()

    assert total_variance(2 * z) == pytest.approx(4 * d)
    assert total_variance(f[:, None] * grid) == pytest.approx(4 * d**3 + 14 * d**2 + 12 * d)
    assert total_variance((f - 2 * d)[:, None] * grid) == pytest.approx(6 * d**2 + 12 * d)
    with_best = total_variance((f - 2 * d - 2)[:, None] * grid)
    assert with_best == pytest.approx(6 * d**2 + 8 * d)
    assert with_best < min(total_variance((f - 2 * d - b)[:, None] * grid) for b in (1.5, 2.5))
    measured = lesson["noise_ratio"](torch.randn(200_000, d, generator=torch.Generator().manual_seed(0)), 2 * d + 2)
    assert measured == pytest.approx(1.5 * d + 2, rel=0.05)


def _hermite(n):
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return np.stack([nodes, weights / weights.sum()], axis=1)


@pytest.mark.parametrize("which", [0, 1])
def test_the_slopes_by_hand_are_those_of_autograd_and_have_the_exact_mean(lesson, which):
    mu, logvar, eps = torch.tensor(-0.7), torch.tensor(0.4), torch.randn(50, generator=torch.Generator().manual_seed(2))
    hand = lesson["slopes_by_hand"](mu, logvar, eps)[which]
    way = ("pathwise", "score function")[which]
    found = lesson["gradients_by_draw"](lesson["square"], mu[None], logvar[None], eps[:, None], way)[0]
    torch.testing.assert_close(hand, found[:, 0])
    nodes, weights = (torch.tensor(column) for column in _hermite(8).T)
    mean = (weights * lesson["slopes_by_hand"](mu.double(), logvar.double(), nodes)[which]).sum()
    assert mean.item() == pytest.approx(2 * mu.item())


def test_the_mended_loss_is_that_of_the_package_and_the_one_that_was_found_has_its_value_alone(lesson):
    torch.manual_seed(0)
    vae, x, eps = VAE(3, hidden=7), torch.rand(5, 1, 28, 28), torch.randn(5, 3)
    mu, logvar = vae.posterior(x)
    recon = vae.negative_log_likelihood(x, mu + torch.exp(0.5 * logvar) * eps)
    expected = (recon + gaussian.kl_standard_normal(mu, logvar)).mean()
    losses = [lesson[name](vae, x, eps) for name in ("mended_loss", "loss_as_found")]
    for loss in losses:
        torch.testing.assert_close(loss, expected)
    head = vae.encoder[-1].bias  # of mu, then of logvar
    right, mended, found = (torch.autograd.grad(loss, head)[0] for loss in (expected, *losses))
    torch.testing.assert_close(mended, right)
    torch.testing.assert_close(found[:3], right[:3])
    of_kl = torch.autograd.grad(gaussian.kl_standard_normal(*vae.posterior(x)).mean(), head)[0]
    torch.testing.assert_close(found[3:], of_kl[3:])
    assert (found[3:] - right[3:]).abs().max() > 1e-3


def test_the_noise_of_a_wave_by_the_closed_form():
    """Var[k cos kz] = k^2 (1 + exp(-2 k^2)) / 2 - k^2 exp(-k^2): what is stored of the claim lies near it."""
    from course_utils.claims import evidence

    for run in evidence("05", "rough-cost"):
        k = run["k"]
        exact = k**2 * ((1 + math.exp(-2 * k**2)) / 2 - math.exp(-(k**2)))
        assert run["path"] == pytest.approx(exact, rel=0.05)


def test_a_path_misses_a_step():
    """What the lesson says of costs with steps: autograd sees slope 0, and the mean's slope is the density there."""
    z = (0.5 + torch.randn(1000, generator=torch.Generator().manual_seed(0))).requires_grad_()
    (slope,) = torch.autograd.grad(((z > 0) + 0 * z).sum(), z)
    assert not slope.any()
    score = ((z > 0) * (z - 0.5)).detach()
    exact = Normal(0.5, 1.0).log_prob(torch.tensor(0.0)).exp()
    assert (score.mean() - exact).abs() < 5 * score.std() / 1000**0.5


def test_finite_differences_agree_with_autograd(lesson):
    mu, logvar = parameters(shape=(3,), dtype=torch.float64)
    eps = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start = mu.clone().requires_grad_()
    (start + torch.exp(0.5 * logvar) * eps).cos().sum(1).mean().backward()
    found = lesson["finite_difference"](lambda z: z.cos().sum(1), mu, logvar, eps, 1e-4)
    torch.testing.assert_close(found, start.grad, rtol=1e-6, atol=1e-9)


def test_without_parameters_after_the_draw_only_sample_leaves_no_graph():
    """What the lesson says of answer (d)."""
    mu = torch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        Normal(mu, torch.ones(3)).sample().square().sum().backward()
    torch.normal(mu, torch.ones(3)).square().sum().backward()
    assert mu.grad.tolist() == [0, 0, 0]
