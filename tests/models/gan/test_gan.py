"""GANs: losses and penalties by hand, shapes, search for codes, truncation against scipy, modes on known points."""

import copy
import math

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checkpoints import load, save
from course_utils.data import ring_of_gaussians
from course_utils.latents import LatentModel, encode_dataset
from course_utils.metrics import modes_covered
from course_utils.models import gan
from course_utils.models.gan import GAN, Discriminator, Generator, invert, truncate
from course_utils.training.adversarial import GanSettings

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


# ----------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 12, 20)])
@pytest.mark.parametrize("spectral", [False, True])
def test_shapes(shape, spectral):
    generator, discriminator = Generator(5, image_shape=shape, hidden=8), Discriminator(
        image_shape=shape, hidden=8, spectral=spectral
    )  # fmt: skip
    x = generator(3 * torch.randn(6, 5))
    assert x.shape == (6, *shape)
    assert 0 <= x.min() < x.max() <= 1
    assert discriminator(x).shape == (6,)
    with pytest.raises(ValueError, match="this discriminator takes"):
        discriminator(x[:, :, :4])
    with pytest.raises(ValueError, match="latent codes have shape"):
        generator(torch.randn(6, 4))


def test_spectral_normalisation_bounds_every_layer():
    torch.manual_seed(0)
    model = Discriminator(hidden=8, spectral=True)
    for _ in range(50):  # each pass in training mode is one step of the power iteration
        model(torch.rand(2, 1, 28, 28))
    weights = [layer.weight for layer in model.layers if hasattr(layer, "weight")]
    assert len(weights) == 4
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.03)
    assert not hasattr(Discriminator(hidden=8).layers[1], "parametrizations")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Generator(0), "latent_dim is 0"),
        (lambda: Generator(4, image_shape=(1, 30, 28)), "must be divisible by 4"),
        (lambda: Discriminator(hidden=7), "hidden is 7"),
        (lambda: GAN(4, inversion_steps=0), "inversion_steps is 0"),
        (lambda: GanSettings(loss="least squares"), "loss is 'least squares'"),
        (lambda: GanSettings(r1=-1), "r1 is -1"),
        (lambda: GanSettings(ema=1), "ema is 1"),
        (lambda: GanSettings(r1_every=0), "r1_every is 0"),
        (lambda: GanSettings(decay="cosine"), "decay is 'cosine'"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ------------------------------------------------------------------------------------ the GAN


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(2)
    model = GAN(3, image_shape=(2, 8, 12), hidden=8, inversion_steps=150)
    for _ in range(30):
        model.generator(torch.randn(64, 3))  # statistics of the batch normalisation
    return model.eval()


def test_a_gan_is_a_latent_model(small, tmp_path):
    assert isinstance(small, LatentModel)
    assert small.latent_shape == (3,)
    drawn = [small.sample_latent(4, torch.Generator().manual_seed(9)) for _ in range(2)]
    assert drawn[0].shape == (4, 3)
    assert torch.equal(*drawn)
    again = load(save(small, tmp_path / "small", card={}))
    assert again.config == small.config
    torch.testing.assert_close(again.decode(drawn[0]), small.decode(drawn[0]))


def test_encoding_finds_the_code_of_a_generated_image_the_same_each_time(small):
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(4))
    x = small.decode(z).detach()
    state, before = torch.get_rng_state(), copy.deepcopy(small.state_dict())
    codes = small.encode(x)
    assert (codes - z).abs().max() < 0.05
    assert (small.decode(codes) - x).square().mean() < 1e-6
    assert torch.equal(torch.get_rng_state(), state), "no global draw"
    assert torch.equal(small.encode(x), codes), "deterministic"
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert all(p.grad is None for p in small.parameters())
    torch.testing.assert_close(small.encode(x[2:3]), codes[2:3], rtol=0, atol=1e-3)  # images do not see each other
    with torch.inference_mode():
        torch.testing.assert_close(small.encode(x), codes)  # as explorers call it
    torch.testing.assert_close(encode_dataset(small, x, batch_size=2), codes, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="pixels reach"):
        small.encode(2 * x + 1)


def test_the_search_is_bounded_watched_and_descends(small):
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(4))
    x, errors = small.decode(z).detach(), []
    invert(small.generator, x, 20, restarts=3, on_step=lambda step, error: errors.append((step, error)))
    assert [step for step, _ in errors] == list(range(1, 21))
    assert errors[0][1].shape == (3, 4)
    assert (errors[-1][1].min(0).values < errors[0][1].min(0).values).all()
    assert (errors[0][1][0] <= errors[0][1][2]).all(), "the nearest candidate comes first"


def test_the_best_of_several_restarts_is_returned():
    """Two wells: (z**2 - 1)**2 = 0 at z = 1 and -1, and only the one at 1 is as high as the other pixel asks for."""

    class Wells(nn.Module):
        latent_shape = (1,)

        def forward(self, z):
            return torch.cat([(z.square() - 1).square(), 0.1 * z, 0.1 * z.abs()], dim=1)

    x = torch.tensor([[0.0, 0.1, 0.1], [0.0, -0.1, 0.1]])
    for seed in range(5):
        rng = torch.Generator().manual_seed(seed)
        z = invert(Wells(), x, 200, restarts=6, candidates=6, rng=rng)
        torch.testing.assert_close(z, torch.tensor([[1.0], [-1.0]]), rtol=0, atol=1e-2)


