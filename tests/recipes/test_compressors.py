"""The recipe of the faces' compressor, and that the shipped one keeps what its card promises."""

import math

import pytest
import torch
from helpers import generator

from course_utils.checkpoints import checkpoint_dir, load, load_reference, read_card, verify
from course_utils.data.faces import HANDLES, sample_faces
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.metrics import frechet_distance, image_features
from course_utils.models.autoencoder_kl import AutoencoderKL
from course_utils.recipes import RECIPES, faces64, train
from course_utils.recipes.compressors import nearly_silent_loss

NAME = "faces_kl"
DIFFUSERS = pytest.mark.slow_because("importing diffusers' class takes seconds")


def small(**options) -> AutoencoderKL:
    torch.manual_seed(0)
    few = {"block_out_channels": (4, 8), "norm_num_groups": 2, "sample_size": (8, 12), "scaling_factor": 1.0}
    return AutoencoderKL(**(few | options))


def test_name_and_sizes():
    model = RECIPES[NAME].build()
    assert (model.latent_shape, model.image_shape, model.scaling_factor) == ((4, 8, 8), (3, 64, 64), 1.0)
    assert RECIPES[NAME].needs == ("faces64_regressor",)


class TestLoss:
    def test_by_hand_with_torch_distributions(self):
        model, x = small(), torch.rand(5, 3, 8, 12, generator=generator())
        terms = nearly_silent_loss(model, x, generator(1), beta=0.3)
        mu, logvar = model.posterior(x)
        std = logvar.exp().sqrt()
        q, prior = torch.distributions.Normal(mu, std), torch.distributions.Normal(torch.zeros(()), torch.ones(()))
        kl = torch.distributions.kl_divergence(q, prior).sum((1, 2, 3)).mean().item()
        z = mu + std * torch.empty_like(mu).normal_(generator=generator(1))
        mse = (model.restore(z) - x).double().square().mean().item()
        assert terms["kl"].item() == pytest.approx(kl, rel=1e-4)
        assert terms["mse"].item() == pytest.approx(mse, rel=1e-4)
        assert terms["loss"].item() == pytest.approx(3 * 8 * 12 / 2 * math.log(mse) + 0.3 * kl, rel=1e-4)

    def test_it_is_the_gaussian_likelihood_at_its_best_std(self):
        """No other std gives the batch a smaller negative log-likelihood; at the best one a constant is left out."""
        model, x = small(), torch.rand(5, 3, 8, 12, generator=generator())
        terms = nearly_silent_loss(model, x, generator(1), beta=0.0)
        n, mse = x[0].numel(), terms["mse"].item()
        nll = [n * (mse / (2 * v) + 0.5 * math.log(2 * math.pi * v)) for v in (mse / 1.1, mse, mse * 1.1)]
        assert nll[1] < min(nll[0], nll[2])
        assert terms["loss"].item() == pytest.approx(nll[1] - n / 2 * (1 + math.log(2 * math.pi)), rel=1e-4)

    def test_the_weight_decides_how_much_the_codes_say(self):
        """The same steps with a weight of 20 leave less KL."""
        x, kl = sample_faces(64, 0, size=16).images[:, :, 4:12, 2:14] / 255, []
        for weight in (0.02, 20.0):
            model = small()
            optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
            for some in torch.arange(64).repeat(4).split(32):
                terms = nearly_silent_loss(model, x[some], generator(2), beta=weight)
                optimizer.zero_grad()
                terms["loss"].backward()
                optimizer.step()
            kl.append(terms["kl"].item())
        assert kl[1] < 0.8 * kl[0]


