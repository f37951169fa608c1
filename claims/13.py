"""The headline claims of lesson 13, LERP and SLERP, under stress: `course claims 13`."""

import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d, normalize

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.data.faces import render_faces, sample_faces
from course_utils.interpolation import lerp, slerp
from course_utils.latents import decode_dataset, encode_dataset, nearest_neighbors
from course_utils.metrics import auroc, image_features, sharpness, step_lengths
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.training import fit

REFERENCES = {
    "autoencoder": "autoencoder_32d",
    "VAE": "vae_16d",
    "GAN": "gan_fashion",
    "diffusion": "diffusion_fashion",
}
ENCODED = ("pixels", "PCA", "autoencoder", "VAE")  # at once; the other two need a search or many steps


def make_space(name, steps):
    """The model whose latent space is walked; steps are those of the diffusion model."""
    if name == "pixels":
        return PixelSpace()
    if name == "PCA":
        return PCA(32).fit(fashion_mnist("train"))
    model = load_reference(REFERENCES[name])
    return model.given(steps=steps) if name == "diffusion" else model


def mean_and_bar(values):
    """Mean and twice its standard error."""
    return values.mean(), 2 * values.std() / math.sqrt(len(values))


def nlerp(z_a, z_b, weight):
    """The straight line between the two directions, each point with the norm that slerp has there: codes (P, D)."""
    norms = [z.flatten(1).norm(dim=1) for z in (z_a, z_b)]
    unit = [normalize(z.flatten(1), dim=1) for z in (z_a, z_b)]
    return with_norm(lerp(*unit, weight), lerp(*norms, weight)).view(len(weight), *z_a.shape)


def with_norm(z, norm):
    """Codes (K, P, ...) in their own directions, with other norms (K, P)."""
    flat = z.flatten(2)
    return (normalize(flat, dim=2) * norm[:, :, None]).view(z.shape)


def norms(z):
    """Of codes (K, P, ...), (K, P)."""
    return z.flatten(2).norm(dim=2)


class Ruler:
    """Distances to the training images in the features of a classifier; 1 is the median of unseen images.

    Args:
        widths: 0 for the pictures as they are, 1 where all are blurred alike before, by a Gaussian of one pixel.
    """

    def __init__(self, widths=(0,)):
        self.classifier = load_reference("classifier_fashion")
        self.real, self.unit = {}, {}
        for width in widths:
            self.real[width] = self.features(fashion_mnist("train").pixels(), width)
            away = nearest_neighbors(self.features(fashion_mnist("test").pixels(), width), self.real[width], k=1)[1]
            self.unit[width] = away.median()

    def features(self, x, width=0):
        """Of pictures (B, C, H, W), blurred alike or as they are, (B, F)."""
        return image_features(blur(x, width) if width else x, self.classifier)

    def distance(self, x, width=0):
        """Of pictures (P, K, C, H, W), the mean over the K of each walk, (P,)."""
        found = nearest_neighbors(self.features(x.flatten(0, 1), width), self.real[width], k=1)[1]
        return found.view(x.shape[:2]).mean(dim=1) / self.unit[width]


def blur(x, width):
    """Images (B, 1, 28, 28), all blurred by a Gaussian; width is its standard deviation in pixels."""
    steps = torch.arange(-4, 5.0)
    weights = torch.exp(-(steps**2) / (2 * max(width, 0.05) ** 2))
    weights = (weights / weights.sum()).view(1, 1, 9, 1)
    across = conv2d(x, weights, padding=(4, 0))
    return conv2d(across, weights.transpose(2, 3), padding=(0, 4)).clamp(0, 1)


