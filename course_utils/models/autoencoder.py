"""Autoencoders: plain, denoising and sparse. Lessons 02 and 03 build them step by step."""

import torch
from torch import Tensor, nn

from course_utils.data.corruptions import CORRUPTIONS
from course_utils.inputs import check_images, check_latents, numbers
from course_utils.latents import draw_normal
from course_utils.losses import bernoulli_nll, squared_error
from course_utils.models.networks import decoder_network, encoder_network


class Autoencoder(nn.Module):
    """Compress images to a few numbers and restore them: z = E(x), x_hat = D(z).

    Args:
        latent_dim: D, the length of a code.
        architecture: "mlp", "conv" or "residual"; see `course_utils.models.networks`.
        hidden: Hidden units of the MLP, or channels of the convolutions; 512 and 64 by default.
        image_shape: (C, H, W).
        likelihood: What `loss_terms` minimises: "mse" (squared error) or "bernoulli" (binary cross-entropy).

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: An unknown architecture or likelihood, or a latent_dim below 1.

    Source: Hinton and Salakhutdinov 2006. Taught in lesson 02.

    Example:
        >>> model = Autoencoder(2)
        >>> model.encode(torch.rand(5, 1, 28, 28)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        architecture: str = "mlp",
        hidden: int | None = None,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        likelihood: str = "mse",
    ):
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: a code needs at least 1 number.")
        if likelihood not in ("mse", "bernoulli"):
            raise ValueError(f"likelihood is {likelihood!r}: use 'mse' or 'bernoulli'.")
        hidden = hidden or (512 if architecture == "mlp" else 64)
        self.config = {
            "latent_dim": latent_dim, "architecture": architecture, "hidden": hidden,
            "image_shape": tuple(image_shape), "likelihood": likelihood,
        }  # fmt: skip
        self.latent_shape, self.image_shape, self.likelihood = (latent_dim,), tuple(image_shape), likelihood
        self.encoder = encoder_network(architecture, self.image_shape, hidden, latent_dim)
        self.decoder = decoder_network(architecture, self.image_shape, hidden, latent_dim)
        self.register_buffer("latent_mean", torch.zeros(latent_dim))
        self.register_buffer("latent_std", torch.ones(latent_dim))

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, D)."""
        check_images(x, self.image_shape, self.latent_mean.dtype)
        return self.encoder(x)

    def decode_logits(self, z: Tensor) -> Tensor:
        """Codes (B, D) to x_logits (B, C, H, W), the decoder's output before the sigmoid."""
        check_latents(z, self.latent_shape, self.latent_mean.dtype)
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, D) to images (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.decode_logits(z))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction x_hat = D(E(x)), (B, C, H, W) in [0, 1]."""
        return self.decode(self.encode(x))

    def loss_terms(self, x: Tensor) -> dict[str, Tensor]:
        """Reconstruction error, summed over pixels and averaged over the batch.

        Returns:
            {"loss": scalar}.
        """
        return {"loss": self.reconstruction_error(self.encode(x), x).mean()}

    def reconstruction_error(self, z: Tensor, x: Tensor) -> Tensor:
        """Squared error or Bernoulli negative log-likelihood of decoding z, one value per example, (B,)."""
        if self.likelihood == "mse":
            return squared_error(self.decode(z), x)
        return bernoulli_nll(self.decode_logits(z), x)

    def set_latent_statistics(self, z: Tensor) -> None:
        """Remember mean and standard deviation of at least 2 codes (N, D), for `sample_latent`."""
        check_latents(z, self.latent_shape)
        if len(z) < 2:
            raise ValueError(f"there are {len(z)} codes: a standard deviation needs at least 2.")
        z = numbers(z, "z")
        self.latent_mean.copy_(z.mean(dim=0))
        self.latent_std.copy_(z.std(dim=0))

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes from an axis-aligned Gaussian with the remembered mean and standard deviation.

        An autoencoder defines no distribution of codes. This is the natural guess, and lesson 02 shows why many of
        its samples decode to nothing in particular. Before `set_latent_statistics` it is the standard normal.

        Args:
            n: How many codes.
            generator: Source of randomness, on the model's device; None uses PyTorch's global generator.

        Returns:
            (n, D).
        """
        return self.latent_mean + self.latent_std * draw_normal(self, n, generator)


class DenoisingAutoencoder(Autoencoder):
    """An autoencoder that sees a corrupted image and must restore the clean one.

    loss = |x - D(E(corrupt(x)))|**2    (Vincent et al. 2008, sec. 2.3)

    Args:
        latent_dim: D, the length of a code.
        corruption: A name in `course_utils.data.corruptions.CORRUPTIONS`.
        strength: How strongly to corrupt; its meaning is the corruption's.
        **options: As for `Autoencoder`.

    Taught in lesson 03.
    """

    def __init__(self, latent_dim: int, *, corruption: str = "gaussian_noise", strength: float = 0.5, **options):
        super().__init__(latent_dim, **options)
        if corruption not in CORRUPTIONS:
            raise ValueError(f"corruption is {corruption!r}: use one of {', '.join(CORRUPTIONS)}.")
        self.config |= {"corruption": corruption, "strength": strength}
        self.corrupt, self.strength = CORRUPTIONS[corruption], strength

    def loss_terms(self, x: Tensor) -> dict[str, Tensor]:
        """Error of the restoration against the CLEAN image, summed over pixels, averaged over the batch."""
        check_images(x, self.image_shape, self.latent_mean.dtype)
        z = self.encode(self.corrupt(x, self.strength))
        return {"loss": self.reconstruction_error(z, x).mean()}


class SparseAutoencoder(Autoencoder):
    """An autoencoder whose code may be longer than needed, but mostly zero.

    Codes are non-negative (a ReLU). Sparsity comes from an L1 penalty, loss = recon + l1 * sum_d |z_d|, or from
    keeping the k largest activations of each code and zeroing the others (Makhzani and Frey 2013), or both.

    Args:
        latent_dim: D, the length of a code; may exceed the number of pixels.
        l1: Weight of the L1 penalty.
        k: Activations kept, or None to keep all.
        **options: As for `Autoencoder`.

    Raises:
        ValueError: k is not between 1 and latent_dim, or l1 is negative.

    Taught in lesson 03.
    """

    def __init__(self, latent_dim: int, *, l1: float = 0.0, k: int | None = None, **options):
        super().__init__(latent_dim, **options)
        if k is not None and not 1 <= k <= latent_dim:
            raise ValueError(f"k is {k}: keep between 1 and latent_dim = {latent_dim} activations, or None for all.")
        if l1 < 0:
            raise ValueError(f"l1 is {l1}: a penalty weight cannot be negative.")
        self.config |= {"l1": l1, "k": k}
        self.l1, self.k = l1, k

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to non-negative sparse codes (B, D)."""
        z = torch.relu(super().encode(x))
        if self.k is None:
            return z
        largest = z.topk(self.k, dim=1)
        return torch.zeros_like(z).scatter(1, largest.indices, largest.values)

    def loss_terms(self, x: Tensor) -> dict[str, Tensor]:
        """Reconstruction error and L1 norm of the codes, averaged over the batch.

        Returns:
            {"loss", "recon", "l1"}: scalars, loss = recon + self.l1 * l1.
        """
        z = self.encode(x)
        recon, l1 = self.reconstruction_error(z, x).mean(), z.abs().sum(dim=1).mean()
        return {"loss": recon + self.l1 * l1, "recon": recon, "l1": l1}
