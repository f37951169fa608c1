"""Recipes of the autoencoders and VAEs of Fashion-MNIST, for lessons 00 to 08."""

from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.vae import VAE
from course_utils.recipes.recipe import Recipe


def _vae(latent_dim: int, beta: float = 1.0) -> VAE:
    return VAE(latent_dim, architecture="conv", hidden=32, beta=beta)


def _conv(latent_dim: int) -> Autoencoder:
    return Autoencoder(latent_dim, architecture="conv", hidden=32)


BETAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of the models that draw the rate-distortion curve

RECIPES = (
    Recipe("vae_2d", "VAE with 2 latent dimensions, for maps", lambda: _vae(2)),
    Recipe("autoencoder_2d", "autoencoder with 2 latent dimensions", lambda: _conv(2)),
    Recipe("autoencoder_8d", "autoencoder with 8 latent dimensions", lambda: _conv(8)),
    Recipe("autoencoder_32d", "autoencoder with 32 latent dimensions", lambda: _conv(32)),
    Recipe(
        "denoising_32d",
        "denoising autoencoder, Gaussian noise of standard deviation 0.5, 32 latent dimensions",
        lambda: DenoisingAutoencoder(32, architecture="conv", hidden=32, corruption="gaussian_noise", strength=0.5),
    ),
    Recipe(
        "sparse_k",
        "k-sparse autoencoder: 256 units, of which 16 are active",
        lambda: SparseAutoencoder(256, k=16, hidden=256),
    ),
    Recipe(
        "vae_16d",
        "VAE with 16 latent dimensions, tuned for its bound",
        lambda: VAE(16, hidden=768),
        epochs=30,
        precision="auto",
        iwae_samples=500,
    ),
    Recipe(
        "vae_2d_snapshots",
        "a VAE with 2 latent dimensions at 16 moments of its training",
        lambda: _vae(2),
        epochs=12,
        snapshots=(0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1, 1.5, 2, 3, 4, 6, 8, 10, 12),
    ),
    *(
        Recipe(
            f"vae_beta_{beta:g}",
            f"VAE with 16 latent dimensions and beta = {beta:g}, for the rate-distortion curve",
            lambda beta=beta: _vae(16, beta),
            epochs=10,
            lr=2e-3,
            precision="auto",
        )
        for beta in BETAS
    ),
)
