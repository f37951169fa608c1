"""The headline claims of lesson 03, robust and sparse codes, under stress: `course claims 03`."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.data.corruptions import CORRUPTIONS, block_mask, gaussian_noise
from course_utils.data.toys import two_moons
from course_utils.latents import encode_dataset, nearest_neighbors
from course_utils.losses import squared_error
from course_utils.metrics import auroc
from course_utils.models.autoencoder import Autoencoder, DenoisingAutoencoder
from course_utils.training import fit

STRENGTHS = {"gaussian_noise": 0.5, "masking_noise": 0.5, "salt_and_pepper": 0.3, "block_mask": 0.5}
SHOES = ("Sandal", "Sneaker", "Ankle boot")
STARTS = ("default", "bias", "tied", "photographs")  # of a sparse code, each with one change more


def pictures():
    """The bundled training images and the first 1,000 test images, with their labels."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    return train, train.pixels(), test.pixels(slice(0, 1000)), test.labels[:1000]


def fitted(model, images, epochs, loss=None, lr=2e-3):
    """The model after so many epochs, as the lesson trains it."""
    batches = images.batches(128, shuffle=True, generator=torch.Generator().manual_seed(0))
    fit(model, batches, epochs=epochs, lr=lr, loss=loss, progress=False)
    return model.eval()


def error(x_hat, x):
    """Squared error, summed over the pixels, averaged over the images."""
    return squared_error(x_hat, x).mean()


def with_one(x):
    """Images as rows with a constant 1 at the end: (B, 785)."""
    return torch.cat([x.flatten(1), torch.ones(len(x), 1)], dim=1)


def linear_map(corrupt, x, copies):
    """The least-squares map from damaged to clean images, from as many damaged copies; the best of three penalties."""
    gram, cross = torch.zeros(785, 785), torch.zeros(785, 784)
    for _ in range(copies):
        a = with_one(corrupt(x[1000:]))
        gram, cross = gram + a.T @ a, cross + a.T @ x[1000:].flatten(1)
    damaged, maps = corrupt(x[:1000]), {}
    for penalty in (1.0, 100.0, 1000.0):
        weights = torch.linalg.solve(gram + copies * penalty * torch.eye(785), cross)
        restore = lambda y, weights=weights: (with_one(y) @ weights).clamp(0, 1).view_as(y)  # noqa: E731
        maps[error(restore(damaged), x[:1000]).item()] = restore
    return maps[min(maps)]


def blurred(x, sigma):
    """Gaussian blur of 9 x 9 pixels."""
    weights = torch.exp(-torch.arange(-4.0, 5.0).square() / (2 * sigma**2))
    weights = weights / weights.sum()
    x = F.conv2d(F.pad(x, (4, 4, 0, 0), mode="replicate"), weights.view(1, 1, 1, 9))
    return F.conv2d(F.pad(x, (0, 0, 4, 4), mode="replicate"), weights.view(1, 1, 9, 1))


