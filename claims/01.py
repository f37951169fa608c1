"""The headline claims of lesson 01, what a latent space is, under stress: `course claims 01`."""

import math

import torch
from sklearn.mixture import GaussianMixture
from torch.nn.functional import adaptive_avg_pool2d, normalize

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist, rotating_bar, swiss_roll
from course_utils.metrics import relative_contrast


def clothes(count=11_000):
    """So many training images, drawn at random, one a row, and their labels."""
    train = fashion_mnist("train")
    some = torch.randperm(len(train))[:count]
    return train.pixels().flatten(1)[some], train.labels[some]


def unseen():
    """The test images, one a row."""
    return fashion_mnist("test").pixels().flatten(1)


def draw_apart(x, n):
    """Each pixel from an image of its own among the rows of x."""
    return x.gather(0, torch.randint(len(x), (n, x.shape[1])))


def gaussian_twin(x, n):
    """Draws from the Gaussian with the mean and the covariance of the rows of x."""
    _, s, vt = torch.linalg.svd(x - x.mean(dim=0), full_matrices=False)
    return x.mean(dim=0) + torch.randn(n, len(s)) * (s / math.sqrt(len(x) - 1)) @ vt


def fit_pca(x, latent_dim):
    """Mean, components and the variance along every direction, as the lesson's learner writes it."""
    mean = x.mean(dim=0)
    _, s, vt = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, vt[:latent_dim], s**2 / (len(x) - 1)


def components_for(variance, share):
    """How many components it takes for a share of the variance."""
    return int((variance.cumsum(0) / variance.sum() < share).sum()) + 1


def to_nearest(x, others):
    """Euclidean distance from each row to the nearest of the others, (B,)."""
    return torch.cdist(x, others).amin(dim=1)


def by_angle(x, others):
    """1 - cosine between each row and the nearest of the others, (B,): blur and brightness count less in it."""
    return 1 - (normalize(x, dim=1) @ normalize(others, dim=1).T).amax(dim=1)


