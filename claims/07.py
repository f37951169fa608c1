"""The headline claims of lesson 07, training a VAE well, under stress: `course claims 07`."""

import torch
from torch import nn

from course_utils.claims import Claim, grid
from course_utils.data import fashion_mnist
from course_utils.gaussian import kl_standard_normal
from course_utils.losses import elbo
from course_utils.metrics import active_units
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
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
)
