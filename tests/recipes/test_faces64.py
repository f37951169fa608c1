"""Recipes of the models of 64-pixel faces, and that the shipped ones keep what their cards promise."""

import copy

import pytest
import torch
from helpers import generator
from scipy.stats import ks_2samp
from torch.nn.functional import avg_pool2d

from course_utils import checkpoints
from course_utils.checkpoints import checkpoint_dir, load, load_reference, read_card, reference_names, verify
from course_utils.data.faces import (
    HANDLES,
    default_handles,
    face_plane,
    plane_faces,
    render_faces,
    sample_faces,
    sample_handles,
)
from course_utils.gaussian import kl_standard_normal
from course_utils.latents import decode_dataset, encode_dataset
from course_utils.losses import gaussian_nll
from course_utils.models.regressor import Regressor
from course_utils.models.vae import VAE
from course_utils.recipes import RECIPES, evaluate, faces64, train
from course_utils.recipes.recipe import Recipe
from course_utils.training import History

NAMES = ("faces64_regressor", "faces64_vae")
CPU = torch.device("cpu")
PROMISED = dict.fromkeys(("smile", "turn", "light", "glasses", "hair_color"), 0.97) | {"age": 0.93}
PROMISED_PSNR = 33.0
shipped = pytest.mark.skipif(not set(NAMES) <= set(reference_names()), reason="not both are trained yet")


