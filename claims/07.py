"""The headline claims of lesson 07, training a VAE well, under stress: `course claims 07`."""

import math

import torch
from torch import nn

from course_utils import gaussian
from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.gaussian import kl_standard_normal
from course_utils.losses import elbo
from course_utils.metrics import active_units
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.recipes.sick_runs import loss_of_b
from course_utils.training import fit

SHORT, LONG = 6, 24  # epochs: the lesson's budget, and four times as many


def small_vae(layers, **options):
    """The lesson's VAE with 16 latent dimensions and a decoder of some hidden layers of 64 tanh units."""
    vae = VAE(16, hidden=128, **options)
    parts = [nn.Linear(16, 64), nn.Tanh()]
    for _ in range(layers - 1):
        parts += [nn.Linear(64, 64), nn.Tanh()]
    vae.decoder = nn.Sequential(*parts, nn.Linear(64, 784), nn.Unflatten(1, (1, 28, 28)))
    return vae


CURES = {
    "none": lambda: small_vae(5),
    "annealing-400": lambda: small_vae(5, beta=Annealing("linear", steps=400)),
    "free-0.5": lambda: small_vae(5, free_bits=0.5),
    "layers-1": lambda: small_vae(1),
}


def measured(vae):
    """The negative ELBO of the test images, their KL, both in nats, and the number of active units."""
    x = fashion_mnist("test").pixels()
    with torch.no_grad():
        mu, logvar = vae.posterior(x)
        loss = -torch.stack([elbo(vae, x).mean() for _ in range(3)]).mean()
        return loss, kl_standard_normal(mu, logvar).mean(), active_units(mu).sum()


def plateau(*, seed, cure, images=11_000, batch=128):
    """The lesson's deep decoder with and without a cure, after 6 and after 24 epochs of 86 steps."""
    vae, numbers = CURES[cure](), {}
    generator = torch.Generator().manual_seed(seed)
    batches = fashion_mnist("train")[:images].batches(batch, shuffle=True, generator=generator)

    def look(vae, record):
        if record["epoch"] in (SHORT, LONG):
            names = (f"{name}_{record['epoch']}" for name in ("loss", "kl", "units"))
            numbers.update(zip(names, measured(vae), strict=True))

    history = fit(vae, batches, epochs=LONG, lr=3e-3, on_epoch=look, progress=False)
    return {"silent": sum(kl < 1 for kl in history.series("kl"))} | numbers


TESTS = {
    "none": lambda price: small_vae(5, beta=price),
    "annealing-400": lambda price: small_vae(5, beta=Annealing("linear", steps=400, end=price)),
    "free-0.5": lambda price: small_vae(5, beta=price, free_bits=0.5),
}


def average_picture():
    """Nats that a test image costs a model which answers with the average training picture: (), D_0."""
    x, mean = fashion_mnist("test").pixels(), fashion_mnist("train").pixels().mean(dim=0)
    return -(x * mean.clamp(min=1e-6).log() + (1 - x) * (1 - mean).log()).flatten(1).sum(dim=1).mean()


def price(*, seed, cure, price):
    """The deep decoder at a higher price of a nat: its KL, and the nats of distortion that a nat of KL saves."""
    vae, numbers, silent = TESTS[cure](float(price)), {}, average_picture()
    batches = fashion_mnist("train").batches(128, shuffle=True, generator=torch.Generator().manual_seed(seed))

    def look(vae, record):
        if record["epoch"] in (SHORT, LONG):
            loss, kl, _ = measured(vae)
            better = silent - (loss - kl) - price * kl  # nats below D_0, by this price
            numbers.update({f"kl_{record['epoch']}": kl, f"better_{record['epoch']}": better})
            numbers[f"saved_{record['epoch']}"] = (silent - loss + kl) / kl if kl > 0.1 else 0.0

    history = fit(vae, batches, epochs=LONG, lr=3e-3, on_epoch=look, progress=False)
    return {"first": history.series("kl")[0]} | numbers


def trained(epochs, *, seed, latent_dim, beta=1.0):
    """A small VAE on all the bundled images, at a budget and at four times as much: yields (epochs, vae)."""
    vae, history = VAE(latent_dim, hidden=256, beta=beta), None
    batches = fashion_mnist("train").batches(128, shuffle=True, generator=torch.Generator().manual_seed(seed))
    for budget in (epochs, 4 * epochs):
        history = fit(vae, batches, epochs=budget, resume=history, progress=False)
        yield budget, vae


