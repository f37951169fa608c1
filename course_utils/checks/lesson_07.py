"""Exercises of lesson 07: an annealing schedule, free bits, three sick runs."""

import math

import torch
from torch import Tensor

from course_utils.checks import _diagnoses
from course_utils.checks._docstrings import mistakes
from course_utils.checks._engine import Check


def _kl_weight(step, ramp_steps, beta=1.0):
    return beta * min(step / ramp_steps, 1.0)


def _never_stops(step, ramp_steps, beta):
    """Your weight goes on rising after the ramp: at step 3 * ramp_steps it is three times beta. What stops it at
    beta?
    """
    return beta * step / ramp_steps


def _one_ahead(step, ramp_steps, beta):
    """Your ramp is one step ahead: it does not begin at 0. Steps are counted from 0: what is the weight at step 0?"""
    return beta * min((step + 1) / ramp_steps, 1.0)


def _one_short(step, ramp_steps, beta):
    """Your ramp reaches beta one step too early, at step ramp_steps - 1. By which number must the step be divided so
    that step ramp_steps is the first with the full weight?
    """
    return beta * min(step / (ramp_steps - 1), 1.0)


def _late(step, ramp_steps, beta):
    """Your ramp is one step behind. Which step is the first to have the full weight: ramp_steps, or one later?"""
    return beta * min(max(step - 1, 0) / ramp_steps, 1.0)


