"""Each check of lesson 01 passes right answers, however written, and tells typical wrong ones apart."""

import re

import numpy as np
import pytest
import torch
from lesson_cells import lesson_namespace
from torch.overrides import TorchFunctionMode
from verdicts import verdict

from course_utils.checks import all_checks

EXERCISES = {
    "fit-pca": ("exercise-fit-pca", "fit_pca"),
    "pca-encode": ("exercise-encode-decode", "pca_encode"),
    "pca-decode": ("exercise-encode-decode", "pca_decode"),
    "nearest-others": ("exercise-nearest-others", "nearest_others"),
}


def eigen_pca(x, latent_dim):
    """Right, by another way: eigenvectors of the covariance, with signs of their own."""
    values, vectors = np.linalg.eigh(np.cov(x.numpy(), rowvar=False))
    order = values.argsort()[::-1][:latent_dim]
    return x.mean(0), torch.from_numpy(vectors[:, order].T.copy()).float()


def looped_neighbors(codes, k):
    """Right, by another way: a loop, and sorting."""
    rows = []
    for i in range(len(codes)):
        distance = {j: float(((codes[i] - codes[j]) ** 2).sum()) for j in range(len(codes)) if j != i}
        rows.append(sorted(distance, key=distance.get)[:k])
    return torch.tensor(rows)


RIGHT = {
    "fit-pca": [eigen_pca, lambda x, d: [x.mean(0), -torch.linalg.svd(x - x.mean(0))[2][:d]]],
    "pca-encode": [lambda x, m, c: torch.einsum("bp,dp->bd", x - m, c), lambda x, m, c: x @ c.T - m @ c.T],
    "pca-decode": [lambda z, m, c: (c.T @ z.T).T + m, lambda z, m, c: torch.addmm(m, z, c)],
    "nearest-others": [looped_neighbors, lambda c, k: torch.cdist(c, c).argsort(1)[:, 1 : k + 1]],
}


def svd(x):
    return torch.linalg.svd(x, full_matrices=False)


def pairs(c):
    return c.unsqueeze(1) - c.unsqueeze(0)


def in_place_encode(x, m, c):
    x -= m
    return x @ c.T


def in_place_decode(z, m, c):
    z.mul_(2)
    return (z / 2) @ c + m


def in_place_fit(x, d):
    x.sub_(x.mean(0))
    return x.mean(0), svd(x).Vh[:d]


def in_place_neighbors(c, k):
    c[0] = 0
    return torch.cdist(c, c).topk(k + 1, largest=False).indices[:, 1:]


