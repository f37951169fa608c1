"""Right answers to the exercises of lesson 06, in other styles than the reference."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional as F
from verdicts import accepts, verdict


def std(logvar):
    return torch.exp(logvar / 2)


def kl_by_torch(mu, logvar):
    return kl_divergence(Normal(mu, std(logvar)), Normal(0.0, 1.0)).sum(-1)


def kl_by_loop(mu, logvar):
    found = []
    for m, s in zip(mu, logvar, strict=True):
        found.append(sum(0.5 * (s[d].exp() + m[d] ** 2 - 1 - s[d]) for d in range(len(m))))
    return torch.stack(found)


def kl_in_float64(mu, logvar):
    m, variance = mu.double(), logvar.double().exp()
    return ((torch.einsum("bd,bd->b", m, m) + (variance - variance.log()).sum(1) - m.shape[1]) / 2).to(mu.dtype)


def grid_by_loop(log_joints, step):
    found = [(row.exp().sum() * step, row.exp()) for row in log_joints]
    return torch.stack([p.log() for p, _ in found]), torch.stack([joint / p for p, joint in found])


def grid_by_trapezoids(log_joints, step):
    evidence = torch.trapezoid(log_joints.exp(), dx=step, dim=1)
    return torch.log(evidence), log_joints.exp() / evidence.unsqueeze(1)


def grid_with_the_largest_taken_out(log_joints, step):
    top = log_joints.max(dim=1, keepdim=True).values
    joint = (log_joints - top).exp()
    area = joint.sum(1, keepdim=True) * step
    return (top + area.log()).squeeze(1), joint / area


def grid_by_numpy(log_joints, step):
    joint = np.exp(log_joints.numpy())
    evidence = joint.sum(axis=1) * step
    return torch.from_numpy(np.log(evidence)), torch.from_numpy(joint / evidence[:, None])


def grid_by_softmax(log_joints, step):
    return torch.logsumexp(log_joints, 1) + math.log(step), torch.softmax(log_joints, 1) / step


def sampling_by_formula(log_joint, x, mu, std, eps):
    z = mu + std * eps
    log_q = -0.5 * eps**2 - math.log(std) - 0.5 * math.log(2 * math.pi)
    w = torch.exp(log_joint(x, z) - log_q)
    return w.mean(), (w.var() / w.numel()).sqrt()


def sampling_in_floats(log_joint, x, mu, std, eps):
    z = torch.tensor(mu) + torch.tensor(std) * eps
    w = (log_joint(x, z).exp() / Normal(mu, std).log_prob(z).exp()).tolist()
    mean = sum(w) / len(w)
    return mean, math.sqrt(sum((one - mean) ** 2 for one in w) / (len(w) - 1) / len(w))


def sampling_one_by_one(log_joint, x, mu, std, eps):
    w = torch.stack([torch.exp(log_joint(x, mu + std * e) - Normal(mu, std).log_prob(mu + std * e)) for e in eps])
    return torch.mean(w), torch.std(w) / len(eps) ** 0.5


def sampling_with_numpy(log_joint, x, mu, std, eps):
    z = mu + std * eps
    w = np.exp((log_joint(x, z) - Normal(mu, std).log_prob(z)).numpy())
    return w.mean(), w.std(ddof=1) / np.sqrt(len(w))


def sampling_with_the_other_std(log_joint, x, mu, std, eps):
    """The standard deviation that divides by K - 1, by hand."""
    w = (log_joint(x, mu + std * eps) - Normal(mu, std).log_prob(mu + std * eps)).exp()
    k = len(w)
    return w.sum() / k, ((w - w.mean()).square().sum() / (k - 1)).sqrt() / k**0.5


def bound_by_difference(log_joints, log_q, step):
    """The gap is what the ELBO lacks."""
    elbo = (log_q.exp() * log_joints).sum(1) * step - (log_q.exp() * log_q).sum(1) * step
    return elbo, grid_by_softmax(log_joints, step)[0] - elbo


def bound_by_trapezoids(log_joints, log_q, step):
    log_posterior = log_joints - grid_by_softmax(log_joints, step)[0][:, None]
    q = torch.exp(log_q)
    return (torch.trapezoid(q * (log_joints - log_q), dx=step), torch.trapezoid(q * (log_q - log_posterior), dx=step))


def bound_by_loop(log_joints, log_q, step):
    elbos, gaps = [], []
    for p, q in zip(log_joints, log_q, strict=True):
        log_px = torch.log(torch.exp(p).sum() * step)
        elbos.append(torch.dot(q.exp(), p - q) * step)
        gaps.append(torch.dot(q.exp(), q - (p - log_px)) * step)
    return torch.stack(elbos), torch.stack(gaps)


def bound_by_einsum(log_joints, log_q, step):
    log_posterior = torch.log_softmax(log_joints, 1) - math.log(step)
    elbo, gap = (torch.einsum("bg,bg->b", log_q.exp(), one) for one in (log_joints - log_q, log_q - log_posterior))
    return [step * elbo, step * gap]


def control_by_interact(draw):
    import ipywidgets

    mean = ipywidgets.FloatSlider(-0.5, min=-2, max=2, step=0.01)
    return ipywidgets.interact(draw, mean=mean, std=ipywidgets.FloatSlider(0.3, min=0.1, max=1.5, step=0.01))


def control_by_interactive(draw):
    from ipywidgets import FloatSlider, interactive

    return interactive(draw, mean=FloatSlider(value=-0.5, min=-2, max=2, step=0.01),
                       std=FloatSlider(value=0.3, min=0.1, max=1.5, step=0.01))  # fmt: skip


def control_by_observe(draw):
    from ipywidgets import FloatSlider, HBox, Output, VBox

    mean = FloatSlider(value=-0.5, min=-2.0, max=2.0, step=0.01)
    std = FloatSlider(value=0.3, min=0.1, max=1.5, step=0.01)
    out = Output()

    def again(change=None):
        out.clear_output(wait=True)
        with out:
            draw(mean.value, std.value)

    for one in (mean, std):
        one.observe(again, names="value")
    again()
    return HBox([VBox([mean, std]), out])


def control_in_boxes(draw):
    from ipywidgets import FloatSlider, HBox, VBox, interactive_output

    names = {"mean": (-2, 2, -0.5), "std": (0.1, 1.5, 0.3)}
    sliders = {
        name: FloatSlider(min=a, max=b, value=c, step=0.01, description=name) for name, (a, b, c) in names.items()
    }
    return VBox([HBox(list(sliders.values())), interactive_output(lambda **at: draw(**at), sliders)])


def loss_by_normal(x_hat, x, noise, mu, logvar):
    recon = -Normal(x_hat, noise).log_prob(x).sum(-1).mean(0)
    return recon + kl_divergence(Normal(mu, std(logvar)), Normal(0.0, 1.0))


def loss_by_the_library(x_hat, x, noise, mu, logvar):
    variance = torch.ones_like(x_hat) * noise**2
    recon = F.gaussian_nll_loss(x_hat, x.repeat(len(x_hat), 1), variance, full=True, reduction="sum") / len(x_hat)
    return recon - 0.5 * (1 + logvar - mu.pow(2) - logvar.exp())


def loss_of_a_mean(x_hat, x, noise, mu, logvar):
    recon = len(x) * F.gaussian_nll_loss(x_hat, x.expand_as(x_hat), torch.full_like(x_hat, noise**2), full=True)
    return recon + (kl_by_torch(mu.reshape(1, 1), logvar.reshape(1, 1)))[0]


def loss_by_loop(x_hat, x, noise, mu, logvar):
    total = 0.0
    for draw in x_hat:
        for a, b in zip(draw, x, strict=True):
            total = total + (a - b) ** 2 / (2 * noise**2) + math.log(noise * math.sqrt(2 * math.pi))
    return total / len(x_hat) + 0.5 * (logvar.exp() + mu * mu - logvar - 1)


def loss_of_squares(x_hat, x, noise, mu, logvar):
    squares = F.mse_loss(x_hat, x.expand_as(x_hat), reduction="sum") / len(x_hat)
    constant = len(x) * (math.log(noise) + 0.5 * math.log(2 * math.pi))
    return squares / (2 * noise**2) + constant + 0.5 * (logvar.exp() + mu**2 - 1 - logvar)


def elbo_by_torch(nll, x, mu, logvar, eps):
    q = Independent(Normal(mu, std(logvar)), 1)
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    return -nll(x, q.mean + q.stddev * eps) - kl_divergence(q, prior)


def elbo_of_two_terms(negative_log_likelihood, x, mu, logvar, eps):
    log_likelihood = -negative_log_likelihood(x=x, z=torch.addcmul(mu, logvar.exp().sqrt(), eps))
    return log_likelihood + 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=-1)


def elbo_by_loop(nll, x, mu, logvar, eps):
    bounds = []
    for b in range(len(x)):
        one = slice(b, b + 1)
        z = mu[one] + std(logvar[one]) * eps[one]
        bounds.append(-nll(x[one], z)[0] - kl_by_loop(mu[one], logvar[one])[0])
    return torch.stack(bounds)


def elbo_in_float64(nll, x, mu, logvar, eps):
    z = mu.double() + std(logvar.double()) * eps.double()
    return -(nll(x.double(), z) + kl_in_float64(mu.double(), logvar.double())).float()


def iwae_in_float64(log_joint, log_q):
    """By way of the second-largest exponent of each example, or the only one."""
    w = log_joint.double() - log_q.double()
    shift = w.sort(dim=0).values[-2:][0]
    return ((w - shift).exp().sum(dim=0) / len(w)).log().add(shift).float()


def iwae_by_logsumexp(log_joint, log_q):
    return torch.logsumexp(log_joint - log_q, 0) - math.log(log_joint.shape[0])


def iwae_by_scipy(log_joint, log_q):
    from scipy.special import logsumexp

    w = (log_joint - log_q).numpy()
    return torch.from_numpy(logsumexp(w, axis=0, b=np.full_like(w, 1 / len(w))))


def iwae_by_loop(log_joint, log_q):
    bounds = []
    for b in range(log_joint.shape[1]):
        w = [float(p) - float(q) for p, q in zip(log_joint[:, b], log_q[:, b], strict=True)]
        bounds.append(max(w) + math.log(sum(math.exp(one - max(w)) for one in w) / len(w)))
    return torch.tensor(bounds)


def iwae_one_by_one(log_joint, log_q):
    total = torch.full(log_joint.shape[1:], -torch.inf)
    for p, q in zip(log_joint, log_q, strict=True):
        total = torch.logaddexp(total, p - q)
    return total - torch.tensor(float(len(log_joint))).log()


def beta_by_backward(loss, recon, kl):
    recon.grad, kl.grad = None, None
    loss(recon, kl).backward()
    return float(kl.grad[-1, -1]) / float(recon.grad[-1, -1])


def beta_of_copies(loss, recon, kl):
    recon, kl = recon.detach().clone().requires_grad_(), kl.detach().clone().requires_grad_()
    loss(recon, kl).backward()
    return np.float64(kl.grad.mean() / recon.grad.mean())


def beta_by_differences(loss, recon, kl, dtype=torch.float64):
    with torch.no_grad():
        recon, kl = recon.to(dtype), kl.to(dtype)
        base, up_recon, up_kl = loss(recon, kl), recon.clone(), kl.clone()
        up_recon[0, 0] += 1
        up_kl[0, 0] += 1
        return ((loss(recon, up_kl) - base) / (loss(up_recon, kl) - base)).item()


RIGHT = {
    "posterior-on-grid": [grid_by_loop, grid_by_trapezoids, grid_with_the_largest_taken_out, grid_by_numpy,
                          grid_by_softmax],
    "importance-sampling": [sampling_by_formula, sampling_in_floats, sampling_one_by_one, sampling_with_numpy,
                            sampling_with_the_other_std],
    "bound-on-grid": [bound_by_difference, bound_by_trapezoids, bound_by_loop, bound_by_einsum],
    "gap-control": [control_by_interact, control_by_interactive, control_by_observe, control_in_boxes],
    "mended-loss": [loss_by_normal, loss_by_the_library, loss_of_a_mean, loss_by_loop, loss_of_squares],
    "one-sample-elbo": [elbo_by_torch, elbo_of_two_terms, elbo_by_loop, elbo_in_float64],
    "iwae": [iwae_in_float64, iwae_by_logsumexp, iwae_by_scipy, iwae_by_loop, iwae_one_by_one],
    "measure-beta": [beta_by_backward, beta_of_copies, beta_by_differences],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def beta_in_float32(loss, recon, kl):
    return beta_by_differences(loss, recon.float(), kl.float(), torch.float32)


def elbo_with_numpy(nll, x, mu, logvar, eps):
    z = torch.from_numpy(mu.detach().numpy() + np.exp(logvar.detach().numpy() / 2) * eps.numpy())
    return -(nll(x, z) + kl_by_torch(mu, logvar))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("posterior-on-grid", lambda log_joints, step: grid_by_loop(log_joints.sub_(1), step), "in place"),
        ("posterior-on-grid", lambda log_joints, step: grid_by_loop(log_joints, step)[1][0], "2 values are expected"),
        ("importance-sampling", lambda f, x, mu, std, eps: sampling_by_formula(f, x, mu, std, eps.mul_(2)), "in place"),
        ("bound-on-grid", lambda p, q, step: bound_by_loop(p.detach(), q.detach(), step), "no gradient"),
        ("gap-control", lambda draw: None, "returns nothing"),
        (
            "mended-loss",
            lambda x_hat, x, noise, mu, logvar: loss_by_normal(x_hat, x, noise, mu, logvar).item(),
            "a tensor",
        ),
        ("one-sample-elbo", lambda nll, x, mu, logvar, eps: elbo_by_torch(nll, x, mu, logvar, eps.mul_(2)), "in place"),
        ("one-sample-elbo", elbo_with_numpy, "so the encoder would learn the KL term alone"),
        ("iwae", lambda log_joint, log_q: iwae_by_loop(log_joint.sub_(log_q), log_q), "in place"),
        ("measure-beta", beta_in_float32, "It returns"),  # it drowns in rounding: the lesson would see 0 and infinity
        ("measure-beta", lambda loss, recon, kl: torch.tensor(1 / beta_of_copies(loss, recon, kl)), "upside down"),
        ("measure-beta", lambda loss, recon, kl: torch.tensor(beta_of_copies(loss, recon, kl)), "a tensor of one"),
        ("measure-beta", lambda loss, recon, kl: beta_by_backward(loss, recon, kl.data.add_(1)), "in place|raises"),
    ],
)
def test_what_else_is_said(name, answer, words):
    said = verdict(name, answer)
    assert any(one in said for one in words.split("|"))


@pytest.mark.parametrize("answer", RIGHT["gap-control"])
def test_the_sliders_of_a_right_answer_move_the_explorer_of_the_lesson(answer):
    from ipywidgets import jslink

    from course_utils.plots import Chart, Series
    from course_utils.widgets import FunctionSliders, sliders_in
    from course_utils.widgets.screen import Screen

    screen = Screen()
    with screen.on():
        explorer = FunctionSliders(
            lambda mean, std, height: {"q": Chart([Series("", [mean], [std], "points")], (-2, 2), (0, 2), "z", "std")},
            {"mean of q": (-2, 2, -0.5, 0.01), "std of q": (0.1, 1.5, 0.3, 0.01), "x[1]": (-0.6, 0.6, 0.1, 0.02)},
        )
        sliders = sliders_in(answer(lambda mean, std: None))
        for slider, number in zip(sliders, ("value_0", "value_1"), strict=True):
            jslink((slider, "value"), (explorer, number))
        for slider, value in zip(sliders, (0.75, 1.2), strict=True):
            screen.move(slider, value)
        assert list(explorer.values.values()) == pytest.approx([0.75, 1.2, 0.1])
