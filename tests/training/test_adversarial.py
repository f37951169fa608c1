"""The loop of two players: one step by hand, what is recorded, averaging, stopping, and the ring of Gaussians."""

import copy
import math

import pytest
import torch

from course_utils.data import ring_of_gaussians
from course_utils.metrics import modes_covered
from course_utils.models.gan import Discriminator, Generator, RingDiscriminator, RingGenerator
from course_utils.models.gan import losses as gan_losses
from course_utils.training import NonFiniteLoss, adversarial
from course_utils.training.adversarial import GanSettings, train_gan
from course_utils.training.parts import follow


def pair(hidden: int = 16):
    torch.manual_seed(0)
    return RingGenerator(2, hidden=hidden), RingDiscriminator(hidden=hidden)


def points(n: int = 96, seed: int = 0):
    return list(ring_of_gaussians(n, generator=torch.Generator().manual_seed(seed))[0].split(32))


def by_hand(generator, discriminator, x, settings: GanSettings, number: int):
    """The same step in the plainest form, with optimizers that forget nothing (one step only)."""
    adam = {"betas": settings.betas}
    g = torch.optim.Adam(generator.parameters(), lr=settings.lr_generator, **adam)
    d = torch.optim.Adam(discriminator.parameters(), lr=settings.lr_discriminator, **adam)
    fake = generator(torch.randn(len(x), 2, dtype=x.dtype)).detach()
    loss, generator_loss = adversarial.LOSSES[settings.loss]
    total = loss(discriminator(x), discriminator(fake))
    if settings.gradient_penalty:
        total = total + settings.gradient_penalty * gan_losses.gradient_penalty(discriminator, x, fake)
    if settings.r1 and number % settings.r1_every == 0:
        total = total + settings.r1_every * settings.r1 / 2 * gan_losses.r1_penalty(discriminator, x)
    d.zero_grad()
    total.backward()
    d.step()
    g.zero_grad()
    generator_loss(discriminator(generator(torch.randn(len(x), 2, dtype=x.dtype)))).backward()
    g.step()


@pytest.mark.parametrize(
    "settings",
    [
        GanSettings(),
        GanSettings(loss="saturating", lr_generator=1e-2),
        GanSettings(loss="hinge", betas=(0.5, 0.9)),
        GanSettings(loss="wasserstein", gradient_penalty=10.0),
        GanSettings(r1=3.0, r1_every=4, lr_discriminator=1e-2),
    ],
    ids=lambda settings: settings.loss + ("_r1" if settings.r1 else ""),
)
def test_a_step_by_hand(settings):
    # In float64: Adam divides by the size of a gradient, so that rounding errors of one that is 0 would decide.
    ours, theirs = ([model.double() for model in pair()] for _ in range(2))
    x = [points(32)[0].double()]
    torch.manual_seed(7)
    train_gan(*ours, x, steps=1, settings=settings, progress=False)
    torch.manual_seed(7)
    by_hand(*theirs, x[0], settings, number=0)
    for own, other in zip(ours, theirs, strict=True):
        for name, weight in own.state_dict().items():
            torch.testing.assert_close(weight, other.state_dict()[name], rtol=1e-6, atol=1e-8)


def test_the_lazy_penalty_comes_at_every_so_manieth_step(monkeypatch):
    calls = []
    real = gan_losses.r1_penalty
    monkeypatch.setattr(gan_losses, "r1_penalty", lambda *a: calls.append(len(a[1])) or real(*a))
    history = train_gan(*pair(), points(), steps=9, settings=GanSettings(r1=1, r1_every=4), progress=False)
    assert calls == [32, 32, 32], "steps 0, 4 and 8"
    assert history.series("penalty")[0] > 0
    history = train_gan(*pair(), points(), steps=2, progress=False)
    assert "penalty" not in history.epochs[0]["train"]


def test_the_history():
    seen = []

    def look(model, record):
        assert not model.training
        seen.append((model, record["epoch"], torch.rand(3)))

    generator, discriminator = pair()
    average = copy.deepcopy(generator)
    history = train_gan(
        generator, discriminator, points(), steps=7, record_every=3, on_record=look, average=average, progress=False
    )
    assert [record["epoch"] for record in history.epochs] == [3, 6, 7]
    assert all(model is average for model, _, _ in seen)
    first = history.epochs[0]["train"]
    assert set(first) == {"discriminator", "generator", "real", "fake"}
    assert first["discriminator"] == pytest.approx(2 * math.log(2), abs=0.3)
    assert history.precision == "float32"
    assert not history.interrupted
    assert generator.training
    assert discriminator.training
    unwatched = pair()
    torch.manual_seed(3)
    train_gan(*unwatched, points(), steps=4, record_every=2, progress=False)
    watched = pair()
    torch.manual_seed(3)
    train_gan(*watched, points(), steps=4, record_every=1, on_record=look, progress=False)
    for a, b in zip(unwatched[0].parameters(), watched[0].parameters(), strict=True):
        assert torch.equal(a, b), "watching must not change the training"


