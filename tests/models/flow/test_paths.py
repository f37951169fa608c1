"""Pairs, times, the loss, and what a velocity says about both ends."""

import math

import pytest
import torch
from helpers import default_dtype, generator

from course_utils.models import diffusion as d
from course_utils.models import flow as f
from course_utils.models.diffusion import NoiseSchedule

SHAPE = (3, 2, 5, 4)  # batch, channels, height and width that cannot be confused


def randn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def a_batch(dtype=torch.float32):
    return randn(*SHAPE, seed=1, dtype=dtype), randn(*SHAPE, seed=2, dtype=dtype) + 3, torch.tensor([0.0, 0.3, 1.0])


# -------------------------------------------------------------------------------- pairs


def test_a_pair_is_on_the_straight_line_number_by_number():
    x0, x1, t = a_batch()
    x_t, velocity = f.flow_matching_pair(x0, x1, t)
    for b, c, y, x in ((0, 1, 4, 3), (1, 0, 2, 1), (2, 1, 0, 3), (1, 1, 4, 0)):
        noise, data, time = x0[b, c, y, x].item(), x1[b, c, y, x].item(), t[b].item()
        assert x_t[b, c, y, x].item() == pytest.approx(noise + time * (data - noise), abs=1e-5)
        assert velocity[b, c, y, x].item() == pytest.approx(data - noise, abs=1e-5)
    assert torch.equal(x_t[0], x0[0]), "t = 0 is noise"
    assert torch.equal(x_t[2], x1[2]), "t = 1 is data"


def test_the_velocity_is_the_derivative_of_the_point():
    x0, x1, _ = a_batch(torch.float64)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    later, earlier = (f.flow_matching_pair(x0, x1, t + h)[0] for h in (1e-3, -1e-3))
    torch.testing.assert_close(f.flow_matching_pair(x0, x1, t)[1], (later - earlier) / 2e-3)


def test_one_time_is_that_of_all_and_formats_are_kept():
    x0, x1, _ = a_batch()
    assert torch.equal(f.flow_matching_pair(x0, x1, 0.25)[0], f.flow_matching_pair(x0, x1, torch.full((3,), 0.25))[0])
    assert torch.equal(f.flow_matching_pair(x0, x1, 1)[0], x1)
    half = f.flow_matching_pair(x0.bfloat16(), x1.bfloat16(), torch.tensor([0.1, 0.2, 0.3]))
    assert {part.dtype for part in half} == {torch.bfloat16}
    exact = f.flow_matching_pair(x0.double(), x1.double(), torch.tensor([1 / 3, 0, 0], dtype=torch.float64))[0]
    assert exact.dtype == torch.float64
    assert exact[0, 0, 0, 0].item() == pytest.approx((2 * x0.double() + x1.double())[0, 0, 0, 0].item() / 3, rel=1e-14)


def test_one_time_keeps_all_its_digits():
    x = torch.zeros(2, 3, dtype=torch.float64)
    assert f.flow_matching_pair(x, x + 1, 0.1)[0][0, 0].item() == 0.1
    assert f.x1_from_velocity(x, 0.3, x + 1)[0, 0].item() == 1 - 0.3


@pytest.mark.parametrize(
    ("t", "error", "message"),
    [
        (torch.tensor([0, 500, 999]), TypeError, "t is torch.int64: the time of a flow is a float"),
        (torch.tensor([0.1, 0.2]), ValueError, r"t has shape \(2,\): give one time, or 3 for a batch of 3"),
        (torch.rand(3, 1, 1, 1), ValueError, r"t has shape \(3, 1, 1, 1\)"),
        (torch.tensor([0.0, 1.2, 0.5]), ValueError, "t reaches from 0 to 1.2: it goes from 0, noise, to 1, data"),
        (-0.5, ValueError, "t reaches from -0.5"),
        (torch.tensor([0.1, math.nan, 0.5]), ValueError, "t reaches from"),
    ],
)
def test_times_that_are_none(t, error, message):
    x0, x1, _ = a_batch()
    with pytest.raises(error, match=message):
        f.flow_matching_pair(x0, x1, t)


