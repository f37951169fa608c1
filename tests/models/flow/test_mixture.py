"""The exact flow to a mixture of Gaussians, against torch.distributions, sampled pairs and its own equation."""

import pytest
import torch
from helpers import generator
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from course_utils.models.flow import MixtureFlow, flow_matching_pair, integrate

MEANS = torch.tensor([[-2.0, 0.5, 1.0], [1.5, -1.0, 0.0]], dtype=torch.float64)
STDS = torch.tensor([[0.4, 1.5, 0.7], [0.6, 0.3, 2.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 3.0])


def mixture() -> MixtureFlow:
    return MixtureFlow(MEANS, STDS, WEIGHTS)


def theirs(t: float) -> MixtureSameFamily:
    """The distribution of x_t, by the rules for sums of independent Gaussians."""
    std = ((1 - t) ** 2 + (t * STDS) ** 2).sqrt()
    parts = Independent(Normal(t * MEANS, std), 1)
    return MixtureSameFamily(Categorical(torch.tensor([0.25, 0.75], dtype=torch.float64)), parts)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_density_at_each_time_is_that_of_torch(t):
    x = 2 * randn(7, 3)
    found = mixture().log_prob(x, torch.full((7,), t, dtype=torch.float64))
    torch.testing.assert_close(found, theirs(t).log_prob(x))
    torch.testing.assert_close(mixture().log_prob(x), theirs(1.0).log_prob(x))


def test_the_velocity_obeys_the_continuity_equation():
    """d p / d t = -div(p v), so d log p / d t = -div v - v . grad log p: density and velocity by different formulas."""
    flow, x, h = mixture(), randn(6, 3, seed=1), 1e-4
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.85, 0.95], dtype=torch.float64)
    change = (flow.log_prob(x, t + h) - flow.log_prob(x, t - h)) / (2 * h)
    spread, along, v = torch.zeros(6).double(), torch.zeros(6).double(), flow.velocity(x, t)
    for d in range(3):
        step = h * torch.eye(3, dtype=torch.float64)[d]
        spread += (flow.velocity(x + step, t) - flow.velocity(x - step, t))[:, d] / (2 * h)
        along += v[:, d] * (flow.log_prob(x + step, t) - flow.log_prob(x - step, t)) / (2 * h)
    torch.testing.assert_close(change, -spread - along, rtol=1e-5, atol=1e-5)


def test_the_velocity_is_the_mean_over_pairs_that_pass_by():
    """Pairs are drawn, and those near a place are averaged: what flow matching learns."""
    flow, rng = MixtureFlow(torch.tensor([[-1.0], [2.0]]), torch.tensor([0.3, 0.8]), WEIGHTS), generator(0)
    x1, _ = flow.sample(400_000, rng)
    x_t, v = flow_matching_pair(torch.randn(400_000, 1, generator=rng), x1, 0.6)
    for place in (-0.8, 0.3, 1.5):
        near = (x_t[:, 0] - place).abs() < 0.02
        error = v[near].std().item() / near.sum().item() ** 0.5
        expected = flow.velocity(torch.tensor([[place]]), torch.tensor([0.6])).item()
        assert near.sum() > 500
        assert v[near].mean().item() == pytest.approx(expected, abs=4 * error + 0.02)


def test_the_flow_carries_noise_to_the_mixture():
    flow, x0 = mixture(), randn(4000, 3, seed=2)
    x1 = integrate(flow.velocity, x0, steps=60, method="heun")
    drawn, kinds = flow.sample(4000, generator(3))
    assert kinds.float().mean().item() == pytest.approx(0.75, abs=0.03)
    for points in (x1, drawn):
        mean = 0.25 * MEANS[0] + 0.75 * MEANS[1]
        second = 0.25 * (MEANS[0] ** 2 + STDS[0] ** 2) + 0.75 * (MEANS[1] ** 2 + STDS[1] ** 2)
        torch.testing.assert_close(points.mean(0), mean, rtol=0, atol=0.15)
        torch.testing.assert_close(points.square().mean(0), second, rtol=0.12, atol=0)
    torch.testing.assert_close(drawn[kinds == 1].std(0), STDS[1], rtol=0.06, atol=0)