def random_pixels(*, seed, images, draws):
    """How near to a photograph pictures come whose pixels are drawn one by one."""
    x, labels = clothes(images)
    test = unseen()
    within = torch.cat([draw_apart(x[labels == k], draws // 10) for k in range(10)])  # the rival: of one kind each
    drawn = {"uniform": torch.rand(draws, 784), "apart": draw_apart(x, draws), "within": within}
    away = to_nearest(test, x)
    numbers = {"unseen": away.median()}
    for name, pictures in drawn.items():
        distance = to_nearest(pictures, x)
        numbers |= {name: distance.median(), f"{name}_beyond": (distance > away.quantile(0.95)).float().mean()}
        numbers[f"{name}_near"] = (distance < away.median()).sum()
    return numbers


def contrast(*, seed, points):
    """Relative contrast of noise, of clothes, and of what shares only the statistics of clothes."""
    numbers, noise = {}, {}
    for kind, draw in {"uniform": torch.rand, "gaussian": torch.randn}.items():
        dims = [5, 7, 10, 14, 20, 100, 784]
        noise[kind] = [relative_contrast(draw(200, d), draw(points, d)).median().item() for d in dims]
        for d in (10, 100, 784):
            numbers[f"{kind}_{d}"] = noise[kind][dims.index(d)]
        numbers[f"{kind}_fall"] = numbers[f"{kind}_100"] / numbers[f"{kind}_784"]
    x, _ = clothes(points)
    test = unseen()[torch.randperm(2000)[:200]]
    numbers["clothes"] = relative_contrast(test, x).median().item()
    numbers["apart"] = relative_contrast(draw_apart(x, 200), draw_apart(x, points)).median()
    numbers["twin"] = relative_contrast(gaussian_twin(x, 200), gaussian_twin(x, points)).median()
    for kind, values in noise.items():  # in how many dimensions noise has the contrast of clothes
        i = next((i for i, value in enumerate(values) if value < numbers["clothes"]), len(values) - 1)
        i = max(i, 1)
        (a, b), (high, low) = dims[i - 1 : i + 1], values[i - 1 : i + 1]
        share = math.log(high / numbers["clothes"]) / math.log(high / low)
        numbers[f"{kind}_like"] = a * (b / a) ** share
    return numbers


def fades(*, seed, images):
    """How far from the data the middle of a cross-fade is: of two bars, and of two photographs."""
    bars, angles = rotating_bar(images // 5)
    test_bars, test_angles = rotating_bar(400)
    bars, test_bars = bars.flatten(1), test_bars.flatten(1)
    turned = (test_angles[:, None] + math.radians(60) - angles).remainder(math.pi)
    partner = bars[torch.minimum(turned, math.pi - turned).argmin(dim=1)]
    numbers = {
        "bar": to_nearest(test_bars, bars).median(),
        "bars_faded": to_nearest((test_bars + partner) / 2, bars).median(),
    }
    x, _ = clothes(images)
    test, labels = unseen(), fashion_mnist("test").labels
    first, second = torch.randint(2000, (2, 8000))
    alike = labels[first] == labels[second]
    pairs = {"same": alike & (first != second), "other": ~alike}
    for name, distance in {"": to_nearest, "_angle": by_angle}.items():
        numbers[f"unseen{name}"] = distance(test, x).median()
        for kind, which in pairs.items():
            a, b = test[first[which][:500]], test[second[which][:500]]
            numbers[f"{kind}{name}"] = distance((a + b) / 2, x).median()
    return numbers


def bar_distance(*, seed, width):
    """From which angle on bars are about equally far apart, for thin and thick bars."""
    bars, angles = rotating_bar(2000, width=width)
    bars = bars.flatten(1)[angles.argsort()]  # evenly turned, nearly: 0.09 degrees a step
    distance = {t: (bars.roll(round(t * 2000 / 180), 0) - bars).norm(dim=1).mean() for t in range(2, 91, 2)}
    return {
        "saturates": next(t for t, value in distance.items() if value > 0.9 * distance[90]),
        "thirty": distance[30] / distance[90],
        "six": distance[6] / distance[90],
    }


def components(*, seed, images):
    """How many components clothes and bars need."""
    x, _ = clothes(images)
    mean, first, variance = fit_pca(x, 64)
    rest = unseen() - mean
    kept = (rest @ first.T).square().sum() / rest.square().sum()
    bars = fit_pca(rotating_bar(images // 4)[0].flatten(1), 1)[2]
    return {
        "half": components_for(variance, 0.5),
        "ninety": components_for(variance, 0.9),
        "kept": kept,
        "bars": components_for(bars, 0.9),
    }


def nearest_others(codes, k=5):
    """Which k other codes are nearest to each, (N, k)."""
    return torch.cdist(codes, codes).fill_diagonal_(torch.inf).topk(k, largest=False).indices


def neighbors(*, seed, images):
    """Neighbours by pixels, by PCA codes, and by equally many numbers of other kinds."""
    everything = torch.cat([fashion_mnist("train").pixels(), fashion_mnist("test").pixels()])
    all_labels = torch.cat([fashion_mnist("train").labels, fashion_mnist("test").labels])
    order = torch.randperm(len(everything))
    some, labels = everything[order[:images]], all_labels[order[:images]]
    x, mean_of = some.flatten(1), everything[order[8000:]].flatten(1)  # PCA is fitted to 5,000 other images
    mean, first, _ = fit_pca(mean_of, 64)
    z = (x - mean) @ first.T
    turn = torch.linalg.qr(torch.randn(784, 64)).Q
    codes = {"pixels": x} | {f"pca{d}": z[:, :d] for d in (2, 4, 8, 16, 32, 64)}
    codes |= {f"blocks{d * d}": adaptive_avg_pool2d(some, d).flatten(1) for d in (4, 8)}
    codes |= {f"random{d}": x @ turn[:, :d] for d in (16, 64)}
    numbers, found = {}, {}
    for name, code in codes.items():
        found[name] = nearest_others(code)
        numbers[name] = (labels[found[name]] == labels[:, None]).float().mean()
        numbers[f"{name}_kept"] = (found[name][:, :, None] == found["pixels"][:, None]).any(dim=2).float().mean()
    for step in (1, 2):
        moved = some.roll(step, dims=3).flatten(1)
        for name, new in {"pixels": moved, "pca64": (moved - mean) @ first.T}.items():
            nearest = (codes[name] - codes[name][found[name][:, 0]]).norm(dim=1)
            numbers[f"{name}_moved{step}"] = ((new - codes[name]).norm(dim=1) > nearest).float().mean()
    return numbers


def random_codes(*, seed, images):
    """How near to photographs decoded random codes come, from two densities."""
    x, _ = clothes(images)
    mean, first, variance = fit_pca(x, 64)
    z = (x - mean) @ first.T
    mixture = GaussianMixture(20, random_state=seed, reg_covar=1e-4).fit(z.double().numpy())
    test = unseen()
    codes = {
        "restored": (test - mean) @ first.T,
        "gaussian": variance[:64].sqrt() * torch.randn(1000, 64),
        "mixture": torch.from_numpy(mixture.sample(1000)[0]).float(),
    }
    decoded = {name: (code @ first + mean).clamp(0, 1) for name, code in codes.items()}
    decoded["apart"] = draw_apart(x, 1000)
    numbers = {name: to_nearest(picture, x).median() for name, picture in decoded.items()}
    return numbers | {f"{name}_angle": by_angle(picture, x).median() for name, picture in decoded.items()}


def dimension_by(points, *ks):
    """Maximum-likelihood estimates from the k nearest neighbours, and the correlation dimension (last)."""
    distance = torch.cdist(points, points).fill_diagonal_(torch.inf)
    r = distance.topk(max(ks), dim=1, largest=False).values.double()
    found = [1 / torch.log(r[:, k - 1 : k] / r[:, : k - 1]).mean() for k in ks]
    pairs = distance[torch.triu_indices(len(points), len(points), 1).unbind()].sort().values
    near, far = pairs[len(pairs) // 1000], pairs[len(pairs) // 100]
    return [*found, math.log(10) / torch.log(far / near)]


def dimension(*, seed, images):
    """The intrinsic dimension by four estimators, where the truth is known, and of clothes."""
    numbers = {}
    if images <= 2_000:  # where the truth is known
        known = {
            "bar": rotating_bar(images)[0].flatten(1).double(),
            "roll": swiss_roll(images)[0].double(),
            "five": torch.randn(images, 5).double(),
            "twenty": torch.randn(images, 20).double(),
            "noise": torch.rand(images, 784),
        }
        numbers = {name: dimension_by(points, 10)[0] for name, points in known.items()}
    x, _ = clothes(images)
    numbers["clothes2"], numbers["clothes10"], numbers["clothes20"], numbers["correlation"] = dimension_by(x, 2, 10, 20)
    numbers["twin"] = dimension_by(gaussian_twin(x, images), 10)[0]
    return numbers | {"ninety": components_for(fit_pca(x, 1)[2], 0.9)}


CLAIMS = (
    Claim(
        "random-pixels",
        "Pictures whose pixels are drawn one by one lie farther from every training photograph than most unseen "
        "photographs do, also where all the pixels come from one kind of clothes.",
        run=random_pixels,
        settings=grid(images=(2_750, 11_000), draws=(4_000,), seed=range(3)),
        labels={
            "unseen": "unseen photographs: median distance to the nearest training photograph",
            "uniform": "uniform pixels: the same",
            "apart": "pixels drawn apart: the same",
            "within": "pixels drawn apart within one kind: the same",
            "uniform_beyond": "uniform pixels: share beyond 95% of the unseen",
            "apart_beyond": "pixels drawn apart: share beyond 95% of the unseen",
            "within_beyond": "within one kind: share beyond 95% of the unseen",
            "uniform_near": "uniform pixels: how many are nearer than the median of the unseen",
            "apart_near": "pixels drawn apart: how many are nearer than that",
            "within_near": "within one kind: how many are nearer than that",
        },
        holds=lambda runs: all(
            one["uniform_near"] == one["apart_near"] == one["within_near"] == 0
            and one["apart_beyond"] > 0.99
            and one["within_beyond"] > 0.6
            for one in runs
        ),
    ),
    Claim(
        "contrast",
        "Relative contrast falls like one over the square root of d for independent coordinates, and clothes with 784 "
        "pixels have the contrast of noise in 10 to 13 dimensions; a Gaussian with their covariance comes near them.",
        run=contrast,
        settings=grid(points=(2_000, 8_000), seed=range(3)),
        labels={
            "uniform_10": "uniform noise, d = 10",
            "uniform_100": "uniform noise, d = 100",
            "uniform_784": "uniform noise, d = 784",
            "uniform_fall": "uniform noise: d = 100 over d = 784 (theory: 2.8)",
            "gaussian_10": "Gaussian noise, d = 10",
            "gaussian_784": "Gaussian noise, d = 784",
            "gaussian_fall": "Gaussian noise: d = 100 over d = 784 (theory: 2.8)",
            "apart": "pixels drawn apart",
            "twin": "Gaussian with the covariance of clothes",
            "clothes": "clothes",
            "uniform_like": "in how many dimensions uniform noise has the contrast of clothes",
            "gaussian_like": "in how many dimensions Gaussian noise has it",
        },
        holds=lambda runs: all(
            2.4 < one["uniform_fall"] < 3.7
            and 2.4 < one["gaussian_fall"] < 3.7
            and 10 < one["uniform_like"] < 13
            and 10 < one["gaussian_like"] < 13
            and 10 * one["apart"] < one["twin"] < one["clothes"]
            for one in runs
        ),
    ),
    Claim(
        "fades",
        "The mean of two bars is far from every bar. The mean of two photographs of different kinds is farther from "
        "the photographs than an unseen one; the mean of two of one kind is not.",
        run=fades,
        settings=grid(images=(2_750, 11_000), seed=range(3)),
        labels={
            "bar": "unseen bars: median distance to the nearest bar",
            "bars_faded": "means of two bars 60 degrees apart: the same",
            "unseen": "unseen photographs: median distance to the nearest training photograph",
            "other": "means of two photographs of different kinds: the same",
            "same": "means of two photographs of one kind: the same",
            "unseen_angle": "unseen photographs: 1 - cosine",
            "other_angle": "means, different kinds: 1 - cosine",
            "same_angle": "means, one kind: 1 - cosine",
        },
        holds=lambda runs: all(
            one["bars_faded"] > 30 * one["bar"]
            and one["same"] < 1.05 * one["unseen"] < one["other"]
            and one["same_angle"] < 1.05 * one["unseen_angle"] < one["other_angle"]
            for one in runs
        ),
    ),
    Claim(
        "bar-distance",
        "The pixel distance of two bars grows with a small angle between them and is nearly constant beyond: thick "
        "bars reach nine tenths of the largest distance later than thin ones.",
        run=bar_distance,
        settings=grid(width=(0.06, 0.12, 0.24), seed=range(3)),
        labels={
            "saturates": "angle (degrees) beyond which the distance is 0.9 of that at 90 degrees",
            "six": "distance at 6 degrees over that at 90",
            "thirty": "distance at 30 degrees over that at 90",
        },
        holds=lambda runs: all(one["saturates"] <= 60 and one["six"] < 0.6 and one["thirty"] > 0.6 for one in runs),
    ),
    Claim(
        "components",
        "Clothes need about 80 components for 90% of the variance, the turning bar about 8, and 64 components keep "
        "87% of the variance of unseen clothes.",
        run=components,
        settings=grid(images=(2_750, 11_000), seed=range(3)),
        labels={
            "half": "clothes: components for 50%",
            "ninety": "clothes: components for 90%",
            "bars": "turning bar: components for 90%",
            "kept": "64 components: share of the variance of unseen clothes",
        },
        holds=lambda runs: all(
            70 <= one["ninety"] <= 90 and 6 <= one["bars"] <= 10 and 0.86 < one["kept"] < 0.9 for one in runs
        ),
    ),
    Claim(
        "neighbors",
        "The five nearest neighbours by 16 or 64 PCA numbers share the label as often as those by all pixels, and more "
        "often than by as many block means or random directions; at 64 about seven in ten are the same images.",
        run=neighbors,
        settings=grid(images=(2_000, 8_000), seed=range(3)),
        labels={
            "pixels": "784 pixels: same label",
            "pca2": "2 components: same label",
            "pca16": "16 components: same label",
            "blocks16": "16 block means: same label",
            "random16": "16 random directions: same label",
            "pca64": "64 components: same label",
            "blocks64": "64 block means: same label",
            "random64": "64 random directions: same label",
            "pca16_kept": "16 components: same neighbours as by pixels",
            "pca64_kept": "64 components: same neighbours as by pixels",
            "blocks64_kept": "64 block means: same neighbours as by pixels",
            "random64_kept": "64 random directions: same neighbours as by pixels",
            "pixels_moved1": "pixels: images with another one nearer than their copy moved by 1 pixel",
            "pca64_moved1": "64 components: the same",
            "pixels_moved2": "pixels: moved by 2 pixels",
            "pca64_moved2": "64 components: moved by 2 pixels",
        },
        holds=lambda runs: all(
            one["pca64"] > one["pixels"] - 0.005
            and one["pca16"] > one["pixels"] - 0.03
            and one["pca2"] < one["pixels"] - 0.2
            and one["pca64"] > max(one["blocks64"], one["random64"])
            and one["pca16"] > max(one["blocks16"], one["random16"])
            and 0.65 < one["pca64_kept"] < 0.85
            and one["pca64_moved2"] > 0.5
            for one in runs
        ),
    ),
    Claim(
        "random-codes",
        "Codes drawn from a Gaussian decode to pictures nearer to photographs than pixels drawn apart, and farther "
        "than reconstructions; codes from a mixture of 20 Gaussians come nearer to reconstructions than to these.",
        run=random_codes,
        settings=grid(images=(2_750, 11_000), seed=range(3)),
        labels={
            "restored": "reconstructions: median distance to the nearest training photograph",
            "mixture": "codes from a mixture of 20 Gaussians: the same",
            "gaussian": "codes from one Gaussian: the same",
            "apart": "pixels drawn apart: the same",
            "restored_angle": "reconstructions: 1 - cosine",
            "mixture_angle": "codes from a mixture: 1 - cosine",
            "gaussian_angle": "codes from one Gaussian: 1 - cosine",
            "apart_angle": "pixels drawn apart: 1 - cosine",
        },
        holds=lambda runs: all(
            one[f"restored{how}"] < one[f"mixture{how}"] < one[f"gaussian{how}"] < one[f"apart{how}"]
            and one[f"mixture{how}"] - one[f"restored{how}"] < 0.3 * (one[f"gaussian{how}"] - one[f"restored{how}"])
            for one in runs
            for how in ("", "_angle")
        ),
    ),
    Claim(
        "dimension",
        "The intrinsic dimension of clothes, by four estimators and up to 2,000 images, is between 7 and 15: far below "
        "the components for 90% of the variance, and below half that of a Gaussian with their covariance.",
        run=dimension,
        settings=grid(images=(500, 2_000), seed=range(3)),
        labels={
            "bar": "turning bar (truth 1), k = 10",
            "roll": "swiss roll (truth 2), k = 10",
            "five": "Gaussian in 5 dimensions, k = 10",
            "twenty": "Gaussian in 20 dimensions, k = 10",
            "noise": "uniform noise in 784 dimensions, k = 10",
            "clothes2": "clothes, k = 2",
            "clothes10": "clothes, k = 10",
            "clothes20": "clothes, k = 20",
            "correlation": "clothes, correlation dimension",
            "twin": "Gaussian with the covariance of clothes, k = 10",
            "ninety": "components for 90% of the variance of clothes",
        },
        holds=lambda runs: all(
            abs(one.get("bar", 1) - 1) < 0.1
            and abs(one.get("roll", 2) - 2) < 0.3
            and abs(one.get("five", 5) - 5) < 0.5
            and one.get("twenty", 0) < 19
            and one.get("noise", 0) < 300
            and all(7 < one[name] < 15 for name in ("clothes2", "clothes10", "clothes20", "correlation"))
            and 3.5 * one["clothes2"] < one["ninety"]
            and one["clothes10"] < 0.5 * one["twin"]
            for one in runs
        ),
    ),
)
