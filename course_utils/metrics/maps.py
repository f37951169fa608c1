"""How faithful a map is: which neighbours on it are neighbours in the data, and the other way round."""

import torch
from torch import Tensor

from course_utils.device import as_float64
from course_utils.inputs import at_least_one, numbers


def trustworthiness(z: Tensor, points: Tensor, k: int = 5, batch_size: int = 500) -> float:
    """How far neighbours on a map can be trusted: 1 if the k nearest on the map are the k nearest in the data.

    T(k) = 1 - 2 / (N k (2N - 3k - 1)) * sum_i sum_{j in U_i} (r(i, j) - k)    (Venna and Kaski 2001, eq. 1)

    U_i are the points among the k nearest of i on the map that are not among its k nearest in the data, and r(i, j) is
    the rank of j among the neighbours of i in the data, from 1. So an intruder costs more, the farther it comes from.
    The factor makes the worst map 0; a map with no relation to the data gets about 0.5.

    Args:
        z: Data or codes, (N, ...); everything after the first dimension is one vector.
        points: The same points on the map, (N, ...), in the same order; usually (N, 2).
        k: Neighbours of each point that count, 1 to less than N / 2.
        batch_size: Points compared at a time; memory is a few times batch_size * N numbers.

    Returns:
        A number from 0 to 1, computed in double precision. Of points at equal distance in the data all get the best of
        their ranks, so an exact copy costs nothing.

    Raises:
        ValueError: z and points differ in number, k is out of range, or a value is NaN or infinite.

    Taught in lesson 08.

    Example:
        >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [6.0, 0.0], [10.0, 0.0]])
        >>> trustworthiness(z, z[:, :1], k=2), trustworthiness(z, z[:, 1:], k=2) < 1
        (1.0, True)
    """
    if len(z) != len(points):
        raise ValueError(f"there are {len(z)} points in the data and {len(points)} on the map: give the same ones.")
    count = len(z)
    if not 1 <= k < count / 2:
        raise ValueError(f"k is {k}, but for {count} points it must be at least 1 and less than {count / 2:g}.")
    at_least_one(batch_size=batch_size)
    z, points = _centred(z, "z"), _centred(points, "points").to(z.device)
    excess = 0
    for index in torch.arange(count, device=z.device).split(batch_size):
        distance = _distances(z, index)  # (B, N)
        near = _distances(points, index).topk(k, dim=1, largest=False).indices
        for farther in distance.gather(1, near).split(1, dim=1):  # one neighbour of each point, (B, 1)
            rank = (distance < farther).sum(dim=1) + 1
            excess += int((rank - k).clamp(min=0).sum())
    return 1 - 2 * excess / (count * k * (2 * count - 3 * k - 1))


def continuity(z: Tensor, points: Tensor, k: int = 5, batch_size: int = 500) -> float:
    """How far neighbourhoods of the data hold together on a map: 1 if none of the k nearest in the data is torn away.

    It is the trustworthiness with the roles of data and map swapped: now the k nearest in the *data* count, and each
    costs by its rank among the neighbours on the map. (Venna and Kaski 2001, eq. 2)

    A map that lays everything over everything has low trustworthiness and may have high continuity; one that tears the
    data into pieces has it the other way round.

    Args:
        z: Data or codes, (N, ...).
        points: The same points on the map, (N, ...), in the same order.
        k: Neighbours of each point that count, 1 to less than N / 2.
        batch_size: Points compared at a time; memory is a few times batch_size * N numbers.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: As for `trustworthiness`.

    Taught in lesson 08.

    Example:
        >>> z = torch.tensor([[0.0], [1.0], [3.0], [6.0], [10.0]])
        >>> continuity(z, 2 * z, k=2)
        1.0
    """
    return trustworthiness(points, z, k, batch_size)


def _centred(values: Tensor, name: str) -> Tensor:
    """Vectors in double precision around their mean, where distances have the smallest rounding errors."""
    values = as_float64(numbers(values, name).detach().flatten(1))
    return values - values.mean(dim=0)


def _distances(values: Tensor, index: Tensor) -> Tensor:
    """Distances from some points to all, (B, N), infinite from a point to itself."""
    distance = torch.cdist(values[index], values)
    distance[torch.arange(len(index), device=values.device), index] = torch.inf
    return distance
