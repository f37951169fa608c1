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
    values, vectors = np.linalg.eigh(np.cov(x.numpy(), rowvar=False))
    variance = torch.from_numpy(values[::-1][: min(x.shape)].copy()).float().clamp(min=0)
    return x.mean(0), torch.from_numpy(vectors[:, ::-1][:, :latent_dim].T.copy()).float(), variance


def pca_by_scikit_learn(x, latent_dim):
    found = PCA().fit(x.numpy())
    return tuple(map(torch.from_numpy, (found.mean_, found.components_[:latent_dim], found.explained_variance_)))


def pca_by_torch_svd(x, latent_dim):
    mean = torch.einsum("np->p", x) / x.shape[0]
    _, s, v = torch.svd(x.double() - mean.double())
    return (
        mean,
        torch.stack([v[:, d] for d in range(latent_dim)]).float(),
        (s / (x.shape[0] - 1) ** 0.5).square().float(),
    )


def same_by_sets(x, z, k):
    shares = []
    for i in range(len(x)):
        near = [
            set(sorted((j for j in range(len(x)) if j != i), key=lambda j: float((rows[i] - rows[j]).norm()))[:k])
            for rows in (x, z)
        ]
        shares.append(len(near[0] & near[1]) / k)
    return torch.tensor(shares)


def same_by_scikit_learn(x, z, k):
    by_pixels, by_codes = (
        NearestNeighbors(n_neighbors=k).fit(rows.numpy()).kneighbors(return_distance=False) for rows in (x, z)
    )
    return torch.tensor([len(np.intersect1d(a, b)) / k for a, b in zip(by_pixels, by_codes, strict=True)])


def same_by_masks(x, z, k):
    masks = []
    for rows in (x, z):
        squares = (rows**2).sum(1)[:, None] + (rows**2).sum(1) - 2 * rows.double() @ rows.double().T
        order = (squares + torch.diag(torch.full((len(rows),), 1e9))).argsort(dim=1)[:, :k]
        masks.append(torch.zeros(len(rows), len(rows)).scatter(1, order, 1.0))
    return (masks[0] * masks[1]).sum(1) / k


def same_in_numpy(x, z, k):
    found = []
    for rows in (x.numpy(), z.numpy()):
        away = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
        found.append(np.argsort(away, axis=1)[:, 1 : k + 1])  # no two are equal, so the first is the image itself
    return torch.from_numpy((found[0][:, :, None] == found[1][:, None]).sum(axis=(1, 2)) / k)


def picture(model, z, k, value):
    import matplotlib.pyplot as plt

    code = torch.cat([z[:k], torch.tensor([value]), z[k + 1 :]])
    plt.imshow(model.decode(code[None])[0, 0], cmap="gray")
    plt.show()


def turn(z, k, reach):
    from ipywidgets import FloatSlider

    return FloatSlider(value=z[k].item(), min=-reach, max=reach, step=0.01)


def control_by_interact(model, z, k, reach):
    from ipywidgets import interact

    return interact(lambda value: picture(model, z, k, value), value=turn(z, k, reach))


def control_by_interactive(model, z, k, reach):
    from ipywidgets import VBox, interactive

    return VBox([interactive(lambda value: picture(model, z, k, value), value=turn(z, k, reach))])


def control_by_interactive_output(model, z, k, reach):
    from ipywidgets import HBox, interactive_output

    slider = turn(z, k, reach)
    return HBox([slider, interactive_output(lambda value: picture(model, z, k, value), {"value": slider})])


def control_by_observe(model, z, k, reach):
    from ipywidgets import Output, VBox

    slider, out = turn(z, k, reach), Output()

    def again(change=None):
        out.clear_output(wait=True)
        with out:
            picture(model, z, k, slider.value)

    again()
    slider.observe(again, names="value")
    return VBox([slider, out])


RIGHT = {
    "component-control": [
        control_by_interact, control_by_interactive, control_by_interactive_output, control_by_observe,
    ],
    "fit-pca": [
        pca_by_eigenvectors, pca_by_scikit_learn, pca_by_torch_svd,
        lambda x, latent_dim: [
            sum(x) / len(x), -torch.linalg.svd(x - x.mean(0))[2][:latent_dim],
            torch.linalg.svdvals(x - x.mean(0)) ** 2 / (len(x) - 1),
        ],
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
    "same-neighbors": [same_by_sets, same_by_scikit_learn, same_by_masks, same_in_numpy],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def marks_the_first(x, z, k):
    z[0] = 0
    return same_by_sets(x, z, k)


test_what_else_is_said = says(
    [
        ("fit-pca", lambda x, d: pca_by_torch_svd(x.sub_(x.mean(0)), d), "in place"),
        (
            "fit-pca",
            lambda x, d: (x.mean(0), torch.eye(x.shape[1])[:d], x.var(0)),
            "Of the 3 things it returns, number 2",
        ),
        ("pca-encode", lambda x, m, c: (x - m) @ c, "Print the shapes of the two"),
        ("pca-encode", lambda x, m, c: ((x - m) @ c.T).numpy(), "NumPy array"),
        ("pca-decode", lambda z, m, c: z.mul_(2) @ c / 2 + m, "in place"),
        ("same-neighbors", marks_the_first, "in place"),
        ("same-neighbors", lambda x, z, k: same_by_sets(x, z, k).tolist(), "a list of 12"),
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


def test_the_reference_control_takes_its_arguments_by_name_as_the_lesson_gives_them():
    from course_utils.models.pca import PCA as Model

    model = Model(4).fit(torch.rand(20, 1, 5, 6, generator=torch.Generator().manual_seed(0)))
    box = all_checks()["component-control"].reference(model, torch.zeros(4), k=1, reach=2.5)
    assert (box.children[0].min, box.children[0].max) == (-2.5, 2.5)


def test_the_lesson_can_go_on_with_the_reference_on_a_whole_test_set():
    x = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    with LargestTensor() as largest:
        assert all_checks()["same-neighbors"].reference(x, x[:, :16], 5).shape == (200,)
    assert largest.size <= x.numel()  # all differences, (N, N, P), would take 12 GB for the lesson's 2,000 images
