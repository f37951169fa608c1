"""top-k: the k largest numbers of each code at their places, zeros elsewhere."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import gradient


def keep_top_k(z, k):
    largest = z.topk(k, dim=1)
    return torch.zeros_like(z).scatter(1, largest.indices, largest.values)


def scattered(z, chosen, dim=1):
    """Zeros, and of z the numbers at the chosen places."""
    return torch.zeros_like(z).scatter(dim, chosen, z.gather(dim, chosen))


def of_everything(z, k):
    flat = z.flatten()
    return scattered(flat, flat.topk(k * len(z)).indices, 0).reshape(z.shape)


def above(threshold):
    """A wrong answer that keeps what is above a threshold, from z and k."""
    return lambda z, k: z * (z > threshold(z, k))


def codes(count, units, k):
    return lambda g: (torch.randn(count, units, generator=g), k)


def ties(g):
    """Codes of few different numbers after a ReLU: ties at the k-th place, and some have fewer than k positive."""
    return torch.randint(-2, 4, (6, 8), generator=g).float().relu(), 4


def observe(fn, z, k):
    """The codes that are left, and the gradient of their sum.

    Which of equal numbers are kept is left open: within a row, what was made of them is put in one order. Whether a
    zero was kept is not told by the values, and its gradient does not count.
    """
    leaf = z.clone().requires_grad_()
    given = leaf * 1.0
    out = fn(given, k)
    if not torch.equal(given, z):
        z.copy_(given.detach())
    if not isinstance(out, Tensor) or not out.is_floating_point() or out.shape != z.shape:
        return out
    slope = torch.where(z == 0, 0.0, gradient(out.sum(), [leaf]))
    made = torch.stack([out.detach().to(z.dtype), slope])
    for row in range(len(z)):
        for value in z[row].unique():
            places = (z[row] == value).nonzero().flatten()
            pairs = sorted(made[:, row, places].T.tolist(), reverse=True)
            made[:, row, places] = torch.tensor(pairs).T
    return Parts({"": made[0], "gradient for z": made[1]})


NO_RANKS = (
    "You compare with k what argsort returns, as if it were each unit's rank. It says which unit stands at each rank: "
    "its first k columns are places to keep."
)

ONE_TOO_MANY = "Your codes keep k + 1 units. In rising order the last place is -1: at which stands the k-th largest?"

CHECK = Check(
    keep_top_k,
    inputs={"": codes(5, 9, 3), "one number is kept": codes(4, 6, 1),
            "negative numbers must be kept too": codes(3, 7, 6), "all numbers are kept": codes(3, 5, 5),
            "there is one code": codes(1, 8, 2), "some numbers are equal": ties},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(lambda z, k: scattered(z, z.topk(min(k, len(z)), dim=0).indices, 0),
            "You keep the k largest in each COLUMN: units compete across images, and some images keep nothing. Along "
            "which dimension lie the units of one code?"),
        Mistake(of_everything, "You keep the largest numbers of the whole batch, so one strong image takes the places "
            "of others. Should the code of an image depend on its neighbours in the batch?"),
        Mistake(lambda z, k: z * (z >= z.flatten().topk(k).values[-1]), "You keep k numbers of the whole batch "
            "together. Every code should keep k of its own: along which dimension must topk look?"),
        Mistake(lambda z, k: scattered(z, z.topk(k, dim=1, largest=False).indices),
            "You keep the k smallest. What does topk's argument `largest` say, or argsort's `descending`?"),
        Mistake(lambda z, k: scattered(z, z.abs().topk(k, dim=1).indices), "You keep the k largest in absolute value. "
            "A large negative number is not among the largest: which step can go?"),
        Mistake(lambda z, k: keep_top_k(z, k).abs(), "You keep the right numbers but drop their signs."),
        Mistake(lambda z, k: keep_top_k(z, k).relu(), "You cut negative numbers off. If one is among the k largest of "
            "its code it is kept: the ReLU comes before this function in the lesson, not inside."),
        Mistake(lambda z, k: z.topk(k, dim=1).values, "You return the k values without their places, and the decoder "
            "could not tell which units they belong to. topk also returns `indices`: where should each value go?"),
        Mistake(lambda z, k: z.topk(k, dim=1).indices,
            "You return the places of the k largest. Which values stand there, and what stands elsewhere?"),
        Mistake(lambda z, k: torch.cat([z.topk(k, dim=1).values, torch.zeros_like(z[:, k:])], dim=1),
            "You moved the values to the front of the code. A unit means something only at its own place: which "
            "function writes values at given indices?"),
        Mistake(lambda z, k: torch.zeros_like(z).scatter(1, z.topk(k, dim=1).indices, 1.0),
            "You return ones: which units are active, but not how strongly. Write the values at those places."),
        Mistake(lambda z, k: torch.zeros_like(z).scatter(1, z.topk(k, dim=1).indices, 1.0) > 0,
            "You return True and False: which numbers are kept. What do you get when z is multiplied by that?"),
        Mistake(lambda z, k: torch.zeros_like(z).scatter(1, z.topk(k, dim=1).indices, z.topk(k, dim=1).indices.float()),
            "You write the places themselves into the code. topk returns values first and indices second: which should "
            "be written?"),
        Mistake(lambda z, k: scattered(z, z[0].topk(k).indices.expand(len(z), k)),
            "You keep the same units in every code, those of the first one. Each code should keep its own."),
        Mistake(lambda z, k: scattered(z, z.mean(dim=0).topk(k).indices.expand(len(z), k)),
            "You keep the same units in every code, those with the largest mean. Each code should keep its own."),
        Mistake(lambda z, k: keep_top_k(z, 1), "You keep one number of each code. If you look for the largest k times, "
            "what keeps you from finding the same one again?"),
        Mistake(lambda z, k: keep_top_k(z, min(k + 1, z.shape[1])), ONE_TOO_MANY),
        Mistake(lambda z, k: z * (z >= z.sort(dim=1).values[:, -(k + 1), None]), ONE_TOO_MANY),
        Mistake(lambda z, k: z - keep_top_k(z, k), "You zero the k largest and keep all others. It should be the other "
            "way round: into which tensor do you write, and what?"),
        Mistake(lambda z, k: z.scatter(1, z.topk(k, dim=1).indices, z.topk(k, dim=1).values),
            "You write the k largest into z, where they stand already, so nothing changes. Into what should they be "
            "written?"),
        Mistake(above(lambda z, k: z.topk(k, dim=1).values[:, -1:]),
            "Your codes keep k - 1 units. Should the k-th largest itself stay?"),
        Mistake(lambda z, k: z * (z >= z.topk(k, dim=1).values[:, -1:]), "You keep all numbers that equal the k-th "
            "largest, and so more than k where there are ties. topk also returns `indices`, of exactly k."),
        Mistake(lambda z, k: z * (z.argsort(dim=1, descending=True) < k), NO_RANKS),
        Mistake(lambda z, k: z * (z.argsort(dim=1) < k), NO_RANKS),
        Mistake(above(lambda z, k: z.mean(dim=1, keepdim=True)),
            "You keep what is above the mean of its code, whatever k is. How many numbers should be kept?"),
        Mistake(above(lambda z, k: z.quantile(1 - k / z.shape[1], dim=1, keepdim=True)),
            "You compare with a quantile, which lies between two numbers of the code, or on one, so the count is not "
            "always k. topk returns exactly k."),
        Mistake(lambda z, k: keep_top_k(z.detach(), k), "The values are right, but they are cut off from z, so the "
            "encoder would never learn. Look for detach, .data, no_grad, .item() or .tolist()."),
        Mistake(lambda z, k: z + (keep_top_k(z, k) - z).detach(),
            "The values are right, but the gradient goes to all numbers as if none had been zeroed. It should flow to "
            "those that are kept and to no others: is a part of the sum detached?", part="gradient for z"),
    ],
)  # fmt: skip
