"""Small models of every kind, and images for them that no swap of channels, height and width leaves as they were."""

import torch
from helpers import generator

from course_utils.data import ImageSet
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.pca import PCA
from course_utils.models.styles import StyleGAN
from course_utils.models.vae import VAE

SHAPE = (2, 8, 12)  # channels, height and width that cannot be confused
SMALL = {"image_shape": SHAPE, "hidden": 6}


def images(n: int = 5, shape=SHAPE, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, *shape, generator=generator(seed))


def make(name: str):
    torch.manual_seed(0)
    return {
        "pca": lambda: PCA(3).fit(images(40)),
        "mlp": lambda: Autoencoder(3, **SMALL),
        "conv": lambda: Autoencoder(3, architecture="conv", **SMALL),
        "bernoulli": lambda: Autoencoder(3, likelihood="bernoulli", **SMALL),
        "denoising": lambda: DenoisingAutoencoder(3, corruption="masking_noise", strength=0.3, **SMALL),
        "sparse": lambda: SparseAutoencoder(7, k=2, l1=0.1, **SMALL),
        "vae": lambda: VAE(3, **SMALL),
        "conv vae": lambda: VAE(3, architecture="conv", **SMALL),
        "residual vae": lambda: VAE(3, architecture="residual", **SMALL),
    }[name]()


def randomized(model: torch.nn.Module, scale: float = 0.1, seed: int = 0) -> torch.nn.Module:
    """The model in evaluation mode, its weights shaken: parts that start at zero would hide mistakes."""
    drawn = generator(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(scale * torch.randn(p.shape, generator=drawn, dtype=p.dtype))
    return model.eval()


TINY = (1, 4, 8)


def tiny_vae(seed: int = 0, **options) -> VAE:
    torch.manual_seed(seed)
    return VAE(3, hidden=8, image_shape=TINY, **options)


def tiny_images(n: int = 10) -> torch.Tensor:
    return torch.rand(n, *TINY, generator=generator(5))


def tiny_set(n: int = 24) -> ImageSet:
    values = torch.randint(0, 256, (n, *TINY), dtype=torch.uint8, generator=generator(6))
    return ImageSet(values, torch.zeros(n, dtype=torch.int64), ("thing",))


def style_gan(shape=(3, 16, 24), *, hidden: int = 4, mapping_layers: int = 2) -> StyleGAN:
    """An untrained one whose noise, biases and mean of w are not the zeros of the start; D is 7."""
    torch.manual_seed(0)
    model = StyleGAN(7, image_shape=shape, hidden=hidden, mapping_layers=mapping_layers).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter += 0.3 * torch.randn(parameter.shape)
        model.mean_w.copy_(torch.randn(7) / 2)
    return model
