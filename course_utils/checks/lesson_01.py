"""Checks of lesson 01: principal components, encoding and decoding with them, nearest neighbours."""

import torch

from course_utils.checks._engine import Check, Mistake, difference


def _svd(x):
    return torch.linalg.svd(x, full_matrices=False)


# ------------------------------------------------------------------------------------------------ fit-pca


def _fit_pca(x, latent_dim):
    mean = x.mean(dim=0)
    _, _, vt = _svd(x - mean)
    return mean, vt[:latent_dim]


def _not_centred(x, latent_dim):
    return x.mean(dim=0), _svd(x)[2][:latent_dim]


def _centred_by_one_number(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean())[2][:latent_dim]


def _mean_of_each_image(x, latent_dim):
    mean = x.mean(dim=1, keepdim=True)
    return mean, _svd(x - mean)[2][:latent_dim]


def _left_side(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean(dim=0))[0][:, :latent_dim].T


def _left_side_untransposed(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean(dim=0))[0][:, :latent_dim]


def _columns_of_vt(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean(dim=0))[2][:, :latent_dim].T


def _columns_of_vt_untransposed(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean(dim=0))[2][:, :latent_dim]


def _scaled(x, latent_dim):
    _, s, vt = _svd(x - x.mean(dim=0))
    return x.mean(dim=0), s[:latent_dim, None] * vt[:latent_dim]


def _last_rows(x, latent_dim):
    return x.mean(dim=0), _svd(x - x.mean(dim=0))[2][-latent_dim:]


def _components_in_columns(x, latent_dim):
    mean, components = _fit_pca(x, latent_dim)
    return mean, components.T


def _same_up_to_sign(out, expected, x, latent_dim):
    """None if mean and components agree; a component may point either way."""
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        return difference(out, expected)
    (mean, components), (true_mean, true_components) = out, expected
    if fault := difference(mean, true_mean, 1e-3):
        return f"The mean is not right. {fault}"
    if isinstance(components, torch.Tensor) and components.shape == true_components.shape:
        agreement = (components * true_components).sum(dim=1, keepdim=True)
        components = torch.where(agreement < 0, -components, components)
    fault = difference(components, true_components, 1e-3)
    return f"The mean is right, the components are not. {fault}" if fault else None


_RIGHT_SIDE = (
    "Each component must be a direction among the pixels, so it has one number for each pixel, not one for each image."
)

FIT_PCA = Check(
    name="fit-pca",
    lesson="01",
    reference=_fit_pca,
    make_inputs=lambda g: (torch.randn(14, 6, generator=g) @ torch.randn(6, 6, generator=g) + 3, 2),
    compare=_same_up_to_sign,
    mistakes=[
        Mistake(
            _not_centred,
            "You decomposed x itself. Without centring, the first direction mostly points from the origin to the "
            "middle of the cloud. What must be subtracted before the SVD?",
        ),
        Mistake(
            _centred_by_one_number,
            "You subtracted one number, the mean over all pixels of all images. Each pixel has a mean of its own: over "
            "which dimension of (N, P) should the mean go?",
        ),
        Mistake(
            _mean_of_each_image,
            "Your mean is one number for each image. It should be the average image, one number for each pixel: over "
            "which dimension of (N, P) should the mean go?",
        ),
        Mistake(_left_side, f"These are columns of U, the other side of the SVD. {_RIGHT_SIDE} Which factor has that?"),
        Mistake(
            _left_side_untransposed,
            f"You kept columns of U, with shape (N, latent_dim). {_RIGHT_SIDE} Which of U, S, Vt has rows of length P?",
        ),
        Mistake(
            _columns_of_vt,
            "You took columns of Vt. torch.linalg.svd returns V already transposed: in which dimension of Vt do the "
            "directions lie one under another?",
        ),
        Mistake(
            _columns_of_vt_untransposed,
            "You kept columns of Vt, with shape (P, latent_dim). V comes already transposed, so the directions are its "
            "rows: which slice gives the first latent_dim rows?",
        ),
        Mistake(
            _scaled,
            "Your components are multiplied by the singular values, so they no longer have length 1, and decoding "
            "would stretch every image. S says how much the data vary along a direction: does the direction need it?",
        ),
        Mistake(
            _last_rows,
            "These are the last directions, along which the data vary least. In which order does the SVD return them?",
        ),
        Mistake(
            _components_in_columns,
            "The right directions, but in columns: the shape should be (latent_dim, P), one direction in each row.",
        ),
    ],
)


