"""What lesson 05 writes inline agrees with the package, and with closed forms."""

import math

import pytest
import torch
from lesson_cells import lesson_namespace
from torch.distributions import Normal

from course_utils import gaussian


@pytest.fixture(scope="module")
def lesson():
    cells = ("imports", "reparameterize-exercise", "log-q", "score-exercise", "gradient-samples", "difference-exercise")
    return lesson_namespace("05", *cells)


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


def test_the_bell_is_a_density(lesson):
    namespace = lesson_namespace("05", "imports", "bells")
    z = torch.linspace(-3, 3, 7)
    torch.testing.assert_close(namespace["bell"](z, 0.5, 0.8), Normal(0.5, 0.8).log_prob(z).exp())


@pytest.mark.parametrize("estimator", ["pathwise", "score function"])
@pytest.mark.parametrize("baseline", [0.0, 3.0])
def test_the_gradient_samples_have_the_exact_mean(lesson, estimator, baseline):
    """E[|z|^2] = sum(mu^2 + sigma^2), whatever the baseline."""
    torch.manual_seed(0)
    mu, logvar = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.0, -1.0, 0.5])
    found = lesson["one_draw_gradients"](lesson["square"], mu, logvar, 40_000, estimator, baseline)
    for samples, exact in zip(found, (2 * mu, logvar.exp()), strict=True):
        error = samples.std(0) / math.sqrt(len(samples))
        assert ((samples.mean(0) - exact).abs() < 5 * error).all()


@pytest.mark.parametrize("d", [1, 3])
def test_the_formulas_for_the_variance(lesson, d):
    """4d, 4d^3 + 14d^2 + 12d and 6d^2 + 12d, by Gauss-Hermite quadrature instead of by moments or draws."""
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


def _hermite(n):
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return np.stack([nodes, weights / weights.sum()], axis=1)


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


def test_sixteen_bits_overflow_where_the_lesson_says():
    for narrow, logvar in ((0.5, 22.0), (1.0, 11.0)):  # std, and the variance of the KL term
        below, above = (torch.tensor(logvar + shift, dtype=torch.float16) for shift in (-0.2, 0.4))
        assert torch.exp(narrow * below).isfinite()
        assert torch.exp(narrow * above).isinf()
        assert torch.exp(narrow * above.bfloat16()).isfinite()
        assert gaussian.kl_standard_normal(torch.zeros(1, 1).half(), above.reshape(1, 1)).isfinite().all()
        assert gaussian.reparameterize(torch.zeros(1, 1).half(), above.reshape(1, 1)).isfinite().all()


@pytest.mark.slow_because("four trainings of the lesson's length: what it says of the seed holds for these")
def test_the_price_of_the_plain_score_function_depends_on_the_seed():
    """Its KL term differs several times from seed to seed; with each it restores worse than with a baseline."""
    cells = ("imports", "reparameterize-exercise", "log-q", "score-exercise", "train-terms", "train")
    train, ways = lesson_namespace("05", *cells)["train"], ("score function", "score function with baseline")
    plain, centred = (torch.stack([train(way, seed)[-20:].mean(0) for seed in (4, 9)]) for way in ways)  # (2, 2)
    assert (plain[:, 0] > centred[:, 0]).all()
    assert plain[:, 1].max() > 3 * plain[:, 1].min()
