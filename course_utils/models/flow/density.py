"""The density that a flow gives to data: noise is thinned out or crowded as it is carried along. Lesson 14."""

import math

import torch
from torch import Tensor

from course_utils.inputs import at_least_one
from course_utils.models.flow.paths import Velocity
from course_utils.models.flow.steps import flow_times


def divergence(velocity: Velocity, x: Tensor, t: Tensor, *, probes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """How fast a flow spreads its points apart at each place, the trace of the velocity's Jacobian.

    div v = sum_d d v_d / d x_d; or with probes, Hutchinson's estimate, the mean of e^T J e over probes e

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...); no example may influence another.
        x: Places (B, ...).
        t: Times (B,).
        probes: Random signs or N(0, 1), (P, B, ...), for an estimate whose cost does not grow with the numbers of a
            point. None computes it exactly, at one backward pass for each number of a point.

    Returns:
        The velocity (B, ...) and its divergence (B,), in 1 / time. A batch may be empty.

    Raises:
        ValueError: Probes of another shape, or a velocity that depends on x but is computed without gradients.

    Source: Chen et al. 2018 (arXiv:1806.07366), sec. 4; Grathwohl et al. 2019 (arXiv:1810.01367), sec. 3.1. Taught in
    lesson 14.

    Example:
        >>> v, spread = divergence(lambda x, t: x * torch.tensor([3.0, -1.0]), torch.ones(2, 2), torch.zeros(2))
        >>> spread
        tensor([2., 2.])
    """
    if probes is not None and (probes.ndim != x.ndim + 1 or probes.shape[1:] != x.shape or not len(probes)):
        raise ValueError(
            f"probes have shape {tuple(probes.shape)}: for points of shape {tuple(x.shape)} give (P, "
            f"{', '.join(map(str, x.shape))})."
        )
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        v = velocity(x, t)
        total = x.new_zeros(len(x))
        if not v.requires_grad:  # the same velocity everywhere, or PyTorch was told to forget where it comes from
            moved = x.detach() + torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
            if not torch.equal(velocity(moved, t), v):
                raise ValueError(
                    "the velocity changes from place to place, but it is computed without gradients, which its "
                    "divergence needs: remove torch.no_grad, torch.inference_mode or .detach() from it."
                )
            return v, total
        if probes is None:
            for d in range(math.prod(x.shape[1:])):
                (row,) = torch.autograd.grad(v.flatten(1)[:, d].sum(), x, retain_graph=True, allow_unused=True)
                if row is not None:
                    total = total + row.flatten(1)[:, d]
        else:
            for probe in probes:
                (product,) = torch.autograd.grad(v, x, probe, retain_graph=True, allow_unused=True)
                if product is not None:
                    total = total + (product * probe).flatten(1).sum(1) / len(probes)
    return v.detach(), total.detach()


def log_density(
    velocity: Velocity, x1: Tensor, *, steps: int = 100, probes: int = 0, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Log-density of data under a flow from N(0, I): back to the noise, and what was thinned out or crowded on the way.

    log p(x1) = log N(x0; 0, I) - integral over t of div velocity(x_t, t), x0 the noise that x1 comes from

    Steps are of Heun's method; double them to see what they get wrong.

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...).
        x1: Data (B, ...), as the velocity knows them: standardised ones have a density of their own. That of codes is
            smaller by sum log code_std.
        steps: Steps of the way back, each two evaluations.
        probes: 0 for the exact divergence, at one backward pass for each number of a point; else so many random signs a
            point, the same all the way, for Hutchinson's estimate.
        generator: Source of the signs, on x1's device; None is the global one.

    Returns:
        log p(x1) in nats, (B,), summed over the numbers of a point; and the noise x0, the shape of x1.

    Raises:
        ValueError: A number out of range, or a velocity that is computed without gradients.

    Source: Chen et al. 2018 (arXiv:1806.07366), theorem 1; Grathwohl et al. 2019 (arXiv:1810.01367), algorithm 1.
    Taught in lesson 14.

    Example:
        >>> still = lambda x, t: 0 * x  # data are N(0, I) too
        >>> log_density(still, torch.zeros(1, 2), steps=2)[0]
        tensor([-1.8379])
    """
    if probes < 0:
        raise ValueError(f"probes is {probes}: give 0 for the exact divergence, or a number of random signs.")
    at_least_one(steps=steps)
    signs = None
    if probes:
        signs = torch.empty(probes, *x1.shape, dtype=torch.float32, device=x1.device).uniform_(generator=generator)
        signs = torch.where(signs < 0.5, -1.0, 1.0).to(x1)
    x, gathered = x1.detach(), x1.new_zeros(len(x1))
    times = flow_times(steps).double().flip(0).tolist()
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        dt = t_next - t  # below 0
        v, spread = divergence(velocity, x, x.new_full((len(x),), t), probes=signs)
        v_next, spread_next = divergence(velocity, x + dt * v, x.new_full((len(x),), t_next), probes=signs)
        x = x + dt * (v + v_next) / 2
        gathered = gathered + dt * (spread + spread_next) / 2  # minus the integral from 0 to 1
    noise = -0.5 * (x.square() + math.log(2 * math.pi)).flatten(1).sum(1)
    return noise + gathered, x
