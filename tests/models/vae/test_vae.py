"""The VAE's likelihoods, annealing, free bits and checkpoints; and training in bfloat16."""

import json

import pytest
import torch

from course_utils import checkpoints
from course_utils.data import ImageSet
from course_utils.gaussian import kl_standard_normal
from course_utils.losses import bernoulli_nll, gaussian_nll
from course_utils.metrics import active_units
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.training import History, fit
from course_utils.training.precision import bfloat16_speedup, choose_precision

SHAPE = (1, 4, 8)


def small(seed=0, **options):
    torch.manual_seed(seed)
    return VAE(3, hidden=8, image_shape=SHAPE, **options)


def images(n=10):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(5))


def image_set(n=24):
    values = torch.randint(0, 256, (n, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(6))
    return ImageSet(values, torch.zeros(n, dtype=torch.int64), ("thing",))


def terms_of(model, x):
    return model.loss_terms(x, torch.Generator().manual_seed(1))


def test_each_likelihood_is_the_one_it_names():
    x = images()
    z = torch.randn(10, 3, generator=torch.Generator().manual_seed(2))
    bernoulli, gaussian = small(), small(likelihood="gaussian", std=0.2)
    assert torch.equal(bernoulli.negative_log_likelihood(x, z), bernoulli_nll(bernoulli.decode_logits(z), x))
    assert torch.equal(gaussian.negative_log_likelihood(x, z), gaussian_nll(gaussian.decode(z), x, 0.2))
    mu, logvar = gaussian.posterior(x)
    noise = torch.empty_like(mu).normal_(generator=torch.Generator().manual_seed(1))
    recon = gaussian_nll(gaussian.decode(mu + (0.5 * logvar).exp() * noise), x, 0.2).mean()
    torch.testing.assert_close(terms_of(gaussian, x)["recon"], recon)


def test_kl_per_dimension_is_the_batch_mean_of_each_dimension():
    model, x = small(), images()
    mu, logvar = model.posterior(x)
    kl = model.kl_per_dimension(x)
    assert kl.shape == (3,)
    for d in range(3):
        torch.testing.assert_close(kl[d], kl_standard_normal(mu[:, d : d + 1], logvar[:, d : d + 1]).mean())
    torch.testing.assert_close(kl.sum(), terms_of(model, x)["kl"])


def test_free_bits_charge_only_what_exceeds_them():
    x = images()
    plain, kl = terms_of(small(), x), small().kl_per_dimension(x).detach()
    assert kl.min() < kl.max()
    bits = kl.sort().values[1].item()  # below it one dimension, above it another
    model = small(free_bits=bits, beta=2.0)
    terms = terms_of(model, x)
    assert torch.equal(terms["kl"], plain["kl"])
    charged = 2.0 * sum(max(bits, value) for value in kl.tolist())
    assert (terms["loss"] - terms["recon"]).item() == pytest.approx(charged, rel=1e-4)


def test_a_dimension_within_its_free_bits_feels_no_pull():
    x = images()

    def pull(model):
        mu, logvar = model.posterior(x)
        mu.retain_grad()
        model.posterior = lambda _: (mu, logvar)
        terms = terms_of(model, x)
        (terms["loss"] - terms["recon"]).backward()
        return mu.grad.abs().sum(dim=0)

    assert (pull(small()) > 0).all()
    assert torch.equal(pull(small(free_bits=100.0)), torch.zeros(3))


def test_without_free_bits_nothing_changes():
    model, x = small(beta=3.0), images()
    terms = terms_of(model, x)
    assert set(terms) == {"loss", "recon", "kl"}
    assert torch.equal(terms["loss"], terms["recon"] + 3.0 * terms["kl"])
    assert "step" not in model.state_dict()


def test_a_schedule_counts_training_steps_only():
    model, x = small(beta=Annealing("linear", steps=4)), images()
    model.train()
    used = [terms_of(model, x)["beta"].item() for _ in range(6)]
    assert used == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    with torch.no_grad():
        terms_of(model, x)
    model.eval()
    terms = terms_of(model, x)
    assert int(model.step) == 6
    assert torch.equal(terms["loss"], terms["recon"] + terms["kl"])


def test_any_function_of_the_step_is_a_schedule():
    model = small(beta=lambda step: 0.5 if step < 1 else 2.0)
    values = []
    for _ in range(2):
        terms = terms_of(model, images())
        values.append(((terms["loss"] - terms["recon"]) / terms["kl"]).item())
    assert values == pytest.approx([0.5, 2.0], rel=1e-4)


def test_training_resumes_bit_for_bit_in_the_middle_of_a_schedule():
    schedule = Annealing("cyclical", steps=14, cycles=2)
    settings = {"lr": 1e-2, "progress": False}

    def batches():
        return image_set().batches(8, shuffle=True, generator=torch.Generator().manual_seed(3))

    whole = small(beta=schedule)
    long = fit(whole, batches(), epochs=4, **settings)
    parts, twin = small(beta=schedule), small(seed=9, beta=schedule)
    torch.manual_seed(0)
    small(beta=schedule)  # leaves the global generator where it was for the whole run
    first = fit(parts, batches(), epochs=2, **settings)
    torch.manual_seed(123)
    both = fit(twin, batches(), epochs=4, resume=first, **settings)
    assert both.series("beta") == long.series("beta")
    assert len(set(long.series("beta"))) > 1
    assert both.series("loss") == long.series("loss")
    assert int(twin.step) == 12
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name]), name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta": Annealing("cosine", steps=9, end=2.0)},
        {"likelihood": "gaussian", "std": 0.3, "free_bits": 0.1, "beta": 0.5},
    ],
)
def test_checkpoints_keep_every_option(tmp_path, options):
    model, x = small(**options), images()
    terms_of(model.train(), x)
    checkpoints.save(model, tmp_path / "m", card={})
    again = checkpoints.load(tmp_path / "m")
    assert again.config == json.loads(json.dumps(model.config)) | {"image_shape": SHAPE}
    for term, value in terms_of(model.eval(), x).items():
        assert torch.equal(terms_of(again, x)[term], value)
    checkpoints.load(tmp_path / "m", small(seed=1, **options))


