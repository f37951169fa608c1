"""What to do with the codes of a GAN: find one for an image, and keep drawn ones away from the rim. Lesson 10."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from course_utils.inputs import at_least_float32, numbers
from course_utils.latents import reading


def invert(
    generator: nn.Module,
    x: Tensor,
    steps: int = 200,
    *,
    lr: float = 0.1,
    restarts: int = 1,
    candidates: int = 256,
    prior: float = 0.0,
    rng: torch.Generator | None = None,
    progress: bool = False,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Find codes whose images are near the given ones: z* = argmin_z ||G(z) - x||**2 + prior ||z||**2, by Adam.

    The search starts at those of ``candidates`` random codes whose images are nearest, and its step length falls to
    zero along half a cosine. It finds a local minimum, and an image that the generator cannot make has no exact code.

    Args:
        generator: A module with ``latent_shape``, codes (B, *latent_shape) to images. It is read in evaluation mode,
            where images do not depend on each other; its weights and its mode are left alone. Where it has
            ``sample_latent``, its candidates are drawn by that, with a CPU generator, else from N(0, I).
        x: Images (B, ...), as the generator makes them.
        steps: Adam steps of each search.
        lr: Its first step length, in units of a code's standard deviation.
        restarts: Searches for each image, from its so many nearest candidates; the best one is returned.
        candidates: Random codes to choose the start from, at least as many as restarts.
        prior: Weight of the squared length of the code; it pulls codes towards the origin, as the density N(0, I) does.
        rng: Source of the candidates, a CPU generator; None draws the same ones each time and uses no global generator.
        progress: Show a progress bar with the mean squared error of a pixel.
        on_step: Called as on_step(step, error) after each step, from 1, with the mean squared error of each image's
            pixels, (restarts, B), before it; for a curve, or to keep images on the way.

    Returns:
        Codes (B, *latent_shape), without gradient.

    Raises:
        ValueError: A count below 1, or more restarts than candidates.

    Source: Zhu et al. 2016, sec. 4.1; Creswell and Bharath 2018. Taught in lesson 10.

    Example:
        >>> from course_utils.models.gan import Generator
        >>> generator = Generator(4, hidden=8).eval()
        >>> invert(generator, generator(torch.zeros(2, 4)), steps=3).shape
        torch.Size([2, 4])
    """
    if min(steps, restarts, candidates) < 1 or restarts > candidates:
        raise ValueError(
            f"steps is {steps}, restarts {restarts} and candidates {candidates}: each must be at least 1, and there "
            "must be as many candidates as restarts."
        )
    if len(numbers(x, "x")) == 0:
        return x.new_zeros(0, *generator.latent_shape)
    # Explorers call this where gradients are switched off.
    with torch.inference_mode(False), torch.enable_grad(), reading(generator):
        x, size = x.detach().clone(), math.prod(x.shape[1:])
        z = _nearest_candidates(generator, x, restarts, candidates, rng).requires_grad_()  # (R, B, *latent_shape)
        optimizer = torch.optim.Adam([z], lr=lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for step in _counted(steps, progress):
            error = _errors(generator, z, x)  # (R, B)
            loss = error.sum() + prior * z.square().sum() / size
            (z.grad,) = torch.autograd.grad(loss, z)  # by the codes only: the weights keep their gradients
            optimizer.step()
            schedule.step()
            if on_step is not None:
                on_step(step + 1, error.detach())
        with torch.no_grad():
            best = (_errors(generator, z, x) + prior * z.flatten(2).square().sum(dim=2) / size).argmin(dim=0)
        return z.detach()[best, torch.arange(len(x), device=x.device)].to(x.dtype)


def _errors(generator: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of the pixels of images of codes (R, B, *latent_shape) against x (B, ...): (R, B)."""
    images = generator(z.flatten(0, 1).to(x.dtype)).unflatten(0, z.shape[:2])
    images, x = at_least_float32(images, x)
    return (images - x).square().flatten(2).mean(dim=2)


@torch.no_grad()
def _nearest_candidates(generator, x: Tensor, restarts: int, candidates: int, rng) -> Tensor:
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    compute = torch.promote_types(x.dtype, torch.float32)  # Adam's tiny would be 0 in float16
    if hasattr(generator, "sample_latent"):
        z = generator.sample_latent(candidates, rng).to(x.device, compute)
    else:
        z = torch.randn(candidates, *generator.latent_shape, generator=rng, dtype=compute).to(x.device)
    images = torch.cat([generator(part.to(x.dtype)).flatten(1) for part in z.split(256)])
    distance = torch.cdist(x.flatten(1).to(compute), images.to(compute))
    nearest = distance.topk(restarts, dim=1, largest=False).indices  # (B, R)
    return z[nearest.T].clone()


def _counted(steps: int, progress: bool) -> Iterator[int]:
    if not progress:
        return iter(range(steps))
    from tqdm.auto import tqdm

    return iter(tqdm(range(steps), desc="inverting", unit="step", mininterval=0.2))


def truncate(z: Tensor, limit: float, *, method: str = "resample", generator: torch.Generator | None = None) -> Tensor:
    """Draws from N(0, I) made into draws from the normal distribution cut off at -limit and limit.

    Fewer rare codes: images that are more alike and, of a good generator, more often good (Brock, Donahue and Simonyan
    2019, sec. 3.1). Each number of the code is treated by itself.

    Args:
        z: Codes drawn from N(0, I), of any shape. They are not changed in place.
        limit: Largest absolute value of the result, in standard deviations; infinity changes nothing.
        method: "resample" keeps the numbers within the limit and draws the others anew, as in the paper. "quantile"
            moves every number to the same quantile of the cut-off distribution, without drawing anything: the result
            follows the limit smoothly, as a slider needs. Both give the same distribution. (Scaling, psi * z with
            0 < psi < 1, is a third truncation, of which StyleGAN uses a form: a narrower normal without a limit.)
        generator: For "resample", source of the new draws, on the device of z; None uses PyTorch's global generator.

    Returns:
        Codes of the same shape, device and type.

    Raises:
        ValueError: limit is not positive, or an unknown method.

    Example:
        >>> truncate(torch.tensor([-3.0, 0.0, 0.5]), 1.0, method="quantile")
        tensor([-0.9962,  0.0000,  0.3337])
    """
    if not limit > 0:
        raise ValueError(f"limit is {limit}: it must be positive, for example 1.0.")
    if method not in ("resample", "quantile"):
        raise ValueError(f"method is {method!r}: use 'resample' or 'quantile'.")
    low, high = torch.special.ndtr(torch.tensor([-limit, limit], dtype=torch.float64)).tolist()
    if method == "resample":
        outside = z.abs() > limit
        compute = torch.promote_types(z.dtype, torch.float32)
        quantile = torch.rand(z.shape, generator=generator, device=z.device, dtype=compute)
    else:
        outside, quantile = torch.ones_like(z, dtype=torch.bool), torch.special.ndtr(*at_least_float32(z))
    drawn = torch.special.ndtri(low + (high - low) * quantile)
    return torch.where(outside, drawn.clamp(-limit, limit).to(z.dtype), z)
