"""Maps by PCA, t-SNE and UMAP, and the stored ones: made by one command, verified before use."""

import importlib.util
import json
import re
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from course_utils import embedding
from course_utils.command import cli
from course_utils.embedding import StoredMap, embed, load_maps, map_names, normalized, save_maps
from course_utils.metrics import trustworthiness
from course_utils.recipes import maps as recipe


@pytest.fixture
def z():
    return torch.randn(60, 3, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0]) + 5


FAST = {"perplexity": 8, "max_iter": 400, "random_state": 0}


def test_pca_is_that_of_scikit_learn(z):
    points = embed(z, "pca")
    expected = PCA(2).fit_transform(z.flatten(1).numpy())
    signs = np.sign((points.numpy() * expected).sum(axis=0))
    assert points.numpy() == pytest.approx(expected * signs, abs=1e-4)
    assert torch.equal(points, embed(z, "pca"))
    assert embed(z[:, 0, :1], "pca")[:, 1].abs().max() < 1e-6


def test_tsne_is_the_default_and_scikit_learns(z):
    points = embed(z, **FAST)
    expected = TSNE(init="pca", **FAST).fit_transform(z.flatten(1).numpy())
    assert points.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert points.dtype == torch.float32
    assert trustworthiness(z, points) > 0.8


def test_the_seed_decides_a_random_start_and_can_be_repeated(z):
    other = FAST | {"random_state": 1}
    assert torch.equal(embed(z, **FAST), embed(z, **FAST))
    one, two = embed(z, init="random", **FAST), embed(z, init="random", **other)
    assert torch.equal(one, embed(z, init="random", **FAST))
    assert (one - two).abs().max() > 0.1 * one.abs().max()


def test_the_caller_keeps_its_random_numbers(z):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    embed(z, **FAST)
    embed(z, "pca")
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_progress_moves_with_the_steps_and_changes_nothing(z, capfd):
    options = {"perplexity": 8, "max_iter": 300, "random_state": 0}
    points = embed(z, progress=True, **options)
    out, err = capfd.readouterr()
    assert out == ""
    assert "t-SNE" in err
    assert "300/300" in err
    assert torch.equal(points, embed(z, **options))
    assert capfd.readouterr() == ("", "")


def test_the_bar_follows_scikit_learns_log():
    bar = types.SimpleNamespace(n=0)
    bar.update = lambda steps: setattr(bar, "n", bar.n + steps)
    log = embedding._Steps(bar)
    step = "[t-SNE] Iteration {}: error = 3.1"
    for text, at in (("[t-SNE] Computed neighbors", 0), (step.format(50), 50), ("\n", 50), (step.format(100), 100)):
        log.write(text)
        assert bar.n == at


