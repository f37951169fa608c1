"""find-the-bug-map: the line of a script for a map that is wrong, and what it should be."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from course_utils.checks._check import Check, Mistake

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


def find_the_bug():
    return RIGHT


def handed_out(line):
    """The images that the mended line's loader hands out, and those that it should; an error if it cannot be run."""
    x, labels = torch.arange(600.0).reshape(600, 1, 1, 1), torch.arange(600) % 10
    names = {"torch": torch, "DataLoader": DataLoader, "TensorDataset": TensorDataset, "x": x, "labels": labels}
    names["data"] = TensorDataset(x, labels)
    torch.default_generator.manual_seed(1)
    exec(line, names)  # the learner's own line, in the learner's own kernel
    return torch.cat([images for images, _ in names["loader"]]), x, names


def compare(out, expected):
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        return "Return two things, the number of the line and the line as it should be: (number, \"the line\")."
    number, line = out
    if isinstance(number, str) and number.strip().isdigit():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or number not in LINES:
        return f"Return the number of a line first, 1 to {len(LINES)}; yours is {number!r}."
    if number != RIGHT[0]:
        return AGAINST[number]
    if not isinstance(line, str):
        return "Line 2 it is. Return the mended line as text, in quotation marks."
    try:
        images, x, names = handed_out(line.strip())
    except KeyError:
        return "Line 2 it is. Your line makes no loader: write it out, with the name and the equals sign."
    except Exception as error:
        return f"Line 2 it is, but yours cannot be run: {type(error).__name__}: {error}."
    if torch.equal(images, x):
        return None
    if len(images) < len(x):
        return (
            f"Line 2 it is, but yours hands out {len(images)} of {len(x)} images, fewer than there are labels: "
            "drop_last leaves the last batch out."
        )
    return STILL


def answers(number, line=""):
    return lambda: (number, line)


CHECK = Check(
    find_the_bug,
    inputs=lambda g: (),
    compare=compare,
    draws=1,
    mistakes=[
        *(Mistake(answers(number), text) for number, text in AGAINST.items()),
        Mistake(answers(2, LINES[2]), STILL),
        Mistake(answers(2, "loader = DataLoader(data, batch_size=len(x), shuffle=True)"), "One batch with all images "
            "is shuffled too. Which argument has to go?"),
        Mistake(answers(2, "loader = DataLoader(data, 256, True)"), "You only left the name away: the third argument "
            "is shuffle, and it is still True."),
        Mistake(answers(2, "loader = DataLoader(data, batch_size=256, shuffle=True, "
                           "generator=torch.Generator().manual_seed(0))"), "A seed makes the order the same each time, "
            "but it is still not the order of the labels."),
        Mistake(answers(2, "loader = DataLoader(data, batch_size=256, drop_last=True)"), "The order is right now, but "
            "drop_last leaves the last batch out, and the labels are more than the codes."),
        Mistake(answers(2, "DataLoader(data, batch_size=256)"), "The order is right. Write the whole line, with loader "
            "and the equals sign."),
        Mistake(answers(2, "shuffle=False"), "That is the argument. Write the whole line, from loader to the last "
            "bracket."),
        Mistake(lambda: 2, "Line 2 it is. Return two things: the number, and the mended line as text."),
        Mistake(lambda: RIGHT[::-1], "You found it. Return the number first, then the line."),
        Mistake(lambda: RIGHT[1], "You found it. Return two things: the number of the line, 2, and the line."),
    ],
)  # fmt: skip
