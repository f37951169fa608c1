"""find-the-bug-map: the line of a script for a map that is wrong, and what it should be."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "data = TensorDataset(x, labels)",
    2: "loader = DataLoader(data, batch_size=256, shuffle=True)",
    3: "with torch.no_grad():",
    4: "codes = torch.cat([model.encode(images.to(device)).cpu() for images, _ in loader])",
    5: "codes = (codes - codes.mean(dim=0)) / codes.std(dim=0)",
    6: "tsne = TSNE(perplexity=30, random_state=0)",
    7: "points = torch.from_numpy(tsne.fit_transform(codes.numpy()))",
    8: "plots.latent_map(points, labels, names)",
}
RIGHT = (2, "loader = DataLoader(data, batch_size=256)")

AGAINST = {
    1: "Line 1 is right: image i and label i stand at the same place. Do they still when the codes are made?",
    3: "Line 3 is right: no gradients are needed to encode.",
    4: "Line 4 is right as long as the loader hands out the images in the order of the labels. Which line decides on "
       "that order?",
    5: "Line 5 is no mistake, but a choice: it makes all 16 numbers count alike. The codes would be near their own "
       "kind with or without it, and the accuracy of the codes themselves is that of guessing.",
    6: "Line 6 is right: the map is trustworthy, so t-SNE did its work. The accuracy is wrong in the codes already.",
    7: "Line 7 is right: the map is trustworthy, so it shows the codes. Do the labels belong to these codes?",
    8: "Line 8 draws what it is given. Where do points and labels cease to belong together?",
}  # fmt: skip
STILL = "Line 2 it is, and yours still hands the images out in a random order. Which argument does that?"


def fault(line):
    """What is wrong with a mended line 2: which images its loader hands out."""
    x, labels = torch.arange(600.0).reshape(600, 1, 1, 1), torch.arange(600) % 10
    torch.default_generator.manual_seed(1)
    names = names_after(
        line, DataLoader=DataLoader, TensorDataset=TensorDataset, x=x, labels=labels,
        data=TensorDataset(x, labels),
    )  # fmt: skip
    if "loader" not in names:
        return "Line 2 it is. Your line makes no loader: write it out, with the name and the equals sign."
    images = torch.cat([some for some, _ in names["loader"]])
    if torch.equal(images, x):
        return None
    if len(images) < len(x):
        return (
            f"Line 2 it is, but yours hands out {len(images)} of {len(x)} images, fewer than there are labels: "
            "drop_last leaves the last batch out."
        )
    return STILL


CHECK = script(
    LINES,
    RIGHT,
    wrong={2: fault},
    against=AGAINST,
    mistakes=[
        mended(2, LINES[2], STILL),
        mended(2, "loader = DataLoader(data, batch_size=len(x), shuffle=True)", "One batch with all images "
            "is shuffled too. Which argument has to go?"),
        mended(2, "loader = DataLoader(data, 256, True)", "You only left the name away: the third argument "
            "is shuffle, and it is still True."),
        mended(2, "loader = DataLoader(data, batch_size=256, shuffle=True, "
                           "generator=torch.Generator().manual_seed(0))", "A seed makes the order the same each time, "
            "but it is still not the order of the labels."),
        mended(2, "loader = DataLoader(data, batch_size=256, drop_last=True)", "The order is right now, but "
            "drop_last leaves the last batch out, and the labels are more than the codes."),
        mended(2, "DataLoader(data, batch_size=256)", "The order is right. Write the whole line, with loader "
            "and the equals sign."),
        mended(2, "shuffle=False", "That is the argument. Write the whole line, from loader to the last "
            "bracket."),
    ],
)  # fmt: skip