WRONG = {
    "method": (lambda z: embed(z, "TSNE"), ValueError, "method is 'TSNE'.*mean 'tsne'"),
    "perplexity": (lambda z: embed(z, perplexity=60), ValueError, "perplexity is 60 for 60 codes"),
    "small perplexity": (lambda z: embed(z, perplexity=0.5), ValueError, "perplexity is 0.5"),
    "option": (lambda z: embed(z, perplexty=5), ValueError, "no option 'perplexty'. Did you mean 'perplexity'"),
    "components": (lambda z: embed(z, n_components=3), ValueError, "two numbers"),
    "pca option": (lambda z: embed(z, "pca", perplexity=5), ValueError, "PCA has no option 'perplexity'"),
    "few": (lambda z: embed(z[:2]), ValueError, "2 codes"),
    "NaN": (lambda z: embed(z / 0 * 0), ValueError, "NaN"),
    "all the same": (lambda z: embed(z * 0 + 1), ValueError, "all 60 codes are the same"),
    "no maps": (lambda z: save_maps([], "x", card={}), ValueError, "no maps to save"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_gets_one_clear_sentence(case, z):
    call, kind, message = WRONG[case]
    with pytest.raises(kind, match=message) as error:
        call(z)
    assert "\n" not in str(error.value)


def test_umap_is_optional(z, monkeypatch):
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install umap-learn"):
        embed(z, "umap")


def test_umap_gets_the_codes_and_the_options(z, monkeypatch):
    """A stand-in for umap-learn, which the tests do not need installed."""

    class UMAP:
        def __init__(self, n_neighbors=15, min_dist=0.1, n_components=2, random_state=None, n_jobs=-1, tqdm_kwds=None):
            self.given = n_neighbors, random_state, n_jobs, tqdm_kwds["disable"]

        def fit_transform(self, codes):
            assert self.given == (7, 3, 1, True)
            return codes[:, :2] * 2

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    torch.testing.assert_close(embed(z, "umap", n_neighbors=7, random_state=3), z.flatten(1)[:, :2] * 2)
    with pytest.raises(ValueError, match="n_neighbors is 60"):
        embed(z, "umap", n_neighbors=60)
    with pytest.raises(ValueError, match="no option 'perplexity'"):
        embed(z, "umap", perplexity=5)


def test_normalized_keeps_the_shape_of_the_map():
    points = torch.randn(30, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([9.0, 2.0]) + 70
    scaled = normalized(points)
    assert scaled.abs().max() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(scaled.amax(dim=0), -scaled.amin(dim=0))
    ratio = torch.cdist(scaled, scaled)[0, 1:] / torch.cdist(points, points)[0, 1:]
    torch.testing.assert_close(ratio, ratio[0].expand_as(ratio), rtol=1e-3, atol=0)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A folder of maps of its own, as course_utils.embedding sees it, with one set called few."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(2))
    made = [StoredMap("a", "pca", {}, points), StoredMap("a", "tsne", {"perplexity": 5, "random_state": 1}, 9 * points)]
    save_maps(made, embedding.map_dir() / "few", card={"what": "a test"})
    return tmp_path / "maps", points


def test_a_set_comes_back_in_order_with_its_settings(stored):
    folder, points = stored
    first, second = load_maps("few")
    assert (first.of, first.method, first.options) == ("a", "pca", {})
    assert second.options == {"perplexity": 5, "random_state": 1}
    for one in (first, second):
        assert one.points.dtype == torch.float32
        torch.testing.assert_close(one.points, normalized(points), rtol=0, atol=1e-3)
    assert map_names() == ["few"]
    assert (folder / "few.safetensors").stat().st_size < 500


def test_damaged_sets_are_named_and_never_used(stored):
    folder, _ = stored
    file = folder / "few.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="few.safetensors is not the file its card describes.*course maps"):
        load_maps("few")
    file.unlink()
    with pytest.raises(FileNotFoundError, match="few.safetensors is missing"):
        load_maps("few")
    (folder / "few.json").write_text("{}")
    file.write_bytes(whole)
    with pytest.raises(ValueError, match="few.json is not the card of a set of maps"):
        load_maps("few")
    with pytest.raises(ValueError, match="no set of maps 'fwe'. Did you mean 'few'"):
        load_maps("fwe")


def test_one_command_makes_all_sets(tmp_path, monkeypatch, capsys):
    made = []

    def quick(z, method, **options):
        made.append((method, options))
        return z.flatten(1)[:, :2]

    codes = {name: torch.rand(30, 4) for name in ("pixels", "pca_16d", "autoencoder_32d", "vae_16d", "noise")}
    monkeypatch.setattr(recipe, "embed", quick)
    monkeypatch.setattr(recipe, "_codes", lambda: codes)
    monkeypatch.setattr(recipe, "has_umap", lambda: True)
    assert cli.main(["maps", "--out", str(tmp_path)]) == 0
    assert "Saved sweep.safetensors, methods.safetensors" in capsys.readouterr().out
    assert len(made) == sum(map(len, recipe.plan().values())) - 1  # one map is in two sets
    for name, planned in recipe.plan().items():
        back = load_maps(str(tmp_path / name))
        assert [(one.of, one.method, one.options) for one in back] == [
            (one.of, one.method, one.options) for one in planned
        ]
        torch.testing.assert_close(back[0].points, normalized(codes[back[0].of][:, :2]), rtol=0, atol=1e-3)
        assert json.loads((tmp_path / f"{name}.json").read_text())["command"] == "course maps"


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "embed", lambda *_, **__: pytest.fail("it began to work"))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written .*nothing was begun"):
        recipe.make_maps(tmp_path / "file", umap=False, codes={}, progress=False)


def test_without_umap_learn_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "has_umap", lambda: False)
    assert cli.main(["maps", "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "--without-umap" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
    assert {one.method for one in recipe.plan(umap=False)["methods"]} == {"pca", "tsne"}


@pytest.mark.parametrize("name", recipe.WHAT)
def test_the_stored_maps_are_those_of_the_recipe(name):
    stored = load_maps(name)
    planned = recipe.plan()[name]
    assert [(one.of, one.method, one.options) for one in stored] == [(p.of, p.method, p.options) for p in planned]
    for one in stored:
        assert one.points.shape == (2000, 2)
        assert one.points.abs().max() == pytest.approx(1, abs=1e-3)
    files = list(embedding.map_dir().glob("*"))
    assert sum(file.stat().st_size for file in files) < 600_000
    text = (embedding.map_dir() / f"{name}.json").read_text()
    assert not re.search(r"/(root|work|tmp)/", text)


def test_the_stored_noise_is_the_recipes_noise():
    points = next(one.points for one in load_maps("noise") if one.options["perplexity"] == 5)
    assert trustworthiness(recipe.noise_codes(), points, 10) > 0.8


def test_codes_far_from_zero_have_the_same_map():
    z = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(embed(z + 1e9, "pca"), embed(z, "pca"), rtol=0, atol=1e-5)


def test_tsne_of_tiny_and_huge_codes():
    """scikit-learn takes Python down with it at 1e-25; here in a process of its own, so that it can fail."""
    code = (
        "import torch; from course_utils.embedding import embed; z = torch.randn(30, 3); "
        "print(all(embed(z * s, perplexity=5, max_iter=250).isfinite().all() for s in (1e-25, 1e25)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
