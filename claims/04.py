"""The headline claims of lesson 04, variational autoencoders, under stress: `course claims 04`."""

import math

import torch
from sklearn.mixture import GaussianMixture

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.gaussian import kl_standard_normal
from course_utils.latents import decode_dataset, encode_dataset, nearest_neighbors
from course_utils.losses import bernoulli_nll, squared_error
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.vae import VAE
from course_utils.training import fit

DRAWS = 1000


def train_on_clothes(model, epochs, **options):
    """The history of a training as the lesson's, on the bundled clothes."""
    batches = fashion_mnist("train").batches(256, shuffle=True, generator=torch.Generator().manual_seed(0))
    return fit(model, batches, epochs=epochs, lr=2e-3, progress=False, **options)


def trained(model, epochs):
    """The model after so many epochs on the bundled clothes, as the lesson trains it."""
    batches = fashion_mnist("train").batches(256, shuffle=True, generator=torch.Generator().manual_seed(0))
    fit(model, batches, epochs=epochs, lr=2e-3, progress=False)
    return model


def clouds(model, images):
    """One draw from each image's cloud, or its code where a model has no clouds."""
    if isinstance(model, Autoencoder):
        return encode_dataset(model, images)
    with torch.no_grad():
        mu, logvar = model.posterior(images.pixels())
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def dead(z, codes_train, codes_test):
    """Which of the codes z (B, D) are dead: farther from the nearest training code than 99% of the test codes, (B,)."""
    limit = nearest_neighbors(codes_test, codes_train, k=1)[1].quantile(0.99)
    return (nearest_neighbors(z, codes_train, k=1)[1] > limit).flatten()


def to_clothes(images):
    """Distance (1 - cosine) of images (B, C, H, W) to the nearest training image, (B,)."""
    return nearest_neighbors(images, fashion_mnist("train").pixels(), k=1, metric="cosine")[1].flatten()


def sources(codes, *, seed):
    """Draws from two densities fitted to codes (N, D), each (DRAWS, D): one normal distribution, and a mixture."""
    one = torch.distributions.MultivariateNormal(codes.mean(dim=0), torch.cov(codes.T))
    mixture = GaussianMixture(20, random_state=seed).fit(codes.double().numpy())
    some = torch.from_numpy(mixture.sample(DRAWS)[0]).float()  # in the order of the components
    return {"normal": one.sample((DRAWS,)), "mixture": some[torch.randperm(DRAWS)]}


def fitted_density(*, seed, epochs, latent_dim):
    """The same two densities fitted to the codes of an autoencoder and of a VAE, beside the VAE's prior.

    The autoencoder has the VAE's network and its reconstruction term, "mse" the squared error of lesson 02.
    """
    train, test = fashion_mnist("train"), fashion_mnist("test")
    models = {
        "ae": Autoencoder(latent_dim, hidden=256, likelihood="bernoulli"),
        "mse": Autoencoder(latent_dim, hidden=256),
        "vae": VAE(latent_dim, hidden=256),
    }
    numbers = {}
    for name, model in models.items():
        trained(model, epochs)
        codes, others = clouds(model, train), clouds(model, test)
        restored = to_clothes(decode_dataset(model, encode_dataset(model, test)[:500])).mean()
        numbers[f"{name}_restored"] = restored
        draws = sources(codes, seed=seed)
        if name == "vae":
            prior = torch.randn(DRAWS, latent_dim)
            draws |= {"prior": prior, "half": 0.5 * prior, "double": 2 * prior}
        for source, z in draws.items():
            is_dead, pictures = dead(z, codes, others), decode_dataset(model, z[:500])
            far, flat = to_clothes(pictures), pictures.flatten(1)
            pairs = 1 - torch.nn.functional.cosine_similarity(flat[:250], flat[250:500])
            numbers |= {
                f"{name}_{source}_dead": is_dead.float().mean(), f"{name}_{source}_far": far.mean(),
                f"{name}_{source}_ratio": far.mean() / restored, f"{name}_{source}_pairs": pairs.mean(),
            }  # fmt: skip
            if source == "prior":
                alive = ~is_dead[:500]
                numbers |= {"prior_alive_far": far[alive].mean(), "prior_dead_far": far[~alive].mean()}
                numbers |= {"prior_brightness": pictures.mean() / fashion_mnist("train").pixels().mean()}
    return numbers


