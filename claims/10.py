"""The headline claims of lesson 10, latents of a GAN, under stress: `course claims 10`."""

import math

import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression

from course_utils import metrics
from course_utils.checkpoints import load_reference
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.data.faces import HANDLES, sample_faces
from course_utils.data.toys import ring_of_gaussians
from course_utils.interpolation import lerp, slerp
from course_utils.latents import decode_dataset, nearest_neighbors
from course_utils.metrics import image_features, modes_covered
from course_utils.models.gan import invert, truncate

ANGLE = torch.arange(8) * math.pi / 4
CENTRES = torch.stack([ANGLE.cos(), ANGLE.sin()], dim=1)
EVERY = 30  # steps between two frames of a ring


def sigmoid(logit):
    """The probability that belongs to a logit."""
    return 1 / (1 + math.exp(-logit))


def rest(step, time, *, angle, gamma=0.0, saturating=False):
    """Distance from the goal, 1 at first, after gradient steps of both players of the game of two numbers."""
    theta, psi = math.cos(angle), math.sin(angle)
    for _ in range(round(time / step)):
        logit = psi * theta
        slope_psi = -theta * sigmoid(logit) - gamma * psi
        slope_theta = psi * (sigmoid(logit) if saturating else sigmoid(-logit))
        psi, theta = psi + step * slope_psi, theta + step * slope_theta
    return math.hypot(theta, psi)


def smallest_game(*, seed, step, time):
    """How far from its goal the game of two numbers is; the seed is the direction of its start."""
    angle = 2 * math.pi * seed / 7
    return {
        "non_saturating": rest(step, time, angle=angle),
        "saturating": rest(step, time, angle=angle, saturating=True),
        "with_r1": rest(step, time, angle=angle, gamma=0.3),
    }


WAYS = {  # learning rate of the generator, of the discriminator, and gamma
    "gamma_0": (3e-3, 3e-4, 0.0), "gamma_0.1": (3e-3, 3e-4, 0.1), "gamma_1": (3e-3, 3e-4, 1.0),
    "gamma_2": (3e-3, 3e-4, 2.0), "gamma_3": (3e-3, 3e-4, 3.0), "gamma_10": (3e-3, 3e-4, 10.0),
    "gamma_30": (3e-3, 3e-4, 30.0), "faster": (1e-3, 3e-3, 0.0), "quick_faster": (3e-3, 9e-3, 0.0),
}  # fmt: skip


def stacked(sizes, rate, betas=(0.5, 0.99)):
    """As many small networks as there are rates, side by side: a function, and one Adam step of its weights."""
    number, weights = len(rate), []
    for a, b in zip(sizes, sizes[1:], strict=False):
        bound = a**-0.5  # as in nn.Linear
        weights += [(torch.rand(number, a, b) * 2 - 1) * bound, (torch.rand(number, 1, b) * 2 - 1) * bound]
    weights = [one.requires_grad_() for one in weights]
    first, second = ([torch.zeros_like(one) for one in weights] for _ in range(2))
    count = 0

    def network(x):  # (P, B, in) -> (P, B, out)
        for k in range(0, len(weights), 2):
            x = torch.baddbmm(weights[k + 1], x, weights[k])
            x = F.leaky_relu(x, 0.2) if k < len(weights) - 2 else x
        return x

    @torch.no_grad()
    def step(loss):
        nonlocal count
        count += 1
        for one, slope, m, v in zip(weights, torch.autograd.grad(loss, weights), first, second, strict=True):
            m.lerp_(slope, 1 - betas[0])
            v.lerp_(slope.square(), 1 - betas[1])
            size = (v / (1 - betas[1] ** count)).sqrt() + 1e-8
            one -= rate[:, None, None] * (m / (1 - betas[0] ** count)) / size

    return network, step


