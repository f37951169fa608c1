"""How good a path is: even steps, sharp pictures, nearness to the data, and the norms of its codes."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils.inputs import as_tensor, at_least_float32, numbers
from course_utils.latents import nearest_neighbors


class PathQuality(NamedTuple):
    """Four numbers a path, each of shape (): one path, or (P,): P paths. NaN where what it needs was not given.

    Attributes:
        uniformity: Mean step / longest step, 1 for even steps, 1 / (K - 1) if everything happens in one step.
        sharpness: Mean sharpness of the inner images / mean sharpness of the two ends. 1 keeps it.
        distance: Mean distance of the inner images to the nearest image of the data.
        norm: Smallest norm of a code / the norm that lies as far between the norms of the ends. 1 keeps it.
    """

    uniformity: Tensor
    sharpness: Tensor
    distance: Tensor
    norm: Tensor


def step_lengths(points: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Length of each step along a path.

    Args:
        points: (K, ...), or (P, K, ...) with batch_dims=1; everything after K is one vector.
        batch_dims: 0 for one path, 1 for several.

    Returns:
        Euclidean lengths, (K - 1,) or (P, K - 1), in units of the points.

    Raises:
        ValueError: Fewer than 2 points.

    Taught in lesson 13.

    Example:
        >>> step_lengths(torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]]))
        tensor([5., 1.])
    """
    flat = _flat(points, batch_dims, 2)
    return flat.diff(dim=-2).norm(dim=-1)


def sharpness(images: Tensor) -> Tensor:
    """How strong the edges of each image are: the root mean square difference of neighbouring pixels.

    A blurred picture scores lower than the sharp one, and so does a double exposure; noise scores high, so a large
    value alone is no praise.

    Args:
        images: (..., C, H, W), H and W at least 2.

    Returns:
        One value per image, shape (...), in units of a pixel.

    Raises:
        ValueError: Images with fewer than 2 rows or columns.

    Taught in lesson 13.

    Example:
        >>> sharpness(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))  # two differences of four are 1, the others 0
        tensor([0.7071])
    """
    images = numbers(_no_bytes(images), "images")
    if images.ndim < 3 or min(images.shape[-2:]) < 2:
        raise ValueError(f"images have shape {tuple(images.shape)}: give (..., C, H, W) with H and W of at least 2.")
    differences = [images.diff(dim=dim).flatten(-3) for dim in (-1, -2)]
    return torch.cat(differences, dim=-1).square().mean(dim=-1).sqrt()


