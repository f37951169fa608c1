"""fit-pca: the average image, the principal components, and the variance along every direction."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.checks._check import Check, Mistake


def svd(x):
    return torch.linalg.svd(x, full_matrices=False)


def centred(x):
    return x - x.mean(dim=0)


def variances(x):
    return svd(centred(x))[1] ** 2 / (len(x) - 1)


def fit_pca(x, latent_dim):
    return x.mean(dim=0), svd(centred(x))[2][:latent_dim], variances(x)


def rows(directions):
    """A wrong answer whose components, from x and latent_dim, are others; the rest is right."""
    return lambda x, d: (x.mean(dim=0), directions(x, d), variances(x))


def decomposed(x, d, mean=None, average=None):
    """What somebody returns who decomposes x - mean; the average is what they return as the mean."""
    _, s, vt = svd(x if mean is None else x - mean)
    return x.mean(dim=0) if average is None else average, vt[:d], s**2 / (len(x) - 1)


def of(prepare):
    """A wrong answer that decomposes something else than the centred images."""

    def answer(x, d):
        _, s, vt = svd(prepare(x))
        return x.mean(dim=0), vt[:d], s**2 / (len(x) - 1)

    return answer


def factors(choose):
    """A wrong answer that makes something else of the factors U, S, Vt."""
    return rows(lambda x, d: choose(*svd(centred(x)), d))


def spread(choose):
    """A wrong answer whose variances, from the singular values, N and latent_dim, are others."""
    return lambda x, d: (*fit_pca(x, d)[:2], choose(svd(centred(x))[1], len(x), d))


def with_rows(keepdim):
    return lambda x, d: decomposed(x, d, x.mean(dim=1, keepdim=True), x.mean(dim=1, keepdim=keepdim))


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
    """All three, the components with their signs chosen, since a component may point either way."""
    out = fn(x, latent_dim)
    if not (isinstance(out, (tuple, list)) and len(out) == 3 and isinstance(out[1], Tensor) and out[1].ndim == 2):
        return out
    largest = out[1].gather(1, out[1].abs().argmax(dim=1, keepdim=True)) if out[1].numel() else out[1]
    return out[0], torch.where(largest < 0, -out[1], out[1]), out[2]


RIGHT_SIDE = "Each component must be a direction among the pixels, with one number for each pixel, not for each image."
OF_EACH_IMAGE = (
    "Your mean is one number for each image. It should be the average image, one number for each pixel: over which "
    "dimension of (N, P) should the mean go?"
)

CHECK = Check(
    fit_pca,
    inputs={"": images(14, 6, 2), "there are fewer images than pixels": images(6, 9, 3),
            "one component is asked for": images(17, 5, 1),
            "as many components as pixels are asked for": images(23, 4, 4)},
    observe=observe,
    tolerance=1e-3,
    draws=2,
    mistakes=[
        Mistake(of(lambda x: x), "You decomposed x itself. Without centring, the first direction mostly points from "
            "the origin to the middle of the cloud. What must be subtracted before the SVD?"),
        Mistake(of(lambda x: x - x.mean()), "You subtracted one number, the mean over all pixels of all images. Each "
            "pixel has a mean of its own: over which dimension of (N, P) should the mean go?"),
        Mistake(lambda x, d: decomposed(x, d, x.mean(), x.mean()), "Your mean is a single number, over all pixels of "
            "all images. It should be the average image: over which dimension of (N, P) should the mean go?"),
        Mistake(with_rows(keepdim=True), OF_EACH_IMAGE),
        Mistake(with_rows(keepdim=False), OF_EACH_IMAGE),
        Mistake(of(lambda x: x - x.mean(dim=1, keepdim=True)), "The mean that you return is right, but before the SVD "
            "you subtract another one, that of each image's pixels. Which of the two must go?"),
        Mistake(lambda x, d: (x.mean(dim=0, keepdim=True), *fit_pca(x, d)[1:]),
            "Your mean has shape (1, P), and (P,) is asked for. Where is the keepdim or [None]?"),
        Mistake(factors(lambda u, s, vt, d: u[:, :d].T),
            f"These are columns of U, the other side of the SVD. {RIGHT_SIDE} Which factor has that?"),
        Mistake(factors(lambda u, s, vt, d: u[:, :d]),
            f"You kept columns of U, with shape (N, latent_dim). {RIGHT_SIDE} Which factor has that?"),
        Mistake(factors(lambda u, s, vt, d: vt[:, :d].T), "You took the other dimension of V. torch.linalg.svd returns "
            "it transposed, torch.svd does not: in which dimension do the directions lie one under another?"),
        Mistake(factors(lambda u, s, vt, d: vt[:, :d]), "You kept columns of Vt, with shape (P, latent_dim). V comes "
            "already transposed: which slice gives the first latent_dim rows?"),
        Mistake(factors(lambda u, s, vt, d: (s[:, None] * vt)[:d]),
            "Your components are multiplied by the singular values, so they no longer have length 1, and decoding "
            "would stretch every image. Does a direction need S?"),
        Mistake(of(lambda x: centred(x) / x.std(dim=0)), "You divided every pixel by its standard deviation before the "
            "SVD, so pixels that hardly vary count as much as the others. Which step can go?"),
        Mistake(of(lambda x: normalize(centred(x), dim=1)), "You scaled every centred image to length 1, so how far it "
            "lies from the average does not count. Which step can go?"),
        Mistake(rows(lambda x, d: torch.eye(x.shape[1])[x.var(dim=0).argsort(descending=True)[:d]]),
            "These are the single pixels that vary most. A direction combines all pixels: what finds it?"),
        Mistake(factors(lambda u, s, vt, d: vt[-d:]),
            "These are the last directions, along which the data vary least. The SVD sorts falling, eigh rising: "
            "at which end do you cut?"),
        Mistake(rows(lambda x, d: eigenvectors(x)[:, :d].T), "These are the directions along which the data vary "
            "least. eigh returns the eigenvalues rising: at which end are the largest?"),
        Mistake(rows(lambda x, d: eigenvectors(x)[:, -d:].T), "These are the right directions in rising order, as eigh "
            "returns them. The one of largest variance comes first: what turns the order round?"),
        Mistake(rows(lambda x, d: eigenvectors(x)[:d]), "You took rows of the matrix of eigenvectors. eigh returns "
            "each eigenvector as a column, the largest eigenvalue last."),
        Mistake(rows(lambda x, d: torch.linalg.eig(centred(x).T @ centred(x))[1].real[:, :d].T),
            "These are directions of the right kind, but eig returns its eigenvalues in no order. Sort by them first, "
            "the largest in front."),
        Mistake(factors(lambda u, s, vt, d: vt[1 : d + 1]),
            "You left out the direction along which the data vary most. At which row does the slice start?"),
        Mistake(factors(lambda u, s, vt, d: vt[d:]), "You dropped the first latent_dim directions and kept the rest. "
            "On which side of the colon does latent_dim stand?"),
        Mistake(factors(lambda u, s, vt, d: vt),
            "You return all directions that there are. latent_dim says how many of them to keep: is it in your slice?"),
        Mistake(factors(lambda u, s, vt, d: vt[:d].T),
            "The right directions, but in columns: the shape should be (latent_dim, P), one direction in each row."),
        Mistake(lambda x, d: (centred(x).mean(dim=0), *fit_pca(x, d)[1:]), "Your mean is that of the centred images, "
            "which is zero. Keep the mean of x before you subtract it: decoding has to add it back."),
        Mistake(lambda x, d: decomposed(x, d, x.median(dim=0).values, x.median(dim=0).values),
            "You took the median of each pixel. The average image is a mean."),
        Mistake(spread(lambda s, n, d: s), "The last thing that you return are the singular values themselves. What "
            "makes a variance of S_k?"),
        Mistake(spread(lambda s, n, d: s**2), "You squared the singular values, and the sum over the images is still "
            "in them. By what must a variance be divided?"),
        Mistake(spread(lambda s, n, d: s**2 / n), "You divided by N. The variances that are asked for have N - 1, as "
            "x.var(dim=0) has."),
        Mistake(spread(lambda s, n, d: s / (n - 1)), "Your singular values are divided by N - 1, but not squared. A "
            "variance has the square of the unit of x."),
        Mistake(spread(lambda s, n, d: s / (n - 1) ** 0.5), "These are standard deviations. What makes variances of "
            "them?"),
        Mistake(spread(lambda s, n, d: (s**2 / (n - 1))[:d]), "You return the variance along the components that you "
            "keep. All directions are asked for: without the others nobody knows which share is kept."),
        Mistake(spread(lambda s, n, d: s**2 / (s**2).sum()), "These are shares of the total variance. The lesson "
            "divides later; the variances themselves are asked for."),
        Mistake(lambda x, d: (*fit_pca(x, d)[:2], x.var(dim=0)), "These are the variances of single pixels. Along the "
            "components they follow from S: how?"),
        Mistake(lambda x, d: (*fit_pca(x, d)[:2], variances(x).sum()), "You return one variance, the total. One for "
            "each direction is asked for."),
        Mistake(lambda x, d: (*fit_pca(x, d)[:2], variances(x).flip(0)), "Your variances begin with the smallest. The "
            "SVD sorts them falling: which step can go?"),
        Mistake(lambda x, d: (fit_pca(x, d)[1], fit_pca(x, d)[0], variances(x)),
            "The components come before the mean. Return the mean first, then the components, then the variance."),
        Mistake(lambda x, d: fit_pca(x, d)[::-1],
            "You return the right three things in the reverse order: the mean first, the variance last."),
        Mistake(lambda x, d: fit_pca(x, d)[:2],
            "You return the mean and the components. The variance along every direction is asked for too: S knows it."),
        Mistake(lambda x, d: fit_pca(x, d)[1],
            "You return the components alone. Return the mean first, then the components, then the variance."),
    ],
)  # fmt: skip
