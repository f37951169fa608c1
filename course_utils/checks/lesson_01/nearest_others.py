"""nearest-others: which other codes are nearest to each code."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def distances(codes):
    return torch.cdist(codes, codes)  # (N, N); all differences, (N, N, D), would not fit into memory in the lesson


def differences(codes):
    return codes[:, None] - codes[None]


def nearest_others(codes, k):
    return distances(codes).fill_diagonal_(torch.inf).topk(k, largest=False).indices


def ranked(score):
    """A wrong answer that takes the k smallest scores of each row, the diagonal left out."""
    return lambda codes, k: score(codes).clone().fill_diagonal_(torch.inf).argsort(dim=1)[:, :k]


def without_zeros(codes, k):
    distance = distances(codes)
    distance[distance == 0] = torch.inf
    return distance.topk(k, largest=False).indices


def cloud(count, dims, k):
    spread, middle = torch.tensor([[4.0, 1.0, 1.5, 0.7, 1.0], [1.0, 0.0, -2.0, 0.5, 0.0]])[:, :dims]
    return lambda g: (torch.randn(count, dims, generator=g) * spread + middle, k)


def twins(g):
    codes, _ = cloud(11, 3, 4)(g)
    codes[torch.randperm(11, generator=g)[:4]] = codes[:2].repeat_interleave(2, dim=0).clone()
    return codes, 4


def observe(fn, codes, k):
    """The indices, with equally near neighbours in one order: which of them comes first is left open."""
    out = fn(codes, k)
    if not isinstance(out, Tensor) or out.dtype not in (torch.int64, torch.int32) or out.shape != (len(codes), k):
        return out
    if out.min() < 0 or out.max() >= len(codes):
        return out
    distance = torch.cdist(codes.double(), codes.double(), compute_mode="donot_use_mm_for_euclid_dist")
    alike = ((distance[:, :, None] - distance[:, None]).abs() <= 1e-4 * distance.max()).tolist()
    found = []
    for i, row in enumerate(out.tolist()):
        one_order = []
        for j in row:
            free = [m for m, near in enumerate(alike[i][j]) if near and m != i and m not in one_order]
            one_order.append(free[0] if free and j != i and row.count(j) == 1 else j)
        found.append(one_order)
    return torch.tensor(found)


FARTHEST = (
    "These are the farthest points. topk looks for the largest values unless told otherwise: which option turns it "
    "round?"
)
FIRST_DROPPED = (
    "You drop the first of the sorted points, which need not be the point itself: another one can have the same code, "
    "and then a point is found to be its own neighbour. Can you leave out the diagonal whatever its rank is?"
)
NOT_A_NUMBER = (
    "0 times infinity is not a number, so torch.eye(N) * inf spoils the whole table and not only its diagonal. "
    "fill_diagonal_ writes there alone."
)

CHECK = Check(
    nearest_others,
    inputs={"": cloud(9, 4, 3), "there are thirty codes": cloud(30, 5, 6), "some codes are equal": twins,
            "all others are asked for": cloud(6, 2, 5), "one neighbour is asked for": cloud(8, 3, 1)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(lambda codes, k: distances(codes).topk(k, largest=False).indices, "The first neighbour you find is the "
            "point itself, at distance 0. How can you keep a point out of its own neighbours?"),
        Mistake(lambda codes, k: distances(codes).argsort(dim=1)[:, 1 : k + 1], FIRST_DROPPED),
        Mistake(lambda codes, k: distances(codes).topk(k + 1, largest=False).indices[:, 1:], FIRST_DROPPED),
        Mistake(lambda codes, k: distances(codes).argsort(dim=1, stable=True)[:, 1 : k + 1], FIRST_DROPPED),
        Mistake(without_zeros,
            "You drop whatever lies at distance 0. Another point can have the same code, and a computed distance from "
            "itself need not be exactly 0. The place in the table tells which it is: the diagonal."),
        Mistake(lambda codes, k: distances(codes).topk(k + 1, largest=False).indices,
            "You return k + 1 neighbours, the first of them the point itself. Which column can go?"),
        Mistake(lambda codes, k: nearest_others(codes, k)[:, 1:],
            "You leave the point itself out twice, so the nearest neighbour is missing and k - 1 are left."),
        Mistake(lambda codes, k: nearest_others(codes, k)[:, :-1], "You return k - 1 neighbours. If the first column "
            "is the point itself, at which column must the slice end?"),
        Mistake(lambda codes, k: distances(codes).topk(k).indices, FARTHEST),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(-torch.inf).topk(k).indices, FARTHEST),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).topk(k).indices,
            "The first neighbour you find is the point itself, because the diagonal is infinite and topk looks for the "
            "largest values. Which option turns it round?"),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(-torch.inf).topk(k, largest=False).indices,
            "A diagonal of minus infinity is always the nearest: each point comes out as its own first neighbour. "
            "Which value would never win?"),
        Mistake(lambda codes, k: nearest_others(codes, k).flip(1),
            "These are the right neighbours in the reverse order: the nearest comes first."),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).topk(k, largest=False).values,
            "These are the distances. The function should return which points are near: what else does topk return?"),
        Mistake(lambda codes, k: codes[nearest_others(codes, k)],
            "These are the neighbours' codes. The function should return which points they are, their indices."),
        Mistake(lambda codes, k: nearest_others(codes, k).float(),
            "The indices are right but are floats, and floats cannot pick rows. Where do they become so?"),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).argsort(dim=1).argsort(dim=1)[:, :k],
            "You sorted twice, and that gives ranks: how near the first k points are. Which are the nearest?"),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).sort(dim=1).indices,
            "You return all the others in order. Only the first k columns are asked for."),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).argmin(dim=1),
            "You return the nearest neighbour only. topk gives the k nearest."),
        Mistake(lambda codes, k: (distances(codes) + torch.eye(len(codes)) * torch.inf).topk(k, largest=False).indices,
            NOT_A_NUMBER),
        Mistake(lambda codes, k: (distances(codes) + torch.eye(len(codes)) * torch.inf).argsort(dim=1)[:, :k],
            NOT_A_NUMBER),
        Mistake(ranked(lambda codes: differences(codes).sum(dim=2)),
            "You summed the differences without squaring them. Positive and negative ones cancel, so a sum near or "
            "below zero is no sign of nearness: what makes every coordinate count as distance?"),
        Mistake(ranked(lambda codes: differences(codes).sum(dim=2).abs()),
            "You took the absolute value of the sum. Within the sum, positive and negative differences have already "
            "cancelled: what must happen to each difference before the sum?"),
        Mistake(ranked(lambda codes: differences(codes).abs().sum(dim=2)),
            "You summed absolute differences, which is the city-block distance. The straight-line distance of "
            "Pythagoras was asked for: what happens to each difference before the sum?"),
        Mistake(ranked(lambda codes: differences(codes).abs().amax(dim=2)), "You compare the largest difference of a "
            "coordinate. The straight-line distance of Pythagoras was asked for: all coordinates count."),
        Mistake(ranked(lambda codes: -codes @ codes.T), "You compared inner products. A long vector has a large one "
            "with many others without being near to them: what is the distance between two points?"),
        Mistake(ranked(lambda codes: codes @ codes.T), "You took the smallest inner products, which belong to points "
            "on opposite sides of the origin. What is the distance between two points?"),
        Mistake(ranked(lambda codes: -normalize(codes, dim=1) @ normalize(codes, dim=1).T),
            "You compared angles (cosine similarity). Two codes in the same direction can be far apart: what is the "
            "distance between two points?"),
        Mistake(ranked(lambda codes: (codes.norm(dim=1)[:, None] - codes.norm(dim=1)).abs()),
            "You compared the codes' lengths. Two codes of equal length can point anywhere: take the length of the "
            "difference, not the difference of the lengths."),
        Mistake(ranked(lambda codes: differences(codes)[..., 0].abs()),
            "Only the first number of each code counts in your distances. What must be summed over?"),
        Mistake(lambda codes, k: distances(codes).fill_diagonal_(torch.inf).topk(k, dim=0, largest=False).indices,
            "Your result has shape (k, N): you looked for the smallest value in each column. One row for each point is "
            "asked for: which dim should topk search?"),
        Mistake(lambda codes, k: differences(codes).square().sum(dim=1).topk(k, dim=1, largest=False).indices,
            "You summed over the other points instead of over the coordinates. The differences have shape (N, N, D): "
            "which dimension holds the coordinates?"),
    ],
)  # fmt: skip
