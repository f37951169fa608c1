"""A trained pair as a latent space in z, in w and in w+."""

import pytest
import torch
from helpers import generator as rng
from small_models import images

from course_utils.latents import LatentModel, decode_dataset, encode_dataset, traverse
from course_utils.models.styles import StyleGAN, StyleSpace, truncate_w

SHAPE = (2, 16, 24)


@pytest.fixture(scope="module")
def model() -> StyleGAN:
    torch.manual_seed(0)
    return StyleGAN(5, image_shape=SHAPE, hidden=4, inversion_steps=30).eval()


def spaces(model):
    return {"z": model, "w": model.in_w(), "w+": model.in_w(per_layer=True)}


@pytest.mark.parametrize(("name", "shape"), [("z", (5,)), ("w", (5,)), ("w+", (3, 5))])
def test_each_space_is_a_latent_model(model, name, shape):
    space = spaces(model)[name]
    assert isinstance(space, LatentModel)
    assert space.latent_shape == shape
    code = space.sample_latent(4, rng(1))
    assert code.shape == (4, *shape)
    assert torch.equal(code, space.sample_latent(4, rng(1)))
    x = space.decode(code)
    assert x.shape == (4, *SHAPE)
    again = space.encode(x.detach())
    assert again.shape == code.shape
    assert (space.decode(again) - x).square().mean() < 0.05 * (x - x.mean(0)).square().mean()
    torch.testing.assert_close(decode_dataset(space, code, batch_size=3), x.detach())
    assert encode_dataset(space, x.detach()).shape == code.shape
    assert traverse(space, code[0], code[1], [0.0, 1.0]).shape == (2, *SHAPE)
    with pytest.raises(ValueError, match="latent codes have shape"):
        space.decode(torch.zeros(4, 6))
    with pytest.raises(ValueError, match="images have shape"):
        space.encode(x[0])


def test_the_same_draws_give_the_same_images_in_all_spaces(model):
    found = [space.decode(space.sample_latent(3, rng(2))) for space in spaces(model).values()]
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])
    assert torch.equal(model.map(model.sample_latent(3, rng(2))), model.in_w().sample_latent(3, rng(2)))


def test_decoding_in_training_mode_changes_nothing(model):
    z, kept = model.sample_latent(3, rng(2)), model.mean_w.clone()
    x = model.decode(z)
    model.train()
    try:
        assert torch.equal(model.decode(z), x)
        assert torch.equal(model.in_w().decode(model.map(z)), x)
        assert model.generator.training
    finally:
        model.eval()
    assert torch.equal(model.mean_w, kept)


def test_the_view_shares_the_generator(model):
    view = model.in_w()
    assert isinstance(view, StyleSpace)
    assert view.generator is model.generator
    assert {id(p) for p in view.parameters()} == {id(p) for p in model.generator.parameters()}
    mean = truncate_w(view.sample_latent(2), model.mean_w, 0)
    assert torch.equal(*view.decode(mean).chunk(2))


def test_config_builds_it_again(model):
    assert StyleGAN(5, hidden=4, mapping_rate=0.2).generator.mapping.layers[0].rate == 0.2
    again = StyleGAN(**model.config)
    again.load_state_dict(model.state_dict())
    assert again.config == model.config
    z = model.sample_latent(2)
    assert torch.equal(again.eval().decode(z), model.decode(z))


def test_an_untrained_one_without_mapping_has_no_other_space_than_z():
    torch.manual_seed(0)
    model = StyleGAN(5, image_shape=(2, 8, 12), hidden=4, mapping_layers=0, inversion_steps=3).eval()
    z = model.sample_latent(3)
    assert torch.equal(model.in_w().decode(z), model.decode(z))
    assert model.encode(images()).shape == (5, 5)


def test_the_search_needs_a_step():
    with pytest.raises(ValueError, match="inversion_steps is 0"):
        StyleGAN(5, inversion_steps=0)
