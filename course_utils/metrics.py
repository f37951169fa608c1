"""What the course measures: data, latent spaces and models."""

import torch
from torch import Tensor


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
    if query.shape[1:] != points.shape[1:]:
        raise ValueError(
            f"query has shape {tuple(query.shape)} and points {tuple(points.shape)}: only the first may differ."
        )
    if len(points) < 2:
        raise ValueError(f"there are {len(points)} points: contrast needs at least a nearest and a farthest one.")
    distance = torch.cdist(query.flatten(1).float(), points.flatten(1).float())
    nearest, farthest = distance.aminmax(dim=1)
    return (farthest - nearest) / nearest


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
    points = torch.unique(points.flatten(1), dim=0).double()  # double: nearly equal points need exact distances
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
    return 1 / torch.cat(logs).mean().item()
