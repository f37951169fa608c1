"""Exercises of lesson 08: k-NN accuracy, perplexity, trustworthiness, the lies of three maps."""

import torch
from torch import Tensor

from course_utils.checks import _diagnoses
from course_utils.checks._docstrings import mistakes
from course_utils.checks._engine import Check, Mistake


def _neighbors(z, k, itself=False, farthest=False):
    distance = torch.cdist(z, z)
    if not itself:
        distance.fill_diagonal_(-torch.inf if farthest else torch.inf)
    return distance.topk(k, dim=1, largest=farthest).indices


def _majority(votes):
    return torch.nn.functional.one_hot(votes).sum(dim=1).argmax(dim=1)


def _knn_accuracy(z, labels, k=5):
    return (_majority(labels[_neighbors(z, k)]) == labels).float().mean().item()


def _votes_for_itself(z, labels, k):
    """Each point is among its own neighbours, at distance 0, and votes for its own label. Put infinity on the diagonal
    of the distances before you look for the nearest.
    """
    return (_majority(labels[_neighbors(z, k, itself=True)]) == labels).float().mean().item()


def _farthest(z, labels, k):
    """You ask the FARTHEST points: topk returns the largest values unless told otherwise."""
    return (_majority(labels[_neighbors(z, k, farthest=True)]) == labels).float().mean().item()


def _share_of_neighbors(z, labels, k):
    """You return the average share of neighbours with the right label. Here the neighbours vote: each point counts as
    right or wrong by the majority of its k.
    """
    return (labels[_neighbors(z, k)] == labels[:, None]).float().mean().item()


def _any_neighbor(z, labels, k):
    """You count a point as right if ANY of its neighbours has its label. The majority decides."""
    return (labels[_neighbors(z, k)] == labels[:, None]).any(dim=1).float().mean().item()


def _all_neighbors(z, labels, k):
    """You count a point as right only if ALL of its neighbours have its label. The majority decides."""
    return (labels[_neighbors(z, k)] == labels[:, None]).all(dim=1).float().mean().item()


def _nearest_only(z, labels, k):
    """Only the nearest neighbour decides: k has no effect."""
    return (labels[_neighbors(z, 1)[:, 0]] == labels).float().mean().item()


def _percent(z, labels, k):
    """You return percent; a fraction from 0 to 1 is asked for."""
    return 100 * _knn_accuracy(z, labels, k)


def _wrong_share(z, labels, k):
    """You return the share of points whose neighbours are wrong."""
    return 1 - _knn_accuracy(z, labels, k)


def _knn_inputs(g: torch.Generator) -> tuple:
    labels = torch.arange(31) % 2  # two classes and an odd k: no ties
    return torch.randn(31, 3, generator=g) + 1.1 * labels[:, None], labels, 5


def _as_float(fn, *inputs):
    """The output as a float where it is one number, of whatever kind."""
    out = fn(*inputs)
    number = isinstance(out, (int, float)) or (isinstance(out, Tensor) and out.numel() == 1)
    return float(out) if number else out


def _perplexity(p):
    return torch.exp(torch.special.entr(p).sum(dim=-1))


def _entropy_in_bits(p):
    """You return the entropy H, in bits. The perplexity is 2 to the power of it."""
    return torch.special.entr(p).sum(dim=-1) / torch.log(torch.tensor(2.0))


def _entropy_in_nats(p):
    """You return the entropy, in nats. The perplexity is e to the power of it."""
    return torch.special.entr(p).sum(dim=-1)


def _nats_to_base_2(p):
    """You raise 2 to an entropy in nats. torch.log is the natural logarithm: with it goes torch.exp; with torch.log2
    goes 2 ** H.
    """
    return 2 ** torch.special.entr(p).sum(dim=-1)


def _bits_to_base_e(p):
    """You raise e to an entropy in bits. With torch.log2 goes 2 ** H; with torch.log goes torch.exp."""
    return torch.exp(torch.special.entr(p).sum(dim=-1) / torch.log(torch.tensor(2.0)))


