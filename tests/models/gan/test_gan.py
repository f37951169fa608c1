"""GANs: losses and penalties by hand, shapes, search for codes, truncation against scipy, modes on known points."""

import pytest
import torch

from course_utils.checkpoints import load, save
from course_utils.latents import LatentModel
from course_utils.models.gan import GAN, Discriminator, Generator
from course_utils.training.adversarial import GanSettings

# ----------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 12, 20), (3, 40, 48)])
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
        (lambda: Discriminator(image_shape=(1, 36, 44)), "must be divisible by 8"),
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


def test_no_images_have_no_logits():
    assert Discriminator(image_shape=(1, 8, 12), hidden=4)(torch.zeros(0, 1, 8, 12)).shape == (0,)
