"""Recipes: a tiny training end to end, and that every shipped reference model is what its card says."""

import dataclasses
import json
import re

import pytest
import safetensors.torch
import torch

from course_utils import recipes
from course_utils.checkpoints import checkpoint_dir, load, load_reference, read_card, reference_names, verify
from course_utils.data import fashion_mnist
from course_utils.models.autoencoder import DenoisingAutoencoder, SparseAutoencoder
from course_utils.models.vae import VAE
from course_utils.recipes import RECIPES, classifier, evaluate, train

PART_ONE = ("vae_2d", "autoencoder_2d", "autoencoder_8d", "autoencoder_32d", "denoising_32d", "sparse_k")
SHIPPED = reference_names()


def spelled(model) -> dict:
    """The name and arguments as a card has them."""
    return {"name": type(model).__name__, "arguments": json.loads(json.dumps(model.config))}


# -------------------------------------------------------------------------------- training one


@pytest.fixture
def few_images(monkeypatch):
    """Train on 300 of the bundled images instead of 11,000."""
    real = fashion_mnist
    monkeypatch.setattr(recipes.recipe, "fashion_mnist", lambda split, full: real(split, full=full, limit=300))


@pytest.mark.parametrize("name", ["sparse_k", "vae_2d"])
def test_training_a_recipe(name, tmp_path, few_images, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    file = train(name, epochs=1, full=False, device="cpu", progress=False)
    assert file == tmp_path / "home" / "checkpoints" / f"{name}.safetensors"
    card, model = read_card(file), load(file)
    assert card["name"] == name
    assert card["epochs"] == 1
    assert card["data"] == "Fashion-MNIST, the bundled 300 training images"
    assert card["command"].startswith(f"course train {name}")
    assert "--data bundled" in card["command"]
    assert "--epochs 1" in card["command"], "the command must make this very model again"
    assert spelled(model) == card["model"] == spelled(RECIPES[name].build())
    for metric, value in evaluate(model, fashion_mnist("test", limit=300)).items():
        assert value == pytest.approx(card["metrics"][metric], rel=0.01)


def test_a_folder_that_cannot_be_written_is_found_out_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes.reference, "_trained", lambda *_: pytest.fail("it began to train"))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written .*nothing was begun"):
        train("vae_2d", full=False, out=tmp_path / "file", progress=False)


def test_a_model_without_a_registered_name_is_found_out_before_the_training(tmp_path, monkeypatch):
    class Unknown(type(RECIPES["vae_2d"].build())):
        pass

    monkeypatch.setattr(recipes.reference, "_trained", lambda *_: pytest.fail("it began to train"))
    monkeypatch.setitem(RECIPES, "unknown", dataclasses.replace(RECIPES["vae_2d"], build=lambda: Unknown(2)))
    with pytest.raises(TypeError, match="Unknown is not one of course_utils.models.MODELS"):
        train("unknown", full=False, out=tmp_path, progress=False)


def test_training_twice_gives_the_same_model(tmp_path, few_images):
    weights = []
    for run in ("first", "second"):
        torch.rand(5)  # whatever happened before
        file = train("sparse_k", epochs=1, full=False, device="cpu", progress=False, out=tmp_path / run)
        weights.append(safetensors.torch.load_file(file))
    assert all(torch.equal(weights[1][key], value) for key, value in weights[0].items())


def test_codes_are_remembered_for_sampling(tmp_path, few_images):
    model = load(train("sparse_k", epochs=1, full=False, device="cpu", progress=False, out=tmp_path))
    codes = model.encode(fashion_mnist("train", limit=300).pixels())
    torch.testing.assert_close(model.latent_mean, codes.mean(0), rtol=0.02, atol=0.01)
    torch.testing.assert_close(model.latent_std, codes.std(0), rtol=0.02, atol=0.01)


