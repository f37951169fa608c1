"""Lesson 09's checks: right answers pass, whatever their form, and each wrong one hears what is wrong with it."""

from functools import cache

import pytest
import torch
from lesson_cells import lesson_namespace
from torch.nn.functional import normalize
from verdicts import assert_messages_differ, assert_told_apart, verdict

from course_utils import checks
from course_utils.latents import project_out


@cache
def another_gap(information, entropy):
    total = 0.0
    for k in range(len(entropy)):
        second, first = information[:, k].sort().values[-2:]
        total = total + (first - second) / entropy[k] / len(entropy)
    return total


def another_direction(z, labels):
    weight = labels / labels.sum() - (~labels) / (~labels).sum()
    return weight @ z


def another_edit(z, direction, smile, others, amount):
    shares = torch.linalg.lstsq(others.T, direction[:, None]).solution[:, 0]
    step = direction - shares @ others
    return z + amount * step / (step @ smile)


def edit_of_the_package(z, direction, smile, others, amount):
    step = project_out(direction, others)
    return z + amount * step / (step @ smile)


RIGHT = [
    ("mutual-information-gap", another_gap),
    ("attribute-direction", another_direction),
    ("controlled-edit", another_edit),
    ("controlled-edit", edit_of_the_package),
]


@pytest.mark.parametrize(("name", "fn"), RIGHT)
def test_another_right_answer_passes(name, fn):
    assert verdict(name, fn) is None


@pytest.mark.parametrize(
    ("name", "cell", "function"),
    [
        ("mutual-information-gap", "mig-exercise", "mig"),
        ("attribute-direction", "direction-exercise", "attribute_direction"),
        ("controlled-edit", "edit-exercise", "controlled_edit"),
    ],
)
def test_the_lessons_own_solution_passes(name, cell, function):
    assert verdict(name, lesson_namespace("09", cell, torch=torch)[function]) is None


def test_the_reference_edit_does_what_it_promises():
    check = checks.all_checks()["controlled-edit"]
    z, direction, smile, others, amount = check.make_inputs(torch.Generator().manual_seed(5))
    moved = check.reference(z, direction, smile, others, amount) - z
    torch.testing.assert_close(moved @ smile, torch.full((len(z),), amount))
    torch.testing.assert_close(moved @ others.T, torch.zeros(len(z), len(others)), atol=1e-4, rtol=0)


def top(information, k, dim=0):
    return information.sort(dim=dim, descending=True).values.select(dim, k)


class Wrong:
    """Wrong answers, written anew."""

    def nats(information, entropy):
        return torch.mean(top(information, 0) - top(information, 1))

    def ratio_of_means(information, entropy):
        return torch.sum(top(information, 0) - top(information, 1)) / torch.sum(entropy)

    def other_axis(information, entropy):
        return (top(information, 0, 1) - top(information, 1, 1)).mean() / entropy.mean()

    def other_axis_in_nats(information, entropy):
        return (top(information, 0, 1) - top(information, 1, 1)).sum() / len(information)

    def mean(information, entropy):
        return torch.mean((information.amax(0) - information.mean(0)) / entropy)

    def mean_of_rest(information, entropy):
        rest = torch.stack([top(information, k) for k in range(1, len(information))])
        return torch.mean((top(information, 0) - rest.mean(0)) / entropy)

    def smallest(information, entropy):
        return torch.mean((information.amax(0) - information.amin(0)) / entropy)

    def bottom(information, entropy):
        ordered = information.sort(dim=0).values
        return torch.mean((ordered[1] - ordered[0]) / entropy)

    def share(information, entropy):
        return torch.mean(information.amax(0) / entropy)

    def relative(information, entropy):
        return 1 - torch.mean(top(information, 1) / top(information, 0))

    def negative(information, entropy):
        return torch.mean((top(information, 1) - top(information, 0)) / entropy)

    def vector(information, entropy):
        return top(information, 0) / entropy - top(information, 1) / entropy

    def total(information, entropy):
        return torch.sum((top(information, 0) - top(information, 1)) / entropy)

    def uniform(information, entropy):
        return torch.mean(top(information, 0) - top(information, 1)) / torch.log(torch.tensor(6.0))

    def opposite(z, labels):
        return torch.stack([z[i] for i in range(len(z)) if not labels[i]]).mean(0) - z[labels].mean(0)

    def average_face(z, labels):
        return z[labels].sum(0) / labels.sum()

    def all_subtracted(z, labels):
        return (z[labels] - z.mean(0)).mean(0)

    def total_of_groups(z, labels):
        return labels.float() @ z - (~labels).float() @ z

    def zeros(z, labels):
        return torch.stack([z[:, d].mul(labels).sum() for d in range(4)]) / len(z) - (~labels).float() @ z / len(z)

    def scalar(z, labels):
        return z[labels].mean(1).mean() - z[~labels].mean(1).mean()

    def indices(z, labels):
        return torch.stack([z[int(i)] for i in labels]).mean(0) - torch.stack([z[1 - int(i)] for i in labels]).mean(0)

    def unit(z, labels):
        d = another_direction(z, labels)
        return d / d.norm()

    def median(z, labels):
        return torch.median(z[labels], dim=0)[0] - torch.median(z[~labels], dim=0)[0]

    def paired(z, labels):
        return z[labels].mean(0) - z[~labels][: int(labels.sum())].mean(0)

    def halfway(z, labels):
        return 0.5 * another_direction(z, labels)

    def entangled(z, direction, smile, others, amount):
        return z + amount * direction / (direction @ smile)

    def in_turn(z, direction, smile, others, amount):
        step = direction
        for w in normalize(others, dim=1):
            step = step - (step @ w) * w
        return z + amount * step / (step @ smile)

    def together(z, direction, smile, others, amount):
        step = direction - sum((direction @ w) * w for w in normalize(others, dim=1))
        return z + amount * step / (step @ smile)

    def as_if_orthonormal(z, direction, smile, others, amount):
        step = direction - sum((direction @ w) * w for w in others)
        return z + amount * step / (step @ smile)

    def any_size(z, direction, smile, others, amount):
        return z + amount * project_out(direction, others)

    def scaled_first(z, direction, smile, others, amount):
        return z + project_out(amount * direction / (direction @ smile), others)

    def in_length(z, direction, smile, others, amount):
        step = project_out(direction, others)
        return z + amount * step / step.norm()

    def codes_too(z, direction, smile, others, amount):
        step = project_out(direction, others)
        return torch.stack([project_out(one, others) for one in z]) + amount * step / (step @ smile)

    def wrong_part(z, direction, smile, others, amount):
        step = direction - project_out(direction, others)
        return z + amount * step / (step @ smile)

    def plus(z, direction, smile, others, amount):
        step = 2 * direction - project_out(direction, others)
        return z + amount * step / (step @ smile)

    def first_only(z, direction, smile, others, amount):
        step = project_out(direction, others[0])
        return z + amount * step / (step @ smile)

    def no_codes(z, direction, smile, others, amount):
        step = project_out(direction, others)
        return (amount * step / (step @ smile)).expand(len(z), -1)

    def brought_to(z, direction, smile, others, amount):
        step = project_out(direction, others)
        return z + torch.outer((amount - z @ smile) / (step @ smile), step)

    def downwards(z, direction, smile, others, amount):
        step = project_out(direction, others)
        return z - amount * step / (step @ smile)


