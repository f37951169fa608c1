"""`course claims` on small scripts; and of the course's own claims, whether what is stored is still true."""

import json
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from course_utils import claims, stored
from course_utils.command import claims as command
from course_utils.command import cli, doctor

SCRIPT = """
import json
import os
from pathlib import Path

import numpy as np
import torch

from course_utils.claims import Claim, grid
from course_utils.files import data_dir


def scale():
    return json.loads((data_dir() / "scale.json").read_text())


def scaled(*, seed, epochs):
    (Path(os.environ["RUNS"]) / f"scaled-{seed}-{epochs}").touch()
    if (Path(os.environ["RUNS"]) / "stop").exists() and epochs == 7:
        raise ValueError("the machine is tired")
    return {"value": torch.tensor(seed * epochs * scale()), "noise": torch.randn(()), "other": np.random.rand()}


def plain(*, seed):
    (Path(os.environ["RUNS"]) / f"plain-{seed}").touch()
    return {"value": seed / 3}


CLAIMS = (
    Claim("scaled", "It grows.", scaled, grid(epochs=(2, 7), seed=range(2)), {"value": "what grows"},
          lambda runs: all(run["value"] >= 0 for run in runs)),
    Claim("plain", "It does not.", plain, grid(seed=range(3)), {"value": "a third"}, lambda runs: len(runs) == 3),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one script, its data and a place where runs leave their names."""
    for name in ("claims", "data", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / "claims" / "99.py").write_text(SCRIPT)
    (tmp_path / "data" / "scale.json").write_text("10")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(command, "scripts_dir", lambda: tmp_path / "claims")
    monkeypatch.setattr(command, "ProcessPoolExecutor", OneAfterAnother)
    return tmp_path


