"""How good samples are: Frechet distance, precision and recall, density and coverage, in a feature space."""

from typing import NamedTuple

import torch
from torch import Tensor

from course_utils.inputs import as_floats, at_least_one, centred, images_of, numbers
from course_utils.latents import model_device, model_dtype, reading


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared Frechet distance between two Gaussians that have the mean and covariance of two sets of features.

    |m_a - m_b|**2 + tr(C_a + C_b - 2 (C_a C_b)**(1/2))        (Heusel et al. 2017, eq. 6; Dowson and Landau 1982)

    tr (C_a C_b)**(1/2) is the sum of the square roots of the eigenvalues of R C_b R, where R is the symmetric root of
    C_a: two symmetric eigenvalue problems in float64, which hold also where a covariance is singular.

    With n features a set it is too large by about a constant over n: compare only values from equally many images,
    and give the distance between two sets of real images beside it.

    Args:
        features_a: (N, F), for example of generated images.
        features_b: (M, F), for example of real images.

    Returns:
        The distance, at least 0, in squared units of the features. Computed in float64.

    Raises:
        ValueError: Features that are not (N, F) and (M, F) with at least 2 rows each, or not finite.

    Taught in lesson 10.

    Example:
        >>> a = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
        >>> frechet_distance(a, a + torch.tensor([0.0, 3.0]))
        9.0
    """
    a, b = _checked(features_a, features_b, 2)
    # Symmetric eigenvalue problems in float64 are not available on every device (Apple's has no float64): use the CPU.
    (mean_a, cov_a), (mean_b, cov_b) = (_moments(f.detach().cpu().double()) for f in (a, b))
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # (F, F), root @ root = cov_a
    product = root @ cov_b @ root
    cross = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(distance.item(), 0.0)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and unbiased covariance (F, F)."""
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


class PrecisionRecall(NamedTuple):
    """Fractions from 0 to 1: of samples that lie among the data, and of data that lie among the samples."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density (at least 0, about 1 for samples like the data) and coverage (0 to 1)."""

    density: float
    coverage: float


def precision_recall(real: Tensor, generated: Tensor, k: int = 3, batch_size: int = 1000) -> PrecisionRecall:
    """Whether samples look real, and whether they show all there is, counted with balls around features.

    Around each point of a set lies a ball that reaches to its k-th nearest other point; their union stands for the
    set's manifold. Precision: how many samples lie in a ball of the data. Recall: how much of the data lies in a ball
    of the samples.

    Args:
        real: Features of real images, (N, F).
        generated: Features of generated images, (M, F), best as many.
        k: Which neighbour a ball reaches to, 1 to N - 1 and M - 1.
        batch_size: Points compared at a time; memory is batch_size * max(N, M) numbers.

    Returns:
        PrecisionRecall(precision, recall), fractions from 0 to 1.

    Raises:
        ValueError: Shapes that do not match, values that are not finite, or k out of range.

    Source: Kynkaanniemi et al. 2019, eq. 1 and 2. Taught in lesson 10.

    Example:
        >>> data = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
        >>> precision_recall(data, torch.tensor([[0.4], [0.5], [0.6]]), k=1)
        PrecisionRecall(precision=1.0, recall=0.0)
    """
    generated, real = centred(*_checked(real, generated, k + 1, k)[::-1])
    counts = _counts(real, generated, _radii(real, [k], batch_size), _radii(generated, [k], batch_size), batch_size)
    return PrecisionRecall(counts.precision, counts.recall)


def density_coverage(real: Tensor, generated: Tensor, k: int = 5, batch_size: int = 1000) -> DensityCoverage:
    """Two counts that a single odd point cannot spoil: how many data balls a sample lies in, and how many are hit.

    With balls around the real points only, reaching to their k-th nearest other real point: density is the number of
    balls a sample lies in, averaged over samples and divided by k; coverage is the fraction of balls with a sample in.

    Args:
        real: Features of real images, (N, F).
        generated: Features of generated images, (M, F), best as many.
        k: Which neighbour a ball reaches to, 1 to N - 1.
        batch_size: Points compared at a time; memory is batch_size * N numbers.

    Returns:
        DensityCoverage(density, coverage). Density can exceed 1, where samples crowd in dense regions.

    Raises:
        ValueError: Shapes that do not match, values that are not finite, or k out of range.

    Source: Naeem et al. 2020, eq. 5 and 6. Taught in lesson 10.

    Example:
        >>> data = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
        >>> density_coverage(data, torch.tensor([[0.4], [0.5]]), k=1)
        DensityCoverage(density=2.0, coverage=0.5)
    """
    generated, real = centred(*_checked(real, generated, 1, k)[::-1])
    counts = _counts(real, generated, _radii(real, [k], batch_size), None, batch_size)
    return DensityCoverage(counts.hits / k, counts.coverage)


class _Counts(NamedTuple):
    precision: float
    recall: float
    hits: float  # real balls that a sample lies in, averaged over the samples
    coverage: float


def _radii(points: Tensor, ks: list[int], batch_size: int) -> Tensor:
    """Distance from each point to its k-th nearest other point, for each k, (len(ks), N)."""
    radii = []
    for index in torch.arange(len(points), device=points.device).split(batch_size):
        distance = torch.cdist(points[index], points)
        distance[torch.arange(len(index), device=points.device), index] = torch.inf  # no point is its own neighbour
        nearest = distance.topk(max(ks), dim=1, largest=False).values
        radii.append(nearest[:, [k - 1 for k in ks]])
    return torch.cat(radii).T


