"""The headline claims of lesson 08, latent maps, under stress: `course claims 08`."""

import math
from statistics import fmean

import torch
from scipy.spatial import ConvexHull
from scipy.spatial.distance import squareform
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities
from sklearn.metrics import silhouette_score

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.embedding import embed
from course_utils.latents import encode_dataset
from course_utils.metrics import continuity, knn_accuracy, trustworthiness
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.pca import PCA
from course_utils.models.vae import VAE
from course_utils.training import fit

PULLOVER, SANDAL, SNEAKER, BAG = 2, 5, 7, 8


def tsne(z, perplexity=30.0, **options):
    """scikit-learn's map of codes (N, D), (N, 2)."""
    return torch.from_numpy(TSNE(perplexity=perplexity, random_state=0, **options).fit_transform(z.numpy())).float()


def some(points):
    """Codes of vae_16d and labels of so many random training images."""
    train = fashion_mnist("train")
    chosen = torch.randperm(len(train))[:points]
    return encode_dataset(load_reference("vae_16d"), train.pixels()[chosen]), train.labels[chosen]


def neighbours(x, k=10):
    """The k nearest others of each point, (N, k)."""
    return torch.cdist(x, x).fill_diagonal_(torch.inf).topk(k, largest=False).indices


def shared(a, b, k=10):
    """Share of the k nearest neighbours in a that are among the k nearest in b."""
    return (neighbours(a, k)[:, :, None] == neighbours(b, k)[:, None]).any(dim=2).float().mean()


def groups_of(x, parts):
    """The groups that k-means makes, int64 (N,)."""
    return torch.from_numpy(KMeans(parts, n_init=10, random_state=0).fit_predict(x.numpy())).long()


def clouds_like(z, draws=5):
    """Normal clouds with the mean and covariance of z, (draws, N, D): no groups, the same size and proportions."""
    cloud = torch.distributions.MultivariateNormal(z.mean(dim=0), torch.cov(z.T) + 1e-6 * torch.eye(z.shape[1]))
    return cloud.sample((draws, len(z)))


def cloud_scores(z, parts, map_of):
    """Silhouettes in five clouds of pieces that k-means cuts on each cloud's own map, as those of z are cut on its."""
    return [silhouette_score(one, groups_of(map_of(one), parts)) for one in clouds_like(z)]


def radii(x, group):
    """Root mean square distance of each group from its mean."""
    parts = [x[group == k] for k in group.unique()]
    return torch.stack([(part - part.mean(dim=0)).square().sum(dim=1).mean().sqrt() for part in parts])


def gaps(x, group):
    """Distances between the means of all pairs of groups."""
    return torch.pdist(torch.stack([x[group == k].mean(dim=0) for k in group.unique()]))


def maps(*, seed, points):
    """A t-SNE and a PCA map of codes of vae_16d, judged, and the t-SNE map with its points in 10 other orders."""
    z, labels = some(points)
    shown = {"tsne": [tsne(z)], "pca": [embed(z, "pca")]}
    shown["shuffled"] = [shown["tsne"][0][torch.randperm(len(z))] for _ in range(10)]
    numbers = {"codes_knn": knn_accuracy(z, labels, 10)}
    for name, ys in shown.items():
        numbers |= {
            f"{name}_trust": fmean(trustworthiness(z, y, 10) for y in ys),
            f"{name}_continuity": fmean(continuity(z, y, 10) for y in ys),
            f"{name}_knn": fmean(knn_accuracy(y, labels, 10) for y in ys),
            f"{name}_shared": fmean(shared(y, z) for y in ys),
        }
    return numbers


def noise(*, seed, points, perplexity):
    """A t-SNE map of draws from N(0, I) in 16 dimensions: how clumped it is, and its groups on it and in the data.

    Evenness is the mean distance to the nearest point, divided by what points strewn at random over the map's hull
    would have (Clark and Evans 1954): 1 for these, below 1 for clumps.
    """
    z = torch.randn(points, 16)
    y = tsne(z, perplexity, init="random")
    nearest = torch.cdist(y, y).fill_diagonal_(torch.inf).amin(dim=1).mean()
    evenness = nearest / (0.5 * math.sqrt(ConvexHull(y.numpy()).volume / points))
    group = groups_of(y, 10)
    few = slice(0, 1000)
    return {
        "evenness": evenness, "trust": trustworthiness(z, y, 10), "shared": shared(y, z),
        "map_silhouette": silhouette_score(y[few], group[few]), "data_silhouette": silhouette_score(z[few], group[few]),
    }  # fmt: skip


