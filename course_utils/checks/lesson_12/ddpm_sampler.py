"""ddpm-sampler: the loop from noise to data."""

import torch
from torch import Tensor

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_12.ddpm_posterior import T, ddpm_posterior, falling_alpha_bar


def ddpm_sample(guess_x0, alpha_bar, x_T, times):
    return walk(guess_x0, alpha_bar, x_T, times)


def gaussian(mean, variance, last):
    return mean + variance**0.5 * torch.randn_like(mean)


def walk(guess_x0, alpha_bar, x_T, times, *, draw=gaussian, visited=list, told=lambda t, t_prev: t,
         earlier=lambda t, t_prev: t_prev, seen=lambda states: states[-1], result=lambda states, guesses:
         (states, guesses)):  # fmt: skip
    """The loop, each part of which a mistake can do otherwise."""
    states, guesses = [x_T], []
    times = visited(times)
    for t, t_prev in zip(times, [*times[1:], -1], strict=True):
        x0_hat = guess_x0(seen(states), told(t, t_prev))
        guesses.append(x0_hat)
        mean, variance = ddpm_posterior(alpha_bar, states[-1], x0_hat, t, earlier(t, t_prev))
        states.append(draw(mean, variance, t_prev == -1))
    return result(states, guesses)


def but(**changes):
    """A wrong answer: the right loop with some of it changed."""
    return lambda guess_x0, alpha_bar, x_T, times: walk(guess_x0, alpha_bar, x_T, times, **changes)


def without_the_last(guess_x0, alpha_bar, x_T, times):
    states, guesses = walk(guess_x0, alpha_bar, x_T, times)
    return states[:-1], guesses[:-1]


def noise_at_the_end(mean, variance, last):
    return mean + (variance + 0.1 * last) ** 0.5 * torch.randn_like(mean)


def one_noise(guess_x0, alpha_bar, x_T, times):
    noise = torch.randn_like(x_T)
    return walk(guess_x0, alpha_bar, x_T, times, draw=lambda mean, variance, last: mean + variance**0.5 * noise)


class Guess:
    """A smooth guess that notes what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, x_t, t):
        if isinstance(t, Tensor) and t.numel() > 1:
            raise ValueError(f"guess_x0 wants one whole number as t and got {t.numel()}")
        self.asked.append((x_t.detach().clone(), int(t)))
        return 1.5 * (2 * x_t + 0.1 * int(t)).sin()


def inputs(count, *shape, times):
    return lambda g: (Guess(), falling_alpha_bar(g), torch.randn(count, *shape, generator=g), list(times))


def observe(fn, guess, alpha_bar, x_T, times):
    """The walk in terms of the noise that is in each of its steps; that is the answer's own."""
    guess.asked.clear()
    out = fn(guess, alpha_bar, x_T, times)
    if not _two_lists(out):
        return out
    states, guesses = map(list, out)
    parts = {"asked": [t for _, t in guess.asked], "states": len(states), "guesses": len(guesses)}
    if len(states) != len(times) + 1 or len(guesses) != len(times) or parts["asked"] != times:
        return Parts(parts)
    if any(one.shape != x_T.shape for one in (*states, *guesses)):
        return Parts(parts | {"shapes": [tuple(one.shape) for one in (*states, *guesses)]})
    fresh = Guess()
    parts["starts"] = torch.equal(states[0], x_T)
    pairs = zip(guess.asked, states, strict=False)
    parts["from the state"] = [torch.allclose(x, one, atol=1e-5) for (x, _), one in pairs]
    parts["right guesses"] = [
        torch.allclose(one, fresh(x, t), atol=1e-5) for one, x, t in zip(guesses, states, times, strict=False)
    ]
    noise = []
    for x, one, after, t, t_prev in zip(
        states[:-1], guesses, states[1:], times, [*times[1:], -1], strict=True
    ):
        mean, variance = ddpm_posterior(alpha_bar, x, one, t, t_prev)
        noise.append((after - mean) / variance**0.5 if t_prev >= 0 else after - mean)
    parts["noise"], parts["left"] = torch.stack(noise[:-1]) if noise[1:] else torch.zeros(0), noise[-1].abs().max()
    return Parts(parts)


def _two_lists(out):
    return (
        isinstance(out, (tuple, list))
        and len(out) == 2
        and all(isinstance(one, (tuple, list, Tensor)) for one in out)
        and all(isinstance(x, Tensor) for one in out for x in one)
    )


