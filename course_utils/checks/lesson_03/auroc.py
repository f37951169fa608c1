"""auroc: the chance that a positive scores higher than a negative."""

import torch

from course_utils import metrics
from course_utils.checks._check import Check, Mistake


def auroc(scores, positive):
    return torch.tensor(metrics.auroc(scores, positive))


def table(compare):
    """A wrong answer that averages something else over all pairs of a positive and a negative."""
    return lambda scores, positive: compare(scores[positive][:, None], scores[~positive][None]).float().mean()


def wins(scores, positive):
    high, low = scores[positive][:, None], scores[~positive][None]
    return ((high > low) + 0.5 * (high == low)).sum()


def all_pairs(scores, positive):
    return ((scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)).mean()


def accuracy(threshold):
    return lambda scores, positive: ((scores > threshold(scores)) == positive).float().mean()


def area(order, positive):
    """Area by trapezoids under the curve that goes through the cases one by one, ties too."""
    hit = positive[order].float()
    rates = torch.cat([torch.zeros(2, 1), torch.stack([(1 - hit).cumsum(0), hit.cumsum(0)])], dim=1)
    rates = rates / rates[:, -1:]
    return torch.trapezoid(rates[1], rates[0])


def average_precision(scores, positive):
    alarms = scores >= scores[positive][:, None]
    return (alarms[:, positive].sum(dim=1) / alarms.sum(dim=1)).mean()


def from_ranks(ranks, positive):
    hits = positive.sum()
    return (ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * (~positive).sum())


def one_to_one(compare):
    """A wrong answer that pairs the positives with the negatives in the order in which they stand."""

    def answer(scores, positive):
        pairs = list(zip(scores[positive], scores[~positive], strict=False))
        return torch.stack([compare(high, low) for high, low in pairs]).mean()

    return answer


def nearly_equal(g):
    scores, positive = 0.01 + 2e-8 * torch.randperm(17, generator=g), torch.zeros(17, dtype=torch.bool)
    positive[torch.randperm(17, generator=g)[:6]] = True
    return scores, positive


def cases(count, positives, shift, decimals=0):
    """Scores of which the positives lie higher by shift; rounded, so that there are ties."""

    def inputs(g):
        positive = torch.zeros(count, dtype=torch.bool)
        positive[torch.randperm(count, generator=g)[:positives]] = True
        return (1.5 * torch.randn(count, generator=g) + shift * positive).round(decimals=decimals), positive

    return inputs


ACCURACY = (
    "That is an accuracy at one threshold. AUROC uses none: it asks about pairs. Over all pairs of one positive and "
    "one negative, how often does the positive score higher?"
)
IN_ORDER = (
    "You go through the cases one by one, so of equal scores the one that happens to come first is counted first. All "
    "cases of one score pass the threshold together: how much should a tie count?"
)

FROM_ZERO = "Your ranks begin at 0, so each positive loses one pair. From which number on does the formula count them?"
RISING = (
    "You let the threshold rise, from the lowest score. The alarm is raised ABOVE a threshold: from which end does the "
    "curve begin?"
)

