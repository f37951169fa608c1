"""spot-the-lie: what a map shows of groups that its data do not have, or the other way round."""

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_08.knn_accuracy import knn_accuracy

WORDS = ("hidden", "invented", "distances", "sizes", "none")


def silhouette(x, group):
    from sklearn.metrics import silhouette_score

    return silhouette_score(x, group)


def radii(x, group):
    parts = [x[group == k] for k in group.unique()]
    return torch.stack([(part - part.mean(dim=0)).square().sum(dim=1).mean().sqrt() for part in parts])


def gaps(x, group):
    return torch.pdist(torch.stack([x[group == k].mean(dim=0) for k in group.unique()]))


def twist(a, b):
    factor = (a.max() / a.min()) / (b.max() / b.min())
    return max(factor, 1 / factor)


def lost(z, points, group):
    return knn_accuracy(z, group, 10) - knn_accuracy(points, group, 10)


def is_hidden(z, points, group, cloud):
    return lost(z, points, group) > 0.2


def is_invented(z, points, group, cloud):
    return silhouette(points, group) > 0.5 and silhouette(z, group) <= cloud


def has_other_distances(z, points, group, cloud):
    return twist(gaps(points, group), gaps(z, group)) > 1.4


def has_other_sizes(z, points, group, cloud):
    return twist(radii(points, group), radii(z, group)) > 1.4


TESTS = dict(zip(WORDS, (is_hidden, is_invented, has_other_distances, has_other_sizes), strict=False))


def first_that_fits(tests):
    """The answer that tries the tests of some words, in this order."""
    return lambda z, points, group, cloud: next(
        (word for word, test in tests.items() if test(z, points, group, cloud)), "none"
    )


def spot_the_lie(z, points, group, cloud):
    return first_that_fits(TESTS)(z, points, group, cloud)


def but(**tests):
    """A wrong answer with another test for some words."""
    return first_that_fits({word: tests.get(word, test) for word, test in TESTS.items()})


def only(*words):
    return first_that_fits({word: TESTS[word] for word in words})


def larger(measure):
    """A test in one direction only: the map has the larger ratio."""

    def test(z, points, group, cloud):
        on_map, in_data = measure(points, group), measure(z, group)
        return (on_map.max() / on_map.min()) / (in_data.max() / in_data.min()) > 1.4

    return test


def smaller(measure):
    return lambda z, points, group, cloud: larger(measure)(points, z, group, cloud)


def absolute(measure):
    """A test that compares the map's own units with those of the data."""

    def test(z, points, group, cloud):
        factor = measure(points, group) / measure(z, group)
        return torch.maximum(factor, 1 / factor).max() > 1.4

    return test


def groups(places, spreads, dimensions, g, n):
    x = torch.cat([spread * torch.randn(n, dimensions, generator=g) for spread in spreads])
    x[:, 0] += torch.tensor(places, dtype=torch.float32).repeat_interleave(n)
    return x


def case(data, shown, cloud=0.2, n=24, scale=1.0):
    """Groups on a line, (places, spreads) in the data and on the map; the map has units of its own."""

    def inputs(g):
        z, points = groups(*data, 6, g, n), scale * groups(*shown, 2, g, n)
        group = torch.arange(len(data[0])).repeat_interleave(n)
        order = torch.randperm(len(z), generator=g)
        return z[order], points[order], group[order], cloud

    return inputs


EVEN, THREE = (0, 12), (0, 12, 24)
CASES = {
    "": case((THREE, (1, 1, 1)), ((0, 0, 0), (1, 1, 1))),
    "the data have no groups": case(((0, 0), (1, 1)), (EVEN, (1, 1))),
    "the data have groups like those of clouds": case(((0, 2.5), (1, 1)), (EVEN, (1, 1)), cloud=0.6),
    "the data have weak groups": case(((0, 2.6), (1, 1)), ((0, 9), (1, 1)), cloud=0.02),
    "the map evens distances out": case(((0, 12, 120), (1, 1, 1)), (THREE, (1, 1, 1)), scale=7.0),
    "the map makes distances unlike": case((THREE, (1, 1, 1)), ((0, 12, 60), (1, 1, 1)), scale=7.0),
    "the map evens sizes out": case(((0, 60), (1, 4)), (EVEN, (1, 1)), scale=7.0),
    "the map makes sizes unlike": case(((0, 30), (1, 1)), ((0, 30), (1, 3)), scale=7.0),
    "distances and sizes are other ones": case(((0, 40, 400), (1, 1, 5)), (THREE, (1, 1, 1))),
    "the map is as the data": case((THREE, (1, 1, 1)), (THREE, (1, 1, 1)), scale=7.0),
    "the map is one cloud, cut in two": case(((0, 0), (1, 1)), ((0, 2), (1, 1))),
    "neither has groups": case(((0, 0), (1, 1)), ((0, 0), (1, 1))),
}


def as_word(fn, *inputs):
    out = fn(*inputs)
    return out.strip().lower() if isinstance(out, str) else out


