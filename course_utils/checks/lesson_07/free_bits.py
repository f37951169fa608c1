"""free-bits: the first nats of each dimension are free of charge."""

import math

import numpy as np
import torch
from torch.nn.functional import softplus

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import with_gradients


def free_bits_kl(kl_dims, free_bits):
    return kl_dims.mean(dim=0).clamp(min=free_bits).sum()


TOO_EARLY = ("You clamp the KL of every single image, but only a dimension's mean over the batch is compared with "
             "free_bits. In which order come the mean over the images, the clamp and the sum over the dimensions?")
ENDS = (lambda kl: kl.sum(1).mean(), lambda kl: kl.sum(1), lambda kl: kl.sum(0).mean(), torch.sum, torch.mean)


def batch(least, images=5, most=None):
    """Two dimensions below 0.5 nats on average, two above, and single images on either side of it."""

    def inputs(g):
        kl_dims = torch.rand(images, 4, generator=g) * torch.tensor([0.5, 3.0, 0.7, 1.6]) + 0.02
        if images > 1:
            kl_dims[0, 0], kl_dims[1, 1] = 0.9, 0.1
        return kl_dims, least + ((most or least) - least) * torch.rand(1, generator=g).item()

    return inputs


def value_and_gradient(fn, kl_dims, free_bits):
    """Python's max() gives back free_bits itself: where no dimension is above it there is no gradient to lose."""
    out = with_gradients(fn, free_bits_kl, ("kl_dims",), kl_dims, free_bits)
    if isinstance(out, (int, float, np.generic)) and (kl_dims.mean(dim=0) < free_bits).all():
        return Parts({"": torch.tensor(float(out)), "gradient for kl_dims": torch.zeros_like(kl_dims)})
    return out


def charged(charge):
    """A wrong answer from the mean KL of each dimension, (D,), and its allowance."""
    return lambda kl_dims, free_bits: charge(kl_dims.mean(dim=0), free_bits)


def excess(share):
    """A wrong answer by what is above the allowance, from the mean KL of each dimension less free_bits."""
    return charged(lambda kl, free_bits: share(kl - free_bits).sum())


