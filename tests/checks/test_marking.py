"""Points for what was handed in: on other inputs than the learner's own checks use, and never the course's own."""

import re
import sys
import warnings
from dataclasses import replace

import pytest
import torch

from course_utils import checks
from course_utils.checks import Check, _engine, _marking

ALL = list(checks.all_checks())


def shifted(x):
    return x + 1


CHECK = Check(reference=shifted, inputs=lambda g: (torch.randn(3, 5, generator=g),), name="shifted", lesson="99")


@pytest.fixture
def known(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(_engine, "exercises", lambda: {"shifted": "99"})
    monkeypatch.setattr(_engine, "find", lambda name: CHECK)
    monkeypatch.setattr(_engine, "HANDED_IN", {})


def by_heart(x):
    """Right for the three inputs that a learner's check draws, and for no others."""
    own = [torch.randn(3, 5, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    return x + 1 if any(torch.equal(x, one) for one in own) else x


def test_a_right_answer_gets_all_points_and_a_wrong_one_none(known):
    assert checks.points("shifted", 7) == 0  # nothing was handed in
    answer = lambda x: 1 + x  # noqa: E731
    assert checks.accept("shifted", answer) is answer
    assert checks.points("shifted", 7) == 7
    assert checks.points("shifted", 7, seed=123_456) == 7
    assert checks.accept("shifted", lambda x: x) is shifted
    assert checks.points("shifted", 7, seed=123_456) == 0


def test_hidden_inputs_find_out_an_answer_that_knows_the_others_by_heart(known, capsys):
    assert checks.accept("shifted", by_heart) is by_heart
    assert checks.points("shifted", 7) == 7
    assert checks.points("shifted", 7, seed=123_456) == 0
    assert "but not for others" in capsys.readouterr().out


def test_what_is_not_attempted_or_the_courses_own_is_worth_nothing(known, capsys):
    def empty(x):
        raise NotImplementedError  # as nbgrader opens an exercise by default

    def later(x):
        if not torch.equal(x, torch.randn(3, 5, generator=torch.Generator().manual_seed(0))):
            raise NotImplementedError
        return x + 1

    checks.accept("shifted", empty)
    assert "not attempted" in capsys.readouterr().out
    assert checks.points("shifted", 7, seed=1) == 0
    checks.accept("shifted", later)
    assert checks.points("shifted", 7, seed=1) == 0
    checks.accept("shifted", checks.accept("shifted", None))
    assert checks.points("shifted", 7, seed=1) == 0
    assert "the course's own function" in capsys.readouterr().out


def test_another_edition_gives_no_mark_but_one_sentence(known, monkeypatch):
    checks.accept("shifted", lambda x: 1 + x)
    here = checks.edition("shifted")
    assert re.fullmatch("[0-9a-f]{12}", here)
    assert checks.points("shifted", 7, edition=here) == 7
    with pytest.raises(checks.OtherEdition, match=f"edition 0123456789ab and .* has edition {here}: mark with"):
        checks.points("shifted", 7, edition="0123456789ab")
    with pytest.raises(checks.OtherEdition, match="'shitfed' is not in latent-spaces-course"):
        checks.points("shitfed", 7)
    monkeypatch.setattr(_marking.inspect, "getsource", lambda module: (_ for _ in ()).throw(OSError("no source")))
    assert checks.points("shifted", 7, edition="0123456789ab") == 7  # an edition that cannot be told is not compared


@pytest.mark.filterwarnings("ignore:deprecated")
def test_while_nbgrader_marks_a_warning_costs_nothing(known, monkeypatch, capsys):
    """It gives no points to a cell that wrote to stderr."""

    def warns(x):
        print("debug", file=sys.stderr)
        warnings.warn("deprecated", stacklevel=1)
        return x + 1

    checks.accept("shifted", warns)
    assert "debug" in capsys.readouterr().err
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    checks.accept("shifted", warns)
    assert checks.points("shifted", 7, seed=9) == 7
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only: no other system keeps this limit")
def test_memory_is_limited_only_while_nbgrader_marks(monkeypatch):
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    checks.limit_memory()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr(_marking, "MEMORY", 2**28)
    try:
        checks.limit_memory()
        with pytest.raises(MemoryError):
            bytearray(2**29)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize("name", ALL)
def test_references_are_right_for_hidden_inputs_too(name):
    check = _engine.find(name)
    assert checks.review(replace(check, seed=1_234_567_890, draws=1), check.reference) is None
    assert checks.edition(name)
