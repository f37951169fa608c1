"""The straight paths that a flow is trained on: pairs, times, the loss, and what a velocity says about both ends.

x0 is noise, x1 is data, t runs from 0 (noise) to 1 (data). Lesson 14.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.inputs import at_least_float32, at_least_one, same_shape
from course_utils.models.diffusion.noise_schedule import NoiseSchedule

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x_t (B, ...), t (B,)) -> velocity (B, ...)
TIMES = ("uniform", "logit_normal")


def time_of(t: float | Tensor, x: Tensor) -> Tensor:
    """Times in a form that multiplies x: (B, 1, ..., 1), or (1, 1, ..., 1) for one number.

    Args:
        t: One number in [0, 1], or one for each of the batch (B,), floats.
        x: Any tensor (B, ...), whose device the result takes, and its dtype, but at least float32.

    Returns:
        t with as many dimensions as x.

    Raises:
        TypeError: t is of whole numbers, such as the timesteps of diffusion.
        ValueError: Not one number or B of them, or some outside [0, 1].

    Example:
        >>> time_of(torch.tensor([0.0, 0.5]), torch.zeros(2, 3, 4, 4)).shape
        torch.Size([2, 1, 1, 1])
    """
    compute = torch.promote_types(x.dtype, torch.float32)
    if isinstance(t, int | float) and not isinstance(t, bool):
        t = torch.tensor(float(t), dtype=compute)  # as_tensor would round it to the default dtype
    t = torch.as_tensor(t, device=x.device)
    if not t.is_floating_point():
        raise TypeError(f"t is {t.dtype}: the time of a flow is a float, 0 for noise and 1 for data.")
    if t.ndim > 1 or (t.ndim == 1 and len(t) != len(x)):
        raise ValueError(f"t has shape {tuple(t.shape)}: give one time, or {len(x)} for a batch of {len(x)}.")
    if not torch.compiler.is_compiling() and t.numel() and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"t reaches from {t.min().item():g} to {t.max().item():g}: it goes from 0, noise, to 1, data.")
    return t.to(compute).reshape(-1, *[1] * (x.ndim - 1))


def flow_matching_pair(x0: Tensor, x1: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
    """A point of the straight path from noise to data, and the velocity there: what a flow is trained with.

    x_t = (1 - t) x0 + t x1,  velocity = d x_t / d t = x1 - x0

    The velocity points from noise to data and is the same along the whole path of this pair. What a network learns is
    the mean over all pairs whose paths pass through x_t, and that changes along the way: the paths of the learned flow
    are curved.

    Args:
        x0: Noise (B, ...), usually from N(0, I).
        x1: Data, the same shape.
        t: Times (B,) in [0, 1], or one number; 0 is noise.

    Returns:
        (x_t, velocity), both of the shape of x1.

    Raises:
        ValueError: Shapes that differ, or t out of range.

    Source: Lipman et al. 2023 (arXiv:2210.02747), eqs. 20 to 23 with sigma_min = 0; Liu et al. 2023
    (arXiv:2209.03003), eq. 1. Taught in lesson 14.

    Example:
        >>> x_t, velocity = flow_matching_pair(torch.zeros(1, 2), torch.tensor([[4.0, 8.0]]), torch.tensor([0.25]))
        >>> x_t, velocity
        (tensor([[1., 2.]]), tensor([[4., 8.]]))
    """
    same_shape(x0, x1)
    at = time_of(t, x1)
    return ((1 - at) * x0 + at * x1).to(x1.dtype), x1 - x0


def draw_times(
    n: int, kind: str = "uniform", *, generator: torch.Generator | None = None,
    device: str | torch.device | None = None,
) -> Tensor:  # fmt: skip
    """Random times to train a flow at.

    "uniform": one from each n-th of [0, 1], in rising order: still uniform, with less variance. So the first example of
    a batch is always near the noise and the last near the data: shuffle the examples anew for each draw, as batches of
    a training are.
    "logit_normal": sigmoid(u), u from N(0, 1): more in the middle, where many paths cross and the velocity is hard to
    learn, and few at the ends.

    Args:
        n: How many.
        kind: "uniform" or "logit_normal".
        generator: Source of randomness, on the device; None is the global one.
        device: Where the times are wanted; the CPU by default.

    Returns:
        float32 (n,), in [0, 1].

    Raises:
        ValueError: Another kind, or n below 1.

    Source: Esser et al. 2024 (arXiv:2403.03206), sec. 3.1, for the logit-normal. Taught in lesson 14.

    Example:
        >>> (draw_times(4) * 4).long()
        tensor([0, 1, 2, 3])
    """
    at_least_one(n=n)
    if kind not in TIMES:
        raise ValueError(f"kind is {kind!r}: use one of {', '.join(TIMES)}.")
    drawn = torch.empty(n, dtype=torch.float32, device=device)
    if kind == "logit_normal":
        return drawn.normal_(generator=generator).sigmoid()
    drawn.uniform_(generator=generator)
    return (torch.arange(n, device=drawn.device) + drawn) / n


def flow_matching_loss(
    velocity: Velocity, x1: Tensor, *, x0: Tensor | None = None, t: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Mean squared error of a velocity field on straight paths from noise to data.

    mean |velocity(x_t, t) - (x1 - x0)|^2 over the batch and all numbers, with x_t = (1 - t) x0 + t x1

    It does not fall to 0: many paths pass through one x_t, and only their mean velocity can be learned.

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...).
        x1: Data (B, ...).
        x0: Their noise, the same shape: for reflow, where pairs belong together. None draws it from N(0, I).
        t: Times (B,) in [0, 1]; None draws them by `draw_times`.
        generator: Source of times and noise, on x1's device; None is the global one.

    Returns:
        A scalar.

    Source: Lipman et al. 2023 (arXiv:2210.02747), eq. 23. Taught in lesson 14.

    Example:
        >>> still = lambda x_t, t: torch.zeros_like(x_t)
        >>> flow_matching_loss(still, torch.full((5, 3), 2.0), x0=torch.ones(5, 3))
        tensor(1.)
    """
    if t is None:
        t = draw_times(len(x1), generator=generator, device=x1.device)
    if x0 is None:
        x0 = torch.empty_like(x1).normal_(generator=generator)
    x_t, wanted = flow_matching_pair(x0, x1, t)
    found, wanted = at_least_float32(velocity(x_t, t), wanted)
    same_shape(found, wanted)
    return (found - wanted).square().mean()


