"""Right answers to the exercises of lesson 13, in other styles than the reference."""

import math

import ipywidgets
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from verdicts import accepts, says

from course_utils import interpolation
from course_utils.metrics import path_quality


def weights_of_math(theta, weight):
    theta = float(theta)
    if theta < 1e-3:
        return 1 - weight, weight
    return math.sin((1 - weight) * theta) / math.sin(theta), math.sin(weight * theta) / math.sin(theta)


def weights_by_where(theta, weight):
    shares = torch.tensor([1 - weight, weight])
    safe = theta.clamp(min=1e-3)
    return tuple(torch.where(theta < 1e-3, shares, torch.sin(shares * safe) / torch.sin(safe)))


def weights_as_a_list(theta, weight):
    if torch.isclose(theta, torch.tensor(0.0), atol=1e-3):
        return [torch.tensor(1 - weight), torch.tensor(weight)]
    return [torch.sin(theta - weight * theta) / theta.sin(), torch.sin(weight * theta) / theta.sin()]


def weights_by_the_cotangent(theta, weight):
    if theta < 1e-3:
        return torch.tensor(1.0) - weight, torch.tensor(weight)
    second = torch.sin(weight * theta) / torch.sin(theta)
    return torch.cos(weight * theta) - torch.cos(theta) * second, second


def slerp_with_arccos(z_a, z_b, weight):
    """The textbook's way, with thresholds."""
    norm_a, norm_b = float(np.linalg.norm(z_a.numpy())), float(np.linalg.norm(z_b.numpy()))
    if min(norm_a, norm_b) == 0:
        return torch.lerp(z_a, z_b, weight)
    u_a, u_b = z_a / norm_a, z_b / norm_b
    theta = torch.arccos(torch.dot(u_a, u_b).clamp(-1, 1))
    length = (1 - weight) * norm_a + weight * norm_b
    if theta < 1e-3:
        return torch.lerp(z_a, z_b, weight)
    if theta > math.pi - 1e-3:
        e = torch.eye(len(u_a))[1 if u_a[0].abs() > 0.9 else 0]
        v = torch.nn.functional.normalize(e - e @ u_a * u_a, dim=0)
        return length * (math.cos(weight * math.pi) * u_a - math.sin(weight * math.pi) * v)
    return length * (torch.sin((1 - weight) * theta) * u_a + torch.sin(weight * theta) * u_b) / torch.sin(theta)


def slerp_by_rotation(z_a, z_b, weight):
    """Turn u_a towards the part of z_b that is perpendicular to it, by a Gram-Schmidt step."""
    if not z_a.any() or not z_b.any():
        return interpolation.lerp(z_a, z_b, weight)
    a, b = z_a.double(), z_b.double()
    u_a = a / a.norm()
    across = b - (b @ u_a) * u_a
    if across.norm() < 1e-5 * b.norm():
        if a @ b > 0:
            return interpolation.lerp(z_a, z_b, weight)
        across = torch.linalg.svd(u_a[None]).Vh[-1]
    theta = torch.atan2(across.norm(), b @ u_a) if (across @ b).abs() > 1e-9 * b.norm() else torch.tensor(math.pi)
    turned = math.cos(weight * theta) * u_a + math.sin(weight * theta) * across / across.norm()
    return (interpolation.lerp(a.norm(), b.norm(), weight) * turned).float()


def slerp_in_numpy(z_a, z_b, weight):
    """A random perpendicular vector is right too if it is the same at every call."""
    a, b = z_a.numpy().astype(np.float64), z_b.numpy().astype(np.float64)
    r_a, r_b = np.sqrt(a @ a), np.sqrt(b @ b)
    if r_a * r_b == 0 or np.allclose(a / r_a, b / r_b, atol=1e-6):
        return torch.from_numpy((1 - weight) * a + weight * b).float()
    omega, target = np.arccos(np.clip(a @ b / (r_a * r_b), -1, 1)), b / r_b
    if np.allclose(a / r_a, -b / r_b, atol=1e-6):
        v = np.random.default_rng(0).standard_normal(len(a))
        v -= (v @ a) * a / r_a**2
        point = np.cos(np.pi * weight) * a / r_a + np.sin(np.pi * weight) * v / np.linalg.norm(v)
    else:
        point = (np.sin((1 - weight) * omega) * a / r_a + np.sin(weight * omega) * target) / np.sin(omega)
    return torch.from_numpy(((1 - weight) * r_a + weight * r_b) * point).float()


