"""Right answers to the exercises of lesson 09, in other styles than the reference."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from verdicts import accepts, says

from course_utils import checks, plots
from course_utils.latents import attribute_direction, decode_dataset, project_out, traverse


def gap_by_loops(information, entropy):
    total = 0.0
    for k in range(len(entropy)):
        second, first = information[:, k].sort().values[-2:]
        total = total + (first - second) / entropy[k] / len(entropy)
    return total


def gap_in_numpy(information, entropy):
    ordered = np.sort(information.numpy(), axis=0)
    return torch.tensor(np.mean((ordered[-1] - ordered[-2]) / entropy.numpy()))


def gap_by_leaving_the_best_out(information, entropy):
    share = information / entropy
    best = share.argmax(dim=0, keepdim=True)
    rest = share.scatter(0, best, -torch.inf)
    return torch.mean(share.amax(0) - rest.amax(0))


def gap_of_columns(information, entropy):
    top = information.double().T.topk(2).values
    return (-top.diff(dim=1)[:, 0] / entropy).sum().div(len(entropy)).float()


def direction_of_the_package(z, value):
    has = value > 0.5
    return attribute_direction(z, has) / attribute_direction(value[:, None], has)


def direction_by_weights(z, value):
    has = (value > 0.5).float()
    weight = has / has.sum() - (1 - has) / (1 - has).sum()
    return weight @ z / (weight @ value)


def direction_by_loops(z, value):
    some, others = [], []
    for code, one in zip(z, value, strict=True):
        (some if one > 0.5 else others).append(torch.cat([code, one[None]]))
    step = sum(some) / len(some) - sum(others) / len(others)
    return step[:-1] / step[-1]


def direction_in_numpy(z, value):
    codes, value = z.double().numpy(), value.double().numpy()
    has = value >= 0.5
    step = codes[has].mean(axis=0) - codes[~has].mean(axis=0)
    return torch.from_numpy(step / (value[has].mean() - value[~has].mean())).float()


def direction_by_least_squares(z, value):
    inputs = torch.stack([(value > 0.5).float(), torch.ones(len(z))], dim=1)
    solution = torch.linalg.lstsq(inputs, torch.cat([z, value[:, None]], dim=1)).solution[0]
    return solution[:-1] / solution[-1]


def edit_of_the_package(z, direction, weights, attribute, kept, amount):
    step = project_out(direction, weights[kept])
    return z + amount * step / (step @ weights[attribute])


def edit_by_least_squares(z, direction, weights, attribute, kept, amount):
    shares = torch.linalg.lstsq(weights[kept].T, direction[:, None]).solution[:, 0]
    step = direction - shares @ weights[kept]
    return z + step * (amount / (step * weights[attribute]).sum())


def edit_by_qr(z, direction, weights, attribute, kept, amount):
    basis = torch.linalg.qr(weights[kept].T).Q
    step = direction - basis @ (basis.T @ direction)
    return torch.stack([one + step * amount / torch.dot(weights[attribute], step) for one in z])


def edit_by_solving(z, direction, weights, attribute, kept, amount):
    w = weights[kept].double()
    step = direction.double() - w.T @ torch.linalg.solve(w @ w.T, w @ direction.double())
    factor = amount / (weights[attribute].double() @ step)
    return (z + torch.outer(torch.full((len(z),), float(factor)).double(), step)).to(z.dtype)


def edit_in_numpy(z, direction, weights, attribute, kept, amount):
    w, d = weights.numpy()[kept], direction.numpy()
    stays = np.eye(len(d)) - np.linalg.pinv(w) @ w
    step = stays @ d
    return z + torch.tensor(step * amount / (weights[attribute].numpy() @ step), dtype=z.dtype)


def score_in_numpy(before, after, attribute, kept):
    change = after.numpy() - before.numpy()
    rest = np.delete(change, [attribute, *kept], axis=1)
    gain = change[:, attribute].mean()
    return tuple(torch.tensor(one) for one in (gain, (change[:, kept] ** 2).mean() ** 0.5, (rest**2).mean() ** 0.5))


def score_by_norms(before, after, attribute, kept):
    change = after - before
    others = torch.ones(change.shape[1], dtype=torch.bool)
    others[[attribute, *kept]] = False
    return (
        torch.mean(change[:, attribute]),
        change[:, kept].norm() / change[:, kept].numel() ** 0.5,
        change[:, others].norm() / change[:, others].numel() ** 0.5,
    )


def score_by_loops(before, after, attribute, kept):
    size, rest = 0.0, [k for k in range(before.shape[1]) if k not in [attribute, *kept]]
    sums = []
    for some in (kept, rest):
        size = sum(((after[:, k] - before[:, k]) ** 2).sum() for k in some)
        sums.append(torch.sqrt(size / (len(before) * len(some))))
    return (after[:, attribute].mean() - before[:, attribute].mean(), *sums)


def score_by_mse(before, after, attribute, kept):
    rest = sorted(set(range(before.shape[1])) - {attribute} - set(kept))
    gain = (after - before).mean(dim=0)[attribute]
    two = [torch.nn.functional.mse_loss(after[:, some], before[:, some]).sqrt() for some in (kept, rest)]
    return [gain, *two]


def drawn(images):
    plt.imshow(torch.cat(list(images.detach()[:, 0]), dim=1), vmin=0, vmax=1)
    plt.show()


def control_by_interact(model, z, step):
    slider = ipywidgets.FloatSlider(0.5, min=-1.0, max=1.0)
    return ipywidgets.interact(lambda s: drawn(model.decode(torch.stack([z, z + s * step]))), s=slider)


def control_by_interactive_output(model, z, step):
    slider = ipywidgets.FloatSlider(value=0.5, min=-1, max=1, continuous_update=False)

    def show(value):
        drawn(torch.cat([model.decode(z[None]), model.decode((z + value * step)[None])]))

    return ipywidgets.HBox([slider, ipywidgets.interactive_output(show, {"value": slider})])


def control_by_observing(model, z, step):
    slider, out = ipywidgets.FloatSlider(value=0.5, min=-1, max=1, step=0.05), ipywidgets.Output()

    def redraw(change=None):
        out.clear_output(wait=True)
        with out:
            drawn(model.decode(z + torch.tensor([[0.0], [slider.value]]) * step))

    redraw()
    slider.observe(redraw, "value")
    return ipywidgets.VBox([slider, out])


def control_of_the_package(model, z, step):
    def show(strength):
        plots.image_grid(traverse(model, z, step, [0.0, strength]), titles=["before", "after"])
        plt.show()

    return ipywidgets.interactive(show, strength=ipywidgets.FloatSlider(0.5, min=-1, max=1))


def control_with_the_edit_alone(model, z, step):
    def show(strength):
        plots.image_grid(decode_dataset(model, (z + strength * step)[None]))
        plt.show()

    return ipywidgets.interactive(show, strength=ipywidgets.FloatSlider(0.5, min=-1, max=1))


RIGHT = {
    "label-direction": [
        direction_of_the_package, direction_by_weights, direction_by_loops, direction_in_numpy,
        direction_by_least_squares,
    ],
    "controlled-edit": [
        edit_of_the_package, edit_by_least_squares, edit_by_qr, edit_by_solving, edit_in_numpy,
    ],
    "score-edit": [score_in_numpy, score_by_norms, score_by_loops, score_by_mse],
    "strength-control": [
        control_by_interact, control_by_interactive_output, control_by_observing, control_of_the_package,
        control_with_the_edit_alone,
    ],
    "mutual-information-gap": [gap_by_loops, gap_in_numpy, gap_by_leaving_the_best_out, gap_of_columns],
    "find-the-bug-directions": [
        lambda: (1, "loader = DataLoader(images, batch_size=100, shuffle=False)"),
        lambda: [1, "    loader = DataLoader(images, batch_size=100)  # in order"],
        lambda: ("1", "loader = images.split(100)"),
        lambda: (1, "loader = DataLoader(images, 64, num_workers=0)"),
    ],
}  # fmt: skip


test_right_answers_are_accepted = accepts(RIGHT)


def test_the_reference_edit_does_what_it_promises():
    check = checks.all_checks()["controlled-edit"]
    for inputs in check.inputs.values():
        z, direction, weights, attribute, kept, amount = inputs(torch.Generator().manual_seed(5))
        moved = check.reference(z, direction, weights, attribute, kept, amount) - z
        read = LinearRegression(fit_intercept=False)  # an instrument that knows nothing of the exercise
        read.coef_, read.intercept_ = weights.numpy(), 0.0
        change = read.predict((z + moved).numpy()) - read.predict(z.numpy())
        np.testing.assert_allclose(change[:, attribute], amount, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(change[:, kept], 0, atol=1e-3)


test_what_else_is_said = says(
    [
        ("mutual-information-gap", lambda i, h: ((i.amax(1) - i.amin(1)) / h[:3]).mean(), "raises RuntimeError"),
        ("label-direction", lambda z, value: direction_by_loops(z, value).tolist(), "where a tensor"),
        ("label-direction", lambda z, value: z[value].mean(0), "raises"),
        ("label-direction", lambda z, value: direction_by_weights(z.mul_(2), value) / 2, "in place"),
        ("controlled-edit", lambda z, *rest: edit_by_qr(z.add_(1), *rest), "in place"),
        (
            "controlled-edit",
            lambda z, d, w, a, k, amount: z + 2 * project_out(d, w[k]),
            "read-out of the first code rises",
        ),
        (
            "controlled-edit",
            lambda z, d, w, a, k, amount: edit_by_qr(z, d + w[a], w, a, k, amount),
            "step is not along direction",
        ),
        ("score-edit", lambda before, after, a, k: (after - before).mean(), "where"),
        ("find-the-bug-directions", lambda: (11, "z"), "1 to 10"),
        ("find-the-bug-directions", lambda: (1, "loader = Loader(images)"), "cannot be run"),
        ("find-the-bug-directions", lambda: (1, "images"), "makes no loader"),
        ("find-the-bug-directions", lambda: (1, None), "as text"),
    ]
)