def test_pairs_have_one_shape():
    for function in (f.flow_matching_pair, lambda a, b, t: f.velocity_from_x1(a, t, b)):
        with pytest.raises(ValueError, match=r"shapes \(3, 4\) and \(3, 1\): they must be the same"):
            function(torch.zeros(3, 4), torch.zeros(3, 1), 0.5)


# -------------------------------------------------------------------------------- times


def test_uniform_times_are_one_from_each_part():
    t = f.draw_times(50, generator=generator(3))
    assert torch.equal((50 * t).long(), torch.arange(50))
    assert not torch.equal(t, f.draw_times(50, generator=generator(4)))
    inside = 50 * torch.cat([f.draw_times(50, generator=generator(s)) for s in range(40)]) % 1
    assert abs(inside.mean() - 0.5) < 4 * (1 / 12 / 2000) ** 0.5


def test_logit_normal_times_have_normal_logits():
    t = f.draw_times(4000, "logit_normal", generator=generator(0))
    share = torch.distributions.Normal(0, 1).cdf(torch.tensor([-1.0, 0.0, 0.5]))
    for edge, wanted in zip((-1.0, 0.0, 0.5), share.tolist(), strict=True):
        found = (t < 1 / (1 + math.exp(-edge))).float().mean().item()
        assert found == pytest.approx(wanted, abs=4 * (wanted * (1 - wanted) / 4000) ** 0.5)


def test_times_of_a_seed_do_not_depend_on_the_default_format():
    for kind in ("uniform", "logit_normal"):
        with default_dtype(torch.float64):
            drawn = f.draw_times(5, kind, generator=generator(0))
        assert drawn.dtype == torch.float32
        assert torch.equal(drawn, f.draw_times(5, kind, generator=generator(0)))
    with pytest.raises(ValueError, match="kind is 'beta': use one of uniform, logit_normal"):
        f.draw_times(5, "beta")
    with pytest.raises(ValueError, match="n is 0"):
        f.draw_times(0)


# -------------------------------------------------------------------------------- the loss


def test_the_loss_is_a_mean_over_batch_and_numbers():
    x0, x1, t = a_batch()
    wrong = torch.arange(3.0)[:, None, None, None]  # off by 0, 1 and 2
    loss = f.flow_matching_loss(lambda x_t, t: x1 - x0 + wrong, x1, x0=x0, t=t)
    assert loss.shape == ()
    assert loss.item() == pytest.approx((0 + 1 + 4) / 3, rel=1e-5)


def test_the_loss_shows_the_points_of_the_pair():
    x0, x1, t = a_batch()
    seen = []
    f.flow_matching_loss(lambda x_t, t: (seen.append((x_t, t)), torch.zeros_like(x_t))[1], x1, x0=x0, t=t)
    assert torch.equal(seen[0][0], f.flow_matching_pair(x0, x1, t)[0])
    assert torch.equal(seen[0][1], t)


def test_noise_and_times_are_drawn_where_they_are_not_given():
    """Data are all 0, so the loss of velocity 0 is that of the noise's squares, 1, and -x_t / (1 - t) is perfect."""
    x1 = torch.zeros(4000, 3)
    still = f.flow_matching_loss(lambda x_t, t: torch.zeros_like(x_t), x1, generator=generator(0)).item()
    assert still == pytest.approx(1, abs=4 * (2 / 12000) ** 0.5)
    perfect = f.flow_matching_loss(lambda x_t, t: -x_t / (1 - t[:, None]), x1, generator=generator(0)).item()
    assert perfect < 1e-4
    state = torch.get_rng_state()
    assert f.flow_matching_loss(lambda x_t, t: x_t, x1, generator=generator(0)).item() == pytest.approx(
        f.flow_matching_loss(lambda x_t, t: x_t, x1, generator=generator(0)).item()
    )
    assert torch.equal(torch.get_rng_state(), state)


