"""kl-cure: what a batch is charged for its codes, so that they are cheap at first: a schedule, free nats, or both.

The answer is the learner's own choice. What is looked at is what training feels of it: the gradient of the charge for
the KL of each image and dimension, at several steps.
"""

import math

import torch

from course_utils.checks._check import Check, Mistake, Parts

STEPS = (0, 100, 250, 400, 500, 2000)
FINAL = 400  # from this step on the price must be the true one
QUIET, BUSY = slice(0, 2), slice(2, 5)  # dimensions whose mean KL is far below, and far above what anybody gives free

NOTHING = (
    "This is the plain KL term, at every step and for every dimension: nothing is cheaper than without a cure. Lower "
    "its weight at first, or let each dimension have some nats free."
)
NEVER_FULL = (
    "At step 400 and after it a busy dimension, of more than 2 nats, pays less than the full price: another nat must "
    "cost one nat then. Does your weight reach 1 by step 400? Or is the free allowance larger than 2 nats?"
)
NO_BETA_LEFT = "The weight goes on rising after it has reached 1, so the price is too high in the end. What stops it?"
BACKWARDS = "Your price falls: it is full at step 0 and gone at the end. It should be low at first, and full at last."
EPOCHS = (
    "Your weight has hardly moved by step 500: it rises so slowly as if steps were epochs. The whole training has 516 "
    "steps, 86 in each epoch: how many of them should the ramp have?"
)
SUMMED = (
    "All dimensions share one allowance: you compare their SUM with it. One busy dimension uses it up, and the silent "
    "ones pay in full. Clamp each dimension's mean before you sum."
)
PER_IMAGE = (
    "You clamp the KL of every single image. It is the mean of a dimension over the batch that is compared with the "
    "allowance, so that a dimension may be silent for one image and busy for another. Average first."
)
OVER_DIMENSIONS = (
    "Your charge is averaged over the dimensions, so the price is divided by their number, for ever. Sum over "
    "dimensions, average over images."
)
BATCH_SUM = (
    "Your charge is summed over the images, so the price grows with the batch. Average over images, and sum over "
    "dimensions."
)
UPSIDE_DOWN = (
    "You take the smaller of the mean and the allowance (clamp with max): a busy dimension then costs nothing more, "
    "and a silent one pays. Which one should be free?"
)
TWICE = "Your charge averages over the images twice: the price is divided by their number once more."
NEGATIVE = "The sign is wrong: you reward nats. The charge is added to recon, and has to grow with the KL."
NO_GRADIENT = (
    "No gradient flows from your charge to the KL, at any step, so training does not feel it. Is the weight 0, or the "
    "allowance above every KL? Or is there an .item(), a float() or a detach() on the way?"
)


def kl_cure(kl_dims, step):
    return kl_dims.mean(dim=0).clamp(min=0.5).sum()


def weighted(weight, total=lambda kl: kl.mean(dim=0).sum()):
    """An answer that is the KL term times a weight of the step."""
    return lambda kl_dims, step: weight(step) * total(kl_dims)


def charged(charge):
    """An answer from the mean KL of each dimension, (D,), whatever the step."""
    return lambda kl_dims, step: charge(kl_dims.mean(dim=0))


def batch(images):
    """Two quiet dimensions and three busy ones, of which single images are quiet in one."""

    def inputs(g):
        kl_dims = 0.02 + 0.04 * torch.rand(images, 5, generator=g)
        kl_dims[:, BUSY] = 2.2 + 2 * torch.rand(images, 3, generator=g)
        if images > 2:
            kl_dims[0, 2] = 0.01
        return (kl_dims,)

    return inputs


def quiet(g):
    """Five dimensions that together carry less than half a nat: what they cost is the cure's own affair."""
    return (0.02 + 0.04 * torch.rand(6, 5, generator=g),)


def observe(fn, kl_dims):
    """The gradient of the charge at each step, times the number of images: the price of a nat, (B, D)."""
    prices = {}
    for step in STEPS:
        leaf = kl_dims.clone().requires_grad_()
        out = fn(leaf, step)
        if not isinstance(out, torch.Tensor) and isinstance(out, (int, float)):
            out = torch.tensor(float(out))
        if not isinstance(out, torch.Tensor) or out.numel() != 1:
            return out
        price = torch.zeros_like(leaf)
        if out.requires_grad:
            (found,) = torch.autograd.grad(out.sum(), leaf, allow_unused=True)
            price = price if found is None else found * len(leaf)
        prices[f"at step {step}"] = price
    return Parts(prices)


