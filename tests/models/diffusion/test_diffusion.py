"""The diffusion models and their networks."""

import pytest
import torch
from helpers import default_dtype
from small_models import randomized

from course_utils import checkpoints
from course_utils.latents import LatentModel, decode_dataset, encode_dataset
from course_utils.models import diffusion as d
from course_utils.models.diffusion import Diffusion, LatentDiffusion
from course_utils.models.vae import VAE


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return randomized(
        Diffusion(image_shape=(1, 20, 28), num_classes=4, channels=(8, 16), blocks=1, steps=4), scale=0.05
    )


def images(n=3, seed=0):
    return torch.rand(n, 1, 20, 28, generator=torch.Generator().manual_seed(seed))


# -------------------------------------------------------------------------------- the model


def test_diffusion_is_a_latent_model(model):
    bags = model.given(2, guidance=1.5, steps=3)
    for each in (model, bags):
        assert isinstance(each, LatentModel)
        assert each.latent_shape == (1, 20, 28)
        z = each.sample_latent(5, torch.Generator().manual_seed(0))
        assert z.shape == (5, 1, 20, 28)
        x = each.decode(z)
        assert x.shape == z.shape
        assert 0 <= x.min() < x.max() <= 1
        assert torch.equal(x, each.decode(z)), "the same noise gives the same image"
        torch.testing.assert_close(decode_dataset(each, z, batch_size=2), x, rtol=1e-4, atol=1e-4)
        assert encode_dataset(each, images(), batch_size=2).shape == (3, 1, 20, 28)


def test_decoding_is_the_loop_over_ddim_steps(model):
    z = model.sample_latent(3, torch.Generator().manual_seed(1))
    label, x, times = torch.tensor([0, 3, 1]), z, model.schedule.timesteps(4).tolist()
    with torch.no_grad():
        for t, t_prev in zip(times, [*times[1:], -1], strict=True):
            many = torch.full((3,), t)
            null, given = (d.eps_from_v(model.schedule, x, many, model.denoiser(x, many, y)) for y in (None, label))
            x = d.ddim_step(model.schedule, x, t, null + 2.5 * (given - null), t_prev)
    torch.testing.assert_close(model.given(label, guidance=2.5).decode(z), ((x + 1) / 2).clamp(0, 1))


def test_encoding_comes_back_with_refinements(model):
    x = images()
    view = model.given(1, steps=8, refine=12)
    torch.testing.assert_close(view.decode(view.encode(x)), x, rtol=0, atol=2e-3)
    once, never = (model.given(1, steps=8, refine=refine) for refine in (3, 0))
    errors = [(each.decode(each.encode(x)) - x).abs().mean() for each in (once, never)]
    assert errors[0] < errors[1] / 2


