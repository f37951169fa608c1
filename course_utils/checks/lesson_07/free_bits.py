"""free-bits: the first nats of each dimension are free of charge."""

import math

import numpy as np
import torch

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks._observing import with_gradients


def free_bits_kl(kl_dims, free_bits):
    return kl_dims.mean(dim=0).clamp(min=free_bits).sum()


def batch(free_bits, images=5):
    """Two dimensions below 0.5 nats on average, two above, and single images on either side of it."""

    def inputs(g):
        kl_dims = torch.rand(images, 4, generator=g) * torch.tensor([0.5, 3.0, 0.7, 1.6]) + 0.02
        if images > 1:
            kl_dims[0, 0], kl_dims[1, 1] = 0.9, 0.1
        return kl_dims, free_bits

    return inputs


def value_and_gradient(fn, kl_dims, free_bits):
    """Python's max() gives back free_bits itself: where no dimension is above it there is no gradient to lose."""
    out = with_gradients(fn, free_bits_kl, ("kl_dims",), kl_dims, free_bits)
    if isinstance(out, (int, float, np.generic)) and (kl_dims.mean(dim=0) < free_bits).all():
        return Parts({"": torch.tensor(float(out)), "gradient for kl_dims": torch.zeros_like(kl_dims)})
    return out


def charged(charge):
    """A wrong answer from the mean KL of each dimension, (D,)."""
    return lambda kl_dims, free_bits: charge(kl_dims.mean(dim=0), free_bits)