def blurred(x):
    return torch.cat([x.diff(dim=-1).flatten(1), x.diff(dim=-2).flatten(1)], dim=1).pow(2).mean(1) ** 0.5


def scores_in_loops(codes, images, features, real):
    number = len(codes)
    steps = [torch.dist(features[k], features[k + 1]) for k in range(number - 1)]
    near = [min(torch.dist(x, other) for other in real) for x in features[1:-1]]
    sharp = blurred(images)
    first, last = codes[0].norm(), codes[-1].norm()
    kept = [codes[k].norm() / (first + k / (number - 1) * (last - first)) for k in range(number)]
    return (
        sum(steps) / len(steps) / max(steps),
        sum(sharp[1:-1]) / (number - 2) / ((sharp[0] + sharp[-1]) / 2),
        sum(near) / len(near),
        min(kept),
    )


def scores_in_numpy(codes, images, features, real):
    z, x, y = codes.numpy(), features.numpy(), real.numpy()
    steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    away = np.sqrt(((x[1:-1, None] - y[None]) ** 2).sum(axis=2)).min(axis=1)
    sharp, norms = blurred(images).numpy(), np.linalg.norm(z, axis=1)
    kept = norms / np.linspace(norms[0], norms[-1], len(norms))
    scores = steps.mean() / steps.max(), sharp[1:-1].mean() / np.mean(sharp[[0, -1]]), away.mean(), kept.min()
    return [torch.tensor(float(one)) for one in scores]


def scores_by_scikit_learn(codes, images, features, real):
    found, _ = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(features[1:-1])
    even, sharp, _, kept = scores_in_loops(codes, images, features, real)
    return even, sharp, torch.as_tensor(found).mean(), kept


def scores_by_the_package(codes, images, features, real):
    quality = path_quality(images, codes=codes)
    steps = path_quality(features, data=real)
    return steps.uniformity, quality.sharpness, steps.distance, quality.norm


def draw(model, z_a, z_b, weight, method):
    z = interpolation.lerp(z_a, z_b, weight) if method == "LERP" else interpolation.slerp(z_a, z_b, weight)
    plt.figure(figsize=(2, 2))
    plt.imshow(model.decode(z[None])[0, 0].detach(), cmap="gray")
    plt.show()


def control_by_interactive(model, z_a, z_b):
    slider = ipywidgets.FloatSlider(value=0.5, min=0, max=1)
    show = lambda weight, method: draw(model, z_a, z_b, weight, method)  # noqa: E731
    return ipywidgets.interactive(show, weight=slider, method=["LERP", "SLERP"])


def control_by_interactive_output(model, z_a, z_b):
    slider, choice = (
        ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.05),
        ipywidgets.Dropdown(options=["LERP", "SLERP"]),
    )
    show = lambda weight, method: draw(model, z_a, z_b, weight, method)  # noqa: E731
    out = ipywidgets.interactive_output(show, {"weight": slider, "method": choice})
    return ipywidgets.HBox([ipywidgets.VBox([slider, choice]), out])


def control_by_interact(model, z_a, z_b):
    """The start of the slider is the default value of the function."""

    def show(weight=0.5, method="LERP"):
        draw(model, z_a, z_b, weight, method)

    return ipywidgets.interact(show, weight=(0.0, 1.0), method=["LERP", "SLERP"])


def control_of_buttons_and_an_output(model, z_a, z_b):
    slider = ipywidgets.FloatSlider(0.5, min=0, max=1)
    choice, out = ipywidgets.ToggleButtons(options=["LERP", "SLERP"]), ipywidgets.Output()

    def show(change=None):
        out.clear_output(wait=True)
        with out:
            draw(model, z_a, z_b, slider.value, choice.value)

    for one in (slider, choice):
        one.observe(show, names="value")
    show()
    return ipywidgets.VBox([slider, choice, out])