def ring(*, seed):
    """Pairs on the ring with several learning rates and weights of R1, trained side by side on draws of their own."""
    data, _ = ring_of_gaussians(20_000)
    rates_g, rates_d, gamma = (torch.tensor(one) for one in zip(*WAYS.values(), strict=True))
    (generator, step_g), (discriminator, step_d) = stacked((2, 64, 64, 2), rates_g), stacked((2, 64, 64, 1), rates_d)
    z_fixed, films = torch.randn(1, 1000, 2).expand(len(WAYS), -1, -1), {name: [] for name in WAYS}
    before, moved = None, {name: [] for name in WAYS}
    for number in range(2401):
        if number % EVERY == 0:
            with torch.no_grad():
                now = generator(z_fixed)
                for k, name in enumerate(WAYS):
                    films[name].append(modes_covered(now[k], CENTRES, 0.05, at_least=10))
                    if number > 600:
                        moved[name].append((now[k] - before[k]).norm(dim=1).mean().item())
                before = now
        x = data[torch.randint(len(data), (len(WAYS), 128))].requires_grad_()  # (P, 128, 2)
        x_fake, logits = generator(torch.randn(len(WAYS), 128, 2)), discriminator(x)
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        penalty = gamma / 2 * slope.square().sum(dim=2).mean(dim=1)
        fake_loss = F.softplus(discriminator(x_fake.detach())).mean(dim=(1, 2))
        step_d((F.softplus(-logits).mean(dim=(1, 2)) + fake_loss + penalty).sum())
        step_g(F.softplus(-discriminator(x_fake)).mean(dim=(1, 2)).sum())
    numbers = {}
    for name, film in films.items():
        later = [float(frame.modes) for frame in film[600 // EVERY :]]
        numbers |= {
            f"{name}_600": film[600 // EVERY].modes, f"{name}_2400": film[-1].modes,
            f"{name}_mean": sum(later) / len(later), f"{name}_fewest": min(later),
            f"{name}_good_600": film[600 // EVERY].quality, f"{name}_good_2400": film[-1].quality,
            f"{name}_moved": sum(moved[name]) / len(moved[name]),
        }  # fmt: skip
    return numbers


def brightness(x):
    """Mean pixel of each image, (B,)."""
    return x.mean(dim=(1, 2, 3))


def share_explained(y, y_hat):
    """Share of the variance of y (B,) that y_hat explains."""
    return 1 - (y - y_hat).square().sum() / (y - y.mean()).square().sum()


def direction(*, seed, codes):
    """A direction for brightness, fitted to generated images and their codes, walked along from fresh codes."""
    gan, classifier = load_reference("gan_fashion").eval(), load_reference("classifier_fashion").eval()

    def kinds(x):
        with torch.no_grad():
            return torch.cat([classifier(part).argmax(dim=1) for part in x.split(500)])

    z, fresh = torch.randn(codes, 64), torch.randn(1000, 64)
    y, x_fresh = brightness(decode_dataset(gan, z)), decode_dataset(gan, fresh)
    solution = torch.linalg.lstsq(torch.cat([z, torch.ones(codes, 1)], dim=1), y[:, None]).solution[:, 0]
    weights, unit = solution[:-1], solution[:-1] / solution[:-1].norm()
    random = F.normalize(torch.randn(64), dim=0)
    at = {0.0: x_fresh} | {move: decode_dataset(gan, fresh + move * unit) for move in (-2.0, -1.0, 1.0, 2.0)}
    aside = {move: decode_dataset(gan, fresh + move * random) for move in (-2.0, 2.0)}
    numbers = {
        "explained": share_explained(brightness(x_fresh), fresh @ weights + solution[-1]),
        "rises": brightness(at[1.0] - at[-1.0]).gt(0).float().mean(),
        "kept_1": (torch.cat([kinds(at[1.0]), kinds(at[-1.0])]) == kinds(x_fresh).repeat(2)).float().mean(),
        "kept_2": (torch.cat([kinds(at[2.0]), kinds(at[-2.0])]) == kinds(x_fresh).repeat(2)).float().mean(),
        "random_kept_2": (torch.cat([kinds(one) for one in aside.values()]) == kinds(x_fresh).repeat(2)).float().mean(),
        "random_change": brightness(aside[2.0]).mean() - brightness(aside[-2.0]).mean(),
    }
    for move, x in at.items():
        numbers[f"brightness_{move:g}"] = brightness(x).mean()
    return numbers


def copies(*, seed, images):
    """Distance to the nearest bundled training image, of samples and, as a control, of test images."""
    train, test = fashion_mnist("train").pixels(), fashion_mnist("test").pixels()
    gan, classifier = load_reference("gan_fashion").eval(), load_reference("classifier_fashion").eval()
    groups = {"samples": decode_dataset(gan, torch.randn(images, 64)), "test": test[torch.randperm(len(test))[:images]]}
    numbers, seen = {}, image_features(train, classifier)
    for name, x in groups.items():
        far = nearest_neighbors(x, train, k=1, metric="cosine")[1].flatten()
        numbers |= {f"{name}_far": far.mean(), f"{name}_nearest": far.quantile(0.01)}
        numbers[f"{name}_features"] = nearest_neighbors(image_features(x, classifier), seen, k=1)[1].mean()
    return numbers


def face_models():
    """The reference GAN of faces and the reader of their handles."""
    return load_reference("faces64_gan").eval(), load_reference("faces64_regressor").eval()


def read(reader, x, what=lambda reader, part: reader(part)):
    """What a reader says of images (B, 3, 64, 64), 250 at a time."""
    with torch.no_grad():
        return torch.cat([what(reader, part) for part in x.split(250)])


def smile(*, seed, codes):
    """A direction for the smile, fitted to generated faces as read, and all that changes along it from fresh codes."""
    gan, reader = face_models()
    handles = tuple(HANDLES)
    span = torch.tensor([one.high - one.low for one in HANDLES.values()])
    z, fresh = torch.randn(codes, 64), torch.randn(100, 64)
    y = read(reader, decode_dataset(gan, z))[:, 0]
    line = LinearRegression().fit(z, y)
    unit = F.normalize(torch.tensor(line.coef_, dtype=torch.float32), dim=0)
    steps = {"": unit, "random_": F.normalize(torch.randn(64), dim=0)}
    numbers = {"explained": float(line.score(fresh, read(reader, decode_dataset(gan, fresh))[:, 0].numpy()))}
    for name, step in steps.items():
        up, down = (read(reader, decode_dataset(gan, fresh + move * step)) for move in (2.0, -2.0))
        change = dict(zip(handles, ((up - down) / span).abs().mean(dim=0).tolist(), strict=True))
        numbers[f"{name}smile"] = change.pop("smile")
        numbers[f"{name}rises"] = (up > down)[:, 0].float().mean()
        numbers |= {f"{name}largest": max(change.values()), f"{name}mean": sum(change.values()) / len(change)}
        numbers |= {f"{name}change_{one}": value for one, value in change.items()}
    return numbers


def face_copies(*, seed, training):
    """Distance to the nearest training face, in a reader's features, of generated and, as a control, of test faces."""
    gan, reader = face_models()
    groups = {"generated": decode_dataset(gan, torch.randn(200, 64)),
              "test": sample_faces(200, seed=100 + seed, size=64).pixels()}  # fmt: skip
    numbers, features = {}, lambda reader, part: reader.features(part)
    seen = read(reader, sample_faces(training, seed=0, size=64).pixels(), features)
    for name, x in groups.items():
        far = nearest_neighbors(read(reader, x, features), seen, k=1)[1].flatten()
        numbers |= {f"{name}_far": far.mean(), f"{name}_nearest": far.quantile(0.01)}
    return numbers


def descended(gan, x, z, steps):
    """L-BFGS from one code z (D,) towards one image: where it ends, and the squared error there."""
    z = z[None].clone().requires_grad_()
    search = torch.optim.LBFGS([z], max_iter=steps, max_eval=4 * steps, history_size=20, line_search_fn="strong_wolfe",
                               tolerance_grad=1e-6, tolerance_change=1e-12)  # fmt: skip

    def closure():
        search.zero_grad()
        error = (gan.decode(z) - x).square().sum()
        error.backward()
        return error

    search.step(closure)
    return z.detach()[0], (gan.decode(z.detach()) - x).square().sum()


def inversion(*, seed, steps):
    """Codes searched for generated, test and upside-down images: four starts by Adam, then L-BFGS from the best."""
    gan, each, starts = load_reference("gan_fashion").eval().requires_grad_(False), 2, 4
    test = fashion_mnist("test").pixels()
    true = torch.randn(each, 64)
    chosen = test[torch.randperm(len(test))[:each]]
    groups = {"generated": decode_dataset(gan, true), "test": chosen, "strange": chosen.flip(2)}
    x = torch.cat(list(groups.values()))  # (12, 1, 28, 28)
    z = torch.randn(starts * len(x), 64).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    for _ in range(steps):
        error = (gan.decode(z) - x.repeat(starts, 1, 1, 1)).square().flatten(1).sum(dim=1)
        (z.grad,) = torch.autograd.grad(error.sum(), z)
        optimizer.step()
    with torch.no_grad():
        error = (gan.decode(z) - x.repeat(starts, 1, 1, 1)).square().flatten(1).sum(dim=1).view(starts, len(x))
    best = error.argmin(dim=0)
    z_adam = z.detach().view(starts, len(x), 64)[best, torch.arange(len(x))]
    z_end, end = zip(*(descended(gan, one, start, steps * 4 // 3) for one, start in zip(x, z_adam, strict=True)),
                     strict=True)  # fmt: skip
    far = (torch.stack(z_end)[:each] - true).norm(dim=1)
    numbers = {
        "adam_far": (z_adam[:each] - true).norm(dim=1).median(),
        "found": far.lt(1).float().mean(),
        "nearest": far.min(),
        "farthest": far.max(),
        "chance_far": (torch.randn(1000, 64) - torch.randn(1000, 64)).norm(dim=1).mean(),
    }
    for name, e_adam, e_end in zip(groups, error.amin(dim=0).split(each), torch.stack(end).split(each), strict=True):
        numbers |= {f"{name}_adam": e_adam.median(), f"{name}_end": e_end.median()}
        numbers |= {f"{name}_lowest": e_end.min(), f"{name}_highest": e_end.max()}
    return numbers


def truncation(*, seed, samples):
    """Precision, recall and Frechet distance of samples whose codes are cut off, shortened or brought back to length.

    "cut": each number cut off at a limit. "shorter": codes without a limit, made as short as the cut ones on average.
    "back": the cut codes, each made as long as the code that it came from.
    """
    gan, reader = load_reference("gan_fashion").eval(), load_reference("classifier_fashion").eval()
    pictures = torch.cat([fashion_mnist(part).pixels() for part in ("test", "train")])
    pictures = pictures[torch.randperm(len(pictures))[: 2 * samples]]
    features = lambda x: image_features(x, reader)  # noqa: E731
    real, others = features(pictures).split(samples)
    z = torch.randn(samples, 64)
    numbers = {}

    def measured(name, codes):
        fake = features(decode_dataset(gan, codes)) if codes is not None else others
        precision, recall = metrics.precision_recall(real, fake)
        numbers.update({f"{name}_precision": precision, f"{name}_recall": recall})
        numbers[f"{name}_frechet"] = metrics.frechet_distance(fake, real)

    measured("real", None)
    measured("all", z)
    for limit in (0.3, 1.0, 1.5, 2.0, 3.0):
        cut = truncate(z, limit, method="quantile")
        measured(f"cut_{limit:g}", cut)
        numbers[f"norm_{limit:g}"] = cut.norm(dim=1).mean()
        if limit <= 1:
            measured(f"shorter_{limit:g}", z * cut.norm(dim=1).mean() / z.norm(dim=1).mean())
            measured(f"back_{limit:g}", cut * (z.norm(dim=1) / cut.norm(dim=1))[:, None])
    return numbers


def path(*, seed, steps):
    """Walks between test images of two kinds, straight and on arcs: the GAN, whose codes are searched, and two VAEs."""
    test, pairs = fashion_mnist("test"), 6
    first = torch.randperm(len(test.images))[:pairs]
    second = torch.stack([(test.labels != test.labels[k]).nonzero()[:, 0][torch.randint(1800, ())] for k in first])
    ends, numbers = test.pixels()[torch.cat([first, second])], {}
    weight = torch.tensor([0.25, 0.5, 0.75])
    for name in ("gan_fashion", "vae_16d", "vae_beta_0.1"):
        model, short = load_reference(name).eval(), name.removesuffix("_fashion")
        with torch.no_grad():
            gan = short == "gan"
            z = invert(model.generator, ends, steps) if gan else model.encode(ends)
        error = (decode_dataset(model, z) - ends).square().flatten(1).sum(dim=1)
        numbers[f"{short}_error"] = error.mean()
        for way, walk in (("", lerp), ("_arc", slerp)):
            between = torch.cat([walk(a, b, weight) for a, b in zip(*z.split(pairs), strict=True)])
            seen = metrics.sharpness(decode_dataset(model, between)).mean()
            numbers[f"{short}{way}_sharpness"] = seen / metrics.sharpness(ends).mean()
        if gan:
            far = error
        else:
            numbers[f"{short}_farther"] = (error > far).float().mean()
    return numbers


CLAIMS = (
    Claim(
        "smallest-game",
        "Without a penalty the distance from the goal that remains depends on the step: with the non-saturating loss "
        "it is smaller for smaller steps, with the saturating loss the pair moves outwards. With R1 it comes to rest.",
        run=smallest_game,
        settings=grid(step=(0.2, 0.02, 0.002), time=(300, 1200), seed=range(3)),
        labels={
            "non_saturating": "non-saturating",
            "saturating": "saturating",
            "with_r1": "non-saturating, R1 with gamma 0.3",
        },
        holds=lambda runs: (
            all(one["with_r1"] < 1e-6 < one["non_saturating"] < 1 < one["saturating"] for one in runs)
            and runs.over("non_saturating", step=0.2, time=1200).low
            > 2 * runs.over("non_saturating", step=0.02, time=1200).high
            > 2 * runs.over("non_saturating", step=0.002, time=1200).high
        ),
    ),
    Claim(
        "ring",
        "A generator that learns ten times as fast as its discriminator covers at most one of eight modes on average "
        "without a penalty or with gamma 0.1. With gamma 10 or 30 it covers at least six on average from step 600 to "
        "2,400; between them it depends on the run. Without a penalty pairs with a faster discriminator cover seven.",
        run=ring,
        settings=grid(seed=range(4)),
        labels={
            f"{name}_mean": words
            for name, words in (
                *((f"gamma_{one}", f"10 : 1, gamma {one}") for one in ("0", "0.1", "1", "2", "3", "10", "30")),
                ("faster", "1 : 3, no penalty"),
                ("quick_faster", "1 : 3, no penalty, higher rates"),
            )
        },
        holds=lambda runs: all(
            max(one[f"{way}_mean"] for way in ("gamma_0", "gamma_0.1")) <= 1
            and min(one[f"{way}_mean"] for way in ("gamma_10", "gamma_30")) > 6
            and min(one[f"{way}_mean"] for way in ("faster", "quick_faster")) > 7
            for one in runs
        ),
    ),
    Claim(
        "direction",
        "A direction fitted to generated images changes their brightness, and often the kind of garment too.",
        run=direction,
        settings=grid(codes=(2000, 8000), seed=range(3)),
        labels={
            "explained": "share of the variance of brightness explained",
            "rises": "brighter at +1 than at -1",
            "brightness_-2": "brightness at -2",
            "brightness_0": "brightness at 0",
            "brightness_2": "brightness at +2",
            "kept_2": "kind kept, moved by 2",
            "random_kept_2": "kind kept, moved by 2 in a random direction",
        },
        holds=lambda runs: all(one["explained"] > 0.6 and one["rises"] > 0.9 for one in runs),
    ),
    Claim(
        "copies",
        "Samples are no nearer to training images than test images are.",
        run=copies,
        settings=grid(images=(250, 1000), seed=range(3)),
        labels={
            "samples_far": "samples: mean distance",
            "test_far": "test images: mean distance",
            "samples_nearest": "samples: nearest of a hundred",
            "test_nearest": "test images: nearest of a hundred",
            "samples_features": "samples, in features",
            "test_features": "test images, in features",
        },
        holds=lambda runs: all(
            one["samples_far"] > one["test_far"] and one["samples_features"] > one["test_features"] for one in runs
        ),
    ),
    Claim(
        "smile",
        "A direction fitted to generated faces moves the smile by most of its range, and no other handle by more than "
        "a tenth of its own. A random direction moves the smile less.",
        run=smile,
        settings=grid(codes=(500, 2000), seed=range(3)),
        labels={
            "explained": "share of the variance of the smile explained",
            "smile": "change of the smile from -2 to +2",
            "largest": "largest change of another handle",
            "random_smile": "random direction: change of the smile",
            "random_largest": "random direction: largest change of another handle",
        },
        holds=lambda runs: all(
            one["explained"] > 0.75 and one["smile"] > 0.7 > 0.1 > one["largest"] and one["smile"] > one["random_smile"]
            for one in runs
        ),
    ),
    Claim(
        "face-copies",
        "Generated faces lie as far from training faces as test faces do, within a twentieth of the mean distance, and "
        "the nearest of a hundred within a tenth.",
        run=face_copies,
        settings=grid(training=(2000, 6000), seed=range(3)),
        labels={
            "generated_far": "generated: mean distance",
            "test_far": "test faces: mean distance",
            "generated_nearest": "generated: nearest of a hundred",
            "test_nearest": "test faces: nearest of a hundred",
        },
        holds=lambda runs: all(
            abs(one["generated_far"] / one["test_far"] - 1) < 0.05
            and one["generated_nearest"] > 0.9 * one["test_nearest"]
            for one in runs
        ),
    ),
    Claim(
        "inversion",
        "After 100 steps of Adam the codes found for generated images lie far from the true ones, and L-BFGS brings "
        "them nearer. With four times as many steps of both most are found. Test images keep an error all the same.",
        run=inversion,
        settings=grid(steps=(100, 400), seed=range(3)),
        labels={
            "adam_far": "generated, Adam: distance to the true code",
            "nearest": "generated, L-BFGS: smaller distance of two",
            "farthest": "generated, L-BFGS: larger distance of two",
            "generated_adam": "generated, Adam: squared error",
            "generated_end": "generated, L-BFGS: squared error",
            "test_end": "test images, L-BFGS: squared error",
            "strange_end": "test images upside down, L-BFGS: squared error",
        },
        holds=lambda runs: (
            all(
                one["nearest"] < one["adam_far"] < one["chance_far"]
                and one["generated_end"] < one["generated_adam"]
                and one["test_lowest"] > 0.5
                for one in runs
            )
            and runs.over("farthest", steps=400).median < 0.1 < 1 < runs.over("nearest", steps=100).low
        ),
    ),
    Claim(
        "truncation",
        "Codes cut off at 1 give less recall and a larger Frechet distance. Codes made as short without a limit lose "
        "about as much. Cut codes brought back to their length lose next to nothing.",
        run=truncation,
        settings=grid(samples=(250, 1000), seed=range(3)),
        labels={
            f"{way}_{what}": f"{words}: {what}"
            for way, words in (
                *(
                    ("all", "no limit"),
                    ("cut_2", "limit 2"),
                    ("cut_1", "limit 1"),
                    ("shorter_1", "as short as limit 1"),
                ),
                *(("back_1", "limit 1, full length"), ("cut_0.3", "limit 0.3"), ("back_0.3", "limit 0.3, full length")),
            )
            for what in ("precision", "recall")
        },
        holds=lambda runs: all(
            max(one["cut_1_recall"], one["shorter_1_recall"]) < one["all_recall"]
            and min(one["cut_1_frechet"], one["shorter_1_frechet"]) > 1.5 * one["all_frechet"]
            and max(one["cut_0.3_recall"], one["shorter_0.3_recall"]) < 0.3
            and min(one["cut_0.3_frechet"], one["shorter_0.3_frechet"]) > 10 * one["all_frechet"]
            and max(one[f"cut_{limit}_precision"] for limit in ("1", "1.5", "2", "3")) < one["all_precision"] + 0.1
            and all(
                one[f"back_{limit}_{what}"] > one[f"all_{what}"] - 0.08
                for limit in ("0.3", "1")
                for what in ("precision", "recall")
            )
            for one in runs
        ),
    ),
    Claim(
        "path",
        "On walks between test images of two kinds the GAN's images are sharper than two VAEs', straight and on arcs. "
        "At the ends the GAN is less faithful than both VAEs after a search of 100 steps, and more after 400.",
        run=path,
        settings=grid(steps=(100, 400), seed=range(3)),
        labels={
            "gan_sharpness": "GAN: sharpness, as a share of the photographs'",
            "vae_16d_sharpness": "VAE: sharpness",
            "vae_beta_0.1_sharpness": "VAE with beta 0.1: sharpness",
            "gan_arc_sharpness": "GAN on arcs: sharpness",
            "vae_beta_0.1_arc_sharpness": "VAE with beta 0.1 on arcs: sharpness",
            "gan_error": "GAN: squared error at the ends",
            "vae_16d_error": "VAE: squared error at the ends",
            "vae_beta_0.1_error": "VAE with beta 0.1: squared error at the ends",
        },
        holds=lambda runs: all(
            min(one["gan_sharpness"] - one[f"{vae}_sharpness"], one["gan_arc_sharpness"] - one[f"{vae}_arc_sharpness"])
            > 0.1
            and (one["gan_error"] > one[f"{vae}_error"]) == (one["steps"] == 100)
            for one in runs
            for vae in ("vae_16d", "vae_beta_0.1")
        ),
    ),
)
