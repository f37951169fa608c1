"""The headline claims of lesson 02, autoencoders, under stress: `course claims 02`."""

import statistics

import torch
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from torch.nn import functional as F

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.latents import decode_dataset, encode_dataset, nearest_neighbors
from course_utils.losses import squared_error
from course_utils.metrics import knn_accuracy
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.pca import PCA
from course_utils.training import fit

DRAWS = 1000
EPOCHS = (8, 32)  # the lesson's budget and four times it


def autoencoder(latent_dim, epochs, seed):
    """The small network of the lesson after so many epochs on the bundled clothes; 0 epochs is the reference model."""
    if epochs == 0:
        return load_reference(f"autoencoder_{latent_dim}d", torch.device("cpu"))
    model = Autoencoder(latent_dim, hidden=256)
    batches = fashion_mnist("train").batches(256, shuffle=True, generator=torch.Generator().manual_seed(seed))
    fit(model, batches, epochs=epochs, lr=3e-3, progress=False)
    return model


def restored(model, images):
    """Images after encoding and decoding."""
    return decode_dataset(model, encode_dataset(model, images))


def to_clothes(x, metric="euclidean"):
    """Distance of images to the nearest training image, on average: squared, or 1 - cosine."""
    distance = nearest_neighbors(x, fashion_mnist("train").pixels(), k=1, metric=metric)[1]
    return (distance.square() if metric == "euclidean" else distance).mean()


def errors(model, latent_dim):
    """Errors and neighbours of an autoencoder and of PCA; also of PCA fitted to the very test images."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    x = test.pixels()
    pca, best = PCA(latent_dim).fit(train), PCA(latent_dim).fit(test)
    numbers = {
        "ae": squared_error(restored(model, x), x).mean(),
        "pca": squared_error(pca.reconstruct(x, latent_dim), x).mean(),
        "pca_best": squared_error(best.reconstruct(x, latent_dim), x).mean(),
        "knn_ae": knn_accuracy(encode_dataset(model, x), test.labels),
        "knn_pca": knn_accuracy(pca.encode(x), test.labels),
        "knn_pixels": knn_accuracy(x.flatten(1), test.labels),
    }
    return numbers | {"ratio": numbers["ae"] / numbers["pca"], "ratio_best": numbers["ae"] / numbers["pca_best"]}


def fitted_density(model, seed):
    """Draws from three densities fitted to a model's codes: dead ones, and their pictures' distance to clothes."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    codes, others = encode_dataset(model, train), encode_dataset(model, test)
    usual = nearest_neighbors(others, codes, k=1)[1]
    mixture = GaussianMixture(20, random_state=seed).fit(codes.double().numpy())
    mixed = torch.from_numpy(mixture.sample(DRAWS)[0]).float()
    draws = {
        "axes": codes.mean(dim=0) + codes.std(dim=0) * torch.randn(DRAWS, codes.shape[1]),
        "gaussian": torch.distributions.MultivariateNormal(codes.mean(dim=0), torch.cov(codes.T)).sample((DRAWS,)),
        "mixture": mixed[torch.randperm(DRAWS)],  # they come in the order of the components
        "restored": others[torch.randperm(len(others))[:DRAWS]],
    }
    numbers = {}
    for name, z in draws.items():
        away = nearest_neighbors(z, codes, k=1)[1]
        numbers[f"{name}_dead"] = (away > usual.quantile(0.99)).float().mean()
        numbers[f"{name}_copied"] = (away < usual.quantile(0.01)).float().mean()
        numbers[f"{name}_far"] = to_clothes(decode_dataset(model, z[:250]))
        numbers[f"{name}_angle"] = to_clothes(decode_dataset(model, z[:250]), "cosine")
    return numbers


def joined_to_edge(dead):
    """Which dead places of a grid (R, C) a path of dead places joins to the grid's edge, steps across corners too."""
    rim = F.pad(torch.zeros(dead.shape[0] - 2, dead.shape[1] - 2, dtype=torch.bool), (1, 1, 1, 1), value=True)
    joined, before = dead & rim, -1
    while joined.sum() > before:
        before = joined.sum()
        joined = F.max_pool2d(joined.float()[None], 3, stride=1, padding=1)[0].bool() & dead
    return joined


def rectangle(codes, share):
    """The corners of the rectangle that holds this share of the codes along each axis: low and high, (2,) each."""
    return codes.quantile((1 - share) / 2, dim=0), codes.quantile((1 + share) / 2, dim=0)


def dead_places(codes, others, *, cells=45, quantile=0.99, share=0.99):
    """Places of a grid over the map, (cells * cells, 2): which are dead, and which of these are joined to the edge."""
    low, high = rectangle(codes, share)
    places = torch.cartesian_prod(*(torch.linspace(low[i], high[i], cells) for i in range(2)))
    limit = nearest_neighbors(others, codes, k=1)[1].quantile(quantile)
    dead = nearest_neighbors(places, codes, k=1)[1][:, 0] > limit
    return places, dead, joined_to_edge(dead.reshape(cells, cells)).flatten()