def median(x, size):
    """Median of size x size pixels."""
    windows = F.pad(x, [size // 2] * 4, mode="replicate").unfold(2, size, 1).unfold(3, size, 1)
    return windows.flatten(-2).median(dim=-1).values


def best_filter(restore, settings, x, damaged):
    """The filter with the setting that restores training images best."""
    best = min(settings, key=lambda setting: error(restore(damaged, setting), x).item())
    return lambda y: restore(y, best)


def denoising(*, seed, epochs):
    """Networks trained on noise and on hidden blocks, beside two trained for long, filters and linear maps."""
    train, x_train, x, _ = pictures()
    noise, block = (
        fitted(DenoisingAutoencoder(32, hidden=256, corruption=name, strength=0.5), train, epochs)
        for name in ("gaussian_noise", "block_mask")
    )
    numbers, some = {}, x_train[:200]
    linear = linear_map(lambda x: gaussian_noise(x, 0.5), x_train, epochs)
    networks = {"denoiser": noise, "block": block, "plain": load_reference("autoencoder_32d"),
                "reference": load_reference("denoising_32d")}  # fmt: skip
    with torch.inference_mode():
        for word, strength in (("low", 0.05), ("high", 0.5)):
            y, seen = gaussian_noise(x, strength), gaussian_noise(some, strength)
            methods = {
                "left": lambda y: y,
                "blur": best_filter(blurred, (0.3, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7), some, seen),
                "median": best_filter(median, (1, 3, 5, 7), some, seen),
                "linear": linear, **networks,
            }  # fmt: skip
            numbers |= {f"{word}_{name}": error(method(y), x) for name, method in methods.items()}
        for name, corruption in CORRUPTIONS.items():
            y = corruption(x, STRENGTHS[name])
            numbers[f"{name}_left"] = error(y, x)
            numbers |= {f"{name}_{who}": error(network(y), x) for who, network in networks.items()}
    hole = block_mask(torch.ones_like(x), 0.5) == 0
    masked, known, library = torch.where(hole, 0.0, x), (~hole).float().flatten(1), x_train.flatten(1)
    distance = known @ library.square().T - 2 * masked.flatten(1) @ library.T
    nearest = distance.topk(30, dim=1, largest=False).indices
    with torch.inference_mode():
        fillings = {
            "mean": x_train.mean(dim=0).expand_as(x), "denoiser": noise(masked), "block": block(masked),
            "linear": linear_map(lambda x: block_mask(x, 0.5), x_train, epochs)(masked),
            "alike_10": library[nearest[:, :10]].mean(dim=1).view_as(x),
            "alike_30": library[nearest].mean(dim=1).view_as(x),
        }  # fmt: skip
        return numbers | {f"hole_{name}": error(torch.where(hole, y, x), x) for name, y in fillings.items()}


class SparseCode(nn.Module):
    """The lesson's linear dictionary: x_hat = b + sum of z_d * w_d, with z >= 0 and atoms of length 1."""

    def __init__(self, k=None, units=256):
        super().__init__()
        self.k, self.encoder, self.decoder = k, nn.Linear(784, units), nn.Linear(units, 784)

    def encode(self, x):
        """Images to codes (B, units)."""
        z = torch.relu(self.encoder(x.flatten(1) - self.decoder.bias))
        return z if self.k is None else top(z, self.k)

    def atoms(self):
        """The atoms as columns of length 1, (784, units)."""
        return F.normalize(self.decoder.weight, dim=0)

    def decode(self, z):
        """Codes to images."""
        return F.linear(z, self.atoms(), self.decoder.bias).unflatten(1, (1, 28, 28))


def top(z, k):
    """The k largest numbers of each code, zeros elsewhere."""
    largest = z.topk(k, dim=1)
    return torch.zeros_like(z).scatter(1, largest.indices, largest.values)


def sparse_loss(l1=0.0):
    """Squared error plus l1 times the sum of a code."""

    def loss(model, x):
        z = model.encode(x)
        recon = squared_error(model.decode(z), x).mean()
        return {"loss": recon + l1 * z.sum(dim=1).mean(), "recon": recon}

    return loss


def started(model, x_train, start):
    """The model at one of four starts, each with one change more than the one before."""
    mean = x_train.mean(dim=0).flatten()
    with torch.no_grad():
        if start != "default":
            model.decoder.bias.copy_(mean)
        if start in ("tied", "photographs"):
            some = x_train[torch.randperm(len(x_train))[: len(model.encoder.weight)]].flatten(1) - mean
            w = F.normalize(some if start == "photographs" else torch.randn_like(some), dim=1)
            model.encoder.weight.copy_(0.1 * w)
            model.encoder.bias.zero_()
            model.decoder.weight.copy_(w.T)
    return model


def purity(z, labels):
    """Median over the units of the part of a unit's activation that its favourite class causes."""
    share = torch.stack([z[labels == c].sum(dim=0) for c in range(10)])
    return (share.amax(dim=0) / share.sum(dim=0).clamp(min=1e-9))[share.sum(dim=0) > 0].median()


def halves(z):
    """Each number of a dense code as two that are not negative: above and below its mean."""
    return torch.cat([z.relu(), (-z).relu()], dim=1)


def refitted(model, x):
    """Error of the best coefficients for the units that are on."""
    z, w, b = model.encode(x), model.atoms(), model.decoder.bias
    chosen = w.T[z.topk(16, dim=1).indices].transpose(1, 2)  # (B, 784, 16)
    target = (x.flatten(1) - b)[..., None]
    gram = chosen.transpose(1, 2) @ chosen + 1e-5 * torch.eye(16)
    best = torch.linalg.solve(gram, chosen.transpose(1, 2) @ target)
    return (chosen @ best - target).square().sum(dim=(1, 2)).mean()


def sparse(*, seed, start, epochs):
    """A k-sparse code, 16 of 256: units that no training image excites, errors, and the purity of its units."""
    train, x_train, x, labels = pictures()
    model = started(SparseCode(k=16), x_train, start)
    if epochs:
        fitted(model, train, epochs, sparse_loss(), lr=1e-3)
    shuffled = labels[torch.randperm(len(labels))]
    with torch.inference_mode():
        z = model.encode(x)
        on = (z > 0).float().mean(dim=0)
        return {
            "dead": (model.encode(x_train) > 0).sum(dim=0).eq(0).sum(), "dead_test": on.eq(0).sum(),
            "error": error(model.decode(z), x), "refitted": refitted(model, x), "busiest": on.amax(),
            "purity": purity(z, labels), "chance": purity(z, shuffled),
        }  # fmt: skip


def dense(*, seed):
    """Purity of a dense code, whole and cut into halves; errors of principal components. The seed deals labels out."""
    _, x_train, x, labels = pictures()
    shuffled = labels[torch.randperm(len(labels))]
    z = encode_dataset(load_reference("autoencoder_32d"), x)
    z = z - z.mean(dim=0)
    mean = x_train.mean(dim=0).flatten()
    centered, test = x_train.flatten(1) - mean, x.flatten(1) - mean
    v = torch.linalg.eigh(centered.T @ centered).eigenvectors.flip(1)  # components, the largest first
    numbers = {}
    for name, code in (("whole", z.abs()), ("halves", halves(z)), ("top_halves", top(halves(z), 4))):
        numbers |= {name: purity(code, labels), f"{name}_chance": purity(code, shuffled)}
    for n in (16, 26, 32):
        numbers[f"pca_{n}"] = (test - test @ v[:, :n] @ v[:, :n].T).square().sum(dim=1).mean()
    return numbers


KINDS = {"lambda 0": (0.0, None), "lambda 0.3": (0.3, None), "lambda 1": (1.0, None), "16 largest": (0.0, 16)}


def shrinking(*, seed, kind, epochs):
    """A code with an L1 penalty, from photographs: units on, error, and by which factor its pictures are too faint."""
    train, x_train, x, _ = pictures()
    l1, k = KINDS[kind]
    model = fitted(started(SparseCode(k=k), x_train, "photographs"), train, epochs, sparse_loss(l1), lr=1e-3)
    with torch.inference_mode():
        z = model.encode(x)
        drawn, wanted = (one - model.decoder.bias.view(1, 28, 28) for one in (model.decode(z), x))
        return {
            "on": (z > 0).sum(dim=1).float().mean(), "error": error(model.decode(z), x),
            "factor": (wanted * drawn).sum() / drawn.square().sum(),
        }  # fmt: skip


def half_circles(*, seed, steps):
    """A denoiser of points on two half circles: its steps beside the exact ones, and how near to the data it ends."""
    moons, _ = two_moons(2000, noise=0.0)
    sigma, parts = 0.2, (nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    network = nn.Sequential(*parts)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        x = moons[torch.randint(len(moons), (256,))]
        loss = (network(x + sigma * torch.randn_like(x)) - x).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noisy = moons + sigma * torch.randn_like(moons)
    with torch.inference_mode():
        exact = torch.softmax(-torch.cdist(noisy, moons).square() / (2 * sigma**2), dim=1) @ moons
        off = {name: torch.cdist(x, moons).amin(dim=1)
               for name, x in (("left", noisy), ("network", network(noisy)), ("exact", exact))}  # fmt: skip
        far, near = off["left"] > 0.3, off["left"] < 0.1
        length = (network(noisy) - noisy).norm(dim=1)
        return {f"off_{name}": distance.mean() for name, distance in off.items()} | {
            "cosine": F.cosine_similarity(network(noisy) - noisy, exact - noisy, dim=1).median(),
            "step_far": length[far].mean(), "step_near": length[near].mean(),
        }  # fmt: skip


def only(images, *names):
    """The images of some classes."""
    return images[torch.isin(images.labels, torch.tensor([images.class_names.index(name) for name in names]))]


def alarm(*, seed, epochs):
    """Alarms of a model of shoes, by its error and by rivals; and of a model of shirts."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    model, photos = fitted(Autoencoder(8, hidden=128), only(train, *SHOES), epochs), only(train, *SHOES).pixels()
    shoes, codes, numbers = only(test, *SHOES).pixels(), encode_dataset(model, photos), {}
    cases = {name: only(test, name).pixels() for name in test.class_names if name not in SHOES}
    garments = tuple(cases)
    cases |= {"inverted": 1 - shoes, "noisy": gaussian_noise(shoes, 0.2), "upside_down": shoes.flip(-2),
              "mirrored": shoes.flip(-1), "moved": shoes.roll(2, dims=-1), "block": block_mask(shoes, 0.25),
              "faded": 0.4 * shoes, "black": torch.zeros_like(shoes)}  # fmt: skip
    with torch.inference_mode():
        usual = squared_error(model(photos), photos).log().mean()
        scores = {
            "": lambda x: squared_error(model(x), x),
            "bright_": lambda x: x.flatten(1).sum(dim=1),
            "two_": lambda x: (squared_error(model(x), x).log() - usual).abs(),
            "code_": lambda x: nearest_neighbors(model.encode(x), codes, k=1)[1][:, 0],
            "pixel_": lambda x: nearest_neighbors(x, photos, k=1)[1][:, 0],
        }
        for word, score in scores.items():
            normal = score(shoes)
            for name, x in cases.items():
                both = torch.cat([normal, score(x)])
                value = auroc(both, torch.arange(len(both)) >= len(normal))
                numbers[word + name.lower().replace("-", "").replace("/", "_")] = value
            if not word:
                numbers["quieter_than_black"] = (normal < score(cases["black"])[0]).sum()
        numbers["worst_garment"] = min(numbers[name.lower().replace("-", "").replace("/", "_")] for name in garments)
        numbers["worst_by_pixels"] = min(
            numbers["pixel_" + name.lower().replace("-", "").replace("/", "_")] for name in garments
        )
    shirts = fitted(Autoencoder(16, hidden=128), only(train, "Shirt"), epochs)
    with torch.inference_mode():
        for name, other in (("near_tshirt", "T-shirt/top"), ("near_boot", "Ankle boot")):
            both = [squared_error(shirts(y), y) for y in (only(test, "Shirt").pixels(), only(test, other).pixels())]
            numbers[name] = auroc(torch.cat(both), torch.arange(400) >= 200)
    return numbers


def sparse_holds(runs):
    """Whether dead units fall and rise as the lesson says, and units are pure before training."""
    dead = {(start, n): runs.over("dead", start=start, epochs=n) for start in STARTS for n in (2, 8)}
    purity = {(start, n): runs.over("purity", start=start, epochs=n) for start in STARTS[2:] for n in (0, 2, 8)}
    fits = [runs.over("refitted", start="photographs", epochs=n) for n in (0, 2, 8)]
    errors = [runs.over("error", start="default", epochs=n) for n in (2, 8)]
    return (
        all(dead["default", n].low > 1.5 * dead["bias", n].high for n in (2, 8))
        and dead["bias", 2].high < dead["bias", 8].low
        and dead["bias", 8].low > dead["tied", 8].high > dead["tied", 8].low > dead["photographs", 8].high
        and dead["default", 8].median >= dead["default", 2].median
        and errors[1].high < errors[0].low
        and all(purity["photographs", 0].low > purity["photographs", n].high for n in (2, 8))
        and purity["tied", 0].high < purity["tied", 2].low
        and fits[0].low > fits[1].high > fits[1].low > fits[2].high
    )


def shrinking_holds(runs):
    """Whether units go off, and errors and factors grow, from one lambda to the next; and top-k has no such factor."""
    rising = True
    for n in (2, 8):
        on, errors, factors = (
            [runs.over(name, kind=kind, epochs=n) for kind in list(KINDS)[:3]] for name in ("on", "error", "factor")
        )
        rising &= on[0].low > on[1].high > on[1].low > on[2].high
        rising &= all(one[0].high < one[1].low and one[1].high < one[2].low for one in (errors, factors))
        rising &= runs.over("factor", kind="16 largest", epochs=n).high < factors[1].low
    return rising


CLAIMS = (
    Claim(
        "sparse",
        "From default weights most units of a k-sparse code die. A bias that starts at the mean image saves most of "
        "them at first; tied vectors and photographs as atoms save more in a longer training. With photographs as "
        "atoms the units are purer before training.",
        run=sparse,
        settings=grid(start=("tied", "photographs"), epochs=(0,), seed=range(3))
        + grid(start=STARTS, epochs=(2, 8), seed=range(3))
        + grid(start=STARTS, epochs=(2,), seed=range(3, 9)),  # the counts of dead units differ much
        labels={"dead": "dead units of 256", "error": "squared error", "purity": "median purity"},
        holds=sparse_holds,
    ),
    Claim(
        "dense",
        "A dense code whose numbers are cut into halves and thinned out has units nearly as pure as a sparse code's.",
        run=dense,
        settings=grid(seed=range(3)),
        labels={
            "whole": "32 numbers: median purity", "halves": "64 halves", "top_halves": "the four largest of 64 halves",
            "top_halves_chance": "these, with labels dealt out at random", "pca_16": "16 components: squared error",
            "pca_26": "26 components", "pca_32": "32 components",
        },
        holds=lambda runs: all(one["top_halves"] > 0.5 > 1.5 * one["halves"] > 1.5 * one["whole"] for one in runs),
    ),
    Claim(
        "denoising",
        "At the noise of its training, 0.5, a small denoiser beats filters. It beats the linear map fitted at 0.5 only "
        "after a long training. At noise 0.05 the same denoiser and the same map do harm, and so does a plain "
        "autoencoder.",
        run=denoising,
        settings=grid(epochs=(3, 12, 48), seed=range(3)),
        labels={
            "high_left": "noise 0.5: left alone", "high_blur": "noise 0.5: best blur",
            "high_median": "noise 0.5: best median filter", "high_linear": "noise 0.5: linear map",
            "high_denoiser": "noise 0.5: our denoiser", "high_reference": "noise 0.5: large denoiser",
            "low_left": "noise 0.05: left alone", "low_linear": "noise 0.05: linear map fitted at 0.5",
            "low_plain": "noise 0.05: plain autoencoder",
            "low_denoiser": "noise 0.05: our denoiser", "low_reference": "noise 0.05: large denoiser",
        },
        holds=lambda runs: all(
            one["low_left"] < 0.3 * min(one[f"low_{name}"] for name in ("plain", "linear", "denoiser", "reference"))
            and one["high_denoiser"] < min(one["high_blur"], one["high_median"])
            and (one["high_denoiser"] < one["high_linear"]) == (one["epochs"] == 48)
            and one["high_reference"] < one["high_linear"]
            and one["block_mask_block"] < one["block_mask_denoiser"]
            for one in runs
        )
        and all(
            runs.over(f"{damage}_denoiser", epochs=3).high < runs.over(f"{damage}_denoiser", epochs=12).low
            for damage in ("masking_noise", "block_mask")
        ),
    ),
    Claim(
        "penalty",
        "A larger L1 penalty switches more units off, costs reconstruction, and makes pictures fainter; keeping the 16 "
        "largest does not.",
        run=shrinking,
        settings=grid(kind=KINDS, epochs=(2, 8), seed=range(3)),
        labels={"on": "units on, of 256", "error": "squared error", "factor": "best factor"},
        holds=shrinking_holds,
    ),
    Claim(
        "half-circles",
        "A denoiser of points takes nearly the step that the exact mean takes: towards the data, shorter where it "
        "starts nearer, and not quite onto them.",
        run=half_circles,
        settings=grid(steps=(500, 2000), seed=range(3)),
        labels={
            "off_left": "distance from the data: left alone", "off_network": "after the network",
            "off_exact": "after the exact mean", "cosine": "cosine between the two steps (median)",
            "step_far": "mean step, start further than 0.3 from the data",
            "step_near": "mean step, start nearer than 0.1",
        },
        holds=lambda runs: all(
            one["off_exact"] > 0.01 and one["off_network"] < 0.5 * one["off_left"]
            and one["cosine"] > 0.9 and one["step_far"] > 2 * one["step_near"]
            for one in runs
        ),
    ),
    Claim(
        "alarm",
        "An alarm by reconstruction error finds other garments, and is quieter for faded shoes than for real ones. "
        "Black pictures escape it after a long training. The distance from the nearest training photograph finds the "
        "garment that is hardest to find better.",
        run=alarm,
        settings=grid(epochs=(10, 40), seed=range(3)),
        labels={
            "inverted": "inverted shoe", "bag": "bag", "worst_garment": "the worst of seven garments",
            "mirrored": "mirrored shoe", "block": "shoe, block missing", "faded": "faded shoe", "black": "all black",
            "quieter_than_black": "of 600 shoes, those with less error than black",
            "worst_by_pixels": "by pixel distance: the worst of seven garments",
            "pixel_black": "by pixel distance: all black", "code_trouser": "by code distance: trousers",
            "near_tshirt": "a model of shirts: T-shirts", "near_boot": "a model of shirts: ankle boots",
        },
        holds=lambda runs: all(
            one["inverted"] > one["bag"] > one["mirrored"] > one["block"] > 0.5 > 0.1 > one["faded"]
            and one["block"] < 0.7 < 0.9 < one["worst_garment"] < one["worst_by_pixels"]
            and one["near_tshirt"] < 0.7 < 0.9 < one["near_boot"]
            and one["pixel_black"] < 0.1
            for one in runs
        )
        and runs.over("quieter_than_black", epochs=40).high < 10 < runs.over("quieter_than_black", epochs=10).low,
    ),
)  # fmt: skip
