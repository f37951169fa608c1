"""How straight the paths of a flow are, and pairs to make them straighter. Lesson 14."""

import torch
from torch import Tensor

from course_utils.inputs import at_least_float32, at_least_one
from course_utils.models.flow.flow import FlowModel
from course_utils.models.flow.paths import Velocity
from course_utils.models.flow.steps import flow_times, integrate


@torch.no_grad()
def straightness(velocity: Velocity, x0: Tensor, *, steps: int = 100, method: str = "euler") -> Tensor:
    """How far the paths of a flow are from straight lines of even speed.

    S = integral over t of |(z1 - z0) - velocity(z_t, t)|^2, z the path that starts at x0

    Where it is 0, a single step of Euler's method is exact. The converse does not hold: a path may bend and still end
    where its first velocity points. The straight paths of the training pairs are not the paths of the flow: where they
    cross, the flow takes their mean and bends.

    It is the straightness of the path that these steps take, so take many: a path of one step is straight, whatever
    the velocity.

    Args:
        velocity: Function of (x_t (B, ...), t (B,)) that gives velocities (B, ...).
        x0: Noise (B, ...), where the paths start.
        steps: Steps of the path, at least 2, over which the integral is a mean: velocities at the start of each.
        method: "euler" or "heun".

    Returns:
        S of each path, (B,): summed over the numbers of a point, in squared units of the data. Divide by the mean of
        |z1 - z0|^2 to compare spaces.

    Raises:
        ValueError: Fewer than 2 steps, or an unknown method.

    Source: Liu et al. 2023 (arXiv:2209.03003), sec. 2. Taught in lesson 14.

    Example:
        >>> straightness(lambda x, t: torch.ones_like(x), torch.randn(3, 2)).abs().max() < 1e-6
        tensor(True)
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}: a path of one step is straight, whatever the velocity. Take 100.")
    times, path = flow_times(steps, device=x0.device), [x0]
    end = integrate(velocity, x0, times=times, method=method, callback=lambda t, x: path.append(x))
    total = x0.new_zeros(len(x0), dtype=torch.promote_types(x0.dtype, torch.float32))
    for t, x in zip(times[:-1], path[:-1], strict=True):
        v, along = at_least_float32(velocity(x, t.to(total.dtype).expand(len(x))), end - x0)
        total += (along - v).square().flatten(1).sum(1)
    return total / steps


@torch.no_grad()
def reflow_pairs(
    model: FlowModel, n: int, *, condition: Tensor | None = None, guidance: float = 1.0, steps: int = 50,
    method: str = "heun", generator: torch.Generator | None = None, batch_size: int = 1000,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Noise, and what a flow makes of it: pairs whose straight lines cross less, to train the next flow on.

    Train it with ``model.loss_of_data(x1, condition, x0=x0)``: the same loss, but noise and data belong together. It
    makes the same data in fewer steps; what the first flow got wrong, it gets wrong too.

    Args:
        model: The flow, in evaluation mode.
        n: How many pairs.
        condition: One for each pair, (n,) classes or (n, C) vectors; None is any.
        guidance: Strength of classifier-free guidance.
        steps: Steps of the way; many, for its errors become part of the pairs.
        method: "euler" or "heun".
        generator: Source of the noise, on the model's device; None is the global one.
        batch_size: Pairs made at a time.

    Returns:
        (x0, x1), both (n, *latent_shape) on the model's device; x1 is standardised data, as `loss_of_data` takes it.

    Raises:
        ValueError: A number below 1, or not one condition a pair.

    Source: Liu et al. 2023 (arXiv:2209.03003), sec. 2. Taught in lesson 14.

    Example:
        >>> x0, x1 = reflow_pairs(FlowModel(2, hidden=8), 5, steps=3)
        >>> x0.shape, x1.shape
        (torch.Size([5, 2]), torch.Size([5, 2]))
    """
    at_least_one(n=n, batch_size=batch_size)
    if condition is not None and len(condition) != n:
        raise ValueError(f"there are {len(condition)} conditions for {n} pairs: give one a pair.")
    x0, made = model.sample_latent(n, generator), []
    for first in range(0, n, batch_size):
        part = slice(first, first + batch_size)
        view = model.given(None if condition is None else condition[part], guidance, steps=steps, method=method)
        made.append(integrate(view.velocity, x0[part], times=flow_times(steps, device=x0.device), method=method))
    return x0, torch.cat(made)