CHECK = Check(
    free_bits_kl,
    inputs={"": batch(0.5), "free_bits is more than most dimensions carry": batch(1.2),
            "free_bits is more than any dimension carries": batch(2.8), "free_bits is very large": batch(20.0),
            "there is one image": batch(0.6, images=1), "free_bits is 0": batch(0.0)},
    observe=value_and_gradient,
    mistakes=[
        Mistake(lambda kl_dims, free_bits: kl_dims.clamp(min=free_bits).sum(dim=1).mean(),
                "You clamp the KL of every single image. A dimension may be silent for one image and busy for another: "
                "only its mean over the batch is to be compared with free_bits. In which order come the mean and the "
                "clamp?"),
        Mistake(lambda kl_dims, free_bits: kl_dims.clamp(min=free_bits).sum(),
                "You clamp the KL of every single image and sum over the images too. What comes first, for each "
                "dimension: the mean over the batch, or the clamp?"),
        Mistake(lambda kl_dims, free_bits: kl_dims.clamp(min=free_bits).sum(dim=1),
                "You clamp the KL of every single image and return one number for each. Average over the images first, "
                "then clamp, then sum over the dimensions."),
        Mistake(lambda kl_dims, free_bits: kl_dims.clamp(min=free_bits).mean(),
                "You clamp the KL of every single image and average over everything. Average over the images first, "
                "then clamp, then SUM over the dimensions."),
        Mistake(lambda kl_dims, free_bits: kl_dims.clamp(min=free_bits).sum(dim=0).mean(),
                "You clamp the KL of every single image, sum over the images and average over the dimensions. Average "
                "over the IMAGES first, then clamp, then sum over the dimensions."),
        Mistake(charged(lambda kl, free_bits: kl.sum().clamp(min=free_bits)),
                "You clamp the sum over the dimensions. Then one busy dimension uses up the allowance of all, and the "
                "others may still collapse. Clamp each dimension before you sum."),
        Mistake(charged(lambda kl, free_bits: kl.sum().clamp(min=free_bits * len(kl))),
                "You compare the sum over the dimensions with the sum of their allowances. So one busy dimension pays "
                "for the silent ones. Each dimension has its own free_bits: clamp before you sum."),
        Mistake(charged(lambda kl, free_bits: kl.mean().clamp(min=free_bits)),
                "You average over the dimensions and then clamp that single number. Each dimension has its own "
                "allowance: clamp the D means, then sum them."),
        Mistake(charged(lambda kl, free_bits: kl.max().clamp(min=free_bits)),
                "You keep the largest dimension only. max of a single tensor picks one number out of it; the larger of "
                "each number and free_bits is clamp(min=...) or torch.maximum."),
        Mistake(lambda kl_dims, free_bits: kl_dims.sum(dim=1).clamp(min=free_bits).mean(),
                "You clamp the KL of each image, summed over its dimensions. Which of the two axes is to be averaged, "
                "which to be kept until after the clamp?"),
        Mistake(charged(lambda kl, free_bits: kl.clamp(max=free_bits).sum()),
                "You take the smaller of the two, so a dimension never costs more than free_bits however much it "
                "carries. Which dimensions should be free: those below the allowance, or those above?"),
        Mistake(charged(lambda kl, free_bits: (kl - free_bits).clamp(min=0).sum()),
                "You subtract the allowance: max(kl - free_bits, 0). The gradients are the same, but the value is too "
                "small by free_bits a dimension, and the loss would no longer be an upper bound. Use the larger of kl "
                "and free_bits."),
        Mistake(lambda kl_dims, free_bits: (kl_dims - free_bits).clamp(min=0).sum(dim=1).mean(),
                "You subtract the allowance from the KL of every single image. Average over the images first; then the "
                "larger of the mean and free_bits counts, not the excess."),
        Mistake(charged(lambda kl, free_bits: (kl.sum() - free_bits * len(kl)).clamp(min=0)),
                "You subtract all allowances from the sum over the dimensions. Compare each dimension with its own "
                "free_bits and keep the larger; then sum."),
        Mistake(charged(lambda kl, free_bits: (kl.sum() - free_bits).clamp(min=0)),
                "You subtract one allowance from the sum over the dimensions. Compare each dimension with its own "
                "free_bits and keep the larger; then sum."),
        Mistake(charged(lambda kl, free_bits: (kl - free_bits).sum()),
                "You subtract free_bits from every dimension, which adds a constant and changes no gradient. What must "
                "happen to a dimension that is below its allowance?"),
        Mistake(charged(lambda kl, free_bits: (kl - free_bits).abs().sum()),
                "You take the distance of each dimension from free_bits. That pushes silent dimensions up to it; they "
                "should be left alone: take the larger of the two."),
        Mistake(charged(lambda kl, free_bits: kl.clamp(min=free_bits).mean()),
                "You average over the dimensions at the end. The KL of a code is the SUM over its dimensions; a mean "
                "weakens beta by their number."),
        Mistake(lambda kl_dims, free_bits: kl_dims.sum(dim=0).clamp(min=free_bits).sum(),
                "You sum over the images of the batch before you clamp, so the allowance depends on the batch size. "
                "Sum over dimensions, but what over images?"),
        Mistake(lambda kl_dims, free_bits: kl_dims.sum(dim=0).clamp(min=free_bits).sum() / len(kl_dims),
                "Your allowance is too small by the number of images: either you divide it by that, or you divide the "
                "sum over the images after the clamp. The mean over the batch is compared with all of free_bits."),
        Mistake(lambda kl_dims, free_bits: kl_dims.sum(dim=0).clamp(min=free_bits).mean(),
                "You sum over the images and average over the dimensions: mean and sum are exchanged."),
        Mistake(lambda kl_dims, free_bits: kl_dims.mean(dim=1).clamp(min=free_bits).sum(),
                "You average over the dimensions and sum over the images: the axes are swapped. Axis 0 is the batch."),
        Mistake(lambda kl_dims, free_bits: kl_dims.amax(dim=0).clamp(min=free_bits).sum(),
                "You take each dimension's LARGEST KL in the batch (max along the images). Which average is meant?"),
        Mistake(charged(lambda kl, free_bits: kl.sum()),
                "This is the plain KL term: free_bits has no effect. Where does the comparison with it come in?"),
        Mistake(charged(lambda kl, free_bits: kl.clamp(min=free_bits)),
                "You return one number for each dimension, and the loss needs a single one. What is left to do?"),
        Mistake(charged(lambda kl, free_bits: torch.where(kl > free_bits, kl, torch.zeros_like(kl)).sum()),
                "You set dimensions below the allowance to 0, so the term jumps by free_bits where one crosses it. "
                "Count them as free_bits, and it is continuous."),
        Mistake(lambda kl_dims, free_bits: (kl_dims * (kl_dims > free_bits)).sum(dim=1).mean(),
                "You set every single KL below the allowance to 0. Average over the images first; then a dimension "
                "below the allowance counts as free_bits, not as 0."),
        Mistake(charged(lambda kl, free_bits: torch.where(kl < free_bits, kl, torch.zeros_like(kl)).sum()),
                "You count the dimensions below the allowance and let the busy ones go free. It is the other way "
                "round."),
        Mistake(charged(lambda kl, free_bits: (kl + free_bits).sum()),
                "You add the allowance to every dimension, which changes no gradient. Take the larger of the two, not "
                "the sum."),
        Mistake(charged(lambda kl, free_bits: kl.clamp(min=free_bits * math.log(2)).sum()),
                "You multiply the allowance by log 2, as if it were in bits. Despite their name free bits are given in "
                "nats here, like the KL they are compared with."),
        Mistake(charged(lambda kl, free_bits: (kl / math.log(2)).clamp(min=free_bits).sum()),
                "You turn the KL into bits before you compare. Despite their name free bits are given in nats here, "
                "like the KL."),
        Mistake(charged(lambda kl, free_bits: kl.clamp(min=free_bits / len(kl)).sum()),
                "You divide the allowance by the number of dimensions. It is not shared out: each dimension has all of "
                "free_bits to itself."),
        Mistake(charged(lambda kl, free_bits: kl.clamp(min=free_bits).sum().item()),
                "The value is right, but a plain Python number: backward() could not train with it. Leave the .item() "
                "or float() out."),
        Mistake(charged(lambda kl, free_bits: kl.detach().clamp(min=free_bits).sum()),
                "The value is right, but no gradient flows through it. Is there an .item(), a float() or a detach() on "
                "the way?"),
        Mistake(charged(lambda kl, free_bits: (kl + (kl.clamp(min=free_bits) - kl).detach()).sum()),
                "The value is right, but a dimension below its allowance still has a gradient and is pushed further "
                "down. clamp has none there: what do you detach?", part="gradient for kl_dims"),
    ],
)  # fmt: skip
