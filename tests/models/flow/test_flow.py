"""The flow as a model: its loop, conditions, guidance, compressor, storage, and that it learns."""

import pytest
import torch
from helpers import default_dtype, generator
from small_models import randomized, tiny_images, tiny_vae

from course_utils import checkpoints
from course_utils.latents import LatentModel, decode_dataset, encode_dataset
from course_utils.models import flow as f
from course_utils.models.caption import tokenize
from course_utils.models.diffusion.caption_denoisers import CaptionUNet
from course_utils.models.diffusion.denoisers import MLPDenoiser, UNet
from course_utils.models.flow import FlowModel
from course_utils.models.vae import VAE
from course_utils.training import RandomBatches, fit

WORDS = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])


def flow(**settings) -> FlowModel:
    torch.manual_seed(0)
    return randomized(FlowModel(5, **{"hidden": 16, "blocks": 2, "steps": 4, **settings}), scale=0.2)


@pytest.fixture(scope="module")
def model():
    made = flow(condition_dim=4)
    made.set_codes(3 * torch.randn(50, 5, generator=generator(9)) + torch.arange(5.0))
    return made


def z(n=3, seed=1):
    return torch.randn(n, 5, generator=generator(seed))


def test_a_flow_is_a_latent_model(model):
    told = model.given(WORDS[0], guidance=1.5, steps=3, method="heun")
    for each in (model, told):
        assert isinstance(each, LatentModel)
        assert each.latent_shape == (5,)
        noise = each.sample_latent(6, generator(0))
        assert torch.equal(noise, torch.randn(6, 5, generator=generator(0)))
        x = each.decode(noise)
        assert torch.equal(x, each.decode(noise)), "the same noise gives the same data"
        torch.testing.assert_close(decode_dataset(each, noise, batch_size=4), x, rtol=1e-4, atol=1e-4)
        assert each.encode(x).shape == (6, 5)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_decoding_is_the_loop_over_steps(model, method):
    x = z()
    with torch.no_grad():
        for t in (0.0, 0.25, 0.5, 0.75):
            now = torch.full((3,), t)
            v = model.network(x, 1000 * now, WORDS)
            ahead = x + 0.25 * v
            if method == "heun":
                ahead = x + 0.125 * (v + model.network(ahead, 1000 * (now + 0.25), WORDS))
            x = ahead
    expected = x * model.code_std + model.code_mean
    torch.testing.assert_close(model.given(WORDS, method=method).decode(z()), expected)


def test_encoding_comes_back_the_better_the_more_steps():
    """A field that hardly depends on the time, or steps would have to be far shorter."""
    torch.manual_seed(0)
    calm = randomized(FlowModel(5, hidden=16, blocks=2, condition_dim=4), scale=0.2)
    with torch.no_grad():
        for p in calm.network.condition.time.parameters():
            p.mul_(0.01)
    errors = []
    for steps in (4, 16, 64):
        view = calm.given(WORDS, steps=steps, method="heun")
        errors.append((view.encode(view.decode(z())) - z()).abs().max().item())
    assert errors[2] < 1e-3
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


def test_condition_and_guidance_change_the_velocity_linearly(model):
    x, t = z(), torch.tensor([0.0, 0.5, 0.9])
    with torch.no_grad():
        v = {g: model.velocity(x, t, WORDS, g) for g in (0.0, 1.0, 2.0, 4.0)}
        assert (v[0.0] - v[1.0]).abs().max() > 1e-3
        torch.testing.assert_close(v[0.0], model.velocity(x, t))
        torch.testing.assert_close(v[0.0], model.velocity(x, t, torch.zeros(3, 4)))  # zeros are the null condition
        torch.testing.assert_close(v[4.0] - v[2.0], 2 * (v[1.0] - v[0.0]), rtol=1e-3, atol=1e-5)
    decoded = [model.given(row).decode(z()) for row in WORDS]
    each = model.given(WORDS).decode(z())
    for i in range(3):
        torch.testing.assert_close(each[i], decoded[i][i], rtol=1e-4, atol=1e-4)