def compare(out, expected, guess, alpha_bar, x_T, times):
    if out is None:
        return "It returns nothing: return the states and the guesses."
    if not isinstance(out, Parts):
        return "Return two lists of tensors: the states, then the guesses."
    if not out["asked"]:
        return "guess_x0 is never called."
    if out["asked"] != times:
        return f"guess_x0 is asked at the timesteps {out['asked']}, where {times} are to be visited."
    if (out["states"], out["guesses"]) != (len(times) + 1, len(times)):
        return (
            f"It returns {out['states']} states and {out['guesses']} guesses for {len(times)} timesteps. There is one "
            "state more than there are guesses: x_T stands first."
        )
    if "shapes" in out:
        return f"States and guesses are shaped like x_T, {tuple(x_T.shape)}; one of yours is {out['shapes'][-1]}."
    if not out["starts"]:
        return "The first state is x_T itself."
    if not all(out["from the state"]):
        return "guess_x0 must see the state that you are at, the last one of the list."
    if not all(out["right guesses"]):
        return "The guesses that you return are not those that guess_x0 gives for the states that you return."
    return _fault_of_noise(out["noise"]) or (
        None if out["left"] < 1e-4 else "The last step, to the clean data, should end at the guess itself, with no "
        "noise on top. Which variance has ddpm_posterior for t_prev = -1?"
    )  # fmt: skip


def _fault_of_noise(noise):
    if not noise.numel():
        return None
    stds, means = noise.flatten(1).std(dim=1), noise.flatten(1).mean(dim=1)
    if stds.max() < 1e-3:
        return "No noise is drawn: each state is the mean of its step. A draw is the mean plus something."
    if noise[0].numel() < 100:
        return None
    if not (means.abs().max() <= 0.3 and stds.min() >= 0.8 and stds.max() <= 1.2):  # NaN is not right either
        k = int((stds - 1).abs().argmax())
        return (
            f"In step {k + 1} the noise, (state - mean) / standard deviation, has mean {means[k]:.2f} and standard "
            f"deviation {stds[k]:.2f}, where 0 and 1 are expected. What is the draw multiplied by?"
        )
    if len(noise) > 1 and (noise[0] - noise[1]).abs().max() < 1e-3:
        return "All steps have the same noise. Draw anew in each."
    return None


CHECK = Check(
    ddpm_sample,
    inputs={"": inputs(300, 2, times=range(T - 1, -1, -1)),
            "timesteps are left out": inputs(200, 2, times=[8, 6, 3, 1]),
            "there is one timestep": inputs(3, 2, 1, times=[8]),
            "the data are images": inputs(2, 1, 4, 3, times=[7, 2])},
    observe=observe,
    compare=compare,
    draws=1,
    mistakes=[
        Mistake(but(draw=lambda mean, variance, last: mean + variance * torch.randn_like(mean)), "The noise is "
            "multiplied by the variance. It needs the standard deviation: where is the square root?"),
        Mistake(but(draw=lambda mean, variance, last: mean), "No noise is added: each state is the mean. Draw from the "
            "Gaussian: the mean, plus the standard deviation times noise."),
        Mistake(but(draw=lambda mean, variance, last: mean + torch.randn_like(mean)), "The noise has standard "
            "deviation 1 in every step. By what is it multiplied?"),
        Mistake(but(draw=lambda mean, variance, last: mean + variance**0.5 * torch.rand_like(mean)), "Your noise is "
            "uniform between 0 and 1 (torch.rand). Which function draws from N(0, I)?"),
        Mistake(but(draw=lambda mean, variance, last: mean + variance**0.5 * torch.randn(())), "All numbers of a state "
            "get the same noise. It needs one for each: torch.randn_like(mean)."),
        Mistake(one_noise, "All steps use the same noise. Draw anew in each, inside the loop."),
        Mistake(but(draw=noise_at_the_end), "There is noise on the samples: the last step adds some. There the "
            "variance is 0, and the sample is the guess itself."),
        Mistake(without_the_last, "The last step is missing, from the last timestep to the clean data at -1. Then the "
            "samples keep a little noise."),
        Mistake(but(visited=lambda times: times[::-1]), "You visit the timesteps from the cleanest to the noisiest. "
            "The walk begins at noise: take times as they are given."),
        Mistake(but(visited=lambda times: list(range(times[0], -1, -1))), "You visit all timesteps from the first on, "
            "whatever times says. Some may be left out."),
        Mistake(but(earlier=lambda t, t_prev: t - 1), "You always step to t - 1. When timesteps are left out, the next "
            "state is that of the next one in times."),
        Mistake(but(told=lambda t, t_prev: max(t_prev, 0)), "guess_x0 is told the timestep where you go, not that "
            "where you are. How noisy is the state that it sees?"),
        Mistake(but(told=lambda t, t_prev: t + 1), "guess_x0 is told t + 1. Timesteps are counted from 0: tell it t."),
        Mistake(but(seen=lambda states: states[0]), "guess_x0 sees x_T in every step. Show it the state that you have "
            "reached."),
        Mistake(but(result=lambda states, guesses: (guesses, states)), "You return the guesses first. Return the "
            "states, then the guesses."),
        Mistake(but(result=lambda states, guesses: (states[1:], guesses)), "x_T is missing from the states: it stands "
            "first in the list."),
        Mistake(but(result=lambda states, guesses: (states[::-1], guesses[::-1])), "Your lists run from data to noise. "
            "x_T stands first, the samples stand last."),
        Mistake(but(result=lambda states, guesses: states[-1]), "You return the samples alone. Return two lists: all "
            "states, and all guesses."),
    ],
)  # fmt: skip
