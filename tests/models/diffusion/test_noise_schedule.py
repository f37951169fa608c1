"""Diffusion, step by step against diffusers, against closed forms, and against Monte Carlo."""

import math

import numpy as np
import pytest
import torch
from their_diffusion import KINDS, SHAPE, randn, theirs

from course_utils.models import diffusion as d
from course_utils.models.diffusion import NoiseSchedule, q_sample

# -------------------------------------------------------------------------------- the schedule


@pytest.mark.parametrize("kind", KINDS)
def test_schedules_are_those_of_diffusers(kind):
    schedule, reference = NoiseSchedule(kind, 1000), theirs("DDPMScheduler", kind)
    torch.testing.assert_close(schedule.betas, reference.betas, rtol=1e-5, atol=2e-7)
    torch.testing.assert_close(schedule.alpha_bar, reference.alphas_cumprod, rtol=1e-4, atol=1e-6)
    assert schedule.alphas.shape == schedule.betas.shape == schedule.alpha_bar.shape == (1000,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_steps", [30, 400])
def test_alpha_bar_is_the_product_of_alphas_and_falls_to_noise(kind, num_steps):
    schedule = NoiseSchedule(kind, num_steps)
    torch.testing.assert_close(schedule.alphas, 1 - schedule.betas)
    expected = np.cumprod(1 - schedule.betas.numpy().astype(np.float64))
    np.testing.assert_allclose(schedule.alpha_bar.numpy(), expected, rtol=1e-4)
    assert (schedule.alpha_bar.diff() < 0).all()
    assert schedule.alpha_bar[0] > 0.98
    assert schedule.alpha_bar[-1] < 1e-4


def test_cosine_schedule_is_the_papers():
    schedule = NoiseSchedule("cosine", 200)
    f = [math.cos((t / 200 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(201)]
    for t in (0, 1, 57, 150, 190):  # t counts from 0 here, so alpha_bar[t] is the paper's at t + 1
        assert float(schedule.alpha_bar[t]) == pytest.approx(f[t + 1] / f[0], rel=1e-5)
    assert float(schedule.betas.max()) == pytest.approx(0.999)


def test_linear_schedule_takes_its_ends():
    schedule = NoiseSchedule("linear", 11, beta_start=0.1, beta_end=0.6)
    torch.testing.assert_close(schedule.betas, torch.linspace(0.1, 0.6, 11))
    assert NoiseSchedule(**schedule.config).config == schedule.config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "quadratic"}, "kind is 'quadratic'"),
        ({"num_steps": 1}, "num_steps is 1"),
        ({"kind": "linear", "num_steps": 10}, r"betas go from 0\.01 to 2"),
        ({"kind": "linear", "beta_start": 0.5, "beta_end": 0.1}, "must rise"),
        ({"kind": "cosine", "beta_end": 0.1}, "belong to the linear schedule"),
    ],
)
def test_schedule_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(**arguments)


def test_alpha_bar_at_takes_numbers_and_batches_and_knows_the_clean_image():
    schedule, x = NoiseSchedule("cosine", 100), torch.zeros(SHAPE, dtype=torch.float64)
    values = schedule.alpha_bar_at(torch.tensor([-1, 0, 99]), x)
    assert values.shape == (3, 1, 1, 1)
    assert values.dtype == torch.float64
    assert values.flatten().tolist() == [1.0, float(schedule.alpha_bar[0]), float(schedule.alpha_bar[99])]
    assert schedule.alpha_bar_at(7, x).shape == (1, 1, 1, 1)
    for t in (100, -2, torch.tensor([0, 5, 100])):
        with pytest.raises(ValueError, match="timesteps of this schedule are 0 to 99"):
            schedule.alpha_bar_at(t, x)
    with pytest.raises(ValueError, match="give one timestep, or 3 for a batch of 3"):
        schedule.alpha_bar_at(torch.tensor([1, 2]), x)
    with pytest.raises(TypeError, match="whole numbers"):
        schedule.alpha_bar_at(0.5, x)


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 7, 20, 50, 333, 1000])
def test_timesteps_are_those_of_diffusers(spacing, steps):
    reference = theirs("DDIMScheduler", "linear", timestep_spacing=spacing)
    reference.set_timesteps(steps)
    assert NoiseSchedule("linear").timesteps(steps, spacing).tolist() == reference.timesteps.tolist()


def test_timesteps_refuses():
    schedule = NoiseSchedule("cosine", 50)
    with pytest.raises(ValueError, match="steps is 51: take 1 to 50"):
        schedule.timesteps(51)
    with pytest.raises(ValueError, match="spacing is 'even'"):
        schedule.timesteps(5, "even")


# -------------------------------------------------------------------------------- the forward process


