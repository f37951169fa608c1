"""Every model against the protocol, every trained one against its gradients, and the names by which cards know them."""

import copy
import importlib
import pkgutil
import re

import pytest
import torch
from helpers import default_dtype, generator
from small_models import images, make

from course_utils import models
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, model_device
from course_utils.models import MODELS, model_class
from course_utils.models.autoencoder_kl import AutoencoderKL
from course_utils.models.diffusion import Diffusion
from course_utils.models.gan import GAN
from course_utils.models.pixels import PixelSpace
from course_utils.models.styles import StyleGAN

NAMES = ("pca", "mlp", "conv", "bernoulli", "denoising", "sparse", "vae", "conv vae", "residual vae")


TRAINED = NAMES[1:]


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    def test_is_a_latent_model(self, name):
        model, x = make(name), images()
        assert isinstance(model, LatentModel)
        z = model.encode(x)
        assert z.shape == (5, *model.latent_shape)
        x_hat = model.decode(z)
        assert x_hat.shape == x.shape
        assert x_hat.min() >= 0
        assert x_hat.max() <= 1
        assert model.decode(100 * z).min() >= 0
        assert model.sample_latent(4).shape == (4, *model.latent_shape)
        assert model_device(model) == torch.device("cpu")

    def test_examples_do_not_influence_each_other(self, name):
        model, x = make(name), images()
        z = model.encode(x)
        torch.testing.assert_close(model.encode(x[2:3]), z[2:3], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.decode(z[2:3]), model.decode(z)[2:3], atol=1e-5, rtol=1e-4)

    def test_encoding_and_decoding_are_deterministic_and_leave_inputs_alone(self, name):
        model, x = make(name), images()
        before, state = x.clone(), torch.get_rng_state()
        z = model.encode(x)
        kept = z.clone()
        assert torch.equal(model.encode(x), z)
        assert torch.equal(model.decode(z), model.decode(z))
        assert torch.equal(x, before)
        assert torch.equal(z, kept)
        assert torch.equal(torch.get_rng_state(), state)

    def test_sampling_takes_its_randomness_from_the_generator(self, name):
        model, state = make(name), torch.get_rng_state()
        first, second, other = (model.sample_latent(6, generator(s)) for s in (1, 1, 2))
        assert torch.equal(first, second)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("call", ["encode", "loss_terms"])
    def test_bad_images(self, name, call):
        model, x = make(name), images()
        if not hasattr(model, call):
            model.loss_terms = model.encode  # PCA has none
        call = getattr(model, call)
        for bad in (x.transpose(2, 3), x[0], x[:, :1], x.flatten(1)):
            with pytest.raises(ValueError, match=r"images have shape \(.*\) but this model takes \(B, 2, 8, 12\)"):
                call(bad)
        for bad in ((x * 255), (x * 2 - 1)):
            with pytest.raises(ValueError, match=r"images reach from .* must lie in \[0, 1\]"):
                call(bad)
        with pytest.raises(TypeError, match=r"torch.uint8 but must be floats in \[0, 1\]: divide by 255"):
            call((x * 255).to(torch.uint8))
        with pytest.raises(TypeError, match="images are torch.float64 but this model computes in torch.float32"):
            call(x.double())
        with pytest.raises(TypeError, match="must be a torch tensor, not ndarray"):
            call(x.numpy())

    def test_bad_latents(self, name):
        model = make(name)
        size = model.latent_shape[0]
        for bad in (torch.zeros(4, size + 1), torch.zeros(size), torch.zeros(4, size, 1)):
            with pytest.raises(ValueError, match=rf"latent codes have shape \(.*\) but this model takes \(B, {size}\)"):
                model.decode(bad)
        with pytest.raises(TypeError, match="torch.int64 but must be floating point"):
            model.decode(torch.zeros(4, size, dtype=torch.int64))
        with pytest.raises(TypeError, match="latent codes are torch.float64 but this model computes in torch.float32"):
            model.decode(torch.zeros(4, size).double())

    def test_double_precision_throughout(self, name):
        model, x = make(name).double(), images().double()
        assert model.encode(x).dtype == torch.float64
        assert model.decode(model.encode(x)).dtype == torch.float64