CASES = [
    ("mutual-information-gap", Wrong.nats, "gaps are in nats"),
    ("mutual-information-gap", Wrong.ratio_of_means, "mean gap by the mean entropy"),
    ("mutual-information-gap", Wrong.other_axis, "Which axis are the dimensions"),
    ("mutual-information-gap", Wrong.other_axis_in_nats, "and in nats"),
    ("mutual-information-gap", Wrong.mean, "average over all dimensions"),
    ("mutual-information-gap", Wrong.mean_of_rest, "largest among the others"),
    ("mutual-information-gap", Wrong.smallest, "subtract the smallest value"),
    ("mutual-information-gap", Wrong.bottom, "two SMALLEST"),
    ("mutual-information-gap", Wrong.share, "but no gap"),
    ("mutual-information-gap", Wrong.relative, "divide by the largest information"),
    ("mutual-information-gap", Wrong.negative, "sign is wrong"),
    ("mutual-information-gap", Wrong.vector, "one gap for each handle"),
    ("mutual-information-gap", Wrong.total, "You sum over the handles"),
    ("mutual-information-gap", Wrong.uniform, "logarithm of the number of dimensions"),
    ("attribute-direction", Wrong.opposite, "points the other way"),
    ("attribute-direction", Wrong.average_face, "an average face"),
    ("attribute-direction", Wrong.all_subtracted, "too short"),
    ("attribute-direction", Wrong.total_of_groups, "You subtract sums"),
    ("attribute-direction", Wrong.zeros, "number of ALL codes"),
    ("attribute-direction", Wrong.scalar, "single number"),
    ("attribute-direction", Wrong.indices, "ROWS 0 and 1"),
    ("attribute-direction", Wrong.unit, "the length 1"),
    ("attribute-direction", Wrong.median, "medians"),
    ("attribute-direction", Wrong.paired, "as if they were pairs"),
    ("attribute-direction", Wrong.halfway, "half as long"),
    ("controlled-edit", Wrong.entangled, "other read-outs change as well"),
    ("controlled-edit", Wrong.in_turn, "one after another"),
    ("controlled-edit", Wrong.together, "subtracted twice"),
    ("controlled-edit", Wrong.as_if_orthonormal, "as if the others had length 1"),
    ("controlled-edit", Wrong.any_size, "shortened the direction"),
    ("controlled-edit", Wrong.scaled_first, "First project, then scale"),
    ("controlled-edit", Wrong.in_length, "by amount in length"),
    ("controlled-edit", Wrong.codes_too, "project the codes too"),
    ("controlled-edit", Wrong.wrong_part, "everything but the smile"),
    ("controlled-edit", Wrong.plus, "doubles it"),
    ("controlled-edit", Wrong.first_only, "Only the first"),
    ("controlled-edit", Wrong.no_codes, "You return the step"),
    ("controlled-edit", Wrong.brought_to, "read-out TO amount"),
    ("controlled-edit", Wrong.downwards, "falls by amount"),
]


@pytest.mark.parametrize(("name", "fn", "words"), CASES, ids=[f"{name}-{fn.__name__}" for name, fn, _ in CASES])
def test_each_wrong_answer_hears_what_is_wrong(name, fn, words):
    assert_told_apart(name, fn, words)


def test_no_two_wrong_answers_hear_the_same():
    assert_messages_differ((name, fn) for name, fn, _ in CASES)


def test_what_raises_changes_its_input_or_has_another_type():
    def in_place(z, direction, smile, others, amount):
        z += direction
        return z

    assert "RuntimeError" in verdict("mutual-information-gap", lambda i, h: ((i.amax(1) - i.amin(1)) / h).mean())
    assert "in place" in verdict("controlled-edit", in_place)
    assert "returns nothing" in verdict("attribute-direction", lambda z, labels: None)
    assert "where a tensor" in verdict("attribute-direction", lambda z, labels: another_direction(z, labels).tolist())