def test_the_average_follows_the_generator():
    generator, discriminator = pair()
    average, start = copy.deepcopy(generator), copy.deepcopy(generator)
    train_gan(generator, discriminator, points(32), steps=1, settings=GanSettings(ema=0.9), average=average,
              progress=False)  # fmt: skip
    for mean, first, last in zip(average.parameters(), start.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.9 * first + 0.1 * last)
    model = Generator(3, image_shape=(1, 8, 8), hidden=8)
    average = copy.deepcopy(model)
    model(torch.randn(16, 3))
    follow(average, model, 0.5)
    torch.testing.assert_close(average.layers[2].running_var, model.layers[2].running_var)


def test_linear_decay_ends_at_zero(monkeypatch):
    rates = []
    real = adversarial._Trainer.learning_rates

    def learning_rates(self, done):
        real(self, done)
        rates.append(self.optimizers[1].param_groups[0]["lr"])

    monkeypatch.setattr(adversarial._Trainer, "learning_rates", learning_rates)
    train_gan(*pair(), points(), steps=8, settings=GanSettings(lr_discriminator=2.0, decay="linear"), progress=False)
    assert rates == pytest.approx([2, 2, 2, 2, 2, 1.5, 1, 0.5])


def test_several_steps_of_the_discriminator_use_several_batches():
    drawn = []

    class Counted:
        def __iter__(self):
            for x in points():
                drawn.append(len(x))
                yield x

    train_gan(*pair(), Counted(), steps=4, settings=GanSettings(discriminator_steps=2), progress=False)
    assert len(drawn) == 8


def test_a_stop_keeps_what_was_learned(capsys):
    generator, discriminator = pair()
    start = copy.deepcopy(generator)

    def stop(model, record):
        if record["epoch"] == 4:
            raise KeyboardInterrupt

    history = train_gan(
        generator, discriminator, points(), steps=9, record_every=2, on_record=stop, progress=False
    )  # fmt: skip
    assert history.interrupted
    assert [record["epoch"] for record in history.epochs] == [2]
    assert "Stopped at step 4 of 9" in capsys.readouterr().out
    assert not torch.equal(start.layers[0].weight, generator.layers[0].weight)
    assert generator.training


def test_nan_is_named_and_undone():
    generator, discriminator = pair()
    average = copy.deepcopy(generator)
    good, bad = points(64), torch.full((32, 2), torch.nan)
    with pytest.raises(NonFiniteLoss, match=r"'discriminator', 'generator', 'real' became .* in step 3") as error:
        train_gan(
            generator, discriminator, [*good, bad, *good], steps=50, record_every=2, average=average,
            settings=GanSettings(r1=1, r1_every=1), progress=False,
        )  # fmt: skip
    assert [record["epoch"] for record in error.value.history.epochs] == [2]
    for model in (generator, discriminator, average):
        assert all(p.isfinite().all() for p in model.parameters())


def test_the_time_limit():
    history = train_gan(*pair(), points(), steps=10**6, seconds=0.05, progress=False)
    assert 0 < history.epochs[-1]["epoch"] < 10**4


def test_calls_that_cannot_work():
    with pytest.raises(ValueError, match="steps is 0"):
        train_gan(*pair(), points(), steps=0)
    with pytest.raises(ValueError, match="there are no batches"):
        train_gan(*pair(), [], steps=3, progress=False)


def test_images_in_bfloat16():
    torch.manual_seed(0)
    generator = Generator(5, image_shape=(3, 8, 12), hidden=8)
    discriminator = Discriminator(image_shape=(3, 8, 12), hidden=8, spectral=True)
    history = train_gan(
        generator, discriminator, [torch.rand(6, 3, 8, 12)], steps=4, precision="bfloat16",
        settings=GanSettings(r1=1.0, gradient_penalty=1.0, r1_every=2), progress=False,
    )  # fmt: skip
    assert history.precision == "bfloat16"
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in generator.parameters())


def test_momentum_loses_the_modes_of_the_ring_and_its_absence_finds_them():
    angle = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([angle.cos(), angle.sin()], dim=1)
    found = {}
    for betas in ((0.9, 0.99), (0.0, 0.99)):
        torch.manual_seed(1)
        generator, discriminator = RingGenerator(), RingDiscriminator()
        batches = ring_of_gaussians(12_800)[0].split(128)
        train_gan(generator, discriminator, batches, steps=500, settings=GanSettings(betas=betas), progress=False)
        with torch.no_grad():
            found[betas] = modes_covered(generator(torch.randn(1000, 2)), centres, 0.05, at_least=10)
    assert found[0.9, 0.99].modes <= 3
    assert found[0.0, 0.99].modes >= 6
    assert found[0.0, 0.99].quality > 0.2 > found[0.9, 0.99].quality