def x1_from_velocity(x_t: Tensor, t: float | Tensor, velocity: Tensor) -> Tensor:
    """The data that x_t leads to if its velocity stays what it is: x_t + (1 - t) velocity. Taught in lesson 14.

    Args:
        x_t: Points (B, ...).
        t: Their times, (B,) in [0, 1], or one number.
        velocity: Velocities there, the same shape as x_t.

    Returns:
        x1_hat, the same shape.

    Example:
        >>> x1_from_velocity(torch.tensor([[1.0, 2.0]]), 0.25, torch.tensor([[4.0, 8.0]]))
        tensor([[4., 8.]])
    """
    same_shape(x_t, velocity)
    return (x_t + (1 - time_of(t, x_t)) * velocity).to(x_t.dtype)


def x0_from_velocity(x_t: Tensor, t: float | Tensor, velocity: Tensor) -> Tensor:
    """The noise that x_t comes from if its velocity was always what it is: x_t - t velocity. Taught in lesson 14.

    Args:
        x_t: Points (B, ...).
        t: Their times, (B,) in [0, 1], or one number.
        velocity: Velocities there, the same shape as x_t.

    Returns:
        x0_hat, the same shape.

    Example:
        >>> x0_from_velocity(torch.tensor([[1.0, 2.0]]), 0.25, torch.tensor([[4.0, 8.0]]))
        tensor([[0., 0.]])
    """
    same_shape(x_t, velocity)
    return (x_t - time_of(t, x_t) * velocity).to(x_t.dtype)


def velocity_from_x1(x_t: Tensor, t: float | Tensor, x1: Tensor) -> Tensor:
    """The velocity of x_t if it leads to x1: (x1 - x_t) / (1 - t). Not for t = 1. Taught in lesson 14.

    Args:
        x_t: Points (B, ...).
        t: Their times, (B,) in [0, 1), or one number.
        x1: Data, the same shape as x_t.

    Returns:
        Velocities, the same shape.

    Raises:
        ValueError: A time is 1, where every velocity leads to the same point.

    Example:
        >>> velocity_from_x1(torch.tensor([[1.0, 2.0]]), 0.25, torch.tensor([[4.0, 8.0]]))
        tensor([[4., 8.]])
    """
    same_shape(x_t, x1)
    at = time_of(t, x_t)
    if (at == 1).any():
        raise ValueError("t is 1: there x_t is the data itself, whatever its velocity was. Take an earlier time.")
    return ((x1 - x_t) / (1 - at)).to(x_t.dtype)


def velocity_from_x0(x_t: Tensor, t: float | Tensor, x0: Tensor) -> Tensor:
    """The velocity of x_t if it comes from the noise x0: (x_t - x0) / t. Not for t = 0. Taught in lesson 14.

    Args:
        x_t: Points (B, ...).
        t: Their times, (B,) in (0, 1], or one number.
        x0: Noise, the same shape as x_t.

    Returns:
        Velocities, the same shape.

    Raises:
        ValueError: A time is 0, where every velocity comes from the same point.

    Example:
        >>> velocity_from_x0(torch.tensor([[1.0, 2.0]]), 0.25, torch.zeros(1, 2))
        tensor([[4., 8.]])
    """
    same_shape(x_t, x0)
    at = time_of(t, x_t)
    if (at == 0).any():
        raise ValueError("t is 0: there x_t is the noise itself, whatever its velocity is. Take a later time.")
    return ((x_t - x0) / at).to(x_t.dtype)


def from_diffusion(schedule: NoiseSchedule, x_t: Tensor, t: int | Tensor) -> tuple[Tensor, Tensor]:
    """Where noisy data of diffusion lie on the straight paths of a flow: the two differ by a scale and a clock.

    With a = sqrt(alpha_bar[t]) and s = sqrt(1 - alpha_bar[t]), diffusion's x_t = a data + s noise becomes
    x_t / (a + s) = time data + (1 - time) noise, where time = a / (a + s)

    With this change a step of Euler's method in a flow and a step of DDIM without noise are the same step.

    Args:
        schedule: Gives alpha_bar.
        x_t: Noisy data of diffusion (B, ...).
        t: Their timesteps, (B,) int64 from -1 (clean data) to T-1, or one.

    Returns:
        The points of the flow, the shape of x_t, and their times (B,) in [0, 1], float32 at least.

    Source: Gao et al. 2024, "Diffusion meets flow matching: two sides of the same coin". Taught in lesson 14.

    Example:
        >>> schedule = NoiseSchedule("cosine", 1000)
        >>> clean, time = from_diffusion(schedule, torch.full((1, 2), 3.0), -1)
        >>> clean, time
        (tensor([[3., 3.]]), tensor([1.]))
    """
    alpha_bar = schedule.alpha_bar_at(t, x_t)
    signal, noise = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    time = (signal / (signal + noise)).flatten().expand(len(x_t))
    return (x_t / (signal + noise)).to(x_t.dtype), time
