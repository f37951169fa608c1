"""find-the-bug-directions: the line of a script that mixes up faces and labels, and what it should be."""

import torch
from torch.utils.data import DataLoader

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "loader = DataLoader(images, batch_size=100, shuffle=True)",
    2: "codes = []",
    3: "for x in loader:",
    4: "mu, logvar = model.posterior(x)",
    5: "codes.append(mu.cpu())",
    6: "z = torch.cat(codes)",
    7: "z = (z - z.mean(dim=0)) / z.std(dim=0)",
    8: "smiles = handles[:, 0] > 0",
    9: "direction = z[smiles].mean(dim=0) - z[~smiles].mean(dim=0)",
    10: "read_out = LinearRegression().fit(z, handles)",
}
RIGHT = (1, "loader = DataLoader(images, batch_size=100, shuffle=False)")

AGAINST = {
    2: "Line 2 is right: an empty list for the codes. Which order do the codes have that are put into it?",
    3: "Line 3 is right: it takes one batch after the other. In which order do they come?",
    4: "Line 4 is right: the centre of each cloud is the face's code. The lesson encodes with it too.",
    5: "Line 5 is right: it keeps the codes of each batch. Are they kept in the order of the handles?",
    6: "Line 6 is right: it puts the batches below each other. Does row 0 of z belong to row 0 of handles?",
    7: "Line 7 is right, if not needed: it gives every number the mean 0 and the standard deviation 1. A linear "
       "read-out explains as much after it as before.",
    8: "Line 8 is right: the smile goes from -1 to 1, and 0 is its middle.",
    9: "Line 9 is right: the difference of the two groups' averages. When is it nearly 0 for every attribute?",
    10: "Line 10 is right: a straight line for each handle. When does it explain nothing of any handle?",
}  # fmt: skip


def order(line):
    """The order in which the mended line's loader has the images, as a list of their numbers; None without a loader."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loader = names_after(line, DataLoader=DataLoader, images=torch.arange(250.0)[:, None]).get("loader")
        return None if loader is None else [int(one) for x in loader for one in x[:, 0]]


def fault(line):
    """What is wrong with a mended line 1."""
    seen = order(line)
    if seen is None:
        return "Line 1 it is. Your line makes no loader: write it out, with the name and the equals sign."
    if seen == list(range(250)):
        return None
    if len(seen) < 250:
        return f"Line 1 it is, but your loader leaves faces out: {len(seen)} of 250 come, and all have handles."
    return "Line 1 it is, but with yours the faces still come in another order than the handles."


CHECK = script(
    LINES,
    RIGHT,
    wrong={1: fault},
    against=AGAINST,
    mistakes=[
        mended(1, LINES[1], "Line 1 it is, and yours is as it was. What does shuffle=True do to the order of "
            "the codes, and what to the order of the handles?"),
        mended(1, "loader = DataLoader(images, batch_size=len(images), shuffle=True)", "One large batch is "
            "shuffled as well. The order is what is wrong, not the size of the batches."),
        mended(1, "loader = DataLoader(images, batch_size=100, shuffle=True, "
            "generator=torch.Generator().manual_seed(0))", "With a seed the order is the same in every run, but it is "
            "still not the order of the handles."),
        mended(1, "loader = DataLoader(images, batch_size=100, drop_last=True)", "The order is right, but "
            "drop_last leaves out the faces of the last, smaller batch. Every handle needs its face."),
        mended(1, "DataLoader(images, batch_size=100, shuffle=False)", "shuffle=False it is. Write the whole "
            "line, with loader and the equals sign."),
    ],
)  # fmt: skip
