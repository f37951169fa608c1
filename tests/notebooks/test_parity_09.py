"""What lesson 09 defines inline is what the package has, and its measuring instrument measures."""

from functools import partial

import pytest
import torch
from helpers import generator
from lesson_cells import lesson_definitions, lesson_namespace
from torch import nn

from course_utils import gaussian, latents, metrics
from course_utils.data.faces import HANDLES, render_faces, sample_handles
from course_utils.models.networks import decoder_network, encoder_network
from course_utils.models.vae import conditional as conditional_vae

functions = partial(lesson_definitions, "09")


@pytest.fixture(scope="module")
def codes_and_factors():
    g = generator()
    factors = torch.rand(500, 4, generator=g)
    factors[:, 3] = (factors[:, 3] > 0.4).float()  # one with two values
    codes = factors @ torch.randn(4, 6, generator=g) + 0.1 * torch.randn(500, 6, generator=g)
    codes[:, 0] = factors[:, 1] ** 3
    return codes, factors


def test_mutual_information_and_its_gap(codes_and_factors):
    inline = functions("information-code", torch=torch, nn=nn)
    information, entropy = inline["information_and_entropy"](*codes_and_factors)
    assert information.shape == (6, 4)
    torch.testing.assert_close(information, metrics.mutual_information(*codes_and_factors))
    two_values = codes_and_factors[1][:, 3].mean().double()
    torch.testing.assert_close(entropy[3], torch.distributions.Bernoulli(two_values).entropy())
    mig = lesson_namespace("09", "mig-exercise", torch=torch)["mig"]
    package = metrics.mutual_information_gap(*codes_and_factors)
    assert mig(information, entropy).item() == pytest.approx(package)
    assert package > 0.05


def test_a_dimension_that_does_not_vary_knows_nothing(codes_and_factors):
    codes, factors = codes_and_factors
    inline = functions("information-code", torch=torch, nn=nn)
    information, _ = inline["information_and_entropy"](torch.cat([codes, torch.ones(500, 1)], dim=1), factors)
    torch.testing.assert_close(information[-1], torch.zeros(4, dtype=torch.float64))


def test_attribute_direction():
    g = generator(1)
    z, labels = torch.randn(30, 5, generator=g), torch.rand(30, generator=g) > 0.7
    inline = lesson_namespace("09", "direction-exercise")["attribute_direction"]
    torch.testing.assert_close(inline(z, labels), latents.attribute_direction(z, labels))


def test_controlled_edit_is_the_package_s_projection():
    g = generator(2)
    z, others = torch.randn(6, 8, generator=g), torch.randn(3, 8, generator=g)
    direction, smile = torch.randn(2, 8, generator=g)
    step = latents.project_out(direction, others)
    inline = lesson_namespace("09", "edit-exercise", torch=torch)["controlled_edit"]
    expected = z + step * (0.3 / (smile @ step))
    torch.testing.assert_close(inline(z, direction, smile, others, 0.3), expected, rtol=1e-4, atol=1e-4)


def test_conditional_vae():
    used = {"torch": torch, "nn": nn, "encoder_network": encoder_network, "decoder_network": decoder_network}
    used |= {"reparameterize": gaussian.reparameterize, "kl_standard_normal": gaussian.kl_standard_normal}
    inline = functions("cvae-code", **used)
    options = {"architecture": "conv", "hidden": 8, "image_shape": (3, 32, 32), "likelihood": "gaussian", "std": 0.2}
    torch.manual_seed(0)
    package = conditional_vae.ConditionalVAE(5, 2, **options)
    ours = inline["ConditionalVAE"](5, 2, hidden=8, std=0.2)
    ours.load_state_dict(package.state_dict())
    x, y, z = torch.rand(4, 3, 32, 32), torch.randn(4, 2), torch.randn(4, 5)
    torch.testing.assert_close(ours.posterior(x, y), package.posterior(x, y))
    torch.testing.assert_close(ours.decode(z, y), package.decode(z, y))
    torch.manual_seed(1)
    expected = package.loss_terms(x, y)
    torch.manual_seed(1)
    terms = inline["cvae_loss"](ours, x, y)
    torch.testing.assert_close(terms["kl"], expected["kl"])
    constant = 3 * 32 * 32 * (torch.tensor(0.2).log() + 0.5 * torch.tensor(2 * torch.pi).log())
    torch.testing.assert_close(terms["loss"] + constant, expected["loss"], rtol=1e-4, atol=1e-2)


def test_the_instrument_reads_true_faces():
    ranges = [(handle.low, handle.high) for handle in HANDLES.values()]
    low, high = torch.tensor(ranges).T
    inline = functions("instrument", torch=torch, render_faces=render_faces, low=low, span=high - low)
    h0 = (sample_handles(8, generator=generator(3)) - low) / (high - low)
    h1 = h0.clone()
    h1[:, 0] = 1 - h0[:, 0]
    h1[:, 2] = (h0[:, 2] + 0.2).clamp(max=1)
    images = inline["draw"](h1).unflatten(1, (3, 32, 32))
    torch.testing.assert_close(images, render_faces(low + (high - low) * h1, 32), rtol=0, atol=1e-5)
    torch.testing.assert_close(inline["read_handles"](images, h0), h1, rtol=0, atol=0.05)


def test_a_rotated_model_is_the_same_model():
    inline = functions("rotation-code", torch=torch, g=generator(4), device=torch.device("cpu"))
    rotation = inline["random_rotation"](5)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(5), rtol=0, atol=1e-5)

    class Linear:
        latent_shape = (5,)

        def encode(self, x):
            return 2 * x

        def decode(self, z):
            return z / 2

    turned, x = inline["Rotated"](Linear(), rotation), torch.randn(7, 5, generator=generator(5))
    torch.testing.assert_close(turned.encode(x), (rotation @ (2 * x).T).T)
    torch.testing.assert_close(turned.decode(turned.encode(x)), x)


def test_the_cost_of_a_diagonal_posterior_against_a_numerical_search():
    """The formula of the cell `bias`, for one turned cloud in two dimensions."""
    angle, logvar = 0.6, torch.tensor([-3.0, 0.5])
    rotation = torch.tensor([[0.8253, -0.5646], [0.5646, 0.8253]])
    assert angle == pytest.approx(torch.atan2(rotation[1, 0], rotation[0, 0]).item(), abs=1e-3)
    turned = torch.distributions.MultivariateNormal(
        torch.zeros(2), rotation @ torch.diag(logvar.exp()) @ rotation.T + 1e-9 * torch.eye(2)
    )
    own = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([own], max_iter=100)

    def cost():
        diagonal = torch.distributions.MultivariateNormal(torch.zeros(2), torch.diag(own.exp()))
        return torch.distributions.kl_divergence(diagonal, turned)

    def closure():
        optimizer.zero_grad()
        loss = cost()
        loss.backward()
        return loss

    optimizer.step(closure)
    best = -torch.linalg.inv(turned.covariance_matrix).diagonal().log()
    torch.testing.assert_close(own.detach(), best, rtol=1e-3, atol=1e-3)
    gap = 0.5 * (logvar - best).sum().item()
    assert gap == pytest.approx(cost().item(), abs=2e-3)
    assert gap > 0.1
