"""The training loop: against a loop written out here, exact continuation, clean stops, errors by name."""

import copy
import errno
import math
import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from helpers import generator

from course_utils.data import ImageSet
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.gan import RingDiscriminator, RingGenerator
from course_utils.models.pca import PCA
from course_utils.models.vae import VAE
from course_utils.training import (
    History,
    NonFiniteLoss,
    RandomBatches,
    Stretches,
    fit,
    loop,
    measure_speed,
    train_gan,
)
from course_utils.training import history as history_module
from course_utils.training.parts import clear_subnormal_moments, follow, learning_rate

SHAPE = (1, 4, 8)
MODELS = {
    "mlp vae": lambda: VAE(2, image_shape=SHAPE, hidden=6),
    "conv vae": lambda: VAE(2, image_shape=SHAPE, hidden=4, architecture="conv"),
    "mlp": lambda: Autoencoder(2, image_shape=SHAPE, hidden=6),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks as small as these only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(name: str = "mlp"):
    torch.manual_seed(0)
    return MODELS[name]()


def data(n: int = 22) -> ImageSet:
    images = torch.randint(0, 256, (n, *SHAPE), generator=generator(9), dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % 3, ("a", "b", "c"))


def batches(seed: int | None = 5, **options):
    own = None if seed is None else generator(seed)
    return data().batches(4, shuffle=True, generator=own, **options)


def quiet(model, loader, **options) -> History:
    return fit(model, loader, **{"epochs": 3, "progress": False, **options})


def same(first, second) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# -------------------------------------------------------------------------------- what it computes


def test_equals_a_loop_written_out():
    model, plain = make(), make()
    history = quiet(model, batches(), epochs=2, lr=0.01)
    optimizer, loader, means = torch.optim.Adam(plain.parameters(), lr=0.01), batches(), []
    for _ in range(2):
        total = 0.0
        for x in loader:
            optimizer.zero_grad()
            loss = (plain(x) - x).square().flatten(1).sum(1).mean()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        means.append(total / 22)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value)
    assert history.series() == pytest.approx(means, rel=1e-5)


def test_terms_are_means_over_examples_also_with_a_smaller_last_batch():
    """22 images in batches of 4: the last batch has 2, and a mean over batches would count them double."""
    seen = []

    def loss(model, x):
        seen.append(x.mean((1, 2, 3)))
        return {"loss": model(x).sum() * 0, "brightness": x.mean()}

    history = quiet(make(), batches(), epochs=1, loss=loss)
    assert history.series("brightness")[0] == pytest.approx(torch.cat(seen).mean().item(), rel=1e-5)
    assert history.series("brightness")[0] == pytest.approx(data().pixels().mean().item(), rel=1e-5)


def test_named_terms_and_labels_reach_the_history():
    def loss(model, x, y):
        return {"loss": (model(x) - x).square().mean(), "label": y.float().mean()}

    history = quiet(make(), batches(with_labels=True), loss=loss, validation=batches(with_labels=True))
    assert history.series("label") == pytest.approx([data().labels.float().mean().item()] * 3)
    assert history.series("label", "validation") == pytest.approx(history.series("label"))
    assert [e["epoch"] for e in history.epochs] == [1, 2, 3]
    assert all(e["seconds"] > 0 for e in history.epochs)
    assert not history.interrupted


def test_validation_measures_the_model_as_it_is_after_each_epoch_and_trains_nothing():
    model, held_out, expected = make(), data()[:7], []

    def remember(model, record):
        x = held_out.pixels()
        expected.append((model(x) - x).square().flatten(1).sum(1).mean().item())
        assert record["validation"]["loss"] == pytest.approx(expected[-1], rel=1e-5)
        assert not model.training

    history = quiet(model, batches(), validation=held_out.batches(3), on_epoch=remember)
    assert history.series(split="validation") == pytest.approx(expected, rel=1e-5)
    alone = make()
    quiet(alone, batches())
    assert same(model, alone)


@pytest.mark.parametrize("seed", [5, None], ids=["own generator", "global generator"])
def test_watching_does_not_change_the_training(seed):
    """Validation and on_epoch may draw random numbers: a VAE does, and so does any callback that samples."""
    plain, watched = make("mlp vae"), make("mlp vae")
    torch.manual_seed(3)
    first = quiet(plain, batches(seed))
    torch.manual_seed(3)
    second = quiet(
        watched,
        batches(seed),
        validation=data().batches(4, shuffle=True),
        on_epoch=lambda model, _: (model.sample_latent(5), torch.rand(7), model.train()),
    )
    assert same(plain, watched)
    assert first.series() == second.series()


def test_training_mode_is_put_back():
    for mode in (True, False):
        model = make().train(mode)
        modes = []

        def loss(model, x, modes=modes):
            modes.append(model.training)
            return {"loss": (model(x) - x).square().mean()}

        quiet(model, [data().pixels()], epochs=1, validation=[data().pixels()], loss=loss)
        assert model.training is mode
        assert modes == [True, False]


def test_the_callers_optimizer_is_used():
    model, plain = make(), make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    quiet(model, [data().pixels()], optimizer=optimizer, epochs=2, lr=100.0)
    other = torch.optim.SGD(plain.parameters(), lr=0.001, momentum=0.9)
    for _ in range(2):
        other.zero_grad()
        plain.loss_terms(data().pixels())["loss"].backward()
        other.step()
    assert same(model, plain)


