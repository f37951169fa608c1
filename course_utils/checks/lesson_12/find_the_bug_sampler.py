"""find-the-bug-sampler: the line of a sampler that is wrong, and what it should be."""

import torch

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "for t in reversed(range(len(alpha_bar))):",
    2: "here = alpha_bar[t]",
    3: "there = alpha_bar[t - 1] if t > 0 else torch.ones_like(here)",
    4: "a = here / there",
    5: "x0_hat = guess_x0(x, t)",
    6: "mean = (there.sqrt() * (1 - a) * x0_hat + a.sqrt() * (1 - there) * x) / (1 - here)",
    7: "variance = (1 - a) * (1 - there) / (1 - here)",
    8: "x = mean + variance * torch.randn_like(x)",
    9: "return x",
}
RIGHT = (8, "x = mean + variance.sqrt() * torch.randn_like(x)")

AGAINST = {
    1: "Line 1 is right: from T - 1 down to 0. Were the last step left out, a little noise would remain. Here the "
       "samples have too little spread, not too much.",
    2: "Line 2 is right: alpha_bar of the state where we are.",
    3: "Line 3 is right: alpha_bar of the state before, and 1 for the clean data.",
    4: "Line 4 is right: what the one step from t - 1 to t leaves of the variance.",
    5: "Line 5 is right: your sampler asks for the same guess, and reaches both humps.",
    6: "Line 6 is right: your ddpm_posterior has the same mean. What besides the mean decides where a sample ends?",
    7: "Line 7 is right: it is the variance. Follow it: how is it used?",
    9: "Line 9 is right: the last state is the sample.",
}  # fmt: skip


def noise_of(line):
    """What the mended line makes of x, minus the mean, over the standard deviation."""
    g = torch.Generator().manual_seed(0)
    mean, x, variance = torch.randn(2000, generator=g), torch.randn(2000, generator=g), torch.tensor(0.09)
    one = {name: torch.tensor(value) for name, value in (("a", 0.9), ("here", 0.45), ("there", 0.5))}
    names = names_after(line, mean=mean, variance=variance, x=x, x0_hat=2 * x, t=5, **one)
    return None if names["x"] is x else (names["x"] - mean) / variance.sqrt()


def fault(line):
    """What is wrong with a mended line 8: the noise that it adds."""
    noise = noise_of(line)
    if not isinstance(noise, torch.Tensor):
        return "Line 8 it is. Your line gives no new x: write it out, with the name and the equals sign."
    mean, std = noise.mean().item(), noise.std().item()
    if std < 1e-3:
        return "Line 8 it is, but yours adds no noise at all. Then the samples would agree even more."
    if abs(std - 0.3) < 0.03:
        return "Line 8 it is, and yours still multiplies the noise by the variance. What turns N(0, 1) into N(0, v)?"
    if not (abs(std - 1) <= 0.1 and abs(mean) <= 0.1):  # nor is it right where they are no numbers
        return (
            f"Line 8 it is. With variance 0.09 your noise has standard deviation {0.3 * std:.2f} and mean "
            f"{0.3 * mean:.2f}, where 0.3 and 0 are expected."
        )
    return None


CHECK = script(
    LINES,
    RIGHT,
    wrong={8: fault},
    against=AGAINST,
    mistakes=[
        mended(8, LINES[8], "Line 8 it is, and yours is still the script's: the noise is multiplied by the "
            "variance. What turns N(0, 1) into N(0, v)?"),
        mended(8, "x = mean", "Line 8 it is, but yours adds no noise. Then the samples would agree even more."
            ""),
        mended(8, "x = mean + torch.randn_like(x)", "Line 8 it is, but your noise has standard deviation 1 "
            "in every step. By what is it multiplied?"),
        mended(8, "x = mean + variance**2 * torch.randn_like(x)", "Line 8 it is, but you square the "
            "variance. The standard deviation is its root."),
        mended(8, "x = mean + variance.sqrt() * torch.rand_like(x)", "The root is right, but rand draws from "
            "0 to 1. The script's randn was right."),
        mended(8, "x = mean.sqrt() + variance * torch.randn_like(x)", "You take the root of the mean. It is the "
            "noise that has to be multiplied by a root: that of the variance."),
        mended(8, "x = x + variance.sqrt() * torch.randn_like(x)", "The root is right, but yours adds the "
            "noise to x. The script adds it to the mean."),
        mended(8, "mean + variance.sqrt() * torch.randn_like(x)", "That is right. Write the whole line, with "
            "x and the equals sign."),
    ],
)  # fmt: skip
