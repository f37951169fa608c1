"""The VAE's loss, likelihoods, annealing, free bits and checkpoints."""

import json
import math

import pytest
import small_models
import torch
from helpers import generator
from small_models import TINY, tiny_images, tiny_set, tiny_vae

from course_utils import checkpoints
from course_utils.gaussian import kl_standard_normal
from course_utils.losses import bernoulli_nll, elbo, gaussian_nll, iwae_bound
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.training import fit


def terms_of(model, x):
    return model.loss_terms(x, torch.Generator().manual_seed(1))


def test_each_likelihood_is_the_one_it_names():
    x = tiny_images()
    z = torch.randn(10, 3, generator=torch.Generator().manual_seed(2))
    bernoulli, gaussian = tiny_vae(), tiny_vae(likelihood="gaussian", std=0.2)
    assert torch.equal(bernoulli.negative_log_likelihood(x, z), bernoulli_nll(bernoulli.decode_logits(z), x))
    assert torch.equal(gaussian.negative_log_likelihood(x, z), gaussian_nll(gaussian.decode(z), x, 0.2))
    mu, logvar = gaussian.posterior(x)
    noise = torch.empty_like(mu).normal_(generator=torch.Generator().manual_seed(1))
    recon = gaussian_nll(gaussian.decode(mu + (0.5 * logvar).exp() * noise), x, 0.2).mean()
    torch.testing.assert_close(terms_of(gaussian, x)["recon"], recon)


def test_kl_per_dimension_is_the_batch_mean_of_each_dimension():
    model, x = tiny_vae(), tiny_images()
    mu, logvar = model.posterior(x)
    kl = model.kl_per_dimension(x)
    assert kl.shape == (3,)
    for d in range(3):
        torch.testing.assert_close(kl[d], kl_standard_normal(mu[:, d : d + 1], logvar[:, d : d + 1]).mean())
    torch.testing.assert_close(kl.sum(), terms_of(model, x)["kl"])


def test_free_bits_charge_only_what_exceeds_them():
    x = tiny_images()
    plain, kl = terms_of(tiny_vae(), x), tiny_vae().kl_per_dimension(x).detach()
    assert kl.min() < kl.max()
    bits = kl.sort().values[1].item()  # below it one dimension, above it another
    model = tiny_vae(free_bits=bits, beta=2.0)
    terms = terms_of(model, x)
    assert torch.equal(terms["kl"], plain["kl"])
    charged = 2.0 * sum(max(bits, value) for value in kl.tolist())
    assert (terms["loss"] - terms["recon"]).item() == pytest.approx(charged, rel=1e-4)


def test_a_dimension_within_its_free_bits_feels_no_pull():
    x = tiny_images()

    def pull(model):
        mu, logvar = model.posterior(x)
        mu.retain_grad()
        model.posterior = lambda _: (mu, logvar)
        terms = terms_of(model, x)
        (terms["loss"] - terms["recon"]).backward()
        return mu.grad.abs().sum(dim=0)

    assert (pull(tiny_vae()) > 0).all()
    assert torch.equal(pull(tiny_vae(free_bits=100.0)), torch.zeros(3))


def test_without_free_bits_nothing_changes():
    model, x = tiny_vae(beta=3.0), tiny_images()
    terms = terms_of(model, x)
    assert set(terms) == {"loss", "recon", "kl"}
    assert torch.equal(terms["loss"], terms["recon"] + 3.0 * terms["kl"])
    assert "step" not in model.state_dict()


def test_a_schedule_counts_training_steps_only():
    model, x = tiny_vae(beta=Annealing("linear", steps=4)), tiny_images()
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
    model = tiny_vae(beta=lambda step: 0.5 if step < 1 else 2.0)
    values = []
    for _ in range(2):
        terms = terms_of(model, tiny_images())
        values.append(((terms["loss"] - terms["recon"]) / terms["kl"]).item())
    assert values == pytest.approx([0.5, 2.0], rel=1e-4)