class OneAfterAnother:
    """In place of a pool of processes: each work is done when it is asked for, in this process."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, *arguments):
        from concurrent.futures import Future

        future = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def run(folder, *names, **options):
    """The names of the runs that were made."""
    for path in (folder / "runs").glob("*-*"):
        path.unlink()
    command.run_claims("99", names, progress=False, **options)
    return sorted(path.name for path in (folder / "runs").glob("*-*"))


ALL = ["plain-0", "plain-1", "plain-2", "scaled-0-2", "scaled-0-7", "scaled-1-2", "scaled-1-7"]


def test_every_run_is_stored_with_its_numbers_once(folder):
    assert run(folder) == ALL
    assert claims.evidence("99", "scaled").over("value", epochs=7).values == (0.0, 70.0)
    assert claims.evidence("99", "plain").over("value").high == 0.666667
    assert run(folder) == []
    assert run(folder, fresh=True) == ALL
    assert run(folder, "plain", fresh=True) == ALL[:3]
    assert command.complaints("99") == []


def test_a_run_begins_with_its_seed(folder):
    run(folder)
    first = claims.evidence("99", "scaled").runs
    run(folder, fresh=True)
    again = claims.evidence("99", "scaled").runs
    assert [one["numbers"] for one in first] == [one["numbers"] for one in again]
    noise = {one["setting"]["seed"]: (one["numbers"]["noise"], one["numbers"]["other"]) for one in first}
    assert noise[0][0] != noise[1][0]
    assert noise[0][1] != noise[1][1]


def test_what_changed_is_run_again_and_nothing_else(folder):
    run(folder)
    script = folder / "claims" / "99.py"
    script.write_text(SCRIPT.replace("seed / 3", "seed / 4"))
    assert "claim 'plain' of lesson 99 lacks 3 of 3 runs (its code or the data" in command.complaints("99")[0]
    assert run(folder) == ALL[:3]
    (folder / "data" / "scale.json").write_text("11")
    assert "claim 'scaled' of lesson 99 lacks 4 of 4 runs (its code or the data" in command.complaints("99")[0]
    assert run(folder) == ALL[3:]
    script.write_text(script.read_text().replace("range(3)", "range(4)").replace("== 3", "== 4"))
    assert "claim 'plain' of lesson 99 lacks 1 of 4 runs (new ones)" in command.complaints("99")[0]
    assert run(folder) == ["plain-3"]
    script.write_text(script.read_text().replace("It grows.", "It grows with time."))
    assert "claim 'scaled' of lesson 99 has other words" in command.complaints("99")[0]
    assert run(folder) == []
    assert command.complaints("99") == []


def test_what_does_not_hold_or_is_gone_is_said(folder):
    script = folder / "claims" / "99.py"
    assert len(command.complaints("99")) == 2
    assert "was never run" in command.complaints("99")[0]
    run(folder)
    script.write_text(SCRIPT.replace('run["value"] >= 0', 'run["value"] > 0'))
    assert command.complaints("99") == ["claim 'scaled' of lesson 99 does not hold: It grows."]
    script.write_text(SCRIPT.replace('Claim("plain"', 'Claim("third"'))
    assert any("no claim 'plain' any more" in one for one in command.complaints("99"))


def test_a_run_that_fails_is_named_and_the_others_are_kept(folder):
    (folder / "runs" / "stop").touch()
    with pytest.raises(RuntimeError, match=r"scaled\(epochs=7, seed=\d\) failed: ValueError: the machine is tired"):
        run(folder)
    (folder / "runs" / "stop").unlink()
    assert run(folder) == ["scaled-0-7", "scaled-1-7"]


def test_what_is_stored_stays_until_a_new_run_takes_its_place(folder):
    run(folder)
    (folder / "runs" / "stop").touch()
    with pytest.raises(RuntimeError, match="the machine is tired"):
        run(folder, fresh=True)
    assert claims.evidence("99", "scaled").over("value", epochs=7).values == (0.0, 70.0)


def test_a_label_without_a_number_is_a_mistake(folder):
    script = folder / "claims" / "99.py"
    script.write_text(SCRIPT.replace('{"value": "a third"}', '{"third": "a third"}'))
    with pytest.raises(RuntimeError, match="its labels name third, which it does not return"):
        run(folder, "plain")


def test_the_command_shows_what_holds(folder, capsys):
    assert cli.main(["claims", "99", "--check"]) == 1
    assert "was never run" in capsys.readouterr().out
    assert cli.main(["claims", "99", "plain"]) == 0
    out = capsys.readouterr().out
    assert "plain: holds\nIt does not.\n" in out
    assert "scaled" not in out
    assert cli.main(["claims", "99"]) == 0
    assert cli.main(["claims", "99", "--check"]) == 0
    script = folder / "claims" / "99.py"
    script.write_text(SCRIPT.replace("len(runs) == 3", "len(runs) == 4"))
    assert cli.main(["claims", "99"]) == 1
    assert "plain: DOES NOT HOLD" in capsys.readouterr().out


def test_the_command_says_what_there_is(folder, capsys):
    assert cli.main(["claims", "98"]) == 2
    assert "for the lessons 99" in capsys.readouterr().err
    assert cli.main(["claims", "99", "plane"]) == 2
    assert "no claim 'plane'. There are: scaled, plain" in capsys.readouterr().err


@pytest.mark.slow_because("two processes load PyTorch")
def test_runs_go_on_in_processes_of_their_own(folder, monkeypatch):
    from concurrent.futures import ProcessPoolExecutor

    monkeypatch.setattr(command, "ProcessPoolExecutor", ProcessPoolExecutor)
    assert run(folder, "scaled", processes=2) == ALL[3:]
    (inputs,) = {json.dumps(one["inputs"]) for one in claims.evidence("99", "scaled").runs}
    assert list(json.loads(inputs)) == ["scale.json"]


@pytest.mark.slow_because("three processes load PyTorch")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_runs_on_when_the_command_is_stopped(folder, how):
    endless = SCRIPT.replace('    return {"value": seed / 3}', "    while True:\n        pass")
    (folder / "claims" / "99.py").write_text(endless)
    code = "import sys; from pathlib import Path; from course_utils.command.claims import run_claims; "
    code += "run_claims('99', ['plain'], scripts=Path(sys.argv[1]), processes=2, progress=False)"
    process = psutil.Popen([sys.executable, "-c", code, folder / "claims"], stderr=subprocess.DEVNULL)
    wait_for(lambda: len(list((folder / "runs").glob("plain-*"))) == 2)
    children = process.children(recursive=True)
    for one in [process, *children] if how == signal.SIGINT else [process]:
        one.send_signal(how)  # Ctrl-C reaches all of them, a kill the first alone
    process.wait(60)
    assert psutil.wait_procs(children, timeout=60)[1] == []


def wait_for(condition):
    """Until a condition holds, at most two minutes."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


