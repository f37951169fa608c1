"""The way of a flow from noise to data: single steps, the loop that takes many, and steps for pictures that are given.

The loops of image to image and of inpainting are the reader's: `renoise` starts the one, `replace_known` goes into the
other. Lesson 14.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.inputs import at_least_one
from course_utils.models.flow.paths import Velocity, flow_matching_pair

METHODS = ("euler", "heun")


def flow_times(steps: int, strength: float = 1.0, *, device: str | torch.device | None = None) -> Tensor:
    """The times of a loop from noise to data, evenly spaced: where each step starts, and 1 at the end.

    With a strength below 1 only the last part of the way is left, for image to image: it starts at 1 - strength, and
    its steps are as long as those of the whole way, or a little shorter where these do not fit evenly.

    Args:
        steps: Steps of the whole way from 0 to 1.
        strength: Share of the way that is gone, above 0 and at most 1.
        device: Where the times are wanted.

    Returns:
        float32 (n + 1,), rising from 1 - strength to 1: n is steps * strength, rounded up to a whole number.

    Raises:
        ValueError: steps is below 1, or strength is out of range.

    Taught in lesson 14.

    Example:
        >>> flow_times(4), flow_times(4, strength=0.5)
        (tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000]), tensor([0.5000, 0.7500, 1.0000]))
    """
    at_least_one(steps=steps)
    _check_strength(strength)
    n = math.ceil(steps * strength - 1e-9)
    return torch.linspace(1 - strength, 1, max(n, 1) + 1, dtype=torch.float32, device=device)


def euler_step(x: Tensor, v: Tensor, dt: float | Tensor) -> Tensor:
    """One step of Euler's method along a velocity: x + dt v.

    Args:
        x: Points (B, ...).
        v: Their velocities, the same shape.
        dt: Length of the step in time: positive towards data, negative towards noise. One number, or (B,).

    Returns:
        The points after the step, the same shape.

    Raises:
        ValueError: Shapes that do not match.

    Taught in lesson 14.

    Example:
        >>> euler_step(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 8.0]]), 0.25)
        tensor([[2., 4.]])
    """
    if x.shape != v.shape:
        raise ValueError(f"x has shape {tuple(x.shape)} and v {tuple(v.shape)}: they must be the same.")
    return x + _each(dt, x) * v


def heun_step(velocity: Velocity, x: Tensor, t: float | Tensor, dt: float | Tensor) -> Tensor:
    """One step of Heun's method: a step of Euler's, then again with the mean of the velocities at both its ends.

    v = velocity(x, t);  x + dt (v + velocity(x + dt v, t + dt)) / 2

    Two evaluations of the network. The error of the whole way falls with the square of the number of steps, where that
    of Euler's method falls with the number itself.

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...).
        x: Points (B, ...).
        t: Their time, one number or (B,).
        dt: Length of the step in time, one number or (B,).

    Returns:
        The points after the step, the same shape.

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 1, for its use with diffusion. Taught in lesson 14.

    Example:
        >>> heun_step(lambda x, t: 2 * t[:, None] * torch.ones_like(x), torch.zeros(1, 2), 0.0, 1.0)  # x = t^2
        tensor([[1., 1.]])
    """
    t, dt = (torch.as_tensor(value, dtype=_time_dtype(x), device=x.device).expand(len(x)) for value in (t, dt))
    v = velocity(x, t)
    return euler_step(x, (v + velocity(euler_step(x, v, dt), (t + dt).clamp(0, 1))) / 2, dt)


@torch.no_grad()
def integrate(
    velocity: Velocity,
    x: Tensor,
    *,
    times: Tensor | None = None,
    steps: int = 20,
    method: str = "euler",
    callback: Callable[[float, Tensor], None] | None = None,
    progress: bool = False,
) -> Tensor:
    """Follow a velocity field: from noise to data, or with falling times the way back.

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...).
        x: Where to start: noise (B, ...) unless times say otherwise.
        times: Where each step starts, and where the last one ends, (n + 1,) in [0, 1]; by default `flow_times(steps)`.
            Reversed, ``flow_times(steps).flip(0)``, they lead from data to noise.
        steps: Number of steps where no times are given.
        method: "euler" or "heun"; the latter evaluates the network twice a step.
        callback: Called after each step as callback(t, x_t).
        progress: Show a progress bar.

    Returns:
        Where the way ends, the shape of x.

    Raises:
        ValueError: An unknown method, or fewer than two times.

    Taught in lesson 14.

    Example:
        >>> integrate(lambda x, t: torch.full_like(x, 3.0), torch.zeros(1, 2), steps=4)
        tensor([[3., 3.]])
    """
    check_method(method)
    times = flow_times(steps) if times is None else times
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"times have shape {tuple(times.shape)}: give where each step starts and where the last ends.")
    pairs = list(zip(times[:-1].tolist(), times[1:].tolist(), strict=True))
    if progress:
        from tqdm.auto import tqdm

        pairs = tqdm(pairs, desc="following the flow", unit="step", mininterval=0.2)
    for t, t_next in pairs:
        if method == "heun":
            x = heun_step(velocity, x, t, t_next - t)
        else:
            x = euler_step(x, velocity(x, torch.full((len(x),), t, dtype=_time_dtype(x), device=x.device)), t_next - t)
        if callback is not None:
            callback(t_next, x)
    return x


def renoise(x1: Tensor, x0: Tensor, strength: float) -> Tensor:
    """Where image to image starts: data mixed with noise, further back on the path the greater the strength.

    x_t = strength x0 + (1 - strength) x1, at the time t = 1 - strength

    From there the loop goes on over ``flow_times(steps, strength)``.

    Args:
        x1: Data (B, ...).
        x0: Noise from N(0, I), the same shape.
        strength: Above 0 and at most 1: a small one changes details, 1 forgets the data.

    Returns:
        Points (B, ...).

    Raises:
        ValueError: strength out of range, or shapes that differ.

    Source: Meng et al. 2022 (SDEdit, arXiv:2108.01073), sec. 3. Taught in lesson 14.

    Example:
        >>> renoise(torch.full((1, 2), 8.0), torch.zeros(1, 2), 0.25)
        tensor([[6., 6.]])
    """
    _check_strength(strength)
    return flow_matching_pair(x0, x1, 1 - strength)[0]


def replace_known(x_t: Tensor, x1: Tensor, known: Tensor, t: float | Tensor, x0: Tensor) -> Tensor:
    """A step of inpainting: what is known is put back, re-noised to the level of the step.

    where known: (1 - t) x0 + t x1, else x_t

    It comes after each step of the loop, so that the rest can fit itself to it. The known part has to be as noisy as
    the rest: put back clean, it looks like nothing that the network was trained on.

    Args:
        x_t: Points (B, ...) at the time t.
        x1: Data that are known, the same shape; what they are where known is False does not matter, but it must be
            finite.
        known: bool, True where data are known; of a shape that broadcasts to x_t: (B, 1, H, W) for codes (B, C, H, W).
        t: Where the step has ended, one number or (B,). At 1 the known part is x1 itself.
        x0: Noise from N(0, I), the same shape; the same in all steps, so that the known part moves on a straight path.

    Returns:
        Points, the same shape.

    Raises:
        TypeError: known is not bool.
        ValueError: Shapes that do not match.

    Source: Lugmayr et al. 2022 (RePaint, arXiv:2201.09865), eq. 8, for diffusion. Taught in lesson 14.

    Example:
        >>> x_t, noise, data = torch.zeros(1, 2), torch.ones(1, 2), torch.full((1, 2), 5.0)
        >>> replace_known(x_t, data, torch.tensor([[True, False]]), 0.5, noise)
        tensor([[3., 0.]])
    """
    if not isinstance(known, Tensor) or known.dtype != torch.bool:
        kind = known.dtype if isinstance(known, Tensor) else type(known).__name__
        raise TypeError(f"known is {kind} but must be a tensor of bool, True where the data are known.")
    noisy, _ = flow_matching_pair(x0, x1, t)
    ends = zip(known.shape[::-1], x_t.shape[::-1], strict=False)
    fits = known.ndim <= x_t.ndim and all(mine in (1, theirs) for mine, theirs in ends)
    if x_t.shape != noisy.shape or not fits:
        shapes = f"x_t has shape {tuple(x_t.shape)}, x1 {tuple(x1.shape)} and known {tuple(known.shape)}"
        raise ValueError(f"{shapes}: x_t and x1 must be the same, and known must broadcast to them.")
    return torch.where(known, noisy, x_t)


def check_method(method: str) -> None:
    """Raise one clear error unless this is a method of integration.

    Example:
        >>> check_method("heun")
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: use one of {', '.join(METHODS)}.")


def _check_strength(strength: float) -> None:
    if not 0 < strength <= 1:
        raise ValueError(f"strength is {strength}: it goes from just above 0, hardly a change, to 1, all new.")


def _time_dtype(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _each(dt: float | Tensor, x: Tensor) -> float | Tensor:
    if not isinstance(dt, Tensor):
        return dt
    if dt.ndim > 1 or (dt.ndim == 1 and len(dt) != len(x)):
        raise ValueError(f"dt has shape {tuple(dt.shape)}: give one number, or {len(x)} for a batch of {len(x)}.")
    return dt.to(x).reshape(-1, *[1] * (x.ndim - 1))
