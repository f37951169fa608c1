"""The conditional VAE: what it computes, its view with the condition fixed, and what it learns."""

import pytest
import torch
from helpers import generator

from course_utils import checkpoints
from course_utils.gaussian import kl_standard_normal
from course_utils.latents import LatentModel, decode_dataset, encode_dataset, latent_grid, model_device
from course_utils.losses import bernoulli_nll, gaussian_nll, iwae_bound
from course_utils.models.vae import VAE
from course_utils.models.vae.annealing import Annealing
from course_utils.models.vae.conditional import ConditionalVAE
from course_utils.training import fit

SHAPE = (2, 4, 8)


def small(seed=0, **options):
    torch.manual_seed(seed)
    return ConditionalVAE(3, 5, **{"hidden": 6, "image_shape": SHAPE, **options})


def images(n=7):
    return torch.rand(n, *SHAPE, generator=generator(5))


def conditions(n=7):
    return torch.randn(n, 5, generator=generator(6))


@pytest.mark.parametrize("architecture", ["mlp", "conv"])
def test_formula_by_hand(architecture):
    model, x, y = small(architecture=architecture), images(), conditions()
    mu, logvar = model.posterior(x, y)
    both = model.encoder(x) + y @ model.encoder_condition.weight.T
    torch.testing.assert_close(torch.cat([mu, logvar], 1), both)
    torch.testing.assert_close(model.encode(x, y), both[:, :3])
    z = torch.randn(7, 3, generator=generator(2))
    logits = model.decoder(torch.cat([z, y], 1))
    torch.testing.assert_close(model.decode_logits(z, y), logits)
    torch.testing.assert_close(model.decode(z, y), logits.sigmoid())
    assert model.decode(z, y).shape == (7, *SHAPE)


def test_encoder_reads_the_condition_as_one_more_feature_of_its_last_layer():
    """The sum is a linear layer over [features, y]."""
    model, x, y = small(), images(), conditions()
    last = model.encoder[-1]
    features = model.encoder[:-1](x)
    whole = torch.nn.Linear(features.shape[1] + 5, 6)
    with torch.no_grad():
        whole.weight.copy_(torch.cat([last.weight, model.encoder_condition.weight], 1))
        whole.bias.copy_(last.bias)
    torch.testing.assert_close(torch.cat(model.posterior(x, y), 1), whole(torch.cat([features, y], 1)))


@pytest.mark.parametrize("options", [{}, {"likelihood": "gaussian", "std": 0.3, "beta": 4.0}])
def test_loss_is_the_negative_elbo(options):
    model, x, y = small(**options), images(), conditions()
    terms = model.loss_terms(x, y, generator(1))
    mu, logvar = model.posterior(x, y)
    z = mu + (0.5 * logvar).exp() * torch.empty_like(mu).normal_(generator=generator(1))
    recon = gaussian_nll(model.decode(z, y), x, 0.3) if options else bernoulli_nll(model.decode_logits(z, y), x)
    kl = kl_standard_normal(mu, logvar)
    torch.testing.assert_close(model.negative_log_likelihood(x, z, y), recon)
    torch.testing.assert_close(model.kl_per_dimension(x, y).sum(), kl.mean())
    torch.testing.assert_close(terms["loss"], (recon + options.get("beta", 1.0) * kl).mean())
    torch.testing.assert_close(terms["kl"], kl.mean())


def test_one_condition_for_all_is_that_condition_for_each():
    model, x, y = small(), images(), conditions()
    z = torch.randn(7, 3, generator=generator(2))
    torch.testing.assert_close(model.decode(z, y[2]), model.decode(z, y[2].repeat(7, 1)))
    torch.testing.assert_close(model.encode(x, y[2]), model.encode(x, y[2].repeat(7, 1)))
    assert not torch.allclose(model.decode(z, y[2]), model.decode(z, y[3]))
    assert not torch.allclose(model.encode(x, y[2]), model.encode(x, y[3]))


def test_classes_are_one_hot_vectors_of_any_type():
    model = small()
    z, hot = torch.zeros(2, 3), torch.nn.functional.one_hot(torch.tensor([3, 0]), 5)
    torch.testing.assert_close(model.decode(z, hot), model.decode(z, hot.float()))
    torch.testing.assert_close(model.decode(z, hot.bool()), model.decode(z, hot.float()))