def holes(model):
    """Which share of the map is dead, joined to the frame's edge or enclosed; how far codes move in a round trip."""
    train = fashion_mnist("train")
    codes, others = (encode_dataset(model, fashion_mnist(split)) for split in ("train", "test"))
    numbers = {"threshold": nearest_neighbors(others, codes, k=1)[1].quantile(0.99)}
    rules = {"": {}, "_fine": {"cells": 150}, "_strict": {"quantile": 0.95}, "_inner": {"share": 0.95}}
    for name, rule in (rules | {"_all": {"share": 1.0}}).items():
        places, dead, joined = dead_places(codes, others, **rule)
        enclosed = dead & ~joined
        numbers |= {f"dead{name}": dead.float().mean(), f"joined{name}": joined.float().mean()}
        numbers[f"enclosed{name}"] = enclosed.float().mean()
        if name == "_fine":  # between classes: the 5 nearest codes are of more than one class
            labels = train.labels[nearest_neighbors(places, codes, k=5)[0]]
            mixed = (labels != labels[:, :1]).any(dim=1).float()
            numbers |= {"mixed_enclosed": mixed[enclosed].mean(), "mixed_alive": mixed[~dead].mean()}
        if not name:
            for which, z in {"alive": others, "dead": places[dead]}.items():
                away = encode_dataset(model, decode_dataset(model, z)) - z
                numbers[f"moved_{which}"] = away.norm(dim=1).median()
            numbers |= unlike(model, places, codes, numbers["threshold"])
    smooth = GaussianMixture(20, random_state=0).fit(codes.double().numpy())  # a density without holes, as a control
    drawn = torch.from_numpy(smooth.sample(len(codes) + len(others))[0]).float()
    drawn = drawn[torch.randperm(len(drawn))]
    for name, quantile in (("_smooth", 0.99), ("_smooth_strict", 0.95)):
        _, dead, joined = dead_places(drawn[: len(codes)], drawn[len(codes) :], quantile=quantile)
        numbers[f"enclosed{name}"] = (dead & ~joined).float().mean()
    return numbers


def unlike(model, places, codes, threshold):
    """Squared error from a place's picture to the image with the nearest code, the median over places by distance."""
    index, away = (one.flatten() for one in nearest_neighbors(places, codes, k=1))
    error = squared_error(decode_dataset(model, places), fashion_mnist("train").pixels()[index])
    bands = {"alive": (0, 1), "near": (1, 3), "far": (6, float("inf"))}  # in thresholds
    return {
        f"unlike_{name}": error[(away > low * threshold) & (away <= high * threshold)].median()
        for name, (low, high) in bands.items()
    }


def paths(model):
    """The middle between two images of different classes: faded pixels, faded reconstructions, decoded middle code."""
    test = fashion_mnist("test")
    x = test.pixels()
    z = encode_dataset(model, x)
    a, b = torch.randint(len(x), (2, 300))
    a, b = (some[test.labels[a] != test.labels[b]] for some in (a, b))
    x_hat = decode_dataset(model, z)
    middles = {
        "pixels": (x[a] + x[b]) / 2,
        "blurred": (x_hat[a] + x_hat[b]) / 2,
        "code": decode_dataset(model, (z[a] + z[b]) / 2),
    }
    numbers = {}
    for name, some in middles.items():
        numbers[f"{name}_far"] = to_clothes(some)
        numbers[f"{name}_angle"] = to_clothes(some, "cosine")
    return numbers


def strangers(model):
    """Error of pictures that are no clothes, beside that of clothes; digits come from scikit-learn."""
    x = fashion_mnist("test").pixels()
    digits = torch.from_numpy(load_digits().images).float()[:, None] / 16
    digits = F.pad(F.interpolate(digits, size=(20, 20), mode="bilinear"), (4, 4, 4, 4))
    some = {"clothes": x, "upside_down": x.flip(2), "digits": digits, "noise": torch.rand(500, 1, 28, 28)}
    numbers = {}
    for name, one in some.items():
        x_hat = restored(model, one)
        numbers[name] = squared_error(x_hat, one).mean()
        if name == "digits":
            numbers |= {"digits_far": to_clothes(x_hat[:250]), "digits_was_far": to_clothes(one[:250])}
    return numbers


def two_numbers(*, seed, epochs):
    """One autoencoder with 2 numbers: its error, the holes of its map, what it makes of strangers."""
    model = autoencoder(2, epochs, seed)
    return errors(model, 2) | holes(model) | strangers(model)


