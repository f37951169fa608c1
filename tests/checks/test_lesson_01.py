"""Right answers to the exercises of lesson 01, in other styles than the reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch.overrides import TorchFunctionMode
from verdicts import each, verdict

from course_utils.checks import all_checks


def pca_by_eigenvectors(x, latent_dim):
    values, vectors = np.linalg.eigh(np.cov(x.numpy(), rowvar=False))
    order = values.argsort()[::-1][:latent_dim]
    return x.mean(0), torch.from_numpy(vectors[:, order].T.copy()).float()


def pca_by_the_other_sign(x, latent_dim):
    mean = torch.stack(list(x)).sum(0) / len(x)
    return [mean, -torch.linalg.svd(x - mean)[2][:latent_dim]]


def pca_by_scikit_learn(x, latent_dim):
    found = PCA(latent_dim).fit(x.numpy())
    return torch.from_numpy(found.mean_), torch.from_numpy(found.components_)


def pca_by_torch_svd(x, latent_dim):
    mean = torch.einsum("np->p", x) / x.shape[0]
    v = torch.svd(x.double() - mean.double())[2].float()
    return mean, torch.stack([v[:, d] for d in range(latent_dim)])


def pca_of_the_covariance(x, latent_dim):
    u, _, _ = torch.linalg.svd(torch.cov(x.T).reshape(x.shape[1], -1))
    return torch.mean(x, 0), u.T[:latent_dim]


def encode_number_by_number(x, mean, components):
    codes = torch.empty(len(x), len(components))
    for i, image in enumerate(x):
        for d, direction in enumerate(components):
            codes[i, d] = torch.dot(image - mean, direction)
    return codes


def encode_in_numpy(x, mean, components):
    return torch.from_numpy((x.numpy() - mean.numpy()) @ components.numpy().T)


def decode_number_by_number(z, mean, components):
    images = []
    for code in z:
        image = mean.clone()
        for number, direction in zip(code, components, strict=True):
            image = image + number * direction
        images.append(image)
    return torch.stack(images)


def decode_in_numpy(z, mean, components):
    return torch.tensor(np.einsum("bd,dp->bp", z.double().numpy(), components.double().numpy())).float() + mean


def others_by_sorting(codes, k):
    rows = []
    for i in range(len(codes)):
        distance = {j: float(((codes[i] - codes[j]) ** 2).sum()) for j in range(len(codes)) if j != i}
        rows.append(sorted(reversed(distance), key=distance.get)[:k])
    return torch.tensor(rows)


def others_of_squares(codes, k):
    codes = codes.double()
    squares = (codes**2).sum(1)[:, None] + (codes**2).sum(1) - 2 * codes @ codes.T
    return (squares + torch.diag(torch.full((len(codes),), torch.inf))).sort(dim=1).indices[:, :k]


def others_in_numpy(codes, k):
    away = np.linalg.norm(codes.numpy()[:, None] - codes.numpy()[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    return torch.from_numpy(np.argsort(away, axis=1)[:, :k])


def others_by_scikit_learn(codes, k):
    return torch.as_tensor(NearestNeighbors(n_neighbors=k).fit(codes.numpy()).kneighbors(return_distance=False))


def others_by_topk_of_minus(codes, k):
    distance = torch.cdist(codes, codes)
    hidden = distance.masked_fill(torch.eye(len(codes), dtype=torch.bool), float("inf"))
    return (-hidden).topk(k, dim=1)[1]


RIGHT = {
    "fit-pca": [
        pca_by_eigenvectors, pca_by_the_other_sign, pca_by_scikit_learn, pca_by_torch_svd, pca_of_the_covariance,
    ],
    "pca-encode": [
        encode_number_by_number, encode_in_numpy, lambda x, m, c: torch.einsum("bp,dp->bd", x - m, c),
        lambda x, m, c: x @ c.T - m @ c.T, lambda x, m, c: F.linear(x.double() - m, c.double()).float(),
    ],
    "pca-decode": [
        decode_number_by_number, decode_in_numpy, lambda z, m, c: (c.T @ z.T).T + m,
        lambda z, m, c: torch.addmm(m, z, c), lambda z, m, c: F.linear(z, c.T, m),
    ],
    "nearest-others": [
        others_by_sorting, others_of_squares, others_in_numpy, others_by_scikit_learn, others_by_topk_of_minus,
    ],
}  # fmt: skip


@each(RIGHT)
def test_right_answers_are_accepted(name, answer):
    assert verdict(name, answer) is None


def marks_the_first(codes, k):
    codes[0] = 0
    return others_by_sorting(codes, k)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("fit-pca", lambda x, d: pca_by_torch_svd(x.sub_(x.mean(0)), d), "in place"),
        ("fit-pca", lambda x, d: (x.mean(0), torch.eye(x.shape[1])[:d]), "Of the 2 things it returns, number 2"),
        ("pca-encode", lambda x, m, c: (x - m) @ c, "Print the shapes of the two"),
        ("pca-encode", lambda x, m, c: encode_in_numpy(x, m, c).numpy(), "NumPy array"),
        ("pca-decode", lambda z, m, c: z.mul_(2) @ c / 2 + m, "in place"),
        ("nearest-others", marks_the_first, "in place"),
        ("nearest-others", lambda codes, k: others_in_numpy(codes, k).tolist(), "a list of 9"),
    ],
)
def test_what_else_is_said(name, answer, words):
    assert words in verdict(name, answer)


class LargestTensor(TorchFunctionMode):
    """Remembers the number of elements of the largest tensor that any torch function returned."""

    size = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.size = max(self.size, out.numel())
        return out


def test_the_lesson_can_go_on_with_the_reference_on_a_whole_test_set():
    codes = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    with LargestTensor() as largest:
        assert all_checks()["nearest-others"].reference(codes, 5).shape == (200, 5)
    assert largest.size <= codes.numel()  # all differences, (N, N, D), would take 12 GB for the lesson's 2,000 images
