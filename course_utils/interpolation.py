"""Straight and spherical interpolation between latent codes."""

from functools import partial

import torch
from torch import Tensor

from course_utils.inputs import as_tensor


def _checked(z_a: Tensor, z_b: Tensor, weight: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The ends as tensors and the weight, in at least float32: 16 bits are too coarse for weights and small angles."""
    z_a, z_b = as_tensor(z_a, "z_a"), as_tensor(z_b, "z_b")
    if z_a.shape != z_b.shape:
        raise ValueError(f"z_a has shape {tuple(z_a.shape)} and z_b {tuple(z_b.shape)}: give two codes of one shape.")
    if not (z_a.is_floating_point() and z_b.is_floating_point()):
        raise TypeError(f"codes must be floating-point tensors, not {z_a.dtype} and {z_b.dtype}: call .float() first.")
    if z_a.dtype != z_b.dtype:
        raise TypeError(f"z_a and z_b are {z_a.dtype} and {z_b.dtype}: give two codes of one dtype, z_b.to(z_a.dtype).")
    compute = torch.promote_types(z_a.dtype, torch.float32)
    weight = as_tensor(weight, "weight").to(z_a.device, compute)
    if weight.ndim > 1:
        raise ValueError(f"weight has shape {tuple(weight.shape)}: give one number, or a vector of K numbers.")
    return z_a, z_b, weight


def lerp(z_a: Tensor, z_b: Tensor, weight: float | Tensor) -> Tensor:
    """Point on the straight line from z_a to z_b.

    z(w) = (1 - w) z_a + w z_b

    Args:
        z_a: Start, any shape; a tensor or a NumPy array.
        z_b: End, the same shape.
        weight: w, one number or a vector (K,). 0 gives z_a and 1 gives z_b, both exactly.

    Returns:
        Shape of z_a; for a vector of weights, (K, *shape of z_a).

    Raises:
        ValueError: The shapes differ, or weight has more than one dimension.
        TypeError: The codes are not floating point, or not of one dtype.

    Example:
        >>> lerp(torch.zeros(2), torch.tensor([2.0, 4.0]), 0.25)
        tensor([0.5000, 1.0000])
    """
    z_a, z_b, weight = _checked(z_a, z_b, weight)
    a, b = z_a.to(weight.dtype), z_b.to(weight.dtype)
    return torch.lerp(a, b, weight.reshape([*weight.shape, *[1] * a.ndim])).to(z_a.dtype)


def slerp(z_a: Tensor, z_b: Tensor, weight: float | Tensor, *, batch_dims: int | None = None) -> Tensor:
    """Point on the arc from z_a to z_b: the direction turns at constant speed, the norm changes linearly.

    z(w) = r(w) [ sin((1 - w) theta) u_a + sin(w theta) u_b ] / sin(theta)        (Shoemake 1985, sec. 3.3)

    with u = z / |z|, theta the angle between u_a and u_b, and r(w) = (1 - w) |z_a| + w |z_b|. For ends of equal
    norm this is the great circle of Shoemake's formula.

    Edge cases, all finite: parallel vectors give `lerp` exactly; if an end is zero it has no direction and the
    result is `lerp`; for antipodal vectors every great circle is a shortest arc, and the one taken goes
    through a fixed direction perpendicular to z_a. Vectors of one number have no arc between them and give `lerp`.
    The ends themselves are exact.

    Args:
        z_a: Start: one vector (D,), or a batch (B, ...) in which everything after B is one vector.
        z_b: End, the same shape.
        weight: w, one number or a vector (K,).
        batch_dims: How many leading dimensions count examples; default 0 for a vector, else 1.

    Returns:
        Shape of z_a; for a vector of weights, (K, *shape of z_a).

    Raises:
        ValueError: The shapes differ, or weight has more than one dimension.
        TypeError: The codes are not floating point, or not of one dtype.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
        tensor([0.7071, 0.7071])
    """
    z_a, z_b, weight = _checked(z_a, z_b, weight)
    if z_a.ndim == 0:
        raise ValueError("z_a is a single number, which has no direction: give a vector of shape (D,) at least.")
    batch_dims = min(z_a.ndim - 1, 1) if batch_dims is None else batch_dims
    compute = weight.dtype
    a, b = (z.to(compute).flatten(batch_dims) for z in (z_a, z_b))
    if a.shape[-1] <= 1:
        return lerp(z_a, z_b, weight)
    w = weight.reshape(*weight.shape, *[1] * a.ndim)

    zero = (a.abs().amax(-1, keepdim=True) == 0) | (b.abs().amax(-1, keepdim=True) == 0)
    one = torch.zeros_like(a)
    one[..., 0] = 1  # stands in for a vector without direction, so that no branch ever divides by zero
    (u_a, norm_a), (u_b, norm_b) = (_direction_and_norm(torch.where(zero, one, z)) for z in (a, b))

    # Angle from two chords: accurate for small and for nearly opposite angles, where arccos is not.
    tiny = 32 * torch.finfo(compute).eps
    near, far = (u_a - u_b).detach().norm(dim=-1, keepdim=True), (u_a + u_b).detach().norm(dim=-1, keepdim=True)
    parallel, antipodal = zero | (near <= tiny), far <= tiny
    u_b = torch.where(antipodal, _perpendicular(u_a), u_b)  # the arc's midpoint then stands in for its end
    difference, total = torch.where(parallel, one, u_a - u_b), torch.where(parallel, one, u_a + u_b)
    theta = 2 * torch.atan2(difference.norm(dim=-1, keepdim=True), total.norm(dim=-1, keepdim=True))
    turn = torch.where(antipodal, 2 * w, w)  # half a turn is two quarter turns
    arc = (torch.sin((1 - turn) * theta) * u_a + torch.sin(turn * theta) * u_b) / torch.sin(theta)
    length = torch.where(parallel, 1.0, arc.norm(dim=-1, keepdim=True))  # 1, but for rounding near half a turn

    z = torch.where(parallel, torch.lerp(a, b, w), torch.lerp(norm_a, norm_b, w) * arc / length)
    exact = torch.where(w == 0, a, torch.where(w == 1, b, z)).detach()
    z = exact + (z - z.detach())  # the ends to the last digit, with the arc's gradient
    return z.reshape(*weight.shape, *z_a.shape).to(z_a.dtype)


def _direction_and_norm(z: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vector and norm of each vector in the last dimension, also where its squares under- or overflow."""
    scale = z.detach().abs().amax(dim=-1, keepdim=True)
    scaled = z / scale
    length = scaled.norm(dim=-1, keepdim=True)
    return scaled / length, scale * length


def _perpendicular(u: Tensor) -> Tensor:
    """A unit vector perpendicular to each unit vector in the last dimension: its least-aligned axis, straightened."""
    axis = torch.nn.functional.one_hot(u.abs().argmin(dim=-1), u.shape[-1]).to(u.dtype)
    straight = axis - (axis * u).sum(dim=-1, keepdim=True) * u
    return straight / straight.norm(dim=-1, keepdim=True)


def path(z_a: Tensor, z_b: Tensor, steps: int, method: str = "lerp", *, batch_dims: int | None = None) -> Tensor:
    """Evenly weighted points from z_a to z_b, both ends included.

    Args:
        z_a: Start, any shape.
        z_b: End, the same shape.
        steps: Number of points, at least 2.
        method: "lerp" or "slerp".
        batch_dims: As for `slerp`. Give 0 where z_a is one code of several dimensions, such as noise (C, H, W).

    Returns:
        Shape (steps, *shape of z_a).

    Raises:
        ValueError: Fewer than 2 steps, an unknown method, or ends of different shape.

    Example:
        >>> path(torch.zeros(1), torch.ones(1), 3).flatten()
        tensor([0.0000, 0.5000, 1.0000])
    """
    methods = {"lerp": lerp, "slerp": partial(slerp, batch_dims=batch_dims)}
    if method not in methods:
        raise ValueError(f"method is {method!r}: use one of {', '.join(methods)}.")
    if steps < 2:
        raise ValueError(f"steps is {steps}: a path needs at least its 2 ends.")
    z_a = as_tensor(z_a, "z_a")
    compute = torch.promote_types(z_a.dtype, torch.float32)
    return methods[method](z_a, z_b, torch.linspace(0, 1, steps, dtype=compute, device=z_a.device))
