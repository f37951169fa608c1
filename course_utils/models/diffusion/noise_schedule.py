"""The forward process of diffusion: noise schedules, noisy images in one step, and what can be read off them.

Timesteps are counted t = 0 ... T-1, as in diffusers: t = 0 is the least noisy one, not the clean image. The clean
image is t = -1, where alpha_bar is 1. (Ho et al. 2020 count 1 ... T, so that their t = 1 is 0 here.) Lesson 12.
"""

import math

import torch
from torch import Tensor, nn

from course_utils.inputs import same_shape


class NoiseSchedule(nn.Module):
    """How much noise is added at each of T steps.

    x_t = sqrt(alphas[t]) x_{t-1} + sqrt(betas[t]) eps, with alphas = 1 - betas and alpha_bar = cumprod(alphas).

    "linear": betas rise evenly from beta_start to beta_end.
    "cosine": alpha_bar[t] follows f((t + 1) / T) / f(0) with f(u) = cos((u + 0.008) / 1.008 * pi / 2)**2; no beta is
    above 0.999.

    Args:
        kind: "linear" or "cosine".
        num_steps: T.
        beta_start: First beta of the linear schedule; by default 0.1 / T, which is the usual 0.0001 at T = 1000.
        beta_end: Its last; by default 20 / T, which is the usual 0.02 at T = 1000. So the end is noise for every T.

    Attributes:
        betas: Variance of the noise that each step adds, (T,).
        alphas: 1 - betas, (T,).
        alpha_bar: Share of the image's variance that is left after each step, (T,); falls from almost 1 to almost 0.
        config: The arguments that build it again.

    Raises:
        ValueError: An unknown kind, fewer than 2 steps, or betas that do not lie between 0 and 1.

    Source: Ho, Jain and Abbeel 2020, sec. 2 and 4; Nichol and Dhariwal 2021, eq. 17. Taught in lesson 12.

    Example:
        >>> schedule = NoiseSchedule("cosine", 1000)
        >>> [round(float(schedule.alpha_bar[t]), 4) for t in (0, 500, 999)]
        [1.0, 0.4923, 0.0]
    """

    def __init__(
        self,
        kind: str = "cosine",
        num_steps: int = 1000,
        *,
        beta_start: float | None = None,
        beta_end: float | None = None,
    ):
        super().__init__()
        if kind not in ("linear", "cosine"):
            raise ValueError(f"kind is {kind!r}: use 'linear' or 'cosine'.")
        if num_steps < 2:
            raise ValueError(f"num_steps is {num_steps}: a schedule needs at least 2 steps.")
        if kind == "cosine" and (beta_start is not None or beta_end is not None):
            raise ValueError("beta_start and beta_end belong to the linear schedule: leave them out with 'cosine'.")
        self.kind, self.num_steps = kind, num_steps
        self.config = {"kind": kind, "num_steps": num_steps}
        if kind == "linear":
            first = 0.1 / num_steps if beta_start is None else beta_start
            last = 20 / num_steps if beta_end is None else beta_end
            self.config |= {"beta_start": first, "beta_end": last}
            betas = torch.linspace(first, last, num_steps, dtype=torch.float64)
            if not 0 < first <= last < 1:
                raise ValueError(
                    f"the betas go from {first:g} to {last:g}: they must rise and lie between 0 and 1; "
                    "give more steps, or beta_start and beta_end."
                )
        else:
            u = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
            f = ((u + 0.008) / 1.008 * math.pi / 2).cos().square()
            betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
        # Computed in float64: a product of a thousand factors. Not saved with a model, whose card has the arguments.
        exact = {"betas": betas, "alphas": 1 - betas, "alpha_bar": (1 - betas).cumprod(0)}
        self._values = {name: values.float() for name, values in exact.items()}
        for name, values in self._values.items():
            self.register_buffer(name, values, persistent=False)

    def _apply(self, fn, recurse: bool = True):
        """Move to another device, but stay in float32: in 16 bits many alpha_bar would be 0 or 1."""
        super()._apply(fn, recurse)
        for name, values in self._values.items():
            setattr(self, name, values.to(getattr(self, name).device))
        return self

    def alpha_bar_at(self, t: int | Tensor, x: Tensor) -> Tensor:
        """alpha_bar[t], and 1 for t = -1, the clean image, in a form that multiplies x.

        Args:
            t: One timestep, or one for each of the batch (B,), int64, from -1 to T-1.
            x: Any tensor (B, ...), whose dtype and device the result takes; float32 for 16 bits, in which 1 - alpha_bar
                would have no digits left.

        Returns:
            (B, 1, ..., 1) with as many dimensions as x, or (1, 1, ..., 1) for a single t.

        Raises:
            ValueError: A timestep out of range, or not one for each of the batch.
            TypeError: t is not of whole numbers.
        """
        t = torch.as_tensor(t, device=self.alpha_bar.device)
        if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
            raise TypeError(f"t is {t.dtype}: timesteps are whole numbers from 0 to {self.num_steps - 1}.")
        if t.ndim > 1 or (t.ndim == 1 and len(t) not in (1, len(x))):
            raise ValueError(f"t has shape {tuple(t.shape)}: give one timestep, or {len(x)} for a batch of {len(x)}.")
        compiling = torch.compiler.is_compiling()  # values are not known then
        if not compiling and t.numel() and (int(t.min()) < -1 or int(t.max()) >= self.num_steps):
            raise ValueError(
                f"t reaches from {int(t.min())} to {int(t.max())}: timesteps of this schedule are 0 to "
                f"{self.num_steps - 1}, and -1 is the clean image."
            )
        values = torch.where(t < 0, torch.ones_like(self.alpha_bar[0]), self.alpha_bar[t.clamp(min=0)])
        return values.to(x.device, torch.promote_types(x.dtype, torch.float32)).reshape(-1, *[1] * (x.ndim - 1))

    def snr(self) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar) of each timestep, (T,)."""
        return self.alpha_bar / (1 - self.alpha_bar)

    def timesteps(self, steps: int, spacing: str = "trailing") -> Tensor:
        """Some of the timesteps, from noise to image, for sampling in fewer than T steps.

        "trailing" counts down from the last, round(T - i * T / steps) - 1: it starts at T-1, where all is noise.
        "leading" counts up from the first, i * (T // steps), reversed: ends at 0 but starts where some image is left.

        Args:
            steps: How many, 1 to T.
            spacing: "trailing" or "leading".

        Returns:
            int64 (steps,), falling.

        Raises:
            ValueError: steps out of range, or an unknown spacing.

        Source: Lin et al. 2024, table 2, which also says why trailing is better. The names are diffusers'.

        Example:
            >>> NoiseSchedule("cosine", 1000).timesteps(4), NoiseSchedule("cosine", 1000).timesteps(4, "leading")
            (tensor([999, 749, 499, 249]), tensor([750, 500, 250,   0]))
        """
        if not 1 <= steps <= self.num_steps:
            raise ValueError(f"steps is {steps}: take 1 to {self.num_steps} of the schedule's timesteps.")
        if spacing not in ("trailing", "leading"):
            raise ValueError(f"spacing is {spacing!r}: use 'trailing' or 'leading'.")
        count = torch.arange(steps, dtype=torch.float64)
        if spacing == "trailing":
            return (self.num_steps - count * self.num_steps / steps).round().long() - 1
        return (count.long() * (self.num_steps // steps)).flip(0)


def q_sample(schedule: NoiseSchedule, x0: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """The noisy x_t of an image, in one step from x_0.

    x_t = sqrt(alpha_bar[t]) x0 + sqrt(1 - alpha_bar[t]) eps

    Args:
        schedule: Gives alpha_bar.
        x0: Clean images (B, ...), scaled to [-1, 1].
        t: A timestep, or one an image (B,), 0 to T-1. -1 gives x0 itself.
        eps: Noise from N(0, I), the same shape as x0.

    Returns:
        x_t, the same shape.

    Raises:
        ValueError: eps has another shape, or t is out of range.

    Source: Ho et al. 2020, eq. 4. Taught in lesson 12.

    Example:
        >>> schedule = NoiseSchedule("linear", 1000)
        >>> q_sample(schedule, torch.ones(1, 1), 999, torch.zeros(1, 1)).item() < 0.01
        True
    """
    return _mix(schedule, t, x0, eps, 1, 1)


def x0_from_eps(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """The clean image that x_t hides if its noise is eps: (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar)."""
    same_shape(x_t, eps)
    alpha_bar = schedule.alpha_bar_at(t, x_t)
    return ((x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()).to(x_t.dtype)


def eps_from_x0(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, x0: Tensor) -> Tensor:
    """The noise in x_t if its clean image is x0: (x_t - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar). Not for t = -1."""
    same_shape(x_t, x0)
    alpha_bar = schedule.alpha_bar_at(t, x_t)
    return ((x_t - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()).to(x_t.dtype)


def v_from_x0_eps(schedule: NoiseSchedule, x0: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """The velocity v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0 (Salimans and Ho 2022, app. D).

    It is the derivative of x_t along the angle whose cosine is sqrt(alpha_bar): where x_t goes as noise is added.
    Unlike x0 and eps it stays well determined at both ends.
    """
    return _mix(schedule, t, eps, x0, 1, -1)


def x0_from_v(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, v: Tensor) -> Tensor:
    """The clean image that x_t hides if its velocity is v: sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v."""
    return _mix(schedule, t, x_t, v, 1, -1)


def eps_from_v(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, v: Tensor) -> Tensor:
    """The noise in x_t if its velocity is v: sqrt(alpha_bar) v + sqrt(1 - alpha_bar) x_t."""
    return _mix(schedule, t, v, x_t, 1, 1)


def v_from_eps(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """The velocity of x_t if its noise is eps: (eps - sqrt(1 - alpha_bar) x_t) / sqrt(alpha_bar)."""
    same_shape(x_t, eps)
    alpha_bar = schedule.alpha_bar_at(t, x_t)
    return ((eps - (1 - alpha_bar).sqrt() * x_t) / alpha_bar.sqrt()).to(x_t.dtype)


def v_from_x0(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, x0: Tensor) -> Tensor:
    """The velocity of x_t if its image is x0: (sqrt(alpha_bar) x_t - x0) / sqrt(1 - alpha_bar). Not for t = -1."""
    same_shape(x_t, x0)
    alpha_bar = schedule.alpha_bar_at(t, x_t)
    return ((alpha_bar.sqrt() * x_t - x0) / (1 - alpha_bar).sqrt()).to(x_t.dtype)


PREDICTIONS = ("eps", "x0", "v")


def to_eps(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor, output: Tensor, prediction: str) -> Tensor:
    """The noise that a network's output stands for.

    Args:
        schedule: Gives alpha_bar.
        x_t: Noisy images (B, ...).
        t: A timestep, or one an image (B,).
        output: What the network said, the same shape as x_t.
        prediction: What that means: "eps", "x0" or "v" (diffusers: "epsilon", "sample", "v_prediction").

    Returns:
        eps_hat, the same shape.

    Raises:
        ValueError: An unknown prediction, other shapes, or t out of range.

    Taught in lesson 12.
    """
    if prediction not in PREDICTIONS:
        raise ValueError(f"prediction is {prediction!r}: use one of {', '.join(PREDICTIONS)}.")
    if prediction == "eps":
        return output
    return (eps_from_x0 if prediction == "x0" else eps_from_v)(schedule, x_t, t, output)


def _mix(schedule, t, a: Tensor, b: Tensor, sign_a: int, sign_b: int) -> Tensor:
    """sign_a sqrt(alpha_bar) a + sign_b sqrt(1 - alpha_bar) b."""
    same_shape(a, b)
    alpha_bar = schedule.alpha_bar_at(t, a)
    return (sign_a * alpha_bar.sqrt() * a + sign_b * (1 - alpha_bar).sqrt() * b).to(a.dtype)