def small(seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(3, architecture="residual", hidden=8, image_shape=(3, 16, 16), likelihood="gaussian", std=0.1)


def recipe(**options) -> Recipe:
    return Recipe("faces64_small", "a small one", small, **{"batch_size": 16, "lr": 3e-3, **options})


def few(n: int = 64):
    return sample_faces(n, 0, size=16)


def test_names_and_sizes():
    assert set(NAMES) <= set(RECIPES)
    vae, regressor = (RECIPES[name].build() for name in reversed(NAMES))
    assert vae.image_shape == regressor.image_shape == (3, 64, 64)
    assert vae.latent_shape == (faces64.LATENT_DIM,)
    assert regressor.config["ranges"] == [(handle.low, handle.high) for handle in HANDLES.values()]
    train_, test = (faces64.face64_images(split, False) for split in ("train", "test"))
    assert (len(train_), len(test)) == (2000, 500)
    assert torch.equal(train_.images[:3], sample_faces(3, 0, size=64).images)
    assert torch.equal(test.handles, sample_faces(500, 1, size=64).handles)
    tied = [faces64.face64_images(split, False, correlated=True).handles for split in ("train", "test")]
    smile, light = (list(HANDLES).index(name) for name in ("smile", "light"))
    correlations = [torch.corrcoef(handles.T)[smile, light].item() for handles in tied]
    assert correlations[0] > 0.8 > 0.15 > abs(correlations[1])


class TestMeasuring:
    def test_share_of_the_variance_by_hand(self):
        handles = sample_handles(50, generator=generator(1))
        read = handles + 0.1 * torch.randn(handles.shape, generator=generator(2))
        shares = faces64.variance_read(read, handles)
        assert list(shares) == list(HANDLES)
        for k, name in enumerate(HANDLES):
            error = ((read[:, k] - handles[:, k]).double() ** 2).mean().item()
            assert shares[name] == pytest.approx(1 - error / handles[:, k].double().var(correction=0).item(), rel=1e-4)

    @pytest.mark.parametrize(("std", "db"), [(0.1, 20.0), (0.01, 40.0)])
    def test_psnr_of_noise(self, std, db):
        noise = std * torch.randn(20_000, generator=generator(3))
        assert faces64.psnr(noise.square().mean().item()) == pytest.approx(db, abs=0.15)

    def test_gaps_against_scipy(self):
        one, other = sample_handles(70, generator=generator(4)), sample_handles(45, generator=generator(5)) ** 3
        other[:, 3] = one[:45, 3]  # ties
        gaps = faces64.distribution_gaps(one, other)
        assert list(gaps) == list(HANDLES)
        for k, gap in enumerate(gaps.values()):
            assert gap == pytest.approx(ks_2samp(one[:, k].numpy(), other[:, k].numpy()).statistic, abs=1e-6)
        assert max(gaps.values()) > 2 * min(gaps.values()) > 0

    def test_draws_are_compared_with_the_test_faces_and_floor_with_training_faces(self):
        test = sample_faces(40, 1, size=64)
        same, blurred = test.pixels(), avg_pool2d(test.pixels(), 9, stride=1, padding=4)
        right, wrong = faces64.measure_draws(same, test), faces64.measure_draws(blurred, test)
        assert right["frechet"] == pytest.approx(0, abs=1e-2)
        assert right["precision"] == right["recall"] == 1
        assert right["gap_smile"] == 0 < right["floor_frechet"] < wrong["frechet"]
        assert wrong["gap_smile"] > 0.2
        assert {key: right[key] for key in right if "floor" in key} == {
            key: wrong[key] for key in wrong if "floor" in key
        }

    def test_obeyed_handles_by_hand(self):
        """Of pictures of which a stand-in reads what we say."""

        class Told(torch.nn.Module):
            def forward(self, x):
                rows = {0: default_handles(1, smile=1.0, glasses=1), 1: default_handles(1, smile=-1.0, age=0.0)}
                return torch.cat([rows[int(image.mean().round())] for image in x])

        dark, light = torch.zeros(3, 4, 4), torch.ones(3, 4, 4)
        captions = ["a person with brown hair, smiling, glasses", "a young person with red hair, smiling", "frowning"]
        shares = faces64.handles_obeyed(torch.stack([dark, light, light]), captions, regressor=Told())
        assert shares == {
            "obeyed": 5 / 7, "obeyed_age": 1.0, "obeyed_hair_color": 0.5, "obeyed_smile": 2 / 3, "obeyed_glasses": 1.0
        }  # fmt: skip

    def test_real_faces_obey_their_captions_and_shuffled_captions_are_not_obeyed(self):
        faces = sample_faces(500, 1, size=64)
        images = faces.pixels()
        right = faces64.handles_obeyed(images, faces.captions, real=faces[:50])
        assert right["obeyed"] > 0.96
        assert 0.9 < right["real_obeyed"] <= 1
        assert min(right.values()) > 0.8
        wrong = faces64.handles_obeyed(images, faces.captions[1:] + faces.captions[:1])
        assert 0.25 < wrong["obeyed"] < 0.36, "what chance gives"

    def test_captions_that_cannot_be_scored(self):
        with pytest.raises(ValueError, match="there are 2 images and 1 captions"):
            faces64.handles_obeyed(torch.zeros(2, 3, 64, 64), ["smiling"])
        with pytest.raises(ValueError, match="no handle is named in 1 captions"):
            faces64.handles_obeyed(torch.zeros(1, 3, 64, 64), ["a person"])

    def test_numbers_of_a_regressor(self):
        torch.manual_seed(0)
        model = Regressor([(h.low, h.high) for h in HANDLES.values()], hidden=4, image_shape=(3, 32, 32))
        test = sample_faces(300, 1, size=32)
        metrics = faces64.measure_regressor(model, test)
        assert model.training, "it was only read"
        with torch.no_grad():
            read = model.eval()(test.pixels())
        for k, name in enumerate(HANDLES):
            error = (read[:, k] - test.handles[:, k]).square().mean().sqrt().item()
            assert metrics[f"error_{name}"] == pytest.approx(error, rel=2e-3)
            share = 1 - error**2 / test.handles[:, k].var(correction=0).item()
            assert metrics[f"r2_{name}"] == pytest.approx(share, rel=2e-3, abs=2e-3)

    def test_a_vae_is_read_by_the_reference_regressor(self, monkeypatch):
        """With a regressor that says the mean brightness for each handle, the numbers can be worked out."""
        asked = []

        class Brightness(torch.nn.Module):
            def forward(self, x):
                return x.mean((1, 2, 3))[:, None].expand(-1, len(HANDLES))

        def reference(name):
            asked.append(name)
            return Brightness()

        monkeypatch.setattr(checkpoints, "load_reference", reference)
        model, test = small().eval(), sample_faces(40, 1, size=16)
        metrics = faces64.measure_vae(model, test)
        assert asked == ["faces64_regressor"]
        with torch.no_grad():
            x_hat = model.decode(model.encode(test.pixels()))
        mse = (x_hat - test.pixels()).square().mean()
        assert metrics["psnr"] == pytest.approx(-10 * mse.log10().item(), rel=1e-3)
        assert metrics["test_mse"] == pytest.approx(mse.item(), rel=1e-3)
        said = x_hat.mean((1, 2, 3))[:, None].expand(-1, len(HANDLES))
        wanted = faces64.variance_read(said, test.handles)
        assert metrics["r2_smile"] == pytest.approx(wanted["smile"], rel=1e-3)
        assert {f"r2_{name}" for name in HANDLES} <= set(metrics)


class TestTraining:
    def test_the_loss_is_the_negative_elbo_at_the_std_that_makes_it_smallest(self):
        """But for n/2 (1 + log 2 pi), which no weight changes."""
        model, x = small(), few(6).pixels()
        terms = faces64.loss_at_best_std(model, x, generator(1))
        with torch.no_grad():
            mu, logvar = model.posterior(x)
            z = mu + (0.5 * logvar).exp() * torch.empty_like(mu).normal_(generator=generator(1))
            x_hat, kl = model.decode(z), kl_standard_normal(mu, logvar).mean()
            elbos = {std: (gaussian_nll(x_hat, x, std).mean() + kl).item() for std in torch.linspace(0.1, 0.5, 2001)}
        best = min(elbos, key=elbos.get)
        n = x[0].numel()
        constant = n / 2 * (1 + torch.log(torch.tensor(2 * torch.pi)).item())
        assert terms["loss"].item() + constant == pytest.approx(elbos[best], rel=1e-4)
        assert terms["mse"].item() == pytest.approx(best.item() ** 2, rel=2e-3)
        assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-5)

    def test_what_was_stopped_goes_on_to_the_very_same_weights(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COURSE_HOME", str(tmp_path))
        whole, stopped, again, calls = small(), small(), small(), []
        torch.manual_seed(7)
        faces64.run(whole, few(), recipe(), epochs=3, device=CPU)
        real = faces64.loss_at_best_std

        def interrupted(model, x):
            calls.append(len(x))
            if len(calls) == 7:  # in the second epoch of four steps
                raise KeyboardInterrupt
            return real(model, x)

        torch.manual_seed(7)
        with pytest.raises(KeyboardInterrupt, match="faces64_small was stopped; its whole epochs are kept in") as e:
            faces64.run(stopped, few(), recipe(), epochs=3, device=CPU, loss=interrupted)
        (file,) = (tmp_path / "checkpoints").iterdir()
        assert str(file) in str(e.value)
        torch.rand(5)  # whatever happened in between
        faces64.run(again, few(), recipe(), epochs=3, device=CPU)
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
        assert not file.exists(), "it is finished"

    def test_labels_and_the_models_own_loss(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COURSE_HOME", str(tmp_path))
        seen = []

        class Told(VAE):
            def loss_terms(self, x, y):
                seen.append((x, y))
                return super().loss_terms(x)

        model = Told(3, architecture="residual", hidden=8, image_shape=(3, 16, 16), likelihood="gaussian", std=0.1)
        faces, told = few(20), recipe(labels=lambda images: images.handles[:, :2])
        faces64.run(model, faces, told, epochs=1, device=CPU, loss=None)
        x, y = (torch.cat(parts) for parts in zip(*seen, strict=True))
        order = [int((faces.pixels() - image).abs().amax((1, 2, 3)).argmin()) for image in x]
        assert sorted(order) == list(range(20))
        assert torch.equal(y, faces.handles[order, :2])

    def test_another_training_does_not_go_on_from_it(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COURSE_HOME", str(tmp_path))
        seen = []
        monkeypatch.setattr(History, "load", lambda path: seen.append(path))
        (tmp_path / "checkpoints").mkdir()
        for epochs, n in ((2, 64), (1, 48)):
            model = small()
            before = copy.deepcopy(model.state_dict())
            (tmp_path / "checkpoints" / f"faces64_small_seed_0_64_images_{3 - epochs}_epochs_unfinished.pt").touch()
            faces64.run(model, few(n), recipe(), epochs=epochs, device=CPU)
            assert any(not torch.equal(a, before[name]) for name, a in model.state_dict().items())
        assert seen == []

    def test_a_recipe_from_end_to_end(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
        monkeypatch.setattr(faces64, "_SIZES", {"train": (64, 64), "test": (40, 40)})
        file = train("faces64_regressor", epochs=1, device="cpu", progress=False, out=tmp_path)
        card = read_card(file)
        assert card["data"] == "Drawn faces of 64 x 64 pixels, all 64 training images"
        assert {f"{kind}_{name}" for kind in ("r2", "error") for name in HANDLES} == set(card["metrics"])
        monkeypatch.setattr(checkpoints, "checkpoint_dir", lambda: tmp_path)
        file = train("faces64_vae", epochs=1, device="cpu", progress=False, out=tmp_path)
        metrics, model = read_card(file)["metrics"], load(file)
        assert {"psnr", "test_mse", "test_kl", *(f"r2_{name}" for name in HANDLES)} <= set(metrics)
        assert evaluate(model, sample_faces(40, 1, size=64))["test_mse"] == pytest.approx(metrics["test_mse"], rel=0.01)


@pytest.fixture(scope="module")
def unseen():
    return sample_faces(400, seed=1, size=64)


@shipped
class TestShipped:
    def test_the_regressor_reads_what_its_card_says(self, unseen):
        claimed = verify("faces64_regressor")["metrics"]
        measured = faces64.measure_regressor(load_reference("faces64_regressor"), unseen)
        for name in HANDLES:
            assert measured[f"r2_{name}"] == pytest.approx(claimed[f"r2_{name}"], abs=0.01)
            assert claimed[f"r2_{name}"] > 0.95

    def test_the_card_of_the_vae_keeps_its_promises(self):
        metrics = verify("faces64_vae")["metrics"]
        assert {name: metrics[f"r2_{name}"] for name, least in PROMISED.items() if metrics[f"r2_{name}"] < least} == {}
        assert metrics["psnr"] >= PROMISED_PSNR

    def test_the_vae_is_what_its_card_says(self, unseen):
        claimed, measured = verify("faces64_vae")["metrics"], faces64.measure_vae(load_reference("faces64_vae"), unseen)
        assert measured["psnr"] == pytest.approx(claimed["psnr"], abs=0.3)
        for name in HANDLES:
            lost, said = 1 - measured[f"r2_{name}"], 1 - claimed[f"r2_{name}"]
            assert lost == pytest.approx(said, rel=0.4, abs=0.01), name

    def test_the_regressor_tells_a_face_without_its_smile(self, unseen):
        """What is read from reconstructions would fall if the smile were lost: here it is, by drawing."""
        handles = unseen.handles.clone()
        handles[:, 0] = 0.0
        regressor = load_reference("faces64_regressor")
        shares = faces64.variance_read(faces64.read_handles(regressor, render_faces(handles, 64)), unseen.handles)
        assert shares["smile"] < 0.1
        assert shares["turn"] > 0.95

    def test_they_are_small(self):
        sizes = [file.stat().st_size for name in NAMES for file in checkpoint_dir().glob(f"{name}.*")]
        assert len(sizes) == 4
        assert sum(sizes) < 5e6


@pytest.fixture(scope="module")
def grid():
    """Pictures at 7 x 7 points of the plane, x and then y from -1 to 1, and the handles read from them."""
    side = torch.linspace(-1, 1, 7)
    points = torch.cartesian_prod(side, side)
    model = load_reference("faces64_vae")
    images = decode_dataset(model, face_plane(model)[1](points))
    read = faces64.read_handles(load_reference("faces64_regressor"), images)
    return images, dict(zip(HANDLES, read.unflatten(0, (7, 7)).unbind(2), strict=True))  # each (x, y)


def redrawn(images: torch.Tensor) -> torch.Tensor:
    """How near each image is to what the renderer draws from the handles that are read from it, (N,) in dB."""
    low, high = (torch.tensor([getattr(handle, end) for handle in HANDLES.values()]) for end in ("low", "high"))
    handles = faces64.read_handles(load_reference("faces64_regressor"), images).clamp(low, high)
    return -10 * (render_faces(handles, 64) - images).square().mean((1, 2, 3)).log10()


@shipped
class TestPlane:
    """The map that lesson 00 opens with: faces all over it, and what its two directions say."""

    def test_to_the_right_the_head_and_the_light_turn_and_upwards_smile_and_hair_change(self, grid):
        _, read = grid
        for name in ("turn", "light"):
            assert (read[name].diff(dim=0) > 0).all(), name
            assert (read[name][-1] - read[name][0]).min() > 1.2
        for name in ("smile", "hair_color"):
            assert read[name][:, -1].min() > read[name][:, 0].max()
            assert (read[name][:, -1] - read[name][:, 0]).min() > 0.5

    def test_each_picture_is_a_face_that_the_renderer_could_have_drawn(self, grid):
        """It draws the handles that are read, and this is the decoded picture, nearly: no double exposure passes."""
        images, _ = grid
        left, right = render_faces(plane_faces(), 64)[:2]
        assert redrawn(images).min() > 22 > redrawn((left + right)[None] / 2).max()

    def test_codes_of_other_faces_lie_around_it(self, unseen):
        model = load_reference("faces64_vae")
        points = face_plane(model)[0](encode_dataset(model, unseen))
        together = torch.cat([points, unseen.handles], dim=1).T
        with_x, with_y = torch.corrcoef(together)[:2, 2:]
        names = list(HANDLES)
        assert with_x[names.index("turn")] + with_x[names.index("light")] + with_x[names.index("background")] > 0.5
        assert with_y[names.index("hair_color")] > 0.5