def mixture_judge(steps):
    """A small network that tells photographs from mixtures of two kinds of clothes, both blurred by a random width.

    It is lesson 01's judge that does not favour blur. The higher its score, the more a picture is like a mixture.
    """
    train = fashion_mnist("train")
    x, labels = train.pixels(), train.labels
    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)),
    )
    optimizer, is_mean = torch.optim.Adam(network.parameters(), 1e-3), torch.arange(128) // 64
    for _ in range(steps):
        first, second = torch.randint(len(x), (2, 400))
        fits = labels[first] != labels[second]
        share = 0.2 + 0.6 * torch.rand(64, 1, 1, 1)
        means = torch.lerp(x[first[fits][:64]], x[second[fits][:64]], share)
        pictures = blur(torch.cat([x[torch.randint(len(x), (64,))], means]), 1.5 * torch.rand(1).item())
        loss = binary_cross_entropy_with_logits(network(pictures), is_mean.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.no_grad()(network)


def told(score, fake):
    """Shown an unseen photograph and a picture, how often the judge takes the picture for the mixture; .5 is guessing.

    All are blurred alike, by one pixel.
    """
    real = fashion_mnist("test").pixels()
    scores = score(torch.cat([blur(real, 1), blur(fake.flatten(0, 1), 1)]))
    return auroc(scores, torch.arange(len(scores)) >= len(real))


def judged(name, pictures, ends, ruler, score):
    """What is measured of the inner pictures (P, K, C, H, W) of P walks: numbers, and the values of each walk."""
    values = {("blurred" if width else "distance"): ruler.distance(pictures, width) for width in ruler.real}
    values["sharpness"] = sharpness(pictures).mean(dim=1) / sharpness(ends).mean(dim=1)
    numbers = {f"{name}_{measure}": some.mean() for measure, some in values.items()}
    return numbers | ({f"{name}_told": told(score, pictures)} if score else {}), values


def differences(name, values, others):
    """Mean of the difference pair by pair, with its bar: twice the standard error."""
    numbers = {}
    for measure in values:
        mean, bar = mean_and_bar(values[measure] - others[measure])
        numbers |= {f"{name}_{measure}": mean, f"{name}_{measure}_bar": bar}
    return numbers


def between_draws(model, pairs, ruler, score, *, seed, few=False):
    """Walks between draws from the prior: LERP, SLERP and their rivals, at a quarter and at half of the way."""
    z_a, z_b = model.sample_latent(2 * pairs, torch.Generator().manual_seed(seed)).chunk(2)
    w = torch.tensor([0.25, 0.5])
    straight, arc = lerp(z_a, z_b, w), slerp(z_a, z_b, w)  # (2, P, ...)
    roots = w.view(-1, *[1] * z_a.ndim)
    walks = {
        "lerp": straight,
        "slerp": arc,
        "cool": with_norm(torch.stack([z_a, z_b]), norms(straight)),  # no walk: draws as short as LERP's codes
        "nlerp": nlerp(z_a, z_b, w),
        "short": with_norm(arc, norms(straight)),  # SLERP's directions with LERP's norms
        "rescaled": with_norm(straight, norms(arc)),
        "roots": (1 - roots).sqrt() * z_a + roots.sqrt() * z_b,
    }
    if few:
        walks = {name: walks[name] for name in ("lerp", "slerp", "cool", "nlerp")}
    ends = decode_dataset(model, torch.cat([z_a, z_b])).unflatten(0, (2, pairs)).transpose(0, 1)
    numbers, values = judged("ends", ends, ends, ruler, score)
    values = {"ends": values}
    for name, z in walks.items():
        pictures = decode_dataset(model, z.flatten(0, 1)).unflatten(0, z.shape[:2]).transpose(0, 1)
        found, values[name] = judged(name, pictures, ends, ruler, score)
        numbers |= found | {f"{name}_norm": (norms(z) / norms(arc)).mean()}
    for name in ("lerp", "nlerp", "ends"):
        numbers |= differences(f"slerp_{name}", values["slerp"], values[name])
    return numbers | differences("cool_lerp", values["cool"], values["lerp"])


def draws(*, seed):
    """Walks between draws from the priors of the VAE, the GAN and the diffusion model, this with three step counts."""
    ruler, score = Ruler(widths=(0, 1)), mixture_judge(200)
    numbers = prefixed("VAE", between_draws(make_space("VAE", 0), 60, ruler, score, seed=seed))
    numbers |= prefixed("GAN", between_draws(make_space("GAN", 0), 60, ruler, score, seed=seed))
    for steps, pairs in ((20, 12), (10, 12), (80, 4)):
        found = between_draws(make_space("diffusion", steps), pairs, ruler, score, seed=seed, few=True)
        numbers |= prefixed(f"diffusion{steps}", found)
    return numbers


def prefixed(name, numbers):
    """Numbers with a space's name in front of theirs."""
    return {f"{name}_{key}": number for key, number in numbers.items()}


def shorter(*, pairs, seed):
    """What SLERP gains half-way, and what length alone gains without a walk: A against A as short as LERP's code.

    Between test images where they are encoded at once, else between draws.
    """
    numbers = {}
    for name in SPACES:
        model = make_space(name, 20)
        if name in ENCODED:
            z = encode_dataset(model, choose_pairs(pairs, seed).flatten(0, 1)).unflatten(0, (pairs, 2)).transpose(0, 1)
        else:
            few = 16 if name == "diffusion" else pairs
            z = model.sample_latent(2 * few, torch.Generator().manual_seed(seed)).unflatten(0, (2, few))
        straight, arc = lerp(*z, 0.5), slerp(*z, 0.5)
        keeps = norms(straight[None])[0] / norms(arc[None])[0]  # (P,)
        short = z * keeps.view(1, -1, *[1] * (z.ndim - 2))  # both ends, each as much shorter as LERP's code is
        sharp = [sharpness(decode_dataset(model, one.flatten(0, one.ndim - straight.ndim))).mean()
                 for one in (straight, arc, short, z)]  # fmt: skip
        angle = nn.functional.cosine_similarity(z[0].flatten(1), z[1].flatten(1)).clamp(-1, 1).acos()
        numbers |= {f"{name}_arc": sharp[1] / sharp[0], f"{name}_alone": sharp[3] / sharp[2]}
        numbers |= {f"{name}_keeps": keeps.mean(), f"{name}_angle": torch.rad2deg(angle).mean()}
    return numbers


def choose_pairs(pairs, seed):
    """Test images of two different classes, no image twice, (P, 2, 1, 28, 28)."""
    test = fashion_mnist("test")
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed)).view(-1, 2)
    return test.pixels()[order[test.labels[order[:, 0]] != test.labels[order[:, 1]]][:pairs]]


