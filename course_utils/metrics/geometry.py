"""How points lie: contrast of distances, intrinsic dimension, neighbours, subspaces."""

import torch
from torch import Tensor

from course_utils.device import as_float64
from course_utils.inputs import at_least_one, centred, labels_of, numbers


def relative_contrast(query: Tensor, points: Tensor) -> Tensor:
    """How much farther the farthest point is than the nearest one.

    (D_max - D_min) / D_min    (Beyer et al. 1999; Aggarwal, Hinneburg and Keim 2001)

    For independent coordinates it falls like 1 / sqrt(number of coordinates): near and far become alike.

    Args:
        query: (Q, ...); everything after the first dimension is one vector.
        points: (N, ...), each the same shape as one query.

    Returns:
        One value per query, float (Q,), at least 0, without unit; infinite where a query lies on one of the points.

    Raises:
        ValueError: Shapes that do not match, or fewer than 2 points.

    Taught in lesson 01.

    Example:
        >>> relative_contrast(torch.tensor([[0.0]]), torch.tensor([[1.0], [2.0], [5.0]]))
        tensor([4.])
    """
    query, points = numbers(query, "query"), numbers(points, "points")
    if query.shape[1:] != points.shape[1:]:
        raise ValueError(
            f"query has shape {tuple(query.shape)} and points {tuple(points.shape)}: only the first may differ."
        )
    if len(points) < 2:
        raise ValueError(f"there are {len(points)} points: contrast needs at least a nearest and a farthest one.")
    query, points = centred(query, points)
    distance = torch.cdist(query, points)
    # Which ones is clear from a product of matrices; how far they are, to the last digit and to 0, from the difference.
    nearest, farthest = ((query - points[index]).norm(dim=1) for index in (distance.argmin(1), distance.argmax(1)))
    return torch.where(farthest > nearest, (farthest - nearest) / nearest, 0.0)


def intrinsic_dimension(points: Tensor, k: int = 2, batch_size: int = 1000) -> float:
    """How many directions the data can move in, estimated from distances to near neighbours.

    1 / mean of log(r_k / r_j) over all points and j = 1 … k - 1, with r_j the distance to the j-th neighbour: the
    maximum likelihood under a density that is constant around each point. k = 2 is the TwoNN estimator.

    A small k sees the smallest scale (and noise); a large k is steadier and biased low where the data curve. With few
    points in many dimensions the estimate is far too low: read it as a lower bound there.

    Args:
        points: (N, ...); everything after the first dimension is one vector. Exact copies count once.
        k: Neighbours used, 2 to N - 1.
        batch_size: Points compared at a time; memory is batch_size * N numbers.

    Returns:
        The estimate, a positive number that need not be whole.

    Raises:
        ValueError: k is out of range for the number of different points.

    Source: Levina and Bickel 2004, eq. 8, with inverses averaged (MacKay and Ghahramani 2005); Facco et al. 2017 for
    k = 2. Taught in lesson 01.

    Example:
        >>> line = torch.rand(500, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(1, 9)
        >>> round(intrinsic_dimension(line, k=10), 1)
        1.0
    """
    at_least_one(batch_size=batch_size)
    points = torch.unique(as_float64(numbers(points, "points").flatten(1)), dim=0)
    points = points - points.mean(dim=0)  # this, and float64: nearly equal points need exact distances
    if len(points) < 3:
        raise ValueError(f"there are {len(points)} different points: give at least 3.")
    if not 2 <= k < len(points):
        raise ValueError(f"k is {k}, but with {len(points)} different points it must be 2 to {len(points) - 1}.")
    logs = []
    for start in range(0, len(points), batch_size):
        batch = points[start : start + batch_size]
        distance = torch.cdist(batch, points)
        row = torch.arange(len(batch), device=points.device)
        distance[row, start + row] = torch.inf  # a point is not its own neighbour
        r = distance.topk(k, dim=1, largest=False).values  # (B, k), nearest first
        logs.append(torch.log(r[:, -1:] / r[:, :-1]))
    return (1 / torch.cat(logs).mean()).item()


