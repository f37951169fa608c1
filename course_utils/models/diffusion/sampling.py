"""The way back from noise: one DDPM or DDIM step as a pure function, and the loops that take many. Lesson 12."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.inputs import at_least_float32
from course_utils.models.diffusion.noise_schedule import NoiseSchedule, eps_from_x0, x0_from_eps

Predictor = Callable[[Tensor, Tensor], Tensor]  # (x_t (B, ...), t (B,)) -> eps_hat (B, ...)


def guide(eps_null: Tensor, eps_label: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance: go from what the network says of any image towards what it says of the class, and on.

    eps_null + guidance * (eps_label - eps_null)

    Args:
        eps_null: Prediction for the null class.
        eps_label: Prediction for the wanted class.
        guidance: 0 ignores the class, 1 is the conditional prediction, more exaggerates the class. (Ho and Salimans'
            own w is guidance - 1.)

    Returns:
        The guided prediction, the same shape.

    Source: Ho and Salimans 2022, eq. 6. Taught in lesson 12.

    Example:
        >>> guide(torch.tensor(1.0), torch.tensor(2.0), 3.0)
        tensor(4.)
    """
    return eps_null + guidance * (eps_label - eps_null)


def ddim_step(
    schedule: NoiseSchedule,
    x_t: Tensor,
    t: int | Tensor,
    eps_hat: Tensor,
    t_prev: int | Tensor,
    *,
    eta: float = 0.0,
    noise: Tensor | None = None,
    clip: float | None = None,
) -> Tensor:
    """One step of DDIM, from timestep t to a less noisy t_prev.

    x0_hat = (x_t - sqrt(1 - alpha_bar[t]) eps_hat) / sqrt(alpha_bar[t])
    sigma = eta sqrt((1 - alpha_bar[t_prev]) / (1 - alpha_bar[t])) sqrt(1 - alpha_bar[t] / alpha_bar[t_prev])
    x_prev = sqrt(alpha_bar[t_prev]) x0_hat + sqrt(1 - alpha_bar[t_prev] - sigma**2) eps_hat + sigma noise

    With eta = 0 the same formula also goes the other way, to a noisier t_prev: that is a step of DDIM inversion.

    Args:
        schedule: Gives alpha_bar.
        x_t: Noisy images (B, ...).
        t: Where they are: a timestep, or one an image (B,), 0 to T-1 (-1 where the step goes away from clean images).
        eps_hat: The network's estimate of their noise, the same shape.
        t_prev: Where to go; -1 is the clean image, where alpha_bar is 1. After t = 0 nothing else is left.
        eta: 0 is deterministic, 1 adds as much noise as DDPM.
        noise: From N(0, I), the same shape; needed where eta is above 0.
        clip: Keep x0_hat within [-clip, clip], and change eps_hat so that it still fits x_t. None leaves it.

    Returns:
        x_{t_prev}, the same shape.

    Raises:
        ValueError: eta outside [0, 1], noise missing, eta above 0 on a step towards more noise, or t out of range.

    Source: Song, Meng and Ermon 2021, eqs. 12 and 16. Taught in lesson 12.

    Example:
        >>> schedule = NoiseSchedule("cosine", 1000)
        >>> x0, eps = torch.full((1, 2), 0.5), torch.ones(1, 2)
        >>> x_t = schedule.alpha_bar[700].sqrt() * x0 + (1 - schedule.alpha_bar[700]).sqrt() * eps
        >>> ddim_step(schedule, x_t, 700, eps, -1)
        tensor([[0.5000, 0.5000]])
    """
    _check_noise(eta, noise)
    dtype, (x_t, eps_hat) = x_t.dtype, at_least_float32(x_t, eps_hat)
    x0_hat, eps_hat = _clipped(schedule, x_t, t, eps_hat, clip)
    here, there = schedule.alpha_bar_at(t, x_t), schedule.alpha_bar_at(t_prev, x_t)
    if eta == 0:
        return (there.sqrt() * x0_hat + (1 - there).sqrt() * eps_hat).to(dtype)
    if (there < here).any():
        raise ValueError(
            "t_prev is noisier than t, and with eta above 0 a step only goes towards the image: take eta=0."
        )
    sigma = eta * ((1 - there) / (1 - here)).sqrt() * (1 - here / there).sqrt()
    x_prev = there.sqrt() * x0_hat + (1 - there - sigma**2).clamp(min=0).sqrt() * eps_hat + sigma * noise
    return x_prev.to(dtype)


