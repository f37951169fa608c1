"""Right answers to the exercises of lesson 12, in other styles than the reference."""

import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Normal
from verdicts import accepts, says

from course_utils.checks.lesson_12.unet_forward import time_features


def level(alpha_bar, t):
    return float(alpha_bar[t]) if t >= 0 else 1.0


def posterior_in_plain_numbers(alpha_bar, x_t, x0, t, t_prev):
    here, there = level(alpha_bar, t), level(alpha_bar, t_prev)
    beta = 1 - here / there
    weights = math.sqrt(there) * beta / (1 - here), math.sqrt(here / there) * (1 - there) / (1 - here)
    return [weights[0] * x0 + weights[1] * x_t, beta * (1 - there) / (1 - here)]


def posterior_from_eps(alpha_bar, x_t, x0, t, t_prev):
    """The papers' formula for the mean, with the noise that x0 implies."""
    levels = torch.cat([alpha_bar.double(), torch.ones(1, dtype=torch.float64)])  # entry -1 is the clean data
    a = levels[t] / levels[t_prev]
    eps = (x_t - levels[t].sqrt() * x0) / (1 - levels[t]).sqrt()
    mean = (x_t - (1 - a) / (1 - levels[t]).sqrt() * eps) / a.sqrt()
    return mean.float(), ((1 - a) * (1 - levels[t_prev]) / (1 - levels[t])).float()


def posterior_by_precisions(alpha_bar, x_t, x0, t, t_prev):
    if t_prev < 0:
        return x0.clone(), torch.zeros(1)
    here, there = alpha_bar[t].double(), alpha_bar[t_prev].double()
    a = here / there
    variance = 1 / (1 / (1 - there) + a / (1 - a))
    mean = variance * (there.sqrt() / (1 - there) * x0 + a.sqrt() / (1 - a) * x_t)
    return mean.float(), variance.float()


def posterior_by_regression(alpha_bar, x_t, x0, t, t_prev):
    """As the regression of the earlier state on the later one; the variance once for each number."""
    here, there = level(alpha_bar, t), level(alpha_bar, t_prev)
    a = here / there
    slope = math.sqrt(a) * (1 - there) / (1 - here)
    mean = math.sqrt(there) * x0 + slope * (x_t - math.sqrt(here) * x0)
    return mean, torch.full_like(x_t, (1 - there) - slope * math.sqrt(a) * (1 - there))


def sampler_with(posterior, draw):
    def answer(guess_x0, alpha_bar, x_T, times):
        states, guesses, x = [x_T.clone()], [], x_T
        for k, t in enumerate(times):
            guess = guess_x0(x, t)
            mean, variance = posterior(alpha_bar, x, guess, t, times[k + 1] if k + 1 < len(times) else -1)
            x = draw(mean, float(torch.as_tensor(variance).flatten()[0]))
            states.append(x)
            guesses.append(guess)
        return states, guesses

    return answer


def drawn_by_torch(mean, variance):
    return Normal(mean, math.sqrt(variance)).sample() if variance > 0 else mean


def drawn_by_numpy(mean, variance):
    return mean + math.sqrt(variance) * torch.from_numpy(np.random.standard_normal(mean.shape)).float()


def drawn_at_once(mean, variance):
    return torch.normal(mean, math.sqrt(max(variance, 0.0)))


def sampler_of_tensors(guess_x0, alpha_bar, x_T, times):
    """With all states in one tensor."""
    states, guesses = sampler_with(posterior_from_eps, drawn_at_once)(guess_x0, alpha_bar, x_T, times)
    return torch.stack(states), torch.stack(guesses)


def unet_by_unsqueeze(unet, x_t, t):
    fine = unet.enter(x_t)
    time = unet.time(time_features(t)).unsqueeze(-1).unsqueeze(-1)
    return unet.leave(torch.concat((unet.up(unet.middle(unet.down(fine) + time)), fine), 1))


def unet_by_expand(unet, x_t, t):
    fine = unet.enter(x_t)
    coarse = unet.down(fine)
    coarse = coarse + unet.time(time_features(t)).view(len(t), -1, 1, 1).expand_as(coarse)
    return unet.leave(torch.hstack([unet.up(unet.middle(coarse)), fine]))


def unet_image_by_image(unet, x_t, t):
    return torch.cat([unet_by_expand(unet, x_t[k : k + 1], t[k : k + 1]) for k in range(len(t))])


def unet_by_einsum(unet, x_t, t):
    fine = unet.enter(x_t)
    coarse = unet.down(fine)
    coarse = coarse + torch.einsum("bc,hw->bchw", unet.time(time_features(t)), torch.ones(coarse.shape[2:]))
    out = fine.new_zeros(len(fine), 2 * fine.shape[1], *fine.shape[2:])
    out[:, : fine.shape[1]], out[:, fine.shape[1] :] = unet.up(unet.middle(coarse)), fine
    return unet.leave(out)


def jump_by_angle(alpha_bar, x0, t, eps):
    angles = [math.acos(math.sqrt(alpha_bar[k])) for k in t.tolist()]
    return torch.stack([math.cos(a) * x + math.sin(a) * e for a, x, e in zip(angles, x0, eps, strict=True)])


