"""Exercises of lesson 10: the two losses of a GAN, truncation, inversion."""

import copy

import torch
from torch import Tensor, nn

from course_utils.checks._docstrings import mistakes
from course_utils.checks._engine import Check, difference
from course_utils.checks._gan_losses import DISCRIMINATOR_LOSS, GENERATOR_LOSS, network

# ------------------------------------------------------------------------------------------------ truncation


def _truncation_inputs(g: torch.Generator) -> tuple:
    z = torch.randn(7, 3, generator=g)
    z[0, 0], z[1, 1] = 3.1, -2.8
    return z, (0.4, 1.3, 2.5)


def _observe_truncation(fn, z, limits):
    """The result for each limit, and how far a second call is from the first; what is no tensor as it is."""
    results = [fn(z, limit) for limit in limits]
    again = fn(z, limits[0])
    if not all(isinstance(one, Tensor) for one in (*results, again)) or again.shape != results[0].shape:
        return results[0]
    return {f"limit {limit}": one for limit, one in zip(limits, results, strict=True)} | {
        "second call": (again - results[0]).abs().max()
    }


def _truncate(z, limit):
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return torch.special.ndtri(low + (high - low) * torch.special.ndtr(z))


def _compare_truncation(out, expected, z, limits):
    if not isinstance(out, dict):
        return difference(out, expected[f"limit {limits[0]}"])
    if out["second call"] > 1e-6:
        return (
            "Two calls with the same z differ: you draw numbers anew. That has the right distribution, but images "
            "would jump under a slider. Move each number to the same quantile of the cut-off distribution instead."
        )
    return difference(out, expected)


def _clamped(z, limit):
    """You clamp: every number beyond the limit lands exactly on it, so a heap of codes sits on the rim, where the
    density should fall to the same smooth end. Use quantiles.
    """
    return z.clamp(-limit, limit)


def _scaled(z, limit):
    """You multiply by the limit. The result is a normal distribution of another width, which still has no limit: a
    number of 3 becomes 3 * limit. Stretch the quantile, not the number.
    """
    return z * limit


def _squashed(z, limit):
    """You squash with tanh. That stays inside the limit, but it is not a cut-off normal distribution: for a large limit
    nothing should change, and here much does. Use the quantiles.
    """
    return limit * torch.tanh(z)


def _squashed_gently(z, limit):
    """You squash with limit * tanh(z / limit). That stays inside, but it is not a cut-off normal distribution. Use the
    quantiles of the formula.
    """
    return limit * torch.tanh(z / limit)


def _uniform(z, limit):
    """You stretch the quantile over the interval from -limit to limit: a uniform distribution. The last step is
    missing: stretch it from Phi(-limit) to Phi(limit) and take the inverse of Phi.
    """
    return limit * (2 * torch.special.ndtr(z) - 1)


def _unchanged(z, limit):
    """Nothing is changed: Phi and its inverse cancel. In between, the quantile has to be stretched from Phi(-limit) to
    Phi(limit).
    """
    return z.clone()


def _one_sided(z, limit):
    """You cut off at the upper limit only: the quantiles still start at 0. What is Phi(-limit) for?"""
    return torch.special.ndtri(torch.special.ndtr(torch.tensor(limit)) * torch.special.ndtr(z))


def _not_shifted(z, limit):
    """You stretch the quantile to the right length but do not shift it: add Phi(-limit), so that z = 0 stays 0."""
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return torch.special.ndtri((high - low) * torch.special.ndtr(z))


def _quantile_only(z, limit):
    """You return the quantile u', between 0 and 1. The inverse of Phi, torch.special.ndtri, is still to come."""
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return low + (high - low) * torch.special.ndtr(z)


def _wrong_factor(z, limit):
    """You multiply u by Phi(limit) alone. The stretched quantile must end at Phi(limit): by which length must u be
    multiplied if it starts at Phi(-limit)?
    """
    low, high = torch.special.ndtr(torch.tensor([-limit, limit]))
    return torch.special.ndtri((low + high * torch.special.ndtr(z)).clamp(max=1 - 1e-7))


def _mirrored(z, limit):
    """Your result has the opposite sign: the largest z becomes the smallest. Are Phi(limit) and Phi(-limit) swapped?"""
    return _truncate(-z, limit)


# ------------------------------------------------------------------------------------------------ inversion


class _Painter(nn.Module):
    """A generator of images (B, 1, 4, 3) from codes (B, 2)."""

    def __init__(self, g: torch.Generator):
        super().__init__()
        self.layers = network(g, 2, 6, 12)

    def forward(self, z):
        return torch.sigmoid(2 * self.layers(z)).unflatten(1, (1, 4, 3))


def _inversion_inputs(g: torch.Generator) -> tuple:
    generator = _Painter(g)
    with torch.no_grad():
        x = generator(torch.randn(3, 2, generator=g))
    return generator, x, torch.randn(3, 2, generator=g), 7, 0.05


def _observe_inversion(fn, generator, x, z_start, steps, lr):
    """Codes and errors, and how far the generator's weights have moved."""
    generator = copy.deepcopy(generator)  # so that we hear of changed weights, and not the engine
    before = [weight.detach().clone() for weight in generator.parameters()]
    out = fn(generator, x, z_start, steps, lr)
    with torch.no_grad():
        moved = sum((a - b).abs().sum() for a, b in zip(generator.parameters(), before, strict=True))
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        return out
    codes, errors = out
    if isinstance(errors, (tuple, list)) and errors and all(isinstance(e, Tensor) for e in errors):
        errors = list(errors)
    detached = [one.detach() if isinstance(one, Tensor) else one for one in (codes, errors)]
    attached = isinstance(codes, Tensor) and codes.requires_grad
    return {"codes": detached[0], "errors": detached[1], "moved": moved, "attached": torch.tensor(float(attached))}