def ddpm_step(
    schedule: NoiseSchedule,
    x_t: Tensor,
    t: int | Tensor,
    eps_hat: Tensor,
    t_prev: int | Tensor | None = None,
    *,
    noise: Tensor | None = None,
    clip: float | None = None,
    variance: str = "small",
) -> Tensor:
    """One step of DDPM: draw x_{t_prev} from q(x_{t_prev} | x_t, x0_hat).

    alpha = alpha_bar[t] / alpha_bar[t_prev] and beta = 1 - alpha, which for t_prev = t - 1 are alphas[t] and betas[t];
    mean = sqrt(alpha_bar[t_prev]) beta / (1 - alpha_bar[t]) x0_hat
           + sqrt(alpha) (1 - alpha_bar[t_prev]) / (1 - alpha_bar[t]) x_t
    variance = beta (1 - alpha_bar[t_prev]) / (1 - alpha_bar[t]), "small", or beta, "large"

    Args:
        schedule: Gives alpha_bar.
        x_t: Noisy images (B, ...).
        t: Where they are: a timestep, or one an image (B,), 0 to T-1.
        eps_hat: The network's estimate of their noise, the same shape.
        t_prev: Where to go; by default t - 1. -1 is the clean image, where alpha_bar is 1 and no noise is added.
        noise: From N(0, I), the same shape. None gives the mean.
        clip: Keep x0_hat within [-clip, clip]. None leaves it.
        variance: "small" is the posterior's variance, right if the data were one point; "large" is right for N(0, I).

    Returns:
        x_{t_prev}, the same shape.

    Raises:
        ValueError: An unknown variance, t_prev not below t, or t out of range.

    Source: Ho, Jain and Abbeel 2020, eqs. 6, 7 and algorithm 2. Taught in lesson 12.
    """
    if variance not in ("small", "large"):
        raise ValueError(f"variance is {variance!r}: use 'small' or 'large'.")
    t_prev = t - 1 if t_prev is None else t_prev
    if (torch.as_tensor(t_prev) >= torch.as_tensor(t)).any():
        raise ValueError("t_prev is not below t: a DDPM step goes towards the image, and from t = 0 to t_prev = -1.")
    dtype, (x_t, eps_hat) = x_t.dtype, at_least_float32(x_t, eps_hat)
    x0_hat, _ = _clipped(schedule, x_t, t, eps_hat, clip)
    here, there = schedule.alpha_bar_at(t, x_t), schedule.alpha_bar_at(t_prev, x_t)
    alpha = here / there
    mean = there.sqrt() * (1 - alpha) / (1 - here) * x0_hat + alpha.sqrt() * (1 - there) / (1 - here) * x_t
    if noise is None:
        return mean.to(dtype)
    spread = (1 - alpha) * ((1 - there) / (1 - here) if variance == "small" else (there < 1).to(there))
    return (mean + spread.sqrt() * noise).to(dtype)


