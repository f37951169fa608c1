"""The headline claims of lesson 12, diffusion latents, under stress: `course claims 12`."""

import math

import torch
from torch import nn

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.data.toys import two_moons
from course_utils.latents import encode_dataset
from course_utils.metrics.samples import frechet_distance, image_features
from course_utils.models.diffusion import NoiseSchedule, ddim_step, ddpm_step, guide, invert, sample
from course_utils.models.diffusion.denoisers import MLPDenoiser
from course_utils.models.diffusion.noise_schedule import eps_from_v, eps_from_x0, q_sample, v_from_x0_eps
from course_utils.models.pca import PCA

LINEAR = NoiseSchedule("linear", 1000)
FEW = (2, 5, 10, 20, 50, 100, 1000)
MIXTURES = {  # weights, centres and the standard deviation of each hump; mean 0 and variance 1
    "two": ((0.3, 0.7), (-1.5, 0.643), 0.19),
    "three": ((0.2, 0.5, 0.3), (-1.6, -0.1, 1.233), 0.214),
}


class Mixture:
    """A mixture of Gaussians on a line: its best guess of x0, its distribution function and its quantiles."""

    def __init__(self, name):
        weights, centres, self.std = MIXTURES[name]
        self.weights, self.centres = torch.tensor(weights), torch.tensor(centres)

    def guess_x0(self, x_t, t):
        """E[x0 | x_t] of states (N,) at a timestep."""
        share = LINEAR.alpha_bar[t]
        away, variance = x_t[:, None] - share.sqrt() * self.centres, share * self.std**2 + 1 - share  # (N, K)
        belongs = (self.weights.log() - away.square() / (2 * variance)).softmax(dim=1)
        return (belongs * (self.centres + share.sqrt() * self.std**2 / variance * away)).sum(dim=1)

    def predict(self, x_t, t):
        """The noise that goes with that guess, for timesteps (N,) that are all alike."""
        return eps_from_x0(LINEAR, x_t, t, self.guess_x0(x_t, int(t[0])))

    def quantiles(self, shares):
        """Where the distribution function is so high, (N,), from a fine grid."""
        x = torch.linspace(-4, 4, 40_001, dtype=torch.float64)
        below = torch.distributions.Normal(self.centres.double(), self.std).cdf(x[:, None]) @ self.weights.double()
        right = torch.searchsorted(below, shares.double()).clamp(1, len(x) - 1)
        low, high = below[right - 1], below[right]
        return (x[right - 1] + (shares - low) / (high - low).clamp(min=1e-30) * (x[right] - x[right - 1])).float()

    def distance(self, x):
        """The area between the distribution function of the points x (N,) and the true one (Wasserstein-1)."""
        middles = (torch.arange(len(x), dtype=torch.float64) + 0.5) / len(x)
        return (x.sort().values - self.quantiles(middles)).abs().mean()


def ddpm(schedule, predict, x, steps, *, variance="small", clip=None):
    """DDPM with so many of the timesteps."""
    times = schedule.timesteps(steps).tolist()
    with torch.no_grad():
        for t, t_prev in zip(times, [*times[1:], -1], strict=True):
            eps_hat, noise = predict(x, torch.full((len(x),), t)), torch.randn_like(x)
            x = ddpm_step(schedule, x, t, eps_hat, t_prev, noise=noise, variance=variance, clip=clip)
    return x


def invert_early(schedule, predict, x, steps):
    """DDIM backwards where the network is told the time at which each step begins, the clean image's as 0."""
    times = schedule.timesteps(steps).flip(0).tolist()
    with torch.no_grad():
        for t, t_next in zip([-1, *times[:-1]], times, strict=True):
            x = ddim_step(schedule, x, t, predict(x, torch.full((len(x),), max(t, 0))), t_next)
    return x