def at(places, spreads, n):
    """Gaussian groups in 16 dimensions along one axis: data and group numbers."""
    z = torch.cat([spread * torch.randn(n, 16) for spread in spreads])
    group = torch.arange(len(places)).repeat_interleave(n)
    z[:, 0] += torch.tensor(places, dtype=torch.float32)[group]
    return z, group


def ratio(values):
    """Largest by smallest."""
    return values.max() / values.min()


def sizes_and_gaps(*, seed, n, max_iter, init):
    """Two groups of which one is spread five times as widely; three groups with one gap five times the other."""
    numbers = {}
    two, which = at((0, 60), (1, 5), n)
    for name, x in (("data", two), ("map", tsne(two, max_iter=max_iter, init=init))):
        small, large = radii(x, which)
        numbers[f"{name}_sizes"] = large / small
    three, which = at((0, 20, 120), (1, 1, 1), n)
    for name, x in (("data", three), ("map", tsne(three, max_iter=max_iter, init=init))):
        first, _, second = gaps(x, which)
        numbers[f"{name}_gaps"] = second / first
    return numbers


def cost(P, y):
    """KL(P || Q) in nats of a map (N, 2)."""
    w = 1 / (1 + torch.cdist(y.double(), y.double()).square())
    w.fill_diagonal_(0)
    return torch.special.xlogy(P, P / (w / w.sum()).clamp(min=1e-300)).sum()


