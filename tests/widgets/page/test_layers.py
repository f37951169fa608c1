"""A list of layers computes what the model does; what a page cannot run is named. browser/test_page.py runs them."""

import pytest
import torch
from small_models import style_gan
from torch import nn

from course_utils.checkpoints import load_reference
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.gan import GAN
from course_utils.models.networks import ResidualBlock
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.models.vae import VAE, ConditionalVAE
from course_utils.widgets.page.layers import layers_of, on_plane, run

SHAPE = (3, 8, 12)  # no two numbers alike


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained_pca() -> PCA:
    return PCA(4).fit(torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(0)))


def used(model: nn.Module) -> nn.Module:
    """With running statistics that are not those of the start."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(draws(module.num_features))
            module.running_var.copy_(draws(module.num_features, seed=1).exp())
    return model.eval()


MODELS = {
    "vae of one hidden layer": lambda: VAE(5, hidden=16, image_shape=SHAPE),
    "vae of convolutions": lambda: VAE(5, architecture="conv", hidden=8, image_shape=SHAPE),
    "vae of residual blocks": lambda: VAE(5, architecture="residual", hidden=8, image_shape=(3, 16, 24)),
    "conditional vae": lambda: ConditionalVAE(5, 2, hidden=16, image_shape=SHAPE).given(torch.tensor([0.5, -1.0])),
    "autoencoder": lambda: Autoencoder(5, architecture="conv", hidden=8, image_shape=SHAPE),
    "gan": lambda: used(GAN(5, image_shape=SHAPE, hidden=8)),
    "pca": trained_pca,
    "pixels": lambda: PixelSpace(SHAPE),
    "style gan": lambda: style_gan((3, 32, 48)),
    "style gan of odd maps": lambda: style_gan((1, 20, 28), hidden=3),
    "style gan of one layer": lambda: style_gan((3, 6, 10)).in_w(per_layer=True),
    "style gan without mapping": lambda: style_gan(mapping_layers=0),
    "style gan in w": lambda: style_gan().in_w(),
    "style gan with one w a layer": lambda: style_gan((3, 32, 48)).in_w(per_layer=True),
    "faces64_vae": lambda: load_reference("faces64_vae"),
    "faces64_gan": lambda: load_reference("faces64_gan"),
}
MODULES = [
    nn.Linear(7, 3, bias=False),
    nn.Conv2d(4, 6, 3, padding=1),
    nn.Conv2d(4, 6, 1, bias=False),
    nn.Conv2d(4, 6, (5, 3), stride=2, padding=2, padding_mode="reflect"),
    nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1),
    nn.ConvTranspose2d(4, 6, (2, 3)),
    nn.GroupNorm(2, 4),
    nn.InstanceNorm2d(4),
    nn.InstanceNorm2d(4, affine=True),
    nn.PixelShuffle(2),
    nn.Upsample(scale_factor=3),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.LeakyReLU(0.3),
    nn.Dropout(),
    ResidualBlock(4),
    *(kind() for kind in (nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Identity)),
]


@pytest.mark.parametrize("name", MODELS)
def test_the_layers_of_a_model_decode_as_it_does(name):
    model = MODELS[name]().eval()
    z = 2 * draws(3, *model.latent_shape)
    with torch.inference_mode():
        assert torch.allclose(run(layers_of(model), z.flatten(1)), model.decode(z), atol=1e-5)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_layers_of_a_module_compute_what_it_computes(module):
    x = draws(2, 7) if isinstance(module, nn.Linear) else draws(2, 4, 5, 6)
    with torch.inference_mode():
        assert torch.allclose(run(layers_of(module.eval()), x), module(x), atol=1e-5)


def test_batch_normalisation_is_that_of_evaluation_mode():
    norm, x = used(nn.BatchNorm2d(4)), draws(2, 4, 5, 6, seed=3)
    with torch.inference_mode():
        assert torch.allclose(run(layers_of(norm), x), norm(x), atol=1e-5)
        assert not torch.allclose(run(layers_of(norm), x), norm.train()(x), atol=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_on_a_plane_the_decoder_is_the_same_and_smaller(name):
    model = MODELS[name]().eval()
    base, u, v = (one.flatten() for one in draws(3, *model.latent_shape, seed=2))
    layers, at = layers_of(model), draws(4, 2, seed=5)
    with torch.inference_mode():
        there = run(layers, base + at[:, :1] * u + at[:, 1:] * v)
        plane = run(on_plane(layers, base, u, v), torch.cat([at, torch.ones(4, 1)], dim=1))
    assert torch.allclose(plane, there, atol=1e-4)
    assert on_plane(layers, base, u, v)[0]["w"].shape[1] == 3


def test_what_a_page_cannot_run_is_named():
    for model, what in [
        (nn.Sequential(nn.Linear(2, 3), nn.MultiheadAttention(4, 2)), "MultiheadAttention"),
        (nn.Conv2d(4, 4, 3, groups=2), "groups is 2"),
        (nn.Conv2d(4, 4, 3, dilation=2), "dilation is"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), "padding_mode is 'circular'"),
        (nn.Conv2d(4, 4, 3, padding="same"), "one stride and one padding"),
        (nn.Conv2d(4, 4, 3, stride=(1, 2)), "one stride and one padding"),
        (nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1), "output_padding is"),
        (nn.InstanceNorm2d(4, track_running_stats=True), "track_running_stats is True"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "mode is 'bicubic'"),
        (nn.Upsample(scale_factor=1.5), "whole number"),
        (load_reference("diffusion_fashion"), "Diffusion"),
        (ConditionalVAE(2, 1).given(torch.zeros(3, 1)), "3 are given"),
    ]:
        with pytest.raises(TypeError, match=what):
            layers_of(model)


def test_the_models_weights_are_not_copied_into_a_graph():
    assert not any(layer["w"].requires_grad for layer in layers_of(VAE(2, hidden=8)) if "w" in layer)