def with_dims(vae, mu, logvar, x, dims, fill):
    """The distortion of images in nats, (), when some dimensions of their codes are replaced by fill(shape)."""
    z = gaussian.reparameterize(mu, logvar)
    z[:, dims] = fill(len(x), len(dims))
    return vae.negative_log_likelihood(x, z).mean()


def quiet(*, seed, beta, epochs=SHORT):
    """Noise in the five quietest dimensions of a code of 16, and in the five busiest, after 6 and 24 epochs."""
    x, numbers = fashion_mnist("test").pixels(), {"silent": average_picture()}
    for budget, vae in trained(epochs, seed=seed, latent_dim=16, beta=beta):
        with torch.no_grad():
            mu, logvar = vae.posterior(x)
            kl, moved = gaussian.kl_per_dimension(mu, logvar).mean(dim=0), mu.var(dim=0)
            order = kl.argsort().tolist()
            intact = with_dims(vae, mu, logvar, x, [], torch.randn)
            found = {
                "below": (kl < 0.1).sum(),
                "least": kl.min(),
                "above_thousandth": (moved > 0.001).sum(),
                "above": (moved > 0.01).sum(),
                "above_tenth": (moved > 0.1).sum(),
                "intact": intact,
                "quiet": with_dims(vae, mu, logvar, x, order[:5], torch.randn) - intact,
                "busy": with_dims(vae, mu, logvar, x, order[-5:], torch.randn) - intact,
                "busy_zero": with_dims(vae, mu, logvar, x, order[-5:], torch.zeros) - intact,
            }
        numbers |= {f"{name}_{budget}": value for name, value in found.items()}
    return numbers


def holes(*, seed, latent_dim, epochs=SHORT, clouds=11_000):
    """Which share of the prior's draws lands in holes of the aggregate posterior, after 6 and 24 epochs.

    The rival: only the mean and the covariance of the aggregate are wrong. So the share is counted for draws from the
    Gaussian that has them, too.
    """
    x, x_test, numbers = fashion_mnist("train").pixels()[:clouds], fashion_mnist("test").pixels(), {}
    prior = (torch.zeros(latent_dim), torch.zeros(latent_dim))
    for budget, vae in trained(epochs, seed=seed, latent_dim=latent_dim):
        with torch.no_grad():
            mu, logvar = vae.posterior(x)
            level = gaussian.log_prob_aggregate(gaussian.reparameterize(*vae.posterior(x_test)), mu, logvar).quantile(
                0.01
            )
        covariance = torch.cov(mu.T) + logvar.exp().mean(dim=0).diag()
        fitted = torch.distributions.MultivariateNormal(mu.mean(dim=0), covariance)
        draws = {"holes": torch.randn(2000, latent_dim), "fitted": fitted.sample((2000,))}
        found = {
            name: (gaussian.log_prob_aggregate(z, mu, logvar) < level).double().mean() for name, z in draws.items()
        }
        if latent_dim == 2:  # with many dimensions a draw from q is nearest to its own cloud, and this overestimates
            pick = torch.randint(len(mu), (5000,))
            z = gaussian.reparameterize(mu[pick], logvar[pick])
            found["rate"] = kl_standard_normal(mu, logvar).mean()
            found["misfit"] = (
                gaussian.log_prob_aggregate(z, mu, logvar) - gaussian.log_prob_gaussian(z, *prior)
            ).mean()
            found["information"] = found["rate"] - found["misfit"]
            found["cost"] = -math.log(1 - found["holes"])
        numbers |= {f"{name}_{budget}": value for name, value in found.items()}
    return numbers


SICK = {"healthy": {}, "A": {"lr": 5e-2}, "A, clipped": {"lr": 5e-2, "clip": 1.0}, "B": {"loss": loss_of_b}, "C": {}}


def sick(*, seed, run, epochs=14):
    """One of the lesson's four runs, with its three signs after 14 and after 56 epochs; A also with clipped gradients.

    "best" is the lowest validation loss of any epoch, where early stopping would have ended.
    """
    images, numbers = fashion_mnist("train")[:1500], {}
    if run == "C":
        images = images[torch.arange(40).repeat(38)]
    validation = fashion_mnist("test")[:500].batches(500)
    vae, batches = VAE(16, hidden=256), images.batches(50, shuffle=True)
    history = fit(vae, batches, epochs=4 * epochs, validation=validation, progress=False, **SICK[run])
    for budget in (epochs, 4 * epochs):
        terms = (
            [history.series(term, split)[:budget] for term in ("recon", "kl")] for split in ("train", "validation")
        )
        (training, validated) = ([sum(pair) for pair in zip(*split, strict=True)] for split in terms)
        numbers |= {
            f"gap_{budget}": validated[-1] - training[-1],
            f"rises_{budget}": sum(max(b - a, 0.0) for a, b in zip(validated, validated[1:], strict=False)),
            f"kl_{budget}": history.series("kl", "validation")[budget - 1],
            f"end_{budget}": validated[-1],
            f"best_{budget}": min(validated),
        }
    return numbers


