"""Steps and loops of sampling: step by step against diffusers, closed forms and Monte Carlo."""

import math

import pytest
import torch
from their_diffusion import KINDS, PREDICTIONS, SHAPE, randn, theirs

from course_utils.models import diffusion as d
from course_utils.models.diffusion import NoiseSchedule, ddim_step, ddpm_step, guide, invert, q_sample, sample

# -------------------------------------------------------------------------------- one step


def exactly(schedule, scheduler, *arguments, **options):
    """A scheduler of diffusers that computes in float64 from our alpha_bar, so that only the steps are compared."""
    reference = theirs(scheduler, *arguments, **options)
    torch.testing.assert_close(reference.alphas_cumprod, schedule.alpha_bar, rtol=1e-4, atol=1e-6)
    reference.alphas_cumprod, reference.one = schedule.alpha_bar.double(), torch.ones((), dtype=torch.float64)
    reference.final_alpha_cumprod = reference.one
    return reference


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("variance", "clip"), [("small", None), ("large", None), ("small", 1.0)])
def test_ddpm_step_is_that_of_diffusers(kind, prediction, variance, clip):
    schedule = NoiseSchedule(kind)
    reference = exactly(schedule, "DDPMScheduler", kind, prediction, clip, variance_type=f"fixed_{variance}")
    if variance == "large":  # diffusers takes its own float32 betas here
        reference.betas = schedule.betas.double()
    x_t, output = randn(*SHAPE, dtype=torch.float64), randn(*SHAPE, seed=1, dtype=torch.float64)
    for t in (999, 998, 500, 1, 0):
        generator, same = (torch.Generator().manual_seed(t) for _ in range(2))
        expected = reference.step(output, t, x_t, generator=generator).prev_sample
        noise = torch.randn(SHAPE, generator=same, dtype=torch.float64)
        eps_hat = d.to_eps(schedule, x_t, t, output, prediction)
        ours = ddpm_step(schedule, x_t, t, eps_hat, noise=noise, clip=clip, variance=variance)
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-9, msg=lambda text, t=t: f"t = {t}: {text}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_ddim_is_that_of_diffusers_step_by_step(kind, prediction, eta, clip):
    schedule = NoiseSchedule(kind)
    reference = exactly(schedule, "DDIMScheduler", kind, prediction, clip, timestep_spacing="leading")
    reference.set_timesteps(20)
    times, x = reference.timesteps.tolist(), randn(*SHAPE, dtype=torch.float64)
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        output, generator = torch.tanh(0.7 * x + t / 1000), torch.Generator().manual_seed(t)
        options = {"eta": eta, "generator": generator, "use_clipped_model_output": clip is not None}
        expected = reference.step(output, t, x, **options).prev_sample
        noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
        eps_hat = d.to_eps(schedule, x, t, output, prediction)
        ours = ddim_step(schedule, x, t, eps_hat, t_prev, eta=eta, noise=noise, clip=clip)
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-9, msg=lambda text, t=t: f"t = {t}: {text}")
        x = expected


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_sampling_is_that_of_diffusers_as_it_comes(prediction):
    """The whole loop against an untouched scheduler in float32, from noise to data."""
    schedule, reference = (
        NoiseSchedule("linear"),
        theirs("DDIMScheduler", "linear", prediction, timestep_spacing="trailing"),
    )
    reference.set_timesteps(10)
    z = x = randn(*SHAPE)
    for t in reference.timesteps:
        x = reference.step(torch.tanh(0.7 * x + t / 1000), t, x).prev_sample

    def predict(x_t, t):
        return d.to_eps(schedule, x_t, t, torch.tanh(0.7 * x_t + t[0] / 1000), prediction)

    ours = sample(schedule, predict, z, steps=10)
    torch.testing.assert_close(ours / x.abs().max(), x / x.abs().max(), rtol=0, atol=1e-3)


def test_ddpm_and_ddim_skip_the_same_way():
    """DDIM with eta = 1 is DDPM with the small variance, over any gap (Song et al. 2021, sec. 4.1), in float64."""
    schedule = NoiseSchedule("cosine")
    x_t, eps_hat, noise = (randn(*SHAPE, seed=seed, dtype=torch.float64) for seed in range(3))
    for t, t_prev in ((900, 650), (500, 499), (20, 0), (3, -1)):
        ours = ddpm_step(schedule, x_t, t, eps_hat, t_prev, noise=noise)
        torch.testing.assert_close(ours, ddim_step(schedule, x_t, t, eps_hat, t_prev, eta=1, noise=noise))