CHECK = Check(
    free_bits_kl,
    inputs={"": batch(0.46, most=0.6), "free_bits is more than most dimensions carry": batch(1.2),
            "free_bits is more than any dimension carries": batch(2.8), "free_bits is very large": batch(20.0),
            "there is one image": batch(0.6, images=1), "free_bits is 0": batch(0.0)},
    observe=value_and_gradient,
    mistakes=[
        *(Mistake(lambda all_kl, free, end=end: end(all_kl.clamp(min=free)), TOO_EARLY) for end in ENDS),
        Mistake(charged(lambda kl, free: kl.sum().clamp(min=free)), "You clamp the sum over the dimensions, so one "
            "busy dimension uses up the allowance of all. Clamp each dimension before you sum."),
        Mistake(charged(lambda kl, free: kl.sum().clamp(min=free * len(kl))), "You compare the sum over the dimensions "
            "with that of their allowances, so a busy one pays for the silent ones. Clamp before you sum."),
        Mistake(charged(lambda kl, free: kl.mean().clamp(min=free)), "You average over the dimensions and clamp that "
            "single number. Each dimension has its own allowance: clamp the D means, then sum them."),
        Mistake(charged(lambda kl, free: kl.max().clamp(min=free)), "You keep the largest dimension only: max picks "
            "one number out of a tensor. The larger of each number and free_bits is clamp(min=...)."),
        Mistake(lambda all_kl, free: all_kl.sum(dim=1).clamp(min=free).mean(), "You clamp the KL of each image, summed "
            "over its dimensions. Which axis is to be averaged, which to be kept until after the clamp?"),
        Mistake(charged(lambda kl, free: kl.clamp(max=free).sum()), "You take the smaller of the two, so no dimension "
            "costs more than free_bits. Which should be free: those below the allowance, or those above?"),
        Mistake(excess(torch.relu), "You subtract the allowance: max(kl - free_bits, 0). The gradients are the same, "
            "but the value is too small: take the larger of kl and free_bits."),
        Mistake(lambda all_kl, free: torch.relu(all_kl - free).sum(dim=1).mean(), "You subtract the allowance from the "
            "KL of every single image. Average first; then the larger of the mean and free_bits counts."),
        Mistake(charged(lambda kl, free: torch.relu(kl.sum() - free * len(kl))), "You subtract all allowances from the "
            "sum over the dimensions. Compare each with its own free_bits, keep the larger, then sum."),
        Mistake(charged(lambda kl, free: torch.relu(kl.sum() - free)), "You subtract one allowance from the sum over "
            "the dimensions. Compare each with its own free_bits, keep the larger, then sum."),
        Mistake(excess(lambda over: over), "You subtract free_bits from every dimension, which changes no gradient. "
            "What must happen to one that is below its allowance?"),
        Mistake(excess(torch.abs), "You take the distance of each dimension from free_bits, which pushes silent ones "
            "up to it. Take the larger of the two."),
        Mistake(charged(lambda kl, free: kl.clamp(min=free).mean()), "You average over the dimensions at the end. The "
            "KL of a code is the SUM over them; a mean weakens beta by their number."),
        Mistake(lambda all_kl, free: all_kl.sum(dim=0).clamp(min=free).sum(), "You sum over the images before you "
            "clamp, so the allowance depends on the batch size. Sum over dimensions, but what over images?"),
        Mistake(lambda all_kl, free: all_kl.sum(dim=0).clamp(min=free).sum() / len(all_kl),
            "Your allowance is too small by the number of images. Is it the mean over the batch that you compare, and "
            "with all of free_bits?"),
        Mistake(lambda all_kl, free: all_kl.sum(dim=0).clamp(min=free).mean(),
            "You sum over the images and average over the dimensions: mean and sum are exchanged."),
        Mistake(lambda all_kl, free: all_kl.mean(dim=1).clamp(min=free).sum(),
            "You average over the dimensions and sum over the images: the axes are swapped. Axis 0 is the batch."),
        Mistake(lambda all_kl, free: all_kl.amax(dim=0).clamp(min=free).sum(),
            "You take each dimension's LARGEST KL in the batch (max along the images). Which average is meant?"),
        Mistake(lambda all_kl, free: all_kl.median(dim=0).values.clamp(min=free).sum(),
            "You take each dimension's MEDIAN over the batch. Which average is meant?"),
        Mistake(charged(lambda kl, free: kl.sum()),
            "This is the plain KL term: free_bits has no effect. Where does the comparison with it come in?"),
        Mistake(charged(lambda kl, free: kl.clamp(min=free)),
            "You return one number for each dimension, and the loss needs a single one. What is left to do?"),
        Mistake(charged(lambda kl, free: (kl * (kl > free)).sum()), "You set dimensions below the allowance to 0, so "
            "the term jumps where one crosses it. Count them as free_bits, and it is continuous."),
        Mistake(lambda all_kl, free: (all_kl * (all_kl > free)).sum(dim=1).mean(), "You set every single KL below the "
            "allowance to 0. Average over the images first; then what is below it counts as free_bits."),
        Mistake(charged(lambda kl, free: (kl * (kl < free)).sum()),
            "You count the dimensions below the allowance and let the busy ones go free. It is the other way round."),
        Mistake(charged(lambda kl, free: (kl + free).sum()), "You add the allowance to every dimension, which changes "
            "no gradient. Take the larger of the two, not the sum."),
        Mistake(charged(lambda kl, free: (free + softplus(kl - free)).sum()), "Your maximum is a soft one (softplus), "
            "so every dimension costs a little more. Which function has a sharp corner?"),
        Mistake(charged(lambda kl, free: kl.clamp(min=free * math.log(2)).sum()), "You multiply the allowance by log "
            "2, as if it were in bits. Despite their name free bits are given in nats here, like the KL."),
        Mistake(charged(lambda kl, free: (kl / math.log(2)).clamp(min=free).sum()), "You turn the KL into bits before "
            "you compare. Despite their name free bits are given in nats here, like the KL."),
        Mistake(charged(lambda kl, free: kl.clamp(min=free / len(kl)).sum()), "You divide the allowance by the number "
            "of dimensions. It is not shared out: each has all of free_bits to itself."),
        Mistake(charged(lambda kl, free: kl.clamp(min=free).sum().item()), "The value is right, but a plain Python "
            "number: backward() needs a tensor. Leave the .item() or float() out."),
        Mistake(charged(lambda kl, free: kl.detach().clamp(min=free).sum()), "The value is right, but no gradient "
            "flows through it. Is there an .item(), a float() or a detach() on the way?"),
        Mistake(charged(lambda kl, free: (kl + (kl.clamp(min=free) - kl).detach()).sum()),
            "The value is right, but a dimension below its allowance still has a gradient and is pushed further down. "
            "clamp has none there: what do you detach?", part="gradient for kl_dims"),
    ],
)  # fmt: skip
