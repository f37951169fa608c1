"""Log-density by the change of variables, where it is known: a Gaussian, a mixture, a network against its Jacobian."""

import pytest
import torch
from helpers import generator
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from course_utils.models.flow import FlowModel, MixtureFlow, divergence, integrate, log_density

MEANS = torch.tensor([[-1.0, 0.5], [1.0, 1.5], [0.0, -2.0]], dtype=torch.float64)
STDS = torch.tensor([[0.5, 1.2], [0.8, 0.4], [1.5, 0.7]], dtype=torch.float64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def signs(*shape, seed=0):
    return torch.randint(0, 2, shape, generator=generator(seed)).double() * 2 - 1


def test_the_density_of_one_gaussian_is_found():
    flow, x1 = MixtureFlow(MEANS[:1], STDS[:1]), randn(5, 2)
    found, x0 = log_density(flow.velocity, x1, steps=200)
    expected = Independent(Normal(MEANS[0], STDS[0]), 1).log_prob(x1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    torch.testing.assert_close(x0, (x1 - MEANS[0]) / STDS[0], rtol=0, atol=1e-3)


def test_the_density_of_a_mixture_is_that_of_torch():
    flow, x1 = MixtureFlow(MEANS, STDS), 2 * randn(6, 2, seed=1)
    parts = Independent(Normal(MEANS, STDS), 1)
    expected = MixtureSameFamily(Categorical(torch.ones(3).double()), parts).log_prob(x1)
    errors = []
    for steps in (50, 100):
        found, x0 = log_density(flow.velocity, x1, steps=steps)
        errors.append((found - expected).abs().max().item())
    assert errors[1] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4, abs=1.5), "Heun's error falls with the square of the steps"
    torch.testing.assert_close(integrate(flow.velocity, x0, steps=100, method="heun"), x1, rtol=0, atol=5e-3)


def matrix_field(matrix):
    return lambda x, t: (x.flatten(1) @ matrix.T).reshape(x.shape) * (1 + t.reshape(-1, *[1] * (x.ndim - 1)))


def test_the_divergence_is_the_trace_also_of_pictures():
    matrix, x, t = randn(12, 12), randn(3, 2, 2, 3, seed=1), torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    v, found = divergence(matrix_field(matrix), x, t)
    torch.testing.assert_close(found, matrix.trace() * (1 + t))
    torch.testing.assert_close(v, matrix_field(matrix)(x, t))
    assert not v.requires_grad
    assert not found.requires_grad


def test_probes_estimate_it_without_bias():
    """With signs e the estimate is the trace plus what is off the diagonal: exact for a diagonal matrix."""
    matrix, x, t = randn(6, 6), randn(2, 6, seed=1), torch.zeros(2, dtype=torch.float64)
    many = signs(2000, 2, 6, seed=2)
    _, found = divergence(matrix_field(matrix), x, t, probes=many)
    off = matrix + matrix.T - 2 * torch.diag(matrix.diag())
    error = (off.square().sum() / 2 / 2000).sqrt().item()
    assert error < 0.2
    for one in found.tolist():
        assert one == pytest.approx(matrix.trace().item(), abs=4 * error)
    _, one = divergence(matrix_field(matrix), x, t, probes=many[:1])
    torch.testing.assert_close(one, torch.einsum("bi,ij,bj->b", many[0], matrix, many[0]))
    diagonal = torch.diag(matrix.diag())
    torch.testing.assert_close(divergence(matrix_field(diagonal), x, t, probes=many[:1])[1], diagonal.trace().expand(2))


def test_the_estimated_density_is_near_the_exact_one():
    flow, x1 = MixtureFlow(MEANS, STDS), randn(4, 2)
    exact, _ = log_density(flow.velocity, x1, steps=20)
    told = {"steps": 20, "probes": 10}
    drawn = torch.stack([log_density(flow.velocity, x1, generator=generator(s), **told)[0] for s in range(8)])
    error = drawn.std(0) / 8**0.5
    assert ((drawn.mean(0) - exact).abs() < 5 * error + 1e-6).all()
    assert torch.equal(drawn[0], log_density(flow.velocity, x1, generator=generator(0), **told)[0])


def test_the_density_of_a_network_sums_to_one():
    """Over a grid that holds nearly all of it; the network is random, and its flow no Gaussian's."""
    torch.manual_seed(0)
    model = FlowModel(2, hidden=8, blocks=1).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator(1), dtype=torch.float64))
    axis = torch.linspace(-9, 9, 61, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    found, x0 = log_density(model.velocity, grid, steps=12)
    assert (x0 - grid).abs().max() > 0.1, "it moves its points"
    assert found.exp().sum().item() * 0.3**2 == pytest.approx(1, abs=0.01)


def test_a_velocity_that_is_everywhere_the_same_spreads_nothing():
    v, found = divergence(lambda x, t: torch.ones(3, 2), torch.zeros(3, 2), torch.zeros(3))
    assert torch.equal(found, torch.zeros(3))
    assert torch.equal(v, torch.ones(3, 2))
    partly = divergence(lambda x, t: torch.stack([0 * t + 1, 2 * x[:, 1]], 1), torch.zeros(3, 2), torch.zeros(3))[1]
    assert torch.equal(partly, torch.full((3,), 2.0))


def test_a_velocity_without_gradients_has_no_divergence_to_be_found():
    x, t = randn(3, 2), torch.zeros(3, dtype=torch.float64)

    @torch.no_grad()
    def frozen(x, t):
        return 3 * x

    for field in (frozen, lambda x, t: 3 * x.detach()):
        with pytest.raises(ValueError, match="changes from place to place, but it is computed without gradients"):
            divergence(field, x, t)
    with pytest.raises(ValueError, match="computed without gradients"):
        log_density(frozen, x, steps=2)
    state = torch.get_rng_state()
    assert not divergence(lambda x, t: torch.ones(3, 2).double(), x, t)[1].any()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("probes", [0, 2])
def test_an_empty_batch_has_an_empty_density(probes):
    for field in (matrix_field(randn(6, 6)), lambda x, t: torch.ones_like(x)):
        found, x0 = log_density(field, randn(0, 2, 3), steps=2, probes=probes)
        assert found.shape == (0,)
        assert x0.shape == (0, 2, 3)


def test_density_refuses():
    with pytest.raises(ValueError, match="probes is -1"):
        log_density(lambda x, t: x, torch.zeros(2, 2), probes=-1)
    with pytest.raises(ValueError, match="steps is 0"):
        log_density(lambda x, t: x, torch.zeros(2, 2), steps=0)
    with pytest.raises(ValueError, match=r"probes have shape \(2, 2\): for points of shape \(2, 2\) give \(P, 2, 2\)"):
        divergence(lambda x, t: x, torch.zeros(2, 2), torch.zeros(2), probes=torch.ones(2, 2))
