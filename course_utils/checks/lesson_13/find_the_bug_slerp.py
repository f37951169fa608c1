"""find-the-bug-slerp: the line of a public slerp that is wrong for a batch, and what it should be."""

import torch

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "dot = (a * b).sum() / (a.norm() * b.norm())",
    2: "dot = dot.clamp(-0.9999, 0.9999)",
    3: "theta = torch.acos(dot)",
    4: "first = torch.sin((1 - t) * theta) / torch.sin(theta)",
    5: "second = torch.sin(t * theta) / torch.sin(theta)",
    6: "return first * a + second * b",
}
RIGHT = (1, "dot = (a * b).sum(dim=1, keepdim=True) / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True))")

AGAINST = {
    2: "Line 2 is right: it keeps the arc cosine finite, and the angle away from 0. Were it wrong, a pair would give "
       "the same alone and in a batch.",
    3: "Line 3 is right: the angle, in radians. How many angles does a batch of three pairs have, and how many are "
       "there here?",
    4: "Line 4 is right: it is the formula. Which of its ingredients does a pair share with the other pairs of the "
       "batch?",
    5: "Line 5 is right: it is the formula. Which of its ingredients does a pair share with the other pairs of the "
       "batch?",
    6: "Line 6 is right where the two codes of a pair are about equally long, as here. What makes a pair depend on the "
       "other pairs?",
}  # fmt: skip
FLAT = (
    "Line 1 it is, with one cosine a pair, but they have the shape (B,). `first * a` needs the shape (B, 1): what does "
    "keepdim=True do?"
)


def run(line):
    """What the mended line calls dot, for a batch of four pairs; and the right cosines, (4, 1)."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 3, generator=g)
    b = b * torch.tensor([[0.5], [1.0], [2.0], [3.0]])
    names = names_after(line, a=a, b=b, t=0.3)
    return names.get("dot"), torch.nn.functional.cosine_similarity(a, b, dim=1)[:, None], a, b


def fault(line):
    """What is wrong with a mended line 1: the cosines of a batch of pairs."""
    dot, right, a, b = run(line)
    if not isinstance(dot, torch.Tensor):
        return "Line 1 it is. Your line gives no dot: write it out, with the name and the equals sign."
    if dot.shape == right.shape and torch.allclose(dot, right, atol=1e-5):
        return None
    if dot.numel() == 1:
        return "Line 1 it is, and yours still gives one number for the whole batch. Each pair has a cosine of its own."
    if dot.shape == right[:, 0].shape and torch.allclose(dot, right[:, 0], atol=1e-5):
        return FLAT
    if dot.shape[-1] == a.shape[1]:
        return "Line 1 it is, but yours adds up over the pairs, not over the numbers of a code. Which dim is that?"
    products = (a * b).sum(dim=1, keepdim=True)
    if torch.allclose(dot, products.expand_as(dot), atol=1e-5):
        return "Line 1 it is, but your dot products are not divided by the lengths of the two codes."
    if dot.shape == right.shape and torch.allclose(dot * a.norm() * b.norm(), products, atol=1e-4):
        return "Line 1 it is. The sum is one a pair now, but norm() still takes the length of the whole batch."
    return "Line 1 it is, but yours is not the cosine of each pair, with the shape (B, 1)."


CHECK = script(
    LINES,
    RIGHT,
    wrong={1: fault},
    against=AGAINST,
    mistakes=[
        mended(1, LINES[1], "Line 1 it is, and yours still gives one number for the whole batch. Each pair "
            "has a cosine of its own."),
        mended(1, "dot = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))", FLAT),
        mended(1, "dot = (a * b).sum(dim=0, keepdim=True) / (a.norm(dim=0) * b.norm(dim=0))", "Line 1 it is, "
            "but yours adds up over the pairs, not over the numbers of a code. Which dim is that?"),
        mended(1, "dot = (a * b).sum(dim=1, keepdim=True)", "Line 1 it is, but your dot products are not "
            "divided by the lengths of the two codes."),
        mended(1, "dot = (a * b).sum(dim=1, keepdim=True) / (a.norm() * b.norm())", "Line 1 it is. The sum "
            "is one a pair now, but norm() still takes the length of the whole batch."),
        mended(1, "(a * b).sum(dim=1, keepdim=True)", "Line 1 it is. Your line gives no dot: write it out, "
            "with the name and the equals sign."),
        mended(1, "dot = (a * b).mean(dim=1, keepdim=True) / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, "
            "keepdim=True))", "Line 1 it is, but yours is not the cosine of each pair, with the shape (B, 1)."),
    ],
)  # fmt: skip