def bound(*, seed, epochs):
    """The loss of 200 test images in a VAE of two numbers, and -log p(x) of the same images on a fine grid of codes."""
    x = fashion_mnist("test").pixels()[:200]
    model = trained(VAE(2, hidden=256), epochs)
    with torch.no_grad():
        mu, logvar = model.posterior(x)
        kl, std = kl_standard_normal(mu, logvar), torch.exp(0.5 * logvar)
        eps = torch.randn(50, len(x), 2)
        losses = {}
        for name, centre, factor in (("", mu, 1), ("wide", mu, 2), ("narrow", mu, 0.5), ("moved", mu + std, 1)):
            recon = sum(bernoulli_nll(model.decode_logits(centre + factor * std * e), x) for e in eps) / len(eps)
            losses[name] = (recon + kl_standard_normal(centre, logvar + 2 * math.log(factor))).mean()
        evidence = {step: log_evidence(model, x, step) for step in (0.1, 0.05)}
    return {
        "loss": losses[""], "nll": -evidence[0.05].mean(), "gap": losses[""] + evidence[0.05].mean(), "kl": kl.mean(),
        "grid_error": (evidence[0.05] - evidence[0.1]).abs().mean(),
        "gap_wide": losses["wide"] + evidence[0.05].mean(), "gap_narrow": losses["narrow"] + evidence[0.05].mean(),
        "gap_moved": losses["moved"] + evidence[0.05].mean(),
    }  # fmt: skip


def log_evidence(model, x, step):
    """log p(x) of images (B, C, H, W): p(x|z) p(z) added up over a grid of codes of two numbers, (B,)."""
    axis, total = torch.arange(-8, 8, step) + step / 2, torch.full((len(x),), -math.inf)
    for first in axis:
        z = torch.stack([first.expand(len(axis)), axis], dim=1)
        logits = model.decode_logits(z).flatten(1)  # (G, 784)
        log_joint = x.flatten(1) @ logits.T - torch.nn.functional.softplus(logits).sum(dim=1)
        log_joint = log_joint - 0.5 * z.square().sum(dim=1) - math.log(2 * math.pi) + 2 * math.log(step)
        total = torch.logaddexp(total, log_joint.logsumexp(dim=1))
    return total


def spread(model):
    """Standard deviation of the codes of the training images, averaged over the dimensions."""
    return encode_dataset(model, fashion_mnist("train")).std(dim=0).mean()


def strays(centres, z):
    """Share of the codes z (B, D) that are nearer to another of the centres (N, D) than to their own, the first B."""
    nearest = nearest_neighbors(z, centres, k=1)[0].flatten()
    return (nearest != torch.arange(len(z))).float().mean()


def noisy_loss(model, x):
    """Squared error after adding N(0, I) to every code."""
    z = model.encode(x)
    return {"loss": squared_error(model.decode(z + torch.randn_like(z)), x).mean()}