def toy_steps(*, seed, humps):
    """Samplers with the exact guess on a mixture whose distribution is known: 5,000 draws by so many steps."""
    mixture, x_T = Mixture(humps), torch.randn(5000)
    numbers = {"floor": mixture.distance(mixture.quantiles(torch.rand(5000)))}
    for steps in FEW:
        by_ddim = sample(LINEAR, mixture.predict, x_T, steps=steps)
        numbers[f"ddim_{steps}"] = mixture.distance(by_ddim)
        for variance in ("small", "large") if steps < 1000 else ("small",):
            x_0 = ddpm(LINEAR, mixture.predict, x_T, steps, variance=variance)
            numbers[f"ddpm_{variance}_{steps}"] = mixture.distance(x_0)
    numbers["from_quantiles"] = (by_ddim - mixture.quantiles(0.5 * (1 + torch.erf(x_T / 2**0.5)))).abs().mean()
    data = mixture.quantiles(torch.rand(2000))
    for steps in (10, 50):
        wrong = {name: (sample(LINEAR, mixture.predict, z, steps=steps) - data).abs().mean() for name, z in (
            ("end", invert(LINEAR, mixture.predict, data, steps=steps)),
            ("start", invert_early(LINEAR, mixture.predict, data, steps)))}  # fmt: skip
        numbers |= {f"back_{name}_{steps}": value for name, value in wrong.items()}
    return numbers


class PointDenoiser(nn.Module):
    """The lesson's network for points."""

    def __init__(self, hidden=96):
        super().__init__()
        sizes = (14, hidden, hidden, hidden)
        self.layers = nn.Sequential(
            *[part for a, b in zip(sizes, sizes[1:], strict=False) for part in (nn.Linear(a, b), nn.SiLU())],
            nn.Linear(hidden, 2),
        )

    def forward(self, x_t, t):
        """Points (B, 2) and timesteps (B,) to the noise in them."""
        angle = math.pi * t[:, None] / 1000 * torch.tensor([1.0, 2, 4, 8, 16, 32])
        return self.layers(torch.cat([x_t, angle.sin(), angle.cos()], dim=1))


def moons(*, seed, steps):
    """Two moons learned in so many steps: how near to the data the samples are, and whether the noise decides."""
    points, moon = two_moons(8000)
    points = (points - points[:4000].mean(0)) / points[:4000].std(0)
    points, fresh, moon = points[:4000], points[4000:4600], moon[:4000]
    network = PointDenoiser()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / steps)
        x0, t, eps = points[torch.randint(4000, (512,))], torch.randint(1000, (512,)), torch.randn(512, 2)
        share = LINEAR.alpha_bar[t][:, None]
        loss = (network(share.sqrt() * x0 + (1 - share).sqrt() * eps, t) - eps).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def nearest(x):
        distance, index = torch.cdist(x, points).min(dim=1)
        return moon[index], distance.mean()

    x_T = torch.randn(600, 2)
    with torch.no_grad():
        by_ddim, few = (sample(LINEAR, network, x_T, steps=k) for k in (50, 20))
        by_ddpm, again = (ddpm(LINEAR, network, x_T, 1000) for _ in "ab")
    numbers = {"floor": nearest(fresh)[1], "ddim": nearest(by_ddim)[1], "ddpm": nearest(by_ddpm)[1]}
    numbers |= {"noise": nearest(x_T)[1], "same_ddim": (nearest(few)[0] == nearest(by_ddim)[0]).float().mean()}
    return numbers | {"same_ddpm": (nearest(again)[0] == nearest(by_ddpm)[0]).float().mean()}


def of_reference(labels):
    """The reference as a predictor for these classes."""
    model = load_reference("diffusion_fashion")
    return model, lambda x_t, t: model.predict_eps(x_t, t, labels)


