"""The variational autoencoder. Lessons 04 to 07 build it step by step."""

import torch
from torch import Tensor, nn

from course_utils.gaussian import kl_standard_normal, reparameterize
from course_utils.latents import check_images, check_latents
from course_utils.losses import bernoulli_nll
from course_utils.models.networks import decoder_network, encoder_network


class VAE(nn.Module):
    """A generative model p(z) p(x|z) with prior N(0, I), and an encoder q(z|x) = N(mu(x), diag(sigma(x)**2)).

    Pixels are independent Bernoulli variables given z; grey values are taken as their means.

    Args:
        latent_dim: D, the length of a code.
        architecture: "mlp" or "conv"; see `course_utils.models.networks`.
        hidden: Hidden units of the MLP, or channels of the convolutions; 512 and 64 by default.
        image_shape: (C, H, W).
        beta: Weight of the KL term in the loss; 1 gives the negative ELBO.

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above, from which the same architecture can be built again.

    Source: Kingma and Welling 2013; Rezende, Mohamed and Wierstra 2014; Higgins et al. 2017 for beta.

    Example:
        >>> model = VAE(2)
        >>> model.decode(model.sample_latent(3)).shape
        torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        architecture: str = "mlp",
        hidden: int | None = None,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        beta: float = 1.0,
    ):
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: a code needs at least 1 number.")
        if beta < 0:
            raise ValueError(f"beta is {beta}: the weight of the KL term cannot be negative.")
        hidden = hidden or (512 if architecture == "mlp" else 64)
        self.config = {
            "latent_dim": latent_dim, "architecture": architecture, "hidden": hidden,
            "image_shape": tuple(image_shape), "beta": beta,
        }  # fmt: skip
        self.latent_shape, self.image_shape, self.beta = (latent_dim,), tuple(image_shape), beta
        self.encoder = encoder_network(architecture, self.image_shape, hidden, 2 * latent_dim)
        self.decoder = decoder_network(architecture, self.image_shape, hidden, latent_dim)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x) for images (B, C, H, W): mu and logvar, each (B, D)."""
        check_images(x, self.image_shape)
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def encode(self, x: Tensor) -> Tensor:
        """The posterior mean of images (B, C, H, W), (B, D)."""
        return self.posterior(x)[0]

    def decode_logits(self, z: Tensor) -> Tensor:
        """Codes (B, D) to x_logits (B, C, H, W), the decoder's output before the sigmoid."""
        check_latents(z, self.latent_shape)
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W): the pixels' means, in [0, 1]."""
        return torch.sigmoid(self.decode_logits(z))

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, D) from the prior N(0, I); the generator must be on the model's device."""
        device = next(self.parameters()).device
        return torch.empty(n, *self.latent_shape, device=device).normal_(generator=generator)

    def loss_terms(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Negative ELBO with a weighted KL term, from one sample of z per image.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            generator: Source of the sample; None uses PyTorch's global generator.

        Returns:
            {"loss", "recon", "kl"}: scalars in nats, averaged over the batch, loss = recon + beta * kl.
        """
        mu, logvar = self.posterior(x)
        z = reparameterize(mu, logvar, generator)
        recon, kl = bernoulli_nll(self.decode_logits(z), x).mean(), kl_standard_normal(mu, logvar).mean()
        return {"loss": recon + self.beta * kl, "recon": recon, "kl": kl}
