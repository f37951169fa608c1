"""The checks of lesson 05: right answers pass however they draw, and each wrong one gets its own message."""

import numpy as np
import pytest
import torch
from lesson_cells import lesson_namespace
from torch.distributions import Independent, Laplace, Normal, StudentT
from verdicts import assert_told_apart, verdict

from course_utils import gaussian
from course_utils.checks import _noise, all_checks


def normal(mu, logvar):
    return Independent(Normal(mu, torch.exp(logvar / 2)), 1)


# Right answers, none of which draws as the reference does.


def from_numpy(mu, logvar):
    eps = torch.from_numpy(np.random.default_rng().standard_normal(mu.shape)).to(mu)
    return mu + logvar.exp().sqrt() * eps


def column_by_column(mu, logvar):
    columns = [mu[:, d] + torch.randn_like(mu[:, d]) * (logvar[:, d] / 2).exp() for d in range(mu.shape[1])]
    return torch.stack(columns, dim=1)


def detached_noise(mu, logvar):
    eps = torch.distributions.Normal(0.0, 1.0).sample(mu.shape).to(mu.device)  # eps needs no gradient
    return torch.addcmul(mu, eps, torch.exp(0.5 * logvar))


def by_inverse_cdf(mu, logvar):
    uniform = torch.rand(mu.shape, dtype=torch.float64, device=mu.device)
    return mu + torch.exp(0.5 * logvar) * torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9)).float()


def looks_at_the_numbers(mu, logvar):
    std = torch.exp(0.5 * logvar)
    assert (std > 0).all()
    return mu + std * torch.empty_like(std).normal_()


def surrogate(f, mu, logvar, z, baseline):
    with torch.no_grad():
        weight = f(z) - baseline
    return torch.dot(weight, normal(mu, logvar).log_prob(z.detach())) / len(z)


def surrogate_without_the_constant(f, mu, logvar, z, baseline):
    z, weight = z.data, f(z.data).data - baseline
    log_q = (-0.5 * logvar - 0.5 * (z - mu) ** 2 * torch.exp(-logvar)).sum(-1)
    return (weight * log_q).mean() + 5.0


def loop_over_coordinates(f, mu, logvar, eps, step):
    slopes = []
    for d in range(len(mu)):
        up, down = mu.clone(), mu.clone()
        up[d] += step
        down[d] -= step
        std = logvar.exp() ** 0.5
        slopes.append(((f(up + std * eps) - f(down + std * eps)) / (2 * step)).mean().item())
    return torch.tensor(slopes, dtype=mu.dtype)


def filled_in(f, mu, logvar, eps, step, make=torch.zeros_like):
    found, std = make(mu), torch.exp(0.5 * logvar)
    for d in range(len(mu)):
        h = torch.zeros(len(mu), dtype=mu.dtype)
        h[d] = step
        found[d] = (f(mu + h + std * eps) - f(mu - h + std * eps)).mean() / (2 * step)
    return found


