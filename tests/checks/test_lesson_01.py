"""Right answers to the exercises of lesson 01, in other styles than the reference."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch.overrides import TorchFunctionMode
from verdicts import accepts, says

from course_utils.checks import all_checks


def pca_by_eigenvectors(x, latent_dim):
    vectors = np.linalg.eigh(np.cov(x.numpy(), rowvar=False))[1]
    return x.mean(0), torch.from_numpy(vectors[:, ::-1][:, :latent_dim].T.copy()).float()


def pca_by_scikit_learn(x, latent_dim):
    found = PCA(latent_dim).fit(x.numpy())
    return torch.from_numpy(found.mean_), torch.from_numpy(found.components_)


def pca_by_torch_svd(x, latent_dim):
    mean = torch.einsum("np->p", x) / x.shape[0]
    v = torch.svd(x.double() - mean.double())[2].float()
    return mean, torch.stack([v[:, d] for d in range(latent_dim)])


def others_by_sorting(codes, k):
    rows = []
    for i, code in enumerate(codes):
        distance = {j: float((code - other).square().sum()) for j, other in enumerate(codes) if j != i}
        rows.append(sorted(reversed(distance), key=distance.get)[:k])
    return torch.tensor(rows)


def others_of_squares(codes, k):
    squares = (codes**2).sum(1)[:, None] + (codes**2).sum(1) - 2 * codes.double() @ codes.double().T
    return (squares + torch.diag(torch.full((len(codes),), 1e9))).sort(dim=1).indices[:, :k]


def others_in_numpy(codes, k):
    away = np.linalg.norm(codes.numpy()[:, None] - codes.numpy()[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    return torch.from_numpy(np.argsort(away, axis=1)[:, :k])


def others_by_scikit_learn(codes, k):
    return torch.as_tensor(NearestNeighbors(n_neighbors=k).fit(codes.numpy()).kneighbors(return_distance=False))


RIGHT = {
    "fit-pca": [
        pca_by_eigenvectors, pca_by_scikit_learn, pca_by_torch_svd,
        lambda x, latent_dim: [sum(x) / len(x), -torch.linalg.svd(x - x.mean(0))[2][:latent_dim]],
    ],
    "pca-encode": [
        lambda x, m, c: torch.stack([torch.stack([torch.dot(image - m, row) for row in c]) for image in x]),
        lambda x, m, c: torch.from_numpy((x.numpy() - m.numpy()) @ c.numpy().T), lambda x, m, c: x @ c.T - m @ c.T,
        lambda x, m, c: F.linear(x.double() - m, c.double()).float(),
    ],
    "pca-decode": [
        lambda z, m, c: torch.stack([m + sum(one * row for one, row in zip(code, c, strict=True)) for code in z]),
        lambda z, m, c: torch.tensor(np.einsum("bd,dp->bp", z.double(), c.double())).float() + m,
        lambda z, m, c: (c.T @ z.T).T + m, lambda z, m, c: torch.addmm(m, z, c), lambda z, m, c: F.linear(z, c.T, m),
    ],
    "nearest-others": [others_by_sorting, others_of_squares, others_in_numpy, others_by_scikit_learn],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def marks_the_first(codes, k):
    codes[0] = 0
    return others_by_sorting(codes, k)


test_what_else_is_said = says(
    [
        ("fit-pca", lambda x, d: pca_by_torch_svd(x.sub_(x.mean(0)), d), "in place"),
        ("fit-pca", lambda x, d: (x.mean(0), torch.eye(x.shape[1])[:d]), "Of the 2 things it returns, number 2"),
        ("pca-encode", lambda x, m, c: (x - m) @ c, "Print the shapes of the two"),
        ("pca-encode", lambda x, m, c: ((x - m) @ c.T).numpy(), "NumPy array"),
        ("pca-decode", lambda z, m, c: z.mul_(2) @ c / 2 + m, "in place"),
        ("nearest-others", marks_the_first, "in place"),
        ("nearest-others", lambda codes, k: others_in_numpy(codes, k).tolist(), "a list of 9"),
    ]
)


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