def _counts(real: Tensor, generated: Tensor, real_radii: Tensor, generated_radii: Tensor | None, batch_size: int):
    """One pass over all pairs. The first row of real_radii is for precision, the last for density and coverage."""
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = torch.zeros_like(recalled)
    precise, hits = 0, 0
    for index in torch.arange(len(generated), device=real.device).split(batch_size):
        distance = torch.cdist(generated[index], real)  # (B, N)
        precise += (distance <= real_radii[0]).any(dim=1).sum().item()
        inside = distance <= real_radii[-1]
        hits += inside.sum().item()
        covered |= inside.any(dim=0)
        if generated_radii is not None:
            recalled |= (distance <= generated_radii[0, index][:, None]).any(dim=0)
    m = len(generated)
    return _Counts(precise / m, recalled.float().mean().item(), hits / m, covered.float().mean().item())


def image_features(images, classifier: torch.nn.Module, batch_size: int = 500) -> Tensor:
    """Features of images of any size, grey or RGB, in a classifier's last hidden layer.

    Images of another shape than the classifier's are made grey (0.299 R + 0.587 G + 0.114 B) or repeated over its
    channels, and resized with an antialiased bilinear filter.

    Args:
        images: An ImageSet, or a tensor (N, C, H, W) with C of 1 or 3: uint8, or float in [0, 1].
        classifier: A model with `features(x)` and `image_shape`, for example `load_reference("classifier_fashion")`.
        batch_size: Images in memory at a time as floats.

    Returns:
        Features (N, F), float32 on the CPU.

    Raises:
        ValueError: images are not (N, C, H, W), there is no image, or pixels lie outside [0, 1].
        TypeError: images are neither.

    Used from lesson 10 on.
    """
    images = images_of(images)
    at_least_one(batch_size=batch_size)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"images have shape {tuple(images.shape)}: give at least one, (N, C, H, W) with C of 1 or 3.")
    device = model_device(classifier)
    with torch.no_grad(), reading(classifier):  # in training mode dropout would add noise to the features
        batches = (_fitted(batch.to(device), classifier.image_shape) for batch in images.split(batch_size))
        return torch.cat([classifier.features(x.to(model_dtype(classifier))).float().cpu() for x in batches])


def _fitted(x: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    x = as_floats(x)
    channels, *size = image_shape
    if x.shape[1] != channels:
        grey = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True) if x.shape[1] == 3 else x
        x = grey.expand(-1, channels, -1, -1)
    if tuple(x.shape[2:]) != tuple(size):
        x = torch.nn.functional.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False)
    return x.clamp(0, 1)


def sample_quality(images, real, classifier: torch.nn.Module, *, batch_size: int = 1000) -> dict[str, float]:
    """Everything that the course measures of generated images, in the features of a classifier.

    Args:
        images: Generated images, as for `image_features`, or their features (M, F) where they are already known.
        real: Real images that the model was not trained on, or their features (N, F); best equally many.
        classifier: As for `image_features`.
        batch_size: Points compared at a time.

    Returns:
        {"frechet", "precision", "recall", "density", "coverage"}: `frechet_distance`, `precision_recall` with k = 3
        and `density_coverage` with k = 5. A few seconds for 10,000 images against 10,000.

    Raises:
        ValueError: Fewer than 6 images on a side, or as for `image_features`.

    Taught in lesson 10. `quality_floor` says what real images score.
    """
    generated, real = (_features_of(each, classifier) for each in (images, real))
    generated, real = _checked(generated, real, 6)
    frechet = frechet_distance(generated, real)
    generated, real = centred(generated, real)
    real_radii, generated_radii = _radii(real, [3, 5], batch_size), _radii(generated, [3], batch_size)
    counts = _counts(real, generated, real_radii, generated_radii, batch_size)
    return {
        "frechet": frechet, "precision": counts.precision, "recall": counts.recall,
        "density": counts.hits / 5, "coverage": counts.coverage,
    }  # fmt: skip


def quality_floor(
    real, classifier: torch.nn.Module, *, generator: torch.Generator | None = None, batch_size: int = 1000
) -> dict[str, float]:
    """What real images score against real images: one random half against the other half.

    The Frechet distance of a perfect model is not 0 but this, and its precision and recall are not 1 but these.
    A half has half as many images: to compare like with like, judge samples against as many.

    Args:
        real: Real images, as for `image_features`, or their features (N, F).
        classifier: As for `image_features`.
        generator: Of the split, on the CPU; None uses PyTorch's global generator.
        batch_size: Points compared at a time.

    Returns:
        As `sample_quality`.

    Raises:
        ValueError: Fewer than 12 images.
    """
    features = _features_of(real, classifier)
    halves = torch.randperm(len(features), generator=generator).to(features.device).chunk(2)
    return sample_quality(*(features[half] for half in halves), classifier, batch_size=batch_size)


def _features_of(images, classifier) -> Tensor:
    return images if isinstance(images, Tensor) and images.ndim == 2 else image_features(images, classifier)


def _checked(a: Tensor, b: Tensor, at_least: int, k: int | None = None) -> tuple[Tensor, Tensor]:
    a, b = numbers(a, "features"), numbers(b, "features")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features have shapes {tuple(a.shape)} and {tuple(b.shape)}: give (N, F) and (M, F).")
    if k is not None and not 1 <= k < len(a):
        raise ValueError(f"k is {k}, but each of {len(a)} points has {len(a) - 1} others: k must be 1 to that.")
    if min(len(a), len(b)) < at_least:
        raise ValueError(f"there are {len(a)} and {len(b)} features: give at least {at_least} of each.")
    return a, b
