"""Recipes of the GANs: a tiny training end to end, what their cards say, and the comparison that the lesson quotes."""

import json
import sys
from dataclasses import asdict

import pytest
import torch
from helpers import ROOT

from course_utils import recipes
from course_utils.checkpoints import checkpoint_dir, load, load_reference, read_card, reference_names, verify
from course_utils.data import fashion_mnist
from course_utils.data.faces import sample_faces
from course_utils.models.gan import GAN
from course_utils.recipes import RECIPES, gan, train


@pytest.fixture
def few_images(monkeypatch):
    real = fashion_mnist
    monkeypatch.setattr(recipes.recipe, "fashion_mnist", lambda split, full: real(split, full=full, limit=96))


def test_training_a_gan(tmp_path, few_images):
    file = train("gan_fashion", epochs=1, full=False, device="cpu", progress=False, out=tmp_path)
    card, model = read_card(file), load(file)
    assert isinstance(model, GAN)
    assert not model.training
    assert file.stat().st_size < 0.7e6, "the discriminator is not kept"
    quality = ("frechet", "precision", "recall", "density", "coverage")
    assert set(card["metrics"]) == {*quality, *(f"floor_{name}" for name in quality)}
    assert card["metrics"]["floor_frechet"] < card["metrics"]["frechet"]
    torch.manual_seed(0)
    start = RECIPES["gan_fashion"].build()
    moved = (model.generator.layers[0].weight - start.generator.layers[0].weight).abs().max().item()
    assert 1e-5 < moved < 0.1


