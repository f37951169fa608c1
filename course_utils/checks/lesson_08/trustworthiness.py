"""trustworthiness: how far the neighbours on a map are neighbours in the data."""

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_08.knn_accuracy import as_number


def ranks(values):
    return torch.cdist(values, values).fill_diagonal_(torch.inf).argsort(dim=1).argsort(dim=1) + 1


def cost(n, k):
    return 2 / (n * k * (2 * n - 3 * k - 1))


def intruders(in_data, on_map, k):
    return (on_map <= k) & (in_data > k)


def excess(in_data, on_map, k):
    return (in_data - k)[intruders(in_data, on_map, k)].sum().item()


def trustworthiness(z, points, k=5):
    return 1 - cost(len(z), k) * excess(ranks(z), ranks(points), k)


def charges(total, ranks=ranks):
    """A wrong answer that adds up something else, from the ranks in the data, those on the map and k."""
    return lambda z, points, k: 1 - cost(len(z), k) * total(ranks(z), ranks(points), k).sum().item()


def scaled(factor):
    """A wrong answer with another factor before the sum, from N and k."""
    return lambda z, points, k: 1 - factor(len(z), k) * excess(ranks(z), ranks(points), k)


def ranked(ranks):
    """A wrong answer with other ranks."""
    return charges(lambda r, m, k: (r - k)[intruders(r, m, k)], ranks)


def order(values):
    return torch.cdist(values, values).fill_diagonal_(torch.inf).argsort(dim=1)


def each_point(z, points, k):
    r, m = ranks(z), ranks(points)
    return 1 - cost(len(z), k) * ((r - k) * intruders(r, m, k)).sum(dim=1)


def map_of(k, n=29, noise=0.7):
    """Two of four coordinates, blurred."""

    def inputs(g):
        z = torch.randn(n, 4, generator=g)
        return z, z[:, :2] + noise * torch.randn(n, 2, generator=g), k

    return inputs


def far_becomes_near(g):
    """The map folds a line in the middle: every neighbour on it comes from the other end."""
    z = torch.arange(23.0)[:, None] + 0.3 * torch.rand(23, 1, generator=g)
    return z, torch.cat([(5 * z) % 23, torch.rand(23, 1, generator=g)], dim=1), 3


def faithful(g):
    z = torch.randn(27, 2, generator=g)
    return z, 3 * z + 1, 4


