"""Diffusion over codes, with and without the compressor they came from."""

import pytest
import torch
from helpers import generator
from small_models import TINY, randomized, tiny_images, tiny_vae

from course_utils import checkpoints
from course_utils.latents import LatentModel, encode_dataset
from course_utils.models import diffusion as d
from course_utils.models.diffusion import CodeDiffusion, LatentDiffusion
from course_utils.models.vae import VAE

WORDS = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])


def codes(n=40):
    return 3 * torch.randn(n, 5, generator=generator(9)) + torch.arange(5.0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = randomized(CodeDiffusion(5, condition_dim=4, hidden=16, blocks=2, steps=4))
    made.set_codes(codes())
    return made


def z(n=3):
    return torch.randn(n, 5, generator=generator(1))


def test_it_is_a_latent_model_of_codes(model):
    told = model.given(WORDS, guidance=1.5, steps=3)
    for each in (model, told):
        assert isinstance(each, LatentModel)
        assert each.decode(z()).shape == each.encode(codes(3)).shape == (3, 5)
    x, times = z(), model.schedule.timesteps(3).tolist()
    with torch.no_grad():
        for t, t_prev in zip(times, [*times[1:], -1], strict=True):
            many = torch.full((3,), t)
            null, eps = (d.eps_from_v(model.schedule, x, many, model.denoiser(x, many, y)) for y in (None, WORDS))
            x = d.ddim_step(model.schedule, x, t, null + 1.5 * (eps - null), t_prev)
    torch.testing.assert_close(told.decode(z()), x * model.code_std + model.code_mean, rtol=1e-4, atol=1e-4)


def test_codes_are_standardised(model):
    data = model.to_data(codes())
    torch.testing.assert_close(data.mean(0), torch.zeros(5), rtol=0, atol=1e-5)
    torch.testing.assert_close(data.std(0), torch.ones(5))
    torch.testing.assert_close(model.to_images(data), codes())


def test_its_loss_drops_words(model):
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x_t, t, condition):
            seen.append(condition)
            return torch.zeros_like(x_t)

    spied = CodeDiffusion(5, condition_dim=4, hidden=8, blocks=1)
    spied.denoiser = Spy()
    spied.loss_of_data(torch.zeros(2000, 5), torch.ones(2000, 4), drop=0.25, generator=generator(0))
    gone = (seen[0] == 0).all(1)
    assert gone.float().mean().item() == pytest.approx(0.25, abs=4 * (0.1875 / 2000) ** 0.5)
    assert (seen[0][~gone] == 1).all()
    assert model.loss_terms(codes(3), WORDS)["loss"].isfinite()


def test_over_a_compressor_it_is_latent_diffusion(model):
    torch.manual_seed(0)
    vae = randomized(VAE(5, hidden=8, image_shape=(2, 4, 6)))
    x = torch.rand(30, 2, 4, 6, generator=generator(0))
    torch.manual_seed(1)
    latent = LatentDiffusion(vae, encode_dataset(vae, x), num_classes=3, hidden=8, blocks=1, steps=4)
    torch.manual_seed(1)
    bare = CodeDiffusion(5, num_classes=3, hidden=8, blocks=1, steps=4)
    bare.set_codes(encode_dataset(vae, x))
    randomized(latent.denoiser), randomized(bare.denoiser)
    assert torch.equal(bare.over(vae).given(1, 2.0).decode(z()), latent.given(1, 2.0).decode(z()))
    assert torch.equal(bare.over(vae).encode(x[:3]), latent.encode(x[:3]))
    assert bare.compressor is None
    with pytest.raises(TypeError, match="its compressor is a VAE"):
        checkpoints.require_buildable(bare.over(vae))


@pytest.mark.parametrize("kind", ["over", "latent"])
def test_its_loss_leaves_the_compressor_alone(kind):
    vae = tiny_vae()
    codes = encode_dataset(vae, tiny_images())
    latent = LatentDiffusion(vae, codes, num_classes=2, hidden=8, blocks=1)
    (latent if kind == "latent" else CodeDiffusion(3, hidden=8, blocks=1).over(vae)).loss_terms(tiny_images())[
        "loss"
    ].backward()
    assert all(p.grad is None for p in vae.parameters())
    assert vae.training


def test_codes_with_a_history_leave_none():
    model = CodeDiffusion(5, hidden=8, blocks=1)
    model.set_codes(codes().requires_grad_())
    assert not model.code_mean.requires_grad
    assert not model.code_std.requires_grad
    model.loss_of_data(model.standardize(codes())).backward()
    model.loss_of_data(model.standardize(codes())).backward()  # a second time through one graph would fail


def test_one_compressor_after_another_of_any_kind():
    class Plain:  # a LatentModel that is no nn.Module
        latent_shape = (3,)

        def decode(self, z):
            return z.sum(1).reshape(-1, 1, 1, 1).expand(-1, *TINY)

    vae, plain = tiny_vae(), Plain()
    model, noise = CodeDiffusion(3, hidden=8, blocks=1, steps=2), torch.zeros(2, 3)
    for first, second in ((vae, plain), (plain, vae)):
        view = model.over(first).over(second)
        assert view.compressor is second
        assert view.decode(noise).shape == (2, *TINY)
        assert model.compressor is None


def test_a_saved_one_comes_back(model, tmp_path):
    checkpoints.save(model, tmp_path / "d", card={}, half=True)
    loaded = checkpoints.load(tmp_path / "d")
    torch.testing.assert_close(loaded.given(WORDS).decode(z()), model.given(WORDS).decode(z()), rtol=0, atol=0.1)
    torch.testing.assert_close(loaded.code_mean, model.code_mean, rtol=0, atol=1e-2)


def test_it_refuses(model):
    with pytest.raises(ValueError, match=r"give a vector \(4,\) of floats"):
        model.given(2)
    with pytest.raises(ValueError, match="there are 1 codes: their standard deviation needs at least 2"):
        model.set_codes(codes(1))
    with pytest.raises(ValueError, match="latent codes have shape"):
        model.set_codes(codes()[:, :4])
    with pytest.raises(ValueError, match=r"the compressor's codes have shape \(3,\)"):
        model.over(VAE(3))
