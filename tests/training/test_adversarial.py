"""The loop of two players: one step by hand, what is recorded, averaging, stopping, and the ring of Gaussians."""

import copy
import math
import sys

import pytest
import torch

from course_utils.data import ImageSet, ring_of_gaussians
from course_utils.metrics import modes_covered
from course_utils.models.gan import Discriminator, Generator, RingDiscriminator, RingGenerator
from course_utils.models.gan import losses as gan_losses
from course_utils.training import History, NonFiniteLoss, Stretches, adversarial, fit, loop
from course_utils.training.adversarial import Game, GanSettings, train_gan
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
    rates, real = [], torch.optim.Adam.step

    def step(self, *arguments):
        rates.append(self.param_groups[0]["lr"])
        return real(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    train_gan(*pair(), points(), steps=8, settings=GanSettings(lr_discriminator=2.0, decay="linear"), progress=False)
    assert rates[::2] == pytest.approx([2, 2, 2, 2, 2, 1.5, 1, 0.5])
    assert rates[1::2] == pytest.approx([1e-3 * rate / 2 for rate in rates[::2]])


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


def test_a_dataloader_with_labels_or_names_gives_the_same_as_the_images_alone():
    x = torch.cat(points())
    labelled = torch.utils.data.TensorDataset(x, torch.arange(len(x)))
    ways = [
        x.split(32),
        torch.utils.data.DataLoader(labelled, batch_size=32, generator=torch.Generator()),  # leaves the global one
        [{"x": part, "label": torch.zeros(len(part))} for part in x.split(32)],
    ]
    players = []
    for batches in ways:
        players.append(pair())
        torch.manual_seed(1)
        train_gan(*players[-1], batches, steps=5, progress=False)
    for others in players[1:]:
        assert all(same(a, b) for a, b in zip(players[0], others, strict=True))


def images(n: int = 20):
    return torch.rand(n, 3, 8, 12, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ((images() * 255).byte(), TypeError, "images are torch.uint8 but must be floats in .0, 1.: divide by 255"),
        (images() * 255, ValueError, "images reach from .* but must lie in .0, 1."),
        (images() * 2 - 1, ValueError, "images reach from -"),
        (images().double(), TypeError, "images are torch.float64 but this model computes in torch.float32"),
        (images()[..., :8], ValueError, "images have shape"),
        (["a", "b"], TypeError, "a batch is a list without a tensor in it"),
    ],
)
def test_what_are_no_images_is_refused(batch, error, message):
    players = Generator(5, image_shape=(3, 8, 12), hidden=8), Discriminator(image_shape=(3, 8, 12), hidden=8)
    before = copy.deepcopy(players)
    with pytest.raises(error, match=message):
        train_gan(*players, [batch], steps=2, progress=False)
    assert all(same(a, b) for a, b in zip(players, before, strict=True))


def test_bytes_are_no_points():
    with pytest.raises(TypeError, match="the batches are torch.uint8 but the generator makes torch.float32"):
        train_gan(*pair(), [torch.zeros(4, 2, dtype=torch.uint8)], steps=2, progress=False)


def same(first, second) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ------------------------------------------------------------------------------ stopping and going on


class Match:
    """A training of two small players with everything on: R1, spectral normalisation, decay, an average."""

    def __init__(self, loader: str = "own generator", **settings):
        torch.manual_seed(0)
        self.generator = Generator(5, image_shape=(3, 8, 12), hidden=4)
        self.discriminator = Discriminator(image_shape=(3, 8, 12), hidden=4, spectral=True)
        self.average = copy.deepcopy(self.generator)
        self.models = self.generator, self.discriminator, self.average
        self.settings = GanSettings(**{"r1": 1.0, "r1_every": 3, "decay": "linear", "ema": 0.8, **settings})
        own = torch.Generator().manual_seed(2) if loader == "own generator" else None
        image_set = ImageSet((images(22) * 255).byte(), torch.zeros(22, dtype=torch.long), ("a",))
        self.batches = image_set.batches(4, shuffle=True, generator=own)
        if loader == "list":
            self.batches = [*self.batches]

    def train(self, *, seed: int | None = 3, **options):
        if seed is not None:
            torch.manual_seed(seed)
        options = {"steps": 13, "record_every": 4, "average": self.average, "settings": self.settings, **options}
        return train_gan(self.generator, self.discriminator, self.batches, progress=False, **options)

    def equals(self, other) -> bool:
        return all(same(a, b) for a, b in zip(self.models, other.models, strict=True))


@pytest.mark.parametrize("loader", ["own generator", "global generator", "list"])
@pytest.mark.parametrize("settings", [{}, {"gradient_penalty": 1.0, "discriminator_steps": 2}], ids=["R1", "both"])
def test_a_stopped_game_goes_on_bit_for_bit(loader, settings, tmp_path):
    """Records at steps 4, 8, 12 and 13; a pass has 6 batches, so each of them lies in the middle of one."""
    straight, stopped = Match(loader, **settings), Match(loader, **settings)
    expected = straight.train()

    def stop(model, record):
        if record["epoch"] == 8:
            raise KeyboardInterrupt

    history = stopped.train(on_record=stop)
    assert history.interrupted
    assert not stopped.equals(straight)
    again = Match(loader, **settings)
    torch.rand(7)
    history = again.train(seed=None, resume=History.load(history.save(tmp_path / "game.pt")))
    assert again.equals(straight)
    assert not history.interrupted
    assert [record["train"] for record in history.epochs] == [record["train"] for record in expected.epochs]
    assert [record["epoch"] for record in history.epochs] == [4, 8, 12, 13]


