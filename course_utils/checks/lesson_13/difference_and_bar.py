"""difference-and-bar: the mean of a paired difference, and twice its standard error."""

import torch

from course_utils.checks._check import Check, Mistake


def difference_and_bar(first, second):
    difference = second - first
    return difference.mean(), 2 * difference.std() / len(difference) ** 0.5


def observe(fn, first, second):
    """The two numbers as tensors; plain numbers are as good."""
    out = fn(first, second)
    if isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(one, float) for one in out):
        return tuple(map(torch.tensor, out))
    return tuple(out) if isinstance(out, list) and len(out) == 2 else out


def bar_is(bar):
    """A wrong answer whose mean is right and whose bar is another function of both."""
    return lambda first, second: (difference_and_bar(first, second)[0], bar(first, second))


def of_differences(bar):
    """The bar another function of the differences (P,)."""
    return bar_is(lambda first, second: bar(second - first))


def pairs(number, common=3.0):
    """Numbers that differ more from pair to pair than within one."""

    def inputs(g):
        base = common * torch.randn(number, generator=g)
        first, second = base + 0.5 * torch.randn(2, number, generator=g)
        return first, second + 0.7

    return inputs


CHECK = Check(
    difference_and_bar,
    inputs={"": pairs(9), "there are many pairs": pairs(60), "there are two pairs": pairs(2),
            "the pairs are alike": pairs(12, common=0.0)},
    observe=observe,
    mistakes=[
        Mistake(lambda first, second: difference_and_bar(second, first), "Your difference has the wrong sign. It is "
            "above 0 where `second` is higher."),
        Mistake(bar_is(lambda first, second: 2 * ((first.var() + second.var()) / len(first)).sqrt()), "Your bar is "
            "that of two separate groups. Take the difference of each pair first, then its standard deviation: what "
            "the two have in common cancels."),
        Mistake(bar_is(lambda first, second: 2 * (first.std() + second.std()) / len(first) ** 0.5), "You add the two "
            "standard deviations. Take the difference of each pair first, then one standard deviation."),
        Mistake(bar_is(lambda first, second: 2 * (second.std() - first.std()) / len(first) ** 0.5), "You subtract the "
            "two standard deviations. Take the difference of each pair first, then one standard deviation."),
        Mistake(bar_is(lambda first, second: 2 * second.std() / len(first) ** 0.5), "Your bar is that of `second` "
            "alone. It should be that of the differences."),
        Mistake(of_differences(lambda d: 2 * d.std()), "Your bar does not shrink with more pairs: it is the spread of "
            "single differences. By what is it divided for a mean of P of them?"),
        Mistake(of_differences(lambda d: 2 * d.std() / len(d)), "You divide by P. The standard error is "
            "std / sqrt(P)."),
        Mistake(of_differences(lambda d: 2 * d.std() / (len(d) - 1) ** 0.5), "You divide by the root "
            "of P - 1. std() has the minus 1 already: divide by sqrt(P)."),
        Mistake(of_differences(lambda d: d.std() / len(d) ** 0.5), "That is one standard error. The bar is twice as "
            "long."),
        Mistake(of_differences(lambda d: 1.96 * d.std() / len(d) ** 0.5), "You take 1.96 standard errors, which is the "
            "more exact number. Twice is asked for, to compare."),
        Mistake(of_differences(lambda d: 2 * d.var() / len(d) ** 0.5), "You use the variance. Its root, the standard "
            "deviation, is in the unit of the differences."),
        Mistake(of_differences(lambda d: 2 * d.std(correction=0) / len(d) ** 0.5), "Your standard deviation divides by "
            "P, as NumPy's does unless told ddof=1. torch's std() divides by P - 1."),
        Mistake(of_differences(lambda d: 2 * d.abs().mean() / len(d) ** 0.5), "You take the mean of the absolute "
            "differences for their standard deviation."),
        Mistake(lambda first, second: ((second - first).abs().mean(), difference_and_bar(first, second)[1]), "Your "
            "mean is that of absolute differences, so it is above 0 even if nothing differs. Keep the signs."),
        Mistake(lambda first, second: ((second - first).median(), difference_and_bar(first, second)[1]), "You take the "
            "median. The bar is that of a mean."),
        Mistake(lambda first, second: ((second - first).sum(), difference_and_bar(first, second)[1]), "You return the "
            "sum of the differences. Divide by their number."),
        Mistake(lambda first, second: ((second / first).mean(), difference_and_bar(first, second)[1]), "You take "
            "ratios. Asked for is the difference."),
        Mistake(lambda first, second: (difference_and_bar(first, second)[0] - difference_and_bar(first, second)[1],
            difference_and_bar(first, second)[0] + difference_and_bar(first, second)[1]), "You return the ends of the "
            "interval. Return the mean, and the bar."),
        Mistake(lambda first, second: difference_and_bar(first, second)[::-1], "You return the right two numbers in "
            "the reverse order: the mean first."),
        Mistake(lambda first, second: second - first, "You return the differences themselves. Their mean and their bar "
            "are asked for."),
        Mistake(lambda first, second: torch.stack(difference_and_bar(first, second)), "You return one tensor of two "
            "numbers. Return two things: mean, bar."),
        Mistake(lambda first, second: difference_and_bar(first, second)[0], "You return the mean alone. The bar is "
            "missing."),
    ],
)  # fmt: skip
