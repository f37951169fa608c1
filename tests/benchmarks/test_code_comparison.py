"""The comparison of codes that lesson 14 reads: its parts, that it goes on where it was, and what is stored."""

import itertools
import json
import time

import pytest
import torch
from helpers import ROOT, benchmark
from torch import nn

from course_utils import stored
from course_utils.checkpoints import load_reference, verify
from course_utils.data.faces import sample_faces
from course_utils.models.flow import FlowModel

STORED = ROOT / "data" / "code_comparison.json"


@pytest.fixture(scope="module")
def comparison():
    with benchmark("code_comparison") as module:
        yield module


@pytest.fixture
def few(comparison, monkeypatch):
    """Few faces, and trainings of a moment."""
    for name, value in {"TRAINING": 120, "FITTED": 90, "TEST": 60, "PATHS": 20, "SECONDS": (0.2,), "LONG": 0.3}.items():
        monkeypatch.setattr(comparison, name, value)


class TestTimedBatches:
    def test_they_end_with_their_time(self, comparison):
        batches = comparison.TimedBatches(torch.arange(9), batch_size=4, seconds=0.1, seed=0)
        assert batches.share == 0
        begin = time.process_time()
        assert all(x.shape == (4,) for (x,) in batches)
        assert time.process_time() - begin == pytest.approx(0.1, abs=0.05)
        assert 1 <= batches.share < 1.5

    def test_rows_belong_together_and_the_seed_says_which(self, comparison):
        x = torch.arange(50)
        first, again, other = (
            [a for a, _ in itertools.islice(comparison.TimedBatches(x, -x, batch_size=8, seconds=9, seed=seed), 3)]
            for seed in (0, 0, 1)
        )
        assert torch.equal(torch.stack(first), torch.stack(again))
        assert not torch.equal(torch.stack(first), torch.stack(other))
        for a, b in itertools.islice(comparison.TimedBatches(x, -x, batch_size=8, seconds=9, seed=0), 2):
            assert torch.equal(a, -b)


def test_a_flat_network_sees_the_places_as_a_row(comparison):
    torch.manual_seed(0)
    flat = comparison.Flat((2, 3, 4), hidden=16, blocks=1, condition_dim=5)
    nn.init.normal_(flat.inner.head[1].weight)
    x, t, told = torch.randn(6, 2, 3, 4), torch.rand(6), torch.randn(6, 5)
    assert flat.condition_dim == 5
    torch.testing.assert_close(flat(x, t, told).flatten(1), flat.inner(x.flatten(1), t, told))


@pytest.mark.parametrize("words", [False, True])
def test_draws_are_of_their_captions_however_they_are_split(comparison, words):
    """The network answers with the number of words of the caption, so each draw shows which caption it was told."""

    class Counts(nn.Module):
        condition_dim = 0 if words else 20

        def forward(self, x_t, t, condition):
            count = (condition != 0).sum(dim=1).float()
            return count[:, None].expand_as(x_t)

    flow = FlowModel(3, steps=2, network=Counts())
    flow.set_codes(torch.tensor([[1.0, 2, 3], [3.0, 6, 9]]))
    captions = ["glasses", "smiling, glasses", "a young person with red hair, smiling", "smiling"]
    whole, split = (comparison.draw(flow, captions, words, batch_size=size) for size in (4, 2))
    torch.testing.assert_close(whole, split)
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    count = torch.tensor([1.0, 3, 8, 1] if words else [1.0, 2, 3, 1])
    torch.testing.assert_close(whole - noise, count[:, None].expand(4, 3))


