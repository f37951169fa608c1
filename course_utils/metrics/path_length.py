"""How evenly a latent space changes its images: the perceptual path length."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.inputs import at_least_one, numbers
from course_utils.interpolation import lerp, slerp
from course_utils.latents import LatentModel, decode_dataset
from course_utils.metrics.samples import image_features

_PATHS = {"lerp": lerp, "slerp": slerp}


@torch.no_grad()
def perceptual_path_length(
    model: LatentModel,
    z_a: Tensor,
    z_b: Tensor,
    features: nn.Module | Callable[[Tensor], Tensor],
    *,
    path: str = "lerp",
    ends: bool = False,
    epsilon: float = 1e-4,
    generator: torch.Generator | None = None,
    batch_size: int = 250,
) -> Tensor:
    """How fast images change along paths between codes: squared distances of features over a tiny step.

    |f(G(p(t + epsilon))) - f(G(p(t)))|^2 / epsilon^2,  p the path from z_a to z_b, t uniform between 0 and 1

    For a tiny epsilon it is the squared speed at t. The path's own squared length is the least that its mean over t
    can be: a path that stands still and then leaps scores higher than an even one with the same ends. Compare only
    values of one choice of features, and codes of the spaces' own draws: in z by "slerp", which keeps the norms that z
    has, in w by "lerp".

    Args:
        model: Any LatentModel; for w of a style-based generator, its ``in_w()``.
        z_a: Codes at the start, (N, *latent_shape).
        z_b: Codes at the end, likewise.
        features: A model with ``features(x)`` and ``image_shape``, for example
            ``load_reference("faces64_regressor")``; or a function of images
            (B, C, H, W), float32 on the CPU, that gives (B, F).
        path: "lerp" or "slerp".
        ends: Take t = 0 for all paths: only the neighbourhood of z_a counts, and not what lies between codes.
        epsilon: Length of the step in t; below 1e-4 the rounding of float32 shows.
        generator: Source of t, on the CPU; None uses PyTorch's global generator.
        batch_size: Images in memory at a time.

    Returns:
        One value a path, (N,), float64 on the CPU, in squared units of the features. Their mean is the perceptual path
        length. It has a long tail; Karras et al.'s code leaves out the lowest and the highest hundredth.

    Raises:
        ValueError: Codes of different shapes or none, an unknown path, or an epsilon that is not in (0, 1).

    Source: Karras et al. 2019 (arXiv:1812.04948), eq. 2 and 3, whose features are VGG's. Taught in lesson 11.

    Example:
        >>> class Stretch:  # 1 x 1 images, three times their code
        ...     latent_shape = (1,)
        ...     def decode(self, z):
        ...         return 3 * z[:, :, None, None]
        >>> z = torch.tensor([[0.1], [0.2]], dtype=torch.float64)
        >>> length = perceptual_path_length(Stretch(), z, z + 0.1, lambda x: x.flatten(1), epsilon=1e-2)
        >>> [round(value, 4) for value in length.tolist()]
        [0.09, 0.09]
    """
    z_a, z_b = numbers(z_a, "z_a").cpu(), numbers(z_b, "z_b").cpu()
    at_least_one(batch_size=batch_size)
    if path not in _PATHS:
        raise ValueError(f"path is {path!r}: use 'lerp' or 'slerp'.")
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon is {epsilon}: it must be above 0 and below 1, for example 1e-4.")
    if z_a.shape != z_b.shape or len(z_a) == 0:
        raise ValueError(
            f"z_a has shape {tuple(z_a.shape)} and z_b {tuple(z_b.shape)}: give equally many codes, at least one."
        )
    read = (lambda x: image_features(x, features, batch_size)) if hasattr(features, "features") else features
    t = torch.zeros(len(z_a)) if ends else torch.rand(len(z_a), generator=generator, dtype=torch.float32)
    t = t.double()
    lengths = []
    for index in torch.arange(len(z_a)).split(batch_size):
        # In float64: the two points differ by so little that float32 would round the difference.
        points = [_point(path, z_a[index], z_b[index], t[index] + step) for step in (0.0, epsilon)]
        start, end = (read(decode_dataset(model, point.to(z_a.dtype), batch_size)).double() for point in points)
        lengths.append((end - start).flatten(1).square().sum(dim=1).cpu() / epsilon**2)
    return torch.cat(lengths)


def _point(path: str, z_a: Tensor, z_b: Tensor, t: Tensor) -> Tensor:
    """The point of each path at its own t (B,)."""
    return torch.vmap(_PATHS[path])(z_a.double().flatten(1), z_b.double().flatten(1), t).view(z_a.shape)
