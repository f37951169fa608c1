"""The checks of lesson 06 accept right answers and name wrong ones, each written anew here."""

import math

import pytest
import torch
from lesson_cells import lesson_namespace
from torch.distributions import Normal, kl_divergence
from verdicts import assert_told_apart, verdict

from course_utils.checks import all_checks

EXERCISES = {
    "kl-standard-normal": ("kl-exercise", "kl_standard_normal"),
    "one-sample-elbo": ("elbo-exercise", "one_sample_elbo"),
    "iwae": ("iwae-exercise", "iwae"),
    "measure-beta": ("beta-exercise", "measure_beta"),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lessons_own_solution_passes(name):
    cell, function = EXERCISES[name]
    lesson = lesson_namespace("06", "kl-exercise", cell, torch=torch, math=math)
    assert verdict(name, lesson[function]) is None


# ------------------------------------------------------------------------------------------------ kl-standard-normal


def by_torch(mu, logvar):
    """KL of each dimension, (B, D), from torch.distributions."""
    return kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0))


def halves(*columns):
    return 0.5 * sum(columns).sum(-1)


# ------------------------------------------------------------------------------------------------ one-sample-elbo


def elbo_with(combine=lambda log_likelihood, kl: log_likelihood - kl, z_of=None):
    def answer(nll, x, mu, logvar, eps):
        z = mu + logvar.div(2).exp() * eps if z_of is None else z_of(mu, logvar, eps)
        return combine(-nll(x, z), by_torch(mu, logvar).sum(dim=1))

    return answer


def without_gradients(*inputs):
    with torch.no_grad():
        return elbo_with()(*inputs)


def everything_sampled(nll, x, mu, logvar, eps):
    q, p = Normal(mu, (logvar / 2).exp()), Normal(torch.zeros_like(mu), 1.0)
    z = q.loc + q.scale * eps
    return p.log_prob(z).sum(1) - q.log_prob(z).sum(1) - nll(x, z)


# ------------------------------------------------------------------------------------------------ iwae


def in_float64(log_joint, log_q):
    """A right answer by another way: numbers of 64 bits, and the second-largest exponent of each example."""
    w = log_joint.double() - log_q.double()
    shift = w.sort(dim=0).values[-2]
    return ((w - shift).exp().sum(dim=0) / len(w)).log().add(shift).float()


def log_mean(w, dim=0):
    return torch.logsumexp(w, dim) - math.log(w.shape[dim])


def shifted(w, shift, back=True):
    return (torch.exp(w - shift).mean(0)).log() + (shift if back else 0)


# ------------------------------------------------------------------------------------------------ measure-beta


def by_backward(loss, recon, kl):
    loss(recon, kl).backward()
    return float(kl.grad[1, 2]) / float(recon.grad[2, 5])


def by_backward_afresh(loss, recon, kl):
    recon.grad, kl.grad = None, None
    return by_backward(loss, recon, kl)


def by_finite_difference(loss, recon, kl, dtype=torch.float64):
    """A right answer without autograd, in float64."""
    with torch.no_grad():
        recon, kl = recon.to(dtype), kl.to(dtype)
        base, up_recon, up_kl = loss(recon, kl), recon.clone(), kl.clone()
        up_recon[0, 0] += 1
        up_kl[0, 0] += 1
        return ((loss(recon, up_kl) - base) / (loss(up_recon, kl) - base)).item()


def by_float32(loss, recon, kl):
    """Finite differences that drown in the rounding of a mean over many pixels."""
    with torch.no_grad():
        return by_finite_difference(loss, recon.float(), kl.float(), torch.float32)


def slopes(combine):
    def answer(loss, recon, kl):
        recon.grad, kl.grad = None, None
        loss(recon, kl).backward()
        return float(combine(recon.grad, kl.grad))

    return answer


RIGHT = [
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).sum(-1)),
    ("one-sample-elbo", elbo_with()),
    ("iwae", in_float64),
    ("iwae", lambda a, b: log_mean(a - b)),
    ("measure-beta", by_backward_afresh),
    ("measure-beta", by_finite_difference),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_right_answer(name, answer):
    assert verdict(name, answer) is None