def jump_by_einsum(alpha_bar, x0, t, eps):
    a = alpha_bar.double().index_select(0, t)
    image, noise = (torch.einsum("b,b...->b...", w**0.5, x.double()) for w, x in ((a, x0), (1 - a, eps)))
    return (image + noise).float()


def loss_by_torch(network, alpha_bar, x0, t, eps):
    return F.mse_loss(network(jump_by_angle(alpha_bar, x0, t, eps), t), eps)


def loss_one_by_one(network, alpha_bar, x0, t, eps):
    x_t = jump_by_einsum(alpha_bar, x0, t, eps)
    total = 0
    for k in range(len(t)):
        total = total + ((network(x_t[k : k + 1], t[k : k + 1]) - eps[k]) ** 2).sum()
    return total / eps.numel()


def loss_of_means(network, alpha_bar, x0, t, eps):
    error = (eps - network(jump_by_einsum(alpha_bar, x0, t, eps), t)).double().flatten(1)
    return torch.einsum("bi,bi->b", error, error).div(error.shape[1]).mean().float()


def loss_by_norm(network, alpha_bar, x0, t, eps):
    with torch.no_grad():  # what the network sees needs no history
        x_t = jump_by_angle(alpha_bar, x0, t, eps)
    return torch.linalg.vector_norm(network(x_t, t) - eps).pow(2) / math.prod(eps.shape)


def shown(images):
    plt.imshow(torch.cat([one for some in images.values() for one in some[:, 0]], dim=1), vmin=0, vmax=1)
    plt.show()


def slider_by_interact(picture, last):
    return ipywidgets.interact(lambda k: shown(picture(k)), k=ipywidgets.IntSlider(0, 0, last))


def slider_by_a_range(picture, last):
    return ipywidgets.interactive(lambda frame: shown(picture(frame)), frame=ipywidgets.IntSlider(max=last, value=0))


def slider_by_interactive_output(picture, last):
    slider = ipywidgets.IntSlider(value=0, min=0, max=last, continuous_update=False)
    return ipywidgets.HBox([slider, ipywidgets.interactive_output(lambda f: shown(picture(f)), {"f": slider})])


def slider_by_observing(picture, last):
    slider, out = ipywidgets.IntSlider(min=0, max=last), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            shown(picture(slider.value))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


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


def bug(line, number=8):
    return lambda: (number, line)


RIGHT = {
    "ddpm-posterior": [
        posterior_in_plain_numbers, posterior_from_eps, posterior_by_precisions, posterior_by_regression,
    ],
    "ddpm-sampler": [
        sampler_with(posterior_in_plain_numbers, drawn_by_torch), sampler_with(posterior_from_eps, drawn_by_numpy),
        sampler_with(posterior_by_precisions, drawn_at_once), sampler_of_tensors,
    ],
    "unet-forward": [unet_by_unsqueeze, unet_by_expand, unet_image_by_image, unet_by_einsum],
    "diffusion-loss": [loss_by_torch, loss_one_by_one, loss_of_means, loss_by_norm],
    "walk-slider": [slider_by_interact, slider_by_a_range, slider_by_interactive_output, slider_by_observing],
    "find-the-bug-sampler": [
        bug("x = mean + variance**0.5 * torch.randn_like(x)"), bug(" x = torch.normal(mean, variance.sqrt())", "8"),
        lambda: [8, "x = torch.randn(x.shape) * torch.sqrt(variance) + mean  # line 8"],
        bug("x = torch.distributions.Normal(mean, variance.sqrt()).sample()"),
        bug("x=mean+math.sqrt(variance)*torch.randn_like(x)"),
    ],
    "guidance": [guided_as_average, guided_by_lerp, guided_one_by_one, guided_beyond_the_class],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("ddpm-posterior", lambda alpha_bar, x_t, x0, t, t_prev: x_t, "2 values"),
        ("ddpm-posterior", lambda alpha_bar, x_t, x0, t, t_prev: (x_t.mul_(2), x0), "in place"),
        ("ddpm-sampler", lambda guess_x0, alpha_bar, x_T, times: None, "returns nothing"),
        ("ddpm-sampler", lambda guess_x0, alpha_bar, x_T, times: ([x_T], []), "never called"),
        ("unet-forward", lambda unet, x_t, t: unet(x_t, t), "what you write"),
        ("diffusion-loss", lambda net, a, x0, t, eps: F.mse_loss(net(jump_by_angle(a, x0, t, eps), t), x0).item(),
         "float where a tensor"),
        ("walk-slider", lambda picture, last: ipywidgets.VBox([]), "no slider"),
        ("find-the-bug-sampler", bug("x = mean + c * x"), "cannot be run"),
        ("find-the-bug-sampler", bug("", 20), "1 to 9"),
        ("find-the-bug-sampler", bug("x = mean + torch.log(-variance) * torch.randn_like(x)"), "deviation nan"),
        ("guidance", lambda net, x, t, label, null, w: net(x, t, null), "embedding"),
    ]
)  # fmt: skip
