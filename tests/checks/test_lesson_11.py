"""Right answers to the exercises of lesson 11, in other styles than the reference."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from verdicts import accepts, says

from course_utils.models.styles import ModulatedConv2d, mix_styles


def scaled_activations(x, weight, style):
    y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    squares = style.square() @ weight.square().sum((2, 3)).T
    return y * torch.rsqrt(squares + 1e-8)[:, :, None, None]


def grouped(x, weight, style):
    count, outputs = len(x), len(weight)
    own = weight[None] * style[:, None, :, None, None]
    own = own / torch.sqrt(torch.sum(own**2, dim=[2, 3, 4], keepdim=True) + 1e-8)
    y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), own.flatten(0, 1), padding="same", groups=count)
    return y.view(count, outputs, *x.shape[2:])


def by_vmap(x, weight, style):
    def one(image, factors):
        own = F.normalize((weight * factors[:, None, None]).flatten(1), dim=1).view_as(weight)
        return F.conv2d(image[None], own, padding=weight.shape[-1] // 2)[0]

    return torch.vmap(one)(x, style)


def by_unfolding(x, weight, style):
    kernel = weight.shape[-1]
    own = torch.einsum("jikl,bi->bjikl", weight, style).flatten(2)
    own = own / own.norm(dim=2, keepdim=True)
    return (own @ F.unfold(x, kernel, padding=(kernel - 1) // 2)).view(len(x), -1, *x.shape[2:])


def by_the_package(x, weight, style):
    layer = ModulatedConv2d(weight.shape[1], weight.shape[0], weight.shape[-1])
    layer.scale = 1.0
    del layer.weight
    layer.weight = weight
    return layer(x, style)


def mixed_by_cat(w_a, w_b, start, num_layers):
    one, other = w_a[:, None].repeat(1, start, 1), w_b[:, None].repeat(1, num_layers - start, 1)
    return torch.cat([one, other], dim=1)


def mixed_by_slices(w_a, w_b, start, num_layers):
    mixed = torch.empty(len(w_a), num_layers, w_a.shape[1])
    mixed[:, :start] = w_a[:, None]
    mixed[:, start:] = w_b[:, None]
    return mixed


def mixed_by_stack(w_a, w_b, start, num_layers):
    return torch.stack([w_a if layer < start else w_b for layer in range(num_layers)], 1)


def mixed_by_weights(w_a, w_b, start, num_layers):
    share = (torch.arange(num_layers) >= start).float().view(1, -1, 1)
    return (1 - share) * w_a.unsqueeze(1) + share * w_b.unsqueeze(1)


def mixed_by_the_package(w_a, w_b, start, num_layers):
    return mix_styles(w_a, w_b, range(start, num_layers), num_layers=num_layers)


def shown(images):
    plt.imshow(torch.cat([one.detach().mean(0) for one in images], dim=1), vmin=0, vmax=1)
    plt.show()


def slider_by_interact(space, w_a, w_b):
    layers = space.latent_shape[0]

    def show(start):
        shown(space.decode(mixed_by_cat(w_a, w_b, start, layers)))

    return ipywidgets.interact(show, start=ipywidgets.IntSlider(layers, 0, layers))


def slider_by_interactive(space, w_a, w_b):
    layers, _ = space.latent_shape
    slider = ipywidgets.IntSlider(max=layers, value=layers, description="layer")
    return ipywidgets.interactive(lambda k: shown(space.decode(mixed_by_slices(w_a, w_b, k, layers))), k=slider)


def slider_by_interactive_output(space, w_a, w_b):
    layers = space.latent_shape[0]
    slider = ipywidgets.IntSlider(min=0, max=layers, value=layers, continuous_update=False)
    draw = lambda start: shown(space.decode(mixed_by_stack(w_a, w_b, start, layers)))  # noqa: E731
    return ipywidgets.VBox([slider, ipywidgets.interactive_output(draw, {"start": slider})])


def slider_by_observing(space, w_a, w_b):
    layers = space.latent_shape[0]
    slider, out = ipywidgets.IntSlider(value=layers, min=0, max=layers), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            shown(space.decode(mixed_by_weights(w_a, w_b, slider.value, layers)))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.HBox([slider, out])


def slider_with_both_faces_beside(space, w_a, w_b):
    layers = space.latent_shape[0]

    def show(start):
        one, other = (space.decode(codes[:, None].repeat(1, layers, 1)) for codes in (w_a, w_b))
        shown(torch.cat([one, space.decode(mixed_by_cat(w_a, w_b, start, layers)), other], dim=2))

    return ipywidgets.interactive(show, start=ipywidgets.IntSlider(layers, 0, layers))


def edit_by_sklearn(w, values, codes, amount, layers):
    slope = torch.tensor(LinearRegression().fit(w, values).coef_, dtype=codes.dtype)
    edited = codes.clone()
    for layer in layers:
        edited[:, layer] += amount * slope / (slope @ slope)
    return edited


def edit_with_a_column_of_ones(w, values, codes, amount, layers):
    slope = (torch.linalg.pinv(torch.cat([w, torch.ones(len(w), 1)], dim=1)) @ values)[:-1]
    step = torch.zeros_like(codes)
    step[:, layers] = amount * slope / slope.square().sum()
    return codes + step


def edit_by_covariances(w, values, codes, amount, layers):
    """The slope solves C b = c, where c are the covariances of w and the values."""
    centred = (w - w.mean(dim=0)).double()
    slope = torch.linalg.solve(centred.T @ centred, centred.T @ (values - values.mean()).double())
    chosen = torch.tensor([k in layers for k in range(codes.shape[1])])[None, :, None]
    return torch.where(chosen, codes + (amount / (slope @ slope) * slope).float(), codes)


def edit_in_numpy(w, values, codes, amount, layers):
    table = np.column_stack([w.numpy(), np.ones(len(w))])
    slope = np.linalg.lstsq(table, values.numpy(), rcond=None)[0][:-1]
    edited = codes.numpy().copy()
    edited[:, layers] += (amount * slope / np.dot(slope, slope)).astype("float32")
    return torch.from_numpy(edited)


def edit_by_the_pseudo_inverse(w, values, codes, amount, layers):
    """The shortest move d with b . d = amount is the pseudo-inverse of the row b, times amount."""
    row = torch.tensor(LinearRegression().fit(w, values).coef_, dtype=codes.dtype)[None]
    mask = torch.zeros(codes.shape[1], 1)
    mask[layers] = 1
    return codes + mask * amount * torch.linalg.pinv(row)[:, 0]


def bug(line, number=3):
    return lambda: (number, line)


RIGHT = {
    "modulated-convolution": [scaled_activations, grouped, by_vmap, by_unfolding, by_the_package],
    "style-mixing": [mixed_by_cat, mixed_by_slices, mixed_by_stack, mixed_by_weights, mixed_by_the_package],
    "style-slider": [
        slider_by_interact, slider_by_interactive, slider_by_interactive_output, slider_by_observing,
        slider_with_both_faces_beside,
    ],
    "edit-in-w": [
        edit_by_sklearn, edit_with_a_column_of_ones, edit_by_covariances, edit_in_numpy,
        edit_by_the_pseudo_inverse,
    ],
    "find-the-bug-styles": [
        bug("mean_w = model.map(torch.randn(10_000, 64)).mean(0)"), bug("mean_w = model.mean_w", "3"),
        lambda: [3, "mean_w = model.generator.mean_w[None]  # kept in training"],
        bug("mean_w = model.map(torch.randn(100_000, 64)).mean(dim=0, keepdim=True)"),
        bug("mean_w = torch.stack([model.map(torch.randn(500, 64)).mean(dim=0) for _ in range(20)]).mean(0)"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("modulated-convolution", lambda x, weight, style: x.mul_(2), "in place"),
        ("modulated-convolution", lambda x, weight, style: None, "returns nothing"),
        ("modulated-convolution", lambda x, weight, style: F.conv2d(x, weight * style, padding=1), "size"),
        ("modulated-convolution", lambda x, weight, style: scaled_activations(x, weight, style / 2 + 0.5), "add 1"),
        ("style-mixing", lambda w_a, w_b, start, num_layers: (w_a, w_b), "tuple"),
        ("style-mixing", lambda w_a, w_b, start, num_layers: torch.cat([w_a[:start], w_b[start:]]), "shape"),
        ("style-slider", lambda space, w_a, w_b: ipywidgets.VBox([]), "no slider"),
        ("style-slider", lambda space, w_a, w_b: None, "nothing"),
        ("edit-in-w", lambda w, values, codes, amount, layers: codes.mul_(2), "in place"),
        ("find-the-bug-styles", bug("mean_w = model.maps(torch.randn(9, 64))"), "cannot be run"),
        ("find-the-bug-styles", bug("", 9), "1 to 6"),
        ("find-the-bug-styles", lambda: 3, "Return two things"),
    ]
)  # fmt: skip