def _log_of_zero(p):
    """Some results are NaN: 0 * log 0 is NaN in floating point, and here it must count as 0 (p log p goes to 0 with p).
    torch.special.entr(p) is -p log p with that rule; or clamp p inside the logarithm.
    """
    return torch.exp(-(p * p.log()).sum(dim=-1))


def _no_minus(p):
    """All your values are below 1: the minus sign of the entropy is missing."""
    return torch.exp(-torch.special.entr(p).sum(dim=-1))


def _wrong_axis(p):
    """You sum over the rows. Each ROW is a distribution, so sum along dim=1 and return one number for each row."""
    return torch.exp(torch.special.entr(p).sum(dim=0))


def _one_number(p):
    """You return one number for all rows together. Give one for each row."""
    return torch.exp(torch.special.entr(p).sum())


def _count_positive(p):
    """You count the entries above 0. That is the perplexity of even odds only; uneven ones count for less."""
    return (p > 0).sum(dim=-1).to(p.dtype)


def _inverse_squares(p):
    """1 / sum p^2 is another effective number (the inverse Simpson index). The perplexity is made from the entropy."""
    return 1 / p.square().sum(dim=-1)


def _nan_as_number(fn, p):
    """The output with -1 in place of NaN, so that wrong answers with NaN can be compared."""
    out = fn(p)
    return out.nan_to_num(-1.0) if isinstance(out, Tensor) else out


def _perplexity_inputs(g: torch.Generator) -> tuple:
    p = torch.rand(4, 6, generator=g).square() + 0.01
    p[1, 2:] = 0  # two neighbours only
    p[2] = 1.0  # even odds
    return (p / p.sum(dim=1, keepdim=True),)


def _ranks(values):
    distance = torch.cdist(values, values).fill_diagonal_(torch.inf)
    return distance.argsort(dim=1).argsort(dim=1) + 1


def _scaled_excess(n, k, excess):
    return 1 - 2 * float(excess) / (n * k * (2 * n - 3 * k - 1))


def _trustworthiness(z, points, k=5):
    in_data, on_map = _ranks(z), _ranks(points)
    return _scaled_excess(len(z), k, (in_data - k)[(on_map <= k) & (in_data > k)].sum())


def _roles_swapped(z, points, k):
    """This is the continuity: you take the neighbours in the data and their ranks on the map. For trust it is the other
    way round: neighbours on the MAP, ranks in the DATA.
    """
    return _trustworthiness(points, z, k)


def _rank_not_excess(z, points, k):
    """You add up the whole rank of each intruder. What counts is by how much it exceeds k: rank - k."""
    in_data, on_map = _ranks(z), _ranks(points)
    return _scaled_excess(len(z), k, in_data[(on_map <= k) & (in_data > k)].sum())


def _not_only_intruders(z, points, k):
    """You add rank - k for all neighbours on the map, so true neighbours, whose rank is below k, give a refund. Count
    intruders only: those whose rank in the data is above k.
    """
    in_data, on_map = _ranks(z), _ranks(points)
    return _scaled_excess(len(z), k, (in_data - k)[on_map <= k].sum())


def _all_far_points(z, points, k):
    """You count every point with a rank above k in the data. Only those that the map shows among the k nearest are
    intruders.
    """
    in_data = _ranks(z)
    return _scaled_excess(len(z), k, (in_data - k)[in_data > k].sum())


def _share_of_intruders(z, points, k):
    """You return the share of neighbours that are no intruders, whatever their rank. An intruder from far away must
    cost more: add up rank - k.
    """
    in_data, on_map = _ranks(z), _ranks(points)
    return 1 - ((on_map <= k) & (in_data > k)).sum().item() / (len(z) * k)


def _without_factor(z, points, k):
    """You subtract the plain mean of the excess. The factor 2 / (N k (2N - 3k - 1)) brings the result to 0 to 1."""
    in_data, on_map = _ranks(z), _ranks(points)
    return 1 - (in_data - k)[(on_map <= k) & (in_data > k)].sum().item() / (len(z) * k)


def _only_loss(z, points, k):
    """You return what is to be subtracted from 1: a perfect map must get 1."""
    return 1 - _trustworthiness(z, points, k)