@pytest.mark.slow_because("a training and its measurement, end to end")
def test_a_recipe_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(faces64, "_SIZES", {"train": (96, 96), "test": (40, 40)})
    file = train(NAME, epochs=2, device="cpu", progress=False, out=tmp_path)
    card, model = read_card(file), load(file)
    assert card["data"] == "Drawn faces of 64 x 64 pixels, all 96 training images"
    assert not list((tmp_path / "home").rglob("*unfinished*"))
    faces = sample_faces(96, 0, size=64)
    assert encode_dataset(model, faces).std(correction=0).item() == pytest.approx(1, abs=0.02)
    assert model.scaling_factor == card["model"]["arguments"]["scaling_factor"] != 1
    test, metrics = sample_faces(40, 1, size=64), card["metrics"]
    x_hat = decode_dataset(model, encode_dataset(model, test))
    assert metrics["test_mse"] == pytest.approx((x_hat - test.pixels()).square().mean().item(), rel=0.01)
    assert metrics["psnr"] == pytest.approx(-10 * math.log10(metrics["test_mse"]), abs=0.01)
    regressor = load_reference("faces64_regressor")
    real = image_features(test, regressor)
    assert metrics["frechet"] == pytest.approx(frechet_distance(image_features(x_hat, regressor), real), rel=0.02)
    floor = frechet_distance(image_features(faces[:40], regressor), real)
    assert metrics["floor_frechet"] == pytest.approx(floor, rel=0.02)
    mu, logvar = model.posterior(test.pixels())
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum((1, 2, 3)).mean().item()
    assert metrics["test_kl"] == pytest.approx(kl, rel=0.01)
    assert {f"r2_{name}" for name in HANDLES} < set(metrics)


# -------------------------------------------------------------------------------- the shipped model


@pytest.fixture(scope="module")
def shipped():
    return load_reference(NAME)


def test_its_card_says_what_lesson_14_needs():
    claimed = verify(NAME)["metrics"]
    assert claimed["frechet"] < 2 * claimed["floor_frechet"]
    assert claimed["psnr"] > 31
    assert claimed["r2_smile"] > 0.9
    assert min(claimed[f"r2_{name}"] for name in HANDLES) > 0.8
    assert (checkpoint_dir() / f"{NAME}.safetensors").stat().st_size < 2e6


@pytest.mark.slow_because("decodes hundreds of faces")
def test_the_shipped_one_is_as_good_as_its_card_says(shipped):
    """On the first 500 test faces."""
    claimed, test = verify(NAME)["metrics"], sample_faces(500, 1, size=64)
    codes = encode_dataset(shipped, test, 250)
    restored = decode_dataset(shipped, codes, 250)
    assert -10 * math.log10((restored - test.pixels()).square().mean()) == pytest.approx(claimed["psnr"], abs=0.3)
    assert codes.std(correction=0).item() == pytest.approx(1, abs=0.05)
    assert codes.shape[1:] == (4, 8, 8)
    read = faces64.read_handles(load_reference("faces64_regressor"), restored)
    shares = faces64.variance_read(read, test.handles)
    assert shares["smile"] == pytest.approx(claimed["r2_smile"], abs=0.03)


@DIFFUSERS
def test_the_real_class_reads_the_shipped_one(shipped, tmp_path):
    """It has to be given patches of 2 x 2 pixels, see `patch_size`."""
    from diffusers import AutoencoderKL as Real

    real = Real.from_pretrained(shipped.save_pretrained(tmp_path)).eval()
    x = sample_faces(3, 1, size=64).pixels()
    patches = torch.nn.functional.pixel_unshuffle(2 * x - 1, 2)
    with torch.no_grad():
        mu = real.encode(patches).latent_dist.mean
        torch.testing.assert_close(shipped.posterior(x)[0], mu, rtol=0, atol=1e-4)
        decoded = torch.nn.functional.pixel_shuffle(real.decode(mu).sample, 2) / 2 + 0.5
        torch.testing.assert_close(shipped.restore(mu), decoded, rtol=0, atol=1e-5)
        assert real.config.scaling_factor == shipped.scaling_factor
        torch.testing.assert_close(shipped.encode(x), real.config.scaling_factor * mu, rtol=0, atol=1e-4)
