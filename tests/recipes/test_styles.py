"""Recipe of the style-based GAN: a tiny training end to end, and what its card says."""

from dataclasses import fields, replace
from functools import partial

import pytest
import torch

from course_utils.checkpoints import checkpoint_dir, load, load_reference, read_card, verify
from course_utils.data.faces import HANDLES, sample_faces
from course_utils.models.styles import StyleGAN
from course_utils.recipes import RECIPES, reference, styles, train
from course_utils.recipes.faces64 import measure_draws, prior_draws
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.styles import measure_faces

NAME = "styles_faces"
NAMES = {NAME: 4, "styles_faces_unmapped": 0}  # and the layers of their mappings
OF_SPACES = {f"{what}_{space}" for what in ("path_length", "separability") for space in "zw"}


@pytest.fixture
def few_faces(monkeypatch):
    def some(split, full):
        return sample_faces(64 if split == "train" else 200, seed=0 if split == "train" else 1, size=64)

    for name, mapping_layers in NAMES.items():
        build = partial(StyleGAN, 6, hidden=2, mapping_layers=mapping_layers)
        monkeypatch.setitem(reference.RECIPES, name, replace(RECIPES[name], images=some, build=build))


@pytest.mark.parametrize("name", NAMES)
def test_training_one_and_its_card(name, tmp_path, few_faces, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    file = train(name, epochs=2, device="cpu", progress=False, out=tmp_path)
    card, model = read_card(file), load(file)
    assert isinstance(model, StyleGAN)
    assert not model.training
    assert model.mean_w.abs().max() > 0, "moved in training, and kept"
    quality = {"frechet", "precision", "recall", "density", "coverage"}
    gaps = {f"gap_{name}" for name in HANDLES}
    assert set(card["metrics"]) == quality | {f"floor_{name}" for name in quality} | gaps | OF_SPACES
    assert 1 <= card["metrics"]["separability_w"] <= 2 ** len(HANDLES) + 1
    assert card["metrics"]["path_length_z"] > 0
    assert set(model.state_dict()) == {f"generator.{name}" for name in model.generator.state_dict()}


def test_what_is_measured_of_the_spaces_is_theirs(few_faces):
    """Of a generator without mapping, w is z: only the paths differ."""
    torch.manual_seed(0)
    model = StyleGAN(6, hidden=2, mapping_layers=0).eval()
    found = measure_faces(model, RECIPES[NAME].images("test", True))
    assert found["path_length_z"] != found["path_length_w"]
    assert found["separability_z"] == found["separability_w"]


def test_what_is_measured_is_drawn_on_the_cpu(few_faces, monkeypatch):
    """So the same codes are drawn on every device, where the model's own draws could not take a CPU's generator."""
    torch.manual_seed(0)
    model, seen = StyleGAN(6, hidden=2).eval(), []

    def decoded(model, z):
        seen.append(z)
        raise KeyboardInterrupt  # the rest takes seconds

    monkeypatch.setattr(StyleGAN, "sample_latent", None)
    monkeypatch.setattr(styles, "decode_dataset", decoded)
    test = RECIPES[NAME].images("test", True)
    with pytest.raises(KeyboardInterrupt):
        measure_faces(model, test)
    assert torch.equal(seen[0], torch.randn(len(test), 6, generator=torch.Generator().manual_seed(0)))


def test_the_recipe_is_that_of_the_gan_of_faces_but_for_generator_and_penalty():
    recipe, gan = RECIPES[NAME], RECIPES["faces64_gan"]
    assert (recipe.batch_size, recipe.precision, recipe.seed) == (gan.batch_size, gan.precision, gan.seed)
    assert recipe.run.func is gan.run.func
    assert recipe.run.keywords["settings"].r1 == gan.run.keywords["settings"].r1 / 10
    assert not recipe.run.keywords["spectral"]
    generator = recipe.build().generator
    assert generator.image_shape == (3, 64, 64)
    assert f"{generator.num_layers} layers" in recipe.what


def test_its_rival_differs_in_the_mapping_alone():
    recipe, rival = (RECIPES[name] for name in NAMES)
    for field in fields(Recipe):
        if field.name not in ("name", "what", "build", "run"):
            assert getattr(recipe, field.name) == getattr(rival, field.name), field.name
    assert (recipe.run.func, recipe.run.keywords) == (rival.run.func, rival.run.keywords)
    assert recipe.build().config | {"mapping_layers": 0} == rival.build().config


class TestShipped:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_as_good_as_its_card_says(self, name):
        model, card = load_reference(name), verify(name)["metrics"]
        assert (checkpoint_dir() / f"{name}.safetensors").stat().st_size < 2e6
        test = RECIPES[name].images("test", False)  # smaller than the card's: coverage would be another
        measured = measure_draws(prior_draws(model, len(test)), test)
        assert measured["precision"] == pytest.approx(card["precision"], abs=0.1)
        excess = measured["frechet"] - measured["floor_frechet"]
        assert excess == pytest.approx(card["frechet"] - card["floor_frechet"], rel=0.4, abs=1)

    def test_mean_w_is_the_mean_of_w(self):
        model = load_reference(NAME)
        w = model.map(model.sample_latent(4000, torch.Generator().manual_seed(0))).detach()
        assert ((model.mean_w - w.mean(dim=0)) / w.std(dim=0)).abs().max() < 0.3