@torch.no_grad()
def sample(
    schedule: NoiseSchedule,
    predict: Predictor,
    x_T: Tensor,
    *,
    steps: int = 20,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    clip: float | None = None,
    spacing: str = "trailing",
    callback: Callable[[int, Tensor, Tensor], None] | None = None,
    progress: bool = False,
) -> Tensor:
    """From noise to data by DDIM, or with eta = 1 and steps = T by DDPM.

    Args:
        schedule: The noise schedule that the network was trained with.
        predict: Function of (x_t (B, ...), t (B,)) that estimates the noise eps_hat (B, ...).
        x_T: Noise from N(0, I), (B, ...).
        steps: Evaluations of the network.
        eta: 0 gives the same result for the same x_T; above 0 new noise is added at every step.
        generator: Source of that noise, on x_T's device.
        clip: As for `ddim_step`.
        spacing: As for `NoiseSchedule.timesteps`.
        callback: Called after each step as callback(t_prev, x_{t_prev}, x0_hat).
        progress: Show a progress bar.

    Returns:
        Samples, the shape of x_T.

    Source: Song, Meng and Ermon 2021. Taught in lesson 12.

    Example:
        >>> schedule = NoiseSchedule("cosine", 1000)
        >>> at_zero = lambda x_t, t: x_t / (1 - schedule.alpha_bar_at(t, x_t)).sqrt()  # if all data were 0
        >>> sample(schedule, at_zero, torch.randn(3, 2), steps=10).abs().max() < 1e-3
        tensor(True)
    """
    times = schedule.timesteps(steps, spacing).tolist()
    x = x_T
    for t, t_prev in _steps(times, [*times[1:], -1], progress, "sampling"):
        eps_hat = predict(x, _repeat(t, x))
        noise = torch.empty_like(x).normal_(generator=generator) if eta > 0 else None
        x_prev = ddim_step(schedule, x, t, eps_hat, t_prev, eta=eta, noise=noise, clip=clip)
        if callback is not None:
            callback(t_prev, x_prev, _clipped(schedule, x, t, eps_hat, clip)[0])
        x = x_prev
    return x


@torch.no_grad()
def invert(
    schedule: NoiseSchedule,
    predict: Predictor,
    x0: Tensor,
    *,
    steps: int = 20,
    refine: int = 0,
    spacing: str = "trailing",
    progress: bool = False,
) -> Tensor:
    """From data to the noise that `sample` makes it from: DDIM backwards.

    A step from t to the noisier t_next needs the noise estimate at t_next, where we are not yet. The usual inversion
    takes the estimate at the point where we are instead, so sampling from what it finds does not quite return. Each
    refinement takes the step that `sample` would take from the point found, and mends the point by what it misses:
    x_next <- x_next + (x - ddim_step(x_next, t_next, eps_hat(x_next, t_next), t)). Where this settles, the inversion is
    exact; with very few steps it need not settle.

    Args:
        schedule: The noise schedule that the network was trained with.
        predict: Function of (x_t (B, ...), t (B,)) that estimates the noise eps_hat (B, ...).
        x0: Data (B, ...), scaled as in training.
        steps: As many as `sample` will take.
        refine: Refinements of each step; one evaluation of the network each.
        spacing: As for `NoiseSchedule.timesteps`.
        progress: Show a progress bar.

    Returns:
        Noise x_T, the shape of x0.

    Source: Song, Meng and Ermon 2021, sec. 4.3, without the refinements. Taught in lesson 12.
    """
    if refine < 0:
        raise ValueError(f"refine is {refine}: refinements can be counted from 0.")
    times = schedule.timesteps(steps, spacing).flip(0).tolist()
    x = x0
    for t, t_next in _steps([-1, *times[:-1]], times, progress, "inverting"):
        many = _repeat(t_next, x)
        x_next = ddim_step(schedule, x, t, predict(x, many), t_next)
        for _ in range(refine):
            x_next = x_next + x - ddim_step(schedule, x_next, t_next, predict(x_next, many), t)
        x = x_next
    return x


def _clipped(schedule, x_t: Tensor, t, eps_hat: Tensor, clip: float | None) -> tuple[Tensor, Tensor]:
    """x0_hat and the noise that goes with it."""
    x0_hat = x0_from_eps(schedule, x_t, t, eps_hat)
    if clip is None:
        return x0_hat, eps_hat
    x0_hat = x0_hat.clamp(-clip, clip)
    return x0_hat, eps_from_x0(schedule, x_t, t, x0_hat)


def _check_noise(eta: float, noise: Tensor | None) -> None:
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}: it goes from 0, no new noise, to 1, as much as DDPM adds.")
    if eta > 0 and noise is None:
        raise ValueError(f"eta is {eta}, so the step adds new noise: give it as noise=torch.randn_like(x_t).")


def _repeat(t: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), t, device=x.device)


def _steps(times: list[int], targets: list[int], progress: bool, what: str):
    pairs = list(zip(times, targets, strict=True))
    if progress:
        from tqdm.auto import tqdm

        return tqdm(pairs, desc=what, unit="step", mininterval=0.2)
    return pairs
