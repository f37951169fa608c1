"""What lesson 02 defines inline is what the package has."""

import pytest
import torch
from lesson_cells import lesson_namespace
from torch import nn

from course_utils import losses, metrics
from course_utils.latents import LatentModel
from course_utils.models.autoencoder import Autoencoder
from course_utils.training import fit


@pytest.fixture(scope="module")
def lesson():
    cells = ("autoencoder-class", "step-exercise", "loop-exercise", "joined-to-edge", "conv-encoder",
             "decoder-exercise", "principal-angles")  # fmt: skip
    return lesson_namespace("02", *cells, torch=torch, nn=nn, squared_error=losses.squared_error)


def alike(lesson):
    """The lesson's autoencoder and the package's with the same weights."""
    torch.manual_seed(0)
    inline, package = lesson["SmallAutoencoder"](3, hidden=31), Autoencoder(3, hidden=31)
    weights = package.state_dict() | inline.state_dict()
    assert set(weights) == set(package.state_dict())  # the same layers under the same names
    package.load_state_dict(weights)
    return inline, package


def test_the_network(lesson):
    inline, package = alike(lesson)
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(inline.encode(x), package.encode(x))
    torch.testing.assert_close(inline.decode(inline.encode(x)), package(x))
    assert inline.latent_shape == package.latent_shape


def test_the_network_has_the_verbs_that_the_explorers_need(lesson):
    inline, package = alike(lesson)
    assert hasattr(inline, "latent_shape")
    assert isinstance(package, LatentModel)


def test_a_step_is_a_step_of_fit(lesson):
    inline, package = alike(lesson)
    x = torch.rand(7, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    optimizer, other = (torch.optim.SGD(one.parameters(), lr=1e-3) for one in (inline, package))
    loss = lesson["training_step"](inline, optimizer, x)
    history = fit(package, [x], epochs=1, optimizer=other, progress=False)
    assert loss == pytest.approx(history.series()[0])
    torch.testing.assert_close(inline.state_dict(), {name: package.state_dict()[name] for name in inline.state_dict()})


def test_the_loop_is_fit(lesson):
    inline, package = alike(lesson)
    g = torch.Generator().manual_seed(3)
    batches = [torch.rand(n, 1, 28, 28, generator=g) for n in (6, 6, 2)]
    x_test = torch.rand(4, 1, 28, 28, generator=g)
    optimizer, other = (torch.optim.Adam(one.parameters(), lr=1e-3) for one in (inline, package))
    train_losses, test_losses = lesson["train_model"](inline, optimizer, batches, x_test, 3)
    history = fit(package, batches, epochs=3, optimizer=other, validation=[x_test], progress=False)
    assert train_losses == pytest.approx(history.series(), rel=1e-5)
    assert test_losses[-1] == pytest.approx(losses.squared_error(package(x_test), x_test).mean().item(), rel=1e-5)


@pytest.mark.parametrize("channels", [6, 64])
def test_the_convolutional_networks(lesson, channels):
    package = Autoencoder(5, architecture="conv", hidden=channels)
    encoder, decoder = lesson["conv_encoder"](5, channels), lesson["conv_decoder"](5, channels)
    encoder.load_state_dict(package.encoder.state_dict())
    decoder.load_state_dict(package.decoder.state_dict())
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(encoder(x), package.encode(x))
    torch.testing.assert_close(decoder(encoder(x)), package.decode_logits(package.encode(x)))


@pytest.mark.parametrize(("k", "m"), [(4, 4), (2, 5), (3, 1)])
def test_principal_angles(lesson, k, m):
    g = torch.Generator().manual_seed(3)
    a, b = torch.randn(k, 11, generator=g), torch.randn(m, 11, generator=g)
    torch.testing.assert_close(lesson["principal_angles"](a, b), metrics.principal_angles(a, b))


def test_dead_places_that_the_edge_reaches(lesson):
    """A bay that winds inwards is joined to the edge, a pond is not, nor what touches nothing."""
    rows = ["....#...",
            ".##..#..",
            ".#.#.#..",
            ".###.##.",
            ".....#..",
            "..#...#."]  # fmt: skip
    dead = torch.tensor([[one == "#" for one in row] for row in rows])
    joined = lesson["joined_to_edge"](dead)
    pond = {(1, 1), (1, 2), (2, 1), (2, 3), (3, 1), (3, 2), (3, 3), (5, 2)}
    expected = dead.clone()
    for place in pond - {(5, 2)}:
        expected[place] = False
    assert torch.equal(joined, expected)


@pytest.mark.parametrize("size", [(5, 9), (23, 14)])
def test_dead_places_by_walking(lesson, size):
    dead = torch.rand(size, generator=torch.Generator().manual_seed(size[0])) < 0.35
    rim = {(r, c) for r in range(size[0]) for c in range(size[1]) if r in (0, size[0] - 1) or c in (0, size[1] - 1)}
    open_places, reached = [place for place in rim if dead[place]], set()
    while open_places:
        r, c = open_places.pop()
        reached.add((r, c))
        around = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        inside = [(a, b) for a, b in around if 0 <= a < size[0] and 0 <= b < size[1]]
        open_places += [place for place in inside if dead[place] and place not in reached]
    expected = torch.tensor([[(r, c) in reached for c in range(size[1])] for r in range(size[0])])
    assert 0 < expected.sum() < dead.sum()
    assert torch.equal(lesson["joined_to_edge"](dead), expected)
