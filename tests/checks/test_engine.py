"""The engine behind exercise feedback: every way an answer can go wrong gets its own sentence."""

import json
import re
import threading
import time

import numpy as np
import pytest
import torch
from verdicts import verdict

from course_utils import checks
from course_utils.checks import Check, Mistake, _engine, _progress, _report


def scaled_sum(x, weight):
    return (x * weight).sum(dim=1)


CHECK = Check(
    name="scaled-sum",
    lesson="99",
    reference=scaled_sum,
    make_inputs=lambda g: (torch.randn(3, 5, generator=g), 2.0),
    mistakes=[
        Mistake(lambda x, weight: (x * weight).sum(dim=0), "You summed over the batch."),
        Mistake(lambda x, weight: x.sum(dim=1), "You forgot the weight."),
    ],
)


@pytest.fixture
def known(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    for module in (_engine, _report):
        monkeypatch.setattr(module, "all_checks", lambda: {"scaled-sum": CHECK})
    return tmp_path


def in_place(x, weight):
    x *= weight
    return x.sum(dim=1)


def raises(x, weight):
    return x.undefined_method(weight)


WRONG = {
    "known mistake": (lambda x, w: (x * w).sum(0), "summed over the batch"),
    "another known mistake": (lambda x, w: x.sum(1) * 1.0, "forgot the weight"),
    "unknown wrong value": (lambda x, w: (x * w).sum(1) + 1, "values are not"),
    "wrong shape": (lambda x, w: (x * w).sum(), r"shape \(\) where \(3,\)"),
    "wrong kind of number": (lambda x, w: (x * w).sum(1).long(), "torch.int64"),
    "returns nothing": (lambda x, w: None, "return statement"),
    "another type": (lambda x, w: (x * w).sum(1).numpy(), "NumPy array"),
    "a list": (lambda x, w: (x * w).sum(1).tolist(), "list of 3"),
    "nan": (lambda x, w: (x * w).sum(1) * float("nan"), "NaN"),
    "raises": (raises, "AttributeError in your line `return x.undefined_method"),
    "wrong signature": (lambda x: x, "TypeError"),
    "exits": (lambda x, w: exit(), "SystemExit"),
    "in place": (in_place, "in place"),
    "not a function": (3, "not a function"),
}


@pytest.mark.parametrize(("fn", "message"), WRONG.values(), ids=WRONG.keys())
def test_each_fault_is_named_and_the_reference_returned(known, capsys, fn, message):
    assert checks.accept("scaled-sum", fn) is scaled_sum
    printed = capsys.readouterr().out
    assert "not right yet" in printed
    assert re.search(message, printed), printed
    assert not (known / "progress.json").exists()


def test_a_right_answer_is_returned_and_recorded(known, capsys):
    def mine(x, weight):
        return torch.einsum("bd,->b", x, torch.tensor(weight))

    assert checks.accept("scaled-sum", mine) is mine
    assert "passed" in capsys.readouterr().out
    assert list(json.loads((known / "progress.json").read_text())["passed"]) == ["scaled-sum"]
    assert checks.progress()["99"]["scaled-sum"] is not None
    assert "1 of 1" in checks.progress_table()
    checks.reset_progress()
    assert checks.progress()["99"]["scaled-sum"] is None


def test_a_comparison_that_fails_is_a_wrong_answer(monkeypatch, tmp_path, capsys):
    """What a learner returns can be of a form that a check's own comparison does not expect."""
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))

    def compare(out, expected, x, weight):
        return None if torch.allclose(out, expected) else "not so"

    check = Check("scaled-sum", "99", scaled_sum, CHECK.make_inputs, CHECK.mistakes, compare)
    monkeypatch.setattr(_engine, "all_checks", lambda: {"scaled-sum": check})
    assert checks.accept("scaled-sum", lambda x, w: scaled_sum(x, w).double()) is scaled_sum
    assert re.search(r"cannot be compared with the right answer \(RuntimeError", capsys.readouterr().out)
    assert checks.accept("scaled-sum", lambda x, w: x.sum(1)) is scaled_sum
    assert "forgot the weight" in capsys.readouterr().out
    assert checks.accept("scaled-sum", lambda x, w: {"sum": scaled_sum(x, w)}) is scaled_sum
    assert re.search(r"cannot be compared with the right answer \(TypeError", capsys.readouterr().out)


def test_not_attempted_goes_on_with_the_reference(known, capsys):
    def empty(x, weight):
        raise NotImplementedError("delete this line")

    assert checks.accept("scaled-sum", empty) is scaled_sum
    assert "not attempted" in capsys.readouterr().out


