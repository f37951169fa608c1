"""fit-pca: the average image and the principal components."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def svd(x):
    return torch.linalg.svd(x, full_matrices=False)


def centred(x):
    return x - x.mean(dim=0)


def fit_pca(x, latent_dim):
    return x.mean(dim=0), svd(centred(x))[2][:latent_dim]


def directions_are(directions):
    """A wrong answer whose mean is right and whose components, from x and latent_dim, are others."""
    return lambda x, latent_dim: (x.mean(dim=0), directions(x, latent_dim))


def eigenvectors(x):
    return torch.linalg.eigh(centred(x).T @ centred(x))[1]  # in columns, the smallest variance first


def images(count, pixels, latent_dim):
    """Images far from the origin; no two directions have equal variance, and no two pixels."""

    def inputs(g):
        turn = torch.linalg.qr(torch.randn(pixels, pixels, generator=g)).Q
        spread = 3 * 0.6 ** torch.arange(pixels)
        return torch.randn(count, pixels, generator=g) * spread @ turn + 3 * torch.rand(pixels, generator=g), latent_dim

    return inputs


def observe(fn, x, latent_dim):
    """The mean, and the components with their signs chosen, since a component may point either way."""
    out = fn(x, latent_dim)
    if not (isinstance(out, (tuple, list)) and len(out) == 2 and isinstance(out[1], Tensor) and out[1].ndim == 2):
        return out
    largest = out[1].gather(1, out[1].abs().argmax(dim=1, keepdim=True)) if out[1].numel() else out[1]
    return out[0], torch.where(largest < 0, -out[1], out[1])


RIGHT_SIDE = (
    "Each component must be a direction among the pixels, so it has one number for each pixel, not one for each image."
)

CHECK = Check(
    fit_pca,
    inputs={"": images(14, 6, 2), "there are fewer images than pixels": images(6, 9, 3),
            "one component is asked for": images(17, 5, 1),
            "as many components as pixels are asked for": images(23, 4, 4)},
    observe=observe,
    tolerance=1e-3,
    mistakes=[
        Mistake(directions_are(lambda x, latent_dim: svd(x)[2][:latent_dim]),
            "You decomposed x itself. Without centring, the first direction mostly points from the origin to the "
            "middle of the cloud. What must be subtracted before the SVD?"),
        Mistake(directions_are(lambda x, latent_dim: svd(x - x.mean())[2][:latent_dim]),
            "You subtracted one number, the mean over all pixels of all images. Each pixel has a mean of its own: over "
            "which dimension of (N, P) should the mean go?"),
        Mistake(lambda x, latent_dim: (x.mean(), svd(x - x.mean())[2][:latent_dim]),
            "Your mean is a single number, over all pixels of all images. It should be the average image: over which "
            "dimension of (N, P) should the mean go?"),
        Mistake(lambda x, latent_dim: (
                    x.mean(dim=1, keepdim=True), svd(x - x.mean(dim=1, keepdim=True))[2][:latent_dim]),
            "Your mean is one number for each image. It should be the average image, one number for each pixel: over "
            "which dimension of (N, P) should the mean go?"),
        Mistake(directions_are(lambda x, latent_dim: svd(x - x.mean(dim=1, keepdim=True))[2][:latent_dim]),
            "The mean that you return is right, but before the SVD you subtract another one, that of each image's "
            "pixels. Which of the two must go?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[0][:, :latent_dim].T),
            f"These are columns of U, the other side of the SVD. {RIGHT_SIDE} Which factor has that?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[0][:latent_dim]),
            f"These are rows of U, the other side of the SVD. {RIGHT_SIDE} Of which factor are the rows such?"),
        Mistake(directions_are(lambda x, latent_dim: torch.linalg.svd(centred(x))[0][:latent_dim]),
            f"These are rows of the full U, with one number for each image. {RIGHT_SIDE} Of which factor are the "
            "rows such?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x).T)[0][:latent_dim]),
            "You took rows of a matrix that has a direction in each COLUMN, since you decomposed the transposed "
            "images. Which slice gives columns, and what makes rows of them?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[0][:, :latent_dim]),
            f"You kept columns of U, with shape (N, latent_dim). {RIGHT_SIDE} Which of U, S, Vt has rows of length "
            "P?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][:, :latent_dim].T),
            "You took columns of Vt. torch.linalg.svd returns V already transposed: in which dimension of Vt do the "
            "directions lie one under another?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][:, :latent_dim]),
            "You kept columns of Vt, with shape (P, latent_dim). V comes already transposed, so the directions are its "
            "rows: which slice gives the first latent_dim rows?"),
        Mistake(directions_are(lambda x, latent_dim: (svd(centred(x))[1][:, None] * svd(centred(x))[2])[:latent_dim]),
            "Your components are multiplied by the singular values, so they no longer have length 1, and decoding "
            "would stretch every image. S says how much the data vary along a direction: does the direction need it?"),
        Mistake(directions_are(lambda x, latent_dim: (
                    svd(centred(x))[1][:, None] / (len(x) - 1) ** 0.5 * svd(centred(x))[2])[:latent_dim]),
            "Your components are multiplied by the standard deviations along them. Components have length 1: does a "
            "direction need the spread?"),
        Mistake(directions_are(lambda x, latent_dim: (svd(centred(x))[2] / svd(centred(x))[1][:, None])[:latent_dim]),
            "Your components are divided by the singular values, so they no longer have length 1. That belongs to "
            "whitening; directions do without."),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x) / x.std(dim=0))[2][:latent_dim]),
            "You divided every pixel by its standard deviation before the SVD, so pixels that hardly vary count as "
            "much as the others. Which step can go?"),
        Mistake(directions_are(lambda x, latent_dim: svd(normalize(centred(x), dim=1))[2][:latent_dim]),
            "You scaled every centred image to length 1 before the SVD, so how far an image lies from the average does "
            "not count. Which step can go?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][-latent_dim:]),
            "These are the last directions, along which the data vary least. In which order does the SVD return them?"),
        Mistake(directions_are(lambda x, latent_dim: eigenvectors(x)[:, :latent_dim].T),
            "These are the directions along which the data vary least. eigh returns the eigenvalues rising: at which "
            "end are the largest?"),
        Mistake(directions_are(lambda x, latent_dim: eigenvectors(x)[:, -latent_dim:].T),
            "These are the right directions in rising order, as eigh returns them. The one of largest variance comes "
            "first: what turns the order round?"),
        Mistake(directions_are(lambda x, latent_dim: eigenvectors(x)[:latent_dim]), "You took rows of the matrix of "
            "eigenvectors. eigh returns each eigenvector as a column, and the largest eigenvalue last."),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][1 : latent_dim + 1]),
            "You left the first direction out, along which the data vary most. At which row does the slice start?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][latent_dim:]),
            "You dropped the first latent_dim directions and kept the rest. On which side of the colon does latent_dim "
            "stand?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2]),
            "You return all directions. latent_dim says how many of them to keep: which slice of the rows?"),
        Mistake(directions_are(lambda x, latent_dim: svd(centred(x))[2][latent_dim - 1]),
            "You return one direction, the last of those asked for. All the first latent_dim rows are wanted: where is "
            "the colon?"),
        Mistake(directions_are(lambda x, latent_dim: fit_pca(x, latent_dim)[1].T),
            "The right directions, but in columns: the shape should be (latent_dim, P), one direction in each row."),
        Mistake(lambda x, latent_dim: (centred(x).mean(dim=0), fit_pca(x, latent_dim)[1]),
            "Your mean is that of the centred images, which is zero. Keep the mean of x before you subtract it: "
            "decoding has to add it back."),
        Mistake(lambda x, latent_dim: (x.median(dim=0).values, svd(x - x.median(dim=0).values)[2][:latent_dim]),
            "You took the median of each pixel. The average image is a mean."),
        Mistake(lambda x, latent_dim: (x.sum(dim=0), fit_pca(x, latent_dim)[1]),
            "Your mean is the sum of the images. By what is a sum divided to be a mean?"),
        Mistake(lambda x, latent_dim: fit_pca(x, latent_dim)[::-1],
            "You return the right two things in the reverse order: the mean first, then the components."),
        Mistake(lambda x, latent_dim: fit_pca(x, latent_dim)[1], "You return the components alone. Encoding needs the "
            "average image too: return the mean first, then the components."),
        Mistake(lambda x, latent_dim: (*fit_pca(x, latent_dim), svd(centred(x))[1][:latent_dim]),
            "You return three things. The mean and the components are right; no singular values are asked for."),
    ],
)  # fmt: skip