def group_cost(*, seed, n, gap):
    """What t-SNE pays for two groups: as it made them, laid on each other, moved apart, one torn, one point moved."""
    z, _ = at((0, gap), (1, 1), n)
    distance = torch.cdist(z.double(), z.double()).square().numpy()
    P = torch.from_numpy(squareform(_joint_probabilities(distance, 30.0, 0)))
    y = tsne(z)
    step, numbers = y[n:].mean(dim=0) - y[:n].mean(dim=0), {"made": cost(P, y)}
    for name, part, by in (
        ("on_top", slice(n, None), -1), ("half_way", slice(n, None), -0.5), ("twice", slice(n, None), 1),
        ("ten_times", slice(n, None), 9), ("torn", slice(0, n // 2), -3), ("one_point", slice(0, 1), 1),
    ):  # fmt: skip
        moved = y.clone()
        moved[part] += by * step
        numbers[name] = cost(P, moved)
    more = {"on_top_more": numbers["on_top"] - numbers["made"], "ten_less": numbers["made"] - numbers["ten_times"]}
    return numbers | more


def split(*, seed, images):
    """Bags and pullovers, cut in two by k-means on their t-SNE map, beside clouds without groups, cut likewise."""
    numbers = {}
    for name, kind in (("bag", BAG), ("pullover", PULLOVER)):
        train = fashion_mnist("train")
        chosen = torch.where(train.labels == kind)[0]
        chosen = chosen[torch.randperm(len(chosen))[:images]]
        z = encode_dataset(load_reference("vae_16d"), train.pixels()[chosen])
        y = tsne(z)
        group, found = groups_of(y, 2), cloud_scores(z, 2, tsne)
        numbers |= {
            f"{name}_map": silhouette_score(y, group), f"{name}_data": silhouette_score(z, group),
            f"{name}_cloud_low": min(found), f"{name}_cloud": max(found),
        }  # fmt: skip
    return numbers


def touching(*, seed, each):
    """Sandals and sneakers in the codes of vae_16d: their true labels, and the pieces of their map beside clouds'."""
    train, kinds = fashion_mnist("train"), (SANDAL, SNEAKER)
    chosen = torch.cat([(some := torch.where(train.labels == kind)[0])[torch.randperm(len(some))[:each]]
                        for kind in kinds])  # fmt: skip
    z = encode_dataset(load_reference("vae_16d"), train.pixels()[chosen])
    group = torch.arange(2).repeat_interleave(each)
    y = tsne(z)
    pieces, found = groups_of(y, 2), cloud_scores(z, 2, tsne)
    alike = (torch.as_tensor(pieces) == group).double().mean()
    return {
        "silhouette": silhouette_score(z, group), "map_silhouette": silhouette_score(y, group),
        "knn": knn_accuracy(z, group, 10), "piece_data": silhouette_score(z, pieces), "cloud": max(found),
        "piece_is_class": max(alike, 1 - alike),
        "shuffled_knn": fmean(knn_accuracy(z, group[torch.randperm(len(group))], 10) for _ in range(10)),
    }  # fmt: skip


def models(*, seed, epochs):
    """k-NN accuracy in the codes of an autoencoder and a VAE, of both before training, in pixels, and in components.

    The networks are trained on the bundled clothes; 0 epochs stands for the two reference models.
    """
    train, test = fashion_mnist("train"), fashion_mnist("test")
    x, numbers = test.pixels().flatten(1), {}
    for name, latent_dim, kind in (("autoencoder", 32, Autoencoder), ("vae", 16, VAE)):
        model = kind(latent_dim, hidden=256)
        numbers[f"untrained_{name}"] = knn_accuracy(encode_dataset(model, test), test.labels, 10)
        if epochs == 0:
            model = load_reference(f"{name}_{latent_dim}d")
        else:
            batches = train.batches(256, shuffle=True, generator=torch.Generator().manual_seed(seed))
            fit(model, batches, epochs=epochs, lr=2e-3, progress=False)
        numbers[name] = knn_accuracy(encode_dataset(model, test), test.labels, 10)
    for count in (16, 32, 64):
        components = PCA(count).fit(train.pixels().flatten(1))
        numbers[f"pca_{count}"] = knn_accuracy(components.encode(x), test.labels, 10)
    return numbers | {"pixels": knn_accuracy(x, test.labels, 10)}


CLAIMS = (
    Claim(
        "maps",
        "Neighbours on a t-SNE map name the class nearly as often as those in the codes, neighbours on a PCA map less "
        "often; the t-SNE map is the more trustworthy one, and yet only about half of its 10 nearest are among the 10 "
        "nearest of the codes.",
        run=maps,
        settings=grid(points=(200, 800), seed=range(3)),
        labels={
            "codes_knn": "k-NN accuracy, codes",
            "tsne_knn": "k-NN accuracy, t-SNE map",
            "pca_knn": "k-NN accuracy, PCA map",
            "shuffled_knn": "k-NN accuracy, shuffled map",
            "tsne_trust": "trustworthiness, t-SNE map",
            "pca_trust": "trustworthiness, PCA map",
            "shuffled_trust": "trustworthiness, shuffled map",
            "tsne_shared": "true neighbours on the t-SNE map",
            "pca_shared": "true neighbours on the PCA map",
        },
        holds=lambda runs: all(
            one["tsne_knn"] > one["codes_knn"] - 0.06
            and one["pca_knn"] < one["tsne_knn"] - 0.05
            and one["tsne_trust"] > one["pca_trust"] + 0.05
            and abs(one["shuffled_trust"] - 0.5) < 0.05
            and one["shuffled_knn"] < 0.16
            and 0.4 < one["tsne_shared"] < 0.65
            for one in runs
        ),
    ),
    Claim(
        "noise",
        "A t-SNE map of pure noise is clumped at perplexity 2 and evenly strewn at perplexity 30. k-means finds groups "
        "on either map, and in the data they are no groups.",
        run=noise,
        settings=grid(perplexity=(2, 30), points=(200, 800), seed=range(3)),
        labels={
            "evenness": "evenness (1: strewn at random, less: clumped)",
            "map_silhouette": "silhouette of 10 groups on the map",
            "data_silhouette": "silhouette of the same groups in the data",
            "trust": "trustworthiness",
        },
        holds=lambda runs: all(
            (one["perplexity"] != 2 or one["evenness"] < 0.6)
            and (one["perplexity"] != 30 or one["evenness"] > 0.9)
            and one["map_silhouette"] > 0.25
            and abs(one["data_silhouette"]) < 0.05
            for one in runs
        ),
    ),
    Claim(
        "sizes-and-gaps",
        "A group that is spread five times as widely, and a gap that is five times as wide, are not so on a t-SNE map.",
        run=sizes_and_gaps,
        settings=grid(n=(60,), init=("pca",), max_iter=(1000, 4000), seed=range(3))
        + grid(n=(60,), init=("random",), max_iter=(1000,), seed=range(3))
        + grid(n=(240,), init=("pca",), max_iter=(1000,), seed=range(3)),
        labels={
            "data_sizes": "second size / first, data",
            "map_sizes": "second size / first, map",
            "data_gaps": "second gap / first, data",
            "map_gaps": "second gap / first, map",
        },
        holds=lambda runs: all(
            min(one["data_sizes"], one["data_gaps"]) > 4.5
            and 0.5 < one["map_sizes"] < 2
            and 0.4 < one["map_gaps"] < 2.5
            for one in runs
        ),
    ),
    Claim(
        "group-cost",
        "To lay one group on the other costs t-SNE about ln 2 = 0.69 nats more; to move it ten times as far away "
        "changes the cost by less than 0.02. To tear a group costs most.",
        run=group_cost,
        settings=grid(n=(60, 240), gap=(30,), seed=range(3)),
        labels={
            "made": "as t-SNE made it",
            "on_top": "second group laid on the first",
            "ten_times": "gap ten times as wide",
            "torn": "the first half of one group moved away",
        },
        holds=lambda runs: all(
            0.6 < one["on_top_more"] < 0.75 and abs(one["ten_less"]) < 0.02 and one["torn"] > one["on_top"]
            for one in runs
        ),
    ),
    Claim(
        "split",
        "The two pieces of a map of bags are better separated in the codes than the pieces of clouds without groups, "
        "cut on their maps likewise. Those of the pullovers are so in some draws of images and not in others.",
        run=split,
        settings=grid(images=(100,), seed=range(3)) + grid(images=(400,), seed=(0,)),
        labels={
            "bag_data": "bags: silhouette in the codes",
            "bag_cloud": "bags: highest of five clouds",
            "pullover_data": "pullovers: silhouette in the codes",
            "pullover_cloud": "pullovers: highest of five clouds",
        },
        holds=lambda runs: (
            all(one["bag_data"] > one["bag_cloud"] for one in runs)
            and 0 < sum(one["pullover_data"] > one["pullover_cloud"] for one in runs) < len(runs)
        ),
    ),
    Claim(
        "touching",
        "The classes sandals and sneakers have a low silhouette, on the map and in the codes, and yet the neighbours "
        "in the codes name the class far more often than by chance.",
        run=touching,
        settings=grid(each=(50,), seed=range(3)) + grid(each=(100,), seed=(0,)),
        labels={
            "silhouette": "silhouette of the classes in the codes",
            "map_silhouette": "silhouette of the classes on the map",
            "piece_data": "silhouette of the map's pieces in the codes",
            "cloud": "pieces of clouds, highest of five",
            "piece_is_class": "pieces that are as the classes",
            "knn": "k-NN accuracy in the codes",
            "shuffled_knn": "k-NN accuracy, labels shuffled",
        },
        holds=lambda runs: all(
            max(one["silhouette"], one["map_silhouette"]) < 0.35 and one["knn"] > one["shuffled_knn"] + 0.25
            for one in runs
        ),
    ),
    Claim(
        "models",
        "Trained for long, the codes of both models are 2 to 4 points of k-NN accuracy better sorted than pixels, and "
        "at most 2 points better than 64 principal components. After 8 epochs they are not better than these.",
        run=models,
        settings=grid(epochs=(0,), seed=(0,)) + grid(epochs=(8, 32), seed=range(3)),
        labels={
            "vae": "VAE, 16 numbers",
            "autoencoder": "autoencoder, 32 numbers",
            "pca_16": "PCA, 16 numbers",
            "pca_32": "PCA, 32 numbers",
            "pca_64": "PCA, 64 numbers",
            "pixels": "pixels, 784 numbers",
            "untrained_vae": "the VAE's network, untrained",
            "untrained_autoencoder": "the autoencoder's, untrained",
        },
        holds=lambda runs: all(
            max(one["untrained_vae"], one["untrained_autoencoder"]) < one["pixels"] < one["pca_64"]
            and (
                max(one["vae"], one["autoencoder"]) < one["pca_64"] + 0.005
                if one["epochs"] == 8
                else one["pixels"] + 0.015 < min(one["vae"], one["autoencoder"])
                and max(one["vae"], one["autoencoder"]) < one["pca_64"] + 0.02
            )
            for one in runs
        ),
    ),
)