def test_class_and_guidance_change_the_image_linearly_in_eps(model):
    z, t, label = (
        model.sample_latent(3, torch.Generator().manual_seed(2)),
        torch.tensor([900, 500, 10]),
        torch.arange(3),
    )
    with torch.no_grad():
        eps = {g: model.predict_eps(z, t, label, g) for g in (0.0, 1.0, 2.0, 4.0)}
        assert (eps[0.0] - eps[1.0]).abs().max() > 1e-3
        torch.testing.assert_close(eps[0.0], model.predict_eps(z, t))
        torch.testing.assert_close(eps[4.0] - eps[2.0], 2 * (eps[1.0] - eps[0.0]), rtol=1e-3, atol=1e-5)
    decoded = [model.given(k).decode(z) for k in (0, 1)]
    assert (decoded[0] - decoded[1]).abs().max() > 1e-3
    each = model.given(torch.tensor([0, 1, 0])).decode(z)
    torch.testing.assert_close(each[1], decoded[1][1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(each[2], decoded[0][2], rtol=1e-4, atol=1e-4)


def test_loss_is_the_mean_squared_error_of_the_prediction(model):
    """With one image and a perfect or a zero network the loss is known."""
    data = 2 * images(64) - 1

    class Oracle(torch.nn.Module):
        def forward(self, x_t, t, label):
            eps = d.eps_from_x0(model.schedule, x_t, t, data)
            return {"eps": eps, "x0": data, "v": d.v_from_x0_eps(model.schedule, data, t, eps)}[self.what] + self.off

    oracle = Diffusion(image_shape=(1, 20, 28), num_classes=4, channels=(8, 16), blocks=1)
    oracle.denoiser = Oracle()
    for what in ("eps", "x0", "v"):
        oracle.prediction = oracle.denoiser.what = what
        for off, tolerance in ((0.0, 1e-4), (0.5, 1e-2)):
            oracle.denoiser.off = off
            loss = oracle.loss_of_data(data, generator=torch.Generator().manual_seed(0)).item()
            assert loss == pytest.approx(off**2, abs=tolerance), (what, off)


def test_loss_sees_all_timesteps_and_drops_labels(model):
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x_t, t, label):
            seen.append((t, label))
            return torch.zeros_like(x_t)

    spied = Diffusion(image_shape=(1, 4, 4), num_classes=4, channels=(8, 16), blocks=1)
    spied.denoiser = Spy()
    generator = torch.Generator().manual_seed(0)
    spied.loss_of_data(torch.zeros(4000, 1, 4, 4), torch.ones(4000, dtype=torch.int64), drop=0.25, generator=generator)
    t, label = seen[0]
    assert sorted(label.unique().tolist()) == [1, 4]
    assert abs((label == 4).float().mean() - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    assert (t.bincount(minlength=1000) >= 3).all()
    assert t.max() == 999
    spied.loss_terms(torch.zeros(2, 1, 4, 4))
    assert seen[1][1] is None


def test_min_snr_weighs_all_predictions_alike(model):
    """An error of x0 counts min(snr, 5) times its square, whatever the network predicts."""
    data = torch.zeros(500, 1, 4, 4)
    spied = Diffusion(image_shape=(1, 4, 4), num_classes=4, channels=(8, 16), blocks=1)
    schedule, off = spied.schedule, 0.1

    class Wrong(torch.nn.Module):
        def forward(self, x_t, t, label):
            if self.what == "x0":
                return data + off
            return getattr(d, f"{self.what}_from_x0")(schedule, x_t, t, data + off)

    spied.denoiser, losses = Wrong(), []
    for what in ("x0", "eps", "v"):
        spied.prediction = spied.denoiser.what = what
        losses.append(spied.loss_of_data(data, min_snr=5.0, generator=torch.Generator().manual_seed(0)).item())
    expected = off**2 * schedule.snr().clamp(max=5.0).mean().item()
    assert losses == pytest.approx([expected] * 3, rel=0.02)


def test_a_saved_model_comes_back(model, tmp_path):
    checkpoints.save(model, tmp_path / "d", card={}, half=True)
    loaded = checkpoints.load(tmp_path / "d")
    z = model.sample_latent(2, torch.Generator().manual_seed(3))
    torch.testing.assert_close(loaded.given(1).decode(z), model.given(1).decode(z), rtol=0, atol=0.02)
    assert torch.equal(loaded.schedule.alpha_bar, model.schedule.alpha_bar)


def test_a_few_steps_of_training_lower_the_loss():
    torch.manual_seed(0)
    model = Diffusion(image_shape=(1, 8, 8), num_classes=2, channels=(8, 16), blocks=1)
    y = torch.arange(64) % 2
    x = y[:, None, None, None].float().expand(64, 1, 8, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss_terms(x, y)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_models_refuse(model):
    with pytest.raises(ValueError, match="prediction is 'epsilon'"):
        Diffusion(prediction="epsilon")
    with pytest.raises(ValueError, match="steps is 2000"):
        Diffusion(steps=2000)
    for label in (4, -1, torch.tensor([0, 9]), 0.5):
        with pytest.raises(ValueError, match=r"label is .*: give a whole number from 0 to 3"):
            model.given(label)
    with pytest.raises(ValueError, match="latent codes have shape"):
        model.decode(torch.zeros(2, 1, 28, 28))
    with pytest.raises(ValueError, match="images reach"):
        model.encode(5 * images())
    for steps in (0, 5000):
        with pytest.raises(ValueError, match=f"steps is {steps}: take 1 to 1000"):
            model.given(1, steps=steps)


# -------------------------------------------------------------------------------- over codes


def test_latent_diffusion_noises_standardized_codes():
    torch.manual_seed(0)
    vae = randomized(VAE(6, hidden=16), scale=0.05)
    x = torch.rand(200, 1, 28, 28)
    with torch.no_grad():
        codes = vae.encode(x)
    model = LatentDiffusion(vae, codes, hidden=16, steps=5)
    randomized(model.denoiser, scale=0.05)
    assert isinstance(model, LatentModel)
    assert model.latent_shape == (6,)
    data = model.to_data(x)
    torch.testing.assert_close(data.mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(data.std(0), torch.ones(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(model.to_images(data), vae.decode(codes), rtol=1e-4, atol=1e-4)
    assert model.given(3, guidance=2.0).decode(model.sample_latent(4)).shape == (4, 1, 28, 28)
    assert model.encode(x[:3]).shape == (3, 6)
    with pytest.raises(ValueError, match="latent codes have shape"):
        LatentDiffusion(vae, codes[:, :5])


def test_labels_of_any_whole_numbers_and_no_others(model):
    z, t = model.sample_latent(2, torch.Generator().manual_seed(0)), torch.tensor([3, 900])
    expected = model.predict_eps(z, t, torch.tensor([3, 1]))
    assert torch.equal(model.predict_eps(z, t, torch.tensor([3, 1], dtype=torch.uint8)), expected)
    with pytest.raises(TypeError, match="labels are torch.float32 but must be whole numbers"):
        model.loss_terms(images(2), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"labels have shape \(2,\) for 3 examples"):
        model.loss_terms(images(3), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="label is .*: give a whole number from 0 to 3"):
        model.given(torch.zeros(0, dtype=torch.int64))
    plain = Diffusion(image_shape=(1, 8, 12), num_classes=0, channels=(8,), blocks=1)
    with pytest.raises(ValueError, match="label is 3, but this model knows no classes: leave it out"):
        plain.given(3)


def test_the_loss_of_a_seed_does_not_depend_on_the_default_format(model):
    x, label = images(), torch.tensor([0, 1, 2])
    with default_dtype(torch.float64):
        loss = model.loss_of_data(x, label, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loss, model.loss_of_data(x, label, generator=torch.Generator().manual_seed(1)))


def test_one_code_has_no_standard_deviation():
    with pytest.raises(ValueError, match="there are 1 codes: their standard deviation needs at least 2"):
        LatentDiffusion(VAE(3), torch.zeros(1, 3))