def _whole_numbers(step, ramp_steps, beta):
    """Your weight is 0 until the end of the ramp and then jumps: the fraction is lost. Is there a // (or an int) where
    a / should be?
    """
    return beta * min(step // ramp_steps, 1)


def _falls(step, ramp_steps, beta):
    """Your weight starts at beta and falls to 0. The KL term should be silent at first and have its full weight in the
    end: which way must the ramp go?
    """
    return beta * (1 - min(step / ramp_steps, 1.0))


def _without_beta(step, ramp_steps, beta):
    """Your ramp always ends at 1. It should end at beta: where does beta belong?"""
    return min(step / ramp_steps, 1.0)


def _capped_at_beta(step, ramp_steps, beta):
    """You use beta as a lid on a ramp of slope 1 / ramp_steps, so it ends too early or never gets there. Make the
    share of the ramp that is done, at most 1, and multiply it by beta.
    """
    return min(step / ramp_steps, beta)


def _larger_of_two(step, ramp_steps, beta):
    """Your weight is beta during the ramp and grows after it: you take the larger of the share and 1. Which of the two
    should win?
    """
    return beta * max(step / ramp_steps, 1.0)


def _again_and_again(step, ramp_steps, beta):
    """Your ramp starts afresh from 0 every ramp_steps steps. That is a cyclical schedule; here the weight should stay
    at beta after the ramp.
    """
    return beta * (step % ramp_steps) / ramp_steps


def _back_to_zero(step, ramp_steps, beta):
    """Your weight drops to 0 when the ramp is over, and the KL term with it. What should it be from then on?"""
    return beta * step / ramp_steps if step <= ramp_steps else 0.0


def _counts(step, ramp_steps, beta):
    """Your weight is beta times a number of steps. Which SHARE of the ramp is done: by what must the step be
    divided?
    """
    return beta * min(step, ramp_steps)


def _no_ramp(step, ramp_steps, beta):
    """Your weight is beta from the first step on, so there is no annealing. How does the step come in?"""
    return beta


def _annealing_inputs(g: torch.Generator) -> tuple:
    ramp = int(torch.randint(7, 13, (1,), generator=g))
    beta = 1.5 + torch.rand(1, generator=g).item()
    return (0, 1, 2, ramp // 2, ramp - 1, ramp, ramp + 1, 3 * ramp), ramp, beta


def _weights(fn, steps, ramp_steps, beta):
    """The weight at each step, as floats where they are numbers."""
    values = [fn(step, ramp_steps, beta) for step in steps]
    numbers = (int, float, Tensor)
    return [float(v) if isinstance(v, numbers) and torch.as_tensor(v).numel() == 1 else v for v in values]


def _free_bits(kl_dims, free_bits):
    return kl_dims.mean(dim=0).clamp(min=free_bits).sum()


def _for_each_image(kl_dims, free_bits):
    """You clamp the KL of every single image. A dimension may be silent for one image and busy for another: only its
    mean over the batch is to be compared with free_bits. In which order come the mean and the clamp?
    """
    return kl_dims.clamp(min=free_bits).sum(dim=1).mean()


def _total(kl_dims, free_bits):
    """You clamp the sum over the dimensions. Then one busy dimension uses up the allowance of all, and the others may
    still collapse. Clamp each dimension before you sum.
    """
    return kl_dims.mean(dim=0).sum().clamp(min=free_bits)


def _total_allowance(kl_dims, free_bits):
    """You compare the sum over the dimensions with the sum of their allowances. So one busy dimension pays for the
    silent ones. Each dimension has its own free_bits: clamp before you sum.
    """
    return kl_dims.mean(dim=0).sum().clamp(min=free_bits * kl_dims.shape[1])


def _total_of_each_image(kl_dims, free_bits):
    """You clamp the KL of each image, summed over its dimensions. Which of the two axes is to be averaged, which to be
    kept until after the clamp?
    """
    return kl_dims.sum(dim=1).clamp(min=free_bits).mean()


def _at_most(kl_dims, free_bits):
    """You take the smaller of the two, so a dimension never costs more than free_bits however much it carries. Which
    dimensions should be free: those below the allowance, or those above?
    """
    return kl_dims.mean(dim=0).clamp(max=free_bits).sum()


def _refunded(kl_dims, free_bits):
    """You subtract the allowance: max(kl - free_bits, 0). The gradients are the same, but the value is too small by
    free_bits a dimension, and the loss would no longer be an upper bound. Use the larger of kl and free_bits.
    """
    return (kl_dims.mean(dim=0) - free_bits).clamp(min=0).sum()


def _refunded_below_zero(kl_dims, free_bits):
    """You subtract free_bits from every dimension, which adds a constant and changes no gradient. What must happen to a
    dimension that is below its allowance?
    """
    return (kl_dims.mean(dim=0) - free_bits).sum()


def _averaged_dimensions(kl_dims, free_bits):
    """You average over the dimensions at the end. The KL of a code is the SUM over its dimensions; a mean weakens beta
    by their number.
    """
    return kl_dims.mean(dim=0).clamp(min=free_bits).mean()


def _summed_batch(kl_dims, free_bits):
    """You sum over the images of the batch before you clamp, so the allowance depends on the batch size. Sum over
    dimensions, but what over images?
    """
    return kl_dims.sum(dim=0).clamp(min=free_bits).sum()


def _wrong_axis(kl_dims, free_bits):
    """You average over the dimensions and sum over the images: the axes are swapped. Axis 0 is the batch."""
    return kl_dims.mean(dim=1).clamp(min=free_bits).sum()


def _no_allowance(kl_dims, free_bits):
    """This is the plain KL term: free_bits has no effect. Where does the comparison with it come in?"""
    return kl_dims.mean(dim=0).sum()


def _not_summed(kl_dims, free_bits):
    """You return one number for each dimension, and the loss needs a single one. What is left to do?"""
    return kl_dims.mean(dim=0).clamp(min=free_bits)


def _silent_for_nothing(kl_dims, free_bits):
    """You set dimensions below the allowance to 0, so the term jumps by free_bits where one crosses it. Count them as
    free_bits, and it is continuous.
    """
    kl = kl_dims.mean(dim=0)
    return torch.where(kl > free_bits, kl, torch.zeros_like(kl)).sum()


def _added(kl_dims, free_bits):
    """You add the allowance to every dimension, which changes no gradient. Take the larger of the two, not the sum."""
    return (kl_dims.mean(dim=0) + free_bits).sum()


def _in_bits(kl_dims, free_bits):
    """You multiply the allowance by log 2, as if it were in bits. Despite their name free bits are given in nats here,
    like the KL they are compared with.
    """
    return kl_dims.mean(dim=0).clamp(min=free_bits * math.log(2)).sum()


def _shared(kl_dims, free_bits):
    """You divide the allowance by the number of dimensions. It is not shared out: each dimension has all of free_bits
    to itself.
    """
    return kl_dims.mean(dim=0).clamp(min=free_bits / kl_dims.shape[1]).sum()


def _without_gradient(kl_dims, free_bits):
    """The value is right, but no gradient flows through it. Is there an .item(), a float() or a detach() on the way?"""
    return kl_dims.detach().mean(dim=0).clamp(min=free_bits).sum()


def _free_bits_inputs(g: torch.Generator) -> tuple:
    # Two dimensions below the allowance on average, two above, and single images on either side of it.
    kl_dims = torch.rand(5, 4, generator=g) * torch.tensor([0.5, 3.0, 0.7, 1.6]) + 0.02
    kl_dims[0, 0], kl_dims[1, 1] = 0.9, 0.1
    # 1.2 a dimension is more than they carry together; a quarter of 2.8 is more than two of them carry; 20 is more than
    # all carry.
    return kl_dims, (0.5, 1.2, 2.8, 20.0)


def _for_each_allowance(fn, kl_dims, allowances):
    """The charged KL and its gradient for several sizes of free_bits."""
    return [_value_and_gradient(fn, kl_dims, free_bits) for free_bits in allowances]


def _value_and_gradient(fn, kl_dims, free_bits):
    """The charged KL, and its gradient, which is 0 for dimensions below their allowance."""
    value = fn(kl_dims, free_bits)
    if isinstance(value, float) and (kl_dims.mean(dim=0) <= free_bits).all():
        value = torch.tensor(value)  # Python's max() gives back free_bits itself; there is no gradient to lose
    if not isinstance(value, Tensor) or value.ndim:
        return value
    leaf = kl_dims.clone().requires_grad_()
    again = fn(leaf * 1.0, free_bits)
    if isinstance(again, Tensor) and again.requires_grad:
        again.backward()
    return {"value": value, "gradient": torch.zeros_like(leaf) if leaf.grad is None else leaf.grad}


# fmt: off
CHECKS = [
    Check(
        name="annealing-schedule",
        lesson="07",
        reference=_kl_weight,
        make_inputs=_annealing_inputs,
        observe=_weights,
        mistakes=mistakes(
            _never_stops, _one_ahead, _one_short, _late, _whole_numbers, _falls, _without_beta, _capped_at_beta,
            _larger_of_two, _again_and_again, _back_to_zero, _counts, _no_ramp,
        ),
    ),
    Check(
        name="free-bits",
        lesson="07",
        reference=_free_bits,
        make_inputs=_free_bits_inputs,
        observe=_for_each_allowance,
        mistakes=mistakes(
            _for_each_image, _total, _total_allowance, _total_of_each_image, _at_most, _refunded, _refunded_below_zero,
            _averaged_dimensions, _summed_batch, _wrong_axis, _no_allowance, _not_summed, _silent_for_nothing, _added,
            _in_bits, _shared, _without_gradient,
        ),
    ),
    Check(
        name="diagnose-runs",
        lesson="07",
        reference=_diagnoses.diagnose,
        make_inputs=lambda g: (),
        compare=_diagnoses.compare_diagnoses,
        mistakes=_diagnoses.MISTAKES,
        draws=1,
    ),
]
# fmt: on