def many_numbers(*, seed, epochs, latent_dim):
    """One autoencoder with more numbers: draws from its codes, its error, middles of paths, strangers; PCA's draws."""
    model = autoencoder(latent_dim, epochs, seed)
    numbers = fitted_density(model, seed) | errors(model, latent_dim) | paths(model) | strangers(model)
    rival = fitted_density(PCA(latent_dim).fit(fashion_mnist("train")), seed)  # as many numbers, the same densities
    return numbers | {f"pca_{name}": value for name, value in rival.items()}


CLAIMS = (
    Claim(
        "two-numbers",
        "Two numbers of a small autoencoder leave less error than PCA's two, also when PCA is fitted to the very test "
        "images. The dead share of their map depends on its frame; most of it is joined to the edge, and what is "
        "enclosed is little, as in a density without holes, and not more often between classes than living places. "
        "Pictures at dead places near to codes are as like clothes as at living ones. Digits are drawn as clothes.",
        run=two_numbers,
        settings=grid(epochs=EPOCHS, seed=range(3)),
        labels={
            "ae": "error, autoencoder",
            "pca": "error, PCA",
            "pca_best": "error, PCA fitted to the test images",
            "ratio": "autoencoder over PCA",
            "dead": "dead share of the frame",
            "joined": "dead and joined to the edge",
            "enclosed": "dead and enclosed",
            "enclosed_fine": "enclosed, finer grid",
            "enclosed_strict": "enclosed, threshold at 95%",
            "enclosed_smooth": "enclosed, codes from a smooth density",
            "enclosed_smooth_strict": "enclosed, smooth density, threshold at 95%",
            "dead_inner": "dead share of the rectangle of 95%",
            "dead_all": "dead share of the rectangle of all codes",
            "mixed_enclosed": "enclosed places with codes of several classes near by",
            "mixed_alive": "living places with codes of several classes near by",
            "unlike_alive": "picture to nearest code's image, living places",
            "unlike_near": "the same, dead within 3 thresholds",
            "unlike_far": "the same, beyond 6 thresholds",
            "threshold": "threshold",
            "moved_alive": "round trip, test codes",
            "moved_dead": "round trip, dead places",
            "clothes": "error, clothes",
            "digits": "error, digits",
            "noise": "error, noise",
            "digits_far": "restored digits: distance to clothes",
            "digits_was_far": "digits: distance to clothes",
        },
        holds=lambda runs: (
            all(
                one["ratio_best"] < 0.8
                and one["digits_far"] < 0.6 * one["digits_was_far"]
                and all(one[f"joined{rule}"] > 4 * one[f"enclosed{rule}"] for rule in ("", "_fine", "_strict", "_all"))
                and one["dead_inner"] < one["dead"] < one["dead_all"]
                and max(one["enclosed"], one["enclosed_smooth"]) < 0.01
                and max(one["enclosed_strict"], one["enclosed_smooth_strict"]) < 0.03
                and one["unlike_near"] < 1.1 * one["unlike_alive"] < one["unlike_far"]
                for one in runs
            )
            and statistics.median(one["mixed_enclosed"] - one["mixed_alive"] for one in runs) < 0
        ),
    ),
    Claim(
        "many-numbers",
        "Draws from a mixture of 20 Gaussians that is fitted to codes of 32 numbers are dead less often, and their "
        "pictures closer to clothes, than draws from one Gaussian or along the axes. This holds for a plain "
        "autoencoder, and for PCA with as many numbers too.",
        run=many_numbers,
        settings=grid(latent_dim=(32,), epochs=EPOCHS, seed=range(3)),
        labels={
            "axes_dead": "along the axes: dead",
            "gaussian_dead": "one Gaussian: dead",
            "mixture_dead": "mixture of 20: dead",
            "mixture_copied": "mixture of 20: nearly a training code",
            "axes_far": "along the axes: squared distance to clothes",
            "gaussian_far": "one Gaussian: squared distance to clothes",
            "mixture_far": "mixture of 20: squared distance to clothes",
            "restored_far": "restored test images: squared distance to clothes",
            "pca_axes_dead": "PCA, along the axes: dead",
            "pca_gaussian_dead": "PCA, one Gaussian: dead",
            "pca_mixture_dead": "PCA, mixture of 20: dead",
            "pca_mixture_copied": "PCA, mixture of 20: nearly a training code",
            "pca_axes_far": "PCA, along the axes: squared distance to clothes",
            "pca_gaussian_far": "PCA, one Gaussian: squared distance to clothes",
            "pca_mixture_far": "PCA, mixture of 20: squared distance to clothes",
            "pca_restored_far": "PCA, restored test images: squared distance to clothes",
        },
        holds=lambda runs: (
            all(
                one[f"{of}mixture_{number}"] < min(one[f"{of}gaussian_{number}"], one[f"{of}axes_{number}"])
                for one in runs
                for of in ("", "pca_")
                for number in ("dead", "far", "angle")
            )
            and all(one["code_far"] < one["pixels_far"] for one in runs)
        ),
    ),
)