def test_of_one_gaussian_the_flow_is_an_affine_map():
    """x(t) = t m + sqrt((1 - t)^2 + t^2 s^2) x0 is the path that starts at x0, in every format."""
    flow, x0 = MixtureFlow(MEANS[:1], STDS[:1]), randn(5, 3)
    x1 = integrate(flow.velocity, x0, steps=400, method="heun")
    torch.testing.assert_close(x1, MEANS[0] + STDS[0] * x0, rtol=1e-4, atol=1e-4)
    single = MixtureFlow(MEANS[:1].float(), 0.5).velocity(x0.float(), torch.full((5,), 0.2))
    assert single.dtype == torch.float32


def test_one_of_the_gaussians_alone():
    flow, x, t = mixture(), randn(4, 3), torch.full((4,), 0.4, dtype=torch.float64)
    which = torch.tensor([0, 1, 1, 0])
    found = flow.velocity(x, t, which)
    for k in (0, 1):
        alone = MixtureFlow(MEANS[k : k + 1], STDS[k : k + 1]).velocity(x, t)
        torch.testing.assert_close(found[which == k], alone[which == k])
    shares = flow.responsibilities(x, t)
    torch.testing.assert_close(shares.sum(1), torch.ones(4).double())
    mean = shares[:, :1] * flow.velocity(x, t, 0 * which) + shares[:, 1:] * flow.velocity(x, t, 0 * which + 1)
    torch.testing.assert_close(flow.velocity(x, t), mean)


def test_a_gaussian_that_there_is_not():
    flow, x, t = mixture(), randn(3, 3), torch.full((3,), 0.5, dtype=torch.float64)
    for wrong in (torch.tensor([0, 1, 2]), torch.tensor([0, -1, 1])):
        with pytest.raises(ValueError, match="conditions reach from .* counted from 0 to 1"):
            flow.velocity(x, t, wrong)
    with pytest.raises(ValueError, match=r"conditions have shape \(2,\) for 3 examples"):
        flow.velocity(x, t, torch.tensor([0, 1]))
    with pytest.raises(TypeError, match="conditions are torch.float64 but must be whole numbers"):
        flow.velocity(x, t, t)


def test_numbers_of_python_keep_all_their_digits():
    flow = MixtureFlow(MEANS, 0.1, [0.1, 0.3])
    assert flow.stds[0, 0].item() == 0.1
    assert flow.weights[0].item() == pytest.approx(0.25, rel=1e-15)
    assert flow.weights.dtype == flow.stds.dtype == torch.float64


def test_spreads_of_each_form():
    shapes = (MixtureFlow(MEANS, 0.5), MixtureFlow(MEANS, torch.tensor([0.5, 0.5])), MixtureFlow(MEANS, 0 * STDS + 0.5))
    x, t = randn(3, 3), torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(shapes[0].velocity(x, t), shapes[1].velocity(x, t))
    assert torch.equal(shapes[0].velocity(x, t), shapes[2].velocity(x, t))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), 1.0), r"means have shape \(3,\): give one row a Gaussian"),
        ((MEANS, torch.tensor([1.0, 0.0])), r"give numbers above 0"),
        ((MEANS, torch.ones(4)), r"stds have shape \(4,\)"),
        ((MEANS, 1.0, torch.tensor([1.0, -1.0])), r"weights are \[1.0, -1.0\]: give 2 numbers above 0"),
        ((MEANS, 1.0, torch.ones(3)), r"give 2 numbers above 0"),
    ],
)
def test_what_is_no_mixture(arguments, message):
    with pytest.raises(ValueError, match=message):
        MixtureFlow(*arguments)
