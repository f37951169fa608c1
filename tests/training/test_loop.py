"""The training loop: against a loop written out here, exact continuation, clean stops, errors by name."""

import copy
import errno
import math
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch

from course_utils.data import ImageSet
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.pca import PCA
from course_utils.models.vae import VAE
from course_utils.training import History, NonFiniteLoss, fit, measure_speed
from course_utils.training.parts import clear_subnormal_moments, learning_rate

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


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
    images = ImageSet(torch.zeros(499, *SHAPE, dtype=torch.uint8), torch.arange(499), tuple("a"))
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
        with pytest.raises(ValueError, match="is of another model than this Autoencoder"):
            quiet(other, batches(), resume=history)

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

    def test_no_state(self):
        self.refused("has no state to go on from", make(), batches(), History())


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
        out, err = process.communicate(timeout=60)
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
            NonFiniteLoss, match="'loss' became NaN or infinite in epoch 2, step 3.*learning rate"
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
            (lambda v: {"loss": v}, r"term 'loss' has shape \(4,\): each must be a scalar tensor, call .mean\(\)"),
            (lambda v: {"loss": v.mean(), "kl": v}, r"term 'kl' has shape \(4,\)"),
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


def test_speed_is_measured_without_touching_the_generators():
    before = torch.get_rng_state()
    speed = measure_speed("cpu", seconds=0.05)
    assert 50 < speed < 1e8
    assert torch.equal(torch.get_rng_state(), before)