def _ranks_from_zero(z, points, k):
    """Your ranks are one off: the nearest neighbour has rank 1, so the k nearest are those with rank <= k, not < k."""
    in_data, on_map = _ranks(z), _ranks(points)
    return _scaled_excess(len(z), k, (in_data - k)[(on_map < k) & (in_data > k)].sum())


def _trust_inputs(g: torch.Generator) -> tuple:
    z = torch.randn(37, 4, generator=g)
    return z, z[:, :2] + 0.7 * torch.randn(37, 2, generator=g), 4


LIES = ("distances", "sizes", "invented groups", "torn apart", "none")
_TRUTH = {"A": "distances", "B": "invented groups", "C": "sizes"}
_EVIDENCE = {
    ("A", "sizes"): "Map A: measure how far the points of each group lie from its mean, in the data. The three are "
    "alike, as on the map. What else does a map suggest about groups?",
    ("A", "invented groups"): "Map A: the three groups are real: in the data their means lie many times their own size "
    "apart. But are the three gaps in the data as alike as on the map?",
    ("A", "torn apart"): "Map A: no group is in pieces on the map. Measure the three distances between the groups' "
    "means, in the data and on the map.",
    ("A", "none"): "Map A: measure the three distances between the groups' means, in the data and on the map, and "
    "compare the largest with the smallest.",
    ("B", "distances"): "Map B: before you ask how far apart its groups are, ask whether they exist. What does a "
    "histogram of any coordinate of the data look like?",
    ("B", "sizes"): "Map B: before you ask how large its clumps are, ask whether they exist. Is any pair of clumps "
    "apart in the data?",
    ("B", "torn apart"): "Map B: it does break up one cloud, but there is a stronger word for what it shows: are there "
    "any groups in the data?",
    (
        "B",
        "none",
    ): "Map B: the map shows clumps and strings. Look at a histogram of any coordinate of the data: does "
    "it have more than one hump?",
    ("C", "distances"): "Map C: with two groups there is one distance and nothing to compare it with. Measure how far "
    "the points of each group lie from its mean, in the data.",
    ("C", "invented groups"): "Map C: the two groups are real: each lies far from the other's mean. Compare their "
    "spread in the data with that on the map.",
    ("C", "torn apart"): "Map C: both groups are in one piece. Compare their spread in the data with that on the map.",
    ("C", "none"): "Map C: its groups look alike. Measure how far the points of each lie from its mean, in the data.",
}


def _spot_the_lies():
    return dict(_TRUTH)


# fmt: off
CHECKS = [
    Check(
        name="knn-accuracy",
        lesson="08",
        reference=_knn_accuracy,
        make_inputs=_knn_inputs,
        observe=_as_float,
        mistakes=mistakes(
            _votes_for_itself, _farthest, _share_of_neighbors, _any_neighbor, _all_neighbors, _nearest_only, _percent,
            _wrong_share,
        ),
    ),
    Check(
        name="perplexity",
        lesson="08",
        reference=_perplexity,
        make_inputs=_perplexity_inputs,
        observe=_nan_as_number,
        mistakes=mistakes(
            _entropy_in_bits, _entropy_in_nats, _nats_to_base_2, _bits_to_base_e, _log_of_zero, _no_minus, _wrong_axis,
            _one_number, _count_positive, _inverse_squares,
        ),
    ),
    Check(
        name="trustworthiness",
        lesson="08",
        reference=_trustworthiness,
        make_inputs=_trust_inputs,
        observe=_as_float,
        mistakes=mistakes(
            _roles_swapped, _rank_not_excess, _not_only_intruders, _all_far_points, _share_of_intruders,
            _without_factor, _only_loss, _ranks_from_zero,
        ),
    ),
    Check(
        name="spot-the-lies",
        lesson="08",
        reference=_spot_the_lies,
        make_inputs=lambda g: (),
        compare=_diagnoses.one_word_each("map", "word", "words", LIES, _EVIDENCE),
        mistakes=[Mistake(lambda wrong=_TRUTH | {key: said}: wrong, text) for (key, said), text in _EVIDENCE.items()],
        draws=1,
    ),
]
# fmt: on
