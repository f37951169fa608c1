"""A VAE that is told part of what is in the image, so that its code need not say it. Lesson 09 builds it."""

import torch
from torch import Tensor, nn

from course_utils.inputs import check_images, check_latents
from course_utils.models.networks import decoder_network
from course_utils.models.vae.vae import VAE


class ConditionalVAE(VAE):
    """A generative model p(z) p(x|z, y) with prior N(0, I) for every condition y, and an encoder q(z|x, y).

    y is a vector of numbers, such as the age and the smile of a face, or a class as a one-hot vector. The decoder reads
    z and y side by side. The encoder reads y beside the features of its last layer: mu and logvar are the sum of what
    the image says and a linear function of y.

    Methods that a VAE has take y as one more argument. So this model is a LatentModel only once y is chosen: see
    `given`.

    Args:
        latent_dim: D, the length of a code.
        condition_dim: K, the length of y.
        **options: As for `VAE`.

    Attributes:
        latent_shape: (latent_dim,).
        config: The arguments above, from which the same architecture can be built again.

    Raises:
        ValueError: condition_dim is below 1, or as for `VAE`.

    Source: Sohn, Lee and Yan 2015, eq. 4, with a prior that does not depend on the condition. Taught in lesson 09.

    Example:
        >>> model = ConditionalVAE(2, condition_dim=3)
        >>> model.decode(model.sample_latent(4), torch.tensor([0.0, 1.0, 0.0])).shape
        torch.Size([4, 1, 28, 28])
    """

    def __init__(self, latent_dim: int, condition_dim: int, **options):
        super().__init__(latent_dim, **options)
        if condition_dim < 1:
            raise ValueError(f"condition_dim is {condition_dim}: without a condition, use VAE.")
        self.condition_dim = condition_dim
        self.config = {"latent_dim": latent_dim, "condition_dim": condition_dim, **self.config}
        architecture, hidden = self.config["architecture"], self.config["hidden"]
        self.encoder_condition = nn.Linear(condition_dim, 2 * latent_dim, bias=False)
        self.decoder = decoder_network(architecture, self.image_shape, hidden, latent_dim + condition_dim)

    def given(self, y: Tensor) -> "Conditioned":
        """This model with its condition fixed: a VAE, and a LatentModel, that shares the weights.

        Args:
            y: One condition (K,) for all images and codes, or one for each of a batch, (B, K). Any kind of numbers.

        Returns:
            A view with the methods of `VAE`: encode(x), decode(z), loss_terms(x) and the others.

        Raises:
            TypeError: y is no tensor.
            ValueError: y has another shape.
        """
        return Conditioned(self, y)

    def posterior(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x, y) for images (B, C, H, W) and conditions (B, K) or (K,): mu and logvar, each (B, D)."""
        return self.given(y).posterior(x)

    def encode(self, x: Tensor, y: Tensor) -> Tensor:
        """The posterior mean of images (B, C, H, W) given conditions (B, K) or (K,): (B, D)."""
        return self.given(y).encode(x)

    def decode_logits(self, z: Tensor, y: Tensor) -> Tensor:
        """Codes (B, D) and conditions (B, K) or (K,) to x_logits (B, C, H, W), before the sigmoid."""
        return self.given(y).decode_logits(z)

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Codes (B, D) and conditions (B, K) or (K,) to images (B, C, H, W): the pixels' means, in [0, 1]."""
        return self.given(y).decode(z)

    def negative_log_likelihood(self, x: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """-log p(x|z, y) of images (B, C, H, W), in nats, (B,): the reconstruction term."""
        return self.given(y).negative_log_likelihood(x, z)

    def kl_per_dimension(self, x: Tensor, y: Tensor) -> Tensor:
        """KL(q(z_d|x, y) || p(z_d)) of each dimension, averaged over the images (B, C, H, W): (D,), in nats."""
        return self.given(y).kl_per_dimension(x)

    def loss_terms(self, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Negative ELBO of log p(x|y) with a weighted KL term; as `VAE.loss_terms`.

        Args:
            x: Images (B, C, H, W) in [0, 1].
            y: Their conditions, (B, K), or one for all, (K,).
            generator: Source of the sample; None uses PyTorch's global generator.

        Returns:
            {"loss", "recon", "kl"}: scalars in nats, averaged over the batch, loss = recon + beta * kl.
        """
        return self.given(y).loss_terms(x, generator)


class Conditioned(VAE):
    """A ConditionalVAE with its condition fixed, made by `ConditionalVAE.given`.

    Attributes:
        model: The ConditionalVAE, whose weights are used and trained.
        y: The condition, (1, K) or (B, K), on the device of the model.
    """

    def __init__(self, model: ConditionalVAE, y: Tensor):
        nn.Module.__init__(self)  # no networks of its own
        size = model.condition_dim
        if not isinstance(y, Tensor):
            raise TypeError(f"the condition must be a torch tensor, not {type(y).__name__}: torch.tensor makes one.")
        if y.ndim not in (1, 2) or y.shape[-1] != size:
            raise ValueError(
                f"the condition has shape {tuple(y.shape)} but this model takes {size} numbers: give ({size},) or "
                f"(B, {size}). For classes 0, 1, … use torch.nn.functional.one_hot(labels, {size})."
            )
        weight = model.encoder_condition.weight
        self.model = model
        self.register_buffer("y", y.reshape(-1, size).to(weight.device, weight.dtype))
        self.latent_shape, self.image_shape, self.beta = model.latent_shape, model.image_shape, model.beta
        self.likelihood, self.std, self.free_bits = model.likelihood, model.std, model.free_bits
        self.training = model.training
        if callable(model.beta):
            self.register_buffer("step", model.step)  # the same tensor: training through the view counts

    def _conditions(self, size: int, what: str) -> Tensor:
        """One condition for each of so many images or codes."""
        if len(self.y) not in (1, size):
            raise ValueError(
                f"there are {len(self.y)} conditions for {size} {what}: give one for all, or one for each."
            )
        return self.y.expand(size, -1)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q(z|x, y) for images (B, C, H, W): mu and logvar, each (B, D)."""
        check_images(x, self.image_shape, self.y.dtype)
        features = self.model.encoder(x) + self.model.encoder_condition(self._conditions(len(x), "images"))
        mu, logvar = features.chunk(2, dim=1)
        return mu, logvar

    def decode_logits(self, z: Tensor) -> Tensor:
        """Codes (B, D) to x_logits (B, C, H, W), the decoder's output before the sigmoid."""
        check_latents(z, self.latent_shape, self.y.dtype)
        return self.model.decoder(torch.cat([z, self._conditions(len(z), "codes")], dim=1))
