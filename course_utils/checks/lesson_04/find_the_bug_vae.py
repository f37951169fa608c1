"""find-the-bug-vae: the line of a training script that is wrong, and what it should be."""

import torch
from torch import nn

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "mu, logvar = vae.posterior(x)",
    2: "std = torch.exp(0.5 * logvar)",
    3: "eps = torch.randn_like(std)",
    4: "z = mu + std * eps",
    5: "x_logits = vae.decoder(mu)",
    6: 'bce = F.binary_cross_entropy_with_logits(x_logits, x, reduction="none")',
    7: "recon = bce.sum(dim=(1, 2, 3))",
    8: "kl = 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).sum(dim=1)",
    9: "loss = (recon + kl).mean()",
    10: "optimizer.zero_grad()",
    11: "loss.backward()",
    12: "optimizer.step()",
}
RIGHT = (5, "x_logits = vae.decoder(z)")

AGAINST = {
    1: "Line 1 is right: the heads return mu and logvar. Were it wrong, restoring from the centre would fail as well.",
    2: "Line 2 is right: sigma is exp(logvar / 2). The widths are too large, all near 1. What in the loss would make "
       "them smaller?",
    3: "Line 3 is right: one number from N(0, I) for each image and dimension. Is it used further down?",
    4: "Line 4 is right: z is a draw from the cloud. Follow it: in which lines does it appear after this one?",
    6: "Line 6 is right: the binary cross-entropy of each pixel. What do the logits belong to?",
    7: "Line 7 is right: the sum over the pixels of each image. With a mean there the images would be restored badly; "
       "from the centre they are restored well.",
    8: "Line 8 is right: it is 0 at mu = 0 and sigma = 1. The widths sit where it is lowest. Why does the other term "
       "not pull them away?",
    9: "Line 9 is right: both terms, averaged over the batch. Does recon depend on the widths at all?",
    10: "Line 10 is right: gradients are cleared before backward(). Were it missing, training would be thrown about.",
    11: "Line 11 is right. Which weights get a gradient from recon?",
    12: "Line 12 is right: the restored images show that the model has learned.",
}  # fmt: skip


CUT_OFF = (
    "Line 5 it is, and z is right, but yours is cut off from logvar: no gradient of recon would reach the widths. That "
    "is what was wrong. What stands around z?"
)


def fault(line):
    """What is wrong with a mended line 5: what it hands to the decoder and calls x_logits."""
    g = torch.Generator().manual_seed(0)
    vae = nn.Module()
    vae.decoder = nn.Identity()
    mu, logvar, eps = torch.randn(3, 4, 2, generator=g)
    mu.requires_grad_(), logvar.requires_grad_()
    std = torch.exp(0.5 * logvar)
    z = mu + std * eps
    names = names_after(line, vae=vae, mu=mu, logvar=logvar, std=std, eps=eps, z=z)
    x_logits = names.get("x_logits")
    if not isinstance(x_logits, torch.Tensor):
        return "Line 5 it is. Your line gives no x_logits: write it out, with the name and the equals sign."
    if x_logits.shape == z.shape and torch.allclose(x_logits, z, atol=1e-5):
        return None if reaches(x_logits, logvar) else CUT_OFF
    if torch.equal(x_logits, mu):
        return "Line 5 it is, and yours still decodes mu. Which code has the noise in it?"
    return "Line 5 it is, but yours decodes something else than the draw from the cloud. Which name has line 4 made?"


def reaches(out, start):
    """Whether a gradient of out reaches start."""
    return out.requires_grad and torch.autograd.grad(out.sum(), start, allow_unused=True)[0] is not None


CHECK = script(
    LINES,
    RIGHT,
    wrong={5: fault},
    against=AGAINST,
    mistakes=[
        mended(5, LINES[5], "Line 5 it is, and yours still decodes mu. Which code has the noise in it?"),
        mended(5, "x_logits = vae.decoder(eps)", "Line 5 it is, but yours decodes eps: noise that knows "
            "nothing of the image. Which name has line 4 made?"),
        mended(5, "x_logits = vae.decoder(std * eps)", "Line 5 it is, but yours decodes noise around 0. The "
            "centre is missing: which name has line 4 made?"),
        mended(5, "x_logits = vae.decoder(mu + eps)", "Line 5 it is, but yours adds noise of width 1 to "
            "every centre. Which name has line 4 made?"),
        mended(5, "x_logits = vae.decoder(mu + std)", "Line 5 it is, but yours decodes a place one sigma "
            "from the centre, the same in every step. Which name has line 4 made?"),
        mended(5, "x_logits = torch.sigmoid(vae.decoder(z))", "z is right, but now there is a sigmoid, and "
            "line 6 takes the sigmoid itself."),
        mended(5, "x_logits = vae.decoder(z.detach())", CUT_OFF),
        mended(5, "vae.decoder(z)", "z is right. Write the whole line, with x_logits and the equals sign."),
    ],
)  # fmt: skip
