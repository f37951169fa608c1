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


def quality(model, z, codes_train, codes_test, restored_distance):
    """The share of dead draws, and their distance to clothes over that of restored test images."""
    limit = nearest_neighbors(codes_test, codes_train, k=1)[1].quantile(0.99)
    dead = (nearest_neighbors(z, codes_train, k=1)[1] > limit).float().mean()
    return dead, to_clothes(decode_dataset(model, z[:250])) / restored_distance


def to_clothes(images):
    """Distance (1 - cosine) of images to the nearest training image, on average."""
    return nearest_neighbors(images, fashion_mnist("train").pixels(), k=1, metric="cosine")[1].mean()


def fitted_density(*, seed, epochs, latent_dim):
    """Draws from densities fitted to the codes of a plain autoencoder, beside the VAE's prior in the same setting."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    numbers = {}
    for model in (Autoencoder(latent_dim, hidden=256), VAE(latent_dim, hidden=256)):
        trained(model, epochs)
        codes, others = clouds(model, train), clouds(model, test)
        restored = to_clothes(decode_dataset(model, encode_dataset(model, test)[:250]))
        if isinstance(model, VAE):
            draws = {"prior": torch.randn(DRAWS, latent_dim)}
        else:
            draws = {"axes": codes.mean(dim=0) + codes.std(dim=0) * torch.randn(DRAWS, latent_dim)}
            full = torch.distributions.MultivariateNormal(codes.mean(dim=0), torch.cov(codes.T))
            draws["gaussian"] = full.sample((DRAWS,))
            mixture = GaussianMixture(20, random_state=seed).fit(codes.double().numpy())
            some = torch.from_numpy(mixture.sample(DRAWS)[0]).float()
            draws["mixture"] = some[torch.randperm(DRAWS)]  # they come in the order of the components
        for name, z in draws.items():
            numbers[f"{name}_dead"], numbers[f"{name}_ratio"] = quality(model, z, codes, others, restored)
    return numbers


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
    numbers["inside"] = (centres.norm(dim=1) < math.sqrt(2 * math.log(2))).float().mean()
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
        "far fewer than half of the centres lie where half of the prior lies; and bright images have narrower clouds, "
        "also at a fixed size, while size at a fixed brightness has no such effect.",
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
            "strays": "draws nearer to another centre",
            "inside": "centres in the inner half of the prior",
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
        "fitted-density",
        "A plain autoencoder draws well once a mixture of 20 Gaussians is fitted to its codes: fewer of its draws are "
        "dead, and they are closer to clothes, than with one Gaussian, and than draws from the prior of a VAE trained "
        "as long.",
        run=fitted_density,
        settings=grid(latent_dim=(16,), epochs=(6, 24), seed=range(3)),
        labels={
            "axes_dead": "AE, Gaussian along the axes: dead",
            "gaussian_dead": "AE, full Gaussian: dead",
            "mixture_dead": "AE, mixture: dead",
            "prior_dead": "VAE, prior: dead",
            "axes_ratio": "AE, along the axes: ratio",
            "gaussian_ratio": "AE, full: ratio",
            "mixture_ratio": "AE, mixture: ratio",
            "prior_ratio": "VAE, prior: ratio",
        },
        holds=lambda runs: all(
            one["mixture_dead"] < min(one["gaussian_dead"], one["prior_dead"])
            and one["mixture_ratio"] < min(one["gaussian_ratio"], one["prior_ratio"])
            for one in runs
        ),
    ),
)
