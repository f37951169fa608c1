"""Losses and penalties of GANs, by hand and by finite differences."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models import gan
from course_utils.models.gan import Discriminator

# ------------------------------------------------------------------------------------- losses


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(3)
    return [3 * torch.randn(n, generator=generator, dtype=torch.float64) for n in (7, 5)]


def test_losses_by_brute_force(logits):
    real, fake = ([float(v) for v in side] for side in logits)

    def log_sigmoid(v):
        return math.log(1 / (1 + math.exp(-v)))

    def mean(values):
        return sum(values) / len(values)

    expected = {
        gan.discriminator_loss: -mean([log_sigmoid(v) for v in real]) - mean([log_sigmoid(-v) for v in fake]),
        gan.hinge_discriminator_loss: mean([max(0, 1 - v) for v in real]) + mean([max(0, 1 + v) for v in fake]),
        gan.wasserstein_discriminator_loss: mean(fake) - mean(real),
    }
    for loss, value in expected.items():
        assert loss(*logits).item() == pytest.approx(value, rel=1e-12), loss.__name__
    expected = {
        gan.generator_loss: -mean([log_sigmoid(v) for v in fake]),
        gan.saturating_generator_loss: mean([log_sigmoid(-v) for v in fake]),
        gan.linear_generator_loss: -mean(fake),
    }
    for loss, value in expected.items():
        assert loss(logits[1]).item() == pytest.approx(value, rel=1e-12), loss.__name__


def test_losses_are_binary_cross_entropies(logits):
    real, fake = logits
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        gan.discriminator_loss(real, fake), bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    )
    torch.testing.assert_close(gan.generator_loss(fake), bce(fake, torch.ones_like(fake)))
    torch.testing.assert_close(gan.saturating_generator_loss(fake), -bce(fake, torch.zeros_like(fake)))


def test_only_one_generator_loss_teaches_where_the_discriminator_is_sure():
    slopes = {}
    for loss in (gan.generator_loss, gan.saturating_generator_loss):
        fake = torch.full((4,), -12.0, requires_grad=True)
        slopes[loss] = torch.autograd.grad(loss(fake), fake)[0]
    torch.testing.assert_close(slopes[gan.generator_loss], torch.full((4,), -0.25), rtol=1e-4, atol=0)
    assert slopes[gan.saturating_generator_loss].abs().max() < 1e-5
    assert torch.isfinite(gan.generator_loss(torch.tensor([-1e4]))), "no logarithm of a rounded 0"


# ---------------------------------------------------------------------------------- penalties


class Linear(nn.Module):
    """w . x, whose gradient is w at every image, whatever the batch."""

    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(1)) / 4)

    def forward(self, x):
        return (self.weight * x).flatten(1).sum(dim=1)


def test_penalties_of_a_linear_discriminator():
    model, x = Linear((2, 3, 5)), torch.rand(7, 2, 3, 5)
    squared = model.weight.square().sum()
    penalty = gan.r1_penalty(model, x)
    torch.testing.assert_close(penalty, squared)
    torch.testing.assert_close(torch.autograd.grad(penalty, model.weight)[0], 2 * model.weight)
    penalty = gan.gradient_penalty(model, x, torch.rand_like(x))
    torch.testing.assert_close(penalty, (squared.sqrt() - 1).square())
    torch.testing.assert_close(
        torch.autograd.grad(penalty, model.weight)[0], 2 * (1 - 1 / squared.sqrt()) * model.weight
    )
    assert not x.requires_grad, "the images of the caller are left alone"


def test_penalties_are_per_image_and_where_they_should_be():
    def discriminator(x):  # its gradient at x is 2 x
        return x.square().sum(dim=1)

    x = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    assert gan.r1_penalty(discriminator, x).item() == pytest.approx((4 * 5 + 4 * 9) / 2)
    weight = torch.rand(2, 1, generator=torch.Generator().manual_seed(5))
    fake = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    between = weight * x + (1 - weight) * fake
    expected = ((2 * between).norm(dim=1) - 1).square().mean()
    penalty = gan.gradient_penalty(discriminator, x, fake, torch.Generator().manual_seed(5))
    torch.testing.assert_close(penalty, expected)
    with pytest.raises(ValueError, match="as many of the same size"):
        gan.gradient_penalty(discriminator, x, fake[:1])


def test_r1_of_the_real_discriminator_against_finite_differences():
    torch.manual_seed(0)
    model, x = Discriminator(image_shape=(1, 4, 8), hidden=4).double(), torch.rand(2, 1, 4, 8, dtype=torch.float64)
    with torch.no_grad():
        shift = 1e-6 * torch.eye(32, dtype=torch.float64).reshape(32, 1, 4, 8)
        slopes = [(model(one + shift) - model(one - shift)) / 2e-6 for one in x]
    expected = torch.stack([slope.square().sum() for slope in slopes]).mean()
    torch.testing.assert_close(gan.r1_penalty(model, x), expected, rtol=1e-6, atol=0)
