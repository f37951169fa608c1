"""spot-the-lies: what three maps show that their data do not."""

from course_utils.checks._words import one_word_each

CHECK = one_word_each(
    "map",
    words=("distances", "sizes", "invented groups", "torn apart", "none"),
    truth={"A": "distances", "B": "invented groups", "C": "sizes"},
    evidence={
        ("A", "sizes"): "Map A: measure how far the points of each group lie from its mean, in the data. The three "
            "are alike, as on the map. What else does a map suggest about groups?",
        ("A", "invented groups"): "Map A: the three groups are real: in the data their means lie many times their own "
            "size apart. But are the three gaps in the data as alike as on the map?",
        ("A", "torn apart"): "Map A: no group is in pieces on the map. Measure the three distances between the "
            "groups' means, in the data and on the map.",
        ("A", "none"): "Map A: measure the three distances between the groups' means, in the data and on the map, and "
            "compare the largest with the smallest.",
        ("B", "distances"): "Map B: before you ask how far apart its groups are, ask whether they exist. What does a "
            "histogram of any coordinate of the data look like?",
        ("B", "sizes"): "Map B: before you ask how large its clumps are, ask whether they exist. Is any pair of "
            "clumps apart in the data?",
        ("B", "torn apart"): "Map B: it does break up one cloud, but there is a stronger word for what it shows: are "
            "there any groups in the data?",
        ("B", "none"): "Map B: the map shows clumps and strings. Look at a histogram of any coordinate of the data: "
            "does it have more than one hump?",
        ("C", "distances"): "Map C: with two groups there is one distance and nothing to compare it with. Measure how "
            "far the points of each group lie from its mean, in the data.",
        ("C", "invented groups"): "Map C: the two groups are real: each lies far from the other's mean. Compare their "
            "spread in the data with that on the map.",
        ("C", "torn apart"): "Map C: both groups are in one piece. Compare their spread in the data with that on the "
            "map.",
        ("C", "none"): "Map C: its groups look alike. Measure how far the points of each lie from its mean, in the "
            "data.",
    },
)  # fmt: skip