def compare(out, expected, z, points, group, cloud):
    if not isinstance(out, str):
        return f"Return one word in quotation marks, such as {expected!r}."
    if out not in WORDS:
        return f"Return one of the words {', '.join(map(repr, WORDS))}; yours is {out!r}."
    if out == expected:
        return None
    return {
        "hidden": f"You say {out!r}. In the data the neighbours name the group, on the map they do not: which of your "
                  "tests should see that, and does it come first?",
        "invented": f"You say {out!r}. The groups are clear on the map, and in the data their silhouette is not above "
                    "that of the clouds.",
        "distances": f"You say {out!r}. The groups are there, and largest to smallest distance of their means differs "
                     "more than 1.4-fold between map and data.",
        "sizes": f"You say {out!r}. The distances agree, and largest to smallest radius differs more than 1.4-fold "
                 "between map and data.",
        "none": f"You say {out!r}. None of the tests fits here: is a limit or a direction of yours another one?",
    }[expected]  # fmt: skip


CHECK = Check(
    spot_the_lie,
    inputs=CASES,
    observe=as_word,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(lambda z, points, group, cloud: spot_the_lie(points, z, group, cloud), "Data and map are exchanged "
            "somewhere: the first argument, z, is the data."),
        Mistake(but(hidden=lambda z, points, group, cloud: lost(points, z, group) > 0.2), "Your test for hidden groups "
            "runs the wrong way: the accuracy in the DATA is more than 0.2 above that on the MAP."),
        Mistake(but(hidden=lambda z, points, group, cloud: abs(lost(z, points, group)) > 0.2), "You take the size of "
            "the difference of the two accuracies. Groups are hidden only where the DATA have the higher one."),
        Mistake(but(hidden=lambda z, points, group, cloud: knn_accuracy(points, group, 10) < 0.8), "Your test for "
            "hidden groups looks at the map alone. Where the data have none either, nothing is hidden: compare both."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.5), "Your test for "
            "invented groups looks at the map alone, so all clear groups are called invented. Compare with the data."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(z, group) <= cloud), "Your test for invented "
            "groups looks at the data alone. A map invents groups only where it shows them: silhouette above 0.5."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.1 and silhouette(z, group)
                    <= cloud), "Your limit for the silhouette on the map is too low: the halves of one cloud pass it. "
            "It is 0.5."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.5 or silhouette(z, group)
                    <= cloud), "Your test for invented groups joins its two conditions by `or`. Both must "
            "hold: `and`."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.5 and silhouette(z, group)
                    <= 0.1), "You compare the silhouette in the data with a fixed number. What counts is whether it "
            "is above that of clouds without groups: cloud."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.5 and silhouette(z, group)
                    <= 0), "You call groups invented only if their silhouette in the data is below 0. Clouds without "
            "groups have more than that: compare with cloud."),
        Mistake(but(invented=lambda z, points, group, cloud: silhouette(points, group) > 0.5 and silhouette(z, group)
                    > cloud), "Your comparison with the clouds runs the wrong way: groups are invented if the data's "
            "silhouette is NOT above cloud."),
        Mistake(but(distances=larger(gaps)), "You see other distances only where the map's are less alike than the "
            "data's. A map that evens them out lies too: twist looks in both directions."),
        Mistake(but(distances=smaller(gaps)), "You see other distances only where the map evens them out. It can also "
            "make them less alike: twist looks in both directions."),
        Mistake(but(sizes=larger(radii)), "You see other sizes only where the map's are less alike than the data's. A "
            "map that evens them out lies too: twist looks in both directions."),
        Mistake(but(sizes=smaller(radii)), "You see other sizes only where the map evens them out. It can also make "
            "them less alike: twist looks in both directions."),
        Mistake(but(distances=absolute(gaps)), "You compare distances on the map with those in the data, but a map has "
            "no unit. Compare ratios, largest to smallest: twist does."),
        Mistake(but(sizes=absolute(radii)), "You compare radii on the map with those in the data, but a map has no "
            "unit. Compare ratios, largest to smallest: twist does."),
        Mistake(only("hidden", "invented", "sizes", "distances"), "You test the sizes before the distances. Where both "
            "are other ones, the word is \"distances\": keep the docstring's order."),
        Mistake(only("hidden", "invented", "sizes"), "You never say \"distances\". Compare the gaps as well."),
        Mistake(only("hidden", "invented", "distances"), "You never say \"sizes\". Compare the radii as well."),
        Mistake(only("invented", "distances", "sizes"), "You never say \"hidden\". Compare the two k-NN accuracies "
            "first."),
        Mistake(only("hidden", "distances", "sizes"), "You never say \"invented\". Compare silhouettes before you "
            "measure distances."),
        Mistake(lambda z, points, group, cloud: "none", "You always say \"none\"."),
        Mistake(lambda z, points, group, cloud: "invented", "You always say \"invented\"."),
    ],
)  # fmt: skip
