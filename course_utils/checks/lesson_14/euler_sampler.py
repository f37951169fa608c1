"""euler-sampler: from noise to data in equal steps along a velocity."""

import torch

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_14.flow_matching_loss import like


def euler_sample(velocity, x0, steps):
    return walk(velocity, x0, steps)


def walk(velocity, x0, steps, *, times=lambda n: [k / n for k in range(n)], dt=lambda n: 1 / n, sign=1.0,
         seen=lambda x, x0: x, result=lambda states: states[-1]):  # fmt: skip
    """The loop, each part of which a mistake can do otherwise."""
    states = [x0]
    for t in times(steps):
        x = states[-1]
        states.append(x + sign * dt(steps) * velocity(seen(x, x0), torch.full((len(x),), t)))
    return result(states)


def but(**changes):
    """A wrong answer: the right loop with some of it changed."""
    return lambda velocity, x0, steps: walk(velocity, x0, steps, **changes)


def by_endpoint(velocity, x0, steps):
    """Goes on from the noise each time: x0 + t v."""
    x = x0
    for k in range(steps):
        x = x0 + (k + 1) / steps * velocity(x, torch.full((len(x0),), k / steps))
    return x


def always_from_noise(velocity, x0, steps):
    """A short step, from the noise each time."""
    x = x0
    for k in range(steps):
        x = x0 + velocity(x, torch.full((len(x0),), k / steps)) / steps
    return x


def only_the_last(velocity, x0, steps):
    """Short steps, each of them the first."""
    for k in range(steps):
        x = x0 + velocity(x0, torch.full((len(x0),), k / steps)) / steps
    return x


def with_noise_of_its_own(velocity, x0, steps):
    return walk(velocity, torch.randn_like(x0), steps)


def by_heun(velocity, x0, steps):
    x = x0
    for k in range(steps):
        v = velocity(x, torch.full((len(x),), k / steps))
        again = velocity(x + v / steps, torch.full((len(x),), (k + 1) / steps))
        x = x + (v + again) / 2 / steps
    return x


def in_place(velocity, x0, steps):
    for k in range(steps):
        x0 += velocity(x0, torch.full((len(x0),), k / steps)) / steps
    return x0


class Field:
    """A smooth velocity that depends on place and time, and notes the times that it was asked at."""

    def __init__(self, g):
        self.numbers, self.times = 0.5 + torch.rand(3, generator=g), []

    def __call__(self, x_t, t):
        if not isinstance(t, torch.Tensor) or t.shape != x_t.shape[:1]:
            shape = tuple(t.shape) if isinstance(t, torch.Tensor) else type(t).__name__
            raise ValueError(f"velocity wants one time for each point, shape ({len(x_t)},), and got {shape}")
        self.times.append([round(value, 5) for value in t.detach().double().tolist()])
        a, b, c = self.numbers
        return 2 * (a * x_t + 4 * b * like(t.to(x_t), x_t) + c).sin() + 1.5


def inputs(count, *shape, steps):
    return lambda g: (Field(g), torch.randn(count, *shape, generator=g), steps)


def observe(fn, velocity, x0, steps):
    velocity.times.clear()
    out = fn(velocity, x0, steps)
    if not isinstance(out, torch.Tensor):
        return out
    return Parts({"": out, "asked": [list(times) for times in velocity.times]})


def compare(out, expected, velocity, x0, steps):
    if out is None:
        return "It returns nothing: return the points at t = 1."
    if not isinstance(out, Parts):
        return "Return one tensor: the points at t = 1."
    if not out["asked"]:
        return "velocity is never called."
    if len(out["asked"]) != steps:
        return f"With steps = {steps} the velocity is asked for {len(out['asked'])} times: once a step is enough."
    if out[""].shape != x0.shape:
        return f"The points at t = 1 are shaped like x0, {tuple(x0.shape)}; yours are {tuple(out[''].shape)}."
    for k, (mine, right) in enumerate(zip(out["asked"], expected["asked"], strict=True)):
        if max(abs(a - b) for a, b in zip(mine, right, strict=True)) > 1e-4:
            return (
                f"In step {k + 1} of {steps} the velocity is asked for at the time {mine[0]:.3g}, where {right[0]:.3g} "
                "is expected: the time at which the step begins."
            )
    if not torch.allclose(out[""], expected[""], atol=1e-4, rtol=1e-4):
        apart = (out[""] - expected[""]).abs().max()
        return f"The times are right; the points at t = 1 are wrong by up to {apart:.3g}. What is one step?"
    return None


