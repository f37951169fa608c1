"""The noise that stands in for answers: it is refused and leaves nothing behind, and what is accepted is seen."""

from dataclasses import replace

import pytest
from helpers import benchmark

from course_utils.checks import _engine, _running


@pytest.fixture
def soak(monkeypatch):
    for name, limit in (("PROCESSOR_LIMIT", 0.2), ("WAITING_LIMIT", 20.0), ("MEMORY_LIMIT", 2**28)):
        monkeypatch.setattr(_running, name, limit)
    with benchmark("soak_answers") as module:
        yield module


@pytest.mark.slow_because("waits until endless answers are stopped")
def test_noise_is_refused_with_one_sentence(soak, capsys):
    assert soak.soak("midpoint", 14) is None
    assert capsys.readouterr().out.startswith("midpoint: 14 refused; slowest ")


def test_an_accepted_answer_is_seen(soak, monkeypatch):
    check = replace(_engine.find("midpoint"), compare=lambda out, expected, *inputs: None)
    monkeypatch.setattr(_engine, "find", lambda name: check)
    assert "is accepted" in soak.soak("midpoint", 14)