WRONG = {
    "fit-pca": {
        "without centring": (lambda x, d: (x.mean(0), svd(x).Vh[:d]), "Without centring"),
        "one mean for all": (lambda x, d: (x.mean(0), svd(x - x.mean()).Vh[:d]), "subtracted one number"),
        "mean of the wrong dimension": (
            lambda x, d: (x.mean(1, True), svd(x - x.mean(1, True)).Vh[:d]),
            "one number for each image. It should be the average image",
        ),
        "columns of U": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).U[:, :d]), "You kept columns of U"),
        "columns of U, turned": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).U.T[:d]), "These are columns of U"),
        "columns of Vt": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).Vh[:, :d]), "You kept columns of Vt"),
        "columns of Vt, turned": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).Vh.T[:d]), "You took columns of Vt"),
        "times the singular values": (
            lambda x, d: (x.mean(0), (svd(x - x.mean(0)).S[:, None] * svd(x - x.mean(0)).Vh)[:d]),
            "multiplied by the singular values",
        ),
        "smallest first": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).Vh[-d:]), "vary least"),
        "directions in columns": (lambda x, d: (x.mean(0), svd(x - x.mean(0)).Vh[:d].T), "but in columns"),
        "components only": (lambda x, d: svd(x - x.mean(0)).Vh[:d], "2 values are expected"),
        "another mean": (lambda x, d: (x.median(0).values, svd(x - x.mean(0)).Vh[:d]), "The mean is not right"),
        "noise": (lambda x, d: (x.mean(0), torch.eye(6)[:d]), "components are not"),
        "in place": (in_place_fit, "in place"),
        "raises": (lambda x, d: svd(x).V, "AttributeError"),
    },
    "pca-encode": {
        "no mean": (lambda x, m, c: (c @ x.T).T, "without subtracting the mean"),
        "mean of the batch": (lambda x, m, c: (x - x.mean(0)) @ c.T, "these few images"),
        "mean added": (lambda x, m, c: (x + m) @ c.T, "You added the mean"),
        "whitened": (lambda x, m, c: ((x - m) @ c.T) / ((x - m) @ c.T).std(0), "whitening"),
        "unit length": (
            lambda x, m, c: ((x - m) @ c.T) / ((x - m) @ c.T).norm(dim=1, keepdim=True),
            "all have length 1",
        ),
        "turned": (lambda x, m, c: c @ (x - m).T, "dimensions swapped"),
        "and back": (lambda x, m, c: (x - m) @ c.T @ c, "back again"),
        "not transposed": (lambda x, m, c: (x - m) @ c, "RuntimeError"),
        "another type": (lambda x, m, c: ((x - m) @ c.T).numpy(), "NumPy array"),
        "in place": (in_place_encode, "in place"),
    },
    "pca-decode": {
        "no mean": (lambda z, m, c: z @ c, "did not add the mean back"),
        "mean subtracted": (lambda z, m, c: z @ c - m, "subtracted the mean again"),
        "mean of the mean": (lambda z, m, c: z @ c + m.mean(), "one number to all pixels"),
        "clipped": (lambda z, m, c: torch.clip(z @ c + m, 0, 1), "You clipped"),
        "unit length": (lambda z, m, c: z / z.norm(dim=1, keepdim=True) @ c + m, "scaled each code to length 1"),
        "turned": (lambda z, m, c: c.T @ z.T + m[:, None], "dimensions swapped"),
        "transposed": (lambda z, m, c: z @ c.T + m, "RuntimeError"),
        "nothing": (lambda z, m, c: None, "return statement"),
        "in place": (in_place_decode, "in place"),
    },
    "nearest-others": {
        "itself": (lambda c, k: torch.cdist(c, c).argsort(1)[:, :k], "point itself, at distance 0"),
        "one too many": (lambda c, k: torch.cdist(c, c).argsort(1)[:, : k + 1], "k \\+ 1 neighbours"),
        "farthest": (lambda c, k: torch.cdist(c, c).argsort(1, descending=True)[:, :k], "farthest"),
        "distances": (lambda c, k: torch.cdist(c, c).sort(1).values[:, 1 : k + 1], "These are the distances"),
        "signed sum": (
            lambda c, k: (pairs(c).sum(-1) + torch.eye(len(c)) * 1e9).argsort(1)[:, :k],
            "without squaring",
        ),
        "absolute sum": (
            lambda c, k: (pairs(c).sum(-1).abs() + torch.eye(len(c)) * 1e9).argsort(1)[:, :k],
            "absolute value of the sum",
        ),
        "city block": (lambda c, k: torch.cdist(c, c, p=1).argsort(1)[:, 1 : k + 1], "city-block"),
        "inner products": (
            lambda c, k: (c @ c.T - torch.eye(len(c)) * 1e9).argsort(1, descending=True)[:, :k],
            "inner products",
        ),
        "columns": (lambda c, k: torch.cdist(c, c).argsort(0)[1 : k + 1], "smallest value in each column"),
        "wrong axis": (lambda c, k: (pairs(c) ** 2).sum(1).argsort(1)[:, :k], "instead of over the coordinates"),
        "a list": (lambda c, k: torch.cdist(c, c).argsort(1)[:, 1 : k + 1].tolist(), "a list of 9"),
        "in place": (in_place_neighbors, "in place"),
    },
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lessons_own_solution_passes(name):
    cell, function = EXERCISES[name]
    assert verdict(name, lesson_namespace("01", cell, torch=torch)[function]) is None


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


@pytest.mark.parametrize(("name", "fn"), [(name, fn) for name, fns in RIGHT.items() for fn in fns])
def test_right_answers_written_otherwise_pass(name, fn):
    assert verdict(name, fn) is None


@pytest.mark.parametrize(
    ("name", "fn", "message"),
    [pytest.param(name, *case, id=f"{name}: {what}") for name, cases in WRONG.items() for what, case in cases.items()],
)
def test_each_wrong_answer_is_told_apart(name, fn, message):
    said = verdict(name, fn)
    assert said is not None
    assert re.search(message, said), said
