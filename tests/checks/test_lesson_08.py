"""Lesson 08's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

import itertools

import pytest
import torch
from lesson_cells import lesson_namespace
from verdicts import assert_messages_differ, assert_told_apart, verdict

from course_utils import metrics
from course_utils.checks.lesson_08 import LIES


def another_accuracy(z, labels, k=5):
    right = 0
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        others.sort(key=lambda j: float((z[i] - z[j]).square().sum()))
        votes = [int(labels[j]) for j in others[:k]]
        right += max(set(votes), key=votes.count) == int(labels[i])
    return torch.tensor(right / len(z))


def another_perplexity(p):
    bits = -(p * torch.log2(p.clamp(min=1e-30))).sum(dim=1)
    return 2**bits


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("knn-accuracy", another_accuracy),
        ("knn-accuracy", metrics.knn_accuracy),
        ("perplexity", another_perplexity),
        ("trustworthiness", metrics.trustworthiness),
    ],
)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


@pytest.mark.parametrize(
    ("name", "cells", "function"),
    [
        ("knn-accuracy", ["knn-exercise"], "knn_accuracy"),
        ("perplexity", ["perplexity-exercise"], "perplexity"),
        ("trustworthiness", ["ranks", "trust-exercise"], "trustworthiness"),
        ("spot-the-lies", ["lies-exercise"], "spot_the_lies"),
    ],
)
def test_the_lessons_own_solution_passes(name, cells, function):
    assert verdict(name, lesson_namespace("08", *cells, torch=torch)[function]) is None


def order(values):
    """Others of each point, nearest first; the point itself comes first of all."""
    return torch.cdist(values, values).argsort(dim=1, stable=True)


def vote(z, labels, near):
    return (torch.mode(labels[near], dim=1).values == labels).float().mean()


def rank(values):
    return order(values).argsort(dim=1)  # 0 is the point itself


def trust(z, points, k, near, excess):
    n = len(z)
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess[near].sum())


class Wrong:
    """Wrong answers, written anew."""

    def itself(z, labels, k):
        return vote(z, labels, order(z)[:, :k])

    def farthest(z, labels, k):
        return vote(z, labels, order(z)[:, -k:])

    def share(z, labels, k):
        return (labels[order(z)[:, 1 : k + 1]] == labels[:, None]).double().mean().item()

    def some(z, labels, k):
        return (labels[order(z)[:, 1 : k + 1]] == labels[:, None]).float().amax(dim=1).mean()

    def every(z, labels, k):
        return (labels[order(z)[:, 1 : k + 1]] == labels[:, None]).float().amin(dim=1).mean()

    def first(z, labels, k):
        return vote(z, labels, order(z)[:, 1:2])

    def percent(z, labels, k):
        return vote(z, labels, order(z)[:, 1 : k + 1]) * 100

    def errors(z, labels, k):
        return 1 - vote(z, labels, order(z)[:, 1 : k + 1])

    def bits(p):
        return -(p * torch.log2(p.clamp(min=1e-30))).sum(dim=1)

    def nats(p):
        return -(p * torch.log(p.clamp(min=1e-30))).sum(dim=1)

    def two_to_nats(p):
        return torch.exp2(Wrong.nats(p))

    def e_to_bits(p):
        return Wrong.bits(p).exp()

    def nan(p):
        return 2 ** -(p * torch.log2(p)).sum(dim=1)

    def no_minus(p):
        return torch.exp(-Wrong.nats(p))

    def columns(p):
        return torch.exp(-torch.special.xlogy(p, p).sum(dim=0))

    def total(p):
        return torch.exp(-torch.special.xlogy(p, p).sum())

    def count(p):
        return (p > 0).float().sum(dim=1)

    def squares(p):
        return (p**2).sum(dim=1) ** -1

    def continuity(z, points, k):
        return metrics.continuity(z, points, k)

    def whole_rank(z, points, k):
        return trust(z, points, k, (rank(points) <= k) & (rank(points) > 0) & (rank(z) > k), rank(z))

    def refund(z, points, k):
        return trust(z, points, k, (rank(points) <= k) & (rank(points) > 0), rank(z) - k)

    def all_far(z, points, k):
        in_data = torch.cdist(z, z).fill_diagonal_(torch.inf).argsort(dim=1).argsort(dim=1) + 1
        return trust(z, points, k, in_data > k, in_data - k)

    def precision(z, points, k):
        hits = (rank(z) <= k) & (rank(points) <= k)
        return (hits.sum().item() - len(z)) / (len(z) * k)  # without the points themselves

    def plain_mean(z, points, k):
        near = (rank(points) <= k) & (rank(points) > 0) & (rank(z) > k)
        return 1 - ((rank(z) - k)[near].sum() / len(z) / k)

    def loss(z, points, k):
        return 1 - metrics.trustworthiness(z, points, k)

    def below_k(z, points, k):
        return trust(z, points, k, (rank(points) < k) & (rank(points) > 0) & (rank(z) > k), rank(z) - k)


CASES = [
    ("knn-accuracy", Wrong.itself, "infinity on the diagonal"),
    ("knn-accuracy", Wrong.farthest, "FARTHEST"),
    ("knn-accuracy", Wrong.share, "average share"),
    ("knn-accuracy", Wrong.some, "if ANY"),
    ("knn-accuracy", Wrong.every, "only if ALL"),
    ("knn-accuracy", Wrong.first, "k has no effect"),
    ("knn-accuracy", Wrong.percent, "percent"),
    ("knn-accuracy", Wrong.errors, "neighbours are wrong"),
    ("perplexity", Wrong.bits, "in bits. The perplexity"),
    ("perplexity", Wrong.nats, "in nats. The perplexity"),
    ("perplexity", Wrong.two_to_nats, "raise 2"),
    ("perplexity", Wrong.e_to_bits, "raise e"),
    ("perplexity", Wrong.nan, "0 * log 0"),
    ("perplexity", Wrong.no_minus, "minus sign"),
    ("perplexity", Wrong.columns, "ROW"),
    ("perplexity", Wrong.total, "one number for all"),
    ("perplexity", Wrong.count, "count the entries"),
    ("perplexity", Wrong.squares, "Simpson"),
    ("trustworthiness", Wrong.continuity, "continuity"),
    ("trustworthiness", Wrong.whole_rank, "whole rank"),
    ("trustworthiness", Wrong.refund, "refund"),
    ("trustworthiness", Wrong.all_far, "every point with a rank above"),
    ("trustworthiness", Wrong.precision, "whatever their rank"),
    ("trustworthiness", Wrong.plain_mean, "plain mean"),
    ("trustworthiness", Wrong.loss, "a perfect map must get 1"),
    ("trustworthiness", Wrong.below_k, "one off"),
]


@pytest.mark.parametrize(("name", "fn", "words"), CASES, ids=[f"{name}-{fn.__name__}" for name, fn, _ in CASES])
def test_each_wrong_answer_hears_what_is_wrong(name, fn, words):
    assert_told_apart(name, fn, words)


def test_no_two_wrong_answers_hear_the_same():
    assert_messages_differ((name, fn) for name, fn, _ in CASES)


TRUTH = {"A": "distances", "B": "invented groups", "C": "sizes"}


def test_each_wrong_verdict_on_a_map_has_a_message_of_its_own():
    assert verdict("spot-the-lies", lambda: dict(TRUTH)) is None
    said = [
        verdict("spot-the-lies", lambda wrong=wrong: wrong)
        for name, other in itertools.product(TRUTH, LIES)
        if (wrong := TRUTH | {name: other}) != TRUTH
    ]
    assert len(said) == len(set(said)) == 12
    assert None not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"A": "sizes"}, "one word for each"),
        (None, "one word for each"),
        (TRUTH | {"B": "clusters"}, "none of the words"),
        (TRUTH | {"D": "sizes"}, "one word for each"),
    ],
)
def test_an_answer_of_another_form_hears_which_form_is_wanted(answer, words):
    assert words in verdict("spot-the-lies", lambda: answer)


def test_what_raises_or_changes_its_input():
    def in_place(z, points, k):
        z -= z.mean(dim=0)
        return metrics.trustworthiness(z, points, k)

    assert "in place" in verdict("trustworthiness", in_place)
    assert "returns nothing" in verdict("perplexity", lambda p: None)
    assert "dictionary" in verdict("spot-the-lies", lambda: "sizes")
