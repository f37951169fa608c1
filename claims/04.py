"""The headline claims of lesson 04, variational autoencoders, under stress: `course claims 04`."""

import torch
from sklearn.mixture import GaussianMixture

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.latents import decode_dataset, encode_dataset, nearest_neighbors
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.vae import VAE
from course_utils.training import fit

DRAWS = 1000


def trained(model, epochs):
    """The model after so many epochs on the bundled clothes, as the lesson trains it."""
    batches = fashion_mnist("train").batches(256, shuffle=True, generator=torch.Generator().manual_seed(0))
    fit(model, batches, epochs=epochs, lr=2e-3, progress=False)
    return model


def clouds(model, images):
    """One draw from each image's cloud, or its code where a model has no clouds."""
    if isinstance(model, Autoencoder):
        return encode_dataset(model, images)
    with torch.no_grad():
        mu, logvar = model.posterior(images.pixels())
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def quality(model, z, codes_train, codes_test, restored_distance):
    """The share of dead draws, and their distance to clothes over that of restored test images."""
    limit = nearest_neighbors(codes_test, codes_train, k=1)[1].quantile(0.99)
    dead = (nearest_neighbors(z, codes_train, k=1)[1] > limit).float().mean()
    return dead, to_clothes(decode_dataset(model, z[:250])) / restored_distance


def to_clothes(images):
    """Distance (1 - cosine) of images to the nearest training image, on average."""
    return nearest_neighbors(images, fashion_mnist("train").pixels(), k=1, metric="cosine")[1].mean()


def fitted_density(*, seed, epochs, latent_dim):
    """Draws from densities fitted to the codes of a plain autoencoder, beside the VAE's prior in the same setting."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    numbers = {}
    for model in (Autoencoder(latent_dim, hidden=256), VAE(latent_dim, hidden=256)):
        trained(model, epochs)
        codes, others = clouds(model, train), clouds(model, test)
        restored = to_clothes(decode_dataset(model, encode_dataset(model, test)[:250]))
        if isinstance(model, VAE):
            draws = {"prior": torch.randn(DRAWS, latent_dim)}
        else:
            draws = {"axes": codes.mean(dim=0) + codes.std(dim=0) * torch.randn(DRAWS, latent_dim)}
            full = torch.distributions.MultivariateNormal(codes.mean(dim=0), torch.cov(codes.T))
            draws["gaussian"] = full.sample((DRAWS,))
            mixture = GaussianMixture(20, random_state=seed).fit(codes.double().numpy())
            some = torch.from_numpy(mixture.sample(DRAWS)[0]).float()
            draws["mixture"] = some[torch.randperm(DRAWS)]  # they come in the order of the components
        for name, z in draws.items():
            numbers[f"{name}_dead"], numbers[f"{name}_ratio"] = quality(model, z, codes, others, restored)
    return numbers


CLAIMS = (
    Claim(
        "fitted-density",
        "A plain autoencoder draws well once a mixture of 20 Gaussians is fitted to its codes: fewer of its draws are "
        "dead, and they are closer to clothes, than with one Gaussian, and than draws from the prior of a VAE trained "
        "as long.",
        run=fitted_density,
        settings=grid(latent_dim=(16,), epochs=(6, 24), seed=range(3)),
        labels={
            "axes_dead": "AE, Gaussian along the axes: dead",
            "gaussian_dead": "AE, full Gaussian: dead",
            "mixture_dead": "AE, mixture: dead",
            "prior_dead": "VAE, prior: dead",
            "axes_ratio": "AE, along the axes: ratio",
            "gaussian_ratio": "AE, full: ratio",
            "mixture_ratio": "AE, mixture: ratio",
            "prior_ratio": "VAE, prior: ratio",
        },
        holds=lambda runs: all(
            one["mixture_dead"] < min(one["gaussian_dead"], one["prior_dead"])
            and one["mixture_ratio"] < min(one["gaussian_ratio"], one["prior_ratio"])
            for one in runs
        ),
    ),
)