def test_a_time_limit_can_be_followed_by_more(monkeypatch):
    """The clock strikes in step 6: an entry there, and then at 8, as if nothing had been."""
    straight, stopped, clock = Match(), Match(), [0]
    straight.train()

    def process_time():
        clock[0] += 1
        return clock[0]

    with monkeypatch.context() as patched:
        patched.setattr(loop.time, "process_time", process_time)
        history = stopped.train(seconds=6.5)
    first = [record["epoch"] for record in history.epochs]
    assert first[-1] not in (4, 8, 12, 13)
    history = stopped.train(seed=None, resume=history)
    assert [record["epoch"] for record in history.epochs] == sorted({*first, 4, 8, 12, 13})
    assert stopped.equals(straight)


CODE = {
    function.__code__
    for function in (
        Game.__call__, Game._discriminator_step, Game._generator_step, Game._real, Game._codes, Game.state_dict,
        follow.__wrapped__, gan_losses.r1_penalty, gan_losses.generator_loss, loop._one_pass, Stretches.__iter__,
    )
}  # fmt: skip


def test_a_stop_at_any_place_leaves_two_models_that_can_be_trained(capsys):
    """Ctrl-C before 20 of the lines that a game runs."""
    straight, count, stop = Match(), 0, 0

    def line(frame, event, _):
        nonlocal count
        if event == "line":
            count += 1
            if count == stop:
                raise KeyboardInterrupt
        return line

    def traced(match):
        nonlocal count
        count, before = 0, sys.gettrace()
        sys.settrace(lambda frame, event, _: line if frame.f_code in CODE else None)
        try:
            return match.train(steps=4, record_every=2)
        finally:
            sys.settrace(before)

    expected = traced(straight)
    lines = count
    assert lines > 120
    for stop in range(lines // 20, lines, lines // 20):
        stopped = Match()
        stopped.discriminator.layers[3].eval()
        modes = [module.training for model in stopped.models for module in model.modules()]
        history = traced(stopped)
        assert history.interrupted
        assert [module.training for model in stopped.models for module in model.modules()] == modes
        assert all(weight.requires_grad for model in stopped.models for weight in model.parameters())
        assert torch.is_grad_enabled()
        stop = 0
        history = stopped.train(steps=4, record_every=2, resume=history)
        assert stopped.equals(straight)
        assert history.series("generator") == expected.series("generator")


def test_what_was_frozen_stays_frozen():
    match = Match()
    frozen = match.generator.layers[0].weight, match.discriminator.layers[-1].bias
    before = [weight.requires_grad_(False).clone() for weight in frozen]
    match.train()
    assert not any(weight.requires_grad for weight in frozen)
    assert all(torch.equal(a, b) for a, b in zip(frozen, before, strict=True))
    assert not same(match.generator, Match().generator)


def test_the_state_is_put_back_with_its_optimizers_when_a_loss_is_not_finite():
    """The batch is poisoned once, in step 6; resuming from the history gives what would have come without it."""
    straight, hurt = Match(), Match()
    straight.train()
    real, calls = hurt.batches, []

    class Poisoned:
        generator = real.generator

        def __iter__(self):
            for x in real:
                calls.append(len(x))
                yield x * (torch.nan if len(calls) == 6 else 1)

    hurt.batches = Poisoned()
    with pytest.raises(NonFiniteLoss, match="in step 6. The models were put back to the last entry") as error:
        hurt.train()
    assert hurt.generator.training
    hurt.train(seed=None, resume=error.value.history)
    assert hurt.equals(straight)


def test_a_game_is_saved_on_the_way(tmp_path):
    file, straight = tmp_path / "game.pt", Match()
    straight.train()
    with pytest.raises(ZeroDivisionError):
        Match().train(save_to=file, on_record=lambda _, record: 1 / (record["epoch"] - 12))
    match = Match()
    match.train(seed=None, resume=History.load(file))
    assert match.equals(straight)
    with pytest.raises(OSError, match="cannot be written"):
        Match().train(save_to=tmp_path)


class TestResumingWhatDoesNotFit:
    def refused(self, message, match, **options):
        before = copy.deepcopy(match.models)
        with pytest.raises(ValueError, match=message):
            match.train(**options)
        assert all(same(a, b) for a, b in zip(before, match.models, strict=True))

    def test_no_more_steps(self):
        self.refused("steps is 13, but 13 are done", Match(), resume=Match().train())

    def test_other_players(self):
        history = Match().train(steps=4)
        self.refused("had an average, but this training has none", Match(), resume=history, average=None)
        match = Match()
        match.discriminator = Discriminator(image_shape=(3, 8, 12), hidden=4)
        match.models = match.generator, match.discriminator, match.average
        self.refused("is of other players than these", match, resume=history)

    def test_a_history_of_fit(self):
        model = torch.nn.Linear(2, 2)
        loss = lambda model, x: {"loss": model(x).mean()}  # noqa: E731
        stretches = Stretches([torch.rand(3, 2)], [2])
        history = fit(model, stretches, epochs=1, loss=loss, progress=False)
        self.refused("was not made by train_gan", Match("list"), resume=history)


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


def test_points_that_the_generator_cannot_make():
    with pytest.raises(ValueError, match=r"batches have shape \(32, 3\) but the generator makes \(32, 2\)"):
        train_gan(RingGenerator(2), RingDiscriminator(), [torch.zeros(32, 3)], steps=1, progress=False)