class TestView:
    def test_is_a_latent_model_that_every_tool_takes(self):
        model, x, y = small(), images(), conditions()
        view = model.given(y[0])
        assert isinstance(view, LatentModel)
        assert isinstance(view, VAE)
        assert view.latent_shape == (3,)
        assert view.sample_latent(4, generator(3)).equal(model.sample_latent(4, generator(3)))
        assert model_device(view) == torch.device("cpu")
        z = encode_dataset(view, x, batch_size=3)
        torch.testing.assert_close(z, model.encode(x, y[0]).detach())
        torch.testing.assert_close(decode_dataset(view, z, batch_size=2), model.decode(z, y[0]).detach())
        assert latent_grid(view, (-1, 1), (-1, 1), steps=3).shape == (3, 3, *SHAPE)
        assert iwae_bound(view, x, 4, generator=generator()).shape == (7,)

    def test_shares_the_weights_both_ways(self):
        model, x, y = small(), images(), conditions()
        view = model.given(y)
        view.loss_terms(x, generator())["loss"].backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        before = view.decode(torch.zeros(7, 3))
        with torch.no_grad():
            model.decoder[-2].bias.add_(1)
        assert not torch.allclose(view.decode(torch.zeros(7, 3)), before)

    def test_follows_the_mode_of_its_model(self):
        model = small()
        assert model.given(conditions()[0]).training
        assert not model.eval().given(conditions()[0]).training

    def test_is_not_saved_in_place_of_its_model(self, tmp_path):
        with pytest.raises(TypeError, match="Conditioned is not one of"):
            checkpoints.save(small().given(conditions()[0]), tmp_path / "x", card={})

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_condition_moves_to_the_model(self):
        model = small().to("cuda")
        assert model.given(conditions()[0]).decode(model.sample_latent(2)).device.type == "cuda"


def test_a_schedule_counts_training_steps_through_the_view():
    model = small(beta=Annealing("linear", steps=4))
    used = [model.loss_terms(images(), conditions(), generator())["beta"].item() for _ in range(6)]
    assert used == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert int(model.step) == 6
    model.eval()
    model.loss_terms(images(), conditions(), generator())
    assert int(model.step) == 6


@pytest.mark.parametrize("options", [{}, {"architecture": "conv", "likelihood": "gaussian", "std": 0.2, "beta": 3.0}])
def test_checkpoints_keep_every_option(tmp_path, options):
    model = small(**options)
    file = checkpoints.save(model, tmp_path / "m", card={"what": "test"})
    again = checkpoints.load(file)
    assert type(again) is ConditionalVAE
    assert again.config == model.config | {"image_shape": [2, 4, 8]} or again.config == model.config
    x, y = images(), conditions()
    torch.testing.assert_close(again.posterior(x, y), model.posterior(x, y))
    torch.testing.assert_close(again.decode(torch.ones(7, 3), y), model.decode(torch.ones(7, 3), y))


def test_code_leaves_to_the_condition_what_the_condition_says():
    """Images are a sum of two bars of random brightness. Told one brightness, the code holds only the other."""
    a, b = torch.rand(2, 1500, 1, 1, 1, generator=generator(8))
    x = torch.zeros(1500, 1, 4, 8)
    x[:, :, :, :4], x[:, :, :, 4:] = a, b
    y = a.flatten(1)
    torch.manual_seed(0)
    model = ConditionalVAE(1, 1, hidden=32, image_shape=(1, 4, 8), likelihood="gaussian", std=0.1)
    batches = [(x[k : k + 50], y[k : k + 50]) for k in range(0, 1500, 50)]
    fit(model, batches, epochs=25, lr=5e-3, progress=False)
    with torch.no_grad():
        z = model.encode(x, y)[:, 0]
        correlation = torch.corrcoef(torch.stack([z, a.flatten(), b.flatten()]))[0]
        assert correlation[2].abs() > 0.9
        assert correlation[1].abs() < 0.4
        swapped = model.decode(model.encode(x, y), torch.full((1,), 0.75))  # edit: the left bar, and nothing else
        assert (swapped[:, :, :, :4] - 0.75).abs().mean() < 0.05
        assert (swapped[:, :, :, 4:] - x[:, :, :, 4:]).abs().mean() < 0.12


class TestErrors:
    def test_condition_of_another_shape(self):
        with pytest.raises(ValueError, match=r"condition has shape \(7, 4\) but this model takes 5 numbers.*one_hot"):
            small().encode(images(), torch.zeros(7, 4))
        with pytest.raises(ValueError, match=r"shape \(7,\)"):
            small().decode(torch.zeros(7, 3), torch.arange(7))
        with pytest.raises(ValueError, match=r"shape \(\)"):
            small().given(torch.tensor(1.0))

    def test_condition_of_another_kind(self):
        with pytest.raises(TypeError, match="must be a torch tensor, not list"):
            small().given([0.0] * 5)

    def test_number_of_conditions(self):
        with pytest.raises(ValueError, match="there are 4 conditions for 7 images"):
            small().encode(images(), conditions(4))
        with pytest.raises(ValueError, match="there are 4 conditions for 2 codes"):
            small().decode(torch.zeros(2, 3), conditions(4))

    def test_images_and_codes_are_checked_as_everywhere(self):
        with pytest.raises(ValueError, match="images have shape"):
            small().encode(torch.zeros(7, 2, 8, 4), conditions())
        with pytest.raises(ValueError, match="latent codes have shape"):
            small().decode(torch.zeros(7, 8), conditions())

    def test_arguments(self):
        with pytest.raises(ValueError, match="condition_dim is 0"):
            ConditionalVAE(2, 0)
        with pytest.raises(ValueError, match="likelihood is 'normal'"):
            ConditionalVAE(2, 3, likelihood="normal")
