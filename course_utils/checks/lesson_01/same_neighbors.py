"""same-neighbors: which share of an image's neighbours by pixels its neighbours by codes are."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def distances(rows):
    return torch.cdist(rows, rows)  # (N, N); all differences, (N, N, P), would not fit into memory in the lesson


def hidden(rows):
    return distances(rows).fill_diagonal_(torch.inf)


def nearest(rows, k):
    return hidden(rows).topk(k, dim=1, largest=False).indices


def shared(a, b):
    """How many indices of each row of a stand in the same row of b, (N,)."""
    return (a[:, :, None] == b[:, None, :]).any(dim=2).float().sum(dim=1)


def same_neighbors(x, z, k):
    return shared(nearest(x, k), nearest(z, k)) / k


def by(find):
    """A wrong answer that finds other neighbours than the nearest others, in both spaces."""
    return lambda x, z, k: shared(find(x, k), find(z, k)) / k


def ranked(score):
    """A wrong answer that takes the k smallest scores of each row, the diagonal left out."""
    return by(lambda rows, k: score(rows).clone().fill_diagonal_(torch.inf).argsort(dim=1)[:, :k])


def of(change):
    """A wrong answer that makes something else of the right shares, from these and k."""
    return lambda x, z, k: change(same_neighbors(x, z, k), k)


def jaccard(x, z, k):
    both = shared(nearest(x, k), nearest(z, k))
    return both / (2 * k - both)


def with_itself(rows, k):
    return distances(rows).topk(k, dim=1, largest=False).indices


def one_more(rows, k):
    return distances(rows).topk(k + 1, dim=1, largest=False).indices


def farthest(rows, k):
    return distances(rows).topk(k, dim=1).indices


def cloud(count, pixels, latent_dim, k, noise=1.0):
    """Images, and codes that say something of them: directions of unequal spread, far from the origin."""

    def inputs(g):
        spread, middle = torch.linspace(3, 0.5, pixels), 2 * torch.rand(pixels, generator=g)
        x = torch.randn(count, pixels, generator=g) * spread + middle
        turn = torch.linalg.qr(torch.randn(pixels, latent_dim, generator=g)).Q
        return x, 1.5 * x @ turn + noise * torch.randn(count, latent_dim, generator=g), k

    return inputs


def observe(fn, x, z, k):
    """The shares; where an answer has doubles, as NumPy makes them, the same as floats."""
    out = fn(x, z, k)
    return out.float() if isinstance(out, torch.Tensor) and out.dtype == torch.float64 else out


ITSELF = "Each image counts as its own neighbour, in both lists: its distance to itself is 0. How can it be left out?"
NO_ORDER = (
    "You compare the two lists place by place, so a shared neighbour counts only at the same rank. Order does not "
    "matter: is each index of one list anywhere in the other?"
)
BOTH_IN_ONE = "Both of your lists are by pixels, so they agree. One of the two must come from the codes."

CHECK = Check(
    same_neighbors,
    inputs={"": cloud(12, 6, 3, 4), "one neighbour is asked for": cloud(15, 5, 2, 1),
            "all others but one are asked for": cloud(8, 7, 2, 6),
            "pixels and codes have nothing in common": cloud(14, 4, 3, 5, 30.0)},
    observe=observe,
    mistakes=[
        Mistake(by(with_itself), ITSELF),
        Mistake(lambda x, z, k: shared(one_more(x, k), one_more(z, k)) / k, "You look for k + 1 neighbours, of which "
            "one is the image itself, and count it as shared. Which column of the sorted lists has to go?"),
        Mistake(lambda x, z, k: shared(one_more(x, k), one_more(z, k)) / (k + 1), "You look for k + 1 neighbours, of "
            "which one is the image itself, and count it in both lists. Which column of the sorted lists has to go?"),
        Mistake(lambda x, z, k: (nearest(x, k) == nearest(z, k)).float().mean(dim=1), NO_ORDER),
        Mistake(lambda x, z, k: (nearest(x, k) == nearest(z, k)).all(dim=1).float(), "Your shares are 0 or 1: you ask "
            "whether the two lists are equal. How many of the k indices do they have in common?"),
        Mistake(lambda x, z, k: shared(nearest(x, k), nearest(z, k)).clamp(max=1), "Your shares are 0 or 1: you ask "
            "whether the lists share anything. How many of the k indices do they have in common?"),
        Mistake(lambda x, z, k: shared(nearest(x, k), nearest(x, k)) / k, BOTH_IN_ONE),
        Mistake(of(lambda share, k: share * k), "These are counts, from 0 to k. A share is asked for: divide by what?"),
        Mistake(of(lambda share, k: share * k / len(share)), "You divided by the number of images. Each image has k "
            "neighbours: the share is that of these k."),
        Mistake(of(lambda share, k: share / k), "You divided by k twice. Does a mean over the k neighbours divide "
            "already?"),
        Mistake(jaccard, "You divided by the number of indices that stand in either list. The share of the k "
            "neighbours by pixels is asked for: how many are these?"),
        Mistake(of(lambda share, k: 1 - share), "This is the share that the lists do not have in common."),
        Mistake(of(lambda share, k: share.mean()), "You averaged over the images and return one number. Return one "
            "number for each image, shape (N,): the lesson averages them afterwards."),
        Mistake(of(lambda share, k: share > 0), "You return truth values. How many of the k are shared?"),
        Mistake(by(farthest), "These are the farthest points. topk takes the largest values unless told otherwise: "
            "which option is that?"),
        Mistake(lambda x, z, k: shared(nearest(x, k), farthest(z, k)) / k, "By pixels you take the nearest, by codes "
            "the farthest. Which option of topk is missing?"),
        Mistake(lambda x, z, k: shared(farthest(x, k), nearest(z, k)) / k, "By codes you take the nearest, by pixels "
            "the farthest. Which option of topk is missing?"),
        Mistake(lambda x, z, k: shared(with_itself(x, k), nearest(z, k)) / k, "By pixels each image still counts as "
            "its own neighbour. Leave the diagonal out of both tables."),
        Mistake(lambda x, z, k: shared(nearest(x, k), with_itself(z, k)) / k, "By codes each image still counts as its "
            "own neighbour. Leave the diagonal out of both tables."),
        Mistake(ranked(lambda rows: (rows[:, None] - rows).abs().sum(dim=2)), "You summed absolute differences, which "
            "is the city-block distance. In that of Pythagoras, what happens to each difference before the sum?"),
        Mistake(ranked(lambda rows: -normalize(rows, dim=1) @ normalize(rows, dim=1).T), "You compared angles (cosine "
            "similarity). Two points in the same direction can be far apart: what is the distance between them?"),
        Mistake(ranked(lambda rows: -rows @ rows.T), "You compared inner products. A long vector has a large one with "
            "many others without being near to them: what is the distance between two points?"),
        Mistake(ranked(lambda rows: (rows[:, None] - rows)[..., 0].abs()), "Only the first number of each image and of "
            "each code counts in your distances. What must be summed over?"),
        Mistake(lambda x, z, k: shared(nearest(x[:, : z.shape[1]], k), nearest(z, k)) / k, "By pixels you compare only "
            "as many numbers as a code has. All the pixels of an image count in its distances."),
        Mistake(lambda x, z, k: shared(hidden(x).topk(k, dim=0, largest=False).indices.T,
                                       nearest(z, k).roll(1, dims=0)) / k,
            "The lists that you compare belong to different images. Row i must be compared with row i."),
    ],
)  # fmt: skip
