"""Snapshots, seeds and bounds in the recipes of the VAEs."""

import dataclasses
import json

import pytest
import torch

from course_utils import checkpoints, recipes
from course_utils.command import cli
from course_utils.data import ImageSet
from course_utils.losses import elbo, iwae_bound
from course_utils.models.autoencoder import Autoencoder
from course_utils.models.vae import VAE
from course_utils.recipes import Recipe, evaluate, reference, spread, train
from course_utils.recipes.resumable import unfinished_file
from course_utils.training import History


def images(n, seed):
    values = torch.randint(0, 256, (n, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return ImageSet(values, torch.zeros(n, dtype=torch.int64), ("thing",))


@pytest.fixture
def recipe(monkeypatch):
    """Small recipes on 40 training images (10 steps an epoch) and 12 test images."""

    def add(**options):
        made = Recipe("tiny", "a tiny VAE", lambda: VAE(2, hidden=6), epochs=2, batch_size=4, **options)
        monkeypatch.setitem(recipes.RECIPES, "tiny", made)
        return made

    sets = {"train": images(40, 0), "test": images(12, 1)}
    monkeypatch.setattr(recipes.recipe, "fashion_mnist", lambda split, full: sets[split])
    return add


@pytest.fixture
def references(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "checkpoint_dir", lambda: tmp_path)
    return tmp_path


def test_snapshots_are_the_models_along_one_training(recipe, references):
    recipe(snapshots=(0, 0.3, 1, 1.5, 2))
    train("tiny", out=references, progress=False, device="cpu")
    card = checkpoints.verify("tiny")
    snapshots = checkpoints.load_snapshots("tiny")
    assert [epoch for epoch, _ in snapshots] == [0, 0.3, 1, 1.5, 2]
    for moment, (epoch, model) in zip(card["snapshots"], snapshots, strict=True):
        assert moment["epoch"] == epoch
        assert not model.training
        measured = evaluate(model, images(12, 1))
        assert measured["test_negative_elbo"] == pytest.approx(moment["metrics"]["test_negative_elbo"], rel=1e-3)
    assert card["metrics"]["test_recon"] == card["snapshots"][-1]["metrics"]["test_recon"]
    losses = [moment["metrics"]["test_negative_elbo"] for moment in card["snapshots"]]
    assert losses[-1] < losses[0] - 1


def test_snapshots_are_taken_at_their_step(recipe, references, monkeypatch):
    taken = recipe(snapshots=(0, 0.3, 1, 1.5, 2))
    train("tiny", out=references, progress=False, device="cpu")
    snapshots = dict(checkpoints.load_snapshots("tiny"))

    torch.manual_seed(0)  # the same training by hand: two epochs of 10 steps
    model = taken.build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = images(40, 0).batches(4, shuffle=True, generator=torch.Generator().manual_seed(0))
    stream = [*batches, *batches]
    for step, x in enumerate(stream, start=1):
        optimizer.zero_grad()
        model.loss_terms(x)["loss"].backward()
        optimizer.step()
        if step / 10 in snapshots:
            stored = snapshots.pop(step / 10).state_dict()
            for name, weights in model.state_dict().items():
                assert torch.equal(weights.half().float(), stored[name]), step
    assert list(snapshots) == [0]
    torch.manual_seed(0)
    assert torch.equal(snapshots[0].encoder[1].weight, taken.build().encoder[1].weight.half().float())


def test_fewer_epochs_keep_only_the_earlier_snapshots(recipe, references):
    recipe(snapshots=(0, 0.3, 1, 1.5, 2))
    train("tiny", out=references, progress=False, epochs=1)
    assert [epoch for epoch, _ in checkpoints.load_snapshots("tiny")] == [0, 0.3, 1]


def test_one_model_is_no_time_machine_and_the_other_way_round(recipe, references):
    recipe(snapshots=(0, 2))
    train("tiny", out=references, progress=False)
    with pytest.raises(ValueError, match="2 snapshots.*use load_snapshots"):
        checkpoints.load_reference("tiny")
    recipe()
    train("tiny", out=references, progress=False)
    with pytest.raises(ValueError, match="tiny is one model.*use load_reference"):
        checkpoints.load_snapshots("tiny")


def test_snapshots_need_a_moment_each(tmp_path):
    model = Autoencoder(2, hidden=3)
    with pytest.raises(ValueError, match="1 snapshots and 0 moments"):
        checkpoints.save_snapshots(model, [model.state_dict()], [], tmp_path / "x", card={})
    with pytest.raises(TypeError, match="Linear"):
        checkpoints.save_snapshots(torch.nn.Linear(2, 2), [{}], [{}], tmp_path / "x", card={})
    assert not list(tmp_path.iterdir())


def test_seeds_are_trained_one_by_one_and_the_first_is_kept(recipe, tmp_path):
    recipe(iwae_samples=3)
    alone = train("tiny", out=tmp_path / "alone", progress=False)
    several = train("tiny", out=tmp_path / "several", progress=False, seeds=3)
    assert alone.read_bytes() == several.read_bytes()
    card, plain = (json.loads(path.with_suffix(".json").read_text()) for path in (several, alone))
    assert card["metrics"] == plain["metrics"]
    assert "over_seeds" not in plain
    assert card["command"] == "course train tiny --seeds 3"
    spread_ = card["over_seeds"]
    assert spread_["seeds"] == [0, 1, 2]
    assert set(spread_) == {"seeds", *card["metrics"]}
    values = spread_["test_negative_elbo"]["values"]
    assert values[0] == card["metrics"]["test_negative_elbo"]
    assert len(set(values)) == 3
    with pytest.raises(ValueError, match="seeds is 0"):
        train("tiny", out=tmp_path, progress=False, seeds=0)


def test_spread_is_mean_and_standard_deviation():
    result = spread([{"a": 1.0, "b": 5.0}, {"a": 2.0, "b": 5.0}, {"a": 6.0, "b": 5.0}])
    assert result["a"] == {"values": [1.0, 2.0, 6.0], "mean": 3.0, "std": 2.65}
    assert result["b"]["std"] == 0


def test_the_bounds_on_a_card_are_those_of_losses():
    torch.manual_seed(0)
    model, test = VAE(2, hidden=6), images(12, 1)
    metrics = evaluate(model, test, iwae_samples=40)
    with torch.no_grad():
        x, generator = test.pixels(), torch.Generator().manual_seed(0)
        assert metrics["test_negative_elbo"] == pytest.approx(-elbo(model, x, 1, generator).mean().item(), rel=1e-4)
        bound = iwae_bound(model, x, 40, generator=generator).mean().item()
        assert metrics["test_negative_iwae_40"] == pytest.approx(-bound, rel=1e-4)
    assert metrics["test_negative_iwae_40"] < metrics["test_negative_elbo"]
    assert not any("iwae" in name for name in evaluate(model, test))


def test_the_command_prints_numbers_and_their_spread(recipe, tmp_path, capsys):
    recipe(iwae_samples=2)
    assert cli.main(["train", "tiny", "--out", str(tmp_path), "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    card = json.loads((tmp_path / "tiny.json").read_text())
    for name in ("test_negative_elbo", "test_negative_iwae_2"):
        row = next(line for line in out.splitlines() if line.startswith(name))
        assert f"{card['metrics'][name]:.5g}" in row
        assert f"over 2 seeds: {card['over_seeds'][name]['mean']:.5g} +- " in row
    assert "over" not in cli.metrics_table({"metrics": {"test_kl": 1.0}})


def test_precision_is_told_on_the_card(recipe, tmp_path):
    recipe(precision="bfloat16")
    path = train("tiny", out=tmp_path, progress=False)
    assert json.loads(path.with_suffix(".json").read_text())["precision"] == "bfloat16"


@pytest.mark.parametrize(
    "name", ["gan_fashion", "faces64_gan", "styles_faces", "diffusion_fashion", "latent_autoencoder", "faces_kl"]
)
def test_what_the_card_needs_is_known_before_the_training(name, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "checkpoint_dir", lambda: tmp_path)
    monkeypatch.setattr(recipes.reference, "_trained", lambda *_: pytest.fail("it was trained"))
    reader = "faces64_regressor" if "faces" in name else "classifier_fashion"
    with pytest.raises(ValueError, match=f"there is no reference model '{reader}'"):
        train(name, out=tmp_path, full=False, progress=False, device="cpu")


def test_a_model_of_another_seed_is_trained_once_and_kept(recipe, tmp_path, monkeypatch):
    recipe()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    model = reference.kept("tiny", seed=3)
    file = tmp_path / "checkpoints" / "tiny_seed_3_epochs_2.safetensors"
    assert checkpoints.read_card(file)["seed"] == 3
    torch.manual_seed(3)
    start = recipe().build()
    moved = (model.encoder[1].weight - start.encoder[1].weight).abs()
    assert 1e-5 < moved.max() < 0.1, "it started from its seed, and was trained"
    with monkeypatch.context() as patched:
        patched.setattr(reference, "_trained", lambda *a: pytest.fail("trained twice"))
        again = reference.kept("tiny", seed=3)
    assert torch.equal(again.encoder[1].weight, model.encoder[1].weight)
    assert reference.kept("tiny", seed=3, epochs=1).encoder[1].weight.ne(model.encoder[1].weight).any()
    with pytest.raises(KeyError, match="no such"):
        reference.kept("no such")


def test_minutes_count_what_was_trained_before_a_stop(recipe, references, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    made = recipe()
    file = unfinished_file(made, made.images("train", True), made.epochs)
    file.parent.mkdir(parents=True)
    for stopped, expected in ((False, 0), (True, 10)):
        if stopped:
            History(epochs=[{"epoch": k, "seconds": 300.0, "train": {}, "validation": None} for k in (1, 2)]).save(file)
        train("tiny", out=references, progress=False, device="cpu")
        assert checkpoints.verify("tiny")["minutes"] == pytest.approx(expected, abs=0.5)


def test_a_recipe_of_ones_own_is_kept_under_its_name(recipe, tmp_path, monkeypatch):
    own = dataclasses.replace(recipe(), name="own")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    model = reference.kept(own, seed=3, epochs=1)
    assert [file.name for file in tmp_path.rglob("*.safetensors")] == ["own_seed_3_epochs_1.safetensors"]
    assert torch.equal(model.encoder[1].weight, reference.kept("tiny", seed=3, epochs=1).encoder[1].weight)
    with pytest.raises(ValueError, match="there is another recipe 'tiny'"):
        reference.kept(dataclasses.replace(own, name="tiny"))


def test_the_reference_model_is_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    model, shipped = reference.kept("faces64_vae_beta_16"), checkpoints.load_reference("faces64_vae_beta_16")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), shipped.parameters(), strict=True))
    assert not any(tmp_path.rglob("*.safetensors"))