@pytest.mark.slow_because("encodes, decodes and trains")
def test_it_goes_on_where_it_was(comparison, few, tmp_path, monkeypatch, capsys):
    out, faces = tmp_path / "table.json", sample_faces(60, 1, size=64)
    arguments = ["--codes", "faces64_vae", "--out", str(out), "--keep", str(tmp_path / "kept")]
    measured = comparison.measure_run

    def stops(compressor, run, keep):
        if run.seed == 2:
            raise KeyboardInterrupt
        return measured(compressor, run, keep)

    monkeypatch.setattr(comparison, "measure_run", stops)
    with pytest.raises(KeyboardInterrupt):
        comparison.main(arguments)
    before = stored.verify(out)
    assert [(run["seed"], run["seconds"]) for run in before["flows"]] == [(0, 0.2), (0, 0.3), (1, 0.2)]
    made = []
    monkeypatch.setattr(comparison, "measure_run", lambda *args: made.append(args[1]) or measured(*args))
    monkeypatch.setattr(comparison, "measure_codes", None)  # not asked for again
    assert comparison.main(arguments) == 0
    assert [(run.seed, run.seconds) for run in made] == [(2, 0.2)]
    after = stored.verify(out)
    assert after["flows"][:3] == before["flows"]
    assert len(list((tmp_path / "kept").iterdir())) == 4
    (one,) = after["codes"]
    vae = load_reference("faces64_vae")
    with torch.no_grad():
        error = (vae.decode(vae.encode(faces.pixels())) - faces.pixels()).square().mean().item()
    assert one["mse"] == pytest.approx(error, rel=1e-3)
    assert (one["shape"], one["numbers"]) == ([64], 64)
    assert one["frechet"] < one["noise"][1]["frechet"] < one["independent_frechet"]
    assert 2 < one["noise"][1]["change"] / one["noise"][0]["change"] < 3.2
    assert one["path_ratio"] > 1
    assert after["models"]["faces64_vae"] == verify("faces64_vae")["sha256"][:16]
    assert "seed 2" in capsys.readouterr().out


def test_rounding_keeps_four_digits_everywhere(comparison):
    said = {"a": [0.123456, {"b": 98765.4}], "c": 7, "d": "1.23456"}
    assert comparison.rounded(said) == {"a": [0.1235, {"b": 98770.0}], "c": 7, "d": "1.23456"}


@pytest.mark.skipif(not STORED.exists(), reason="no comparison is stored")
class TestStored:
    @pytest.fixture(scope="class")
    def card(self):
        return stored.verify(STORED)

    def test_it_is_of_the_code_that_is_here(self, comparison, card):
        assert [one["name"] for one in card["codes"]] == list(comparison.CODES)
        made, wanted = [comparison._run_of(run) for run in card["flows"]], comparison.runs()
        assert made == [run for run in wanted if run in made]
        assert {(run.codes, run.network) for run in made} == {(run.codes, run.network) for run in wanted}
        assert {run.seconds for run in made} == {run.seconds for run in wanted}
        assert (card["training_faces"], card["samples"]) == (comparison.TRAINING, comparison.TEST)
        for run in card["flows"]:
            network = comparison.NETWORKS[run["network"]]
            assert (run["batch_size"], run["lr"]) == (network.batch_size, network.lr)

    def test_it_is_of_the_models_that_ship(self, card):
        for name, digest in card["models"].items():
            assert verify(name)["sha256"].startswith(digest), name

    def test_reconstructions_are_nearer_than_samples(self, card):
        limits = {one["name"]: one["frechet"] for one in card["codes"]}
        assert all(run["frechet"] > limits[run["codes"]] for run in card["flows"])
        for one in card["codes"]:
            assert one["frechet"] < one["gaussian_frechet"]
            assert one["path_ratio"] > 1

    def test_a_covariance_helps_all_but_codes_that_are_uncorrelated(self, card):
        for one in card["codes"]:
            gain = one["independent_frechet"] / one["gaussian_frechet"]
            assert gain == pytest.approx(1, abs=0.1) if one["name"] == "pca" else gain > 2, one["name"]

    def test_the_cards_of_the_compressors_say_the_same(self, card):
        for one in card["codes"]:
            if one["name"] != "pca":
                claimed = verify(one["name"])["metrics"]
                assert one["mse"] == pytest.approx(claimed["test_mse"], rel=0.01)
                assert one["r2_smile"] == pytest.approx(claimed["r2_smile"], abs=0.005)

    def test_it_is_json_of_a_moderate_size(self):
        assert STORED.stat().st_size < 30_000
        assert json.loads(STORED.read_text(encoding="utf-8"))["command"] == "python benchmarks/code_comparison.py"