def _compare_inversion(out, expected, *inputs):
    if not isinstance(out, dict):
        return "Return two things: the codes (B, D), and the errors (steps, B)."
    if out["moved"] > 0:
        return "The generator's weights have changed. Only the code is sought: what goes into the optimizer?"
    if isinstance(out["errors"], list):
        return "Return the errors as one tensor (steps, B): torch.stack makes it of a list."
    if out["attached"] > 0:
        return "The codes you return still require gradients: return z.detach()."
    return difference(out, expected, 1e-3)


def _search(
    generator, x, z_start, steps, lr, *, loss=lambda error: error.sum(), record=lambda error: error.sum(dim=(1, 2, 3)),
    clear=True, after=False, distance=lambda a, b: (a - b).square(), start=lambda z: z.clone(),
):  # fmt: skip
    """The reference, and variants of it."""
    z = start(z_start).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=lr)
    errors = []
    for _ in range(steps):
        pixels = distance(generator(z), x)
        if clear:
            optimizer.zero_grad()
        (z.grad,) = [(0 if z.grad is None else z.grad) + torch.autograd.grad(loss(pixels), z)[0]]
        optimizer.step()
        if after:
            with torch.no_grad():
                pixels = distance(generator(z), x)
        errors.append(record(pixels.detach()))
    return z.detach(), torch.stack(errors)


def _find_codes(generator, x, z_start, steps, lr=0.1):
    return _search(generator, x, z_start, steps, lr)


def _accumulated(*inputs):
    """The gradients of all earlier steps are added up. Which call empties z.grad before backward()?"""
    return _search(*inputs, clear=False)


def _away(*inputs):
    """Your errors grow: the search climbs instead of descending. Look at the sign of what backward() is called on."""
    return _search(*inputs, loss=lambda error: -error.sum())


def _error_of_pixel(*inputs):
    """You average the error over the pixels of an image; wanted is their sum, in which a VAE's errors were given as
    well.
    """
    return _search(*inputs, record=lambda error: error.mean(dim=(1, 2, 3)))


def _one_error(*inputs):
    """You keep one summed error a step for the whole batch. Each image has its own: sum over dimensions 1, 2 and 3."""
    return _search(*inputs, record=lambda error: error.sum())


def _one_mean_error(*inputs):
    """You keep one mean error a step for the whole batch. Each image has its own: sum over the dimensions 1, 2 and 3
    only.
    """
    return _search(*inputs, record=lambda error: error.mean())


def _absolute(*inputs):
    """You minimise the absolute difference of the pixels. The error of this exercise is squared."""
    return _search(*inputs, distance=lambda a, b: (a - b).abs())


def _from_zero(*inputs):
    """Your search begins at zero and not at z_start. For restarts the caller must be able to say where it begins."""
    return _search(*inputs, start=torch.zeros_like)


def _late_record(*inputs):
    """Your errors are one step late: the first should be that of z_start, before any step."""
    return _search(*inputs, after=True)


def _never_moves(generator, x, z_start, steps, lr):
    """The codes never move. Is z the tensor that the optimizer was given, does it require gradients, and is step()
    called?
    """
    with torch.no_grad():
        error = (generator(z_start) - x).square().sum(dim=(1, 2, 3))
    return z_start.clone(), error.repeat(steps, 1)


def _fresh_optimizer(generator, x, z_start, steps, lr):
    """The optimizer is made anew in each step, so it forgets what it has learned about the gradients. Make it once,
    before the loop.
    """
    z, errors = z_start, []
    for _ in range(steps):
        z, error = _search(generator, x, z, 1, lr)
        errors.append(error[0])
    return z, torch.stack(errors)


def _plain_descent(generator, x, z_start, steps, lr):
    """You take plain gradient steps (SGD). The exercise asks for Adam, which needs no tuning for each image."""
    z, errors = z_start.clone(), []
    for _ in range(steps):
        z.requires_grad_()
        error = (generator(z) - x).square().sum(dim=(1, 2, 3))
        (grad,) = torch.autograd.grad(error.sum(), z)
        z = (z - lr * grad).detach()
        errors.append(error.detach())
    return z, torch.stack(errors)


def _default_rate(generator, x, z_start, steps, lr):
    """Your learning rate is not the one that was given: Adam's own is 0.001. Pass lr=lr."""
    return _search(generator, x, z_start, steps, 1e-3)


# fmt: off
CHECKS = [
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    Check(
        name="truncate-codes",
        lesson="10",
        reference=_truncate,
        make_inputs=_truncation_inputs,
        observe=_observe_truncation,
        compare=_compare_truncation,
        mistakes=mistakes(
            _clamped, _scaled, _squashed, _squashed_gently, _uniform, _unchanged, _one_sided, _not_shifted,
            _quantile_only, _wrong_factor, _mirrored,
        ),
    ),
    Check(
        name="invert-generator",
        lesson="10",
        reference=_find_codes,
        make_inputs=_inversion_inputs,
        observe=_observe_inversion,
        compare=_compare_inversion,
        draws=2,
        mistakes=mistakes(
            _accumulated, _away, _error_of_pixel, _one_error, _one_mean_error, _absolute, _from_zero, _late_record,
            _never_moves, _fresh_optimizer, _plain_descent, _default_rate,
        ),
    ),
]
# fmt: on