@torch.no_grad()
def reference_steps(*, seed, clip):
    """80 samples of the reference from the same noise, by DDIM and DDPM with few steps, all cut off or none."""
    model, predict = of_reference(torch.arange(80) % 10)
    classifier, schedule = load_reference("classifier_fashion"), model.schedule
    real = image_features(fashion_mnist("test").images, classifier)
    x_T, limit = torch.randn(80, *model.latent_shape), 1.0 if clip else None

    def distance(x):
        return frechet_distance(image_features(model.to_images(x), classifier), real)

    train, numbers = fashion_mnist("train"), {}
    some = torch.cat([(train.labels == k).nonzero()[:, 0][torch.randperm(1000)[:8]] for k in range(10)])
    numbers["floor"] = distance(2 * train.pixels(some) - 1)
    for steps in (5, 10, 20):
        x, times = x_T, schedule.timesteps(steps).tolist()
        for t, t_prev in zip(times, [*times[1:], -1], strict=True):
            x = ddim_step(schedule, x, t, predict(x, torch.full((80,), t)), t_prev, clip=limit)
        numbers[f"ddim_{steps}"] = distance(x)
        for variance in ("small", "large"):
            x = ddpm(schedule, predict, x_T, steps, variance=variance, clip=limit)
            numbers[f"ddpm_{variance}_{steps}"] = distance(x)
    return numbers


@torch.no_grad()
def guess(*, seed):
    """What the reference, which is not told the class, takes 60 test images for at several timesteps."""
    model, _ = of_reference(None)
    x0 = 2 * fashion_mnist("test").pixels()[torch.randperm(2000)[:60]] - 1
    average = 2 * fashion_mnist("train").pixels().mean(dim=0) - 1
    numbers = {"to_average": (x0 - average).square().mean()}
    for t in (100, 300, 500, 700, 900, 990):
        share, times = model.schedule.alpha_bar[t], torch.full((60,), t)
        x_t = share.sqrt() * x0 + (1 - share).sqrt() * torch.randn_like(x0)
        said = (x_t - (1 - share).sqrt() * model.predict_eps(x_t, times)) / share.sqrt()
        numbers |= {f"error_{t}": (said - x0).square().mean(), f"average_{t}": (said - average).square().mean()}
    return numbers


@torch.no_grad()
def images_back(*, seed):
    """30 test images, encoded by DDIM backwards and decoded again: by how much they change, and the codes' norm."""
    images, some = fashion_mnist("test"), torch.randperm(2000)[:30]
    model, predict = of_reference(images.labels[some])
    x0, numbers = 2 * images.pixels(some) - 1, {}
    for steps in (5, 40):
        z = invert(model.schedule, predict, x0, steps=steps)
        numbers[f"norm_{steps}"] = z.flatten(1).norm(dim=1).mean()
        numbers[f"back_{steps}"] = (sample(model.schedule, predict, z, steps=steps) - x0).square().mean()
    return numbers


@torch.no_grad()
def guidance(*, seed, steps):
    """30 samples of all classes at four weights of guidance: agreement with the class, and variety within it."""
    labels, classifier = torch.arange(10).repeat_interleave(3), load_reference("classifier_fashion")
    model, predict = of_reference(labels)
    x_T, numbers = torch.randn(30, *model.latent_shape), {}
    for weight in (0, 1, 3, 7):
        images = model.to_images(sample(model.schedule, lambda x_t, t, w=weight: guide(
            model.predict_eps(x_t, t), predict(x_t, t), w), x_T, steps=steps))  # fmt: skip
        numbers[f"agree_{weight}"] = (classifier(images).argmax(dim=1) == labels).float().mean()
        pairs = [torch.pdist(images[labels == k].flatten(1)).mean() for k in range(10)]
        numbers[f"variety_{weight}"] = torch.stack(pairs).mean()
    return numbers


def narrow(*, seed, humps):
    """DDPM with the exact guess and the posterior's variance: how wide the lowest hump of 40,000 samples is."""
    mixture, x_T, numbers = Mixture(humps), torch.randn(40_000), {"truth": torch.tensor(MIXTURES[humps][2])}
    border = mixture.centres[:2].mean()  # half-way to the second hump
    for steps in (1000, 200, 50):
        x = ddpm(LINEAR, mixture.predict, x_T, steps)
        numbers |= {f"share_{steps}": (x < border).float().mean(), f"width_{steps}": x[x < border].std()}
    return numbers