CHECK = Check(
    trustworthiness,
    inputs={"": map_of(4), "one neighbour counts": map_of(1), "many neighbours count": map_of(12),
            "the map is worse than a random one": far_becomes_near, "the map is faithful": faithful},
    observe=as_number,
    mistakes=[
        Mistake(lambda z, points, k: trustworthiness(points, z, k), "This is the continuity: neighbours in the data, "
            "ranks on the map. For trust it is the other way round: neighbours on the MAP, ranks in the DATA."),
        Mistake(charges(lambda r, m, k: r[intruders(r, m, k)]),
            "You add up the whole rank of each intruder. What counts is by how much it exceeds k: rank - k."),
        Mistake(charges(lambda r, m, k: (r - k)[m <= k]), "You add rank - k for all neighbours on the map, so true "
            "ones give a refund. Count intruders only: those whose rank in the data is above k."),
        Mistake(charges(lambda r, m, k: (r - k).abs()[m <= k]), "You add |rank - k| for all neighbours on the map, so "
            "true ones cost something too. Count those whose rank in the data is above k."),
        Mistake(charges(lambda r, m, k: (r - k)[r > k]), "You count every point with a rank above k in the data. Only "
            "those that the map shows among the k nearest are intruders."),
        Mistake(charges(lambda r, m, k: ((m <= k) & (r > k)).float()),
            "You count the intruders, whatever their rank. One from far away must cost more: add up rank - k."),
        Mistake(charges(lambda r, m, k: (m - k)[intruders(r, m, k)]), "You take the intruders' ranks on the map, which "
            "are at most k. Their rank in the DATA tells from how far they come."),
        Mistake(charges(lambda r, m, k: (m - r)[intruders(r, m, k)]),
            "You add up rank on the map minus rank in the data. What counts is rank in the data minus k."),
        Mistake(charges(lambda r, m, k: (r - m)[intruders(r, m, k)]), "You subtract the rank on the map from that in "
            "the data. What counts is by how much the rank in the data exceeds k."),
        Mistake(charges(lambda r, m, k: (r - k)[(m > k) & (r <= k)]), "You take the losses: near in the data and not "
            "on the map. Intruders are near on the MAP and not in the data."),
        Mistake(charges(lambda r, m, k: (r - k)[(m <= k) | (r > k)]),
            "You take the points that are near on the map OR far in the data. Intruders are both: & in place of |."),
        Mistake(charges(lambda r, m, k: (r - k + 1)[intruders(r, m, k)]),
            "Each intruder costs 1 too much: rank - k, and the nearest neighbour has rank 1."),
        Mistake(charges(lambda r, m, k: (r - k - 1)[intruders(r, m, k)]),
            "Each intruder costs 1 too little: rank - k, and the nearest neighbour has rank 1."),
        Mistake(charges(lambda r, m, k: (r - k)[intruders(r, m, k)] ** 2),
            "You square the excess. The formula adds up rank - k as it is."),
        Mistake(lambda z, points, k: 1 - ((ranks(points) <= k) & (ranks(z) > k)).sum().item() / (len(z) * k),
            "You return the share of neighbours that are no intruders. One from far away must cost more: add up rank - "
            "k."),
        Mistake(scaled(lambda n, k: 1 / (n * k)), "You subtract the plain mean of the excess. The factor 2 / (N k (2N "
            "- 3k - 1)) brings the result to 0 to 1."),
        Mistake(scaled(lambda n, k: 2 / (n * k)),
            "The bracket (2N - 3k - 1) of the factor 2 / (N k (2N - 3k - 1)) is missing."),
        Mistake(scaled(lambda n, k: cost(n, k) / n**2),
            "You average over the whole table, (N, N). The formula has the sum over all intruders."),
        Mistake(scaled(lambda n, k: 1),
            "You subtract the sum as it is. The factor 2 / (N k (2N - 3k - 1)) brings the result to 0 to 1."),
        Mistake(lambda z, points, k: trustworthiness(z, points, 5), "Always five neighbours count: k has no effect."),
        Mistake(charges(lambda r, m, k: (r - k)[intruders(r, m, k)].float().mean().nan_to_num()),
            "You average over the intruders. The formula has their sum: more intruders must cost more."),
        Mistake(scaled(lambda n, k: cost(n, k) / 2), "The 2 of the factor 2 / (N k (2N - 3k - 1)) is missing."),
        Mistake(scaled(lambda n, k: cost(n, k) * n), "The N of the factor 2 / (N k (2N - 3k - 1)) is missing."),
        Mistake(scaled(lambda n, k: cost(n, k) * k), "The first k of the factor 2 / (N k (2N - 3k - 1)) is missing."),
        Mistake(scaled(lambda n, k: 2 / n * k * (2 * n - 3 * k - 1)),
            "Brackets are missing: 2 / n * k * (...) divides by n alone."),
        Mistake(scaled(lambda n, k: 2 / (n * k) * (2 * n - 3 * k - 1)),
            "Brackets are missing: you multiply by 2N - 3k - 1. It belongs under the line of the fraction."),
        Mistake(scaled(lambda n, k: 2 / (n * k * (2 * n - 3 * k + 1))),
            "The factor has 2N - 3k - 1, with a minus before the 1."),
        Mistake(scaled(lambda n, k: 2 / (n * k * (2 * n - 3 * (k - 1)))),
            "The factor has 2N - 3k - 1: the 1 stands in no bracket with k."),
        Mistake(scaled(lambda n, k: 2 / (n * k * (2 * n - 3 * k))), "The factor has 2N - 3k - 1: the 1 is missing."),
        Mistake(scaled(lambda n, k: 2 / (n * k * (n - 3 * k - 1))),
            "The factor has 2N - 3k - 1: N stands there twice."),
        Mistake(lambda z, points, k: cost(len(z), k) * excess(ranks(z), ranks(points), k),
            "You return what is to be subtracted from 1: a perfect map must get 1."),
        Mistake(scaled(lambda n, k: -cost(n, k)),
            "You add the cost of the intruders to 1. A bad map must get less than 1."),
        Mistake(charges(lambda r, m, k: (r - k)[(m < k) & (r > k)]),
            "You count k - 1 neighbours: your ranks begin at 2, or < stands where <= belongs. The nearest has rank 1."),
        Mistake(ranked(lambda values: ranks(values) - 1),
            "Your ranks begin at 0, so k + 1 points count as the k nearest. The nearest neighbour has rank 1."),
        Mistake(ranked(lambda values: torch.cdist(values, values).fill_diagonal_(-1).argsort(dim=1).argsort(dim=1) + 1),
            "Each point is its own nearest neighbour in your ranks, so only k - 1 others count. ranks(values) puts it "
            "last."),
        Mistake(ranked(lambda values: order(values) + 1), "One argsort tells who stands at each rank. The rank of each "
            "is the argsort of that: ranks(values) has both."),
        Mistake(ranked(lambda values: values.shape[0] - ranks(values)),
            "Your ranks run backwards: the farthest point has the smallest. The nearest has rank 1."),
        Mistake(charges(lambda r, m, k: (r - 1)[intruders(r, m, k)]),
            "You subtract 1 from the ranks. What counts is by how much they exceed k: rank - k."),
        Mistake(charges(lambda r, m, k: (r.T - k)[intruders(r.T, m, k)]), "One of your tables of ranks is transposed "
            "(dim=0). Row i holds the ranks of the others as i sees them, in both."),
        Mistake(lambda z, points, k: trustworthiness(z[:, :2], points, k),
            "You rank by the first two coordinates of the data only. Its neighbours are near in all D."),
        Mistake(lambda z, points, k: trustworthiness((z - z.mean(dim=0)) / z.std(dim=0), points, k),
            "You scale each coordinate of the data to spread 1, which changes who is near. Rank it as it is."),
        Mistake(lambda z, points, k: 1 - cost(z.shape[1], k) * excess(ranks(z), ranks(points), k),
            "Your N is the number of coordinates, z.shape[1]. The number of points is len(z)."),
        Mistake(each_point, "You return one number for each point, 1 minus its own sum. The formula sums over i as "
            "well, and subtracts from 1 once."),
    ],
    draws=2,
)  # fmt: skip