def noise_alone(*, seed, epochs):
    """Two-dimensional codes, plain and with noise N(0, I), half-way through the training and at its end."""
    numbers = {}
    for name, loss in (("plain", None), ("noisy", noisy_loss)):
        torch.manual_seed(seed)
        model, spreads = Autoencoder(2, hidden=256), []
        train_on_clothes(model, epochs, loss=loss, on_epoch=lambda model, _, to=spreads: to.append(spread(model)))
        numbers |= {f"{name}_half": spreads[epochs // 2 - 1], f"{name}_end": spreads[-1]}
        numbers[f"{name}_growth"] = spreads[-1] / spreads[epochs // 2 - 1]
    centres = encode_dataset(model, fashion_mnist("train"))  # of the noisy one
    numbers["strays"] = strays(centres, centres[:2000] + torch.randn(2000, 2))
    return numbers


def widths(model, images):
    """The standard deviations of the images' clouds, (N, D)."""
    with torch.no_grad():
        return torch.exp(0.5 * model.posterior(images.pixels())[1])


def ranks(values):
    """The place of each value in their order."""
    return values.argsort().argsort().double()


def correlation(a, b):
    """Of the numbers of a with those of b."""
    return torch.corrcoef(torch.stack([a, b]))[0, 1]


def without(a, c):
    """What a straight line through c does not explain of a."""
    a, c = a - a.mean(), c - c.mean()
    return a - (a * c).sum() / c.square().sum() * c


def which_are_wide(area, x):
    """Rank correlations of the area of a cloud with brightness and size, each also with the other held fixed."""
    ranked, bright, large = map(ranks, (area, x.mean(dim=(1, 2, 3)), (x > 0.1).float().mean(dim=(1, 2, 3))))
    return {
        "bright": correlation(ranked, bright),
        "large": correlation(ranked, large),
        "bright_at_size": correlation(without(ranked, large), without(bright, large)),
        "large_at_brightness": correlation(without(ranked, bright), without(large, bright)),
        "largest_to_smallest": area.max() / area.min(),
    }


def recipe(*, seed, epochs):
    """A VAE of two numbers: what its two terms do in training, how its clouds lie, and which are wide."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    x, x_test = train.pixels(), test.pixels()
    model, first = VAE(2, hidden=256), []
    numbers = {"kl_before": kl_standard_normal(*model.posterior(x[:2000])).mean().detach()}

    def watch(model, step):
        if step <= 5:
            first.append(kl_standard_normal(*model.posterior(x[:2000])).mean())

    history = train_on_clothes(model, epochs, after_step=watch)
    recon, kl = history.series("recon"), history.series("kl")
    average = x.mean(dim=0, keepdim=True).clamp(1e-6, 1 - 1e-6).logit().expand_as(x)
    numbers |= {
        "kl_peak": max(first), "kl_second": kl[1], "kl_end": kl[-1], "kl_drop": kl[1] - kl[-1],
        "recon_drop": recon[1] - recon[-1], "saved": bernoulli_nll(average, x).mean() - recon[-1],
    }  # fmt: skip
    centres, codes = encode_dataset(model, train), clouds(model, train)
    numbers["strays"] = strays(centres, codes[:2000])
    numbers["inside"] = (codes.norm(dim=1) < math.sqrt(2 * math.log(2))).float().mean()
    numbers["spread"] = spread(model)
    numbers["width"] = widths(model, test).median() / encode_dataset(model, test).std(dim=0).mean()
    with torch.no_grad():
        (mu, logvar), eps = model.posterior(x_test), torch.randn(20, len(x_test), 2)
        for name, factor in (("narrower", 0.8), ("as_trained", 1.0), ("wider", 1.25)):
            std = factor * torch.exp(0.5 * logvar)
            numbers[f"{name}_kl"] = kl_standard_normal(mu, 2 * std.log()).mean()
            numbers[f"{name}_recon"] = (
                sum(bernoulli_nll(model.decode_logits(mu + std * e), x_test).mean() for e in eps) / 20
            )
        numbers["centre_recon"] = bernoulli_nll(model.decode_logits(mu), x_test).mean()
    numbers |= which_are_wide(widths(model, test).prod(dim=1), x_test)
    return numbers


def free_width(*, seed, epochs):
    """A VAE of two numbers whose widths cost nothing: a typical width beside the spread of the codes."""
    test, model = fashion_mnist("test"), trained(VAE(2, hidden=256, beta=0.0), epochs)
    return {"width": widths(model, test).median() / encode_dataset(model, test).std(dim=0).mean()}


CLAIMS = (
    Claim(
        "recipe",
        "The encoder begins to pay its price within five batches; a few nats of it save over a hundred nats of recon; "
        "far fewer than half of the clouds' draws lie where half of the prior lies; the codes do not spread on; "
        "bright images have narrower clouds, also at a fixed size, and size at a fixed brightness has no such effect.",
        run=recipe,
        settings=grid(epochs=(6, 24), seed=range(3)),
        labels={
            "kl_before": "kl before training",
            "kl_peak": "highest kl within five batches",
            "kl_end": "kl at the end",
            "recon_drop": "recon, from epoch 2 to the end",
            "saved": "recon saved beside the average image",
            "narrower_kl": "kl, widths times 0.8",
            "narrower_recon": "recon, widths times 0.8",
            "as_trained_kl": "kl, as trained",
            "as_trained_recon": "recon, as trained",
            "wider_kl": "kl, widths times 1.25",
            "wider_recon": "recon, widths times 1.25",
            "spread": "standard deviation of the centres",
            "strays": "draws nearer to another centre",
            "inside": "draws of the clouds in the inner half of the prior",
            "bright": "area and brightness",
            "bright_at_size": "the same at fixed size",
            "large": "area and size",
            "large_at_brightness": "the same at fixed brightness",
        },
        holds=lambda runs: all(
            one["kl_before"] < 0.2 < 2 < one["kl_peak"]
            and one["kl_end"] < 8 < 100 < one["saved"]
            and one["recon_drop"] > 10
            and one["inside"] < 0.4
            and 1 < one["spread"] < 3
            and one["strays"] > 0.8
            and max(one["bright"], one["bright_at_size"]) < -0.15 < one["large_at_brightness"]
            for one in runs
        ),
    ),
    Claim(
        "free-width",
        "Where the encoder may choose the widths and they cost nothing, it makes the clouds points: a typical width is "
        "less than a hundredth of the standard deviation of the codes.",
        run=free_width,
        settings=grid(epochs=(2, 8), seed=range(3)),
        labels={"width": "typical width / standard deviation of the codes"},
        holds=lambda runs: all(one["width"] < 0.01 for one in runs),
    ),
    Claim(
        "noise-alone",
        "Noise of standard deviation 1 on each code makes the encoder move the codes apart, to more than twice the "
        "standard deviation of a plain autoencoder's, and they go on spreading.",
        run=noise_alone,
        settings=grid(epochs=(6, 24), seed=range(3)),
        labels={
            "plain_half": "plain, half-way",
            "plain_end": "plain, at the end",
            "noisy_half": "with noise, half-way",
            "noisy_end": "with noise, at the end",
            "strays": "noisy codes nearer to another centre",
        },
        holds=lambda runs: all(
            one["noisy_end"] > 2 * one["plain_end"] and one["noisy_end"] > one["noisy_half"] and one["strays"] > 0.9
            for one in runs
        ),
    ),
    Claim(
        "bound",
        "Averaged over draws and images, the loss is above -log p(x), by about two nats of more than 250; with clouds "
        "twice as wide, half as wide, or moved by one width in each dimension, it is farther above.",
        run=bound,
        settings=grid(epochs=(6, 24), seed=range(3)),
        labels={
            "loss": "loss",
            "nll": "-log p(x), on a grid",
            "gap": "loss above it",
            "gap_wide": "the same, widths times 2",
            "gap_narrow": "the same, widths times 0.5",
            "gap_moved": "the same, centres moved by one width",
        },
        holds=lambda runs: all(
            0 < one["gap"] < 5 < 250 < one["nll"]
            and one["gap"] < min(one["gap_wide"], one["gap_narrow"], one["gap_moved"])
            and one["grid_error"] < 0.1
            for one in runs
        ),
    ),
    Claim(
        "fitted-density",
        "One normal distribution fits the codes of a VAE better than those of an autoencoder: the pictures of its "
        "draws are closer to clothes. With a mixture of 20 of them both models draw pictures nearly as close to "
        "clothes as restored images, and the VAE's own prior draws worse than both densities fitted to its codes.",
        run=fitted_density,
        settings=grid(latent_dim=(16,), epochs=(6, 24), seed=range(3)),
        labels={
            "ae_restored": "AE, restored",
            "ae_normal_far": "AE, one normal",
            "ae_mixture_far": "AE, mixture",
            "vae_restored": "VAE, restored",
            "vae_normal_far": "VAE, one normal",
            "vae_mixture_far": "VAE, mixture",
            "vae_prior_far": "VAE, prior",
        },
        holds=lambda runs: all(
            one["vae_normal_far"] < min(one["ae_normal_far"], one["mse_normal_far"])
            and max(one["ae_mixture_dead"], one["vae_mixture_dead"]) < 0.1
            and max(one["ae_mixture_far"] / one["ae_restored"], one["vae_mixture_far"] / one["vae_restored"]) < 1.3
            and one["vae_mixture_far"] < one["vae_normal_far"] < one["vae_prior_far"]
            and one["prior_alive_far"] > 0.06
            and one["vae_half_far"] < one["vae_prior_far"] < one["vae_double_far"]
            and one["vae_half_pairs"] < one["vae_prior_pairs"] < one["vae_double_pairs"]
            for one in runs
        ),
    ),
)
