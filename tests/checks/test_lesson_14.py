"""Right answers to the exercises of lesson 14, in other styles than the reference."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from verdicts import accepts, says

from course_utils.models.flow import flow_matching_loss as of_the_package
from course_utils.models.flow import integrate


def loss_by_view(velocity, x0, x1, t):
    w = t.view(len(t), *(1 for _ in x1.shape[1:]))
    return F.mse_loss(velocity(torch.lerp(x0, x1, w.expand_as(x1)), t), x1 - x0)


def loss_one_by_one(velocity, x0, x1, t):
    total = 0
    for k in range(len(t)):
        x_t = x0[k : k + 1] + t[k] * (x1[k : k + 1] - x0[k : k + 1])
        total = total + (velocity(x_t, t[k : k + 1]) - x1[k : k + 1] + x0[k : k + 1]).pow(2).sum()
    return total / x1.numel()


def loss_by_einsum(velocity, x0, x1, t):
    x_t = torch.einsum("b,b...->b...", 1 - t, x0) + torch.einsum("b,b...->b...", t, x1)
    return ((x1 - x0 - velocity(x_t, t)) ** 2).flatten(1).mean(1).mean()


def loss_of_the_package(velocity, x0, x1, t):
    return of_the_package(velocity, x1, x0=x0, t=t)


def euler_by_linspace(velocity, x0, steps):
    times, x = torch.linspace(0, 1, steps + 1), x0.clone()
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        x = x + (t_next - t) * velocity(x, t.expand(len(x)))
    return x


def euler_by_while(velocity, x0, steps):
    x, k = x0.clone(), 0
    while k < steps:
        x += velocity(x, torch.zeros(len(x0)) + k / steps) / steps
        k += 1
    return x


def euler_by_arange(velocity, x0, steps):
    x = x0
    for t in np.arange(steps) / steps:
        x = torch.add(x, velocity(x, torch.ones(len(x)) * float(t)), alpha=1 / steps)
    return x


def euler_of_the_package(velocity, x0, steps):
    return integrate(velocity, x0, steps=steps)


def guided_as_average(velocity, x_t, t, bag, weight):
    """Both in one batch, and as weights that add up to 1."""
    both = velocity(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([bag, 0 * bag]))
    this, some = both.chunk(2)
    return weight * this + (1 - weight) * some


def guided_by_lerp(velocity, x_t, t, bag, weight):
    return torch.lerp(velocity(x_t, t, torch.zeros(bag.shape)), velocity(x_t, t, bag), weight)


def guided_beyond(velocity, x_t, t, bag, weight):
    this = velocity(x_t, t, bag)
    return this + (weight - 1) * (this - velocity(x_t, t, bag.new_zeros(bag.shape)))


def guided_one_by_one(velocity, x_t, t, bag, weight):
    rows = []
    for x, moment, said in zip(x_t.split(1), t.split(1), bag.split(1), strict=True):
        some = velocity(x, moment, said * 0)
        rows.append(some + (velocity(x, moment, said) - some) * weight)
    return torch.cat(rows)


def shown(images):
    plt.imshow(torch.cat([one for some in images.values() for one in some[:, 0]], dim=1), vmin=0, vmax=1)
    plt.show()


def slider_by_interact(picture):
    return ipywidgets.interact(lambda w: shown(picture(w)), w=ipywidgets.FloatSlider(1, min=0, max=4, step=0.5))


def slider_by_name(picture):
    slider = ipywidgets.FloatSlider(min=0, max=4, step=0.5, value=1, description="weight")
    return ipywidgets.interactive(lambda weight: shown(picture(weight)), weight=slider)


def slider_by_interactive_output(picture):
    slider = ipywidgets.FloatSlider(value=1, min=0, max=4, step=0.5, continuous_update=False)
    return ipywidgets.HBox([slider, ipywidgets.interactive_output(lambda w: shown(picture(w)), {"w": slider})])


def slider_by_observing(picture):
    slider, out = ipywidgets.FloatSlider(value=1, min=0, max=4, step=0.5), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            shown(picture(slider.value))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def inpaint_by_mask(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.ones(len(x_t)) * t)
    mask = known.float()
    clean = encode(mask * image + (1 - mask) * decode(x_t + v - t * v))
    return torch.lerp(x_t - t * v, clean, t_next)


def inpaint_by_ends(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.full(x_t.shape[:1], t))
    noise = x_t - t * v
    picture = decode(noise + v).clone()  # x0_hat + v is x1_hat
    where = known.expand_as(picture)
    picture[where] = image[where]
    return noise + t_next * (encode(picture) - noise)


def inpaint_by_noise_and_rest(velocity, x_t, t, t_next, image, known, decode, encode):
    v = velocity(x_t, torch.tensor([t] * len(x_t)))
    picture = decode(x_t + (1 - t) * v)
    new = encode(picture.masked_scatter(known.expand_as(picture), image[known.expand_as(image)]))
    return (1 - t_next) * (x_t - t * v) + t_next * new


def inpaint_without_gradients(velocity, x_t, t, t_next, image, known, decode, encode):
    with torch.no_grad():
        v = velocity(x_t, torch.full((len(x_t),), float(t)))
        made = torch.where(~known, decode(x_t + (1 - t) * v), image)
        return t_next * encode(made) + (x_t - t * v) * (1 - t_next)


def bug(line, number=3):
    return lambda: (number, line)


RIGHT = {
    "flow-matching-loss": [loss_by_view, loss_one_by_one, loss_by_einsum, loss_of_the_package],
    "euler-sampler": [euler_by_linspace, euler_by_while, euler_by_arange, euler_of_the_package],
    "flow-guidance": [guided_as_average, guided_by_lerp, guided_beyond, guided_one_by_one],
    "guidance-slider": [slider_by_interact, slider_by_name, slider_by_interactive_output, slider_by_observing],
    "inpainting-step": [inpaint_by_mask, inpaint_by_ends, inpaint_by_noise_and_rest, inpaint_without_gradients],
    "find-the-bug-flow": [
        bug("x_t = (1 - at) * x0 + at * x1", "3"), bug(" x_t = x0 + at * (x1 - x0)  # line 3"),
        lambda: [3, "x_t = torch.lerp(x0, x1, at)"], bug("x_t=at*x1+(1-at)*x0"),
        bug("x_t = (1 - t[:, None]) * x0 + t.unsqueeze(1) * x1"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("flow-matching-loss", lambda velocity, x0, x1, t: F.mse_loss(velocity(x0, t[:1]), x1), "one for each example"),
        ("euler-sampler", lambda velocity, x0, steps: None, "returns nothing"),
        ("euler-sampler", lambda velocity, x0, steps: x0, "never called"),
        ("euler-sampler", lambda velocity, x0, steps: [x0], "Return one tensor"),
        ("flow-guidance", lambda velocity, x, t, bag, w: velocity(x, t, None), "one row for each point"),
        ("guidance-slider", lambda picture: ipywidgets.VBox([]), "no slider"),
        ("inpainting-step", lambda velocity, x_t, t, *rest: velocity(x_t, t), "one time for each point"),
        ("find-the-bug-flow", bug("x_t = torch.lerp(x1, x0, at) / 2"), "another point"),
        ("find-the-bug-flow", bug("x_t = nothing"), "cannot be run"),
        ("find-the-bug-flow", bug("", 20), "1 to 9"),
    ]
)  # fmt: skip