@torch.no_grad()
def decoder(*, seed):
    """30 noises, turned into images by the reference, not told the class: what depends on the steps and the draws."""
    model, _ = of_reference(None)
    schedule, classifier = model.schedule, load_reference("classifier_fashion")
    x_T = torch.randn(30, *model.latent_shape)

    def images(x):
        return model.to_images(x), classifier(model.to_images(x)).argmax(dim=1)

    ends = {k: images(sample(schedule, model.predict_eps, x_T, steps=k)) for k in (2, 5, 10, 20, 50, 200)}
    ends["repeat"] = images(sample(schedule, model.predict_eps, x_T, steps=20))
    ends["other"] = tuple(part.roll(1, dims=0) for part in ends[50])  # the image of another noise
    numbers = {"repeat": (ends["repeat"][0] - ends[20][0]).abs().max()}
    for name in (2, 5, 10, 20, 200, "other"):
        numbers[f"same_{name}"] = (ends[name][1] == ends[50][1]).float().mean()
        numbers[f"change_{name}"] = (ends[name][0] - ends[50][0]).square().mean()
    one, two = (images(ddpm(schedule, model.predict_eps, x_T, 50, clip=1.0)) for _ in "ab")
    numbers["same_ddpm"] = (one[1] == two[1]).float().mean()
    numbers["change_ddpm"] = (one[0] - two[0]).square().mean()
    numbers["other_ddpm"] = (one[0] - two[0].roll(1, dims=0)).square().mean()
    return numbers