def walked(model, z_a, z_b, x, ruler, score, centre=None):
    """LERP and SLERP between codes of images x (P, 2, C, H, W), judged; with a centre, the arc around it."""
    w, numbers, values = torch.linspace(0, 1, 9), {}, {}
    walks = {"lerp": lerp(z_a, z_b, w), "slerp": slerp(z_a, z_b, w)}
    if centre is not None:
        walks["centred"] = slerp(z_a - centre, z_b - centre, w) + centre
    for name, z in walks.items():
        pictures = decode_dataset(model, z.transpose(0, 1).flatten(0, 1), batch_size=128).unflatten(0, (len(x), 9))
        found, values[name] = judged(name, pictures[:, 1:-1], x, ruler, score)
        steps = step_lengths(ruler.features(pictures.flatten(0, 1)).unflatten(0, (len(x), 9)), batch_dims=1)
        values[name]["uniformity"] = steps.mean(dim=1) / steps.amax(dim=1)
        numbers |= found | {f"{name}_uniformity": values[name]["uniformity"].mean()}
        if name != "lerp":
            numbers |= differences(f"{name}_lerp", values[name], values["lerp"])
    cosine = nn.functional.cosine_similarity(z_a.flatten(1), z_b.flatten(1))
    numbers["angle"] = torch.rad2deg(cosine.clamp(-1, 1).acos()).mean()
    return numbers | {"keeps": (norms(walks["lerp"]) / norms(walks["slerp"])).amin(dim=0).mean()}


def images(*, seed):
    """Walks between test images in the lesson's six spaces: LERP, SLERP, and the arc around the mean code."""
    ruler, score, numbers = Ruler(), mixture_judge(200), {}
    for space, pairs in (("pixels", 80), ("PCA", 80), ("autoencoder", 80), ("VAE", 80), ("GAN", 20),
                         ("diffusion", 8)):  # fmt: skip
        model, x = make_space(space, 20), choose_pairs(pairs, seed)
        z_a, z_b = encode_dataset(model, x.flatten(0, 1), batch_size=64).unflatten(0, (pairs, 2)).unbind(1)
        centre = encode_dataset(model, fashion_mnist("train")).mean(dim=0) if space in ENCODED else None
        numbers |= prefixed(space, walked(model, z_a, z_b, x, ruler, score, centre))
    return numbers


def trainings(*, epochs, seed):
    """The same in an autoencoder trained anew on the bundled clothes."""
    model, train = Autoencoder(32, hidden=256), fashion_mnist("train")
    batches = train.batches(256, shuffle=True, generator=torch.Generator().manual_seed(0))
    fit(model, batches, epochs=epochs, lr=2e-3, progress=False)
    x = choose_pairs(120, seed)
    z_a, z_b = encode_dataset(model, x.flatten(0, 1)).unflatten(0, (120, 2)).unbind(1)
    centre = encode_dataset(model, train).mean(dim=0)
    return walked(model, z_a, z_b, x, Ruler(), None, centre)


