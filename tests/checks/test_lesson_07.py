"""Lesson 07's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import itertools
import math

import pytest
import torch
from lesson_cells import lesson_namespace
from verdicts import assert_messages_differ, assert_told_apart, verdict

from course_utils.checks._diagnoses import DIAGNOSES


def another_ramp(step, ramp_steps, beta=1.0):
    if step >= ramp_steps:
        return torch.tensor(beta)
    return 0 if step == 0 else step * beta / ramp_steps


def another_allowance(kl_dims, free_bits):
    total = 0
    for d in range(kl_dims.shape[1]):
        kl = kl_dims[:, d].sum() / len(kl_dims)
        total = total + torch.maximum(kl, torch.tensor(free_bits))
    return total


def allowance_by_pythons_max(kl_dims, free_bits):
    """A number, not a tensor, where no dimension is above its allowance."""
    return sum(max(kl, free_bits) for kl in kl_dims.mean(dim=0))


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("annealing-schedule", another_ramp),
        ("free-bits", another_allowance),
        ("free-bits", allowance_by_pythons_max),
    ],
)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


@pytest.mark.parametrize(
    ("name", "cell", "function"),
    [
        ("annealing-schedule", "annealing-exercise", "kl_weight"),
        ("free-bits", "free-bits-exercise", "free_bits_kl"),
        ("diagnose-runs", "diagnose-exercise", "diagnose"),
    ],
)
def test_the_lessons_own_solution_passes(name, cell, function):
    assert verdict(name, lesson_namespace("07", cell, torch=torch)[function]) is None


class Wrong:
    """Wrong answers, written anew."""

    def overshoots(step, ramp_steps, beta):
        return step * (beta / ramp_steps)

    def starts_at_one(step, ramp_steps, beta):
        return beta if step + 1 >= ramp_steps else beta / ramp_steps * (1 + step)

    def ends_early(step, ramp_steps, beta):
        return beta if step >= ramp_steps - 1 else beta * step / (ramp_steps - 1)

    def behind(step, ramp_steps, beta):
        return 0.0 if step == 0 else min(beta, beta * (step - 1) / ramp_steps)

    def integer_division(step, ramp_steps, beta):
        return beta if step // ramp_steps > 0 else 0

    def upside_down(step, ramp_steps, beta):
        return max(0.0, beta - beta * step / ramp_steps)

    def always_to_one(step, ramp_steps, beta):
        return 1 if step > ramp_steps else step / ramp_steps

    def lid(step, ramp_steps, beta):
        share = step / ramp_steps
        return beta if share > beta else share

    def maximum(step, ramp_steps, beta):
        return beta * max(1, step / ramp_steps)

    def sawtooth(step, ramp_steps, beta):
        return beta * (step / ramp_steps - step // ramp_steps)

    def stops(step, ramp_steps, beta):
        return beta * step / ramp_steps * (step <= ramp_steps)

    def no_division(step, ramp_steps, beta):
        return min(step * beta, ramp_steps * beta)

    def constant(step, ramp_steps, beta):
        return torch.tensor(beta)

    def every_image(kl_dims, free_bits):
        return torch.where(kl_dims > free_bits, kl_dims, torch.tensor(free_bits)).mean(dim=0).sum()

    def sum_first(kl_dims, free_bits):
        return torch.max(kl_dims.sum() / len(kl_dims), torch.tensor(free_bits))

    def sum_of_allowances(kl_dims, free_bits):
        return torch.max(kl_dims.sum() / len(kl_dims), torch.tensor(kl_dims.shape[1] * free_bits))

    def smaller(kl_dims, free_bits):
        return torch.minimum(kl_dims.mean(dim=0), torch.tensor(free_bits)).sum()

    def subtracts(kl_dims, free_bits):
        return torch.relu(kl_dims.mean(dim=0) - free_bits).sum()

    def subtracts_all(kl_dims, free_bits):
        return kl_dims.sum() / len(kl_dims) - free_bits * kl_dims.shape[1]

    def mean_of_dimensions(kl_dims, free_bits):
        return torch.relu(kl_dims.mean(dim=0) - free_bits).mean() + free_bits

    def batch_sum(kl_dims, free_bits):
        return (torch.relu(kl_dims.sum(dim=0) - free_bits) + free_bits).sum()

    def axes(kl_dims, free_bits):
        return torch.maximum(kl_dims.mean(dim=-1), torch.tensor(free_bits)).sum()

    def plain(kl_dims, free_bits):
        return kl_dims.sum(dim=1).mean()

    def vector(kl_dims, free_bits):
        return torch.maximum(kl_dims.mean(dim=0), torch.tensor(free_bits))

    def zeroes(kl_dims, free_bits):
        kl = kl_dims.mean(dim=0)
        return (kl * (kl > free_bits)).sum()

    def adds(kl_dims, free_bits):
        return kl_dims.sum(dim=1).mean() + free_bits * kl_dims.shape[1]

    def bits(kl_dims, free_bits):
        return sum(max(kl, free_bits * math.log(2)) for kl in kl_dims.mean(dim=0))

    def shared_out(kl_dims, free_bits):
        return torch.maximum(kl_dims.mean(dim=0), torch.full((kl_dims.shape[1],), free_bits / kl_dims.shape[1])).sum()

    def no_gradient(kl_dims, free_bits):
        return torch.tensor(sum(max(kl, free_bits) for kl in kl_dims.mean(dim=0).tolist()))


CASES = [
    ("annealing-schedule", Wrong.overshoots, "three times beta"),
    ("annealing-schedule", Wrong.starts_at_one, "one step ahead"),
    ("annealing-schedule", Wrong.ends_early, "one step too early"),
    ("annealing-schedule", Wrong.behind, "one step behind"),
    ("annealing-schedule", Wrong.integer_division, "//"),
    ("annealing-schedule", Wrong.upside_down, "falls to 0"),
    ("annealing-schedule", Wrong.always_to_one, "ends at 1"),
    ("annealing-schedule", Wrong.lid, "lid"),
    ("annealing-schedule", Wrong.maximum, "larger of the share"),
    ("annealing-schedule", Wrong.sawtooth, "cyclical"),
    ("annealing-schedule", Wrong.stops, "drops to 0"),
    ("annealing-schedule", Wrong.no_division, "SHARE"),
    ("annealing-schedule", Wrong.constant, "no annealing"),
    ("free-bits", Wrong.every_image, "every single image"),
    ("free-bits", Wrong.sum_first, "clamp the sum over the dimensions"),
    ("free-bits", Wrong.sum_of_allowances, "sum of their allowances"),
    ("free-bits", Wrong.smaller, "smaller of the two"),
    ("free-bits", Wrong.subtracts, "too small by"),
    ("free-bits", Wrong.subtracts_all, "adds a constant"),
    ("free-bits", Wrong.mean_of_dimensions, "average over the dimensions at the end"),
    ("free-bits", Wrong.batch_sum, "batch size"),
    ("free-bits", Wrong.axes, "axes are swapped"),
    ("free-bits", Wrong.plain, "plain KL term"),
    ("free-bits", Wrong.vector, "single one"),
    ("free-bits", Wrong.zeroes, "jumps"),
    ("free-bits", Wrong.adds, "not the sum"),
    ("free-bits", Wrong.bits, "log 2"),
    ("free-bits", Wrong.shared_out, "shared out"),
    ("free-bits", Wrong.no_gradient, "no gradient flows"),
]


@pytest.mark.parametrize(("name", "fn", "words"), CASES, ids=[f"{name}-{fn.__name__}" for name, fn, _ in CASES])
def test_each_wrong_answer_hears_what_is_wrong(name, fn, words):
    assert_told_apart(name, fn, words)


def test_no_two_wrong_answers_hear_the_same():
    assert_messages_differ((name, fn) for name, fn, _ in CASES)


TRUTH = {"A": "learning rate too high", "B": "collapse", "C": "overfitting"}


def test_each_wrong_diagnosis_has_a_message_of_its_own():
    assert verdict("diagnose-runs", lambda: dict(TRUTH)) is None
    said = [
        verdict("diagnose-runs", lambda wrong=wrong: wrong)
        for run, other in itertools.product(TRUTH, DIAGNOSES)
        if (wrong := TRUTH | {run: other}) != TRUTH
    ]
    assert len(said) == len(set(said)) == 12
    assert None not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"A": "collapse"}, "one diagnosis for each"),
        (None, "one diagnosis for each"),
        ("collapse", "one diagnosis for each"),
        (TRUTH | {"B": "posterior collapse"}, "none of the diagnoses"),
        (TRUTH | {"D": "healthy"}, "one diagnosis for each"),
    ],
)
def test_an_answer_of_another_form_hears_which_form_is_wanted(answer, words):
    assert words in verdict("diagnose-runs", lambda: answer)


def test_a_dictionary_itself_is_no_function():
    assert "not a function" in verdict("diagnose-runs", TRUTH)


def test_what_raises_changes_its_input_or_has_another_type():
    def in_place(kl_dims, free_bits):
        return kl_dims.clamp_(min=free_bits).mean(dim=0).sum()

    assert "ZeroDivisionError" in verdict("annealing-schedule", lambda step, ramp, beta: min(ramp / step, 1) * beta)
    assert "in place" in verdict("free-bits", in_place)
    assert "returns" in verdict("free-bits", lambda kl_dims, free_bits: 1.0)
    assert "float" in verdict("free-bits", lambda kl_dims, free_bits: another_allowance(kl_dims, free_bits).item())
    assert "returns nothing" in verdict("annealing-schedule", lambda step, ramp, beta: None)
