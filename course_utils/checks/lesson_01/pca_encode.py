"""pca-encode: from images to their coordinates along principal components."""

import torch
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def pca_encode(x, mean, components):
    return (x - mean) @ components.T


def directions(g, pixels, latent_dim):
    """A mean (P,), and D orthonormal directions among P pixels, (D, P)."""
    turn = torch.linalg.qr(torch.randn(pixels, latent_dim, generator=g)).Q
    return torch.rand(pixels, generator=g), turn.T.contiguous()


def images(count, pixels, latent_dim):
    return lambda g: (torch.rand(count, pixels, generator=g), *directions(g, pixels, latent_dim))


def after(change):
    """A wrong answer that changes the right codes."""
    return lambda x, mean, components: change(pca_encode(x, mean, components))


def centred_by(other):
    """A wrong answer that subtracts another mean, from x and the given one."""
    return lambda x, mean, components: pca_encode(x, other(x, mean), components)


def spread(rows):
    """Standard deviations, not a number for a single row, and no warning of it."""
    return ((rows - rows.mean(dim=0)).square().sum(dim=0) / (len(rows) - 1)).sqrt()


CHECK = Check(
    pca_encode,
    inputs={"": images(5, 6, 3), "there is one image": images(1, 7, 2), "there is one component": images(4, 5, 1),
            "there are as many components as pixels": images(3, 4, 4),
            "there are many components": images(2, 150, 140)},
    draws=2,
    mistakes=[
        Mistake(centred_by(lambda x, mean: 0), "You projected x without subtracting the mean. A code says how an image "
            "differs from the average image: which code should the average image have?"),
        Mistake(centred_by(lambda x, mean: x.mean(dim=0)), "You subtracted the mean of these few images. Then an "
            "image's code would depend on its company in the batch: which mean was the PCA fitted with?"),
        Mistake(centred_by(lambda x, mean: x.mean(dim=1, keepdim=True)),
            "You subtracted each image's own mean over its pixels. Which mean was the PCA fitted with?"),
        Mistake(centred_by(lambda x, mean: x.mean()), "You subtracted one number, the mean of all pixels of these "
            "images. The mean that you are given is a whole image."),
        Mistake(centred_by(lambda x, mean: mean.mean()), "You subtracted one number, the mean over the pixels of the "
            "average image. Each pixel has a mean of its own: does `mean` need any reduction?"),
        Mistake(centred_by(lambda x, mean: -mean),
            "You added the mean. Encoding measures the difference from the average image: which sign does that need?"),
        Mistake(after(torch.neg), "Your codes have the wrong sign: you subtract the image from the mean. Which should "
            "be subtracted from which?"),
        Mistake(centred_by(lambda x, mean: 2 * mean), "The mean is subtracted twice."),
        Mistake(lambda x, mean, c: (x - mean) / spread(x) @ c.T, "You divided every pixel by its standard deviation "
            "among these images. The PCA was fitted without it, and decoding could not undo it: which step can go?"),
        Mistake(after(lambda z: z / spread(z)), "Your codes are divided by their standard deviation. That is "
            "whitening, and decoding could not undo it. What remains when you leave the scaling out?"),
        Mistake(after(lambda z: (z - z.mean(dim=0)) / spread(z)),
            "Your codes are centred once more and divided by their standard deviation. Which two steps can go?"),
        Mistake(after(lambda z: normalize(z, dim=1)), "Your codes all have length 1, so the distance from the average "
            "image is lost. A projection on directions of length 1 needs no division: which step can go?"),
        Mistake(lambda x, mean, c: normalize(x - mean, dim=1) @ c.T, "You scaled each difference from the average "
            "image to length 1, so what you return are cosines. Which step can go?"),
        Mistake(lambda x, mean, c: pca_encode(x, mean, c[:64]),
            "You use 64 components, whatever was given. Take all the rows of `components`."),
        Mistake(after(torch.abs),
            "Your codes have lost their signs. A code can lie on either side of the average: which step can go?"),
        Mistake(after(torch.sigmoid), "There is a sigmoid on your codes. PCA is linear: which step can go?"),
        Mistake(after(lambda z: z.clamp(0, 1)),
            "You cut the codes off at 0 and 1. That is for pixels; a code may be any number."),
        Mistake(after(lambda z: z.T), "The right numbers with the dimensions swapped: one row for each image, shape "
            "(B, D). Which factor should come first?"),
        Mistake(lambda x, mean, c: pca_encode(x, mean, c) @ c,
            "You went to the code and back again: this is an image with the mean removed. Where should encoding stop?"),
        Mistake(lambda x, mean, c: pca_encode(x, mean, c) @ c + mean,
            "You went to the code and back again: this is the restored image. Where should encoding stop?"),
        Mistake(lambda x, mean, c: x - mean,
            "You return the centred images. What gives their coordinates along the components?"),
    ],
)  # fmt: skip
