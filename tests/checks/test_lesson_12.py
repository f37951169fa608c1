"""Lesson 12's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import math

import pytest
import torch
import torch.nn.functional as F
from lesson_cells import lesson_namespace
from torch.distributions import Normal
from verdicts import assert_told_apart, verdict

from course_utils import checks

EXERCISES = {
    "q-sample": ("q-sample-exercise", "q_sample"),
    "diffusion-loss": ("loss-exercise", "diffusion_loss"),
    "ddim-step": ("ddim-exercise", "ddim_step"),
    "guidance": ("guidance-exercise", "guided"),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lessons_own_solution_passes(name):
    cells = dict.fromkeys(["q-sample-exercise", EXERCISES[name][0]])  # the loss uses the jump
    assert verdict(name, lesson_namespace("12", *cells, torch=torch)[EXERCISES[name][1]]) is None


def jump_by_angle(alpha_bar, x0, t, eps):
    """One of the batch after the other, with the angle between image and noise."""
    angles = [math.acos(math.sqrt(alpha_bar[k])) for k in t.tolist()]
    return torch.stack([math.cos(a) * x + math.sin(a) * e for a, x, e in zip(angles, x0, eps, strict=True)])


def jump_by_scale(alpha_bar, x0, t, eps):
    share = alpha_bar.gather(0, t)[(...,) + (None,) * (x0.ndim - 1)]
    return Normal(share.sqrt() * x0, (1 - share).sqrt()).icdf(Normal(0.0, 1.0).cdf(eps.double())).float()


def loss_by_torch(network, alpha_bar, x0, t, eps):
    return F.mse_loss(network(jump_by_angle(alpha_bar, x0, t, eps), t), eps)


def step_by_angle(alpha_bar, x_t, t, eps_hat, t_prev):
    """x0_hat is x_t less its noise; then the noise changes by the difference."""
    levels = torch.cat([torch.ones(1), alpha_bar])  # entry t + 1 belongs to t
    ratio = (levels[t_prev + 1] / levels[t + 1]).sqrt()
    return ratio * x_t + ((1 - levels[t_prev + 1]).sqrt() - ratio * (1 - levels[t + 1]).sqrt()) * eps_hat


def guided_as_average(network, x_t, t, label, null, weight):
    """Both in one batch, and as weights that add up to 1."""
    labels = torch.cat([label, torch.zeros_like(label) + null])
    this, anything = network(torch.cat([x_t, x_t]), torch.cat([t, t]), labels).chunk(2)
    return weight * this + (1 - weight) * anything


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("q-sample", jump_by_angle),
        ("q-sample", jump_by_scale),
        ("diffusion-loss", loss_by_torch),
        ("ddim-step", step_by_angle),
        ("guidance", guided_as_average),
    ],
)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


def mix(image, noise, earlier=0):
    """A jump with the weights image(a) and noise(a), where a is alpha_bar at t - earlier."""

    def answer(alpha_bar, x0, t, eps):
        a = alpha_bar[t - earlier].reshape([len(t)] + [1] * (x0.ndim - 1))
        return image(a) * x0 + noise(a) * eps

    return answer


def one_level(alpha_bar, x0, t, eps):
    return mix(lambda a: a**0.5, lambda a: (1 - a) ** 0.5)(alpha_bar, x0, torch.full_like(t, t[0].item()), eps)


def single_step(alpha_bar, x0, t, eps):
    alphas = alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])
    return jump_by_angle(alphas, x0, t, eps)


def taught(shown=None, told=None, wanted=None, end=None, jump=jump_by_angle):
    """The loss with something else shown to the network, told to it, wanted from it, or done with the errors."""

    def answer(network, alpha_bar, x0, t, eps):
        x_t = jump(alpha_bar, x0, t, eps)
        values = {"x0": x0, "eps": eps, "x_t": x_t, "t": t, "alpha_bar": alpha_bar}
        said = network(x_t if shown is None else shown(values), t if told is None else told(values))
        error = said - (eps if wanted is None else wanted(values))
        return (error**2).mean() if end is None else end(error)

    return answer


def early_jump(alpha_bar, x0, t, eps):
    return jump_by_angle(alpha_bar, x0, t - 1, eps)


def moved(formula):
    """A DDIM step from the weights of image and noise here (i, n) and there (i2, n2), the state and the noise."""

    def answer(alpha_bar, x_t, t, eps_hat, t_prev):
        levels = torch.cat([torch.ones(1), alpha_bar])
        here, there = levels[t + 1], levels[t_prev + 1]
        return formula(here.sqrt(), (1 - here).sqrt(), there.sqrt(), (1 - there).sqrt(), x_t, eps_hat)

    return answer


def last_entry(alpha_bar, x_t, t, eps_hat, t_prev):
    i, n = alpha_bar[t].sqrt(), (1 - alpha_bar[t]).sqrt()
    return alpha_bar[t_prev].sqrt() * (x_t - n * eps_hat) / i + (1 - alpha_bar[t_prev]).sqrt() * eps_hat


def last_entry_there(alpha_bar, x_t, t, eps_hat, t_prev):
    return step_by_angle(alpha_bar, x_t, t, eps_hat, t_prev % len(alpha_bar))


def one_down(alpha_bar, x_t, t, eps_hat, t_prev):
    return step_by_angle(alpha_bar, x_t, t, eps_hat, max(t - 1, -1) if t >= 0 else t_prev)


def with_alphas(alpha_bar, x_t, t, eps_hat, t_prev):
    return step_by_angle(alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]]), x_t, t, eps_hat, t_prev)


def steered(combine):
    """From the answers for any class, a, and for this one, c, and the weight."""

    def answer(network, x_t, t, label, null, weight):
        return combine(network(x_t, t, label * 0 + null), network(x_t, t, label), weight)

    return answer


WRONG = [
    (
        "q-sample",
        {
            "no roots": (mix(lambda a: a, lambda a: 1 - a), "without square roots"),
            "noise without root": (mix(lambda a: a**0.5, lambda a: 1 - a), "which is its variance"),
            "image without root": (mix(lambda a: a, lambda a: (1 - a) ** 0.5), "The image has the weight alpha_bar"),
            "sum to one": (mix(lambda a: a**0.5, lambda a: 1 - a**0.5), "Your weights add up to 1"),
            "exchanged": (mix(lambda a: (1 - a) ** 0.5, lambda a: a**0.5), "each other's weight"),
            "all noise": (mix(lambda a: a**0.5, lambda a: 1), "weight 1 at every t"),
            "all image": (mix(lambda a: 1, lambda a: (1 - a) ** 0.5), "The image keeps weight 1"),
            "subtracted": (mix(lambda a: a**0.5, lambda a: -((1 - a) ** 0.5)), "You subtract the noise"),
            "early": (mix(lambda a: a**0.5, lambda a: (1 - a) ** 0.5, earlier=1), "one step too early"),
            "one level": (one_level, "noise level of the first one"),
            "alpha": (single_step, "alpha of the one step t"),
        },
    ),
    (
        "diffusion-loss",
        {
            "x0": (taught(wanted=lambda v: v["x0"]), "You compare the answer with x0"),
            "x_t": (taught(wanted=lambda v: v["x_t"]), "learn to copy"),
            "clean": (taught(shown=lambda v: v["x0"]), "sees the clean x0"),
            "noise": (taught(shown=lambda v: v["eps"]), "sees the noise itself"),
            "added": (taught(shown=lambda v: v["x0"] + v["eps"]), "You show x0 + eps"),
            "untold": (taught(told=lambda v: 0 * v["t"]), "not told the timestep"),
            "told alpha_bar": (taught(told=lambda v: v["alpha_bar"][v["t"]]), "alpha_bar[t] in place of t"),
            "early": (taught(jump=early_jump), "timestep before"),
            "sum": (taught(end=lambda e: (e**2).sum()), "over the batch and all numbers"),
            "sum of each": (taught(end=lambda e: (e**2).sum() / len(e)), "numbers of each example"),
            "not reduced": (taught(end=lambda e: (e**2).mean(dim=(1, 2))), "a loss for each example"),
            "absolute": (taught(end=lambda e: e.abs().mean()), "average absolute errors"),
            "root": (taught(end=lambda e: (e**2).mean() ** 0.5), "the root of the mean"),
            "squared mean": (taught(end=lambda e: e.mean() ** 2), "before you square them"),
        },
    ),
    (
        "ddim-step",
        {
            "last entry": (last_entry, "For t = -1 you use alpha_bar[-1]"),
            "last entry there": (last_entry_there, "For t_prev = -1 you use alpha_bar[-1]"),
            "guess": (moved(lambda i, n, i2, n2, x, e: (x - n * e) / i), "You return x0_hat"),
            "too clean": (moved(lambda i, n, i2, n2, x, e: i2 * (x - n * e) / i), "never put the noise back"),
            "noise twice": (moved(lambda i, n, i2, n2, x, e: i2 * x + n2 * e), "noise in it twice"),
            "no roots": (
                moved(lambda i, n, i2, n2, x, e: i2**2 * (x - n**2 * e) / i**2 + n2**2 * e),
                "no square roots in your step",
            ),
            "variance out": (moved(lambda i, n, i2, n2, x, e: i2 * (x - n**2 * e) / i + n2 * e), "its variance"),
            "variance back": (moved(lambda i, n, i2, n2, x, e: i2 * (x - n * e) / i + n2**2 * e), "that you put back"),
            "not divided": (moved(lambda i, n, i2, n2, x, e: i2 * (x - n * e) + n2 * e), "fades a little"),
            "exchanged": (moved(lambda i, n, i2, n2, x, e: i * (x - n2 * e) / i2 + n * e), "exchanged here and there"),
            "added": (moved(lambda i, n, i2, n2, x, e: i2 * (x + n * e) / i + n2 * e), "In x0_hat you add the noise"),
            "subtracted": (moved(lambda i, n, i2, n2, x, e: i2 * (x - n * e) / i - n2 * e), "the noise once more"),
            "one down": (one_down, "You always go to t - 1"),
            "alpha": (with_alphas, "You use alpha, the share"),
        },
    ),
    (
        "guidance",
        {
            "swapped": (steered(lambda a, c, w: c + w * (a - c)), "changed places"),
            "not a difference": (steered(lambda a, c, w: a + w * c), "the whole answer for the class"),
            "paper": (steered(lambda a, c, w: c + w * (c - a)), "the paper's own w"),
            "away": (steered(lambda a, c, w: a - w * (c - a)), "points away"),
            "class only": (steered(lambda a, c, w: c), "the answer for the class whatever"),
            "any only": (steered(lambda a, c, w: a), "the label never matters"),
            "arrow": (steered(lambda a, c, w: w * (c - a)), "the arrow alone"),
            "stretched": (steered(lambda a, c, w: w * c), "multiply the class's answer"),
            "average": (steered(lambda a, c, w: a / (1 + w) + c * w / (1 + w)), "You average the two"),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fn", "said"),
    [(name, fn, said) for name, answers in WRONG for fn, said in answers.values()],
    ids=[f"{name}: {mistake}" for name, answers in WRONG for mistake in answers],
)
def test_each_mistake_gets_its_own_message(name, fn, said):
    assert_told_apart(name, fn, said)


@pytest.mark.parametrize("name", EXERCISES)
def test_there_is_a_wrong_answer_for_each_mistake_and_no_message_is_given_twice(name):
    mistakes = checks.all_checks()[name].mistakes
    said = [part for _, part in dict(WRONG)[name].values()]
    assert len(mistakes) == len(said)
    for mistake in mistakes:
        assert sum(part in mistake.message for part in said) == 1, mistake.message


def test_an_answer_of_another_shape_is_told_so():
    assert "shape" in verdict("q-sample", lambda alpha_bar, x0, t, eps: jump_by_angle(alpha_bar, x0, t, eps).flatten())
