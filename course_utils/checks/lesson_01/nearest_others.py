"""nearest-others: which other codes are nearest to each code."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake, Parts


def distances(codes):
    return torch.cdist(codes, codes)  # (N, N); all differences, (N, N, D), would not fit into memory in the lesson


def differences(codes):
    return codes[:, None] - codes[None]


def hidden(codes, value=torch.inf):
    return distances(codes).fill_diagonal_(value)


def nearest_others(codes, k):
    return hidden(codes).topk(k, largest=False).indices


def ranked(score):
    """A wrong answer that takes the k smallest scores of each row, the diagonal left out."""
    return lambda codes, k: score(codes).clone().fill_diagonal_(torch.inf).argsort(dim=1)[:, :k]


def filled(value):
    """A wrong answer that hides the diagonal behind a number that is not out of reach."""
    return lambda codes, k: hidden(codes, value(distances(codes))).argsort(dim=1, stable=True)[:, :k]


def without_zeros(codes, k):
    distance = distances(codes)
    return distance.masked_fill(distance == 0, torch.inf).topk(k, largest=False).indices


def without_column(codes, k):
    kept = ~torch.eye(len(codes), dtype=torch.bool)
    return distances(codes)[kept].reshape(len(codes), -1).topk(k, largest=False).indices


def cloud(count, dims, k, scale=1.0):
    spread, middle = torch.tensor([[4.0, 1.0, 1.5, 0.7], [1.0, 0.0, -2.0, 0.5]])[:, :dims]
    return lambda g: (scale * (torch.randn(count, dims, generator=g) * spread + middle), k)


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
    return Parts({"": torch.tensor(found), "the type of the indices": str(out.dtype)})


FARTHEST = "These are the farthest points. topk takes the largest values unless told otherwise: which option is that?"
FIRST_DROPPED = (
    "You drop the first of the sorted points, which need not be the point itself: another one can have the same code. "
    "Can you leave out the diagonal whatever its rank is?"
)
NOT_A_NUMBER = "0 times infinity is not a number, so torch.eye(N) * inf spoils the whole table. Try fill_diagonal_."
IN_REACH = (
    "The number on your diagonal is not out of reach: other codes can be as far away as that. Which number is larger "
    "than every distance?"
)

CHECK = Check(
    nearest_others,
    inputs={"": cloud(9, 4, 3), "some codes are equal": twins, "one neighbour is asked for": cloud(8, 3, 1),
            "codes lie far apart and all others are asked for": cloud(7, 2, 6, 300.0)},
    observe=observe,
    mistakes=[
        Mistake(lambda codes, k: distances(codes).topk(k, largest=False).indices, "The first neighbour you find is the "
            "point itself, at distance 0. How can you keep a point out of its own neighbours?"),
        Mistake(lambda codes, k: distances(codes).topk(k + 1, largest=False).indices[:, 1:], FIRST_DROPPED),
        Mistake(lambda codes, k: distances(codes).argsort(dim=1)[:, 1 : k + 1], FIRST_DROPPED),
        Mistake(lambda codes, k: distances(codes).argsort(dim=1, stable=True)[:, 1 : k + 1], FIRST_DROPPED),
        Mistake(without_zeros,
            "You drop whatever lies at distance 0. Another point can have the same code, and a computed distance from "
            "itself need not be exactly 0. The place in the table tells which it is: the diagonal."),
        Mistake(without_column, "You took each point's own column out before you ranked, so all later indices are one "
            "too small. Could the column stay and its distance be infinite?"),
        Mistake(filled(lambda distance: 100.0), IN_REACH),
        Mistake(filled(lambda distance: 1000.0), IN_REACH),
        Mistake(filled(torch.max), IN_REACH),
        Mistake(lambda codes, k: distances(codes).topk(k + 1, largest=False).indices,
            "You return k + 1 neighbours, the first of them the point itself. Which column can go?"),
        Mistake(lambda codes, k: nearest_others(codes, k)[:, 1:],
            "You leave the point itself out twice, so the nearest neighbour is missing and k - 1 are left."),
        Mistake(lambda codes, k: nearest_others(codes, k)[:, :-1], "You return k - 1 neighbours. If the first column "
            "is the point itself, at which column must the slice end?"),
        Mistake(lambda codes, k: nearest_others(codes, 5), "You return 5 neighbours, whatever k is."),
        Mistake(lambda codes, k: nearest_others(codes, k).squeeze(),
            "squeeze() takes away a dimension where one neighbour is asked for. Return (N, k) for every k."),
        Mistake(lambda codes, k: distances(codes).topk(k).indices, FARTHEST),
        Mistake(lambda codes, k: hidden(codes, -torch.inf).topk(k).indices, FARTHEST),
        Mistake(lambda codes, k: hidden(codes).topk(k).indices, "The first neighbour you find is the point itself, "
            "because the diagonal is infinite and topk looks for the largest values. Which option turns it round?"),
        Mistake(lambda codes, k: hidden(codes, -torch.inf).topk(k, largest=False).indices,
            "A diagonal of minus infinity is always the nearest: each point comes out as its own first neighbour. "
            "Which value would never win?"),
        Mistake(lambda codes, k: nearest_others(codes, k).flip(1),
            "These are the right neighbours in the reverse order: the nearest comes first."),
        Mistake(lambda codes, k: nearest_others(codes, k).sort(dim=1).values, "These are the right neighbours, but in "
            "the order of their indices. The nearest comes first: what sorts by distance?"),
        Mistake(lambda codes, k: nearest_others(codes, k).int(),
            "The indices are right, but of type int32, and int64 is asked for. Where do they become so?"),
        Mistake(lambda codes, k: hidden(codes).topk(k, largest=False).values,
            "These are the distances. The function should return which points are near: what else does topk return?"),
        Mistake(lambda codes, k: codes[nearest_others(codes, k)],
            "These are the neighbours' codes. The function should return which points they are, their indices."),
        Mistake(lambda codes, k: nearest_others(codes, k).float(),
            "The indices are right but are floats, and floats cannot pick rows. Where do they become so?"),
        Mistake(lambda codes, k: hidden(codes).argsort(dim=1),
            "You return all the others in order. Only the first k columns are asked for."),
        Mistake(lambda codes, k: (distances(codes) + torch.eye(len(codes)) * torch.inf).topk(k, largest=False).indices,
            NOT_A_NUMBER),
        Mistake(ranked(lambda codes: differences(codes).sum(dim=2)), "You summed the differences without squaring "
            "them, so positive and negative ones cancel. What makes every coordinate count as distance?"),
        Mistake(ranked(lambda codes: differences(codes).sum(dim=2).abs()),
            "You took the absolute value of the sum, within which positive and negative differences have already "
            "cancelled. What must happen to each difference before the sum?"),
        Mistake(ranked(lambda codes: differences(codes).abs().sum(dim=2)), "You summed absolute differences, which is "
            "the city-block distance. In that of Pythagoras, what happens to each difference before the sum?"),
        Mistake(ranked(lambda codes: -codes @ codes.T), "You compared inner products. A long vector has a large one "
            "with many others without being near to them: what is the distance between two points?"),
        Mistake(ranked(lambda codes: codes @ codes.T), "You took the smallest inner products, which belong to points "
            "on opposite sides of the origin. What is the distance between two points?"),
        Mistake(ranked(lambda codes: -normalize(codes, dim=1) @ normalize(codes, dim=1).T),
            "You compared angles (cosine similarity). Two codes in the same direction can be far apart: what is the "
            "distance between two points?"),
        Mistake(ranked(lambda codes: differences(codes)[..., 0].abs()),
            "Only the first number of each code counts in your distances. What must be summed over?"),
        Mistake(lambda codes, k: hidden(codes).topk(k, dim=0, largest=False).indices,
            "Your result has shape (k, N): you looked for the smallest value in each column. One row for each point is "
            "asked for: which dim should topk search?"),
        Mistake(lambda codes, k: differences(codes).square().sum(dim=1).topk(k, dim=1, largest=False).indices,
            "You summed over the other points instead of over the coordinates. The differences have shape (N, N, D): "
            "which dimension holds the coordinates?"),
    ],
)  # fmt: skip