RIGHT = [
    ("reparameterize", gaussian.reparameterize),
    ("reparameterize", from_numpy),
    ("reparameterize", column_by_column),
    ("reparameterize", detached_noise),
    ("reparameterize", by_inverse_cdf),
    ("reparameterize", looks_at_the_numbers),
    ("reparameterize", lambda mu, logvar: mu + (logvar / 2).exp() * torch.randn(mu.shape, device=mu.device)),
    ("reparameterize", lambda mu, logvar: normal(mu, logvar).rsample()),
    ("score-function-loss", surrogate),
    ("score-function-loss", surrogate_without_the_constant),
    ("finite-difference", loop_over_coordinates),
    ("finite-difference", filled_in),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_in_other_words_are_accepted(name, answer):
    assert verdict(name, answer) is None


def test_right_noise_is_hardly_ever_called_wrong():
    """The statistics leave room: none of 200 right samples is refused."""
    check = all_checks()["reparameterize"]
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        inputs = check.make_inputs(generator)
        seen = check.observe(lambda mu, logvar: gaussian.reparameterize(mu, logvar, generator), *inputs)
        assert check.compare(seen, seen, *inputs) is None


@pytest.mark.parametrize(
    ("name", "cell", "function"),
    [
        ("reparameterize", "reparameterize-exercise", "reparameterize"),
        ("score-function-loss", "score-exercise", "score_function_loss"),
        ("finite-difference", "difference-exercise", "finite_difference"),
    ],
)
def test_the_lessons_own_solution_passes(name, cell, function):
    assert verdict(name, lesson_namespace("05", "imports", "log-q", cell)[function]) is None


# Wrong answers, written without looking at the check's own, with words that only their message has.


def seeded_every_time(mu, logvar):
    torch.manual_seed(3)
    return mu + (logvar / 2).exp() * torch.randn(mu.shape)


def numpys_type(mu, logvar):
    return mu + torch.exp(0.5 * logvar) * torch.from_numpy(np.random.randn(*mu.shape))


def without_grad(mu, logvar):
    with torch.no_grad():
        return from_numpy(mu, logvar)


def mean_cut(mu, logvar):
    return mu.data + torch.exp(logvar / 2) * torch.randn(mu.shape)


def std_cut(mu, logvar):
    with torch.no_grad():
        std = torch.exp(0.5 * logvar)
    return column_by_column(mu, 2 * std.log())


def all_cut(f, mu, logvar, z, baseline):
    with torch.no_grad():
        return surrogate(f, mu, logvar, z, baseline)


def wrong_factor_cut(f, mu, logvar, z, baseline):
    with torch.no_grad():
        log_q = normal(mu, logvar).log_prob(z)
    return ((f(z) - baseline) * log_q).mean()


def parameters_cut(f, mu, logvar, z, baseline):
    return ((f(z) - baseline).data * normal(mu.data, logvar.data).log_prob(z)).mean()


def both_attached(f, mu, logvar, z, baseline):
    return ((f(z) - baseline) * normal(mu, logvar).log_prob(z)).mean()


def sample_attached(f, mu, logvar, z, baseline):
    return ((f(z) - baseline).detach() * normal(mu, logvar).log_prob(z)).mean()


def f_attached(f, mu, logvar, z, baseline):
    z = z.detach()
    return ((f(z) - baseline) * normal(mu, logvar).log_prob(z)).mean()


def weighted(f, mu, logvar, z, baseline, change=lambda weight, log_q: (weight * log_q).mean(), width=1.0):
    z = z.detach()
    log_q = Normal(mu, torch.exp(width * logvar / 2)).log_prob(z).sum(dim=1)
    return change(f(z).detach() - baseline, log_q)


def quadratic_only(f, mu, logvar, z, baseline):
    z = z.detach()
    return ((f(z).detach() - baseline) * (-((z - mu) ** 2) / (2 * logvar.exp())).sum(1)).mean()


def table(f, mu, logvar, z, baseline):
    return weighted(f, mu, logvar, z, baseline, lambda weight, log_q: (weight[:, None] * log_q[None, :]).mean())


def slopes(rule, width=1.0, noise=lambda eps: eps, reduce=torch.mean):
    def answer(f, mu, logvar, eps, step):
        def value(shift):
            return reduce(f(mu + shift + torch.exp(width * logvar / 2) * noise(eps)))

        unit = torch.eye(len(mu), dtype=mu.dtype)
        return torch.stack([rule(value, step * unit[d], step) for d in range(len(mu))])

    return answer


def central(value, h, step):
    return (value(h) - value(-h)) / (2 * step)


def noise_of_its_own(f, mu, logvar, eps, step):
    return filled_in(f, mu, logvar, torch.randn(1000, len(mu), dtype=mu.dtype), step)


def noise_for_each_coordinate(f, mu, logvar, eps, step):
    return torch.stack([noise_of_its_own(f, mu, logvar, eps, step)[d] for d in range(len(mu))])


def collected_in_a_list(*arguments):
    return torch.tensor([slope.item() for slope in loop_over_coordinates(*arguments)])


WRONG = [
    ("reparameterize", lambda m, lv: m + lv * torch.randn(m.shape), "is logvar itself"),
    ("reparameterize", lambda m, lv: column_by_column(m, 2 * lv), "which is the variance"),
    ("reparameterize", lambda m, lv: from_numpy(m, 2 * lv), "which is the variance"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * torch.rand(m.shape), "noise is uniform"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * (2 * torch.rand_like(m) - 1) * 3**0.5, "noise is uniform"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * torch.randn(1, m.shape[1]), "whole batch"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * torch.randn(()), "whole batch"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * torch.randn(len(m))[:, None], "lie on a line"),
    ("reparameterize", lambda m, lv: m * 1.0 + 0 * lv, "without any noise"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp(), "without any noise"),
    ("reparameterize", lambda m, lv: (lv / 2).exp() * torch.randn(m.shape), "not centred at mu"),
    ("reparameterize", lambda m, lv: m + torch.randn(m.shape), "whatever logvar says"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() + torch.randn(m.shape), "add std and eps"),
    ("reparameterize", lambda m, lv: from_numpy(m, -lv), "falls where logvar grows"),
    ("reparameterize", seeded_every_time, "Two calls"),
    ("reparameterize", without_grad, "reaches mu or logvar"),
    ("reparameterize", lambda m, lv: normal(m, lv).sample(), "reaches mu or logvar"),
    ("reparameterize", lambda m, lv: torch.normal(m, (lv / 2).exp()), "reaches mu or logvar"),
    ("reparameterize", std_cut, "reaches logvar: std"),
    ("reparameterize", mean_cut, "reaches mu. Look"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * torch.randn(m.shape), "made on the CPU"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * Normal(0.0, 1.0).sample(m.shape), "made on the CPU"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * Laplace(0.0, 1.0).sample(m.shape), "longer tails"),
    ("reparameterize", lambda m, lv: Laplace(m, (lv / 2).exp() / 2**0.5).rsample(), "longer tails"),
    ("reparameterize", lambda m, lv: m + (lv / 2).exp() * StudentT(3.0).sample(m.shape), "longer tails"),
    ("reparameterize", lambda m, lv: from_numpy(m, lv).double(), "type float64 where mu has float32"),
    ("reparameterize", numpys_type, "type float64 where mu has float32"),
    ("score-function-loss", all_cut, "all factors are cut"),
    ("score-function-loss", wrong_factor_cut, "cut log q from the graph"),
    ("score-function-loss", lambda *a: wrong_factor_cut(*a[:3], a[3].data, a[4]), "cut log q from the graph"),
    ("score-function-loss", parameters_cut, "comes in through z"),
    ("score-function-loss", lambda *a: -surrogate(*a), "LARGER"),
    ("score-function-loss", sample_attached, "plain number"),
    ("score-function-loss", both_attached, "mixes two estimators"),
    ("score-function-loss", f_attached, "flows into f"),
    ("score-function-loss", lambda f, m, lv, z, b: f(z).mean() - b, "log q does not appear"),
    ("score-function-loss", lambda f, m, lv, z, b: normal(m, lv).log_prob(z.detach()).mean(), "f does not appear"),
    ("score-function-loss", lambda f, m, lv, z, b: surrogate(f, m, lv, z, 0), "ignores the baseline"),
    ("score-function-loss", lambda f, m, lv, z, b: surrogate(f, m, lv, z, -b), "You add the baseline"),
    ("score-function-loss", lambda *a: surrogate(*a) / a[1].shape[1], "over the dimensions"),
    ("score-function-loss", lambda *a: weighted(*a, lambda w, q: (w * q).sum()), "grows with the batch"),
    ("score-function-loss", quadratic_only, "width of the bell"),
    ("score-function-loss", lambda *a: weighted(*a, width=2.0), "exp(logvar) for the standard"),
    ("score-function-loss", lambda *a: weighted(*a, lambda w, q: w.mean() * q.mean()), "one average with another"),
    ("score-function-loss", table, "one average with another"),
    ("score-function-loss", lambda *a: weighted(*a, lambda w, q: (w * q.exp()).mean()), "not its logarithm"),
    ("finite-difference", slopes(lambda v, h, s: (v(h) - v(0 * h)) / s), "forward difference"),
    ("finite-difference", slopes(lambda v, h, s: (v(0 * h) - v(-h)) / s), "backward difference"),
    ("finite-difference", slopes(lambda v, h, s: (v(h) - v(-h)) / s), "twice too large"),
    ("finite-difference", slopes(lambda v, h, s: 0.5 * (v(h) - v(-h))), "not divide by the step"),
    ("finite-difference", slopes(lambda v, h, s: -central(v, h, s)), "sign is reversed"),
    ("finite-difference", slopes(central, noise=torch.randn_like), "fresh noise"),
    ("finite-difference", noise_of_its_own, "noise of its own"),
    ("finite-difference", noise_for_each_coordinate, "noise of its own"),
    ("finite-difference", collected_in_a_list, "float32 though mu is float64"),
    ("finite-difference", lambda *a: filled_in(*a, make=lambda mu: torch.zeros(len(mu))), "float32 though mu is"),
    ("finite-difference", slopes(lambda v, h, s: central(v, 0 * h + s, s)), "all coordinates of mu at once"),
    ("finite-difference", slopes(central, reduce=torch.sum), "sum f over the draws"),
    ("finite-difference", slopes(central, width=2.0), "uses exp(logvar) as standard"),
    ("finite-difference", slopes(central, noise=torch.zeros_like), "noise does not enter"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_each_wrong_answer_gets_its_own_message(name, answer, words):
    assert_told_apart(name, answer, words)


def test_noise_that_is_wrong_in_another_way_is_described():
    mu_off = verdict("reparameterize", lambda m, lv: m + (lv / 2).exp() * (torch.randn(m.shape) + 0.5))
    assert "not centred at zero" in mu_off
    too_wide = verdict("reparameterize", lambda m, lv: from_numpy(m, lv + 1.0))
    assert "and it should be 2.72" in too_wide
    skewed = verdict("reparameterize", lambda m, lv: m + (lv / 2).exp() * (-torch.rand_like(m).log() - 1))
    assert "longer tails" in skewed
    eps_of_mu = verdict("reparameterize", lambda m, lv: from_numpy(m, lv) + (m - m.detach()))
    assert "gradients are not those" in eps_of_mu


def test_a_form_that_cannot_be_compared_is_described():
    assert "cannot be compared" in verdict("reparameterize", lambda m, lv: {"z": from_numpy(m, lv)})
    assert "cannot be compared" in verdict("score-function-loss", lambda *a: {"loss": surrogate(*a)})
    assert "cannot be compared" in verdict("finite-difference", lambda *a: {"slopes": loop_over_coordinates(*a)})


def test_wrong_shapes_are_described():
    assert "shape (2400,)" in verdict("reparameterize", lambda m, lv: from_numpy(m, lv)[:, 0])
    assert "2400" in verdict("reparameterize", lambda m, lv: (from_numpy(m, lv), m))
    assert "shape (7,)" in verdict("score-function-loss", lambda *a: weighted(*a, lambda w, q: w * q))
    assert "shape (1,)" in verdict("finite-difference", lambda *a: loop_over_coordinates(*a)[:1])


def doubles_in_place(mu, logvar):
    with torch.no_grad():
        logvar *= 0.5
    return mu + logvar.exp() * torch.randn(mu.shape)


def steps_in_place(f, mu, logvar, eps, step):
    right = loop_over_coordinates(f, mu, logvar, eps, step)
    mu[0] += step
    return right


def overwrites_the_sample(f, mu, logvar, z, baseline):
    right = surrogate(f, mu, logvar, z, baseline)
    z.data.zero_()
    return right


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("reparameterize", doubles_in_place),
        ("score-function-loss", overwrites_the_sample),
        ("finite-difference", steps_in_place),
    ],
)
def test_changing_the_inputs_is_noticed(name, answer):
    assert "in place" in verdict(name, answer)


def test_the_inputs_of_the_sampling_check_tell_the_candidates_apart():
    """No two of the spreads that the check names lie within its tolerance of each other."""
    logvar = torch.tensor(_noise.LOGVARS)
    spreads = [torch.exp(logvar / 2), logvar.exp(), logvar.abs(), torch.ones(2, 3), torch.exp(-logvar / 2)]
    for i, a in enumerate(spreads):
        for b in spreads[i + 1 :]:
            assert not torch.allclose(a, b, rtol=0.5)
