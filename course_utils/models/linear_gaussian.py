"""A model whose every answer is known: Gaussian code, linear decoder, Gaussian noise. Taught in lesson 06."""

import math

import torch
from torch import Tensor, nn

from course_utils.gaussian import kl_standard_normal
from course_utils.inputs import check_latents


class LinearGaussian(nn.Module):
    """z ~ N(0, I),  x | z ~ N(weight z + bias, std**2 I): probabilistic PCA.

    The evidence log p(x), the posterior p(z|x), the ELBO and its gap all have closed forms here, so that what holds for
    a VAE only as a bound can be checked to the last digit. The approximate posterior q(z|x) is diagonal, as a VAE's is;
    the true one is diagonal only if the columns of ``weight`` are orthogonal. By default q is the best diagonal one.

    Args:
        weight: (P, D): P observed numbers, D latent ones.
        bias: (P,).
        std: Standard deviation of the noise on x, positive.
        scale: Factor on q's standard deviation, a number or (D,); 1 is the best.
        offset: Added to q's mean, a number or (D,); 0 is the best.

    Attributes:
        latent_shape: (D,).
        scale: May be set at any time, to make q worse and see the gap open.
        offset: Likewise.

    Raises:
        ValueError: Shapes that do not fit, or a std or scale that is not positive.

    Source: Tipping and Bishop 1999; Bishop 2006, sec. 12.2.

    Example:
        >>> model = LinearGaussian(torch.tensor([[1.0, 0.5], [0.0, 1.0], [2.0, 0.0]]), torch.zeros(3), std=0.5)
        >>> x = model.sample(4, torch.Generator().manual_seed(0))
        >>> torch.allclose(model.log_evidence(x), model.elbo(x) + model.gap(x), atol=1e-4)
        True
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, std: float, *, scale: float | Tensor = 1.0, offset: float | Tensor = 0.0
    ):
        super().__init__()
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"weight has shape {tuple(weight.shape)} and bias {tuple(bias.shape)}: they must be (P, D) and (P,)."
            )
        if not std > 0:
            raise ValueError(f"std is {std}: the standard deviation of the noise must be positive.")
        if not bool((torch.as_tensor(scale) > 0).all()):
            raise ValueError(f"scale is {scale}: q's standard deviation must be positive.")
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.std, self.scale, self.offset = float(std), scale, offset
        self.latent_shape = (weight.shape[1],)

    @property
    def precision(self) -> Tensor:
        """Inverse covariance of the true posterior, (D, D), the same for every x: I + weight^T weight / std**2."""
        gram = self.weight.T @ self.weight / self.std**2
        return torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram

    def _centred(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if x.shape[1] != len(self.bias):
            raise ValueError(f"x has {x.shape[1]} numbers an example, but this model has {len(self.bias)}.")
        return x - self.bias

    def true_posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, D) and covariance (D, D) of p(z|x) for x (B, P); the covariance does not depend on x."""
        rhs = self._centred(x) @ self.weight / self.std**2  # (B, D)
        factor = torch.linalg.cholesky(self.precision)
        return torch.cholesky_solve(rhs.T, factor).T, torch.cholesky_inverse(factor)

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; bias, weight weight^T + std**2 I), in nats, (B,).

        By the matrix determinant lemma and Woodbury's identity only a D x D matrix is factorised:
        -0.5 * (P log(2 pi std**2) + log det precision + |x - bias - weight m|**2 / std**2 + |m|**2),
        m being the mean of the true posterior.
        """
        m, _ = self.true_posterior(x)
        misfit = (self._centred(x) - m @ self.weight.T).square().sum(dim=1) / self.std**2
        constant = len(self.bias) * math.log(2 * math.pi * self.std**2) + torch.logdet(self.precision)
        return -0.5 * (constant + misfit + m.square().sum(dim=1))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The approximation q(z|x): mu and logvar, each (B, D).

        The diagonal Gaussian with the least KL(q || p(z|x)) has the true mean and variances 1 / precision_dd, which are
        smaller than the true marginal variances wherever dimensions are correlated; then ``offset`` and ``scale``.
        """
        mean, _ = self.true_posterior(x)
        mu = mean + torch.as_tensor(self.offset, dtype=mean.dtype, device=mean.device)
        scale = torch.as_tensor(self.scale, dtype=mean.dtype, device=mean.device)
        return mu, (2 * scale.log() - self.precision.diagonal().log()).expand_as(mu)

    def negative_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, (B,): summed over the P numbers of x."""
        misfit = (self._centred(x) - z @ self.weight.T).square().sum(dim=1) / self.std**2
        return 0.5 * (misfit + len(self.bias) * math.log(2 * math.pi * self.std**2))

    def elbo(self, x: Tensor) -> Tensor:
        """The exact ELBO, E_q[log p(x|z)] - KL(q || p(z)), in nats, (B,): no sampling.

        E_q |x - bias - weight z|**2 = |x - bias - weight mu|**2 + sum_d var_d |weight_d|**2
        """
        mu, logvar = self.posterior(x)
        spread = (logvar.exp() * self.weight.square().sum(dim=0)).sum(dim=1) / self.std**2
        return -self.negative_log_likelihood(x, mu) - 0.5 * spread - kl_standard_normal(mu, logvar)

    def gap(self, x: Tensor) -> Tensor:
        """KL(q(z|x) || p(z|x)) in nats, (B,): what the ELBO lacks of log p(x).

        0.5 * (tr(precision var) + delta^T precision delta - D - log det var - log det precision), delta = mu - mean
        """
        mean, _ = self.true_posterior(x)
        mu, logvar = self.posterior(x)
        delta, precision = mu - mean, self.precision
        trace = (logvar.exp() * precision.diagonal()).sum(dim=1)
        quadratic = ((delta @ precision) * delta).sum(dim=1)
        return 0.5 * (trace + quadratic - len(precision) - logvar.sum(dim=1) - torch.logdet(precision))

    def encode(self, x: Tensor) -> Tensor:
        """q's mean for x (B, P), (B, D)."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Mean of x given codes (B, D): weight z + bias, (B, P)."""
        check_latents(z, self.latent_shape)
        return z @ self.weight.T + self.bias

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, D) from the prior N(0, I)."""
        return self.weight.new_empty(n, *self.latent_shape).normal_(generator=generator)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw observations (n, P) from p(x): a code, its mean, and noise."""
        mean = self.decode(self.sample_latent(n, generator))
        return mean + self.std * torch.empty_like(mean).normal_(generator=generator)