def test_classes_as_a_diffusion_model_takes_them():
    told = flow(num_classes=3)
    x, t = z(), torch.tensor([0.0, 0.5, 0.9])
    with torch.no_grad():
        torch.testing.assert_close(told.velocity(x, t), told.velocity(x, t, torch.tensor([3, 3, 3])))
        assert (told.velocity(x, t, torch.tensor([0, 1, 2])) - told.velocity(x, t)).abs().max() > 1e-3
    assert told.given(2, guidance=3.0).decode(x).shape == (3, 5)
    for label in (3, -1, 0.5, torch.zeros(0, dtype=torch.int64)):
        with pytest.raises(ValueError, match="label is .*: give a whole number from 0 to 2"):
            told.given(label)
    with pytest.raises(ValueError, match="this model knows no classes"):
        flow().given(1)
    with pytest.raises(ValueError, match=r"give a vector \(4,\) of floats"):
        flow(condition_dim=4).given(WORDS[:, :3])


def test_the_loss_is_that_of_the_pairs():
    told = flow(condition_dim=4)
    with torch.no_grad():
        loss = told.loss_of_data(z(seed=2), WORDS, drop=0.0, generator=generator(5))
        rng = generator(5)
        t = (torch.arange(3) + torch.rand(3, generator=rng)) / 3
        torch.rand(3, generator=rng)  # which conditions are dropped
        x0 = torch.randn(3, 5, generator=rng)
        x_t, v = f.flow_matching_pair(x0, z(seed=2), t)
        expected = (told.network(x_t, 1000 * t, WORDS) - v).square().mean()
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(
            told.loss_of_data(z(seed=2), WORDS, drop=1.0, generator=generator(5)),
            (told.network(x_t, 1000 * t, None) - v).square().mean(),
        )
        given = told.loss_of_data(z(seed=2), x0=z(seed=3), generator=generator(5))
        x_t, v = f.flow_matching_pair(z(seed=3), z(seed=2), t)
        torch.testing.assert_close(given, (told.network(x_t, 1000 * t, None) - v).square().mean())


def test_the_loss_of_a_seed_does_not_depend_on_the_default_format(model):
    data = z()
    with default_dtype(torch.float64):
        loss = model.loss_of_data(data, WORDS, generator=generator(1))
    assert torch.equal(loss, model.loss_of_data(data, WORDS, generator=generator(1)))


def test_times_of_training_are_those_of_the_setting():
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x_t, t, condition):
            seen.append(t)
            return torch.zeros_like(x_t)

    for times in ("uniform", "logit_normal"):
        FlowModel(2, times=times, network=Spy()).loss_of_data(torch.zeros(3000, 2), generator=generator(0))
    uniform, bent = ((each / 1000 - 0.5).abs() < 0.25 for each in seen)
    assert uniform.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert bent.float().mean().item() == pytest.approx(0.728, abs=0.04)  # 2 Phi(log 3) - 1