def test_stopping_saves_nothing(tmp_path, few_images, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SparseAutoencoder, "loss_terms", interrupted)
    with pytest.raises(KeyboardInterrupt, match="training of sparse_k was stopped; nothing was saved"):
        train("sparse_k", epochs=1, full=False, device="cpu", progress=False, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unknown_recipe():
    with pytest.raises(
        ValueError, match="there is no recipe 'vae2d'. Did you mean 'vae_2d'.*The recipes are: vae_2d, "
    ):
        train("vae2d")
    with pytest.raises(ValueError, match=r"there is no recipe 'zzz'\. The recipes are"):
        train("zzz")


def test_absent_device_is_named_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.setattr(recipes.recipe, "fashion_mnist", lambda *_, **__: pytest.fail("data were loaded first"))
    with pytest.raises((ValueError, RuntimeError), match="'tpu', which is no device name"):
        train("vae_2d", device="tpu", out=tmp_path)


@pytest.mark.parametrize("name", ["vae_2d", "gan_fashion", "diffusion_fashion"])
def test_a_folder_that_cannot_be_written_is_named_before_anything_is_trained(name, monkeypatch, tmp_path):
    monkeypatch.setattr(recipes.recipe, "fashion_mnist", lambda *_, **__: pytest.fail("data were loaded first"))
    (tmp_path / "file").write_text("here")
    with pytest.raises(OSError, match=f"file/out/{name}.safetensors cannot be written .* so nothing was begun"):
        train(name, out=tmp_path / "file" / "out")
    (tmp_path / f"{name}.json").mkdir()
    with pytest.raises(OSError, match=rf"{name}.json cannot be written \(Is a directory\)"):
        train(name, out=tmp_path)


class TestEvaluating:
    class Grey(torch.nn.Module):
        """Encodes an image as its mean and decodes that as a grey square."""

        latent_shape = (1,)

        def encode(self, x):
            return x.mean((1, 2, 3))[:, None]

        def decode(self, z):
            return z[:, :, None, None].expand(-1, 1, 28, 28)

    def test_mse_is_a_mean_over_pixels_and_images(self):
        test = fashion_mnist("test", limit=70)
        x = test.pixels().double()
        expected = ((x - x.mean((1, 2, 3), keepdim=True)) ** 2).mean().item()
        assert evaluate(self.Grey(), test, batch_size=32) == {"test_mse": pytest.approx(expected, rel=1e-4)}

    def test_elbo_of_a_vae(self):
        torch.manual_seed(0)
        model, test = VAE(2, hidden=8), fashion_mnist("test", limit=70)
        before = torch.get_rng_state()
        metrics = evaluate(model, test, batch_size=32)
        assert torch.equal(torch.get_rng_state(), before)
        assert metrics == evaluate(model, test, batch_size=32)
        mu, logvar = model.posterior(test.pixels())
        q = torch.distributions.Normal(mu, (logvar / 2).exp())
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean().item()
        assert metrics["test_kl"] == pytest.approx(kl, rel=1e-3)
        assert metrics["test_negative_elbo"] == pytest.approx(metrics["test_recon"] + metrics["test_kl"], rel=1e-4)
        assert 500 < metrics["test_recon"] < 600  # untrained: about 784 log 2 = 543


# -------------------------------------------------------------------------------- the recipes themselves


def test_each_recipe_has_its_model():
    assert set(RECIPES) == set(SHIPPED)


def test_part_one_has_its_models():
    assert set(PART_ONE) <= set(RECIPES)
    assert set(PART_ONE) <= set(SHIPPED)


def test_recipes_are_what_their_names_say():
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        model = recipe.build()
        size = re.search(r"_(\d+)d", name)
        if size:
            assert model.latent_shape == (int(size.group(1)),)
        assert ("VAE" in recipe.what) == isinstance(model, VAE)
    assert isinstance(RECIPES["denoising_32d"].build(), DenoisingAutoencoder)
    sparse = RECIPES["sparse_k"].build()
    assert (sparse.latent_shape, sparse.k) == ((256,), 16)
    assert all(text in RECIPES["sparse_k"].what for text in ("256", "16"))


# -------------------------------------------------------------------------------- the shipped models


@pytest.mark.parametrize("name", SHIPPED)
class TestShipped:
    def test_verifies_and_its_card_is_complete(self, name):
        card = verify(name)
        for field in ("what", "data", "seed", "command", "metrics", "versions", "sha256", "model", "epochs"):
            assert card[field] or card[field] == 0, field
        assert {"python", "torch"} <= set(card["versions"])
        assert card["command"].startswith(f"course train {name}")
        sizes = {"Fashion-MNIST": "60,000", "Drawn faces of 64 x 64 pixels": "40,000"}
        assert sizes.get(RECIPES[name].data, "40,000") in card["data"]

    def test_was_made_by_its_recipe(self, name):
        card, recipe = verify(name), RECIPES[name]
        found, built = card["model"], spelled(recipe.build())
        for model in (found, built):
            model.get("arguments", {}).pop("scaling_factor", None)  # the training chooses it
        assert found == built
        for field in ("name", "what", "seed", "epochs"):
            assert card[field] == getattr(recipe, field), field
        assert "--epochs" not in card["command"]

    def test_reaches_what_its_card_claims(self, name):
        """On the 2,000 bundled test images; the card's numbers are for all 10,000."""
        if "snapshots" in verify(name):
            return  # several moments of one training, which load_snapshots reads
        recipe = RECIPES[name]
        if recipe.measure not in (None, classifier.accuracy):
            return  # what a family measures in its own way, its own test compares
        model, test = load_reference(name), recipe.images("test", False)
        with torch.random.fork_rng():
            measured = (recipe.measure or evaluate)(model, test)
        claimed = {key: value for key, value in verify(name)["metrics"].items() if key in measured}
        assert {"test_mse", "test_accuracy"} & set(claimed)
        close = 0.01 if recipe.measure else 0.1  # a KL term may be close to 0 nats
        assert measured == pytest.approx(claimed, rel=0.05 if recipe.measure is None else 0, abs=close)

    def test_is_small(self, name):
        assert (checkpoint_dir() / f"{name}.safetensors").stat().st_size < 2.6e6


def test_reference_models_are_small_together():
    assert sum(file.stat().st_size for file in checkpoint_dir().iterdir()) < 34e6


def test_reference_models_are_in_order_of_their_code():
    """More numbers in the code, a better reconstruction; and all beat the average image by far."""
    mse = {name: verify(name)["metrics"]["test_mse"] for name in PART_ONE}
    assert mse["autoencoder_32d"] < mse["autoencoder_8d"] < mse["autoencoder_2d"] < 0.04
    x = fashion_mnist("test").pixels()
    assert max(mse.values()) < 0.5 * (x - x.mean(0)).square().mean().item()


def test_the_sparse_model_is_sparse():
    z = load_reference("sparse_k").encode(fashion_mnist("test", limit=200).pixels())
    active = (z > 0).sum(1)
    assert active.max() <= 16
    assert active.float().mean() > 8