WRONG = [
    ("kl-standard-normal", lambda m, lv: halves(1 + lv, -m.square(), -lv.exp()), "never is"),
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).mean(-1), "average over the dimensions, so"),
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).sum(-1).mean(), "average over the batch as well"),
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).sum(), "sum over the whole batch"),
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).mean(), "average over batch and dimensions"),
    ("kl-standard-normal", lambda m, lv: by_torch(m, lv).sum(0), "dimension 0, which is the batch"),
    ("kl-standard-normal", by_torch, "one value for each dimension"),
    ("kl-standard-normal", lambda m, lv: (lv.exp() + m**2 - 1 - lv).sum(1), "twice too large"),
    ("kl-standard-normal", lambda m, lv: halves((2 * lv).exp(), m**2, -1 - 2 * lv), "as the logarithm of sigma"),
    ("kl-standard-normal", lambda m, lv: halves(lv.div(2).exp(), m**2, -1 - lv), "first term is sigma"),
    ("kl-standard-normal", lambda m, lv: halves(lv**2, m**2, -1 - (lv**2).log()), "and square it"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m, -1 - lv), "without its square"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m**2, -lv), "should be 0"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m**2, lv - 1), "You add logvar"),
    ("kl-standard-normal", lambda m, lv: (lv.exp() / 2 + m**2 - lv - 1).sum(-1), "before the first term only"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), -(m**2), -1 - lv), "You subtract mu squared"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m**2, 1 - lv), "no code would ever be free"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m**2, -lv) - 0.5, "subtract 1 once"),
    ("kl-standard-normal", lambda m, lv: halves(lv.exp(), m**2) - m.shape[1] / 2, "does not appear on its own"),
    (
        "kl-standard-normal",
        lambda m, lv: kl_divergence(Normal(0 * m, 1.0), Normal(m, (lv / 2).exp())).sum(1),
        "the other direction",
    ),
    ("one-sample-elbo", elbo_with(lambda a, kl: kl - a), "right in size, wrong in sign"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a + kl), "add the KL"),
    ("one-sample-elbo", elbo_with(lambda a, kl: -a - kl), "MINUS log p"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a.mean() - kl.mean()), "You average over the batch"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a.sum() - kl.sum()), "You sum over the batch"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a.mean() - kl), "Your reconstruction is averaged over the batch"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a - kl.mean()), "Your KL is averaged over the batch"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a), "The KL term is missing"),
    ("one-sample-elbo", elbo_with(lambda a, kl: -kl), "The reconstruction term is missing"),
    ("one-sample-elbo", elbo_with(lambda a, kl: a - kl / 4), "averaged over the dimensions"),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: m), "decode mu"),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: m + lv.exp() * eps), "which is the variance"),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: m + lv * eps), "logvar itself"),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: m + lv / 2 * eps), "half of logvar"),
    (
        "one-sample-elbo",
        elbo_with(z_of=lambda m, lv, eps: (m + (lv / 2).exp() * eps).detach()),
        "to mu and logvar, so the encoder",
    ),
    (
        "one-sample-elbo",
        elbo_with(z_of=lambda m, lv, eps: torch.tensor((m + (lv / 2).exp() * eps).tolist())),
        "no_grad",
    ),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: m + (lv.detach() / 2).exp() * eps), "gradient to logvar"),
    ("one-sample-elbo", without_gradients, "no gradient at all"),
    (
        "one-sample-elbo",
        elbo_with(z_of=lambda m, lv, eps: m + (lv / 2).exp() * torch.randn(m.shape)),
        "noise of your own",
    ),
    ("one-sample-elbo", elbo_with(z_of=lambda m, lv, eps: eps), "decode eps itself"),
    ("one-sample-elbo", everything_sampled, "same single sample"),
    ("iwae", lambda a, b: torch.log(torch.mean(torch.exp(a - b), 0)), "overflows or underflows"),
    ("iwae", lambda a, b: torch.log((a - b).exp().mean(0) + 1e-8), "hides the underflow"),
    ("iwae", lambda a, b: (a - b).sum(0) / 7, "mean of the logarithms"),
    ("iwae", lambda a, b: torch.logsumexp(a - b, 0), "too high by log K"),
    ("iwae", lambda a, b: torch.logsumexp(a - b, 0) / 7, "divide the logarithm by K"),
    ("iwae", lambda a, b: torch.logsumexp(a - b, 0) + math.log(7), "You add log K"),
    ("iwae", lambda a, b: torch.logsumexp(a - b, 0) - math.log(5), "number of examples"),
    ("iwae", lambda a, b: log_mean(a - b, 1), "average over dimension 1"),
    ("iwae", lambda a, b: torch.logsumexp(a - b, (0, 1)) - math.log(35), "samples and examples together"),
    ("iwae", lambda a, b: log_mean(a - b).mean(), "average the bounds"),
    ("iwae", lambda a, b: log_mean(b - a), "upside down"),
    ("iwae", lambda a, b: -log_mean(a - b), "minus the bound"),
    ("iwae", lambda a, b: log_mean(a), "not divided by q"),
    ("iwae", lambda a, b: log_mean(a + b), "You add log q"),
    ("iwae", lambda a, b: log_mean(a) - log_mean(b), "one mean by another"),
    ("iwae", lambda a, b: (a - b).amax(0), "largest log-weight alone"),
    ("iwae", lambda a, b: shifted(a - b, (a - b).max()), "one maximum for the whole batch"),
    ("iwae", lambda a, b: shifted(a - b, (a - b).sum(0) / 7), "Which one must go"),
    ("iwae", lambda a, b: shifted(a - b, (a - b).amin(0)), "Which one must go"),
    ("iwae", lambda a, b: shifted(a - b, (a - b)[0]), "Which one must go"),
    ("iwae", lambda a, b: shifted(a - b, (a - b)[-1]), "Which one must go"),
    ("iwae", lambda a, b: shifted(a - b, (a - b).amax(0), back=False), "never put it back"),
    ("iwae", lambda a, b: torch.einsum("kb,kb->b", torch.softmax(a - b, 0), a - b), "normalised weights"),
    ("measure-beta", by_backward, "contains the first"),
    ("measure-beta", slopes(lambda r, k: r[0, 0] / k[0, 0]), "upside down"),
    ("measure-beta", slopes(lambda r, k: k.sum() / r.sum()), "sums of the gradients"),
    ("measure-beta", slopes(lambda r, k: k[0].sum() / r[0].sum()), "sums of the gradients"),
    ("measure-beta", slopes(lambda r, k: (k**2).sum().sqrt() / (r**2).sum().sqrt()), "lengths of the gradients"),
    ("measure-beta", slopes(lambda r, k: k[0, 0]), "nat of KL alone"),
    ("measure-beta", slopes(lambda r, k: r[0, 0]), "nat of reconstruction alone"),
    ("measure-beta", slopes(lambda r, k: k[0, 0] - r[0, 0]), "subtract"),
    ("measure-beta", slopes(lambda r, k: k[0, 0] * r[0, 0]), "multiply"),
    ("measure-beta", lambda loss, r, k: (loss(r * 0, k) / loss(r, k * 0)).item(), "values of the two terms"),
    ("measure-beta", lambda loss, r, k: (k.sum() / r.sum()).item(), "never called"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_each_wrong_answer_gets_its_own_message(name, answer, words):
    assert_told_apart(name, answer, words)


def test_a_number_where_a_tensor_is_wanted_and_the_reverse():
    assert "float" in verdict("kl-standard-normal", lambda m, lv: by_torch(m, lv).sum().item())
    assert "tensor" in verdict("measure-beta", lambda loss, r, k: torch.tensor(by_backward(loss, r, k)))
    assert "shape" in verdict("one-sample-elbo", lambda *inputs: elbo_with()(*inputs)[:, None])
    assert "shape" in verdict("iwae", lambda a, b: log_mean(a - b)[None])


def test_a_measurement_that_drowns_in_rounding_is_refused():
    """In the lesson it would give 0 and infinity, and stop a cell."""
    assert verdict("measure-beta", by_float32) is not None


def kl_in_place(mu, logvar):
    right = by_torch(mu, logvar).sum(1)
    logvar.exp_()
    return right


def elbo_in_place(nll, x, mu, logvar, eps):
    right = elbo_with()(nll, x, mu, logvar, eps)
    eps *= logvar.div(2).exp()
    return right


def iwae_in_place(log_joint, log_q):
    log_joint -= log_q
    return log_mean(log_joint)


def beta_in_place(loss, recon, kl):
    right = by_backward_afresh(loss, recon, kl)
    kl.data += 1
    return right


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kl-standard-normal", kl_in_place),
        ("one-sample-elbo", elbo_in_place),
        ("iwae", iwae_in_place),
        ("measure-beta", beta_in_place),
    ],
)
def test_changing_the_inputs_is_noticed(name, answer):
    assert "in place" in verdict(name, answer)


def test_the_inputs_of_the_iwae_check_overflow_and_underflow():
    log_joint, log_q = all_checks()["iwae"].make_inputs(torch.Generator().manual_seed(0))
    weights = (log_joint - log_q).exp()
    assert weights[:, 0].isfinite().all()
    assert (weights[:, 0] > 0).all()
    assert (weights[:, 1:3] == 0).all()
    assert weights[:, 3].isinf().all()
    last = (log_joint - log_q)[:, 4]
    assert (last - last.mean()).exp().isinf().any()
    assert (last - last.max()).exp().max() == 1
    assert all_checks()["iwae"].reference(log_joint, log_q).isfinite().all()