SCRIPTS = sorted(command.scripts_dir().glob("[0-9][0-9].py"))
LONGEST = 6  # seconds of a run that is repeated here
OURS = [(script.stem, name) for script in SCRIPTS for name in claims.load(script)]


@pytest.mark.parametrize("lesson", [script.stem for script in SCRIPTS])
def test_what_is_stored_is_of_todays_code_and_data_and_holds(lesson):
    assert command.complaints(lesson) == []


@pytest.mark.parametrize("lesson", [script.stem for script in SCRIPTS])
def test_a_claim_was_tried_with_three_seeds_and_four_times_the_budget(lesson):
    for name, one in claims.read(lesson).items():
        seeds = {run["setting"].get("seed") for run in one.runs}
        assert len(seeds) >= 3, name
        budgets = {value for run in one.runs for key, value in run["setting"].items() if key in BUDGETS}
        assert not budgets or max(budgets) >= 4 * min(budgets), name


BUDGETS = ("epochs", "steps", "samples")


def quickest(lesson, name):
    """The run of a claim that is repeated: the quickest, or the one that the claim names.

    Where nothing is stored, which another test says, an endless one.
    """
    again = claims.load(command.scripts_dir() / f"{lesson}.py")[name].again
    try:
        runs = claims.evidence(lesson, name).runs
    except (FileNotFoundError, ValueError):
        runs = []
    some = [run for run in runs if again in (None, run["setting"])]
    return min(some, key=lambda run: run["seconds"], default={"seconds": float("inf")})


@pytest.mark.parametrize(("lesson", "name"), [one for one in OURS if quickest(*one)["seconds"] < LONGEST])
def test_the_quickest_run_gives_what_is_stored(lesson, name):
    """The package may have changed since. Training is chaotic: what is compared is the size of the numbers."""
    stored_runs, one = claims.evidence(lesson, name).runs, quickest(lesson, name)
    threads = torch.get_num_threads()
    try:
        again = command.one_run(command.scripts_dir() / f"{lesson}.py", name, one["setting"])
    finally:
        torch.set_num_threads(threads)
    for key, value in one["numbers"].items():
        spread = [run["numbers"][key] for run in stored_runs if key in run["numbers"]]
        room = 0.25 * abs(value) + 0.5 * (max(spread) - min(spread)) + 1e-6
        assert again["numbers"][key] == pytest.approx(value, abs=room), key


def test_every_number_that_a_lesson_prints_from_its_claims_is_stored():
    sources = {path.stem[:2]: path for path in (command.scripts_dir().parent / "notebooks" / "src").glob("*.py")}
    for lesson, source in sources.items():
        named = set(re.findall(r"claims\.evidence\(\"(\d\d)\", \"([\w-]+)\"\)", source.read_text(encoding="utf-8")))
        for number, name in named:
            assert number == lesson or (number, name) in OURS
            assert name in claims.read(number)
    assert stored.names(command.data_dir() / "claims") == [script.stem for script in SCRIPTS] == list(doctor.CLAIMS)