@pytest.mark.parametrize(("name", "spectral", "r1"), [("gan_fashion", True, False), ("faces64_gan", False, True)])
def test_each_gan_is_trained_with_the_regulariser_that_its_card_names(name, spectral, r1, few_images, monkeypatch):
    seen = {}

    def stop(generator, discriminator, batches, *, settings, **_):
        seen.update(names=list(discriminator.state_dict()), settings=settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(gan, "train_gan", stop)
    with pytest.raises(KeyboardInterrupt):
        train(name, epochs=1, full=False, device="cpu", progress=False)
    what = read_card(checkpoint_dir() / f"{name}.safetensors")["what"]
    assert any("parametrizations" in weight for weight in seen["names"]) == spectral == ("spectral" in what)
    assert (seen["settings"].r1 > 0) == r1 == ("R1" in what)
    assert seen["settings"].loss == "non_saturating"


def test_a_gan_of_faces_is_built_for_faces():
    recipe = RECIPES["faces64_gan"]
    assert recipe.build().image_shape == tuple(sample_faces(1, size=64).images.shape[1:])
    assert recipe.images("train", False).images.shape[1:] == (3, 64, 64)


def test_stopping_at_once_saves_nothing(tmp_path, few_images, monkeypatch):
    class Stopped:
        interrupted = True

    monkeypatch.setattr(gan, "train_gan", lambda *a, **k: Stopped())
    with pytest.raises(KeyboardInterrupt, match="training of gan_fashion was stopped; nothing was saved"):
        train("gan_fashion", epochs=1, full=False, device="cpu", progress=False, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_gan_that_was_stopped_goes_on(tmp_path, few_images, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    whole = train("gan_fashion", epochs=2, full=False, device="cpu", progress=False, out=tmp_path / "whole")
    real, calls = gan.train_gan, []

    def stopped(generator, discriminator, batches, **options):
        """Stopped by Ctrl-C at the fifth of six steps, at the first call."""
        calls.append(options["resume"] is not None)
        if len(calls) == 1:
            seen = []

            def interrupt(*_):
                seen.append(1)
                if len(seen) == 5:
                    raise KeyboardInterrupt

            discriminator.register_full_backward_hook(interrupt)
        return real(generator, discriminator, batches, **{**options, "save_every": 0, "record_every": 1})

    monkeypatch.setattr(gan, "train_gan", stopped)
    with pytest.raises(KeyboardInterrupt, match="what it reached is kept in .*gan_fashion_seed_0_.*unfinished.pt"):
        train("gan_fashion", epochs=2, full=False, device="cpu", progress=False, out=tmp_path / "parts")
    assert len(list((tmp_path / "home" / "checkpoints").iterdir())) == 1
    parts = train("gan_fashion", epochs=2, full=False, device="cpu", progress=False, out=tmp_path / "parts")
    assert calls == [False, True]
    assert list((tmp_path / "home" / "checkpoints").iterdir()) == []
    for one, other in zip(load(whole).parameters(), load(parts).parameters(), strict=True):
        assert torch.equal(one, other)


SHIPPED = [name for name in reference_names() if name in ("gan_fashion", "faces64_gan")]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_gans_are_as_good_as_their_cards_say(name):
    """On the smaller test set; the Frechet distance is larger there, for real images too."""
    model, card = load_reference(name), verify(name)
    assert (checkpoint_dir() / f"{name}.safetensors").stat().st_size < 2e6
    assert card["metrics"]["floor_frechet"] < card["metrics"]["frechet"] < 40
    measured = RECIPES[name].measure(model, RECIPES[name].images("test", False))
    for share in ("precision", "recall", "coverage"):
        assert measured[share] == pytest.approx(card["metrics"][share], abs=0.1)
    excess = measured["frechet"] - measured["floor_frechet"]
    assert excess == pytest.approx(card["metrics"]["frechet"] - card["metrics"]["floor_frechet"], rel=0.4, abs=1)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_gans_encode_images_that_they_never_saw(name):
    x = RECIPES[name].images("test", False).pixels(slice(0, 8))
    model = load_reference(name)
    error = (model.decode(model.encode(x)) - x).square().mean()
    assert error < 0.5 * (x - x.mean(0)).square().mean()


# ------------------------------------------------------------------------------ the comparison


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gan as comparison

    yield comparison
    sys.modules.pop("gan", None)


def test_the_comparison_runs_and_writes_what_it_prints(comparison, tmp_path, capsys, monkeypatch):
    real = fashion_mnist
    monkeypatch.setattr(comparison, "fashion_mnist", lambda split, full: real(split, full=full, limit=96))
    out = tmp_path / "comparison.json"
    arguments = f"--seeds 3 4 --steps 2 --no-tuning --data bundled --out {out}".split()
    assert comparison.main(arguments) == 0
    numbers, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert [way["steps"] for way in numbers["ways"]] == [[2, 2]] * 5
    assert numbers["seeds"] == [3, 4]
    for way in numbers["ways"]:
        row = next(line for line in printed.splitlines() if line.startswith(f"| {way['name']} |"))
        assert f"{sum(way['frechet']) / 2:.0f} ({way['frechet'][0]:.0f}, {way['frechet'][1]:.0f})" in row


def test_the_comparison_gives_every_way_the_same(comparison):
    ways = comparison.ways()
    assert len({way.name for way in ways}) == len(ways) == 5
    assert {len(way.candidates) for way in ways} == {2}
    for way in ways:
        assert way.spectral == ("spectral" in way.name)
        assert {each.loss for each in way.candidates} == {way.name.split(",")[0].lower().replace("-", "_")}
        assert {each.r1 > 0 for each in way.candidates} == {"R1" in way.name}
        assert {each.gradient_penalty > 0 for each in way.candidates} == {"penalty" in way.name}
        assert way.settings is way.candidates[0]
        way.tuning = [3.0, 1.0]
        assert way.settings is way.candidates[1]


COMPARED = ROOT / "data" / "gan_comparison.json"


@pytest.mark.skipif(not COMPARED.exists(), reason="no comparison is stored")
def test_the_stored_comparison_is_of_the_ways_that_the_code_has(comparison):
    numbers = json.loads(COMPARED.read_text(encoding="utf-8"))
    assert [way["name"] for way in numbers["ways"]] == [way.name for way in comparison.ways()]
    for way, now in zip(numbers["ways"], comparison.ways(), strict=True):
        assert len(way["frechet"]) == len(way["steps"]) == len(numbers["seeds"])
        now.tuning = [each["frechet"] for each in way["tuning"]]
        assert way["settings"] == json.loads(json.dumps(asdict(now.settings)))
        assert min(way["frechet"]) > numbers["floor"]
