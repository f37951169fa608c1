"""Right answers to the exercises of lesson 12, in other styles than the reference."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Normal
from verdicts import accepts, says


def jump_by_angle(alpha_bar, x0, t, eps):
    """One of the batch after the other, with the angle between image and noise."""
    angles = [math.acos(math.sqrt(alpha_bar[k])) for k in t.tolist()]
    return torch.stack([math.cos(a) * x + math.sin(a) * e for a, x, e in zip(angles, x0, eps, strict=True)])


def jump_by_quantiles(alpha_bar, x0, t, eps):
    share = alpha_bar.gather(0, t)[(...,) + (None,) * (x0.ndim - 1)]
    return Normal(share.sqrt() * x0, (1 - share).sqrt()).icdf(Normal(0.0, 1.0).cdf(eps.double())).float()


def jump_in_numpy(alpha_bar, x0, t, eps):
    share = np.take(alpha_bar.numpy(), t.numpy()).reshape(-1, *[1] * (x0.ndim - 1))
    return torch.from_numpy(np.sqrt(share) * x0.numpy() + np.sqrt(1 - share) * eps.numpy())


def jump_by_einsum(alpha_bar, x0, t, eps):
    a = alpha_bar.double().index_select(0, t)
    return (torch.einsum("b,b...->b...", a**0.5, x0.double()) + torch.einsum("b,b...->b...", (1 - a) ** 0.5,
                                                                             eps.double())).float()  # fmt: skip


def loss_by_torch(network, alpha_bar, x0, t, eps):
    return F.mse_loss(network(jump_by_angle(alpha_bar, x0, t, eps), t), eps)


def loss_one_by_one(network, alpha_bar, x0, t, eps):
    x_t = jump_by_einsum(alpha_bar, x0, t, eps)
    total = 0
    for k in range(len(t)):
        total = total + ((network(x_t[k : k + 1], t[k : k + 1]) - eps[k]) ** 2).sum()
    return total / eps.numel()


def loss_of_means(network, alpha_bar, x0, t, eps):
    error = (eps - network(jump_in_numpy(alpha_bar, x0, t, eps), t)).double().flatten(1)
    return torch.einsum("bi,bi->b", error, error).div(error.shape[1]).mean().float()


def loss_by_norm(network, alpha_bar, x0, t, eps):
    with torch.no_grad():  # what the network sees needs no history
        x_t = jump_by_angle(alpha_bar, x0, t, eps)
    return torch.linalg.vector_norm(network(x_t, t) - eps).pow(2) / math.prod(eps.shape)


def step_by_slope(alpha_bar, x_t, t, eps_hat, t_prev):
    """x_t and eps_hat with one factor each."""
    levels = torch.cat([torch.ones(1), alpha_bar])  # entry t + 1 belongs to t
    ratio = (levels[t_prev + 1] / levels[t + 1]).sqrt()
    return ratio * x_t + ((1 - levels[t_prev + 1]).sqrt() - ratio * (1 - levels[t + 1]).sqrt()) * eps_hat


def step_in_numpy(alpha_bar, x_t, t, eps_hat, t_prev):
    here, there = (float(alpha_bar[k]) if k != -1 else 1.0 for k in (t, t_prev))
    guess = (x_t.numpy() - np.sqrt(1 - here) * eps_hat.numpy()) / np.sqrt(here)
    return torch.tensor(np.sqrt(there) * guess + np.sqrt(1 - there) * eps_hat.numpy())


def step_on_the_way(alpha_bar, x_t, t, eps_hat, t_prev):
    """With sigma = sqrt((1 - a) / a) as time: a straight line."""
    a, b = ((torch.ones(()) if k < 0 else alpha_bar[k]).double() for k in (t, t_prev))
    sigma, sigma_prev = ((1 - a) / a).sqrt(), ((1 - b) / b).sqrt()
    return (b.sqrt() * (x_t / a.sqrt() + (sigma_prev - sigma) * eps_hat)).float()


def step_by_jump(alpha_bar, x_t, t, eps_hat, t_prev):
    x0_hat = x_t if t == -1 else (x_t - math.sqrt(1 - alpha_bar[t]) * eps_hat) / math.sqrt(alpha_bar[t])
    if t_prev < 0:
        return x0_hat
    return jump_in_numpy(alpha_bar, x0_hat, torch.tensor([t_prev] * len(x_t)), eps_hat)


def guided_as_average(network, x_t, t, label, null, weight):
    """Both in one batch, and as weights that add up to 1."""
    labels = torch.cat([label, torch.zeros_like(label) + null])
    this, anything = network(torch.cat([x_t, x_t]), torch.cat([t, t]), labels).chunk(2)
    return weight * this + (1 - weight) * anything


def guided_by_lerp(network, x_t, t, label, null, weight):
    return torch.lerp(network(x_t, t, torch.tensor([null] * len(t))), network(x_t, t, label), weight)


def guided_one_by_one(network, x_t, t, label, null, weight):
    rows = []
    for k in range(len(t)):
        x, moment = x_t[k : k + 1], t[k : k + 1]
        some, one = network(x, moment, torch.tensor([null])), network(x, moment, label[k : k + 1])
        rows.append(some[0] + (one - some)[0] * weight)
    return torch.stack(rows)


def guided_beyond_the_class(network, x_t, t, label, null, weight):
    with torch.no_grad():
        one, some = network(x_t, t, label).numpy(), network(x_t, t, label * 0 + null).numpy()
    return torch.from_numpy(one + (weight - 1) * (one - some)).float()


RIGHT = {
    "q-sample": [jump_by_angle, jump_by_quantiles, jump_in_numpy, jump_by_einsum],
    "diffusion-loss": [loss_by_torch, loss_one_by_one, loss_of_means, loss_by_norm],
    "ddim-step": [step_by_slope, step_in_numpy, step_on_the_way, step_by_jump],
    "guidance": [guided_as_average, guided_by_lerp, guided_one_by_one, guided_beyond_the_class],
}


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("q-sample", lambda a, x0, t, eps: jump_by_angle(a, x0, t, eps).flatten(), "shape"),
        ("q-sample", lambda a, x0, t, eps: a[t].view(-1, 1, 1, 1).sqrt() * x0 + (1 - a[t].view(-1, 1, 1, 1)).sqrt()
         * eps, "suits images only"),
        ("q-sample", lambda a, x0, t, eps: x0.mul_(2) + eps, "in place"),
        ("diffusion-loss", lambda net, a, x0, t, eps: F.mse_loss(net(jump_by_angle(a, x0, t, eps), t), x0).item(),
         "float where a tensor"),
        ("ddim-step", lambda a, x, t, eps, t_prev: 1.2 * step_by_slope(a, x, t, eps, t_prev), "1.2 times"),
        ("guidance", lambda net, x, t, label, null, w: net(x, t, null), "embedding"),
    ]
)  # fmt: skip
