"""What lesson 02 defines inline is what the package has."""

import pytest
import torch
from lesson_cells import lesson_namespace
from torch import nn

from course_utils import losses, metrics
from course_utils.latents import LatentModel, nearest_neighbors
from course_utils.models.autoencoder import Autoencoder


@pytest.fixture(scope="module")
def lesson():
    cells = ("autoencoder-class", "loss-exercise", "principal-angles", "dead-exercise", "retrieve-exercise")
    return lesson_namespace("02", *cells, torch=torch, nn=nn)


@pytest.fixture
def models(lesson):
    """The lesson's autoencoder and the package's with the same weights."""
    torch.manual_seed(0)
    inline, package = lesson["SmallAutoencoder"](3, hidden=31), Autoencoder(3, hidden=31)
    weights = package.state_dict() | inline.state_dict()
    assert set(weights) == set(package.state_dict())  # the same layers under the same names
    package.load_state_dict(weights)
    return inline, package


def test_the_network(models):
    inline, package = models
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(inline.encode(x), package.encode(x))
    torch.testing.assert_close(inline.decode(inline.encode(x)), package(x))
    assert inline.latent_shape == package.latent_shape


def test_the_network_has_the_verbs_that_the_explorers_need(models):
    assert hasattr(models[0], "latent_shape")
    assert isinstance(models[1], LatentModel)


def test_the_loss_and_its_gradient(lesson, models):
    inline, package = models
    x = torch.rand(7, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    z, x_hat, loss = lesson["forward_and_loss"](inline.encoder, inline.decoder, x)
    torch.testing.assert_close(loss, package.loss_terms(x)["loss"])
    torch.testing.assert_close(loss, losses.squared_error(x_hat, x).mean())
    torch.testing.assert_close(z, package.encode(x))
    loss.backward()
    package.loss_terms(x)["loss"].backward()
    torch.testing.assert_close(inline.encoder[1].weight.grad, package.encoder[1].weight.grad)


@pytest.mark.parametrize(("k", "m"), [(4, 4), (2, 5)])
def test_principal_angles(lesson, k, m):
    g = torch.Generator().manual_seed(3)
    a, b = torch.randn(k, 11, generator=g), torch.randn(m, 11, generator=g)
    torch.testing.assert_close(lesson["principal_angles"](a, b), metrics.principal_angles(a, b))


def test_dead_zone_by_nearest_neighbors(lesson):
    g = torch.Generator().manual_seed(4)
    grid, codes = torch.randn(50, 3, generator=g), torch.randn(20, 3, generator=g)
    expected = grid[nearest_neighbors(grid, codes, k=1)[1][:, 0] > 0.9]
    assert 5 < len(expected) < 45
    torch.testing.assert_close(lesson["find_dead_zone"](grid, codes, 0.9), expected)


def test_retrieval_by_nearest_neighbors(lesson):
    g = torch.Generator().manual_seed(5)
    images, codes = torch.rand(40, 1, 3, 4, generator=g), torch.randn(40, 6, generator=g)
    indices, _ = nearest_neighbors(codes[9:10], codes, k=8)
    assert indices[0, 0] == 9  # the query itself, which the lesson leaves out
    torch.testing.assert_close(lesson["retrieve"](images, codes, 9, 7), images[indices[0, 1:]])
