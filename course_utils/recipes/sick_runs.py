"""Four short trainings, for section 5 of lesson 07. The lesson prints this file once the curves have been read."""

import torch
from torch import Tensor

from course_utils.data import ImageSet
from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.models.vae import VAE
from course_utils.training import fit
from course_utils.training.history import History


def train_four(
    images: ImageSet, validation: ImageSet, device: torch.device | str = "cpu", *, epochs: int = 14
) -> dict[str, History]:
    """Train four VAEs with 16 latent dimensions, one as it should be done and three as it should not.

    They draw from PyTorch's global generator, which the caller seeds. Each makes `epochs` passes over about 1,500
    images, in batches of 50.

    Args:
        images: At least 1,500 training images.
        validation: Images on which recon and kl are measured after each epoch.
        device: Where to train.
        epochs: Passes over the images.

    Returns:
        {"healthy", "A", "B", "C"}: each a History with the terms "recon" and "kl" in nats, summed over pixels and
        dimensions, for training and validation.
    """
    images = images[:1500]
    held_out = validation.batches(500, device=device)

    def run(images: ImageSet, lr: float = 1e-3, loss=None) -> History:
        batches = images.batches(50, device=device, shuffle=True)
        vae = VAE(16, hidden=256).to(device)
        return fit(vae, batches, epochs=epochs, lr=lr, loss=loss, validation=held_out, progress=False)

    return {
        "healthy": run(images),
        "A": run(images, lr=5e-2),
        "B": run(images, loss=loss_of_b),
        "C": run(images[torch.arange(40).repeat(38)]),
    }


def loss_of_b(vae: VAE, x: Tensor) -> dict[str, Tensor]:
    """The loss of run B: {"loss", "recon", "kl"}, scalars."""
    mu, logvar = vae.posterior(x)
    recon = vae.negative_log_likelihood(x, reparameterize(mu, logvar)).mean()
    kl = kl_standard_normal(mu, logvar).mean()
    return {"loss": recon / x[0].numel() + kl, "recon": recon, "kl": kl}