def norm_profile(codes: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Norms along a path, relative to what lies between the norms of its ends.

    |z_k| / ((1 - w_k) |z_first| + w_k |z_last|),  w_k = k / (K - 1)

    Args:
        codes: (K, ...), or (P, K, ...) with batch_dims=1; everything after K is one vector.
        batch_dims: 0 for one path, 1 for several.

    Returns:
        (K,) or (P, K), without unit: 1 at both ends; 1 everywhere for `slerp`; below 1 between them for `lerp`
        unless the ends are parallel. NaN where the straight line between the norms is 0.

    Raises:
        ValueError: Fewer than 2 codes.

    Taught in lesson 13.

    Example:
        >>> norm_profile(torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
        tensor([1.0000, 0.7071, 1.0000])
    """
    norms = _flat(codes, batch_dims, 2).norm(dim=-1)
    w = torch.linspace(0, 1, norms.shape[-1], dtype=norms.dtype, device=norms.device)
    between = (1 - w) * norms[..., :1] + w * norms[..., -1:]
    return _ratio(norms, between)


def path_quality(
    images: Tensor,
    *,
    codes: Tensor | None = None,
    data: Tensor | None = None,
    ends: Tensor | None = None,
    features: Callable[[Tensor], Tensor] | None = None,
    batch_dims: int = 0,
) -> PathQuality:
    """How good a walk from one image to another is.

    No single number says it. A cross-fade of pixels has even steps and soft pictures far from the data; a path that
    waits and then jumps has sharp pictures near the data and one long step. Read all four together.

    Args:
        images: The K images of a path, its ends included, (K, C, H, W), or those of P paths, (P, K, C, H, W), with
            batch_dims=1. Codes (K, D) do as well where only steps and norms are wanted: sharpness is then NaN.
        codes: The codes they were decoded from, (K, ...) or (P, K, ...); for `norm`.
        data: Real images, (N, C, H, W), or with `features` their features (N, F); for `distance`.
        ends: The two real images that the path should join, (2, C, H, W) or (P, 2, C, H, W), against which sharpness
            is measured; by default the path's own first and last image, which a blurry decoder has already blurred.
        features: Function of (B, C, H, W) to (B, F) in whose space steps and distances are measured, for example
            `load_reference("classifier_fashion").features`; by default they are those of pixels.
        batch_dims: 0 for one path, 1 for P paths at once.

    Returns:
        PathQuality(uniformity, sharpness, distance, norm).

    Raises:
        ValueError: Fewer than 3 images a path, or shapes that do not match.

    Taught in lesson 13, where the learner writes one.

    Example:
        >>> fade = torch.linspace(0, 1, 5)[:, None, None, None] * torch.ones(1, 3, 4)
        >>> path_quality(fade).uniformity.item()
        1.0
    """
    if batch_dims not in (0, 1):
        raise ValueError(f"batch_dims is {batch_dims}: use 0 for one path and 1 for several.")
    images = _no_bytes(images)
    lead = images.shape[: batch_dims + 1]  # (K,) or (P, K)
    if images.ndim <= batch_dims + 1 or lead[-1] < 3:
        raise ValueError(f"images have shape {tuple(images.shape)}: a path needs its two ends and a point between.")
    if codes is not None and codes.shape[: batch_dims + 1] != lead:
        raise ValueError(f"codes have shape {tuple(codes.shape)} for images {tuple(images.shape)}: give one an image.")
    points = images.flatten(0, batch_dims)
    points = (at_least_float32(points)[0] if features is None else features(points)).unflatten(0, lead)
    steps = step_lengths(points, batch_dims=batch_dims)
    missing = steps.new_full(lead[:-1], torch.nan)
    sharp, near, norm = missing, missing, missing
    if images.ndim - batch_dims == 4:
        inner = images.narrow(batch_dims, 1, lead[-1] - 2)
        if ends is None:
            ends = torch.stack([images.select(batch_dims, 0), images.select(batch_dims, -1)], dim=batch_dims)
        ends = ends.to(images.device)
        sharp = _ratio(sharpness(inner).mean(dim=-1), sharpness(ends).mean(dim=-1))
    if data is not None:
        inner = points.narrow(batch_dims, 1, lead[-1] - 2)
        nearest = nearest_neighbors(inner.flatten(0, batch_dims), data.to(points.device), k=1)[1]
        near = nearest.reshape(inner.shape[: batch_dims + 1]).mean(dim=-1)
    if codes is not None:
        norm = norm_profile(codes, batch_dims=batch_dims).amin(dim=-1)
    longest = steps.amax(dim=-1)
    uniformity = torch.where(longest > 0, steps.mean(dim=-1) / longest.clamp(min=torch.finfo(steps.dtype).tiny), 1.0)
    return PathQuality(uniformity, sharp, near, norm)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 1 where they are equal, both 0 too."""
    return torch.where(a == b, 1.0, a / b)


def _no_bytes(images) -> Tensor:
    images = as_tensor(images, "images")
    if images.dtype == torch.uint8:
        raise TypeError("images are torch.uint8: divide by 255 (images.float() / 255).")
    return images


def _flat(points: Tensor, batch_dims: int, at_least: int) -> Tensor:
    points = numbers(points, "points")
    if points.ndim <= batch_dims + 1 or points.shape[batch_dims] < at_least:
        raise ValueError(
            f"points have shape {tuple(points.shape)}: a path is (K, ...) with K of at least {at_least}"
            + (", after the dimension of the paths." if batch_dims else ".")
        )
    return points.flatten(batch_dims + 1)
