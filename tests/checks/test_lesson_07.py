"""Right answers to the exercises of lesson 07, in other styles than the reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from verdicts import each, verdict


def ramp_by_cases(step, ramp_steps, beta=1.0):
    if step >= ramp_steps:
        return torch.tensor(beta)
    return 0 if step == 0 else step * beta / ramp_steps


def ramp_by_interpolation(step, ramp_steps, beta=1.0):
    return np.interp(step, [0, ramp_steps], [0, beta])


def ramp_by_clamp(step, ramp_steps, beta=1.0):
    return (torch.tensor(float(step)) / ramp_steps).clamp(0, 1) * beta


def ramp_by_lerp(step, ramp_steps, beta=1.0):
    return torch.lerp(torch.zeros(1), torch.full((1,), beta), min(1, step / ramp_steps))


def ramp_by_a_table(step, ramp_steps, beta=1.0):
    return np.float32(np.linspace(0, beta, ramp_steps + 1)[min(step, ramp_steps)])


def bits_by_loops(kl_dims, free_bits):
    total = 0
    for d in range(kl_dims.shape[1]):
        kl = kl_dims[:, d].sum() / len(kl_dims)
        total = total + torch.maximum(kl, torch.tensor(free_bits))
    return total


def bits_by_pythons_max(kl_dims, free_bits):
    """A number, not a tensor, where no dimension is above its allowance."""
    return sum(max(kl, free_bits) for kl in kl_dims.mean(dim=0))


def bits_by_relu(kl_dims, free_bits):
    kl = torch.einsum("bd->d", kl_dims.double()) / kl_dims.shape[0]
    return (F.relu(kl - free_bits) + free_bits).sum().float()


def bits_by_where(kl_dims, free_bits):
    kl = kl_dims.mean(0)
    return torch.where(kl > free_bits, kl, free_bits).sum()


TRUTH = {"A": "learning rate too high", "B": "collapse", "C": "overfitting"}
RIGHT = {
    "annealing-schedule": [ramp_by_cases, ramp_by_interpolation, ramp_by_clamp, ramp_by_lerp, ramp_by_a_table],
    "free-bits": [bits_by_loops, bits_by_pythons_max, bits_by_relu, bits_by_where],
    "diagnose-runs": [
        lambda: dict(reversed(TRUTH.items())),
        lambda: {run.lower(): word.upper() for run, word in TRUTH.items()},
        lambda: TRUTH | {"A": " learning-rate too high"},
        lambda: TRUTH | {"A": "Learning  rates too high."},
    ],
}


@each(RIGHT)
def test_right_answers_are_accepted(name, answer):
    assert verdict(name, answer) is None


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("annealing-schedule", lambda step, ramp, beta: min(ramp / step, 1) * beta, "ZeroDivisionError"),
        ("annealing-schedule", lambda step, ramp, beta=1.0: beta * min(step / ramp, 0.9), "At step ramp_steps: it ret"),
        (
            "annealing-schedule",
            lambda step, ramp, beta: ramp_by_cases(step, ramp, beta),
            "beta is left out",
        ),
        ("free-bits", lambda kl, free_bits: kl.clamp_(min=free_bits).mean(0).sum(), "in place"),
        ("diagnose-runs", lambda: TRUTH | {"B": "posterior collapse"}, "none of the words"),
        ("diagnose-runs", lambda: TRUTH | {"D": "healthy"}, "no run 'D'"),
    ],
)
def test_what_else_is_said(name, answer, words):
    assert words in verdict(name, answer)