def compare(out, expected, kl_dims):
    """The first thing that is wrong with the prices; any cure is right that begins cheap and ends at the true price."""
    if out is None:
        return "It returns nothing: return the charge of the batch, one number as a tensor."
    if not isinstance(out, Parts):
        if isinstance(out, torch.Tensor):
            return f"It returns a tensor of shape {tuple(out.shape)}. The charge is one number: average over the " \
                   "images, then sum over the dimensions."
        return f"It returns {type(out).__name__}. Return the charge of the batch, one number as a tensor."
    if kl_dims.max() < 0.1:
        return None
    price = torch.stack([out[f"at step {step}"] for step in STEPS])  # (S, B, D)
    images, dims = kl_dims.shape
    if not price.any():
        return NO_GRADIENT
    if (price < -1e-5).any():
        return NEGATIVE
    late, early = price[STEPS.index(FINAL) :], price[0]
    busy = late[..., BUSY]
    if (price > 1 + 1e-4).any():
        top = price.max().item()
        if images > 1 and math.isclose(top, images, rel_tol=1e-3):
            return BATCH_SUM
        rising = price[-1].max() > price[-2].max() + 1e-4
        return NO_BETA_LEFT if rising else f"At one step a nat costs {top:.3g}. It is 1 at most."
    if (busy[:, :1] - busy).abs().max() > 1e-4 and images > 1:
        return PER_IMAGE
    if (late[..., QUIET] > 0.5).all() and (busy < 1e-4).all():
        return UPSIDE_DOWN
    if (busy - 1).abs().max() > 1e-3:
        for word, share in ((OVER_DIMENSIONS, 1 / dims), (TWICE, 1 / images)):
            if (busy[-1] - share).abs().max() < 1e-4:
                return word
        if busy[-1].max() < 1e-4 < early[..., BUSY].min():
            return BACKWARDS
        return EPOCHS if busy[-1].max() > 3 * busy[1].max() > 0 and busy[1].max() < 0.2 else NEVER_FULL
    if early[..., QUIET].min() > 0.5:
        return NOTHING if (early - 1).abs().max() < 1e-4 else \
            "At step 0 a silent dimension pays more than half of the full price: that is no head start."
    return None


CHECK = Check(
    kl_cure,
    inputs={"": batch(6), "there is one image": batch(1), "all dimensions are quiet": quiet},
    observe=observe,
    compare=compare,
    mistakes=[
        Mistake(weighted(lambda step: 1.0), NOTHING),
        Mistake(weighted(lambda step: min(step / 86 / 300, 1.0)), EPOCHS),
        Mistake(weighted(lambda step: step / 300), NO_BETA_LEFT),
        Mistake(weighted(lambda step: 1 - min(step / 300, 1.0)), BACKWARDS),
        Mistake(weighted(lambda step: 0.0), NO_GRADIENT),
        Mistake(weighted(lambda step: 0.5), NEVER_FULL),
        Mistake(weighted(lambda step: -min(step / 300, 1.0)), NEGATIVE),
        Mistake(weighted(lambda step: min(step / 300, 1.0), lambda kl: kl.mean()), OVER_DIMENSIONS),
        Mistake(weighted(lambda step: min(step / 300, 1.0), lambda kl: kl.sum()), BATCH_SUM),
        Mistake(weighted(lambda step: min(step / 300, 1.0), lambda kl: kl.mean(dim=0).sum() / len(kl)), TWICE),
        Mistake(weighted(lambda step: min(step / 300, 1.0), lambda kl: kl.mean(dim=0).sum().detach()), NO_GRADIENT),
        Mistake(charged(lambda kl: kl.sum().clamp(min=0.5)), SUMMED),
        Mistake(lambda kl_dims, step: kl_dims.clamp(min=0.5).mean(dim=0).sum(), PER_IMAGE),
        Mistake(lambda kl_dims, step: kl_dims.clamp(min=0.5).sum(dim=1).mean(), PER_IMAGE),
        Mistake(charged(lambda kl: kl.clamp(max=0.5).sum()), UPSIDE_DOWN),
        Mistake(charged(lambda kl: kl.clamp(min=10.0).sum()), NO_GRADIENT),
        Mistake(weighted(lambda step: min(step / 300, 1.0), lambda kl: kl.mean(dim=0)), "It returns a number for each "
            "dimension. What a code costs is their sum: one number."),
    ],
)  # fmt: skip
