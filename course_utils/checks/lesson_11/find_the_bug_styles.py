"""find-the-bug-styles: the line of a truncation script that is wrong, and what it should be."""

import torch

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "z = torch.randn(n, 64)",
    2: "w = model.map(z)",
    3: "mean_w = model.map(torch.randn(10_000, 64).mean(dim=0, keepdim=True))",
    4: "w = mean_w + psi * (w - mean_w)",
    5: "codes = w[:, None].repeat(1, 7, 1)",
    6: "return space.decode(codes), w",
}
RIGHT = (3, "mean_w = model.map(torch.randn(10_000, 64)).mean(dim=0, keepdim=True)")

AGAINST = {
    1: "Line 1 is right: n draws from N(0, I). Each call may show other people, but at psi = 0 all should be the mean "
       "face, the same in every call.",
    2: "Line 2 is right: w of each z. With psi = 1 the faces are good.",
    4: "Line 4 is right: at psi = 1 it leaves w as it is, at psi = 0 it gives mean_w. Is what it moves to the mean?",
    5: "Line 5 is right: all seven layers get the same code.",
    6: "Line 6 is right: w may be given one a layer, and here all seven are the same.",
}  # fmt: skip
IN_Z = (
    "Line 3 it is, but your mean is still taken in z. Map the draws first, and take the mean of their w."
)
FEW = (
    "Line 3 it is, but yours lies too far from the mean of w. Take the mean over many draws, not over a few, and not "
    "of what is drawn in line 1."
)
SHAPE = "Line 3 it is, but mean_w has shape {}: one code is wanted, (1, 64) or (64,)."
NO_NAME = "Line 3 it is. Yours gives no mean_w: write it out, with the name and the equals sign."


class Warped:
    """A mapping without layers: the direction of z, bent. Its codes have a mean that is not that of any z."""

    def __init__(self):
        g = torch.Generator().manual_seed(11)
        self.weight = torch.randn(64, 64, generator=g) / 8
        with torch.no_grad():
            self.mean_w = self.map(torch.randn(20_000, 64, generator=g)).mean(dim=0)
        self.generator = self

    def map(self, z):
        z = z * torch.rsqrt(z.square().mean(dim=-1, keepdim=True) + 1e-8)
        return torch.nn.functional.leaky_relu(z @ self.weight, 0.2)

    def in_w(self, **options):
        return self


def fault(line):
    """What is wrong with a mended line 3."""
    model = Warped()
    z = torch.randn(6, 64, generator=torch.Generator().manual_seed(3))
    w = model.map(z)
    names = names_after(line, model=model, space=model, z=z, w=w, n=6, psi=0.7)
    if "mean_w" not in names:
        return NO_NAME
    mean_w = torch.as_tensor(names["mean_w"])
    if mean_w.shape not in ((1, 64), (64,)):
        return SHAPE.format(tuple(mean_w.shape))
    spread = model.map(torch.randn(2000, 64, generator=torch.Generator().manual_seed(4))).std(dim=0).norm()
    away = (mean_w.flatten() - model.mean_w).norm() / spread
    if away < 0.15:
        return None
    return FEW if away < 0.6 else IN_Z


CHECK = script(
    LINES,
    RIGHT,
    wrong={3: fault},
    against=AGAINST,
    mistakes=[
        mended(3, LINES[3], IN_Z),
        mended(3, "mean_w = model.map(torch.zeros(1, 64))", IN_Z),
        mended(3, "mean_w = model.map(z.mean(dim=0, keepdim=True))", IN_Z),
        mended(3, "mean_w = model.map(torch.randn(1_000_000, 64).mean(dim=0, keepdim=True))", IN_Z),
        mended(3, "mean_w = torch.zeros(1, 64)", IN_Z),
        mended(3, "mean_w = w.mean(dim=0, keepdim=True)", FEW),
        mended(3, "mean_w = model.map(torch.randn(5, 64)).mean(dim=0, keepdim=True)", FEW),
        mended(3, "mean_w = model.map(torch.randn(10_000, 64))", SHAPE.format((10_000, 64))),
        mended(3, "mean_w = model.map(torch.randn(10_000, 64)).mean()", SHAPE.format(())),
        mended(3, "mean_w = model.map(torch.randn(10_000, 64)).mean(dim=1)", SHAPE.format((10_000,))),
        mended(3, RIGHT[1].removeprefix("mean_w = "), NO_NAME),
    ],
)  # fmt: skip
