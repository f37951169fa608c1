"""Steps and loops along a velocity field, against equations whose solutions are known."""

import math

import pytest
import torch
from helpers import generator

from course_utils.models import flow as f


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def swirl(x, t):
    """d x / d t = A x + cos(t) b, a linear equation; see `exactly`."""
    return x @ A.T.to(x) + t[:, None].cos() * B.to(x)


A, B = torch.tensor([[0.3, -2.0], [1.5, -0.4]], dtype=torch.float64), torch.tensor([1.0, -0.5], dtype=torch.float64)


def exactly(x, t0=0.0, t1=1.0):
    """The solution by a matrix exponential: cos t and sin t become two more coordinates."""
    big = torch.zeros(4, 4, dtype=torch.float64)
    big[:2, :2], big[:2, 2] = A, B
    big[2, 3], big[3, 2] = -1, 1  # d cos = -sin, d sin = cos
    start = torch.cat([x, torch.tensor([[math.cos(t0), math.sin(t0)]], dtype=torch.float64).expand(len(x), 2)], dim=1)
    return (start @ torch.matrix_exp((t1 - t0) * big).T)[:, :2]


# -------------------------------------------------------------------------------- single steps


def test_euler_step_goes_along_the_velocity_of_each_example():
    x, v = randn(3, 2, 4, seed=1), randn(3, 2, 4, seed=2)
    found = f.euler_step(x, v, torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(found, torch.stack([x[0] + v[0] / 2, x[1] - v[1], x[2]]))
    torch.testing.assert_close(f.euler_step(x, v, 0.25), x + v / 4)
    with pytest.raises(ValueError, match=r"x has shape \(3, 2, 4\) and v \(3, 2, 1\)"):
        f.euler_step(x, v[..., :1], 0.1)
    with pytest.raises(ValueError, match=r"dt has shape \(2,\): give one number, or 3"):
        f.euler_step(x, v, torch.ones(2))


def test_heun_step_takes_the_mean_of_the_velocities_at_both_ends():
    x = randn(3, 2)
    v = swirl(x, torch.full((3,), 0.4))
    v_next = swirl(x + 0.2 * v, torch.full((3,), 0.6))
    torch.testing.assert_close(f.heun_step(swirl, x, 0.4, 0.2), x + 0.1 * (v + v_next))
    each = f.heun_step(swirl, x, torch.tensor([0.4, 0.1, 0.4]), torch.tensor([0.2, 0.2, 0.2]))
    torch.testing.assert_close(each[0], (x + 0.1 * (v + v_next))[0], rtol=1e-6, atol=1e-6)
    assert (each[1] - (x + 0.1 * (v + v_next))[1]).abs().max() > 1e-3


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
@pytest.mark.parametrize("back", [False, True])
def test_the_error_falls_with_the_steps_as_the_method_promises(method, order, back):
    x = randn(4, 2, seed=3)
    exact, errors = exactly(x, 1.0, 0.0) if back else exactly(x), []
    for steps in (40, 80):
        times = f.flow_times(steps).flip(0) if back else f.flow_times(steps)
        errors.append((f.integrate(swirl, x, times=times, method=method) - exact).norm().item())
    assert errors[0] < 0.2
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_the_loop_is_its_steps_and_tells_where_it_is():
    x, seen = randn(2, 2), []
    found = f.integrate(swirl, x, steps=3, callback=lambda t, x: seen.append((t, x)))
    step = x
    for i in range(3):
        step = f.euler_step(step, swirl(step, torch.full((2,), i / 3)), 1 / 3)
        torch.testing.assert_close(seen[i][1], step, rtol=1e-6, atol=1e-6)
    assert [t for t, _ in seen] == pytest.approx([1 / 3, 2 / 3, 1])
    assert torch.equal(found, seen[-1][1])


def test_there_and_back_again():
    x = randn(3, 2)
    there = f.integrate(swirl, x, steps=60, method="heun")
    back = f.integrate(swirl, there, times=f.flow_times(60).flip(0), method="heun")
    torch.testing.assert_close(back, x, rtol=0, atol=2e-3)
    assert (there - x).abs().max() > 0.5


def test_times_reach_the_end_and_strength_shortens_the_way():
    torch.testing.assert_close(f.flow_times(5), torch.tensor([0, 0.2, 0.4, 0.6, 0.8, 1.0]))
    torch.testing.assert_close(f.flow_times(10, 0.3), torch.tensor([0.7, 0.8, 0.9, 1.0]))
    assert len(f.flow_times(10, 0.7)) == 8, "rounding of 10 * 0.7 makes no eighth step"
    torch.testing.assert_close(f.flow_times(4, 0.01), torch.tensor([0.99, 1.0]))  # one step is the least
    for strength in (0.0, -0.5, 1.5):
        with pytest.raises(ValueError, match=f"strength is {strength}: it goes from just above 0"):
            f.flow_times(4, strength)
    with pytest.raises(ValueError, match="steps is 0"):
        f.flow_times(0)


def test_the_loop_refuses():
    with pytest.raises(ValueError, match="method is 'rk4': use one of euler, heun"):
        f.integrate(swirl, randn(2, 2), method="rk4")
    with pytest.raises(ValueError, match=r"times have shape \(1,\)"):
        f.integrate(swirl, randn(2, 2), times=torch.zeros(1))


# -------------------------------------------------------------------------------- pictures that are given


def test_renoise_starts_where_the_shorter_way_starts():
    x1, x0 = randn(3, 2, 4, seed=1), randn(3, 2, 4, seed=2)
    for strength in (0.2, 0.75):
        start = f.flow_times(20, strength)[0].item()
        torch.testing.assert_close(
            f.renoise(x1, x0, strength), f.flow_matching_pair(x0, x1, start)[0], rtol=1e-6, atol=1e-6
        )
    assert torch.equal(f.renoise(x1, x0, 1.0), x0)
    with pytest.raises(ValueError, match="strength is 0"):
        f.renoise(x1, x0, 0)


def test_image_to_image_in_a_known_flow():
    """Data at one place m: the flow is (m - x) / (1 - t), and from any start it ends at m, whatever the strength."""
    m = torch.tensor([2.0, -1.0])
    x = f.renoise(torch.zeros(5, 2), torch.randn(5, 2, generator=generator(0)), 0.4)
    end = f.integrate(lambda x, t: (m - x) / (1 - t[:, None]), x, times=f.flow_times(10, 0.4))
    torch.testing.assert_close(end, m.expand(5, 2), rtol=1e-4, atol=1e-4)


def test_what_is_known_is_put_back_at_the_level_of_the_step():
    x_t, x1, x0 = (randn(2, 3, 4, 5, seed=s) for s in (1, 2, 3))
    known = torch.zeros(2, 1, 4, 5, dtype=torch.bool)
    known[0, :, 1:3, 4], known[1, :, 0] = True, True
    found = f.replace_known(x_t, x1, known, 0.25, x0)
    for b, c, y, x in ((0, 2, 1, 4), (1, 0, 0, 2)):
        assert found[b, c, y, x].item() == pytest.approx((0.75 * x0 + 0.25 * x1)[b, c, y, x].item())
    assert torch.equal(found[~known.expand_as(found)], x_t[~known.expand_as(x_t)])
    end = f.replace_known(x_t, x1, known, 1.0, x0)
    assert torch.equal(end[known.expand_as(end)], x1[known.expand_as(x1)])


def test_inpainting_draws_what_fits_to_what_is_known():
    """Two Gaussians of strongly correlated coordinates: with the first known, the second falls on the same one."""
    flow = f.MixtureFlow(torch.tensor([[-2.0, -2.0], [2.0, 2.0]]), 0.2)
    data = torch.tensor([2.0, 0.0]).expand(200, 2)
    known, x0 = torch.tensor([[True, False]]), torch.randn(200, 2, generator=generator(0))
    x, times = x0, f.flow_times(50)
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        x = f.euler_step(x, flow.velocity(x, t.expand(200)), t_next - t)
        x = f.replace_known(x, data, known, t_next, x0)
    assert torch.equal(x[:, 0], data[:, 0])
    assert (x[:, 1] > 1).float().mean() > 0.8
    alone = f.integrate(flow.velocity, x0, steps=50)
    assert 0.35 < (alone[:, 1] > 1).float().mean() < 0.65


def test_inpainting_refuses():
    x = torch.zeros(2, 3, 4, 4)
    with pytest.raises(TypeError, match=r"known is torch.float32 but must be a tensor of bool"):
        f.replace_known(x, x, torch.ones(2, 1, 4, 4), 0.5, x)
    with pytest.raises(ValueError, match=r"x_t and x1 must be the same"):
        f.replace_known(x[:1], x, torch.ones(2, 1, 4, 4, dtype=torch.bool), 0.5, x)
    with pytest.raises(ValueError, match=r"known \(2, 1, 5, 4\): .* known must broadcast to them"):
        f.replace_known(x, x, torch.ones(2, 1, 5, 4, dtype=torch.bool), 0.5, x)