def test_the_prior_pulls_codes_to_the_origin_as_the_closed_form_says():
    """For G(z) = A z: z* = (A'A + prior I)^-1 A' x."""
    matrix = torch.randn(6, 2, generator=torch.Generator().manual_seed(8))

    class Linear2(nn.Module):
        latent_shape = (2,)

        def forward(self, z):
            return z @ matrix.T

    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(7))
    for prior in (0.0, 1.5):
        expected = torch.linalg.solve(matrix.T @ matrix + prior * torch.eye(2), matrix.T @ x.T).T
        torch.testing.assert_close(invert(Linear2(), x, 400, prior=prior), expected, rtol=0, atol=2e-3)


def test_searches_that_cannot_be_made(small):
    x = torch.rand(2, 2, 8, 12)
    for options in ({"steps": 0}, {"restarts": 0}, {"restarts": 5, "candidates": 4}):
        with pytest.raises(ValueError, match="must be at least 1"):
            invert(small.generator, x, **options)


# --------------------------------------------------------------------------------- truncation


@pytest.mark.parametrize("method", ["resample", "quantile"])
@pytest.mark.parametrize("limit", [0.02, 0.7, 2.0])
def test_truncated_codes_have_the_distribution_of_scipy(method, limit):
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(4000, 5, generator=generator)
    cut = truncate(z, limit, method=method, generator=generator)
    assert cut.shape == z.shape
    assert cut.dtype == z.dtype
    assert cut.abs().max() <= limit
    known = scipy.stats.truncnorm(-limit, limit)
    assert scipy.stats.kstest(cut.flatten().numpy(), known.cdf).pvalue > 0.001
    assert cut.std().item() == pytest.approx(known.std(), rel=0.02)
    correlations = np.corrcoef(cut.numpy().T) - np.eye(5)
    assert np.abs(correlations).max() < 0.06


def test_resampling_keeps_what_is_within_the_limit():
    z = torch.tensor([[0.5, -3.0], [2.5, -0.9]])
    cut = truncate(z, 1.0, generator=torch.Generator().manual_seed(0))
    assert cut[0, 0] == 0.5
    assert cut[1, 1] == pytest.approx(-0.9)
    assert z[0, 1] == -3, "the caller's codes are left alone"
    assert torch.equal(truncate(z, math.inf), z)


def test_quantiles_move_smoothly_and_keep_the_order():
    z = torch.randn(200, generator=torch.Generator().manual_seed(0)).sort().values
    limits = torch.linspace(0.1, 4, 40).tolist()
    cuts = torch.stack([truncate(z, limit, method="quantile") for limit in limits])
    assert (cuts.diff(dim=1) >= 0).all()
    assert (cuts.abs().diff(dim=0) >= -1e-6).all(), "a wider limit never moves a number towards 0"
    assert cuts.diff(dim=0).abs().max() < 0.11, "no jumps"
    torch.testing.assert_close(truncate(z, 30.0, method="quantile"), z, rtol=0, atol=1e-4)


def test_bad_truncations():
    with pytest.raises(ValueError, match="limit is 0"):
        truncate(torch.zeros(1), 0)
    with pytest.raises(ValueError, match="method is 'clip'"):
        truncate(torch.zeros(1), 1, method="clip")


# -------------------------------------------------------------------------------------- modes


def test_modes_of_known_points():
    angle = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([angle.cos(), angle.sin()], dim=1)
    real, labels = ring_of_gaussians(4000, std=0.05, generator=torch.Generator().manual_seed(0))
    found = modes_covered(real, centres, 0.05)
    assert found.modes == 8
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.006)  # a disc of 3 standard deviations
    three = modes_covered(real[labels < 3], centres, 0.05)
    assert (three.modes, three.counts[3:].tolist()) == (3, [0] * 5)
    middle = modes_covered(torch.zeros(10, 2), centres, 0.05)
    assert (middle.modes, middle.quality) == (0, 0.0)
    one = torch.cat([centres[:1].expand(99, 2), centres[4:5] + 0.1])
    assert modes_covered(one, centres, 0.05).modes == 2
    assert modes_covered(one, centres, 0.05, at_least=2).modes == 1
    assert modes_covered(one, centres, 0.05, radius=2.5).modes == 1, "0.1 in both coordinates is 2.83 of 0.05"


def test_modes_that_cannot_be_counted():
    with pytest.raises(ValueError, match="at least one point"):
        modes_covered(torch.zeros(0, 2), torch.zeros(8, 2), 0.1)
    with pytest.raises(ValueError, match="std is 0"):
        modes_covered(torch.zeros(3, 2), torch.zeros(8, 2), 0)
    with pytest.raises(ValueError, match="there are no centres"):
        modes_covered(torch.zeros(3, 2), torch.zeros(0, 2), 0.1)