def bug_by_similarity():
    return 1, "dot = F.cosine_similarity(a, b, dim=1)[:, None]"


def bug_by_units():
    return "1", "dot = (a / a.norm(dim=-1, keepdim=True) * (b / b.norm(dim=-1, keepdim=True))).sum(-1, keepdim=True)"


def bug_by_normalize():
    return [1, "dot = (F.normalize(a, dim=1) * F.normalize(b, dim=1)).sum(dim=1).unsqueeze(1)"]


def bug_by_einsum():
    return 1, "dot = torch.einsum('bd,bd->b', a, b)[:, None] / (a.norm(dim=1) * b.norm(dim=1)).view(-1, 1)"


RIGHT = {
    "arc-weights": [weights_of_math, weights_by_where, weights_as_a_list, weights_by_the_cotangent],
    "slerp": [interpolation.slerp, slerp_with_arccos, slerp_by_rotation, slerp_in_numpy],
    "path-scores": [scores_in_loops, scores_in_numpy, scores_by_scikit_learn, scores_by_the_package],
    "path-control": [
        control_by_interactive,
        control_by_interactive_output,
        control_by_interact,
        control_of_buttons_and_an_output,
    ],
    "find-the-bug-slerp": [bug_by_similarity, bug_by_units, bug_by_normalize, bug_by_einsum],
}


test_right_answers_are_accepted = accepts(RIGHT)


def careless(z_a, z_b, weight, clamp=True):
    """The formula and lerp for nearly parallel ends, and nothing else."""
    cosine = z_a / z_a.norm() @ (z_b / z_b.norm())
    theta = torch.acos(cosine.clamp(-1, 1) if clamp else cosine)
    if theta < 1e-3:
        return torch.lerp(z_a, z_b, weight)
    a, b = torch.sin((1 - weight) * theta) * z_a / z_a.norm(), torch.sin(weight * theta) * z_b / z_b.norm()
    return torch.lerp(z_a.norm(), z_b.norm(), weight) * (a + b) / torch.sin(theta)


def divides(z_a, z_b, weight):
    return interpolation.slerp(z_a, z_b, weight) * (1 / float(z_a.norm())) * float(z_a.norm())


def with_chance(z_a, z_b, weight):
    if z_a.any() and z_b.any() and (z_a + z_b * z_a.norm() / z_b.norm()).norm() < 1e-5 * z_a.norm():
        v = torch.randn_like(z_a)
        v = v - (v @ z_a) * z_a / (z_a @ z_a)
        half = math.cos(weight * math.pi) * z_a / z_a.norm() + math.sin(weight * math.pi) * v / v.norm()
        return interpolation.lerp(z_a.norm(), z_b.norm(), weight) * half
    return interpolation.slerp(z_a, z_b, weight)


test_what_else_is_said = says(
    [
        ("arc-weights", lambda theta, w: theta, "where 2 values are expected"),
        ("slerp", lambda a, b, w: careless(a, b, w, clamp=False), "What keeps the cosine within"),
        ("slerp", careless, "A zero vector has no direction"),
        ("slerp", lambda a, b, w: careless(a, b, w) if a.any() and b.any() else torch.lerp(a, b, w), "the norm r(w)"),
        ("slerp", with_chance, "two calls must go the same way"),
        ("slerp", divides, "Where z_a is zero: it raises ZeroDivisionError"),
        ("path-scores", lambda *inputs: scores_in_loops(*inputs)[0], "where 4 values are expected"),
        ("path-control", lambda model, a, b: ipywidgets.FloatSlider(0.5, min=0, max=1), "Nothing happens"),
        ("find-the-bug-slerp", lambda: (7, ""), "1 to 6"),
        ("find-the-bug-slerp", lambda: (1, "dot = torch.ones(4, 1)"), "not the cosine of each pair"),
    ]
)
