"""The headline claims of lesson 01, what a latent space is, under stress: `course claims 01`."""

import math

import torch
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits, conv2d

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist, rotating_bar, swiss_roll
from course_utils.metrics import auroc, relative_contrast


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


def blur(x, width):
    """Each image, one a row, blurred by a Gaussian; width (B,) or one number is its standard deviation in pixels."""
    steps = torch.arange(-4, 5.0)
    weights = torch.exp(-(steps**2) / (2 * torch.as_tensor(width).expand(len(x)).clamp(min=0.05)[:, None] ** 2))
    weights = weights / weights.sum(dim=1, keepdim=True)  # (B, 9)
    across = conv2d(x.view(1, -1, 28, 28), weights[:, None, :, None], padding=(4, 0), groups=len(x))
    return conv2d(across, weights[:, None, None, :], padding=(0, 4), groups=len(x)).view(len(x), -1)


def mean_pictures(x, labels, n, alike):
    """The means of n pairs of images, of one kind or of two."""
    first, second = torch.randint(len(x), (2, (40 if alike else 2) * n))
    fits = ((labels[first] == labels[second]) == alike) & (first != second)
    return (x[first[fits][:n]] + x[second[fits][:n]]) / 2


def judge(draw_real, draw_fake, steps):
    """A small network that learns to tell two kinds of pictures, one a row: the higher its score, the more fake."""
    network = nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)),
    )
    optimizer, is_fake = torch.optim.Adam(network.parameters(), 1e-3), torch.arange(128) // 64
    for _ in range(steps):
        loss = binary_cross_entropy_with_logits(network(torch.cat([draw_real(64), draw_fake(64)])), is_fake.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.no_grad()(network)


def told(score, real, fake):
    """Shown one real picture and one fake, in which share of the cases the judge finds the fake; 0.5 is guessing."""
    scores = score(torch.cat([real, fake]))
    return auroc(scores, torch.arange(len(scores)) >= len(real))


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
    bars, angles = rotating_bar(images)  # so many that every bar is nearly one of them
    test_bars, test_angles = rotating_bar(400)
    bars, test_bars = bars.flatten(1), test_bars.flatten(1)
    numbers = {
        "bar": to_nearest(test_bars, bars).median(),
        "bar_blurred": to_nearest(blur(test_bars, 1.0), bars).median(),
    }
    for degrees in (3, 10, 60):
        turned = (test_angles[:, None] + math.radians(degrees) - angles).remainder(math.pi)
        partner = bars[torch.minimum(turned, math.pi - turned).argmin(dim=1)]
        numbers[f"bars_{degrees}"] = to_nearest((test_bars + partner) / 2, bars).median()
    numbers["bars_60_half"] = (test_bars - partner).norm(dim=1).median() / 2  # the distance from the mean to both ends
    x, _ = clothes(images)
    test, labels = unseen(), fashion_mnist("test").labels
    pictures = {"unseen": test} | {
        name: mean_pictures(test, labels, 1000, alike) for name, alike in (("other", False), ("same", True))
    }
    for width in (0, 1, 2):  # every picture on both sides is blurred alike
        ending = f"_blur{width}" if width else ""
        away = {name: to_nearest(blur(picture, width), blur(x, width)) for name, picture in pictures.items()}
        numbers |= {f"{name}{ending}": distance.median() for name, distance in away.items()}
        numbers[f"farther{ending}"] = (away["unseen"] > away["other"].median()).float().mean()
    return numbers | {"blurred": to_nearest(blur(test, 1.0), x).median()}


def averages(*, seed, images, steps):
    """Whether a judge who knows blurred photographs tells the mean of two photographs from a photograph."""
    x, labels = clothes(images)
    test, test_labels = unseen(), fashion_mnist("test").labels

    def blurred(pictures):
        return blur(pictures, 1.5 * torch.rand(len(pictures)))

    score = judge(
        lambda n: blurred(x[torch.randint(len(x), (n,))]),
        lambda n: blurred(torch.cat([mean_pictures(x, labels, n // 2, alike) for alike in (False, True)])),
        steps,
    )
    fakes = {
        "other": mean_pictures(test, test_labels, 1000, False),
        "same": mean_pictures(test, test_labels, 1000, True),
    }
    fakes["photographs"] = x[:1000]  # the control: photographs that it has practised on
    numbers = {}
    for width in (0.0, 1.5):
        ending = "_blurred" if width else ""
        numbers |= {
            f"{name}{ending}": told(score, blur(test, width), blur(fake, width)) for name, fake in fakes.items()
        }
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


def random_codes(*, seed, images, steps):
    """Whether decoded random codes, from two densities, are like reconstructions: by distance, and for a judge."""
    x, _ = clothes(images)
    mean, first, variance = fit_pca(x, 64)
    z, z_test = (x - mean) @ first.T, (unseen() - mean) @ first.T
    mixture = GaussianMixture(20, random_state=seed, reg_covar=1e-4).fit(z.double().numpy())
    mixed = torch.from_numpy(mixture.sample(14_000)[0]).float()
    mixed = mixed[torch.randperm(len(mixed))]

    def decode(codes):
        return (codes @ first + mean).clamp(0, 1)

    numbers = {"apart": to_nearest(draw_apart(x, 1000), x).median()}
    for name, codes in {"gaussian": variance[:64].sqrt() * torch.randn(14_000, 64), "mixture": mixed}.items():
        practice, drawn = codes[:12_000], decode(codes[12_000:])
        score = judge(
            lambda n: decode(z[torch.randint(len(z), (n,))]),
            lambda n, practice=practice: decode(practice[torch.randint(len(practice), (n,))]),
            steps,
        )
        numbers[f"{name}_told"] = told(score, decode(z_test), drawn)
        numbers[f"{name}_told_control"] = told(score, decode(z_test), decode(z[:2000]))
        numbers[name] = to_nearest(drawn, x).median()
    return numbers | {"restored": to_nearest(decode(z_test), x).median(), "unseen": to_nearest(unseen(), x).median()}


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
            "apart": "pixels drawn singly: the same",
            "within": "pixels of one kind, drawn singly: the same",
            "uniform_beyond": "uniform pixels: share farther than 95% of the unseen photographs",
            "apart_beyond": "pixels drawn singly: the same share",
            "within_beyond": "pixels of one kind, drawn singly: the same share",
            "uniform_near": "uniform pixels: how many are nearer than the median unseen photograph",
            "apart_near": "pixels drawn singly: the same count",
            "within_near": "pixels of one kind, drawn singly: the same count",
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
        "Relative contrast falls a little faster than one over the square root of d for independent coordinates, and "
        "clothes with 784 pixels have the contrast of noise in 10 to 13 dimensions; a Gaussian with their covariance "
        "comes near them.",
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
            "apart": "pixels drawn singly",
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
        "The mean of two bars 60 degrees apart is far from every bar. The mean of two photographs of different kinds "
        "is farther from the photographs than most unseen ones; for two of one kind this distance sees no difference.",
        run=fades,
        settings=grid(images=(2_750, 11_000), seed=range(3)),
        labels={
            "bar": "bars: median distance to the nearest other bar",
            "bars_3": "means of two bars 3 degrees apart",
            "bars_60": "means of two bars 60 degrees apart",
            "unseen": "unseen photographs: median distance to the nearest training photograph",
            "blurred": "unseen photographs, blurred by 1 pixel",
            "other": "means of two photographs of different kinds",
            "same": "means of two photographs of one kind",
        },
        holds=lambda runs: all(
            one["bars_60"] > 30 * one["bar"]
            and one["bars_60"] > 2 * one["bar_blurred"]
            and one["bars_60"] > 0.98 * one["bars_60_half"]
            and one["bars_3"] < 0.1 * one["bars_60"]
            and one["blurred"] < one["unseen"]
            and all(one[f"other{b}"] > 1.15 * one[f"unseen{b}"] for b in ("", "_blur1", "_blur2"))
            and all(one[f"farther{b}"] < 0.35 for b in ("", "_blur1", "_blur2"))
            and all(0.9 < one[f"same{b}"] / one[f"unseen{b}"] < 1.15 for b in ("", "_blur1", "_blur2"))
            for one in runs
        ),
    ),
    Claim(
        "averages",
        "A small network that has practised on blurred pictures tells the mean of two photographs from one photograph, "
        "also where all are blurred alike: in more than 9 of 10 pairs for means of different kinds, and in more than 7 "
        "of 10 for means of one kind.",
        run=averages,
        settings=tuple(
            {"images": images, "steps": steps, "seed": seed}
            for images, steps in ((2_750, 300), (11_000, 300), (11_000, 1_200))
            for seed in range(3)
        ),
        labels={
            "other": "means, different kinds: share of pairs in which the mean is found",
            "same": "means, one kind: the same",
            "other_blurred": "different kinds, all blurred by 1.5 pixels",
            "same_blurred": "one kind, all blurred by 1.5 pixels",
            "photographs": "control: photographs that it practised on, against unseen ones",
        },
        holds=lambda runs: all(
            one["other"] > 0.9
            and one["other_blurred"] > 0.9
            and one["other"] > one["same"] > 0.75
            and one["same_blurred"] > 0.7
            and abs(one["photographs"] - 0.5) < 0.06
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
        "The five nearest neighbours by 16 PCA numbers share the label about as often as those by all pixels, one or "
        "two points of a hundred less, and by 64 one point more. As many block means or random directions do worse: at "
        "64 by about three points. At least 68 in 100 of the neighbours by 64 components are the same images.",
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
            "pixels_moved1": "pixels: share of images with another one nearer than their own copy moved by 1 pixel",
            "pca64_moved1": "64 components: the same share",
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
            and all(0.01 < one["pca64"] - one[rival] < 0.05 for rival in ("blocks64", "random64"))
            for one in runs
        ),
    ),
    Claim(
        "random-codes",
        "A small network tells decoded draws from one Gaussian from reconstructions in more than 95 of 100 pairs, and "
        "those from a mixture of 20 Gaussians in 70 to 85. Distance puts reconstructions nearer than real photographs.",
        run=random_codes,
        settings=tuple(
            {"images": images, "steps": steps, "seed": seed}
            for images, steps in ((2_750, 300), (11_000, 1_200))
            for seed in range(3)
        ),
        labels={
            "gaussian_told": "one Gaussian: share of pairs in which the draw is told from a reconstruction",
            "mixture_told": "mixture of 20 Gaussians: the same",
            "gaussian_told_control": "control: two kinds of reconstructions, the same",
            "gaussian": "one Gaussian: median distance to the nearest photograph",
            "mixture": "mixture of 20 Gaussians: the same",
            "restored": "reconstructions: the same",
            "unseen": "unseen photographs: the same",
        },
        holds=lambda runs: all(
            one["gaussian_told"] > 0.95
            and 0.7 < one["mixture_told"] < 0.85
            and abs(one["gaussian_told_control"] - 0.5) < 0.06
            and abs(one["mixture_told_control"] - 0.5) < 0.06
            and one["restored"] < one["unseen"]
            and one["restored"] < one["mixture"] < one["gaussian"] < one["apart"]
            for one in runs
        ),
    ),
    Claim(
        "dimension",
        "Estimates of the intrinsic dimension of clothes, from up to 2,000 images, lie between 7 and 15: far below the "
        "components for 90% of the variance, and below half of the estimate for a Gaussian with their covariance. In "
        "many dimensions such estimates are too low.",
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
