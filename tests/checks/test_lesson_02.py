"""Right answers to the exercises of lesson 02, in other styles than the reference."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.neighbors import KDTree, NearestNeighbors
from verdicts import accepts, says


def loss_image_by_image(encoder, decoder, x):
    z = encoder(x)
    x_hat = 1 / (1 + torch.exp(-decoder(z)))
    total = 0
    for one, restored in zip(x, x_hat, strict=True):
        total = total + ((one - restored) ** 2).sum()
    return z, x_hat, total / len(x)


def loss_by_mse_loss(encoder, decoder, x):
    z = encoder(x)
    x_hat = torch.sigmoid(decoder(z))
    return z, x_hat, F.mse_loss(x_hat, x, reduction="sum") / x.shape[0]


def loss_in_float64(encoder, decoder, x):
    z = encoder(x)
    x_hat = torch.sigmoid(decoder(z))
    per_image = (x.double() - x_hat.double()).pow(2).sum((1, 2, 3))
    return z, x_hat, per_image.mean().float()


def zone_in_numpy(grid, codes, threshold):
    away = np.linalg.norm(grid.numpy()[:, None] - codes.numpy()[None], axis=2)
    return torch.from_numpy(grid.numpy()[away.min(axis=1) > threshold])


def zone_of_squares(grid, codes, threshold):
    squares = (grid**2).sum(1)[:, None] + (codes**2).sum(1) - 2 * grid.double() @ codes.double().T
    return torch.masked_select(grid, (squares > threshold**2).all(dim=1, keepdim=True)).reshape(-1, grid.shape[1])


def retrieve_by_topk(images, codes, index, k):
    distance = torch.cdist(codes[index : index + 1], codes)[0]
    distance[index] = float("inf")
    return images[distance.topk(k, largest=False).indices]


def retrieve_in_numpy(images, codes, index, k):
    order = np.argsort(np.square(codes.numpy() - codes[index].numpy()).sum(axis=1), kind="stable")
    return images[torch.as_tensor(order[order != index][:k])]


def retrieve_by_scikit_learn(images, codes, index, k):
    found = NearestNeighbors(n_neighbors=k + 1).fit(codes).kneighbors(codes[index : index + 1], return_distance=False)
    return images[[i for i in found[0] if i != index][:k]]


RIGHT = {
    "autoencoder-loss": [loss_image_by_image, loss_by_mse_loss, loss_in_float64],
    "dead-zone": [
        zone_in_numpy, zone_of_squares,
        lambda grid, codes, t: grid[torch.tensor([all(torch.dist(g, c) > t for c in codes) for g in grid])],
        lambda grid, codes, t: grid[torch.from_numpy(KDTree(codes.numpy()).query(grid.numpy())[0][:, 0] > t)],
    ],
    "retrieve": [
        retrieve_by_topk, retrieve_in_numpy, retrieve_by_scikit_learn,
        lambda images, codes, index, k: torch.stack([images[i] for i in sorted(
            set(range(len(codes))) - {index}, key=lambda i: torch.dist(codes[i], codes[index]).item())[:k]]),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def a_step_inside(encoder, decoder, x):
    result = loss_by_mse_loss(encoder, decoder, x)
    with torch.no_grad():
        encoder[1].bias.add_(1)
    return result


def marks_the_query(images, codes, index, k):
    codes[index] = torch.inf
    return images[:k]


test_what_else_is_said = says(
    [
        ("autoencoder-loss", a_step_inside, "in place"),
        ("autoencoder-loss", lambda e, d, x: loss_by_mse_loss(e, d, x.mul_(0.5)), "in place"),
        ("autoencoder-loss", lambda e, d, x: (e(x), d(e(x)).sigmoid(), (d(e(x)) - x.flatten(1)).sum()), "the shapes"),
        ("dead-zone", lambda grid, codes, t: grid.sub_(codes.mean(0)), "in place"),
        ("dead-zone", lambda grid, codes, t: zone_in_numpy(grid, codes, t).tolist(), "list"),
        ("retrieve", marks_the_query, "in place"),
        ("retrieve", lambda images, codes, i, k: images[[99]], "raises IndexError"),
    ]
)
