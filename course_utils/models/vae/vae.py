"""The variational autoencoder. Lessons 04 to 07 build it step by step."""

from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from course_utils.gaussian import kl_per_dimension, reparameterize
from course_utils.inputs import check_images, check_latents
from course_utils.latents import draw_normal
from course_utils.losses import bernoulli_nll, gaussian_nll
from course_utils.models.networks import decoder_network, encoder_network
from course_utils.models.vae.annealing import Annealing


class VAE(nn.Module):
    """A generative model p(z) p(x|z) with prior N(0, I), and an encoder q(z|x) = N(mu(x), diag(sigma(x)**2)).

    Pixels are independent given z: Bernoulli variables (grey values are taken as their means), or Gaussians.

    Args:
        latent_dim: D, the length of a code.
        architecture: "mlp", "conv" or "residual"; see `course_utils.models.networks`.
        hidden: Hidden units of the MLP, or channels of the convolutions; 512 and 64 by default.
        image_shape: (C, H, W).
        beta: Weight of the KL term in the loss; 1 gives the negative ELBO. Or a function of the training step, such as
            `annealing.Annealing("linear", steps=2000)` (also as the dictionary of its arguments); then the model has a
            buffer ``step``, saved with the weights, that counts its training steps.
        likelihood: "bernoulli" or "gaussian".
        std: Standard deviation of a pixel under the Gaussian likelihood.
        free_bits: Nats that each dimension of the code may carry without paying for them in the loss.

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above, from which the same architecture can be built again; of the last three and of a
            schedule only those that are not the default.

    Raises:
        ValueError: An unknown likelihood or architecture, or a number out of range.

    Source: Kingma and Welling 2013; Rezende, Mohamed and Wierstra 2014; Higgins et al. 2017 for beta; Kingma et al.
    2016, app. C.8, for free bits. Taught in lessons 04 to 07.

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
        beta: float | dict | Callable[[int], float] = 1.0,
        likelihood: str = "bernoulli",
        std: float = 1.0,
        free_bits: float = 0.0,
    ):
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: a code needs at least 1 number.")
        beta = Annealing(**beta) if isinstance(beta, dict) else beta
        if not callable(beta) and not beta >= 0:
            raise ValueError(f"beta is {beta}: the weight of the KL term cannot be negative.")
        if likelihood not in ("bernoulli", "gaussian"):
            raise ValueError(f"likelihood is {likelihood!r}: use 'bernoulli' or 'gaussian'.")
        if not std > 0:
            raise ValueError(f"std is {std}: the standard deviation of a pixel must be positive.")
        if not free_bits >= 0:
            raise ValueError(f"free_bits is {free_bits}: the nats that are free cannot be negative.")
        hidden = hidden or (512 if architecture == "mlp" else 64)
        self.config = {
            "latent_dim": latent_dim, "architecture": architecture, "hidden": hidden,
            "image_shape": tuple(image_shape), "beta": asdict(beta) if isinstance(beta, Annealing) else beta,
        }  # fmt: skip
        options = {"likelihood": (likelihood, "bernoulli"), "std": (std, 1.0), "free_bits": (free_bits, 0.0)}
        self.config |= {name: value for name, (value, default) in options.items() if value != default}
        self.latent_shape, self.image_shape, self.beta = (latent_dim,), tuple(image_shape), beta
        self.likelihood, self.std, self.free_bits = likelihood, std, free_bits
        self.encoder = encoder_network(architecture, self.image_shape, hidden, 2 * latent_dim)
        self.decoder = decoder_network(architecture, self.image_shape, hidden, latent_dim)
        if callable(beta):
            self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x) for images (B, C, H, W): mu and logvar, each (B, D)."""
        check_images(x, self.image_shape, next(self.parameters()).dtype)
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def encode(self, x: Tensor) -> Tensor:
        """The posterior mean of images (B, C, H, W), (B, D)."""
        return self.posterior(x)[0]

    def decode_logits(self, z: Tensor) -> Tensor:
        """Codes (B, D) to x_logits (B, C, H, W), the decoder's output before the sigmoid."""
        check_latents(z, self.latent_shape, next(self.parameters()).dtype)
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W): the pixels' means, in [0, 1]."""
        return torch.sigmoid(self.decode_logits(z))

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, D) from the prior N(0, I); the generator must be on the model's device."""
        return draw_normal(self, n, generator)

    def negative_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) of images (B, C, H, W) given codes (B, D), in nats, (B,): the reconstruction term."""
        dtype = next(self.parameters()).dtype
        if dtype in (torch.float16, torch.bfloat16):
            z = z.to(dtype)  # reparameterize draws it in float32
        if self.likelihood == "bernoulli":
            return bernoulli_nll(self.decode_logits(z), x)
        return gaussian_nll(self.decode(z), x, self.std)

    def kl_per_dimension(self, x: Tensor) -> Tensor:
        """KL(q(z_d|x) || p(z_d)) of each dimension, averaged over the images (B, C, H, W): (D,), in nats."""
        return kl_per_dimension(*self.posterior(x)).mean(dim=0)

    def current_beta(self) -> float:
        """The weight of the KL term now: beta, or its schedule's value at the step that comes next."""
        return self.beta(int(self.step)) if callable(self.beta) else self.beta

    def loss_terms(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Negative ELBO with a weighted KL term, from one sample of z per image.

        With free bits the loss has sum_d max(free_bits, kl_d) in place of the KL term, kl_d being the batch mean of
        dimension d. In training mode, and where gradients are recorded, a call counts as one step of the schedule.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            generator: Source of the sample; None uses PyTorch's global generator.

        Returns:
            {"loss", "recon", "kl"}: scalars in nats, averaged over the batch, loss = recon + beta * kl. Also with free
            bits "kl" is the true one. With a schedule there is also "beta", the weight that was used.
        """
        mu, logvar = self.posterior(x)
        z = reparameterize(mu, logvar, generator)
        recon, kl_dims = self.negative_log_likelihood(x, z).mean(), kl_per_dimension(mu, logvar)  # (B, D)
        kl = kl_dims.sum(dim=1).mean()
        charged = kl_dims.mean(dim=0).clamp(min=self.free_bits).sum() if self.free_bits else kl
        beta = self.current_beta()
        terms = {"loss": recon + beta * charged, "recon": recon, "kl": kl}
        if callable(self.beta):
            terms["beta"] = torch.tensor(beta, device=x.device)
            if self.training and torch.is_grad_enabled():
                self.step += 1
        return terms