def walk_over(codes, labels, steps, says):
    """1,000 samples (1000, D) of a network for vectors, trained for so many steps on codes (N, D) to say v or x0."""
    schedule, classes = NoiseSchedule("cosine", 1000), torch.arange(1000) % 10
    mean, std = codes.mean(dim=0), codes.std() if says == "x0" else codes.std(dim=0)
    network = MLPDenoiser(codes.shape[1], hidden=256, blocks=2, num_classes=10)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 100) * (1 - step / steps)
        index, t = torch.randint(len(codes), (128,)), torch.randint(1000, (128,))
        x0, noise = (codes[index] - mean) / std, torch.randn(128, codes.shape[1])
        wanted = x0 if says == "x0" else v_from_x0_eps(schedule, x0, t, noise)
        loss = (network(q_sample(schedule, x0, t, noise), t, labels[index]) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def predict(x_t, t):
        turn = eps_from_x0 if says == "x0" else eps_from_v
        return turn(schedule, x_t, t, network(x_t, t, classes))

    with torch.no_grad():
        return sample(schedule, predict, torch.randn(1000, codes.shape[1]), steps=20) * std + mean


def compress(*, seed, steps):
    """The same network for vectors over pixels, over 64 numbers of PCA and over an autoencoder's 64: 1,000 samples."""
    train, compressor = fashion_mnist("train"), load_reference("latent_autoencoder")
    classifier, images = load_reference("classifier_fashion"), train.pixels()
    real, pca = image_features(fashion_mnist("test").images[:1000], classifier), PCA(64).fit(images)
    pixels, codes = images.flatten(1), encode_dataset(compressor, train)

    @torch.no_grad()
    def distance(z, decode):
        return frechet_distance(image_features(decode(z).view(-1, 1, 28, 28).clamp(0, 1), classifier), real)

    return {
        "pixels_v": distance(walk_over(pixels, train.labels, steps, "v"), nn.Identity()),
        "pixels_x0": distance(walk_over(pixels, train.labels, steps, "x0"), nn.Identity()),
        "pca": distance(walk_over(pca.encode(images), train.labels, steps, "v"), pca.decode),
        "codes": distance(walk_over(codes, train.labels, steps, "v"), compressor.decode),
        "restored": distance(codes[torch.randperm(len(codes))[:1000]], compressor.decode),
    }


FAR = {  # words for the columns of a table
    "floor": "draws from the data",
    **{f"ddim_{steps}": f"DDIM, {steps} steps" for steps in FEW},
    **{f"ddpm_small_{steps}": f"DDPM, variance v, {steps} steps" for steps in FEW},
    **{f"ddpm_large_{steps}": f"DDPM, variance 1 - a, {steps} steps" for steps in FEW[:-1]},
}

CLAIMS = (
    Claim(
        "toy-steps",
        "With 5, 10 and 20 steps and the exact guess, samples by DDPM with the posterior's variance are farther from "
        "the true distribution than those by DDIM, and by DDPM with the variance 1 - a they are nearer; with 1,000 "
        "steps DDIM keeps the order of the numbers; inversion errs less with the time of the step's end.",
        run=toy_steps,
        settings=grid(humps=("two", "three"), seed=range(3)),
        labels=FAR,
        holds=lambda runs: all(
            all(one[f"ddpm_large_{k}"] < one[f"ddim_{k}"] < one[f"ddpm_small_{k}"] for k in (5, 10, 20))
            and max(one["ddim_1000"], one["ddpm_small_1000"]) < 0.03 < 0.5 < min(one["ddim_2"], one["ddpm_large_2"])
            and one["from_quantiles"] < 0.002
            and one["back_start_10"] > 1.5 * one["back_end_10"]
            and one["back_start_50"] > 1.5 * one["back_end_50"]
            for one in runs
        ),
    ),
    Claim(
        "narrow",
        "Samples by DDPM with the exact guess have humps that are too narrow: by less than 4% with all timesteps, by "
        "more with every fifth, and by more still with every twentieth.",
        run=narrow,
        settings=grid(humps=("two", "three"), seed=range(3)),
        labels={
            "truth": "true standard deviation",
            **{f"width_{k}": f"standard deviation, {k} steps" for k in (1000, 200, 50)},
            **{f"share_{k}": f"share of the lowest hump, {k} steps" for k in (1000, 200, 50)},
        },
        holds=lambda runs: all(
            one["width_50"] < one["width_200"] < one["width_1000"] < one["truth"] < 1.04 * one["width_1000"]
            for one in runs
        ),
    ),
    Claim(
        "decoder",
        "By DDIM the same noise gives the same image in two runs of equal steps, and nearly the same with 20, 50 and "
        "200 steps; by DDPM two runs from one noise differ nearly as much as runs from two noises.",
        run=decoder,
        settings=grid(seed=range(3)),
        labels={
            "repeat": "largest difference of two DDIM runs, 20 steps",
            **{f"same_{k}": f"the same garment by DDIM of {k} and of 50 steps" for k in (2, 5, 10, 20, 200)},
            "same_other": "the same garment by DDIM from two noises",
            "same_ddpm": "the same garment by DDPM twice, 50 steps",
            **{f"change_{k}": f"squared difference of DDIM by {k} and by 50 steps" for k in (2, 5, 10, 20, 200)},
            "change_other": "squared difference of DDIM from two noises",
            "change_ddpm": "squared difference of DDPM twice, 50 steps",
            "other_ddpm": "squared difference of DDPM from two noises, 50 steps",
        },
        holds=lambda runs: all(
            one["repeat"] == 0
            and min(one["same_20"], one["same_200"]) > 0.6 > 0.4 > one["same_ddpm"]
            and max(one["change_20"], one["change_200"]) < 0.05 * one["change_other"] < one["change_2"]
            and one["change_ddpm"] > 0.7 * one["other_ddpm"]
            for one in runs
        ),
    ),
    Claim(
        "guess",
        "From nearly pure noise the reference, not told the class, guesses about the average of all images.",
        run=guess,
        settings=grid(seed=range(3)),
        labels={
            "to_average": "from the images to the average",
            "error_500": "from the guess at 500 to the image",
            "average_500": "from the guess at 500 to the average",
            "error_990": "from the guess at 990 to the image",
            "average_990": "from the guess at 990 to the average",
        },
        holds=lambda runs: all(
            one["average_990"] < 0.03 * one["to_average"] and one["error_500"] < 0.15 * one["to_average"]
            for one in runs
        ),
    ),
    Claim(
        "images-back",
        "Test images come back from their codes by DDIM backwards closer with 40 steps than with 5, and the codes of "
        "40 steps are shorter than noise, whose norm is 28.",
        run=images_back,
        settings=grid(seed=range(3)),
        labels={
            "back_5": "squared error, 5 steps",
            "back_40": "squared error, 40 steps",
            "norm_5": "norm of the codes, 5 steps",
            "norm_40": "norm of the codes, 40 steps",
        },
        holds=lambda runs: all(one["back_40"] < 0.5 * one["back_5"] and one["norm_40"] < 25 for one in runs),
    ),
    Claim(
        "guidance",
        "Up to a weight of 3 guidance makes the samples agree more often with their class and differ less within it.",
        run=guidance,
        settings=grid(steps=(8, 20, 32), seed=range(3)),
        labels={
            **{f"agree_{w}": f"the classifier agrees, w = {w}" for w in (0, 1, 3, 7)},
            **{f"variety_{w}": f"variety, w = {w}" for w in (0, 1, 3, 7)},
        },
        holds=lambda runs: all(
            one["agree_0"] < 0.5 < one["agree_1"] <= one["agree_3"]
            and one["variety_0"] > one["variety_1"] > max(one["variety_3"], one["variety_7"])
            for one in runs
        ),
    ),
    Claim(
        "reference-steps",
        "For images by the reference, DDPM with the variance 1 - a is farther from the test images than DDIM and DDPM "
        "with the posterior's variance with 5 and 10 steps; with 10 DDIM is the nearest; with 20 the order changes "
        "with the seed.",
        run=reference_steps,
        settings=grid(clip=(True, False), seed=range(3)),
        labels={name: words for name, words in FAR.items() if name == "floor" or name.endswith(("_5", "_10", "_20"))},
        holds=lambda runs: (
            all(
                max(one["ddim_5"], one["ddpm_small_5"]) < one["ddpm_large_5"]
                and one["ddim_10"] < one["ddpm_small_10"] < one["ddpm_large_10"]
                for one in runs
            )
            and len({one["ddim_20"] < one["ddpm_small_20"] for one in runs}) == 2
        ),
    ),
    Claim(
        "moons",
        "Samples of the network for points are nearer to the data than noise is, and farther than new data; the same "
        "noise gives the same moon by DDIM, and often another by DDPM.",
        run=moons,
        settings=grid(steps=(2000, 8000), seed=range(3)),
        labels={
            "floor": "new data",
            "ddim": "DDIM, 50 steps",
            "ddpm": "DDPM, 1,000 steps",
            "noise": "noise",
            "same_ddim": "the same moon by DDIM of 20 and of 50 steps",
            "same_ddpm": "the same moon by DDPM twice",
        },
        holds=lambda runs: all(
            one["floor"] < min(one["ddim"], one["ddpm"])
            and max(one["ddim"], one["ddpm"]) < 0.4 * one["noise"]
            and one["same_ddpm"] < one["same_ddim"] - 0.1
            for one in runs
        ),
    ),
    Claim(
        "compress",
        "The same network, trained for as many steps, makes better samples over an autoencoder's codes than over the "
        "pixels, whatever it predicts there, and than over as many numbers of PCA.",
        run=compress,
        settings=grid(steps=(300, 1200), seed=range(3)),
        labels={
            "pixels_v": "over 784 pixels, the network says v",
            "pixels_x0": "over 784 pixels, it says x0",
            "pca": "over 64 numbers of PCA, v",
            "codes": "over 64 numbers of the autoencoder, v",
            "restored": "what the autoencoder restores of images",
        },
        holds=lambda runs: all(one["codes"] < 0.6 * min(one["pixels_v"], one["pixels_x0"], one["pca"]) for one in runs),
    ),
)
