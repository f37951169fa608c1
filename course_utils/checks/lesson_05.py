"""Exercises of lesson 05: reparameterize, the score-function loss, a finite difference with common random numbers."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Laplace

from course_utils.checks import _differences, _noise
from course_utils.checks._engine import Check, Mistake, difference
from course_utils.gaussian import log_prob_gaussian

# Reparameterize. The noise is recovered from z and tested, so that any way of drawing it is right.


def reparameterize(mu: Tensor, logvar: Tensor) -> Tensor:
    """mu + std * eps."""
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def _seeded_inside(mu, logvar):
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
    return mu + torch.exp(0.5 * logvar) * eps


# The score-function loss. What is compared are its gradients, so constants in log q do not matter.


class _Bowl:
    """f(z) = sum_d weight_d (z_d - 1)^2, with weights as a decoder would have."""

    def __init__(self, weight: Tensor):
        self.weight = weight

    def __call__(self, z: Tensor) -> Tensor:
        return (self.weight * (z - 1).square()).sum(dim=1)


def score_function_loss(f, mu: Tensor, logvar: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    """The mean of (f(z) - baseline) * log q(z), with f(z) and z taken as constants."""
    z = z.detach()
    advantage = (f(z) - baseline).detach()
    return (advantage * log_prob_gaussian(z, mu, logvar)).mean()


def _bowl_inputs(g: torch.Generator) -> tuple:
    mu, logvar, eps = torch.randn(3, 7, 4, generator=g)
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    f = _Bowl((0.5 + torch.rand(4, generator=g)).requires_grad_())
    return f, mu, logvar, mu + torch.exp(0.5 * logvar) * eps, 1.7


def _observe_loss(fn: Callable, f, mu: Tensor, logvar: Tensor, z: Tensor, baseline: float):
    loss = fn(f, mu, logvar, z, baseline)
    if not isinstance(loss, Tensor) or loss.ndim:
        return loss
    return {"mu": _noise.slope(loss, mu), "logvar": _noise.slope(loss, logvar), "f": _noise.slope(loss, f.weight)}


def _compare_loss(out, expected, *inputs) -> str | None:
    if not isinstance(out, dict):
        if isinstance(out, Tensor):
            return f"It returns shape {tuple(out.shape)}: a loss is one number, the mean over the batch."
        return difference(out, torch.tensor(0.0))
    for name in ("mu", "logvar", "f"):
        if fault := difference(out[name], expected[name]):
            whose = "the numbers inside f" if name == "f" else name
            return f"The gradient of your loss with respect to {whose} is wrong. {fault}"
    return None


def _log_q(z, mu, logvar):
    return log_prob_gaussian(z.detach(), mu, logvar)


def _value(f, z, baseline):
    return (f(z) - baseline).detach()


def _f_attached(f, mu, logvar, z, baseline):
    return ((f(z.detach()) - baseline) * _log_q(z, mu, logvar)).mean()


def _f_and_its_sample_attached(f, mu, logvar, z, baseline):
    return ((f(z) - baseline) * _log_q(z, mu, logvar)).mean()


_F_ATTACHED = (
    "f(z) is not cut from the graph: gradient also flows into f, and a decoder would be trained with a wrong weight. "
    "Which factor alone should carry the gradient?"
)


def _log_q_cut(f, mu, logvar, z, baseline):
    return ((f(z) - baseline) * _log_q(z, mu, logvar).detach()).mean()


def _log_q_cut_and_sample_too(f, mu, logvar, z, baseline):
    return ((f(z.detach()) - baseline) * _log_q(z, mu, logvar).detach()).mean()


_LOG_Q_CUT = (
    "You have cut log q from the graph and left f(z) on it. This estimator differentiates one of the two and takes the "
    "other as a number: which is which?"
)


def _without_normaliser(f, mu, logvar, z, baseline):
    log_q = -0.5 * ((z.detach() - mu).square() / logvar.exp()).sum(dim=1)
    return (_value(f, z, baseline) * log_q).mean()


def _variance_as_std(f, mu, logvar, z, baseline):
    return (_value(f, z, baseline) * _log_q(z, mu, 2 * logvar)).mean()


def _mean_over_dimensions(f, mu, logvar, z, baseline):
    return (_value(f, z, baseline) * _log_q(z, mu, logvar) / z.shape[1]).mean()


def _log_q_at_constants(z, mu, logvar):
    return log_prob_gaussian(z, mu.detach(), logvar.detach())


CHECKS = [
    Check(
        name="reparameterize",
        lesson="05",
        reference=reparameterize,
        make_inputs=_noise.parameters,
        observe=_noise.observe_sample,
        compare=_noise.compare_sample,
        mistakes=[
            Mistake(lambda mu, logvar: mu + logvar * torch.randn_like(mu), _noise.LOGVAR_AS_STD),
            Mistake(lambda mu, logvar: mu + logvar.exp() * torch.randn_like(mu), _noise.NO_HALF),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar) * torch.rand_like(mu), _noise.UNIFORM),
            Mistake(
                lambda mu, logvar: mu + torch.exp(0.5 * logvar) * Laplace(0.0, 0.5**0.5).sample(mu.shape),
                _noise.LONG_TAILS,
            ),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape[1]), _noise.ONE_EPS),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar) * torch.randn(len(mu), 1), _noise.ONE_PER_ROW),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar), _noise.NO_NOISE),
            Mistake(lambda mu, logvar: torch.exp(0.5 * logvar) * torch.randn_like(mu), _noise.NO_MU),
            Mistake(lambda mu, logvar: mu + torch.randn_like(mu) + 0 * logvar, _noise.NOT_SCALED),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar) + torch.randn_like(mu), _noise.ADDED),
            Mistake(lambda mu, logvar: mu + torch.exp(-0.5 * logvar) * torch.randn_like(mu), _noise.NEGATIVE),
            Mistake(_seeded_inside, _noise.SAME_NOISE),
            Mistake(lambda mu, logvar: torch.normal(mu, torch.exp(0.5 * logvar)), _noise.NO_GRADIENT),
            Mistake(lambda mu, logvar: reparameterize(mu, logvar.detach()), _noise.STD_CUT),
            Mistake(lambda mu, logvar: reparameterize(mu.detach(), logvar), _noise.MU_CUT),
            Mistake(lambda mu, logvar: mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape), _noise.DEVICE),
        ],
    ),
    Check(
        name="score-function-loss",
        lesson="05",
        reference=score_function_loss,
        make_inputs=_bowl_inputs,
        observe=_observe_loss,
        compare=_compare_loss,
        mistakes=[
            Mistake(
                lambda f, mu, logvar, z, baseline: -score_function_loss(f, mu, logvar, z, baseline),
                "Your gradient has the wrong sign: minimising your loss would make f LARGER. Papers on REINFORCE "
                "maximise a reward; here f is a cost. Which sign does that change?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: (_value(f, z, baseline) * log_prob_gaussian(z, mu, logvar)).mean(),
                "z still carries its graph, so log q sees mu move together with z: (z - mu) / std is then eps, which "
                "does not depend on mu. How do you tell PyTorch that the sample is a plain number?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: ((f(z) - baseline) * log_prob_gaussian(z, mu, logvar)).mean(),
                "Neither z nor f(z) is cut from the graph: your gradient mixes two estimators and is that of neither. "
                "Which factor alone should carry the gradient?",
            ),
            *(Mistake(answer, _F_ATTACHED) for answer in (_f_attached, _f_and_its_sample_attached)),
            Mistake(
                lambda f, mu, logvar, z, baseline: (f(z) - baseline).mean(),
                "log q does not appear in your loss: what you have differentiates f along the path of z. This "
                "estimator never differentiates f. What does it multiply f(z) by?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: score_function_loss(f, mu, logvar, z, baseline).detach(),
                "No gradient reaches mu or logvar: all factors are cut from the graph, so nothing would be learned. "
                "Which one has to keep its graph?",
            ),
            *(Mistake(answer, _LOG_Q_CUT) for answer in (_log_q_cut, _log_q_cut_and_sample_too)),
            Mistake(
                lambda f, mu, logvar, z, baseline: (_value(f, z, baseline) * _log_q_at_constants(z, mu, logvar)).mean(),
                "In your log q, mu and logvar are constants, and the gradient comes in through z. It should be the "
                "other way round: which of z, mu and logvar is log q differentiated by?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: _log_q(z, mu, logvar).mean(),
                "f does not appear in your loss, so it cannot say which samples were good. What weights each log q?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: score_function_loss(f, mu, logvar, z, 0.0),
                "Your loss ignores the baseline. What is subtracted from f(z) before it is multiplied?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: score_function_loss(f, mu, logvar, z, -baseline),
                "You add the baseline. It should make the weights small: is it added to f(z), or subtracted?",
            ),
            Mistake(
                _mean_over_dimensions,
                "You average log q over the dimensions of z. The log-density of independent coordinates is a sum: "
                "by which factor is your gradient too small?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: len(z) * score_function_loss(f, mu, logvar, z, baseline),
                "You sum over the batch, so the gradient grows with the batch size. Which sum should be a mean?",
            ),
            Mistake(
                _without_normaliser,
                "The gradient for mu is right, that for logvar is not: log q also contains -0.5 * logvar, from the "
                "width of the bell. Did you drop it as a constant?",
            ),
            Mistake(
                _variance_as_std,
                "Your log q takes exp(logvar) for the standard deviation. What does a density divide (z - mu)^2 by?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: _value(f, z, baseline).mean() * _log_q(z, mu, logvar).mean(),
                "You multiply one average with another, or shapes (B, 1) and (B,) met in a (B, B) table. Each sample's "
                "f(z) belongs to that sample's log q: what are the two shapes, and where does the mean go?",
            ),
            Mistake(
                lambda f, mu, logvar, z, baseline: (_value(f, z, baseline) * _log_q(z, mu, logvar).exp()).mean(),
                "You weight the density q(z), not its logarithm. Samples are drawn from q already, so likely places "
                "would count twice. Which derivative divides by q?",
            ),
        ],
    ),
    Check(
        name="finite-difference",
        lesson="05",
        reference=_differences.finite_difference,
        make_inputs=_differences.difference_inputs,
        observe=_differences.observe_slopes,
        compare=_differences.compare_slopes,
        tolerance=1e-6,
        mistakes=_differences.MISTAKES,
    ),
]