# ------------------------------------------------------------------------------------------- pca-encode, pca-decode


def _directions(g):
    """A mean (6,), and 3 orthonormal directions among 6 pixels, (3, 6)."""
    return torch.rand(6, generator=g), torch.linalg.qr(torch.randn(6, 3, generator=g)).Q.T.contiguous()


def _encode(x, mean, components):
    return (x - mean) @ components.T


PCA_ENCODE = Check(
    name="pca-encode",
    lesson="01",
    reference=_encode,
    make_inputs=lambda g: (torch.rand(5, 6, generator=g), *_directions(g)),
    mistakes=[
        Mistake(
            lambda x, mean, components: x @ components.T,
            "You projected x without subtracting the mean. A code says how an image differs from the average image: "
            "which code should the average image have?",
        ),
        Mistake(
            lambda x, mean, components: _encode(x, x.mean(dim=0), components),
            "You subtracted the mean of these few images. Then an image's code would depend on its company in the "
            "batch: which mean was the PCA fitted with?",
        ),
        Mistake(
            lambda x, mean, components: (x + mean) @ components.T,
            "You added the mean. Encoding measures the difference from the average image: which sign does that need?",
        ),
        Mistake(
            lambda x, mean, components: _encode(x, mean, components) / _encode(x, mean, components).std(dim=0),
            "Your codes are divided by their standard deviation. That is whitening: it makes every direction equally "
            "important, and decoding could not undo it. What remains when you leave the scaling out?",
        ),
        Mistake(
            lambda x, mean, components: torch.nn.functional.normalize(_encode(x, mean, components), dim=1),
            "Your codes all have length 1, so the distance from the average image is lost. A projection on directions "
            "of length 1 needs no division: which step can go?",
        ),
        Mistake(
            lambda x, mean, components: _encode(x, mean, components).T,
            "The right numbers with the dimensions swapped: one row for each image, shape (B, D). Which factor should "
            "come first?",
        ),
        Mistake(
            lambda x, mean, components: _encode(x, mean, components) @ components,
            "You went to the code and back again: this is an image with the mean removed. Where should encoding stop?",
        ),
    ],
)


def _decode(z, mean, components):
    return z @ components + mean


PCA_DECODE = Check(
    name="pca-decode",
    lesson="01",
    reference=_decode,
    make_inputs=lambda g: (2 * torch.randn(5, 3, generator=g), *_directions(g)),
    mistakes=[
        Mistake(
            lambda z, mean, components: z @ components,
            "You did not add the mean back. Encoding subtracted it: which image should the code of zeros give?",
        ),
        Mistake(
            lambda z, mean, components: z @ components - mean,
            "You subtracted the mean again. Encoding took it away: what must decoding do?",
        ),
        Mistake(
            lambda z, mean, components: z @ components + mean.mean(),
            "You added one number to all pixels. The mean is a whole image, one number for each pixel: what is its "
            "shape, and does it need any reduction?",
        ),
        Mistake(
            lambda z, mean, components: _decode(z, mean, components).clamp(0, 1),
            "You clipped the result to [0, 1]. That helps for showing images, but this function should be the plain "
            "linear map, whose straight lines we want to study. What is left without the clipping?",
        ),
        Mistake(
            lambda z, mean, components: torch.nn.functional.normalize(z, dim=1) @ components + mean,
            "You scaled each code to length 1 first, so every image lies equally far from the average. The code's "
            "length carries information: which step can go?",
        ),
        Mistake(
            lambda z, mean, components: _decode(z, mean, components).T,
            "The right numbers with the dimensions swapped: one row for each image, shape (B, P). Which factor should "
            "come first?",
        ),
    ],
)