def test_ddpm_step_is_the_posterior():
    """q(x_{t-1} | x_t, x0) by Bayes' rule on two Gaussians, in float64; and the last step adds no noise."""
    schedule, t, x0, x_t = NoiseSchedule("linear", 50), 20, 0.4, torch.tensor([[1.3]], dtype=torch.float64)
    alpha, before = float(schedule.alphas[t]), float(schedule.alpha_bar[t - 1])
    here = float(schedule.alpha_bar[t])
    precision = alpha / (1 - alpha) + 1 / (1 - before)
    mean = (math.sqrt(alpha) * 1.3 / (1 - alpha) + math.sqrt(before) * x0 / (1 - before)) / precision
    eps = (x_t - math.sqrt(here) * x0) / math.sqrt(1 - here)
    one = torch.ones_like(x_t)
    found = ddpm_step(schedule, x_t, t, eps)
    assert found.item() == pytest.approx(mean, rel=1e-5)
    deviation = (ddpm_step(schedule, x_t, t, eps, noise=one) - found).item()
    assert deviation == pytest.approx(1 / math.sqrt(precision), rel=1e-4)
    for variance in ("small", "large"):
        last = ddpm_step(schedule, x_t, 0, eps, noise=one, variance=variance)
        torch.testing.assert_close(last, d.x0_from_eps(schedule, x_t, 0, eps))


def test_steps_take_a_timestep_an_image():
    schedule, x_t, eps, noise = NoiseSchedule("linear", 90), *(randn(*SHAPE, seed=seed) for seed in range(3))
    t, t_prev = torch.tensor([80, 40, 0]), torch.tensor([60, 39, -1])
    for step in (ddpm_step, ddim_step):
        options = {"eta": 0.5} if step is ddim_step else {}
        together = step(schedule, x_t, t, eps, t_prev, noise=noise, **options)
        for i in range(3):
            one = (x[i : i + 1] for x in (x_t, eps, noise))
            x, e, n = one
            alone = step(schedule, x, int(t[i]), e, int(t_prev[i]), noise=n, **options)
            torch.testing.assert_close(together[i : i + 1], alone)


def test_steps_refuse():
    schedule, x = NoiseSchedule("cosine", 100), torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"eta is 1\.5"):
        ddim_step(schedule, x, 50, x, 40, eta=1.5, noise=x)
    with pytest.raises(ValueError, match="give it as noise"):
        ddim_step(schedule, x, 50, x, 40, eta=1)
    with pytest.raises(ValueError, match="noisier than t"):
        ddim_step(schedule, x, 50, x, 60, eta=1, noise=x)
    with pytest.raises(ValueError, match="t_prev is not below t"):
        ddpm_step(schedule, x, 50, x, 50)
    with pytest.raises(ValueError, match="variance is 'learned'"):
        ddpm_step(schedule, x, 50, x, variance="learned")
    with pytest.raises(ValueError, match="must be the same"):
        ddim_step(schedule, x, 50, x[:1], 40)
    with pytest.raises(ValueError, match="refine is -1"):
        invert(schedule, lambda x, t: x, x, refine=-1)


def test_clip_keeps_the_estimate_within_and_the_noise_fitting():
    schedule, x_t, seen = NoiseSchedule("cosine", 100), 3 * randn(*SHAPE), []
    sample(
        schedule, lambda x, t: 0.1 * x, x_t, steps=5, clip=1.0, callback=lambda t, x, x0_hat: seen.append((t, x0_hat))
    )
    assert [t for t, _ in seen] == [79, 59, 39, 19, -1]
    assert all(x0_hat.abs().max() <= 1 for _, x0_hat in seen)
    x0 = torch.full((1, 2), 0.3)
    eps = torch.tensor([[0.5, -2.0]])
    inside = ddim_step(schedule, q_sample(schedule, x0, 60, eps), 60, eps, 30, clip=1.0)
    torch.testing.assert_close(inside, q_sample(schedule, x0, 30, eps))


# -------------------------------------------------------------------------------- whole paths with a known answer

MEAN, STD = 0.3, 0.6