CHECK = Check(
    auroc,
    inputs={"": cases(23, 7, 1.2), "the scores differ, but by little": nearly_equal,
            "the positives score lower": cases(19, 8, -2.5), "there is one positive": cases(12, 1, 0.7),
            "there is one negative": cases(9, 8, 0.7),
            "all scores are equal": lambda g: (torch.full((10,), 0.3), torch.arange(10) > 6)},
    mistakes=[
        Mistake(lambda scores, positive: (
                    (scores[positive][:, None] > scores) + 0.5 * (scores[positive][:, None] == scores)).float().mean(),
            "You compare the positives with all cases, themselves included. Only the negatives are their rivals."),
        Mistake(lambda scores, positive: auroc((scores > scores.float().mean()).float(), positive),
            "You turn the scores into yes or no first, which throws their order away. AUROC needs no threshold."),
        Mistake(lambda scores, positive: auroc(-scores, positive),
            "You get 1 minus the right value: either the pairs are compared the wrong way round, or positives and "
            "negatives are swapped. Which of the two should score higher?"),
        Mistake(lambda scores, positive: torch.maximum(auroc(scores, positive), auroc(-scores, positive)),
            "Below one half you return 1 minus the right value. A score can be worse than a coin toss, and the lesson "
            "wants to see it: which step can go?"),
        Mistake(lambda scores, positive: 2 * auroc(scores, positive) - 1, "You return twice the area minus 1, which is "
            "the Gini coefficient. The chance itself was asked for: do lost pairs count as -1?"),
        Mistake(table(lambda high, low: high > low), "You count ties as losses. A score that is the same for all cases "
            "would get 0 instead of 0.5: how much should a tie count?"),
        Mistake(table(lambda high, low: high >= low), "You count ties as wins. A score that is the same for all cases "
            "would get 1 and look perfect: how much should a tie count?"),
        Mistake(table(lambda high, low: 1.0 * (high >= low) + 0.5 * (high == low)),
            "You count a tie as one and a half: >= has counted it already. Which comparison goes with the half?"),
        Mistake(table(lambda high, low: 1.0 * ((high > low) & ~high.isclose(low)) + 0.5 * high.isclose(low)),
            "isclose takes scores for equal that differ by little. Only scores that are exactly equal are ties."),
        Mistake(one_to_one(lambda high, low: (high > low) + 0.5 * (high == low)),
            "You compare the first positive with the first negative and so on. Every positive meets every negative: "
            "which shapes make a table of all pairs?"),
        Mistake(lambda scores, positive: 0.5 + 0.5 * (scores[positive].mean() - scores[~positive].mean()).sign(),
            "You compare the means of the two groups, so only 0, 0.5 or 1 can come out. Compare every positive with "
            "every negative."),
        Mistake(lambda scores, positive: from_ranks(scores.argsort().argsort(), positive), FROM_ZERO),
        Mistake(lambda scores, positive: auroc(scores, positive) - 1 / (~positive).sum(), FROM_ZERO),
        Mistake(average_precision, "That is the average precision, the area under another curve. AUROC asks about "
            "pairs: how often does the positive score higher?"),
        Mistake(lambda scores, positive: area(scores.argsort(), positive), RISING),
        Mistake(table(lambda high, low: low > high), "You count the pairs in which the negative scores higher, and "
            "ties as nothing. Which of the two should score higher, and how much does a tie count?"),
        Mistake(table(lambda high, low: low >= high), "You count the pairs in which the negative scores at least as "
            "high. Which of the two should score higher, and how much does a tie count?"),
        Mistake(lambda scores, positive: table(lambda high, low: high > low)(scores, positive)
                    / table(lambda high, low: high != low)(scores, positive),
            "You leave tied pairs out altogether. They count half, and they count among all pairs."),
        Mistake(table(lambda high, low: torch.sigmoid(high - low)), "You average a sigmoid of the differences. By how "
            "much the positive scores higher does not count, only whether it does."),
        Mistake(table(lambda high, low: high - low), "You average the differences of the scores. By how much the "
            "positive scores higher does not count, only whether it does."),
        Mistake(all_pairs, "You compare every case with every other and always get 0.5. Only pairs of one positive and "
            "one negative count: which rows and which columns do you need?"),
        Mistake(wins,
            "You return the sum over the pairs. A chance lies between 0 and 1: by how many pairs is it divided?"),
        Mistake(lambda scores, positive: wins(scores, positive) / len(scores) ** 2,
            "You divide by N * N pairs. There are as many pairs as positives times negatives."),
        Mistake(lambda scores, positive: scores[positive].mean() - scores[~positive].mean(),
            "You return the difference of the two means, whose size depends on the unit of the score. Count pairs."),
        Mistake(lambda scores, positive: area(scores.argsort(descending=True, stable=True), positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort(descending=True), positive), IN_ORDER),
        Mistake(lambda scores, positive: from_ranks(scores.argsort().argsort() + 1, positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort(stable=True), positive), RISING),
        *(Mistake(accuracy(threshold), ACCURACY) for threshold in (
            torch.mean, torch.median, lambda scores: 0.5, lambda scores: 0.0)),
        Mistake(lambda scores, positive: auroc(scores, positive).item(), "The number is right, but it is a plain "
            "Python number, and the lesson calls .item() on what you return. Return it as a scalar tensor."),
    ],
)  # fmt: skip