def test_the_least_loss_is_that_of_the_mean_velocity():
    """Noise and data both N(0, 1): the mean velocity (2t - 1) / ((1-t)^2 + t^2) x leaves 1 / ((1-t)^2 + t^2)."""
    x1, t = randn(20000, 1, seed=5, dtype=torch.float64), torch.full((20000,), 0.3, dtype=torch.float64)
    scale = (2 * 0.3 - 1) / (0.7**2 + 0.3**2)
    losses = {
        off: f.flow_matching_loss(lambda x, t, off=off: (scale + off) * x, x1, t=t, generator=generator(6)).item()
        for off in (-0.1, 0.0, 0.1)
    }
    assert losses[0.0] == pytest.approx(1 / (0.7**2 + 0.3**2), rel=0.05)
    assert losses[0.0] < min(losses[-0.1], losses[0.1])


# -------------------------------------------------------------------------------- conversions


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_velocity_and_both_ends_say_the_same(dtype):
    x0, x1, _ = a_batch(dtype)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=dtype)
    x_t, velocity = f.flow_matching_pair(x0, x1, t)
    pairs = (
        (f.x1_from_velocity(x_t, t, velocity), x1),
        (f.x0_from_velocity(x_t, t, velocity), x0),
        (f.velocity_from_x1(x_t, t, x1), velocity),
        (f.velocity_from_x0(x_t, t, x0), velocity),
    )
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_where_an_end_says_nothing_of_the_velocity():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="t is 1: there x_t is the data itself"):
        f.velocity_from_x1(x, torch.tensor([0.5, 1.0]), x)
    with pytest.raises(ValueError, match="t is 0: there x_t is the noise itself"):
        f.velocity_from_x0(x, torch.tensor([0.5, 0.0]), x)


# -------------------------------------------------------------------------------- diffusion


@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize(("t", "t_prev"), [(900, 500), (40, 3), (7, -1)])
def test_a_step_of_euler_is_a_step_of_ddim(kind, t, t_prev):
    """With diffusion's noise estimate as the flow's x0_hat, in the flow's scale and clock (Gao et al. 2024)."""
    schedule = NoiseSchedule(kind, 1000)
    x_t, eps_hat = randn(4, 3, 2, seed=1, dtype=torch.float64), randn(4, 3, 2, seed=2, dtype=torch.float64)
    ddim = d.ddim_step(schedule, x_t, t, eps_hat, t_prev)
    here, time = f.from_diffusion(schedule, x_t, t)
    there, later = f.from_diffusion(schedule, ddim, t_prev)
    assert (later > time).all(), "from noise to data, the flow's time rises"
    velocity = f.velocity_from_x0(here, time, eps_hat)
    torch.testing.assert_close(f.euler_step(here, velocity, later - time), there, rtol=1e-6, atol=1e-6)


def test_a_whole_way_of_ddim_is_a_whole_way_of_euler():
    """The same noise estimate, a function of x_t and t, drives both loops to the same data."""
    schedule = NoiseSchedule("cosine", 200)
    matrix = 0.3 * randn(3, 3, seed=4, dtype=torch.float64)

    def predict(x_t, t):
        return torch.tanh(x_t @ matrix) + t[:, None] / 400

    x = randn(5, 3, seed=5, dtype=torch.float64)
    times = schedule.timesteps(6).tolist()
    point, time = f.from_diffusion(schedule, x, times[0])
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        scale = schedule.alpha_bar_at(t, x).sqrt() + (1 - schedule.alpha_bar_at(t, x)).sqrt()
        velocity = f.velocity_from_x0(point, time, predict(point * scale, torch.full((5,), t)))
        later = f.from_diffusion(schedule, x, t_prev)[1]
        point, time = f.euler_step(point, velocity, later - time), later
    torch.testing.assert_close(point, d.sample(schedule, predict, x, steps=6), rtol=1e-5, atol=1e-5)


def test_from_diffusion_is_on_the_straight_path():
    schedule = NoiseSchedule("linear", 1000)
    data, eps, t = randn(3, 2, 4, seed=1), randn(3, 2, 4, seed=2), torch.tensor([0, 400, 999])
    x, time = f.from_diffusion(schedule, d.q_sample(schedule, data, t, eps), t)
    torch.testing.assert_close(x, f.flow_matching_pair(eps, data, time)[0], rtol=1e-4, atol=1e-5)
