"""Damage and kills, a few of each; and a store that takes damaged files for whole ones is seen."""

import pytest
import torch
from helpers import benchmark

from course_utils import stored


@pytest.fixture
def soak(monkeypatch, tmp_path):
    for name in ("COURSE_DATA", "COURSE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))  # so that what the benchmark sets is put back
    monkeypatch.delenv("COURSE_DATA")
    threads = torch.get_num_threads()
    with benchmark("soak_files") as module:
        yield module
    torch.set_num_threads(threads)


def test_damages_and_kills_of_every_kind(soak, capsys):
    assert soak.soak_damages(2) == 0
    printed = capsys.readouterr().out
    assert printed.count("2 damages") == 8
    assert "!!" not in printed


def test_damage_that_is_not_noticed_is_seen(soak, capsys, monkeypatch):
    monkeypatch.setattr(stored, "sha256", lambda data: "0" * 64)
    assert soak.fault_of(lambda: 1, kept=2)[0].startswith("other numbers than were kept")
    assert soak.fault_of(lambda: [][0], kept=2)[0].startswith("IndexError")
    assert soak.fault_of(lambda: (_ for _ in ()).throw(ValueError("")), kept=2)[0].startswith("no sentence")
