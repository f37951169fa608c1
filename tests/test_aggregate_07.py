"""What lesson 07 added to the package: the density of the aggregate posterior, and bands over seeds."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from course_utils import plots
from course_utils.gaussian import log_prob_aggregate


def posteriors(n, d):
    g = torch.Generator().manual_seed(n)
    return torch.randn(n, d, generator=g), 2 * torch.randn(n, d, generator=g) - 2


@pytest.mark.parametrize(("n", "d", "q"), [(7, 3, 5), (1, 2, 4), (40, 16, 6)])
def test_density_is_that_of_a_mixture(n, d, q):
    mu, logvar = posteriors(n, d)
    z = 2 * torch.randn(q, d, generator=torch.Generator().manual_seed(9))
    parts = Independent(Normal(mu.double(), torch.exp(0.5 * logvar.double())), 1)
    mixture = MixtureSameFamily(Categorical(logits=torch.zeros(n)), parts)
    expected = mixture.log_prob(z.double())
    torch.testing.assert_close(log_prob_aggregate(z, mu, logvar), expected, rtol=1e-9, atol=1e-7)
    torch.testing.assert_close(log_prob_aggregate(z, mu, logvar, batch_size=2), expected, rtol=1e-9, atol=1e-7)


def test_density_integrates_to_one():
    mu, logvar = posteriors(6, 2)
    u = torch.linspace(-9, 9, 901, dtype=torch.float64)
    grid = torch.cartesian_prod(u, u)
    mass = log_prob_aggregate(grid, mu, logvar.clamp(min=-3), batch_size=10_000).exp().sum() * (u[1] - u[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_points_far_away_have_a_finite_density():
    mu, logvar = posteriors(6, 2)
    assert log_prob_aggregate(torch.full((1, 2), 1e4), mu, logvar).isfinite().all()


def test_no_points_give_no_densities():
    assert log_prob_aggregate(torch.zeros(0, 3), *posteriors(4, 3)).shape == (0,)


@pytest.mark.parametrize("shapes", [((5, 2), (4, 3), (4, 3)), ((5, 3), (4, 3), (4, 2)), ((3,), (4, 3), (4, 3))])
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(ValueError, match="give points"):
        log_prob_aggregate(*(torch.zeros(shape) for shape in shapes))


def test_bands_reach_from_the_lowest_run_to_the_highest():
    values = np.array([[3.0, 2.0, 1.0], [5.0, 2.5, 0.0]])
    ax = plots.seed_bands(
        {"Adam": (torch.tensor([1, 2, 4]), torch.tensor(values)), "other": ([1, 2, 4], -values)}, "x", "y"
    )
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 4], [2, 2.25], [4, 0.5]])
    edge = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices.tolist()}
    assert {(1.0, 3.0), (1.0, 5.0), (4.0, 0.0), (4.0, 1.0)} <= edge
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Adam (2 runs)", "other (2 runs)"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ({}, "nothing to draw"),
        ({"a": ([1, 2], [[1.0, 2.0, 3.0]])}, "as many"),
        ({"a": ([1.0], [[float("nan")]])}, "NaN"),
    ],
)
def test_bands_name_what_does_not_fit(runs, words):
    with pytest.raises(ValueError, match=words):
        plots.seed_bands(runs, "x", "y")