def test_training_resumes_bit_for_bit_in_the_middle_of_a_schedule():
    schedule = Annealing("cyclical", steps=14, cycles=2)
    settings = {"lr": 1e-2, "progress": False}

    def batches():
        return tiny_set().batches(8, shuffle=True, generator=torch.Generator().manual_seed(3))

    whole = tiny_vae(beta=schedule)
    long = fit(whole, batches(), epochs=4, **settings)
    parts, twin = tiny_vae(beta=schedule), tiny_vae(seed=9, beta=schedule)
    torch.manual_seed(0)
    tiny_vae(beta=schedule)  # leaves the global generator where it was for the whole run
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
    model, x = tiny_vae(**options), tiny_images()
    terms_of(model.train(), x)
    checkpoints.save(model, tmp_path / "m", card={})
    again = checkpoints.load(tmp_path / "m")
    assert again.config == json.loads(json.dumps(model.config)) | {"image_shape": TINY}
    for term, value in terms_of(model.eval(), x).items():
        assert torch.equal(terms_of(again, x)[term], value)
    checkpoints.load(tmp_path / "m", tiny_vae(seed=1, **options))


def test_the_config_of_a_plain_vae_is_what_older_cards_hold():
    assert set(tiny_vae().config) == {"latent_dim", "architecture", "hidden", "image_shape", "beta"}


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
        tiny_vae(**options)


class TestVAE:
    @pytest.mark.parametrize("name", ["vae", "conv vae"])
    def test_the_loss_is_the_negative_elbo(self, name):
        model, x = small_models.make(name).double(), small_models.images().double()
        terms = model.loss_terms(x, generator(4))
        mu, logvar = model.posterior(x)
        assert mu.shape == logvar.shape == (5, 3)
        q = torch.distributions.Normal(mu, logvar.exp().sqrt())
        prior = torch.distributions.Normal(torch.zeros(5, 3).double(), torch.ones(5, 3).double())
        kl = torch.distributions.kl_divergence(q, prior).sum(1).mean()
        eps = torch.empty(5, 3, dtype=torch.float64).normal_(generator=generator(4))
        logits = model.decode_logits(mu + q.stddev * eps)
        recon = -(x * torch.nn.functional.logsigmoid(logits) + (1 - x) * torch.nn.functional.logsigmoid(-logits))
        torch.testing.assert_close(terms["kl"], kl)
        torch.testing.assert_close(terms["recon"], recon.sum((1, 2, 3)).mean())
        torch.testing.assert_close(terms["loss"], terms["recon"] + terms["kl"])

    @pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
    def test_beta_weighs_the_kl_term(self, beta):
        model = VAE(3, beta=beta, **small_models.SMALL)
        terms = model.loss_terms(small_models.images())
        torch.testing.assert_close(terms["loss"], terms["recon"] + beta * terms["kl"])
        assert model.config["beta"] == beta

    def test_the_code_is_the_mean(self):
        model, x = small_models.make("vae"), small_models.images()
        assert torch.equal(model.encode(x), model.posterior(x)[0])

    def test_the_prior_is_standard_normal(self):
        z = small_models.make("vae").sample_latent(40_000, generator())
        assert (z.mean(0).abs() < 4.5 / 200).all()
        assert ((z.var(0) - 1).abs() < 4.5 * math.sqrt(2 / 40_000)).all()

    def test_the_sample_differs_from_call_to_call(self):
        model, x = small_models.make("vae"), small_models.images()
        assert model.loss_terms(x)["recon"] != model.loss_terms(x)["recon"]

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="latent_dim is 0"):
            VAE(0)
        with pytest.raises(ValueError, match="beta is -1"):
            VAE(2, beta=-1)
        with pytest.raises(ValueError, match="architecture is 'cnn'"):
            VAE(2, architecture="cnn")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_losses_in_other_number_formats(dtype):
    """reparameterize gives float32 for 16 bits, which the decoder would not take."""
    vae, x = tiny_vae(), tiny_images(4)
    exact, bound = vae.loss_terms(x, torch.Generator().manual_seed(0))["recon"], elbo(vae, x, 200).mean()
    vae, x = vae.to(dtype), x.to(dtype)
    assert vae.loss_terms(x, torch.Generator().manual_seed(0))["recon"].item() == pytest.approx(exact.item(), rel=0.02)
    assert elbo(vae, x, 200).mean().item() == pytest.approx(bound.item(), rel=0.02)
    assert iwae_bound(vae, x, 5).isfinite().all()