# ------------------------------------------------------------------------------------------------ nearest-others


def _distances(codes):
    return torch.cdist(codes, codes)  # (N, N); all differences, (N, N, D), would not fit into memory in the lesson


def _nearest_others(codes, k):
    return _distances(codes).fill_diagonal_(torch.inf).topk(k, largest=False).indices


def _sorted_others(score, k):
    """Indices of the k smallest scores in each row, the diagonal left out."""
    return score.fill_diagonal_(torch.inf).argsort(dim=1)[:, :k]


NEAREST_OTHERS = Check(
    name="nearest-others",
    lesson="01",
    reference=_nearest_others,
    make_inputs=lambda g: (torch.randn(9, 4, generator=g) * torch.tensor([4.0, 1, 1, 1]), 3),
    mistakes=[
        Mistake(
            lambda codes, k: _distances(codes).topk(k, largest=False).indices,
            "The first neighbour you find is the point itself, at distance 0. How can you keep a point out of its own "
            "neighbours?",
        ),
        Mistake(
            lambda codes, k: _distances(codes).topk(k + 1, largest=False).indices,
            "You return k + 1 neighbours, the first of them the point itself. Which column can go?",
        ),
        Mistake(
            lambda codes, k: _distances(codes).topk(k).indices,
            "These are the farthest points. topk looks for the largest values unless told otherwise: which option "
            "turns it round?",
        ),
        Mistake(
            lambda codes, k: _distances(codes).fill_diagonal_(-torch.inf).topk(k).indices,
            "These are the farthest points. topk looks for the largest values unless told otherwise: which option "
            "turns it round?",
        ),
        Mistake(
            lambda codes, k: _distances(codes).fill_diagonal_(torch.inf).topk(k, largest=False).values,
            "These are the distances. The function should return which points are near: what else does topk return?",
        ),
        Mistake(
            lambda codes, k: _sorted_others((codes[:, None] - codes[None]).sum(dim=2), k),
            "You summed the differences without squaring them. Positive and negative ones cancel, so a sum near or "
            "below zero is no sign of nearness: what makes every coordinate count as distance?",
        ),
        Mistake(
            lambda codes, k: _sorted_others((codes[:, None] - codes[None]).sum(dim=2).abs(), k),
            "You took the absolute value of the sum. Within the sum, positive and negative differences have already "
            "cancelled: what must happen to each difference before the sum?",
        ),
        Mistake(
            lambda codes, k: _sorted_others((codes[:, None] - codes[None]).abs().sum(dim=2), k),
            "You summed absolute differences, which is the city-block distance. The straight-line distance of "
            "Pythagoras was asked for: what happens to each difference before the sum?",
        ),
        Mistake(
            lambda codes, k: _sorted_others(-codes @ codes.T, k),
            "You compared inner products. A long vector has a large one with many others without being near to them: "
            "what is the distance between two points?",
        ),
        Mistake(
            lambda codes, k: _distances(codes).fill_diagonal_(torch.inf).topk(k, dim=0, largest=False).indices,
            "Your result has shape (k, N): you looked for the smallest value in each column. One row for each point is "
            "asked for: which dim should topk search?",
        ),
        Mistake(
            lambda codes, k: (codes[:, None] - codes[None]).square().sum(dim=1).topk(k, dim=1, largest=False).indices,
            "You summed over the other points instead of over the coordinates. The differences have shape (N, N, D): "
            "which dimension holds the coordinates?",
        ),
    ],
)

CHECKS = [FIT_PCA, PCA_ENCODE, PCA_DECODE, NEAREST_OTHERS]