def test_the_config_of_a_plain_vae_is_what_older_cards_hold():
    assert set(small().config) == {"latent_dim", "architecture", "hidden", "image_shape", "beta"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "mse"}, "likelihood is 'mse'"),
        ({"std": 0.0}, "std is 0"),
        ({"free_bits": -1.0}, "free_bits is -1"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"beta": {"shape": "steep", "steps": 3}}, "shape is 'steep'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_training_in_bfloat16_computes_in_it_and_keeps_float32_weights():
    model, seen = small(), {}

    def watch(name):
        def note(module, inputs, output):
            seen[name, module.training] = output.dtype

        return note

    model.encoder[1].register_forward_hook(watch("encoder"))
    batches = image_set().batches(8)
    history = fit(model, batches, epochs=1, validation=batches, progress=False, precision="bfloat16")
    assert seen == {("encoder", True): torch.bfloat16, ("encoder", False): torch.float32}
    assert history.precision == "bfloat16"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert fit(small(), batches, epochs=1, progress=False).precision == "float32"


def test_bfloat16_learns_as_float32_does():
    losses = {}
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        losses[precision] = fit(
            small(), image_set().batches(8), epochs=30, lr=1e-2, progress=False, precision=precision
        ).series()
    assert losses["float32"] != losses["bfloat16"]
    assert losses["bfloat16"][-1] == pytest.approx(losses["float32"][-1], rel=0.01)
    assert losses["float32"][-1] < losses["float32"][0] - 0.5


@pytest.mark.parametrize(("speedup", "choice"), [(0.4, "float32"), (1.1, "float32"), (2.0, "bfloat16")])
def test_auto_takes_what_is_faster(monkeypatch, tmp_path, speedup, choice):
    monkeypatch.setattr("course_utils.training.precision.bfloat16_speedup", lambda device: speedup)
    batches = image_set().batches(8)
    model = small()
    history = fit(model, batches, epochs=1, progress=False, precision="auto")
    assert history.precision == choice
    saved = History.load(history.save(tmp_path / "history"))
    assert saved.precision == choice
    monkeypatch.setattr("course_utils.training.precision.bfloat16_speedup", lambda device: 1.3 - (speedup - 1.3))
    assert fit(model, batches, epochs=2, progress=False, precision="auto", resume=saved).precision == choice


def test_precision_is_measured_once_and_names_are_checked():
    assert 0.01 < bfloat16_speedup("cpu") < 100
    assert bfloat16_speedup("cpu") is bfloat16_speedup("cpu")
    assert bfloat16_speedup("mps") == 1.0
    with pytest.raises(ValueError, match="precision is 'half': use one of float32, bfloat16, auto"):
        choose_precision("half", "cpu")
    with pytest.raises(ValueError, match="precision is 'half'"):
        fit(small(), image_set().batches(8), epochs=1, progress=False, precision="half")


def test_the_default_optimizer_is_fused_adam(monkeypatch):
    made = []
    real = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *args, **kw: made.append(kw) or real(*args, **kw))
    fit(small(), image_set().batches(8), epochs=1, lr=0.02, progress=False)
    assert made == [{"lr": 0.02, "fused": True}]


def test_histories_saved_before_there_was_a_precision_can_be_read(tmp_path):
    torch.save({"epochs": [], "interrupted": False, "state": None}, tmp_path / "old")
    assert History.load(tmp_path / "old").precision == "float32"


def test_active_units_are_those_whose_mean_moves():
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([1.0, 0.0, 0.05, 0.2])  # standard deviations; the threshold is a variance
    mu = torch.tensor([0.0, 5.0, 0.0, -3.0]) + spread * torch.randn(4000, 4, generator=generator)
    assert active_units(mu).tolist() == [True, False, False, True]
    assert active_units(mu, threshold=0.5).tolist() == [True, False, False, False]
    with pytest.raises(ValueError, match=r"\(1, 4\).*at least 2"):
        active_units(mu[:1])


def test_a_heavy_kl_term_silences_units():
    def units(beta):
        torch.manual_seed(0)
        model = VAE(3, hidden=16, image_shape=SHAPE, beta=beta)
        shades = ImageSet(
            torch.arange(256, dtype=torch.uint8).repeat_interleave(32).reshape(-1, *SHAPE),
            torch.zeros(256, dtype=torch.int64), ("shade",),
        )  # fmt: skip
        fit(model, shades.batches(32, shuffle=True), epochs=40, lr=1e-2, progress=False)
        with torch.no_grad():
            return int(active_units(model.encode(shades.pixels())).sum())

    assert units(0.1) >= 1
    assert units(1000.0) == 0
