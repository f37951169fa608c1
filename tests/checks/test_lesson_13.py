"""Right answers to the exercises of lesson 13, in other styles than the reference."""

import math

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from verdicts import accepts, says

from course_utils import interpolation


def lerp_by_stacking(z_a, z_b, weight):
    w = torch.as_tensor(weight)
    if w.ndim == 0:
        return z_a + w * (z_b - z_a)
    return torch.stack([torch.lerp(z_a, z_b, one) for one in w])


def lerp_by_einsum(z_a, z_b, weight):
    w = torch.as_tensor(weight)
    return torch.einsum("...k,k...->...", torch.stack([1 - w, w], dim=-1), torch.stack([z_a, z_b])) if not w.ndim else (
        torch.tensordot(torch.stack([1 - w, w], dim=1), torch.stack([z_a, z_b]), dims=1))  # fmt: skip


def lerp_in_numpy(z_a, z_b, weight):
    z_a, z_b, w = z_a.numpy(), z_b.numpy(), np.asarray(weight, dtype=np.float32)
    return torch.from_numpy(np.asarray(np.multiply.outer(1 - w, z_a) + np.multiply.outer(w, z_b)))


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


def scores_in_loops(images, data):
    steps = [torch.dist(images[k], images[k + 1]) for k in range(len(images) - 1)]
    nearest = [min(torch.dist(x, other) for other in data) for x in images[1:-1]]
    return sum(steps) / len(steps) / max(steps), sum(nearest) / len(nearest)


def scores_in_numpy(images, data):
    x, y = images.numpy().reshape(len(images), -1), data.numpy().reshape(len(data), -1)
    steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    away = np.sqrt(((x[1:-1, None] - y[None]) ** 2).sum(axis=2)).min(axis=1)
    return [torch.tensor(steps.mean() / steps.max()), torch.tensor(away.mean())]


def scores_by_scikit_learn(images, data):
    steps = (images[1:].double() - images[:-1].double()).pow(2).sum((1, 2, 3)).sqrt()
    found, _ = NearestNeighbors(n_neighbors=1).fit(data.flatten(1)).kneighbors(images[1:-1].flatten(1))
    return torch.mean(steps) / torch.max(steps), torch.as_tensor(found).mean()


def scores_by_einsum(images, data):
    difference = images.diff(dim=0)
    steps = torch.einsum("kchw,kchw->k", difference, difference).sqrt()
    gap = images[1:-1, None] - data
    return (steps / steps.amax()).mean(), torch.einsum("knchw,knchw->kn", gap, gap).sqrt().min(1)[0].mean()


RIGHT = {
    "lerp": [interpolation.lerp, lerp_by_stacking, lerp_by_einsum, lerp_in_numpy],
    "slerp": [interpolation.slerp, slerp_with_arccos, slerp_by_rotation, slerp_in_numpy],
    "path-scores": [scores_in_loops, scores_in_numpy, scores_by_scikit_learn, scores_by_einsum],
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
        ("lerp", lambda a, b, w: [(1 - w) * a, w * b], "a list of 2"),
        ("slerp", lambda a, b, w: careless(a, b, w, clamp=False), "What keeps the cosine within"),
        ("slerp", careless, "A zero vector has no direction"),
        ("slerp", lambda a, b, w: careless(a, b, w) if a.any() and b.any() else torch.lerp(a, b, w), "the norm r(w)"),
        ("slerp", with_chance, "two calls must go the same way"),
        ("slerp", divides, "Where z_a is zero: it raises ZeroDivisionError"),
        ("path-scores", lambda x, d: scores_in_loops(x, d)[0], "where 2 values are expected"),
    ]
)
