"""Right answers to the exercises of lesson 10, in other styles than the reference."""

import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli
from verdicts import accepts, says

from course_utils import plots
from course_utils.latents import decode_dataset
from course_utils.models import gan


def game_in_torch(theta, psi, lr):
    """Both derivatives by autograd."""
    theta, psi = (torch.tensor(float(one), dtype=torch.float64, requires_grad=True) for one in (theta, psi))
    (slope_psi,) = torch.autograd.grad(F.softplus(psi * theta), psi)
    (slope_theta,) = torch.autograd.grad(F.softplus(-psi * theta), theta)
    return theta.detach() - lr * slope_theta, psi.detach() - lr * slope_psi


def game_in_numpy(theta, psi, lr):
    share = 1 / (1 + np.exp(-psi * theta))
    return np.array(theta + lr * psi * (1 - share)).item(), np.float64(psi - lr * theta * share)


def game_in_one_tensor(theta, psi, lr):
    place = torch.tensor([theta, psi])
    return place - lr * torch.stack([-place[1], place[0]]) * torch.sigmoid(torch.tensor([-1.0, 1.0]) * place.prod())


def game_by_tanh(theta, psi, lr):
    half = math.tanh(psi * theta / 2)
    return [theta + lr * psi * (1 - half) / 2, psi - lr * theta * (1 + half) / 2]


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def step_by_cross_entropy(generator, discriminator, optimizers, x, z, penalty=None):
    """The fakes are made twice, once without a history."""
    optimizer_g, optimizer_d = optimizers
    with torch.no_grad():
        x_fake = generator(z)
    loss_d = cross_entropy(discriminator(x), 1.0) + cross_entropy(discriminator(x_fake), 0.0)
    if penalty:
        loss_d += penalty(discriminator, x)
    optimizer_d.zero_grad()
    loss_d.backward()
    optimizer_d.step()
    loss_g = cross_entropy(discriminator(generator(z)), 1.0)
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()
    return loss_d.item(), loss_g.item()


def step_by_the_package(generator, discriminator, optimizers, x, z, penalty=None):
    """Gradients are cleared after each step, of both players."""
    fakes = generator(z)
    loss = gan.discriminator_loss(discriminator(x), discriminator(fakes.detach()))
    total = loss + (0 if penalty is None else penalty(discriminator, x))
    total.backward()
    optimizers[1].step()
    optimizers[1].zero_grad()
    other = gan.generator_loss(discriminator(fakes))
    other.backward()
    optimizers[0].step()
    for one in optimizers:
        one.zero_grad(set_to_none=False)
    return torch.stack([total.detach(), other.detach()])


def step_with_frozen_players(generator, discriminator, optimizers, x, z, penalty=None):
    """Whoever does not learn is frozen; the discriminator sees one batch of both."""
    fakes = generator(z)
    real, fake = discriminator(torch.cat([x, fakes.detach()])).flatten().split([len(x), len(z)])
    loss_d = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    loss_d = loss_d if penalty is None else loss_d + penalty(discriminator, x)
    optimizers[1].zero_grad()
    loss_d.backward()
    optimizers[1].step()
    discriminator.requires_grad_(False)
    loss_g = -Bernoulli(logits=discriminator(fakes)).log_prob(torch.ones(())).mean()
    optimizers[0].zero_grad()
    loss_g.backward()
    optimizers[0].step()
    discriminator.requires_grad_(True)
    return [float(loss_d.detach()), float(loss_g.detach())]


def step_by_given_gradients(generator, discriminator, optimizers, x, z, penalty=None):
    """torch.autograd.grad in place of backward."""

    def move(optimizer, network, loss):
        weights = list(network.parameters())
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = slope
        optimizer.step()
        return loss.item()

    x_fake = generator(z)
    loss_d = F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_fake.detach())).mean()
    loss_d = loss_d + (penalty(discriminator, x) if penalty is not None else 0.0)
    first = move(optimizers[1], discriminator, loss_d)
    return first, move(optimizers[0], generator, F.softplus(-discriminator(x_fake)).mean())


def penalty_sample_by_sample(discriminator, x):
    total = 0.0
    for one in x:
        one = one[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(one).squeeze(), one, create_graph=True)
        total = total + (slope * slope).sum()
    return total / len(x)


def penalty_by_given_outputs(discriminator, x):
    x = x.clone().detach().requires_grad_(True)
    logits = discriminator(x)
    slope = torch.autograd.grad(logits, x, grad_outputs=torch.ones_like(logits), create_graph=True)[0]
    return slope.reshape(len(x), -1).norm(dim=1).pow(2).mean()


def penalty_by_func(discriminator, x):
    slopes = torch.func.vmap(torch.func.grad(lambda one: discriminator(one[None]).squeeze()))(x)
    return torch.einsum("bi,bi->", slopes.flatten(1), slopes.flatten(1)) / len(x)


def drawn(images):
    plt.imshow(torch.cat(list(images.detach()[:, 0]), dim=1), vmin=0, vmax=1)
    plt.show()


def control_by_interact(model, z, direction):
    slider = ipywidgets.FloatSlider(0.0, min=-3.0, max=3.0)
    return ipywidgets.interact(lambda a: drawn(model.decode(z + a * direction)), a=slider)


def control_by_interactive_output(model, z, direction):
    slider = ipywidgets.FloatSlider(value=0, min=-3, max=3, continuous_update=False)
    out = ipywidgets.interactive_output(lambda far: drawn(model.decode(torch.add(z, direction, alpha=far))),
                                        {"far": slider})  # fmt: skip
    return ipywidgets.HBox([out, slider])


