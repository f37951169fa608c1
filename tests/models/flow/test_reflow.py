"""Straightness against integrals done by hand, and reflow on a flow that is known exactly."""

import math

import pytest
import torch
from helpers import generator

from course_utils.models.flow import (
    FlowModel,
    MixtureFlow,
    euler_step,
    flow_times,
    integrate,
    reflow_pairs,
    straightness,
)
from course_utils.training import RandomBatches, fit


def test_straightness_of_a_curved_path_by_hand():
    """v = 2t w from x0: z_t = x0 + t^2 w, S = |w|^2 integral (1 - 2t)^2 = |w|^2 / 3."""
    w = torch.tensor([3.0, 4.0])
    found = straightness(lambda x, t: 2 * t[:, None] * w, torch.randn(3, 2, generator=generator(0)), steps=100)
    torch.testing.assert_close(found, torch.full((3,), 25 / 3), rtol=0.02, atol=0)


def test_straightness_of_a_rotation_by_hand():
    """On a circle by an angle a: |z1 - z0|^2 = 4 r^2 sin(a/2)^2 and |v| = a r, so S = r^2 (a^2 - 4 sin(a/2)^2)."""
    a, x0 = 2.0, torch.tensor([[1.0, 0.0], [0.0, -3.0]], dtype=torch.float64)
    found = straightness(lambda x, t: a * torch.stack([-x[:, 1], x[:, 0]], 1), x0, steps=100, method="heun")
    expected = torch.tensor([1.0, 9.0]).double() * (a**2 - 4 * math.sin(a / 2) ** 2)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0)


def test_straightness_sums_over_a_picture():
    found = straightness(lambda x, t: (2 * t[:, None, None, None]).expand_as(x), torch.zeros(2, 3, 2, 2), steps=100)
    torch.testing.assert_close(found, torch.full((2,), 12 / 3), rtol=0.02, atol=0)


def test_a_path_of_one_step_is_no_measure():
    """A path may bend and yet end where its first velocity points: exact in one step, and not straight."""
    w = torch.tensor([3.0, 4.0])

    def there_and_back(x, t):  # aside and back: the integral of the sine over a whole period is 0
        return w + 6 * torch.sin(2 * math.pi * t)[:, None] * torch.tensor([1.0, 0.0])

    x0 = torch.zeros(1, 2)
    torch.testing.assert_close(euler_step(x0, there_and_back(x0, torch.zeros(1)), 1.0), x0 + w)
    torch.testing.assert_close(integrate(there_and_back, x0, steps=100), x0 + w)
    assert straightness(there_and_back, x0, steps=100).item() == pytest.approx(36 / 2, rel=1e-3)
    with pytest.raises(ValueError, match="steps is 1: a path of one step is straight, whatever the velocity"):
        straightness(there_and_back, x0, steps=1)


def curved() -> MixtureFlow:
    return MixtureFlow(torch.tensor([[-2.0, 1.0], [2.0, 1.0]]), 0.15)


class Known(FlowModel):
    """A flow whose velocity is that of the mixture."""

    def velocity(self, x_t, t, condition=None, guidance=1.0):
        return curved().velocity(x_t, t)


def test_reflow_pairs_are_noise_and_what_the_flow_makes_of_it():
    model = Known(2, hidden=8)
    x0, x1 = reflow_pairs(model, 7, steps=20, generator=generator(0), batch_size=3)
    assert torch.equal(x0, model.sample_latent(7, generator(0)))
    torch.testing.assert_close(x1, integrate(curved().velocity, x0, steps=20, method="heun"))
    condition = torch.arange(7)
    seen = []

    class Told(Known):
        def given(self, condition=None, guidance=1.0, **way):
            seen.append((condition.tolist(), guidance))
            return super().given()

    reflow_pairs(Told(2, hidden=8), 7, condition=condition, guidance=2.0, steps=2, batch_size=3)
    assert seen == [([0, 1, 2], 2.0), ([3, 4, 5], 2.0), ([6], 2.0)]
    with pytest.raises(ValueError, match="there are 7 conditions for 8 pairs"):
        reflow_pairs(model, 8, condition=condition)
    with pytest.raises(ValueError, match="n is 0"):
        reflow_pairs(model, 0)


@pytest.mark.slow_because("trains a small flow")
def test_a_reflowed_flow_is_straighter_and_one_step_goes_further():
    x0, x1 = reflow_pairs(Known(2, hidden=8), 2000, steps=30, generator=generator(0))
    torch.manual_seed(0)
    model = FlowModel(2, hidden=48, blocks=2)
    fit(
        model, RandomBatches(x1, x0, batch_size=256, steps=400, generator=generator(1)), epochs=1, lr=3e-3,
        loss=lambda model, x1, x0: {"loss": model.loss_of_data(x1, x0=x0)}, progress=False,
    )  # fmt: skip
    noise = torch.randn(500, 2, generator=generator(2))
    before, after = straightness(curved().velocity, noise).mean(), straightness(model.velocity, noise).mean()
    assert after < before / 3
    exact = integrate(curved().velocity, noise, steps=100)
    with torch.no_grad():
        one = {
            name: (euler_step(noise, field(noise, torch.zeros(500)), 1.0) - exact).norm(dim=1).mean()
            for name, field in (("flow", curved().velocity), ("reflow", model.velocity))
        }
    assert one["reflow"] < one["flow"] / 2
    assert len(flow_times(1)) == 2