def faces(*, pairs, seed):
    """Walks between drawn faces of 64 pixels, whose handles are read by the reference regressor.

    "drawn" is what to compare with: faces drawn with the handles that lie half-way.
    """
    vae, reader = load_reference("faces64_vae"), load_reference("faces64_regressor")
    people = sample_faces(2 * pairs, seed, size=64)
    x, w = people.pixels(), torch.linspace(0, 1, 9)
    z_a, z_b = encode_dataset(vae, people).chunk(2)
    x_a, x_b = x.chunk(2)
    truth = people.handles[:, :-1]  # glasses have no value between
    a, b = truth.chunk(2)
    half = people.handles.view(2, pairs, -1).mean(dim=0)
    half[:, -1] = 0
    read = lambda pictures: decode_handles(reader, pictures)  # noqa: E731
    error = (read(x) - truth).square().mean(dim=0).sqrt()  # (12,)
    apart = (a - b).abs() > 6 * error  # (P, 12): the handles whose two ends can be told apart
    restored = read(decode_dataset(vae, torch.cat([z_a, z_b])))
    numbers = {"restored_off": (restored - truth).abs().div(error).mean(), "apart": apart.float().mean()}
    walks = {"lerp": lerp(z_a, z_b, w), "slerp": slerp(z_a, z_b, w)}
    pictures = {name: decode_dataset(vae, z.flatten(0, 1)).unflatten(0, (9, pairs)) for name, z in walks.items()}
    pictures |= {"fade": lerp(x_a, x_b, w), "drawn": render_faces(half, 64)[None].expand(9, -1, -1, -1, -1)}
    low, high = torch.minimum(a, b) - 2 * error, torch.maximum(a, b) + 2 * error
    for name, some in pictures.items():
        values = read(some.flatten(0, 1)).unflatten(0, (9, pairs))  # (9, P, 12)
        inside = ((values[1:-1] > low) & (values[1:-1] < high)).all(dim=0)
        share = (values[4] - a) / (b - a)  # 0 at A, 1 at B
        numbers |= {
            f"{name}_between": inside[apart].float().mean(),
            f"{name}_off": (share[apart] - 0.5).abs().mean(),
            f"{name}_sharpness": sharpness(some[1:-1]).mean() / sharpness(x).mean(),
        }
        if name in walks:
            numbers[f"{name}_keeps"] = (norms(walks[name])[4] / norms(walks["slerp"])[4]).mean()
    cosine = nn.functional.cosine_similarity(z_a, z_b)
    return numbers | {"angle": torch.rad2deg(cosine.clamp(-1, 1).acos()).mean()}


def decode_handles(reader, pictures):
    """What the regressor reads in pictures (B, 3, 64, 64), without the glasses, (B, 12)."""
    with torch.no_grad():
        return torch.cat([reader(part) for part in pictures.split(256)])[:, :-1]


SPACES = {"pixels": "pixels", "PCA": "PCA", "autoencoder": "AE", "VAE": "VAE", "GAN": "GAN", "diffusion": "diffusion"}
DRAWN = {"VAE": "VAE", "GAN": "GAN", "diffusion20": "diffusion", "diffusion10": "diffusion, 10 steps",
         "diffusion80": "diffusion, 80 steps"}  # fmt: skip

CODES = {"ends": "the draws", "slerp": "SLERP's pictures", "lerp": "LERP's pictures", "cool": "the draws, shortened"}


def pooled(runs, name):
    """Mean of a difference over runs, and its bar."""
    some = [(one[name], one[f"{name}_bar"]) for one in runs]
    return sum(m for m, _ in some) / len(some), math.sqrt(sum(b * b for _, b in some)) / len(some)


def clear(runs, name):
    """Whether a difference is above 0, by all runs together, and in each of them."""
    mean, bar = pooled(runs, name)
    return mean > bar and all(one[name] > 0 for one in runs)