def control_by_observing(model, z, direction):
    slider, out = ipywidgets.FloatSlider(value=0, min=-3, max=3, step=0.25), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            drawn(torch.cat([model.decode(one[None] + slider.value * direction) for one in z]))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def control_of_the_package(model, z, direction):
    def show(amount):
        plots.image_grid(decode_dataset(model, z + amount * direction[None]))
        plt.show()

    return ipywidgets.interactive(show, amount=ipywidgets.FloatSlider(0, min=-3, max=3))


def adam_by_hand(generator, x, z_start, steps, lr=0.1):
    """Adam written out, one image at a time."""
    codes, errors = [], []
    for image, z in zip(x, z_start, strict=True):
        z, m, v, own = z.clone()[None], 0.0, 0.0, []
        for t in range(1, steps + 1):
            z = z.detach().requires_grad_()
            error = ((generator(z)[0] - image) ** 2).sum()
            (slope,) = torch.autograd.grad(error, z)
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            z = (z - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)).detach()
            own.append(error.detach())
        codes.append(z[0])
        errors.append(torch.stack(own))
    return torch.stack(codes), torch.stack(errors, dim=1)


def search_by_mean(generator, x, z_start, steps, lr=0.1):
    """Adam does not care for the scale of the loss, and weights that collect gradients harm nobody."""
    z = torch.nn.Parameter(z_start.clone())
    adam, errors = torch.optim.Adam([z], lr), []
    for _ in range(steps):
        adam.zero_grad()
        pixels = (generator(z) - x) ** 2
        errors.append(pixels.detach().flatten(1).sum(1))
        pixels.mean().backward()
        adam.step()
    return z.data, torch.stack(errors)


def search_into_an_array(generator, x, z_start, steps, lr=0.1):
    z = torch.tensor(z_start.numpy(), requires_grad=True)
    adam, errors = torch.optim.Adam([{"params": [z], "lr": lr}]), np.zeros((steps, len(x)), dtype=np.float32)
    for k in range(steps):
        each_image = F.mse_loss(generator(z), x, reduction="none").sum((-1, -2, -3))
        errors[k] = each_image.detach().numpy()
        each_image.backward(torch.ones(len(x)))
        adam.step()
        z.grad.zero_()
    return [z.detach(), torch.from_numpy(errors)]


def search_with_a_closure(generator, x, z_start, steps, lr=0.1):
    """Each image has an optimizer of its own; the errors keep their history."""
    codes = [one[None].clone().requires_grad_() for one in z_start]
    adams, rows = [torch.optim.Adam([z], lr=lr) for z in codes], []
    for _ in range(steps):
        row = [torch.linalg.vector_norm(generator(z)[0] - image) ** 2 for z, image in zip(codes, x, strict=True)]
        for z, adam, error in zip(codes, adams, row, strict=True):
            (z.grad,) = torch.autograd.grad(error, z, retain_graph=True)
            adam.step()
        rows.append(torch.stack(row))
    return torch.cat(codes).detach(), torch.stack(rows)


D = "nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))"

RIGHT = {
    "two-player-step": [game_in_torch, game_in_numpy, game_in_one_tensor, game_by_tanh],
    "gan-step": [step_by_cross_entropy, step_by_the_package, step_with_frozen_players, step_by_given_gradients],
    "slope-penalty": [penalty_sample_by_sample, penalty_by_given_outputs, penalty_by_func, gan.r1_penalty],
    "noise-direction-slider": [
        control_by_interact, control_by_interactive_output, control_by_observing, control_of_the_package,
    ],
    "invert-generator": [adam_by_hand, search_by_mean, search_into_an_array, search_with_a_closure],
    "find-the-bug-gan": [
        lambda: (2, f"D = {D}"),
        lambda: [3, "bce = nn.BCELoss()"],
        lambda: ("2", f"    D={D}  # logits"),
        lambda: (3, "bce = F.binary_cross_entropy"),
        lambda: (2, f"D = {D[:-1]}, nn.Identity())"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def step_in_place(generator, discriminator, optimizers, x, z, penalty=None):
    x.mul_(0.5)
    return step_by_cross_entropy(generator, discriminator, optimizers, x, z, penalty)


def step_without_saying(*inputs):
    step_by_cross_entropy(*inputs)


test_what_else_is_said = says(
    [
        ("two-player-step", lambda theta, psi, lr: None, "returns nothing"),
        ("two-player-step", lambda theta, psi, lr: theta, "two numbers"),
        ("two-player-step", lambda theta, psi, lr: (theta + lr * psi / 2, psi - lr * theta / 2), "is expected"),
        ("gan-step", step_in_place, "in place"),
        ("gan-step", step_without_saying, "returns nothing"),
        ("gan-step", lambda *inputs: step_by_cross_entropy(*inputs)[0], "Return two numbers"),
        ("gan-step", lambda *inputs: (0.1, 0.2), "never move"),
        ("slope-penalty", lambda d, x: gan.r1_penalty(d, x) / 3, "times what it should be"),
        ("slope-penalty", lambda d, x: gan.r1_penalty(nn.Sequential(d, nn.Tanh()), x), "is expected"),
        ("invert-generator", lambda *inputs: adam_by_hand(*inputs)[0], "2 values are expected"),
        ("invert-generator", lambda g, x, z, *rest: adam_by_hand(g, x, z.add_(1), *rest), "in place"),
        ("find-the-bug-gan", lambda: (11, "loss"), "1 to 10"),
        ("find-the-bug-gan", lambda: (2, f"D = {D[:-1]}"), "cannot be run"),
        ("find-the-bug-gan", lambda: (3, None), "as text"),
        (
            "find-the-bug-gan",
            lambda: (2, "D = nn.Sequential(nn.Linear(2, 64), nn.Linear(64, 3))"),
            "one number a point",
        ),
    ]
)
