"""What the two players of a GAN minimise, and the penalties that keep the discriminator smooth. Lesson 10.

The discriminator gives one number an image, its logit: large for images that it takes for real. All losses are
means over the batch. They are imported from `course_utils.models.gan`.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy of telling real images from generated ones, the negative of the minimax game's value.

    -mean log D(x) - mean log(1 - D(G(z))),  D = sigmoid(logit)    (Goodfellow et al. 2014, eq. 1)

    At 2 log 2 = 1.386 the discriminator knows nothing. When training it, detach the generated images.

    Args:
        real_logits: Logits of real images, (B,) or (B, 1).
        fake_logits: Logits of generated images, likewise; their number may differ.

    Returns:
        A scalar in nats, at least 0.

    Example:
        >>> round(discriminator_loss(torch.zeros(3), torch.zeros(3)).item(), 3)
        1.386
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """The non-saturating loss: how little the discriminator takes generated images for real.

    -mean log D(G(z))    (Goodfellow et al. 2014, sec. 3)

    Where the discriminator is sure of a fake (a very negative logit), its derivative by the logit is about -1/B, so
    the generator learns most where it does worst. That of `saturating_generator_loss` is about 0 there.

    Args:
        fake_logits: Logits of generated images, (B,) or (B, 1), not detached.

    Returns:
        A scalar in nats, at least 0.

    Example:
        >>> round(generator_loss(torch.zeros(3)).item(), 3)
        0.693
    """
    return F.softplus(-fake_logits).mean()


def saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """The generator's side of the minimax game as it stands: it minimises what the discriminator maximises.

    mean log(1 - D(G(z)))    (Goodfellow et al. 2014, eq. 1)

    Args:
        fake_logits: Logits of generated images, (B,) or (B, 1), not detached.

    Returns:
        A scalar in nats, at most 0.

    Example:
        >>> round(saturating_generator_loss(torch.zeros(3)).item(), 3)
        -0.693
    """
    return -F.softplus(fake_logits).mean()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Hinge loss: logits beyond the margin of 1 on the right side cost nothing.

    mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))),  D = logit    (Lim and Ye 2017; Miyato et al. 2018, eq. 16)

    Args:
        real_logits: Logits of real images, (B,) or (B, 1).
        fake_logits: Logits of generated images, likewise.

    Returns:
        A scalar, at least 0.

    Example:
        >>> hinge_discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0])).item()
        1.5
    """
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean logit of the fake images minus that of the real ones; needs `gradient_penalty` to stay bounded.

    mean D(G(z)) - mean D(x),  D = logit    (Arjovsky, Chintala and Bottou 2017, eq. 3, with its sign turned)

    Args:
        real_logits: Logits of real images, (B,) or (B, 1).
        fake_logits: Logits of generated images, likewise.

    Returns:
        A scalar.

    Example:
        >>> wasserstein_discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0])).item()
        -2.0
    """
    return fake_logits.mean() - real_logits.mean()


def linear_generator_loss(fake_logits: Tensor) -> Tensor:
    """The generator's loss beside the hinge and the Wasserstein loss: -mean D(G(z)), D = logit.

    Args:
        fake_logits: Logits of generated images, (B,) or (B, 1), not detached.

    Returns:
        A scalar.

    Example:
        >>> linear_generator_loss(torch.tensor([2.0, 1.0])).item()
        -1.5
    """
    return -fake_logits.mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Squared length of the discriminator's gradient at real images; add gamma / 2 times it to its loss.

    mean_b ||d D(x_b) / d x_b||**2    (Mescheder, Geiger and Nowozin 2018, eq. 9, without gamma / 2)

    It is flat discriminators at the data that let the generator come to rest there. Images are independent of each
    other here, so no layer of the discriminator may mix a batch.

    Args:
        discriminator: Images (B, ...) to logits (B,) or (B, 1).
        x: Real images (B, ...); they need not require gradients.

    Returns:
        A scalar, summed over pixels and averaged over the batch, that can be differentiated by the weights.

    Example:
        >>> r1_penalty(lambda x: 3 * x[:, 0] + 4 * x[:, 1], torch.zeros(5, 2)).item()
        25.0
    """
    return _gradient(discriminator, x).square().sum(dim=1).mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """How far the length of the discriminator's gradient is from 1, between real and generated images.

    mean_b (||d D(u_b) / d u_b|| - 1)**2,  u_b = w_b x_b + (1 - w_b) G(z_b),  w_b uniform in [0, 1]
    (Gulrajani et al. 2017, eq. 3, without lambda)

    Args:
        discriminator: Images (B, ...) to logits (B,) or (B, 1).
        real: Real images (B, ...).
        fake: As many generated images, of the same shape.
        generator: Source of w, on the images' device; None uses PyTorch's global generator.

    Returns:
        A scalar, averaged over the batch, that can be differentiated by the weights.

    Raises:
        ValueError: real and fake have different shapes.

    Example:
        >>> gradient_penalty(lambda x: 3 * x[:, 0] + 4 * x[:, 1], torch.zeros(5, 2), torch.ones(5, 2)).item()
        16.0
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"real has shape {tuple(real.shape)} and fake {tuple(fake.shape)}: give as many of the same size."
        )
    weight = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype, generator=generator)
    return (_gradient(discriminator, torch.lerp(fake, real, weight)).norm(dim=1) - 1).square().mean()


def _gradient(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Derivative of each image's logit by its own pixels, (B, pixels), itself differentiable by the weights."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)[0].flatten(1)