CLAIMS = (
    Claim(
        "draws",
        "Between draws SLERP's pictures are sharper than LERP's, and about as sharp as the draws. In the diffusion "
        "model they are also farther from the data, as draws are farther than shortened draws.",
        run=draws,
        settings=grid(seed=range(3)),
        labels={
            f"{space}_{kind}_sharpness": f"{name}: sharpness of {words}"
            for space, name in list(DRAWN.items())[:3]
            for kind, words in CODES.items()
            if kind != "ends"  # 1 by definition
        }
        | {f"{space}_slerp_lerp_distance": f"{name}: SLERP - LERP, distance" for space, name in DRAWN.items()}
        | {f"diffusion20_{kind}_distance": f"diffusion: distance of {words}" for kind, words in CODES.items()},
        holds=lambda runs: (
            all(clear(runs, f"{space}_slerp_lerp_sharpness") for space in DRAWN)
            and all(abs(pooled(runs, f"{space}_slerp_ends_sharpness")[0]) < 0.06 for space in DRAWN)
            and all(abs(pooled(runs, f"{space}_slerp_nlerp_sharpness")[0]) < 0.01 for space in DRAWN)
            and all(abs(pooled(runs, f"{space}_cool_lerp_sharpness")[0]) < 0.06 for space in DRAWN)
            and all(one[f"{space}_rescaled_sharpness"] > 0.95 for one in runs for space in ("VAE", "GAN"))
            and all(one[f"{space}_lerp_told"] > one[f"{space}_slerp_told"] for one in runs for space in DRAWN)
            and all(clear(runs, f"diffusion{steps}_slerp_lerp_distance") for steps in (10, 20, 80))
            and clear(runs, "diffusion20_slerp_lerp_blurred")
            and all(one["diffusion20_cool_distance"] < one["diffusion20_ends_distance"] - 0.1 for one in runs)
        ),
    ),
    Claim(
        "images",
        "Between test images SLERP's pictures are sharper than LERP's in all six spaces, and in none nearer to the "
        "data.",
        run=images,
        settings=grid(seed=range(3)),
        labels={
            f"{space}_{number}": f"{name}: {words}"
            for number, words in (
                ("slerp_lerp_sharpness", "SLERP - LERP, sharpness"),
                ("slerp_lerp_distance", "SLERP - LERP, distance"),
            )
            for space, name in SPACES.items()
        },
        holds=lambda runs: all(
            clear(runs, f"{space}_slerp_lerp_sharpness") and sum(pooled(runs, f"{space}_slerp_lerp_distance")) > 0
            for space in SPACES
        ),
    ),
    Claim(
        "shorter",
        "Half-way SLERP gains about the sharpness that a code of the same length gains without any walk.",
        run=shorter,
        settings=grid(pairs=(200,), seed=range(3)),
        labels={
            f"{space}_{number}": f"{name}: {words}"
            for space, name in SPACES.items()
            for number, words in (("arc", "SLERP / LERP, sharpness"), ("alone", "A / A shortened, sharpness"))
        },
        holds=lambda runs: all(
            one[f"{space}_arc"] > 1 and abs(one[f"{space}_arc"] - one[f"{space}_alone"]) < 0.12
            for one in runs
            for space in SPACES
        ),
    ),
    Claim(
        "trainings",
        "In autoencoders trained anew SLERP's pictures are sharper than LERP's, and the arc around the mean code gains "
        "more than the arc around zero.",
        run=trainings,
        settings=grid(epochs=(6, 24), seed=range(3)),
        labels={
            "angle": "angle between the codes, in degrees",
            "slerp_lerp_sharpness": "SLERP - LERP, sharpness",
            "centred_lerp_sharpness": "the same, around the mean code",
            "slerp_lerp_distance": "SLERP - LERP, distance",
            "centred_lerp_distance": "the same, around the mean code",
        },
        holds=lambda runs: all(
            one["slerp_lerp_sharpness"] > one["slerp_lerp_sharpness_bar"]
            and one["centred_lerp_sharpness"] > 1.5 * one["slerp_lerp_sharpness"]
            for one in runs
        ),
    ),
    Claim(
        "faces",
        "Between two drawn faces most handles stay between those of the ends on both paths, and half-way LERP's are "
        "nearer to the middle than SLERP's.",
        run=faces,
        settings=grid(pairs=(60,), seed=range(3)),
        labels={
            "angle": "angle between the codes, in degrees",
            "lerp_between": "handles between their ends: LERP",
            "slerp_between": "the same: SLERP",
            "fade_between": "the same: fade of pixels",
            "drawn_off": "distance from half-way, as a share of the way: faces drawn there",
            "lerp_off": "the same: LERP",
            "slerp_off": "the same: SLERP",
            "fade_off": "the same: fade of pixels",
            "lerp_sharpness": "sharpness: LERP",
            "slerp_sharpness": "sharpness: SLERP",
            "fade_sharpness": "sharpness: fade of pixels",
        },
        holds=lambda runs: all(
            min(one["lerp_between"], one["slerp_between"]) > 0.8 and one["lerp_off"] < one["slerp_off"] for one in runs
        ),
    ),
)