def knn_accuracy(z: Tensor, labels: Tensor, k: int = 5, batch_size: int = 500) -> float:
    """How often a point's k nearest other points, by majority, have its label (leave-one-out).

    Of classes with equally many votes the one with the smallest label wins, as in scikit-learn.

    Args:
        z: Codes or images, (N, ...); everything after the first dimension is one vector.
        labels: Class of each, int64 (N,), from 0.
        k: Neighbours that vote, 1 to N - 1. The point itself never votes, exact copies of it do.
        batch_size: Points compared at a time; memory is batch_size * N numbers.

    Returns:
        Fraction of the N points, 0 to 1.

    Raises:
        ValueError: Not one label a point, or k out of range.

    Taught in lessons 02 and 08.

    Example:
        >>> knn_accuracy(torch.tensor([[0.0], [0.1], [5.0], [5.1], [0.25]]), torch.tensor([0, 0, 1, 1, 1]), k=1)
        0.8
    """
    z = numbers(z, "z")
    at_least_one(batch_size=batch_size)
    labels = labels_of(labels, len(z)).unique(return_inverse=True)[1]  # in order, without gaps
    if not 1 <= k < len(z):
        raise ValueError(f"k is {k}, but each of {len(z)} points has {len(z) - 1} others: k must be 1 to that.")
    (z,), labels, hits = centred(z), labels.to(z.device), 0
    for index in torch.arange(len(z), device=z.device).split(batch_size):
        distance = torch.cdist(z[index], z)
        distance[torch.arange(len(index)), index] = torch.inf
        nearest = distance.topk(k, dim=1, largest=False).indices
        votes = torch.nn.functional.one_hot(labels[nearest], int(labels.max()) + 1).sum(dim=1)
        first = votes == votes.amax(dim=1, keepdim=True)
        hits += int((first.int().argmax(dim=1) == labels[index]).sum())
    return hits / len(z)


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between two subspaces: all 0 if one lies in the other, 90 degrees for directions they do not share.

    With orthonormal bases Q_a and Q_b, the cosines are the singular values of Q_a^T Q_b. Small angles are taken from
    their sines, which float arithmetic resolves where the cosine is 1 to the last digit.

    Args:
        a: Rows that span the first subspace, (K, N), linearly independent; they need not be orthogonal.
        b: Rows that span the second, (L, N).

    Returns:
        min(K, L) angles in degrees, from 0 to 90, smallest first, float64.

    Raises:
        ValueError: The rows are of different length, or more than their length, or linearly dependent.

    Source: Björck and Golub 1973, eq. 13 and 15. Taught in lesson 02.

    Example:
        >>> floor = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> principal_angles(floor, torch.tensor([[0.0, 3.0, 3.0]])).round().item()
        45.0
    """
    a, b = numbers(a, "a"), numbers(b, "b")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or max(len(a), len(b)) > a.shape[1]:
        raise ValueError(
            f"a has shape {tuple(a.shape)} and b {tuple(b.shape)}: give rows (K, N) and (L, N), K, L <= N."
        )
    if min(len(a), len(b)) == 0:
        raise ValueError("one of the subspaces has no rows: give at least one direction for each.")
    a, b = (as_float64(rows.detach()) for rows in ((a, b) if len(a) >= len(b) else (b, a)))
    for rows in (a, b):
        if torch.linalg.matrix_rank(rows, rtol=1e-6) < len(rows):
            raise ValueError(f"{len(rows)} rows span fewer than {len(rows)} dimensions: leave out those that depend.")
    q_a, q_b = (torch.linalg.qr(rows.T).Q for rows in (a, b))
    cosines = torch.linalg.svdvals(q_a.T @ q_b).clamp(max=1)  # largest first
    sines = torch.linalg.svdvals(q_b - q_a @ (q_a.T @ q_b)).clamp(max=1).flip(0)  # smallest first
    return torch.rad2deg(torch.where(cosines.square() < 0.5, torch.acos(cosines), torch.asin(sines)))
