"""What is said of a class on a hub, apart from the hub itself, which tests/deploy tries."""

import json
import os
import sys

import psutil
import pytest
from helpers import ROOT, benchmark

FIGURES = {
    "lesson": "02", "machine": "Measured on a machine.", "learners": 4, "cores": 2,
    "load before": 0.5, "load after": 3.0,
    "logged in": [1.0, 2.0, 6.0], "server": [10.0], "kernel": [11.0], "core": [50.0, 70.0], "all cells": [80.0],
    "processor": [25.0], "processor of core": [10.0, 20.0, 90.0],
    "move, alone": [float(k) for k in range(1, 101)], "move, all at once": [2.0], "move, while others run": [3.0],
    "kernel own": 500.0, "kernel resident": 900.0, "kernel shared": 300.0,
    "server own": 100.0, "server resident": 140.0, "server shared": 20.0,
    "own together at most": 2800.0, "hub": 180.0, "virtual data of a kernel": 1500.0,
    "hub restarted, until it answers again": 13.0,
}  # fmt: skip


@pytest.fixture
def hub():
    with benchmark("hub") as module:
        yield module


def test_a_class_needs_what_its_learners_were_measured_to_need(hub):
    one = hub.sizes(FIGURES, 30)
    assert one["memory"] == pytest.approx(1 + 0.18 + 0.32 + 30 * 0.7)  # 2.8 GB of four at the peak: 0.7, not 0.6
    assert one["cores"] == 5  # ten at once, each at half the speed
    assert one["second"] == pytest.approx(one["memory"] + 30 * 0.5)  # another kernel each
    assert (one["together"], one["everybody"]) == (pytest.approx(40), pytest.approx(120))
    calm = FIGURES | {"own together at most": 2000.0}
    assert hub.sizes(calm, 30)["memory"] == pytest.approx(1 + 0.18 + 0.32 + 30 * 0.6)
    assert hub.sizes(FIGURES, 2)["together"] == 20  # nobody waits less than a run takes
    rows = hub.sizes_table(FIGURES).splitlines()
    assert rows[3] == "| 30 | 23 GB | 38 GB | 5 | 40 s | 120 s |"
    assert {row.count("|") for row in rows} == {7}
    assert "1000 + 500 + 30 x 700 = 22,500. A second open lesson adds 500 for each." in hub.assumed(FIGURES)
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["10", "30", "100"]


def test_the_table_has_medians_and_the_slowest(hub):
    table = hub.measured_table(FIGURES)
    assert "| 4 learners on 2 processor cores | |" in table
    assert "| logged in (median, slowest) | 2 s, 6 s |" in table
    assert "| processor time of one learner's run: the core, all cells | 20 s, 25 s |" in table
    assert "(median, 95 in 100) | 50 ms, 95 ms |" in table
    assert "| memory of a kernel after the lesson | 500 MB own of 900 MB resident; 300 MB shared by all |" in table
    assert "| hub restarted, until it answers again | 13 s |" in table


def test_what_was_measured_and_what_was_calculated_are_told_apart(hub):
    said = hub.text(FIGURES)
    assert said.startswith("Calculated from the class below, for a machine that does nothing else and lessons like 02:")
    assert "these 4 learners 40 s; measured were 60 s." in said  # 4 x 20 s on two cores
    assert "Other programs" not in said
    assert "about 8 wanted one at any time" in hub.text(FIGURES | {"load before": 7.7})


def test_the_instructors_notes_get_the_tables_between_the_hubs_marks(hub, monkeypatch, tmp_path, capsys):
    notes, kept = tmp_path / "INSTRUCTORS.md", tmp_path / "figures.json"
    notes.write_bytes((ROOT / "docs" / "INSTRUCTORS.md").read_bytes())
    kept.write_text(json.dumps(FIGURES))
    monkeypatch.setattr(hub, "INSTRUCTORS", notes)
    assert hub.main(["--figures", str(kept)]) == 0
    assert notes.read_bytes() == (ROOT / "docs" / "INSTRUCTORS.md").read_bytes(), "nobody asked for it"
    assert hub.main(["--figures", str(kept), "--update-instructors"]) == 0
    before, after = (file.read_text(encoding="utf-8") for file in (ROOT / "docs" / "INSTRUCTORS.md", notes))
    assert hub.REGION.sub("", after) == hub.REGION.sub("", before)
    assert hub.text(FIGURES) in after
    assert "| 30 | 23 GB |" in capsys.readouterr().out


def test_what_cannot_be_measured_is_said_in_a_sentence(hub, monkeypatch, capsys):
    for words in ([], ["--python", "x", "--figures", "y"], ["--python", "x", "--learners", "1"]):
        with pytest.raises(SystemExit):
            hub.main(words)
    capsys.readouterr()
    monkeypatch.setattr(hub, "needs", lambda: "")
    assert hub.main(["--python", "/nowhere/python"]) == 2
    assert capsys.readouterr().err == "hub.py finds no /nowhere/python.\n"
    monkeypatch.undo()
    if hasattr(os, "geteuid"):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert hub.needs().startswith("needs root")


@pytest.mark.skipif(sys.platform == "win32", reason="not on Windows")
def test_what_learners_may_not_read_is_found(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "ROOT", tmp_path)
    monkeypatch.setattr(hub, "CONFIG", tmp_path / "config.py")
    (tmp_path / "config.py").touch()
    (tmp_path / "course_utils").mkdir()
    (tmp_path / "course_utils" / "__init__.py").touch()
    assert hub.hidden(str(tmp_path / "python")) == f"finds no {tmp_path / 'python'}."
    (tmp_path / "python").touch(mode=0o600)
    assert hub.hidden(str(tmp_path / "python")).endswith(f"{tmp_path / 'python'} is not.")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_memory_is_what_the_system_says(hub):
    me = psutil.Process()
    found, full = hub.megabytes(me), me.memory_full_info()
    assert found["own"] == pytest.approx(full.uss / 1e6, rel=0.01)
    assert found["own"] + found["share"] == pytest.approx(full.pss / 1e6, rel=0.01)
    assert found["resident"] == pytest.approx(full.rss / 1e6, rel=0.01)
    before = hub.virtual(me)
    hoard = bytearray(2**28)
    assert hub.virtual(me) - before == pytest.approx(len(hoard) / 1e6, rel=0.1)
    assert hub.processor(me) == pytest.approx(sum(os.times()[:2]), abs=1)


def test_the_core_of_a_lesson_comes_first(hub):
    taken = hub.lesson("02")
    assert taken.path == "02_autoencoders.ipynb"
    assert 10 < taken.core < len(taken.cells)
