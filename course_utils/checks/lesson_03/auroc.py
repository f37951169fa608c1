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
    hit = positive[scores.argsort(descending=True, stable=True)].float()
    return (hit.cumsum(0) / torch.arange(1, len(hit) + 1) * hit).sum() / hit.sum()


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

CHECK = Check(
    auroc,
    inputs={"": cases(23, 7, 1.2), "no two scores are equal": cases(17, 6, 1.0, decimals=4),
            "the positives score lower": cases(19, 8, -2.5), "there is one positive": cases(12, 1, 0.7),
            "there is one negative": cases(9, 8, 0.7),
            "all scores are equal": lambda g: (torch.full((10,), 0.3), torch.arange(10) > 6)},
    mistakes=[
        Mistake(lambda scores, positive: auroc(-scores, positive),
            "You get 1 minus the right value: either the pairs are compared the wrong way round, or positives and "
            "negatives are swapped. Which of the two should score higher?"),
        Mistake(lambda scores, positive: torch.maximum(auroc(scores, positive), auroc(-scores, positive)),
            "Below one half you return 1 minus the right value. A score can be worse than a coin toss, and the lesson "
            "wants to see it: which step can go?"),
        Mistake(lambda scores, positive: 2 * auroc(scores, positive) - 1, "You return twice the area minus 1, which is "
            "the Gini coefficient. The chance itself was asked for: do lost pairs count as -1?"),
        Mistake(lambda scores, positive: (2 * auroc(scores, positive) - 1).abs(),
            "You return how far the right value is from one half, times 2. The chance itself was asked for."),
        Mistake(table(lambda high, low: high > low), "You count ties as losses. A score that is the same for all cases "
            "would get 0 instead of 0.5: how much should a tie count?"),
        Mistake(table(lambda high, low: high >= low), "You count ties as wins. A score that is the same for all cases "
            "would get 1 and look perfect: how much should a tie count?"),
        Mistake(table(lambda high, low: low > high), "You count the pairs in which the negative scores higher, and "
            "ties as nothing. Which of the two should score higher, and how much does a tie count?"),
        Mistake(table(lambda high, low: low >= high), "You count the pairs in which the negative scores at least as "
            "high. Which of the two should score higher, and how much does a tie count?"),
        Mistake(table(lambda high, low: (high > low) + (high == low) / 2 * 0.5),
            "You count a tie as a quarter. How much should it count?"),
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
        Mistake(lambda scores, positive: wins(scores, positive) / positive.sum(),
            "You divide by the number of positives. There are as many pairs as positives times negatives."),
        Mistake(lambda scores, positive: wins(scores, positive) / (~positive).sum(),
            "You divide by the number of negatives. There are as many pairs as positives times negatives."),
        Mistake(lambda scores, positive: wins(scores, positive) / len(scores),
            "You divide by the number of cases. There are as many pairs as positives times negatives."),
        Mistake(lambda scores, positive: wins(scores, positive) / (len(scores) * (len(scores) - 1) / 2),
            "You divide by the number of all pairs of cases. Only pairs of one positive and one negative count."),
        Mistake(lambda scores, positive: (scores[positive] > scores[~positive].mean()).float().mean(),
            "You compare the positives with the mean of the negatives. Compare them with every single negative."),
        Mistake(lambda scores, positive: (scores[positive].mean() > scores[~positive]).float().mean(),
            "You compare the negatives with the mean of the positives. Compare them with every single positive."),
        Mistake(lambda scores, positive: scores[positive].mean() - scores[~positive].mean(),
            "You return the difference of the two means, whose size depends on the unit of the score. Count pairs."),
        Mistake(lambda scores, positive: area(scores.argsort(descending=True, stable=True), positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort(stable=True).flip(0), positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort(descending=True), positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort().flip(0), positive), IN_ORDER),
        Mistake(lambda scores, positive: area(scores.argsort(stable=True), positive), "You let the threshold rise, "
            "from the lowest score. The alarm is raised ABOVE a threshold: from which end does the curve begin?"),
        Mistake(average_precision, "That is the average precision, the area under another curve. AUROC asks about "
            "pairs: how often does the positive score higher?"),
        *(Mistake(accuracy(threshold), ACCURACY) for threshold in (
            torch.mean, torch.median, lambda scores: 0.5, lambda scores: 0.0)),
        Mistake(lambda scores, positive: torch.corrcoef(torch.stack([scores, positive.float()]))[0, 1],
            "You return a correlation. AUROC asks about pairs: how often does the positive score higher?"),
        Mistake(lambda scores, positive: auroc(scores, positive).item(), "The number is right, but it is a plain "
            "Python number, and the lesson calls .item() on what you return. Return it as a scalar tensor."),
        Mistake(lambda scores, positive: auroc(scores, positive)[None],
            "The number is right, but it comes as a tensor of shape (1,). A scalar tensor has shape ()."),
        Mistake(lambda scores, positive: 100 * auroc(scores, positive),
            "You return per cent. The chance lies between 0 and 1."),
    ],
)  # fmt: skip