CHECK = Check(
    euler_sample,
    inputs={"": inputs(5, 2, steps=4), "there is one step": inputs(3, 2, steps=1),
            "there are many steps": inputs(2, 3, steps=30), "the points are pictures": inputs(3, 2, 1, 4, steps=3)},
    observe=observe,
    compare=compare,
    draws=2,
    mistakes=[
        Mistake(but(sign=-1.0), "You subtract the velocity, which leads away from the data. It points from noise to "
            "data, and the walk starts at noise."),
        Mistake(but(dt=lambda n: 1.0), "Each of your steps has length 1, so the points go much too far. How long is "
            "one of n equal steps from 0 to 1?"),
        Mistake(but(times=lambda n: [1 - k / n for k in range(n)]), "Your times run from 1 down, as in lesson 12. Here "
            "noise is at t = 0, where the walk starts."),
        Mistake(but(times=lambda n: [1 - k / n for k in range(n)], sign=-1.0), "You walk from t = 1 to 0 and subtract: "
            "that is the way from data to noise. Start at t = 0 and add."),
        Mistake(but(times=lambda n: [(k + 1) / n for k in range(n)]), "You ask for the velocity at the time at which "
            "the step ends. You stand where it begins: which time is that?"),
        Mistake(but(times=lambda n: [(k + 0.5) / n for k in range(n)]), "You tell the middle of the step as the time, "
            "while the point is that of its beginning. Tell the time at which you are."),
        Mistake(but(times=lambda n: torch.linspace(0, 1, n).tolist()), "linspace(0, 1, steps) has 1 as its last "
            "time, so its times are too far apart. There are steps + 1 times from 0 to 1, and none is asked at 1."),
        Mistake(but(times=lambda n: [k / n for k in range(n + 1)]), "You take one step too many: the last starts at t "
            "= 1, where you have arrived. (A loop `while t < 1` can do so by rounding: count the steps.)"),
        Mistake(but(times=lambda n: [k / n for k in range(n - 1)]), "One step is missing: the points stop before t = "
            "1 and keep some noise."),
        Mistake(but(times=lambda n: [0.0] * n), "The velocity is told t = 0 in every step. The time moves on with the "
            "point."),
        Mistake(but(times=range), "The velocity is told the number of the step, 0, 1, 2, .... It wants the time, from "
            "0 to 1."),
        Mistake(but(seen=lambda x, x0: x0), "The velocity is asked for at the noise in every step. Ask for it at the "
            "point that you have reached."),
        Mistake(by_endpoint, "Each of your steps starts at the noise again: x0 + t v. A step goes on from the point "
            "that you have reached."),
        Mistake(always_from_noise, "Each of your short steps starts at x0 again. A step goes on from the point that "
            "the last one reached: x = x + ...."),
        Mistake(only_the_last, "Each of your steps begins anew at x0, so only the last one is left. A step goes "
            "on from x, where the last one ended."),
        Mistake(with_noise_of_its_own, "You draw noise of your own. The noise to start from is given: x0."),
        Mistake(by_heun, "That is Heun's method, which asks twice a step. Here one velocity a step is asked for."),
        Mistake(but(result=lambda states: torch.stack(states)), "You return all states. Return the last ones alone, "
            "the points at t = 1."),
        Mistake(but(result=lambda states: states[-2]), "You return the points before the last step. Return those after "
            "it."),
    ],
)  # fmt: skip
