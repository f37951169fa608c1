"""Right answers to the exercises of lesson 07, in other styles than the reference."""

import numpy as np
import torch
import torch.nn.functional as F
from verdicts import accepts, says


def ramp_by_cases(step, ramp_steps, beta=1.0):
    if step >= ramp_steps:
        return torch.tensor(beta)
    return 0 if step == 0 else step * beta / ramp_steps


def bits_by_loops(kl_dims, free_bits):
    total = 0
    for d in range(kl_dims.shape[1]):
        total = total + torch.maximum(kl_dims[:, d].sum() / len(kl_dims), torch.tensor(free_bits))
    return total


TRUTH = {"A": "learning rate too high", "B": "collapse", "C": "overfitting"}
RIGHT = {
    "annealing-schedule": [
        ramp_by_cases,
        lambda step, ramp_steps, beta=1.0: np.interp(step, [0, ramp_steps], [0, beta]),
        lambda step, n, beta=1.0: torch.lerp(torch.zeros(1), torch.full((1,), beta), min(1, step / n)),
        lambda step, n, beta=1.0: np.float32(np.linspace(0, beta, n + 1)[min(step, n)]),
    ],
    "free-bits": [
        bits_by_loops,
        lambda kl_dims, free_bits: sum(max(kl, free_bits) for kl in kl_dims.mean(0)),  # a float if none is above
        lambda kl_dims, free_bits: (F.relu(kl_dims.double().mean(0) - free_bits) + free_bits).sum().float(),
        lambda kl_dims, free_bits: torch.where((kl := kl_dims.mean(0)) > free_bits, kl, free_bits).sum(),
    ],
    "diagnose-runs": [
        lambda: dict(reversed(TRUTH.items())),
        lambda: {run.lower(): word.upper() for run, word in TRUTH.items()},
        lambda: TRUTH | {"A": " learning-rate too high"},
        lambda: TRUTH | {"A": "Learning  rates too high."},
    ],
}


test_right_answers_are_accepted = accepts(RIGHT)


test_what_else_is_said = says(
    [
        ("annealing-schedule", lambda step, ramp, beta: min(ramp / step, 1) * beta, "ZeroDivisionError"),
        ("annealing-schedule", lambda step, ramp, beta=1.0: beta * min(step / ramp, 0.95), "At step ramp_steps: it re"),
        ("annealing-schedule", lambda step, ramp, beta: ramp_by_cases(step, ramp, beta), "beta is left out"),
        ("free-bits", lambda kl, free_bits: kl.clamp_(min=free_bits).mean(0).sum(), "in place"),
        ("free-bits", lambda kl, free_bits: kl.mean(0).clamp(min=0.5).sum(), "no difference"),
        ("diagnose-runs", lambda: TRUTH | {"B": "posterior collapse"}, "none of the words"),
        ("diagnose-runs", lambda: TRUTH | {"D": "healthy"}, "'D' does not belong"),
    ]
)