def test_over_a_compressor_it_makes_images():
    torch.manual_seed(0)
    vae = randomized(VAE(5, hidden=8, image_shape=(2, 4, 6)), scale=0.2)
    x = torch.rand(30, 2, 4, 6, generator=generator(0))
    codes = encode_dataset(vae, x)
    bare = flow(condition_dim=4)
    bare.set_codes(codes)
    view = bare.over(vae)
    assert bare.compressor is None, "the model itself still makes codes"
    torch.testing.assert_close(view.to_data(x).mean(0), torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(view.to_data(x).std(0), torch.ones(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(view.to_images(view.to_data(x)), vae.decode(codes), rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        torch.testing.assert_close(
            view.given(WORDS, 2.0).decode(z()), vae.decode(bare.given(WORDS, 2.0).decode(z())), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            view.given(WORDS).encode(x[:3]), bare.given(WORDS).encode(vae.encode(x[:3])), rtol=1e-4, atol=1e-5
        )
    assert view.loss_terms(x[:3], WORDS)["loss"].isfinite()
    with torch.no_grad():
        next(bare.network.parameters()).zero_()
    assert not next(view.network.parameters()).any(), "it shares the weights"
    assert set(view.state_dict()) > set(bare.state_dict())
    with pytest.raises(TypeError, match="its compressor is a VAE: give what a card can hold"):
        checkpoints.require_buildable(view)
    with pytest.raises(ValueError, match=r"the compressor's codes have shape \(3,\), but this model makes codes of"):
        bare.over(VAE(3))
    at_once = FlowModel(5, hidden=16, blocks=2, steps=4, condition_dim=4, compressor=vae)
    at_once.load_state_dict(view.state_dict())
    torch.testing.assert_close(at_once.decode(z()), view.decode(z()))


def test_training_over_a_compressor_leaves_the_compressor_alone():
    vae = tiny_vae()
    view = FlowModel(3, hidden=8, blocks=1).over(vae)
    vae.encoder.eval()  # one part as its owner wants it, the rest in training mode
    modes, before = [part.training for part in vae.modules()], [p.clone() for p in vae.parameters()]
    assert len(set(modes)) == 2
    view.loss_terms(tiny_images())["loss"].backward()
    assert all(p.grad is None for p in vae.parameters())
    assert any(p.grad is not None for p in view.network.parameters())
    assert [part.training for part in vae.modules()] == modes
    fit(view, [(tiny_images(),)] * 2, epochs=1, lr=0.1, progress=False)
    assert all(torch.equal(p, kept) for p, kept in zip(vae.parameters(), before, strict=True))


def test_a_compressor_is_read_in_evaluation_mode():
    seen = []

    class Watched(torch.nn.Module):
        latent_shape, weight = (3,), torch.nn.Parameter(torch.ones(()))

        def encode(self, x):
            seen.append(self.training)
            return self.weight * x.flatten(1)[:, :3]

    view = FlowModel(3, hidden=8, blocks=1).over(Watched()).train()
    assert not view.to_data(tiny_images()).requires_grad
    assert seen == [False]
    assert view.compressor.training


def test_a_network_that_does_not_say_what_it_is_told():
    class Silent(torch.nn.Module):
        def __init__(self, **told):
            super().__init__()
            self.inner, self.seen = MLPDenoiser(2, hidden=8, blocks=1, **told), []

        def forward(self, x_t, t, condition):
            self.seen.append(condition)
            return self.inner(x_t, t, condition)

    data, labels = torch.zeros(50, 2), torch.arange(50) % 3
    told = FlowModel(2, num_classes=3, network=Silent(num_classes=3))
    told.loss_of_data(data, labels, drop=1.0)
    assert (told.network.seen[-1] == 3).all(), "the null class is the one after the last"
    with pytest.raises(ValueError, match="label is 3: give a whole number from 0 to 2"):
        told.given(3)
    unsaid = FlowModel(2, network=Silent(num_classes=3))
    with pytest.raises(ValueError, match="the number of classes is unknown, .* say num_classes, or drop=0"):
        unsaid.loss_of_data(data, labels)
    unsaid.loss_of_data(data, labels, drop=0.0)
    assert torch.equal(unsaid.network.seen[-1], labels)
    assert FlowModel(2, network=MLPDenoiser(2, hidden=8, num_classes=4), num_classes=3).num_classes == 4
    vectors = FlowModel(2, condition_dim=4, network=Silent(condition_dim=4))
    with pytest.raises(ValueError, match=r"give a vector \(4,\) of floats"):
        vectors.given(torch.zeros(3))
    vectors.loss_of_data(data, torch.ones(50, 4), drop=1.0)
    assert not vectors.network.seen[-1].any()


def test_a_saved_flow_comes_back(model, tmp_path):
    checkpoints.save(model, tmp_path / "f", card={}, half=True)
    loaded = checkpoints.load(tmp_path / "f")
    assert (loaded.steps, loaded.method, loaded.latent_shape, loaded.condition_dim) == (4, "euler", (5,), 4)
    torch.testing.assert_close(loaded.code_std, model.code_std, rtol=1e-3, atol=0)
    torch.testing.assert_close(loaded.given(WORDS).decode(z()), model.given(WORDS).decode(z()), rtol=0, atol=0.1)


def test_another_network_for_codes_with_height_and_width():
    torch.manual_seed(0)
    unet = randomized(UNet((4, 8, 4), channels=(8,), blocks=1, num_classes=3), scale=0.2)
    model = FlowModel((4, 8, 4), network=unet, steps=2)
    assert model.num_classes == 3
    x = model.given(1, guidance=2.0).decode(model.sample_latent(3, generator(0)))
    assert x.shape == (3, 4, 8, 4)
    assert (x - model.given(2, guidance=2.0).decode(model.sample_latent(3, generator(0)))).abs().max() > 1e-3
    assert model.loss_of_data(torch.randn(3, 4, 8, 4), torch.tensor([0, 1, 2])).isfinite()
    assert model.decode(torch.zeros(0, 4, 8, 4)).shape == (0, 4, 8, 4)
    with pytest.raises(TypeError, match="its network is a UNet"):
        checkpoints.require_buildable(model)
    with pytest.raises(ValueError, match=r"latent_shape is \(8, 4\): .* give a network of your own"):
        FlowModel((8, 4))


def test_codes_with_places_are_told_the_words_of_captions(tmp_path):
    torch.manual_seed(0)
    model = FlowModel((3, 6, 4), channels=(8, 16), steps=2)
    randomized(model.network, scale=0.2)
    assert isinstance(model.network, CaptionUNet)
    told = tokenize(["a person with red hair, smiling", ""])[0]
    x, t = torch.randn(2, 3, 6, 4, generator=generator(0)), torch.tensor([0.2, 0.7])
    with torch.no_grad():
        torch.testing.assert_close(model.velocity(x, t, told), model.network(x, 1000 * t, told))
        unguided, led = model.velocity(x, t), model.velocity(x, t, told, guidance=3.0)
        torch.testing.assert_close(led, unguided + 3 * (model.velocity(x, t, told) - unguided), rtol=1e-4, atol=1e-5)
    assert (led[0] - unguided[0]).abs().max() > 1e-4
    torch.testing.assert_close(led[1], unguided[1], msg="an empty caption asks for any")
    assert model.loss_of_data(x, told).isfinite()
    checkpoints.save(model.eval(), tmp_path / "f", card={}, half=True)
    again = checkpoints.load(tmp_path / "f")
    assert again.config["channels"] == (8, 16)
    torch.testing.assert_close(again.velocity(x, t, told), model.velocity(x, t, told), rtol=0, atol=0.02)
    for option in ("num_classes", "condition_dim"):
        with pytest.raises(ValueError, match="the network is told the tokens of captions"):
            FlowModel((3, 6, 4), **{option: 2})


def test_any_condition_of_a_network_that_looks_at_it_itself():
    """As a caption with its mask would be: the flow hands it on as it is."""

    class Listening(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, x_t, t, condition):
            if condition is None:
                return torch.zeros_like(x_t)
            tokens, mask = condition
            return x_t * 0 + (tokens * mask[..., None]).sum(1)

    model = FlowModel(2, network=Listening(), steps=5)
    tokens, mask = torch.ones(3, 4, 2), torch.tensor([[True, False, False, False]] * 2 + [[True] * 4])
    made = model.given((tokens, mask), guidance=2.0).decode(torch.zeros(3, 2))
    torch.testing.assert_close(made, 2 * torch.tensor([[1.0, 1], [1, 1], [4, 4]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "rk4"}, "method is 'rk4': use one of euler, heun"),
        ({"steps": 0}, "steps is 0"),
        ({"times": "normal"}, "kind is 'normal'"),
        ({"num_classes": 3, "condition_dim": 2}, "leave one of them 0"),
    ],
)
def test_flows_refuse(settings, message):
    with pytest.raises(ValueError, match=message):
        FlowModel(2, hidden=8, **settings)


def test_what_comes_in_is_looked_at(model):
    for call in (model.decode, model.encode):
        with pytest.raises(ValueError, match=r"latent codes have shape \(2, 4\) but this model takes \(B, 5\)"):
            call(torch.zeros(2, 4))
        with pytest.raises(TypeError, match="this model computes in torch.float32"):
            call(torch.zeros(2, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match="there are 2 conditions for 3 examples"):
        model.loss_of_data(z(), WORDS[:2])


def test_what_is_given_must_be_right(model):
    with pytest.raises(ValueError, match="steps is 0"):
        model.given(steps=0)
    with pytest.raises(ValueError, match="method is ''"):
        model.given(method="")
    with pytest.raises(ValueError, match="there are 3 conditions for 5 examples: give one, or one an example"):
        model.given(WORDS).decode(z(5))
    free = FlowModel(5, network=torch.nn.Identity())
    with pytest.raises(TypeError, match="the condition is a tuple: give one tensor; of captions the tokens"):
        free.loss_of_data(z(), (torch.zeros(3, 4).long(), torch.ones(3, 4).bool()))


def test_a_little_training_finds_the_classes():
    """Points at two places, told which: afterwards noise flows to the place that was asked for."""
    torch.manual_seed(0)
    places = torch.tensor([[-2.0, 1.0], [2.0, 0.0]])
    label = torch.arange(2).repeat(100)
    x = places[label] + 0.1 * torch.randn(200, 2, generator=generator(0))
    model = FlowModel(2, num_classes=2, hidden=32, blocks=1)
    fit(
        model, RandomBatches(x, label, batch_size=128, steps=250, generator=generator(1)), epochs=1, lr=5e-3,
        progress=False,
    )  # fmt: skip
    noise = torch.randn(100, 2, generator=generator(2))
    for k in (0, 1):
        made = model.given(k).decode(noise)
        assert (made - places[k]).norm(dim=1).mean() < 0.6
    both = model.decode(noise)
    assert 0.25 < (both[:, 0] > 0).float().mean() < 0.75