@pytest.mark.parametrize("t", [0, 30, 79])
def test_q_sample_is_many_small_steps(t):
    """Mean and variance of the chain x_t = sqrt(alpha) x_{t-1} + sqrt(beta) eps, in closed form and by Monte Carlo."""
    schedule, x0, count = NoiseSchedule("linear", 80), 0.7, 40_000
    mean, variance, x = x0, 0.0, torch.full((count, 1), x0)
    for step in range(t + 1):
        alpha, beta = float(schedule.alphas[step]), float(schedule.betas[step])
        mean, variance = math.sqrt(alpha) * mean, alpha * variance + beta
        x = math.sqrt(alpha) * x + math.sqrt(beta) * randn(count, 1, seed=step)
    x_t = q_sample(schedule, torch.full((count, 1), x0), t, randn(count, 1, seed=999))
    for values in (x, x_t):
        assert abs(values.mean().item() - mean) < 4 * math.sqrt(variance / count)
        assert abs(values.var().item() - variance) < 4 * variance * math.sqrt(2 / count)


def test_q_sample_is_that_of_diffusers_and_takes_a_timestep_an_image():
    schedule, reference = NoiseSchedule("cosine"), theirs("DDPMScheduler", "cosine")
    x0, eps, t = randn(*SHAPE), randn(*SHAPE, seed=1), torch.tensor([0, 500, 999])
    torch.testing.assert_close(q_sample(schedule, x0, t, eps), reference.add_noise(x0, eps, t), rtol=1e-4, atol=1e-5)
    assert torch.equal(q_sample(schedule, x0, -1, eps), x0)
    with pytest.raises(ValueError, match="must be the same"):
        q_sample(schedule, x0, t, eps[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_conversions_agree_with_each_other(kind):
    schedule, t = NoiseSchedule(kind, 200), torch.tensor([0, 100, 180])
    x0, eps = randn(*SHAPE, dtype=torch.float64), randn(*SHAPE, seed=1, dtype=torch.float64)
    x_t = q_sample(schedule, x0, t, eps)
    v = d.v_from_x0_eps(schedule, x0, t, eps)
    expected = {"x0": x0, "eps": eps, "v": v}
    for source in expected:
        for target in set(expected) - {source}:
            convert = getattr(d, f"{target}_from_{source}")
            torch.testing.assert_close(
                convert(schedule, x_t, t, expected[source]), expected[target], msg=convert.__name__
            )
        torch.testing.assert_close(d.to_eps(schedule, x_t, t, expected[source], source), eps)
    with pytest.raises(ValueError, match="prediction is 'epsilon'"):
        d.to_eps(schedule, x_t, t, eps, "epsilon")


def test_velocity_is_that_of_diffusers_and_the_derivative_along_the_angle():
    schedule, reference, t = NoiseSchedule("linear"), theirs("DDPMScheduler", "linear"), torch.tensor([0, 500, 999])
    x0, eps = randn(*SHAPE), randn(*SHAPE, seed=1)
    v = d.v_from_x0_eps(schedule, x0, t, eps)
    torch.testing.assert_close(v, reference.get_velocity(x0, eps, t), rtol=1e-4, atol=1e-5)
    phi, small = math.acos(math.sqrt(schedule.alpha_bar[500])), 1e-4
    x_after, x_before = (math.cos(phi + s) * x0 + math.sin(phi + s) * eps for s in (small, -small))
    torch.testing.assert_close(v[1], ((x_after - x_before) / (2 * small))[1], rtol=1e-2, atol=1e-2)


CONVERSIONS = (d.q_sample, d.x0_from_eps, d.eps_from_x0, d.v_from_x0_eps, d.x0_from_v, d.eps_from_v, d.v_from_eps)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", [*CONVERSIONS, d.v_from_x0], ids=lambda function: function.__name__)
def test_16_bits_are_computed_in_float32(function, dtype):
    """In bfloat16 1 - alpha_bar has no digits left at small t, and in float16 alpha_bar is 0 at the last one."""
    schedule = NoiseSchedule("cosine", 1000)
    a, b = (torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(s)).to(dtype) for s in (0, 1))
    t = torch.tensor([0, 3, 500, 900, 990])
    out = function(schedule, a, t, b)
    assert out.dtype == dtype
    torch.testing.assert_close(out, function(schedule, a.double(), t, b.double()).to(dtype), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_schedule_stays_in_float32_with_its_model(dtype):
    schedule, exact = NoiseSchedule("cosine", 1000).to(dtype), NoiseSchedule("cosine", 1000)
    assert torch.equal(schedule.alpha_bar, exact.alpha_bar)
    assert schedule.alpha_bar.dtype == torch.float32
    assert 0 < schedule.alpha_bar[-1] < schedule.alpha_bar[0] < 1