def test_nothing_is_printed_and_nothing_seeded(capfd):
    before = torch.get_rng_state()
    quiet(make_without_seeding(), batches())
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def make_without_seeding():
    with torch.random.fork_rng():
        return make()


def test_the_progress_bar_names_the_terms(capfd):
    quiet(make("mlp vae"), batches(), epochs=1, progress=True)
    text = capfd.readouterr().err
    assert "6/6" in text
    for term in ("loss=", "recon=", "kl="):
        assert term in text


def test_bfloat16_trains_with_float32_weights():
    model = make("conv vae")
    history = quiet(model, batches(), precision="bfloat16", validation=batches())
    assert history.precision == "bfloat16"
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert history.series()[-1] < history.series()[0]


def test_an_outer_autocast_does_not_reach_a_training_in_float32():
    seen = []

    def loss(model, x):
        seen.append(model(x).dtype)
        return {"loss": model(x).float().mean()}

    with torch.autocast("cpu", torch.bfloat16):
        quiet(make(), batches(), epochs=1, loss=loss)
        assert make()(data().pixels()).dtype == torch.bfloat16
    assert set(seen) == {torch.float32}


def test_means_are_exact_over_many_steps_and_terms_may_come_and_go():
    """250 steps are read in three goes; the term "odd" is there at every second step only, and averaged over these."""
    images = ImageSet(torch.zeros(499, *SHAPE, dtype=torch.uint8), torch.arange(499), tuple(map(str, range(499))))
    values = torch.rand(499, generator=generator(3), dtype=torch.float64)

    def loss(model, x, y):
        terms = {"loss": model(x).mean(), "value": values[y].mean()}
        if y[0] % 4 == 2:
            terms["odd"] = torch.tensor(float(y[0]))
        return terms

    history = quiet(make(), images.batches(2, with_labels=True), epochs=1, loss=loss)
    assert history.series("value")[0] == pytest.approx(values.mean().item(), rel=1e-12)
    assert history.series("odd")[0] == pytest.approx((sum(2 * y for y in range(2, 498, 4)) + 498) / (2 * 124 + 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_only_what_is_nearly_subnormal_is_cleared(dtype):
    tiny = torch.finfo(dtype).tiny
    before = torch.tensor([[1.0, -tiny, 1e-3], [tiny / 4, -2e8 * tiny, 0.5e8 * tiny]], dtype=dtype)
    weight = torch.nn.Parameter(torch.zeros(2, 3, dtype=dtype))
    optimizer = torch.optim.Adam([weight])
    optimizer.state[weight] = {"step": torch.tensor(1e-39), "exp_avg": before.clone(), "exp_avg_sq": before.clone()}
    clear_subnormal_moments(optimizer)
    after = torch.tensor([[1.0, 0.0, 1e-3], [0.0, -2e8 * tiny, 0.0]], dtype=dtype)
    assert torch.equal(optimizer.state[weight]["exp_avg"], after)
    assert torch.equal(optimizer.state[weight]["exp_avg_sq"], after)
    assert optimizer.state[weight]["step"] > 0


def test_a_pixel_that_is_nearly_always_black_leaves_no_subnormal_moments():
    """Lit in the first batch only: after 1,000 steps Adam's first moment of its weights is 1e-46 of what it was."""
    images = torch.zeros(2000, *SHAPE, dtype=torch.uint8)
    images[:, :, 1:] = 200
    images[:4, 0, 0, 3] = 255
    loader = ImageSet(images, torch.zeros(2000, dtype=torch.long), ("a",)).batches(2)

    def subnormal(optimizer):
        tiny = torch.finfo(torch.float32).tiny
        moments = [state["exp_avg"] for state in optimizer.state.values()]
        return sum(int(((m != 0) & (m.abs() < tiny)).sum()) for m in moments)

    model, plain = make(), make()
    optimizers = [torch.optim.Adam(m.parameters()) for m in (model, plain)]
    quiet(model, loader, epochs=1, optimizer=optimizers[0])
    for x in loader:
        optimizers[1].zero_grad()
        plain.loss_terms(x)["loss"].backward()
        optimizers[1].step()
    assert subnormal(optimizers[1]) > 0
    assert subnormal(optimizers[0]) == 0
    assert same(model, plain)


def test_one_value_an_example_is_averaged():
    """In loss, other terms and validation, whole numbers and truth values too; the result is that of the means."""
    models, histories = [make(), make()], []
    for model, reduce in zip(models, (lambda v: v, lambda v: v.float().mean()), strict=True):

        def loss(model, x, y, reduce=reduce):
            error = (model(x) - x).square().flatten(1).sum(1)
            terms = {"loss": error, "error": error, "label": y, "third": y == 2}
            return {name: reduce(term) for name, term in terms.items()} | {"fixed": torch.tensor(3.0)}

        options = {"loss": loss, "validation": batches(with_labels=True)}
        histories.append(quiet(model, batches(with_labels=True), **options))
    assert same(*models)
    assert [epoch["train"] for epoch in histories[0].epochs] == [epoch["train"] for epoch in histories[1].epochs]
    last = histories[0].epochs[-1]
    assert last["train"]["label"] == pytest.approx(data().labels.float().mean().item())
    assert last["validation"]["third"] == pytest.approx((data().labels == 2).float().mean().item())
    assert last["train"]["loss"] == last["train"]["error"]


def test_a_gradient_longer_than_clip_is_shortened_to_it():
    """By plain gradient descent the length of a step is that of the gradient times the rate."""

    def step(clip, rate=0.5):
        model, start = make(), make()
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        quiet(model, [data().pixels()], epochs=1, optimizer=optimizer, clip=clip)
        return torch.cat(
            [(a - b).flatten() / rate for a, b in zip(start.parameters(), model.parameters(), strict=True)]
        )

    whole = step(None)
    assert whole.norm() > 0.2
    torch.testing.assert_close(step(0.1), 0.1 * whole / whole.norm(), rtol=1e-3, atol=1e-6)
    assert torch.equal(step(1e6), whole)
    for clip in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="clip is .* must be above 0"):
            step(clip)


def test_after_step_follows_each_step_without_gradients():
    model, average, plain, by_hand, seen = make(), make(), make(), make(), []

    def after(trained, step):
        assert trained is model
        assert not torch.is_grad_enabled()
        seen.append(step)
        follow(average, trained, 0.9)

    quiet(model, batches(), epochs=2, lr=0.01, after_step=after)
    assert seen == list(range(1, 13))
    optimizer, loader = torch.optim.Adam(plain.parameters(), lr=0.01, fused=True), batches()
    for _ in range(2):
        for x in loader:
            optimizer.zero_grad()
            plain.loss_terms(x)["loss"].backward()
            optimizer.step()
            for mean, weight in zip(by_hand.parameters(), plain.parameters(), strict=True):
                mean.data = mean.data.lerp(weight.data, 0.1)
    assert same(model, plain)
    for name, weight in by_hand.state_dict().items():
        torch.testing.assert_close(average.state_dict()[name], weight)


def test_each_layer_gets_its_own_mode_back():
    model = make("conv vae").train()
    model.encoder.eval()
    modes = [module.training for module in model.modules()]
    assert len(set(modes)) == 2
    quiet(model, batches(), epochs=1)
    assert [module.training for module in model.modules()] == modes


# -------------------------------------------------------------------------------- learning rates


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_the_learning_rate_rises_stays_and_falls(shape):
    rates = [learning_rate(step, 1000, 2.0, warm_up=10, fall=0.4, shape=shape) for step in range(1100)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[9:600] == pytest.approx([2.0] * 591)
    assert rates[800] == pytest.approx(1.0)  # halfway down
    assert rates[700] == pytest.approx({"linear": 1.5, "cosine": 1 + math.sqrt(0.5)}[shape])
    assert all(a > b for a, b in zip(rates[601:1000], rates[602:1001], strict=True))
    assert rates[1000:] == pytest.approx([0.0] * 100)


def test_a_learning_rate_may_do_without_a_rise_or_a_plateau():
    assert learning_rate(0, 10, 3.0) == 3.0
    assert [learning_rate(step, 4, 1.0, fall=1.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("options", [{"fall": 0.0}, {"fall": 1.5}, {"shape": "cubic"}])
def test_a_learning_rate_that_does_not_exist(options):
    with pytest.raises(ValueError, match="use a share above 0 up to 1, and 'linear' or 'cosine'"):
        learning_rate(0, 10, 1.0, **options)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_learning_rate_of_the_step_is_set_at_every_step(kind):
    model, rates = make("mlp vae"), []
    optimizer = kind(model.parameters(), lr=99.0)
    optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    history = quiet(model, batches(), epochs=2, lr=lambda step: 1e-3 / (1 + step), optimizer=optimizer)
    assert rates == [1e-3 / (1 + step) for step in range(2 * len(batches()))]
    assert history.state["steps"] == len(rates)


def test_the_default_optimizer_follows_a_learning_rate_of_the_step():
    """A rate of 0 from the second epoch on: the weights stay as they were after the first."""
    model, kept = make("mlp vae"), []
    per_epoch = len(batches())
    keep = lambda model, record: kept.append([p.clone() for p in model.parameters()])  # noqa: E731
    quiet(model, batches(), epochs=3, lr=lambda step: 1e-3 if step < per_epoch else 0.0, on_epoch=keep)
    assert all(torch.equal(a, b) for a, b in zip(kept[0], kept[2], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(kept[0], make("mlp vae").parameters(), strict=True))


def test_resuming_goes_on_with_the_learning_rate_of_the_step_reached(tmp_path):
    rate = partial(learning_rate, steps=4 * len(batches()), peak=3e-3, warm_up=3, fall=0.5)
    straight, stopped = make("mlp vae"), make("mlp vae")
    torch.manual_seed(1)
    quiet(straight, batches(), epochs=4, lr=rate)
    torch.manual_seed(1)
    history = quiet(stopped, batches(), epochs=1, lr=rate)
    history = History.load(history.save(tmp_path / "history.pt"))
    history = quiet(stopped, batches(), epochs=2, lr=rate, resume=history)
    quiet(stopped, batches(), epochs=4, lr=rate, resume=history)
    assert same(straight, stopped)


# -------------------------------------------------------------------------------- resume, bit for bit


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", [5, None], ids=["own generator", "global generator"])
@pytest.mark.parametrize("through_file", [False, True], ids=["in memory", "through a file"])
def test_resuming_gives_what_one_longer_call_gives(name, seed, through_file, tmp_path):
    straight, stopped = make(name), make(name)
    torch.manual_seed(11)
    expected = quiet(straight, batches(seed), epochs=4, validation=batches(6))
    torch.manual_seed(11)
    history = quiet(stopped, batches(seed), epochs=1, validation=batches(6))
    torch.rand(3)  # life goes on in between
    if through_file:
        history = History.load(history.save(tmp_path / "history.pt"))
        stopped = MODELS[name]()  # as in a new process: other weights, which resume replaces
    torch.manual_seed(999)
    history = quiet(stopped, batches(seed), epochs=2, resume=history, validation=batches(6))
    history = quiet(stopped, batches(seed), epochs=4, resume=history, validation=batches(6))
    assert same(straight, stopped)
    assert history.series() == expected.series()
    assert [e["epoch"] for e in history.epochs] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_resuming_with_the_callers_optimizer(kind):
    def optimizer(model):
        return kind(model.parameters(), lr=1e-3, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))

    straight, stopped = make("mlp vae"), make("mlp vae")
    torch.manual_seed(1)
    quiet(straight, batches(), epochs=3, optimizer=optimizer(straight))
    torch.manual_seed(1)
    history = quiet(stopped, batches(), epochs=2, optimizer=optimizer(stopped))
    quiet(stopped, batches(), epochs=3, optimizer=optimizer(stopped), resume=history)
    assert same(straight, stopped)


def test_resuming_after_ctrl_c_in_mid_epoch():
    straight, stopped = make("mlp vae"), make("mlp vae")
    torch.manual_seed(1)
    quiet(straight, batches(), epochs=3)
    torch.manual_seed(1)
    history = quiet(stopped, InterruptedBatches(batches(), at=9), epochs=3)
    assert history.interrupted
    assert not same(straight, stopped)
    history = quiet(stopped, batches(), epochs=3, resume=history)
    assert same(straight, stopped)
    assert not history.interrupted


def test_the_history_to_resume_is_not_changed():
    model = make()
    history = quiet(model, batches(), epochs=1)
    kept = copy.deepcopy(history.state)
    quiet(model, batches(), epochs=3, resume=history)
    assert len(history.epochs) == 1
    assert all(torch.equal(history.state["model"][k], kept["model"][k]) for k in kept["model"])
    other = make()
    quiet(other, batches(), epochs=3, resume=history)
    assert same(model, other)


class TestResumingWhatDoesNotFit:
    @pytest.fixture
    def history(self):
        return quiet(make(), batches(), epochs=2)

    def refused(self, message, model, loader, history, **options):
        before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
        with pytest.raises(ValueError, match=message):
            quiet(model, loader, resume=history, **options)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items()), "nothing is lost"

    def test_no_more_epochs(self, history):
        self.refused(
            "epochs is 2, but 2 are done: epochs counts from the very first", make(), batches(), history, epochs=2
        )

    def test_another_model(self, history):
        other = Autoencoder(3, image_shape=SHAPE, hidden=6)
        self.refused("is of another model than this Autoencoder", other, batches(), history)

    def test_another_optimizer(self, history):
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.refused("was made with Adam, not SGD", model, batches(), history, optimizer=optimizer)

    def test_batches_without_the_generator(self, history):
        self.refused("had a generator of their own, but these have none", make(), batches(None), history)
        self.refused("had a generator of their own, but these have none", make(), [data().pixels()], history)

    def test_batches_with_a_generator_that_was_not_there(self):
        history = quiet(make(), batches(None), epochs=1)
        self.refused("had no generator of their own, but these have one", make(), batches(), history)

    def test_other_things_to_keep(self):
        history = quiet(make(), batches(), keep=[make(), generator()], epochs=1)
        self.refused("was made with 2 things to keep, but here are 0", make(), batches(), history)
        for keep in ([generator(), make()], [make("mlp vae"), generator()]):
            self.refused("kept something else than this", make(), batches(), history, keep=keep)

    def test_other_kinds_of_batches(self, history):
        self.refused("batches of another kind", make(), Stretches(batches(), [3, 6, 9]), history)

    def test_a_history_of_two_players(self):
        points = [torch.rand(8, 2)]
        history = train_gan(RingGenerator(hidden=4), RingDiscriminator(hidden=4), points, steps=1, progress=False)
        self.refused("was not made by fit", make(), Stretches(batches(None), [3, 6, 9]), history)

    def test_no_state(self):
        self.refused("has no state to go on from", make(), batches(), History())


class Everything:
    """A training with all that has a state: an average, a loss that draws from its own generator, clipping, a scheduled
    rate, a scheduler of the caller's, and batches drawn at random."""

    def __init__(self, kind: str = "images"):
        self.model, self.average, self.noise = make("mlp vae"), make("mlp vae"), generator(1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.99), fused=True)
        self.loader = {
            "images": batches,
            "random": lambda: RandomBatches(data().pixels(), batch_size=4, steps=6, generator=generator(2)),
            "stretches": lambda: Stretches(batches(), [4, 9, 11, 20]),
            "stretches, global generator": lambda: Stretches(batches(None), [4, 9, 11, 20]),
        }[kind]()
        self.beta = Beta()

    def loss(self, model, x):
        x = (x + 0.1 * torch.randn(x.shape, generator=self.noise)).clamp(0, 1)
        return {"loss": model.loss_terms(x)["loss"] * self.beta.value}

    def after(self, model, step):
        follow(self.average, model, min(0.9, step / 10))
        self.beta.value *= 0.99

    def fit(self, epochs: int, **options) -> History:
        rate = partial(learning_rate, steps=24, peak=0.02, warm_up=3, shape="cosine")
        keep = [self.average, self.noise, self.beta]
        options = {"loss": self.loss, "after_step": self.after, "keep": keep, "clip": 5.0, "lr": rate, **options}
        return quiet(self.model, self.loader, epochs=epochs, optimizer=self.optimizer, **options)


class Beta:
    """The smallest thing with a state."""

    def __init__(self):
        self.value = 1.0

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


@pytest.mark.parametrize("kind", ["images", "random", "stretches", "stretches, global generator"])
def test_all_that_is_kept_goes_on_bit_for_bit(kind, tmp_path):
    torch.manual_seed(1)
    straight, stopped = Everything(kind), Everything(kind)
    torch.manual_seed(1)
    expected = straight.fit(4)
    torch.manual_seed(1)
    file = stopped.fit(1).save(tmp_path / "history.pt")
    stopped = Everything(kind)
    stopped.beta.value, stopped.average.encoder[1].bias.data[:] = 7.0, 7.0
    torch.rand(5, generator=stopped.noise)
    history = stopped.fit(3, resume=History.load(file))
    assert stopped.fit(4, resume=history).series() == expected.series()
    assert same(straight.model, stopped.model)
    assert same(straight.average, stopped.average)
    assert not same(straight.average, straight.model)
    assert straight.beta.value == stopped.beta.value == pytest.approx(0.99 ** history.state["steps"], abs=0.1)
    assert torch.equal(straight.noise.get_state(), stopped.noise.get_state())


def test_what_is_kept_is_put_back_with_the_model_when_the_loss_is_not_finite():
    training, one_epoch = Everything(), Everything()
    torch.manual_seed(1)
    one_epoch.fit(1)
    torch.manual_seed(1)
    loss = lambda model, x: {"loss": training.loss(model, x)["loss"] * (math.nan if training.beta.value < 0.93 else 1)}  # noqa: E731
    with pytest.raises(NonFiniteLoss, match="epoch 2, step 3"):
        training.fit(3, loss=loss)
    assert same(training.model, one_epoch.model)
    assert same(training.average, one_epoch.average)
    assert training.beta.value == one_epoch.beta.value
    assert torch.equal(training.noise.get_state(), one_epoch.noise.get_state())


def test_only_what_has_a_state_can_be_kept():
    with pytest.raises(TypeError, match="keep holds a function: give generators, or objects with state_dict"):
        quiet(make(), batches(), keep=[make])


# -------------------------------------------------------------------------------- stopping


class InterruptedBatches:
    """Batches of which one is Ctrl-C."""

    def __init__(self, inner, at: int):
        self.inner, self.at, self.passed = inner, at, 0

    generator = property(lambda self: self.inner.generator)

    def __iter__(self):
        for x in self.inner:
            self.passed += 1
            if self.passed == self.at:
                raise KeyboardInterrupt
            yield x


def test_ctrl_c_keeps_what_was_learned(capsys):
    model, start = make(), make()
    history = quiet(model, InterruptedBatches(batches(), at=9), epochs=5)
    assert history.interrupted
    assert len(history.epochs) == 1
    assert "Stopped in epoch 2 of 5" in capsys.readouterr().out
    assert not same(model, start)
    one_epoch = make()
    quiet(one_epoch, batches(), epochs=1)
    assert not same(model, one_epoch), "the two steps of the second epoch are kept too"
    assert model.training


@pytest.mark.parametrize("where", ["on_epoch", "validation"])
def test_ctrl_c_while_watching_loses_and_skips_no_epoch(where):
    """The epoch being watched counts as not done: it is trained again on resuming, to the same result."""
    straight, stopped = make("mlp vae"), make("mlp vae")
    torch.manual_seed(1)
    expected = quiet(straight, batches(), epochs=3, validation=batches(6))

    def interrupt(model, record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    torch.manual_seed(1)
    watching = {
        "on_epoch": {"on_epoch": interrupt, "validation": batches(6)},
        "validation": {"validation": InterruptedBatches(batches(6), at=8)},
    }[where]
    history = quiet(stopped, batches(), epochs=3, **watching)
    assert history.interrupted
    history = quiet(stopped, batches(), epochs=3, resume=history, validation=batches(6))
    assert same(straight, stopped)
    assert history.series() == expected.series()


def lines(*functions) -> set:
    return {function.__code__ for function in functions}


STEP = lines(
    loop.Descent.__call__, loop.Descent.measure, loop.Descent.state_dict, loop.Descent.end_pass, loop._one_pass,
    Everything.loss, Everything.after, follow.__wrapped__, clear_subnormal_moments.__wrapped__, history_module.snapshot,
    RandomBatches.__iter__,
)  # fmt: skip


class StopAt:
    """Context in which Ctrl-C comes just before the n-th line that is run of some functions."""

    def __init__(self, n: int, code: set):
        self.n, self.code, self.count = n, code, 0

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(lambda frame, event, _: self.line if frame.f_code in self.code else None)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)

    def line(self, frame, event, _):
        if event == "line":
            self.count += 1
            if self.count == self.n:
                raise KeyboardInterrupt
        return self.line


def test_a_stop_at_any_place_of_a_step_leaves_nothing_half_changed(capsys):
    """Ctrl-C before 25 of the lines that 2 epochs run: modes are put back, and resuming gives what was to come."""
    straight = Everything("random")
    torch.manual_seed(1)
    with StopAt(0, STEP) as places:
        expected = straight.fit(2)
    assert places.count > 300
    for n in range(1, places.count, places.count // 25):
        stopped = Everything("random")
        stopped.model.decoder.eval()
        modes = [module.training for module in stopped.model.modules()]
        torch.manual_seed(1)
        try:
            with StopAt(n, STEP):
                history = stopped.fit(2)
            assert history.interrupted
        except KeyboardInterrupt:  # it had not begun
            assert same(stopped.model, make("mlp vae"))
            history = None
        assert [module.training for module in stopped.model.modules()] == modes
        assert all(p.requires_grad for p in stopped.model.parameters())
        assert torch.is_grad_enabled()
        if history is not None:
            assert len(history.epochs) == [0, 6].index(history.state["steps"])
        torch.manual_seed(1)
        assert stopped.fit(2, resume=history).series() == expected.series()
        assert same(stopped.model, straight.model)
        assert same(stopped.average, straight.average)


@pytest.mark.slow_because("trains in a process of its own until it is stopped")
@pytest.mark.skipif(os.name == "nt", reason="not on Windows: a signal there ends the process")
def test_a_real_interrupt():
    script = """
import signal, torch
from course_utils.models.autoencoder import Autoencoder
from course_utils.training import fit
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
model = Autoencoder(2, image_shape=(1, 4, 8), hidden=6)
class Endless:
    def __iter__(self):
        for step in range(10**6):
            if step == 20:
                print("training", flush=True)
            yield torch.rand(8, 1, 4, 8)
history = fit(model, Endless(), epochs=2, progress=False)
print("interrupted", history.interrupted, len(history.epochs), flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "training\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Stopped in epoch 1 of 2; the model keeps what it learned" in out
    assert "interrupted True 0" in out
    assert "Traceback" not in err


class PoisonedBatches:
    """Ordinary batches, of which one makes the loss NaN."""

    def __init__(self, at: int):
        self.at, self.passed = at, 0

    def __iter__(self):
        for x in data().batches(4):
            self.passed += 1
            yield x * (torch.nan if self.passed == self.at else 1)


class TestNaN:
    def test_says_where_and_puts_the_model_back(self):
        model, one_epoch = make(), make()
        optimizer = torch.optim.Adam(model.parameters())
        with pytest.raises(
            NonFiniteLoss, match="infinite values in images: .* That was in epoch 2, step 3. The model was put back"
        ) as caught:
            quiet(model, PoisonedBatches(at=9), epochs=3, optimizer=optimizer)
        quiet(one_epoch, PoisonedBatches(at=0), epochs=1, optimizer=torch.optim.Adam(one_epoch.parameters()))
        assert same(model, one_epoch)
        assert model.training
        assert all(v.isfinite().all() for s in optimizer.state.values() for v in s.values())
        history = caught.value.history
        assert len(history.epochs) == 1
        assert len(quiet(model, PoisonedBatches(at=0), epochs=3, resume=history).epochs) == 3

    def test_in_the_first_epoch(self):
        model, start = make(), make()
        with pytest.raises(NonFiniteLoss, match="in epoch 1, step 1"):
            quiet(model, PoisonedBatches(at=1))
        assert same(model, start)

    def test_names_the_term_that_was_first(self):
        steps = iter(range(100))

        def loss(model, x):
            step = next(steps)
            kl = torch.tensor(torch.inf if step == 2 else 1.0)
            return {"loss": model(x).mean() * (torch.nan if step >= 4 else 1), "kl": kl}

        with pytest.raises(NonFiniteLoss, match="'kl' became NaN or infinite in epoch 1, step 3"):
            quiet(make(), batches(), loss=loss)

    def test_in_validation(self):
        bad = data().pixels()
        bad[1] = torch.nan
        with pytest.raises(NonFiniteLoss, match="in validation after epoch 1, step 2"):
            quiet(make(), batches(), validation=[data().pixels(), bad])

    def test_a_learning_rate_that_is_too_large(self):
        model = make()
        with pytest.raises(NonFiniteLoss, match="in epoch 1, step"):
            quiet(
                model,
                batches(),
                optimizer=torch.optim.SGD(model.parameters(), lr=1e30),
                loss=lambda m, x: {"loss": m.decode_logits(m.encode(x)).square().sum()},
            )
        assert all(p.isfinite().all() for p in model.parameters())


# -------------------------------------------------------------------------------- bad input


class TestBadInput:
    @pytest.mark.parametrize("empty", [[], iter([])])
    def test_no_batches(self, empty):
        with pytest.raises(ValueError, match="there are no batches in epoch 1: the data set is empty"):
            quiet(make(), empty)

    def test_no_validation_batches(self):
        with pytest.raises(ValueError, match="there are no batches in validation after epoch 1"):
            quiet(make(), batches(), validation=[])

    def test_an_iterator_that_is_used_up(self):
        with pytest.raises(ValueError, match="no batches in epoch 2: .* an iterator was already used up"):
            quiet(make(), iter([data().pixels()]))

    @pytest.mark.parametrize("epochs", [0, -1])
    def test_no_epochs(self, epochs):
        with pytest.raises(ValueError, match=f"epochs is {epochs}"):
            quiet(make(), batches(), epochs=epochs)

    def test_a_model_without_a_loss(self):
        with pytest.raises(ValueError, match=r"Linear has no loss_terms\(x\): give fit a loss"):
            quiet(torch.nn.Linear(2, 2), batches())
        with pytest.raises(ValueError, match="PCA has no loss_terms"):
            quiet(PCA(2).fit(data()), batches())

    @pytest.mark.parametrize(
        ("terms", "message"),
        [
            (lambda v: v.mean(), 'must return a dictionary of scalar tensors with an entry "loss"'),
            (lambda v: {"recon": v.mean()}, 'an entry "loss"'),
            (
                lambda v: {"loss": v[:, None]},
                r"term 'loss' has shape \(4, 1\): .* one value for each of the 4 examples",
            ),
            (lambda v: {"loss": v.mean(), "kl": v[1:]}, r"term 'kl' has shape \(3,\)"),
            (lambda v: {"loss": v.mean(), "kl": 0.5}, "term 'kl' is a float"),
            (lambda v: None, 'an entry "loss"'),
        ],
    )
    def test_a_loss_function_that_returns_something_else(self, terms, message):
        with pytest.raises(ValueError, match=message):
            quiet(make(), batches(), loss=lambda model, x: terms(model(x).flatten(1).sum(1)))

    def test_images_the_model_cannot_take(self):
        with pytest.raises(ValueError, match=r"images have shape \(4, 1, 8, 4\) but this model takes"):
            quiet(make(), [torch.rand(4, 1, 8, 4)])
        with pytest.raises(TypeError, match="torch.uint8"):
            quiet(make(), [data().images])

    def test_unknown_precision(self):
        with pytest.raises(ValueError, match="precision is 'float8'"):
            quiet(make(), batches(), precision="float8")


# -------------------------------------------------------------------------------- the history


class TestHistory:
    def test_survives_a_file_whole(self, tmp_path):
        history = quiet(make("mlp vae"), batches(), validation=batches())
        again = History.load(history.save(tmp_path / "sub" / "history.pt"))
        assert again.epochs == history.epochs
        assert again.interrupted == history.interrupted
        assert torch.equal(again.state["rng"], history.state["rng"])

    def test_a_term_that_was_not_recorded(self):
        history = quiet(make("mlp vae"), batches(), epochs=1)
        with pytest.raises(KeyError, match="no train term 'kld' was recorded; there are: loss, recon, kl"):
            history.series("kld")
        with pytest.raises(KeyError, match="no validation term 'loss' was recorded; there are: none"):
            history.series("loss", "validation")
        with pytest.raises(ValueError, match="split is 'test': use 'train' or 'validation'"):
            history.series("loss", "test")
        assert History().series() == []

    @pytest.mark.parametrize("first", [True, False])
    def test_validation_in_some_epochs_only(self, first):
        model = make()
        history = quiet(model, batches(), epochs=1, validation=batches() if first else None)
        history = quiet(model, batches(), epochs=2, validation=None if first else batches(), resume=history)
        values = history.series("loss", "validation")
        assert [math.isnan(v) for v in values] == [not first, first]

    def test_damaged_or_missing_file(self, tmp_path):
        file = quiet(make(), batches(), epochs=1).save(tmp_path / "history.pt")
        content = file.read_bytes()
        for damaged in (content[: len(content) // 2], b"", b"not a history"):
            file.write_bytes(damaged)
            with pytest.raises(
                ValueError, match="history.pt is not a history that History.save wrote, or it is damaged"
            ):
                History.load(file)
        torch.save({"weights": torch.zeros(2)}, file)
        with pytest.raises(ValueError, match="is not a history"):
            History.load(file)
        with pytest.raises(FileNotFoundError, match="nowhere.pt"):
            History.load(tmp_path / "nowhere.pt")

    def test_a_full_disk_keeps_the_older_file(self, tmp_path, monkeypatch):
        history = quiet(make(), batches(), epochs=1)
        file = history.save(tmp_path / "history.pt")
        before = file.read_bytes()

        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="could not write .*history.pt"):
            quiet(make(), batches(), epochs=2).save(file)
        assert file.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["history.pt"]


class TestSavingOnTheWay:
    def test_every_epoch_is_saved_and_can_be_resumed(self, tmp_path):
        file, straight, seen = tmp_path / "new" / "history.pt", Everything(), []

        def look(model, record):
            seen.append(len(History.load(file).epochs) if file.exists() else 0)
            if len(seen) == 3:
                raise RuntimeError("the power fails")

        stopped = Everything()
        torch.manual_seed(1)
        with pytest.raises(RuntimeError, match="power"):
            stopped.fit(4, save_to=file, on_epoch=look)
        assert seen == [0, 1, 2]
        resumed = Everything()
        resumed.fit(4, resume=History.load(file), save_to=file)
        torch.manual_seed(1)
        expected = straight.fit(4)
        assert same(straight.model, resumed.model)
        assert History.load(file).series() == expected.series()
        assert [p.name for p in file.parent.iterdir()] == ["history.pt"]

    def test_not_more_often_than_asked_but_always_at_the_end(self, tmp_path, monkeypatch):
        clock, file, seen = [0.0], tmp_path / "history.pt", []
        monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

        def look(model, record):
            seen.append(len(History.load(file).epochs) if file.exists() else 0)
            clock[0] += 60

        quiet(make(), batches(), epochs=6, on_epoch=look, save_to=file, save_every=1.5)
        assert seen == [0, 0, 2, 2, 4, 4]
        assert len(History.load(file).epochs) == 6
        quiet(make(), InterruptedBatches(batches(), at=15), epochs=6, on_epoch=look, save_to=file, save_every=1000)
        assert len(History.load(file).epochs) == 2
        with pytest.raises(NonFiniteLoss):
            quiet(make(), PoisonedBatches(at=9), on_epoch=look, save_to=file, save_every=1000)
        assert len(History.load(file).epochs) == 1

    @pytest.mark.parametrize("kind", ["below a file", "a folder"])
    def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(self, kind, tmp_path):
        (tmp_path / "file").write_text("here")
        place = {"below a file": tmp_path / "file" / "new" / "history.pt", "a folder": tmp_path}[kind]
        model = make()
        with pytest.raises(OSError, match=r"cannot be written \(.*\), so nothing was begun. Choose a folder"):
            quiet(model, batches(), save_to=place, loss=lambda *_: pytest.fail("a step was made"))
        assert [p.name for p in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize("what", ["disk", "record"])
    def test_a_training_is_not_lost_because_its_history_cannot_be_saved(self, what, tmp_path, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def look(model, record):
            if what == "disk":
                monkeypatch.setattr(os, "fsync", full)
            else:
                record["picture"] = object()

        message = {"disk": "could not write", "record": r"the history\['epochs'\]\[0\]\['picture'\] is a object"}[what]
        model, plain = make(), make()
        with pytest.warns(UserWarning, match=f"The training is not lost, but its history was not saved: {message}"):
            history = quiet(model, batches(), on_epoch=look, save_to=tmp_path / "history.pt")
        quiet(plain, batches())
        assert same(model, plain)
        assert len(history.epochs) == 3
        assert list(tmp_path.iterdir()) == []

    def test_ctrl_c_while_saving(self, tmp_path, monkeypatch, capsys):
        """In the second saving, and in the last: the file is there, whole, and no temporary one."""
        file, real, calls = tmp_path / "history.pt", os.replace, []

        def replace(*paths):
            calls.append(paths)
            if len(calls) in (2, 6):
                raise KeyboardInterrupt
            real(*paths)

        monkeypatch.setattr(os, "replace", replace)
        model = make()
        history = quiet(model, batches(), save_to=file)
        assert history.interrupted
        assert len(history.epochs) == len(History.load(file).epochs) == 2
        assert "Stopped in epoch 3 of 3" in capsys.readouterr().out
        history = quiet(model, batches(), save_to=file, epochs=5, resume=history)
        assert not history.interrupted, "every epoch was done"
        assert len(history.epochs) == len(History.load(file).epochs) == 5
        assert "Stopped while saving; the model keeps" in capsys.readouterr().out
        assert [p.name for p in tmp_path.iterdir()] == ["history.pt"]
        straight = make()
        quiet(straight, batches(), epochs=5)
        assert same(model, straight)


class TestWhatIsKeptIsPlain:
    @pytest.mark.parametrize("rate", ["number", "function", "optimizer"])
    def test_a_learning_rate_of_numpys(self, rate, tmp_path):
        model, lr = make(), np.logspace(-3, -2, 3)[1]
        options = {
            "number": {"lr": lr},
            "function": {"lr": lambda step: lr},
            "optimizer": {"optimizer": torch.optim.SGD(model.parameters(), lr=lr)},
        }[rate]
        history = History.load(quiet(model, batches(), **options).save(tmp_path / "history.pt"))
        assert history.state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(10**-2.5)

    def test_what_on_epoch_adds(self, tmp_path):
        def add(model, record):
            record |= {"rate": np.float64(0.5), np.int64(3): [np.arange(3), (np.bool_(True), tmp_path)]}

        history = quiet(make(), batches(), epochs=1, on_epoch=add)
        again = History.load(history.save(tmp_path / "history.pt"))
        for record in (history.epochs[0], again.epochs[0]):
            assert record["rate"] == 0.5
            assert type(record["rate"]) is float
            assert record[3] == [[0, 1, 2], (True, str(tmp_path))]
            assert type(record[3][1][0]) is bool

    def test_what_cannot_be_loaded_is_not_saved(self, tmp_path):
        history = quiet(make(), batches(), epochs=1, on_epoch=lambda model, record: record.update(model=model))
        with pytest.raises(
            TypeError, match=r"the history\['epochs'\]\[0\]\['model'\] is a Autoencoder, which could be saved"
        ):
            history.save(tmp_path / "history.pt")
        assert list(tmp_path.iterdir()) == []


def test_speed_is_measured_without_touching_the_generators():
    before = torch.get_rng_state()
    speed = measure_speed("cpu", seconds=0.05)
    assert 50 < speed < 1e8
    assert torch.equal(torch.get_rng_state(), before)


class TestFoundOutInTime:
    @pytest.mark.parametrize("why", ["frozen", "detached"])
    def test_a_loss_that_trains_nothing(self, why):
        """PyTorch says "element 0 of tensors does not require grad and does not have a grad_fn"."""
        model = make().requires_grad_(why != "frozen")
        loss = lambda model, x: {"loss": model.loss_terms(x)["loss"].detach()}  # noqa: E731
        with pytest.raises(ValueError, match="the loss depends on no weight that can be trained"):
            quiet(model, batches(), loss=loss if why == "detached" else None)

    def test_a_batch_of_nothing(self):
        x = data().pixels()
        with pytest.raises(ValueError, match="a batch is empty"):
            quiet(make(), [x, x[:0]])

    def test_whole_epochs_are_saved_when_something_else_fails(self, tmp_path):
        def look(model, record):
            if record["epoch"] == 3:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            quiet(make(), batches(), epochs=4, on_epoch=look, save_to=tmp_path / "h.pt", save_every=1000)
        assert len(History.load(tmp_path / "h.pt").epochs) == 2

    def test_a_tilde_is_the_home_folder(self, tmp_path, monkeypatch):
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, str(tmp_path))
        monkeypatch.chdir(tmp_path)
        history = quiet(make(), batches(), save_to="~/runs/h.pt")
        assert history.save("~/runs/again.pt") == tmp_path / "runs" / "again.pt"
        assert len(History.load("~/runs/h.pt").epochs) == len(history.epochs)
        assert [p.name for p in tmp_path.iterdir()] == ["runs"]
