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


def spread(rows):
    """Standard deviations, not a number for a single row, and no warning of it."""
    return ((rows - rows.mean(dim=0)).square().sum(dim=0) / (len(rows) - 1)).sqrt()


CHECK = Check(
    pca_encode,
    inputs={"": images(5, 6, 3), "there is one image": images(1, 7, 2), "there is one component": images(4, 5, 1),
            "there are as many components as pixels": images(3, 4, 4)},
    mistakes=[
        Mistake(lambda x, mean, components: x @ components.T, "You projected x without subtracting the mean. A code "
            "says how an image differs from the average image: which code should the average image have?"),
        Mistake(lambda x, mean, components: pca_encode(x, x.mean(dim=0), components),
            "You subtracted the mean of these few images. Then an image's code would depend on its company in the "
            "batch: which mean was the PCA fitted with?"),
        Mistake(lambda x, mean, components: pca_encode(x, x.mean(dim=1, keepdim=True), components),
            "You subtracted each image's own mean over its pixels. Which mean was the PCA fitted with?"),
        Mistake(lambda x, mean, components: pca_encode(x, x.mean(), components), "You subtracted one number, the mean "
            "of all pixels of these images. The mean that you are given is a whole image."),
        Mistake(lambda x, mean, components: pca_encode(x, mean.mean(), components),
            "You subtracted one number, the mean over the pixels of the average image. Each pixel has a mean of its "
            "own: does `mean` need any reduction?"),
        Mistake(lambda x, mean, components: x @ components.T - mean.mean(), "You projected x itself and subtracted one "
            "number from the codes. `mean` is an image: subtract it before the projection."),
        Mistake(lambda x, mean, components: (x + mean) @ components.T,
            "You added the mean. Encoding measures the difference from the average image: which sign does that need?"),
        Mistake(lambda x, mean, components: (mean - x) @ components.T, "Your codes have the wrong sign: you subtract "
            "the image from the mean. Which should be subtracted from which?"),
        Mistake(lambda x, mean, components: (x - 2 * mean) @ components.T, "The mean is subtracted twice."),
        Mistake(lambda x, mean, components: x * mean @ components.T,
            "You multiplied the images by the mean. What tells how an image differs from the average?"),
        Mistake(lambda x, mean, components: (x - mean) / spread(x) @ components.T,
            "You divided every pixel by its standard deviation among these images. The PCA was fitted without it, and "
            "decoding could not undo it: which step can go?"),
        Mistake(lambda x, mean, components: (x - mean) / mean @ components.T,
            "You divided by the mean after subtracting it. Which step can go?"),
        Mistake(after(lambda z: z / spread(z)),
            "Your codes are divided by their standard deviation. That is whitening: it makes every direction equally "
            "important, and decoding could not undo it. What remains when you leave the scaling out?"),
        Mistake(after(lambda z: (z - z.mean(dim=0)) / spread(z)), "Your codes are standardised: centred once more and "
            "divided by their standard deviation. What remains when you leave both out?"),
        Mistake(after(lambda z: normalize(z, dim=1)), "Your codes all have length 1, so the distance from the average "
            "image is lost. A projection on directions of length 1 needs no division: which step can go?"),
        Mistake(lambda x, mean, components: pca_encode(normalize(x, dim=1), mean, components),
            "You scaled each image to length 1 first. An image's code says how bright it is, too: which step can go?"),
        Mistake(lambda x, mean, components: normalize(x - mean, dim=1) @ components.T,
            "You scaled each difference from the average image to length 1, so what you return are cosines. Which step "
            "can go?"),
        Mistake(lambda x, mean, components: pca_encode(x, mean, components / components.norm(dim=0)),
            "You divided the components by lengths along the wrong dimension. Their rows have length 1 already: which "
            "step can go?"),
        Mistake(after(lambda z: z.abs()),
            "Your codes have lost their signs. A code can lie on either side of the average: which step can go?"),
        Mistake(after(torch.sigmoid),
            "There is a sigmoid on your codes. PCA is linear, and a code may be any number: which step can go?"),
        Mistake(after(lambda z: z.clamp(0, 1)),
            "You cut the codes off at 0 and 1. That is for pixels; a code may be any number."),
        Mistake(after(lambda z: z.T), "The right numbers with the dimensions swapped: one row for each image, shape "
            "(B, D). Which factor should come first?"),
        Mistake(lambda x, mean, components: pca_encode(x, mean, components) @ components,
            "You went to the code and back again: this is an image with the mean removed. Where should encoding stop?"),
        Mistake(lambda x, mean, components: pca_encode(x, mean, components) @ components + mean,
            "You went to the code and back again: this is the restored image. Where should encoding stop?"),
        Mistake(lambda x, mean, components: x - mean,
            "You return the centred images. What gives their coordinates along the components?"),
        Mistake(lambda x, mean, components: pca_encode(x, mean, components.flip(0)),
            "Your codes stand in the reverse order: the component of largest variance comes first."),
    ],
)  # fmt: skip
