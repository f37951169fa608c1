"""A flow from noise to a mixture of Gaussians, whose velocity is known exactly: nothing is trained. Lesson 14."""

import math

import torch
from torch import Tensor

from course_utils.inputs import labels_of, numbers


class MixtureFlow:
    """The exact flow from N(0, I) to a mixture of Gaussians with diagonal covariances.

    Data x1 come from sum_k weights_k N(means_k, diag(stds_k^2)), independent of the noise x0 from N(0, I). On the
    straight path x_t = (1 - t) x0 + t x1 each Gaussian stays one, N(t means_k, diag(c_k)) with
    c_k = (1 - t)^2 + t^2 stds_k^2, and the mean velocity of all paths through x_t is

        velocity(x, t) = sum_k r_k (means_k + (t stds_k^2 - (1 - t)) / c_k (x - t means_k))

    where r_k is the probability that x_t = x comes from the k-th Gaussian. That is what flow matching learns.

    Args:
        means: (K, D), floats; their dtype and device are those of all that is computed.
        stds: Standard deviations above 0: one number, (K,), or (K, D).
        weights: (K,), above 0; they are divided by their sum. None for equal ones.

    Attributes:
        means, stds, weights: (K, D), (K, D) and (K,).

    Raises:
        ValueError: Shapes that do not match, or numbers out of range.

    Source: Lipman et al. 2023 (arXiv:2210.02747), theorem 3 for one Gaussian, theorem 1 for their mixture. Taught in
    lesson 14.

    Example:
        >>> flow = MixtureFlow(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), 0.1)
        >>> flow.velocity(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0.0, 0.5])).round(decimals=2)
        tensor([[0., 0.],
                [2., 0.]])
    """

    def __init__(self, means: Tensor, stds: float | Tensor, weights: Tensor | None = None):
        self.means = numbers(means, "means")
        if self.means.ndim != 2 or not self.means.numel():
            raise ValueError(f"means have shape {tuple(self.means.shape)}: give one row a Gaussian, (K, D).")
        exact = {"dtype": self.means.dtype, "device": self.means.device}  # Python's numbers are not rounded to float32
        stds = torch.as_tensor(stds, **exact)
        if stds.ndim == 1 and len(stds) == len(self.means):
            stds = stds[:, None]
        if stds.shape not in ((), (len(self.means), 1), self.means.shape) or not (stds > 0).all():
            raise ValueError(
                f"stds have shape {tuple(stds.shape)} for means {tuple(self.means.shape)}: give numbers above 0, one, "
                "(K,) or (K, D)."
            )
        self.stds = stds.expand(self.means.shape)
        weights = torch.ones(len(self.means), **exact) if weights is None else torch.as_tensor(weights, **exact)
        if weights.shape != (len(self.means),) or not (weights > 0).all():
            raise ValueError(f"weights are {weights.tolist()}: give {len(self.means)} numbers above 0, one a Gaussian.")
        self.weights = weights / weights.sum()

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """The exact mean velocity at places x (B, D) and times t (B,), as (B, D).

        Args:
            x: Places (B, D).
            t: Times (B,) in [0, 1].
            condition: Which Gaussian, whole numbers (B,) from 0 to K - 1, for the flow to that one alone; None is the
                whole mixture.

        Raises:
            ValueError: Not one condition an example, or none of the Gaussians.
            TypeError: The condition is no whole numbers.
        """
        t = t.to(x)[:, None, None]  # (B, 1, 1)
        variance = self._variance(t)  # (B, K, D)
        apart = x[:, None] - t * self.means
        each = self.means + (t * self.stds.square() - (1 - t)) / variance * apart  # (B, K, D)
        if condition is not None:
            chosen = labels_of(condition, len(x), classes=len(self.means), name="conditions").to(x.device)
            return each[torch.arange(len(x), device=x.device), chosen]
        return (self.responsibilities(x, t[:, 0, 0])[..., None] * each).sum(1)

    def responsibilities(self, x: Tensor, t: Tensor) -> Tensor:
        """Probability of each Gaussian where x_t = x: (B, D) and times (B,) to (B, K), each row summing to 1."""
        return self._log_joint(x, t).softmax(1)

    def log_prob(self, x: Tensor, t: Tensor | None = None) -> Tensor:
        """Log-density of x_t in nats: places (B, D), and times (B,) or None for data, to (B,)."""
        t = x.new_ones(len(x)) if t is None else t
        return self._log_joint(x, t).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Data (n, D), and which Gaussian each comes from, int64 (n,); the generator is on the means' device."""
        chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.empty(n, self.means.shape[1]).to(self.means).normal_(generator=generator)
        return self.means[chosen] + self.stds[chosen] * noise, chosen

    def _variance(self, t: Tensor) -> Tensor:
        return (1 - t).square() + t.square() * self.stds.square()

    def _log_joint(self, x: Tensor, t: Tensor) -> Tensor:
        """log weights_k N(x; t means_k, c_k), (B, K)."""
        t = t.to(x)[:, None, None]
        variance = self._variance(t)
        squares = (x[:, None] - t * self.means).square() / variance
        return self.weights.log() - 0.5 * (squares + variance.log() + math.log(2 * math.pi)).sum(2)