@pytest.mark.parametrize("name", TRAINED)
class TestTrained:
    def test_loss_terms_are_scalars_with_a_gradient_for_every_parameter(self, name):
        model = make(name)
        terms = model.loss_terms(images())
        assert all(value.shape == () for value in terms.values())
        terms["loss"].backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().sum() > 0

    def test_the_loss_of_a_batch_is_the_mean_of_its_examples(self, name):
        if name == "denoising" or "vae" in name:
            return  # random; TestDenoising and TestVAE work their losses out by hand
        model, x = make(name), images()
        single = torch.stack([model.loss_terms(x[k : k + 1])["loss"] for k in range(5)])
        torch.testing.assert_close(model.loss_terms(x)["loss"], single.mean())

    def test_config_builds_the_same_architecture_again(self, name):
        model = make(name)
        again = type(model)(**model.config)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again.encode(images()), model.encode(images()))
        assert again.config == model.config

    def test_a_step_lowers_the_loss(self, name):
        model, x = make(name), images(16)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

        def loss():
            torch.manual_seed(1)
            return model.loss_terms(x)["loss"]

        before = loss().item()
        for _ in range(12):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        assert loss().item() < before - 1e-2 * abs(before)


def classes_with_config():
    found = {}
    for module in pkgutil.walk_packages(models.__path__, f"{models.__name__}."):
        source = importlib.import_module(module.name).__loader__.get_source(module.name)
        for name, body in re.findall(r"(?ms)^class (\w+)\(.*?\):\n(.*?)(?=^class |^def |\Z)", source):
            if re.search(r"self\.config (\|?)= ", body):
                found[name] = module.name
    return found


def test_every_model_that_can_be_stored_has_a_name():
    found = classes_with_config()
    assert len(found) > 8
    assert set(found) <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_the_name_is_that_of_the_class(name):
    assert model_class(name).__name__ == name


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="there is no model 'Linear'; there are: Autoencoder, "):
        model_class("Linear")


def every_family():
    torch.manual_seed(0)
    small = {"image_shape": (2, 8, 12)}
    yield from (make(name) for name in ("pca", "mlp", "conv vae", "residual vae"))
    yield from (PixelSpace((2, 8, 12)), GAN(3, hidden=4, inversion_steps=2, **small).eval())
    yield StyleGAN(3, hidden=4, inversion_steps=2, **small).eval()
    few = {"in_channels": 2, "out_channels": 2, "block_out_channels": (4, 8), "norm_num_groups": 2}
    yield AutoencoderKL(**few, sample_size=(8, 12), scaling_factor=2.0, shift_factor=0.1)
    yield Diffusion(channels=(8, 16), blocks=1, num_steps=10, steps=3, **small).eval()


@pytest.mark.parametrize("model", list(every_family()), ids=lambda model: type(model).__name__)
class TestNumberFormats:
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
    def test_a_model_decodes_its_own_samples(self, model, dtype):
        """They are float32's samples: a seed means the same in all formats."""
        other = copy.deepcopy(model).to(dtype)
        z, exact = (each.sample_latent(4, generator(1)) for each in (other, model))
        assert z.dtype == dtype
        torch.testing.assert_close(z, exact.to(dtype), rtol=0.02, atol=0.02)
        x = other.decode(z)
        assert x.dtype == dtype
        torch.testing.assert_close(x.float(), model.decode(exact), rtol=0, atol=0.05)
        torch.testing.assert_close(decode_dataset(other, exact), decode_dataset(model, exact), rtol=0, atol=0.05)
        bytes_ = (images() * 255).byte()
        if isinstance(model, (GAN, StyleGAN)):
            assert encode_dataset(other, bytes_).isfinite().all(), "its search goes elsewhere, but not to NaN"
        else:
            codes = (encode_dataset(each, bytes_) for each in (other, model))
            torch.testing.assert_close(*codes, rtol=0.05, atol=0.1)

    def test_samples_do_not_depend_on_the_default_format(self, model):
        with default_dtype(torch.float64):
            z = model.sample_latent(3, generator(1))
        assert torch.equal(z, model.sample_latent(3, generator(1)))

    def test_no_images_and_no_codes(self, model):
        assert model.encode(images()[:0]).shape == (0, *model.latent_shape)
        assert model.decode(model.sample_latent(0)).shape == (0, 2, 8, 12)
        with pytest.raises(ValueError, match="n is -1"):
            model.sample_latent(-1)