def gaussian(schedule):
    """The best possible estimate of eps where the data are N(MEAN, STD**2) in each dimension."""

    def predict(x_t, t):
        alpha_bar = schedule.alpha_bar_at(t, x_t)
        return (1 - alpha_bar).sqrt() * (x_t - alpha_bar.sqrt() * MEAN) / (alpha_bar * STD**2 + 1 - alpha_bar)

    return predict


@pytest.mark.parametrize("kind", KINDS)
def test_ddim_is_the_quantile_map_of_gaussian_data(kind):
    """As the steps grow many, DDIM takes the q-quantile of the noise to the q-quantile of the data: z to m + s z."""
    schedule, z = NoiseSchedule(kind), torch.linspace(-2.5, 2.5, 11, dtype=torch.float64)[:, None]
    errors = {
        steps: (sample(schedule, gaussian(schedule), z, steps=steps) - (MEAN + STD * z)).abs().max().item()
        for steps in (10, 100, 1000)
    }
    assert errors[1000] < 0.01
    assert errors[1000] < errors[100] / 3 < errors[10] / 9


def test_ddpm_draws_gaussian_data():
    schedule, count = NoiseSchedule("cosine", 300), 20_000
    generator = torch.Generator().manual_seed(0)
    x = sample(schedule, gaussian(schedule), randn(count, 1, seed=5), steps=300, eta=1.0, generator=generator)
    assert abs(x.mean().item() - MEAN) < 4 * STD / math.sqrt(count) + 0.003
    assert abs(x.std().item() - STD) < 4 * STD / math.sqrt(2 * count) + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_inversion_comes_back(kind):
    """With refinements exactly; without, the better the more steps; and it finds the very noise."""
    schedule, x0 = NoiseSchedule(kind), randn(6, 3, dtype=torch.float64)
    predict = gaussian(schedule)

    def error(steps, refine):
        z = invert(schedule, predict, x0, steps=steps, refine=refine)
        return (sample(schedule, predict, z, steps=steps) - x0).abs().max().item()

    assert error(50, 25) < 1e-6
    plain = {steps: error(steps, 0) for steps in (20, 300)}
    assert 1e-4 < plain[300] < plain[20] / 4
    assert error(300, 2) < plain[300] / 3
    z = invert(schedule, predict, MEAN + STD * x0, steps=500, refine=1)
    torch.testing.assert_close(z, x0, rtol=0, atol=0.05)


def test_the_same_noise_and_generator_give_the_same_samples():
    schedule = NoiseSchedule("linear", 100)
    z, state = randn(4, 3), torch.get_rng_state()
    draw = [
        sample(schedule, gaussian(schedule), z, steps=10, eta=1.0, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert torch.equal(state, torch.get_rng_state())


def test_progress_shows_a_bar(capfd):
    schedule, z = NoiseSchedule("linear", 100), randn(1, 1)
    sample(schedule, gaussian(schedule), z, steps=3)
    assert not capfd.readouterr().err
    sample(schedule, gaussian(schedule), z, steps=3, progress=True)
    invert(schedule, gaussian(schedule), z, steps=3, progress=True)
    shown = capfd.readouterr().err
    assert "sampling" in shown
    assert "inverting" in shown


def test_guidance_is_linear():
    null, label = randn(*SHAPE), randn(*SHAPE, seed=1)
    assert torch.equal(guide(null, label, 0.0), null)
    torch.testing.assert_close(guide(null, label, 1.0), label)
    torch.testing.assert_close(guide(null, label, 3.0), 3 * label - 2 * null)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bits_take_the_steps_of_float32(dtype):
    """Also from the last timestep, where x0_hat is beyond float16's largest number."""
    schedule = NoiseSchedule("cosine", 1000)
    x, eps, noise = (torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(s)).to(dtype) for s in (0, 1, 2))
    for step, options in ((ddim_step, {}), (ddim_step, {"eta": 1.0, "noise": noise}), (ddpm_step, {"noise": noise})):
        for t, t_prev in ((999, 950), (500, 450), (3, -1)):
            out = step(schedule, x, t, eps, t_prev, **options)
            wide = {name: value.double() if name == "noise" else value for name, value in options.items()}
            exact = step(schedule, x.double(), t, eps.double(), t_prev, **wide)
            assert out.dtype == dtype
            torch.testing.assert_close(out, exact.to(dtype), rtol=0.01, atol=1e-3)