NAMES = {"healthy": "healthy", "A": "large steps", "B": "silent", "C": "overfitting"}


def sign(one, epochs):
    """The lesson's diagnosis of a stored run, in a word."""
    if one[f"kl_{epochs}"] < 0.5:
        return "silent"
    if one[f"gap_{epochs}"] > 20:
        return "overfitting"
    return "large steps" if one[f"rises_{epochs}"] > 20 else "healthy"


def optimizers(*, seed, optimizer, lr, epochs=3):
    """Validation -ELBO of the lesson's model by an optimizer at a learning rate, after 3 and after 12 epochs."""
    generator = torch.Generator().manual_seed(seed)
    batches = fashion_mnist("train")[:2000].batches(64, shuffle=True, generator=generator)
    vae = VAE(8, hidden=64)
    method = getattr(torch.optim, optimizer)(vae.parameters(), lr=lr)
    validation = fashion_mnist("test")[:500].batches(500)
    history = fit(vae, batches, epochs=4 * epochs, optimizer=method, validation=validation, progress=False)
    losses = history.series("loss", "validation")
    return {"loss_3": losses[epochs - 1], "loss_12": losses[-1]}


def at_best(runs, optimizer, epochs):
    """The range over seeds at the learning rate with the lowest mean, and that rate."""
    rates = sorted({one["lr"] for one in runs if one["optimizer"] == optimizer})
    some = {lr: runs.over(f"loss_{epochs}", optimizer=optimizer, lr=lr) for lr in rates}
    lr = min(rates, key=lambda lr: sum(some[lr].values))
    return some[lr], lr


PLATEAU = {
    "silent": "epochs of 24 with a KL below 1 nat",
    "kl_24": "KL after 24",
    "loss_6": "test -ELBO after 6",
    "loss_24": "test -ELBO after 24",
}

