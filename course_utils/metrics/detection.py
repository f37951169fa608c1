"""How well scores tell two kinds apart."""

import torch
from torch import Tensor

from course_utils.device import as_float64
from course_utils.inputs import as_tensor


def _scores_and_labels(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    scores, positive = as_tensor(scores, "scores"), as_tensor(positive, "positive")
    if scores.ndim != 1 or scores.shape != positive.shape:
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} and positive {tuple(positive.shape)}: give two vectors (N,)."
        )
    if not ((positive == 0) | (positive == 1)).all():
        raise ValueError("positive holds values other than 0 and 1: give True for each case to be found, else False.")
    positive = positive.bool()
    if positive.all() or not positive.any():
        raise ValueError("all cases are of one kind: a ROC curve needs positives and negatives.")
    if torch.isnan(scores).any():
        raise ValueError("some scores are NaN, which have no place in an order: look for the step that made them.")
    scores = as_float64(scores)
    return scores, positive.to(scores.device)


def roc_curve(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Rates of false and of true alarms when everything at or above a threshold is called positive.

    Args:
        scores: Higher means more likely positive, (N,).
        positive: True for the cases to be found, (N,), bool or 0 and 1.

    Returns:
        False positive rate and true positive rate, each (K + 1,) for K different scores, from (0, 0) to (1, 1) as the
        threshold falls. Equal scores pass the threshold together and give one point.

    Raises:
        ValueError: Shapes that do not match, only one kind of case, or NaN scores.

    Source: Fawcett 2006, algorithm 1. Taught in lesson 03.

    Example:
        >>> fpr, tpr = roc_curve(torch.tensor([1.0, 2.0, 2.0, 3.0]), torch.tensor([0, 0, 1, 1]))
        >>> fpr.tolist(), tpr.tolist()
        ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    scores, positive = _scores_and_labels(scores, positive)
    values, which = scores.unique(return_inverse=True)  # rising
    rates = []
    for kind in (~positive, positive):
        count = torch.bincount(which[kind], minlength=len(values)).flip(0).cumsum(0).double()
        rates.append(torch.cat([count.new_zeros(1), count / kind.sum()]))
    return rates[0], rates[1]


def auroc(scores: Tensor, positive: Tensor) -> float:
    """Area under the ROC curve: the chance that a random positive scores higher than a random negative.

    P(s_positive > s_negative) + 0.5 P(s_positive = s_negative)

    0.5 is a coin toss, 1 perfect order, and 0 perfect order the wrong way round. It is computed from ranks (the
    Mann-Whitney statistic), ties getting their mean rank.

    Args:
        scores: Higher means more likely positive, (N,).
        positive: True for the cases to be found, (N,), bool or 0 and 1.

    Returns:
        The area, 0 to 1, the same for any number of positives per negative.

    Raises:
        ValueError: Shapes that do not match, only one kind of case, or NaN scores.

    Source: Hanley and McNeil 1982. Taught in lesson 03.

    Example:
        >>> auroc(torch.tensor([1.0, 2.0, 2.0, 3.0]), torch.tensor([0, 0, 1, 1]))
        0.875
    """
    scores, positive = _scores_and_labels(scores, positive)
    _, which, count = scores.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2)[which]  # 1 is the lowest score
    num_positive, num_negative = int(positive.sum()), int((~positive).sum())
    wins = rank[positive].double().sum() - num_positive * (num_positive + 1) / 2
    return wins.item() / (num_positive * num_negative)