def test_unknown_name_suggests_the_nearest(known):
    with pytest.raises(ValueError, match="Did you mean 'scaled-sum'"):
        checks.accept("scaled_sum", scaled_sum)


def test_endless_loop_is_stopped(known, monkeypatch, capsys):
    monkeypatch.setattr(_engine, "TIME_LIMIT", 0.3)

    def endless(x, weight):
        while True:
            time.sleep(0.01)

    assert checks.accept("scaled-sum", endless) is scaled_sum
    assert "still running" in capsys.readouterr().out
    for thread in (t for t in threading.enumerate() if t.daemon and t.name.endswith("(work)")):
        thread.join(60)  # it ends within milliseconds, but for a machine that is busy
        assert not thread.is_alive(), "the thread goes on"


def test_the_global_generator_is_untouched(known):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    checks.accept("scaled-sum", lambda x, w: scaled_sum(x, w) + torch.randn(1))
    assert torch.equal(torch.rand(3), expected)


def test_a_folder_that_cannot_be_written_does_not_stop_the_lesson(known, monkeypatch, capsys):
    blocker = known / "file"
    blocker.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocker / "below"))
    assert checks.accept("scaled-sum", scaled_sum) is scaled_sum
    assert "passed" in capsys.readouterr().out


def test_damaged_progress_counts_as_none(known):
    _progress.progress_file().write_text("{not json")
    assert checks.progress() == {"99": {"scaled-sum": None}}


@pytest.mark.parametrize(
    ("out", "expected", "agrees"),
    [
        ((1.0, torch.ones(2)), [1.0, torch.ones(2)], True),
        ((1.0,), (1.0, 2.0), False),
        ({"a": 1.0}, {"a": 1.0 + 1e-7}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
        (np.float64(0.5), 0.5, True),
        (True, True, True),
        (True, False, False),
        ("x", "y", False),
        (torch.tensor([float("inf")]), torch.tensor([float("inf")]), True),
        (torch.tensor([1.0]), torch.tensor([float("inf")]), False),
        (torch.tensor([1, 2]), torch.tensor([1, 2]), True),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), False),
        (torch.tensor([True, False]), torch.tensor([1, 0]), False),
    ],
)
def test_difference(out, expected, agrees):
    assert (_engine.difference(out, expected) is None) == agrees


@pytest.mark.parametrize("name", checks.all_checks())
def test_every_mistake_of_an_exercise_is_told_apart(name):
    check = checks.all_checks()[name]
    assert verdict(name, check.reference) is None
    assert len({mistake.message for mistake in check.mistakes}) >= 4
    for mistake in check.mistakes:
        assert verdict(name, mistake.function) == mistake.message


FORMS = {  # exercises that want an answer of a form of its own, and how they ask for it
    "diagnose-runs": "Return a dictionary",
    "spot-the-lies": "Return a dictionary",
    "invert-generator": "Return two things",
}


@pytest.mark.parametrize("name", checks.all_checks())
def test_every_exercise_describes_an_answer_that_raises_or_returns_something_else(name):
    def broken(*inputs):
        raise KeyError("nothing here")

    def not_attempted(*inputs):
        raise NotImplementedError

    assert "KeyError" in verdict(name, broken)
    assert FORMS.get(name, "returns nothing") in verdict(name, lambda *inputs: None)
    assert FORMS.get(name, "type str") in verdict(name, lambda *inputs: "0.5")
    described = verdict(name, lambda *inputs: [1.0] * 9)
    assert FORMS.get(name, "list of 9") in described
    assert "a dictionary with '" not in described, "it names what the check observes, not what the learner returns"
    with pytest.raises(NotImplementedError):
        verdict(name, not_attempted)


def test_what_is_observed_is_compared_in_place_of_the_output():
    """A loss is right when its gradient is right, whatever constant it contains."""

    def gradient(fn, x):
        x.requires_grad_()
        return torch.autograd.grad(fn(x), x)[0]

    check = Check(
        name="loss",
        lesson="99",
        reference=lambda x: x.square().sum(),
        make_inputs=lambda g: (torch.randn(2, 3, generator=g),),
        mistakes=[Mistake(lambda x: x.square().mean(), "You averaged.")],
        observe=gradient,
    )
    assert checks.review(check, lambda x: x.pow(2).sum() + 7) is None
    assert checks.review(check, lambda x: x.pow(2).mean() - 7) == "You averaged."
    assert "values are not" in checks.review(check, lambda x: x.pow(3).sum())
    assert "RuntimeError" in checks.review(check, lambda x: x.detach().sum())