CLAIMS = (
    Claim(
        "plateau",
        "Without a cure the deep decoder's code is silent for ten epochs or more, in one run for all 24. With a cure "
        "it is silent for two at most. After 24 epochs the shallow decoder is the best, by more than five nats.",
        run=plateau,
        settings=grid(cure=("none", "annealing-400", "free-0.5", "layers-1"), seed=range(3)),
        labels=PLATEAU,
        holds=lambda runs: (
            runs.over("silent", cure="none").low >= 10
            and runs.over("silent", cure="none").high == LONG
            and max(one["silent"] for one in runs if one["cure"] != "none") <= 2
            and runs.over("loss_24", cure="layers-1").high + 5
            < min(one["loss_24"] for one in runs if one["cure"] != "layers-1")
        ),
    ),
    Claim(
        "price",
        "At a price of 100 no run of the deep decoder is better than silence after 24 epochs, with a cure or without. "
        "At a price of 10, of three runs with annealing, two are silent and one is better than silence by more than "
        "fifty nats.",
        run=price,
        settings=(
            *grid(price=(100,), cure=("annealing-400", "free-0.5", "none"), seed=range(3)),
            *grid(price=(10,), cure=("annealing-400",), seed=range(3)),
        ),
        labels={"better_24": "nats better than silence after 24 epochs"},
        holds=lambda runs: (
            max(one[f"better_{epochs}"] for one in runs if one["price"] == 100 for epochs in (SHORT, LONG)) < 0
            and runs.over("first", price=100, cure="annealing-400").low > 0.3
            and runs.over("first", price=100, cure="none").high < 0.05
            and max(runs.over(f"kl_{epochs}", price=100, cure="annealing-400").high for epochs in (SHORT, LONG)) < 0.01
            and runs.over("kl_6", price=10).high < 0.01
            and sum(value > 50 for value in runs.over("better_24", price=10).values) == 1
            and sum(value < 0 for value in runs.over("better_24", price=10).values) == 2
        ),
    ),
    Claim(
        "quiet",
        "At beta = 10, after 24 epochs, noise in the five quietest dimensions costs less than a nat, and in the "
        "five busiest so much that an average picture would be better. Zeros in the five busiest cost less than "
        "noise. After 6 epochs more units are active than after 24.",
        run=quiet,
        settings=grid(beta=(10.0,), seed=range(3)),
        labels={
            "above_6": "units with a variance above 0.01, after 6 epochs",
            "above_thousandth_24": "units above 0.001, after 24",
            "above_24": "units above 0.01, after 24",
            "above_tenth_24": "units above 0.1, after 24",
            "quiet_6": "nats that noise in the five quietest costs, after 6",
            "quiet_24": "noise in the five quietest, after 24",
            "busy_24": "noise in the five busiest, after 24",
            "busy_zero_24": "zeros in the five busiest, after 24",
        },
        holds=lambda runs: all(
            one["quiet_24"] < 1
            and one["busy_24"] > 200
            and one["intact_24"] + one["busy_24"] > one["silent"]
            and one["busy_zero_24"] < one["busy_24"]
            and one["above_6"] > one["above_24"]
            for one in runs
        ),
    ),
    Claim(
        "holes",
        "Of the prior's draws more than a tenth land in holes of q(z), after 6 epochs and after 24, with each seed. Of "
        "the draws from a Gaussian with the mean and the covariance of q(z) it is more. Leaving out such a share of "
        "the prior would cost less than a third of the misfit of q(z).",
        run=holes,
        settings=grid(latent_dim=(2,), seed=range(3)),
        labels={
            "holes_6": "share of the prior's draws in holes, after 6 epochs",
            "fitted_6": "share of the fitted Gaussian's draws, after 6",
            "holes_24": "prior, after 24",
            "fitted_24": "fitted, after 24",
            "rate_24": "rate in nats, after 24",
            "misfit_24": "misfit in nats, after 24",
            "cost_24": "nats that leaving out the holes would cost",
        },
        holds=lambda runs: all(
            0.1 < one[f"holes_{epochs}"] < one[f"fitted_{epochs}"]
            and one[f"cost_{epochs}"] < one[f"misfit_{epochs}"] / 3
            and one[f"information_{epochs}"] > 0.75 * one[f"rate_{epochs}"]
            for one in runs
            for epochs in (SHORT, LONG)
        ),
    ),
    Claim(
        "sick",
        "The three signs of section 5 tell the healthy run and the runs A, B and C apart with each seed, after 14 "
        "epochs and after 56. Clipping lowers the last loss of run A after 56 epochs; a smaller learning rate lowers "
        "it further.",
        run=sick,
        settings=grid(run=tuple(SICK), seed=range(3)),
        labels={
            "gap_14": "gap in nats after 14 epochs",
            "rises_14": "rises after 14",
            "kl_14": "KL after 14",
            "gap_56": "gap after 56",
            "rises_56": "rises after 56",
            "kl_56": "KL after 56",
            "end_56": "last validation loss after 56",
            "best_56": "lowest validation loss of 56",
        },
        holds=lambda runs: (
            all(
                sign(one, epochs) == NAMES[one["run"]]
                for one in runs
                if one["run"] != "A, clipped"
                for epochs in (14, 56)
            )
            and runs.over("end_56", run="A").low > runs.over("end_56", run="A, clipped").high
            and runs.over("end_56", run="A, clipped").low > runs.over("end_56", run="healthy").high + 20
            and runs.over("best_56", run="C").low > runs.over("end_14", run="healthy").high + 20
        ),
    ),
    Claim(
        "optimizers",
        "After 3 epochs RMSprop is better than Adam at a learning rate of 0.001, and Adam at 0.01, with each seed. "
        "Each at the best of four rates, Adam is better with each seed, after 3 epochs and after 12.",
        run=optimizers,
        settings=(
            *grid(optimizer=("Adam",), lr=(1e-3, 3e-3, 1e-2, 3e-2), seed=range(3)),
            *grid(optimizer=("RMSprop",), lr=(3e-4, 1e-3, 3e-3, 1e-2), seed=range(3)),
        ),
        labels={"loss_3": "validation -ELBO after 3 epochs", "loss_12": "after 12"},
        holds=lambda runs: (
            runs.over("loss_3", optimizer="RMSprop", lr=1e-3).high < runs.over("loss_3", optimizer="Adam", lr=1e-3).low
            and runs.over("loss_3", optimizer="Adam", lr=1e-2).high
            < runs.over("loss_3", optimizer="RMSprop", lr=1e-2).low
            and all(
                at_best(runs, "Adam", epochs)[0].high < at_best(runs, "RMSprop", epochs)[0].low
                and at_best(runs, "Adam", epochs)[1] == 1e-2
                and at_best(runs, "RMSprop", epochs)[1] == 3e-3
                for epochs in (3, 12)
            )
        ),
    ),
)
