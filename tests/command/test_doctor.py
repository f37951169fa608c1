import itertools
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import ROOT

from course_utils import files, recipes, stored
from course_utils.command import cli, doctor, machine


def statuses(findings):
    return {finding.name: finding.status for finding in findings}


@pytest.fixture
def quick(monkeypatch):
    """Measure for an instant only."""
    real = doctor.examine
    monkeypatch.setattr(doctor, "examine", lambda seconds=0.02: real(0.02))


def test_this_installation_is_found_ready(quick, capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "The course runs here" in out
    assert f"{sys.version_info.major}.{sys.version_info.minor}." in out
    names = [line[6:].split("  ")[0] for line in out.splitlines() if line[:4].strip()]
    for name in (
        "Python",
        "torch",
        "anywidget",
        "device",
        "memory",
        "home",
        "data",
        "reference models",
        "maps",
        "widgets",
        "speed",
    ):
        assert name in names
    details = {
        line.index(" (needs ") - len(line[6 : line.index(" (needs ")].split()[-1])
        for line in out.splitlines()
        if "(needs >=" in line
    }
    assert len(details) == 1  # the column of details is aligned


def test_json_says_the_same(quick, capsys):
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["runs"] is True
    assert {"name", "status", "detail", "mend"} == set(report["checks"][0])
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["torch"]["status"] == "ok"
    assert "7 verified: code_comparison, fashion_mnist/card, " in by_name["data"]["detail"]


@pytest.fixture
def altered(tmp_path, monkeypatch):
    """A copy of the bundled data that a test may damage."""
    shutil.copytree(files.data_dir(), tmp_path / "data")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def damaged(content: bytes, how: str) -> bytes:
    """Bytes as a bad disk, a download that broke off, or an editor leaves them."""
    if how == "truncated":
        return content[: len(content) // 2]
    place = {"first byte": 0, "a byte": len(content) // 2, "a digit of a digest": -5}[how]
    content = bytearray(content)
    content[place] ^= 0x01
    return bytes(content)


def test_altered_data_is_named_and_fails(quick, altered, capsys):
    file = altered / "fashion_mnist" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(damaged(file.read_bytes(), "a byte"))
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("FAIL"))
    assert "t10k-images-idx3-ubyte.gz is not the file its card describes" in line
    assert "would not run: data/fashion_mnist/card." in out
    assert out.count("Restore it") == 1


DATA_FILES = {path for path in files.data_dir(override=False).rglob("*") if path.is_file()}


@pytest.mark.parametrize("how", ["first byte", "a byte", "truncated", "a digit of a digest", "missing"])
def test_the_doctor_looks_at_every_file(altered, how):
    """Each file of the data, damaged in every way, is named with its mend. README.md alone is for readers."""
    by_card = []  # one file of each card at a time: the doctor names the first that is wrong
    for card in altered.rglob("*.json"):
        by_card.append(sorted(stored.files_of(card, stored.verify(card))))
    looked_at = {file.relative_to(altered) for each in by_card for file in each}
    root = files.data_dir(override=False)
    assert {file.relative_to(root) for file in DATA_FILES} == looked_at | {Path(name) for name in doctor.FOR_READERS}
    assert set(statuses(doctor._data()).values()) == {"ok"}
    for together in itertools.zip_longest(*by_card):
        whole = {file: file.read_bytes() for file in together if file}
        if how == "a digit of a digest":
            whole = {file: content for file, content in whole.items() if file.suffix == ".json"}
        for file, content in whole.items():
            file.unlink()
            if how != "missing":
                file.write_bytes(damaged(content, how))
        wrong = [finding for finding in doctor._data() if finding.status == "FAIL"]
        assert len(wrong) == len(whole)
        for file in whole:
            (named,) = (finding for finding in wrong if str(file) in finding.detail)
            assert named.name.startswith(f"data/{file.relative_to(altered).as_posix().rpartition('/')[0]}")
            assert named.mend.startswith(f"Restore it from a copy, or unset COURSE_DATA, which names {altered}")
            assert named.mend not in named.detail
        for file, content in whole.items():
            file.write_bytes(content)


@pytest.mark.parametrize("name", ["checkpoints/mine.safetensors", "claims/notes.txt", "fashion_mnist/.new", "x.bin"])
def test_a_file_that_nobody_verifies_is_named(altered, name):
    (altered / name).parent.mkdir(exist_ok=True)
    (altered / name).write_bytes(b"x")
    (stray,) = (finding for finding in doctor._data() if finding.status != "ok")
    assert (stray.name, stray.status) == (f"data/{name}", "warn")
    assert "nobody verifies it" in stray.detail


def test_what_is_stored_later_is_looked_at_too(altered):
    stored.save(altered / "claims" / "02", card={"ranges": [1.5, 2.5]})
    assert "02" in {finding.name: finding.detail for finding in doctor._data()}["claims"]
    file = altered / "claims" / "02.json"
    file.write_text(file.read_text().replace("2.5", "3.5"))
    (wrong,) = (finding for finding in doctor._data() if finding.status != "ok")
    assert wrong.name == "data/claims/02"
    assert "was altered" in wrong.detail
    card = json.loads(file.read_text())
    del card["card_sha256"]  # read elsewhere, as they once were; among the bundled data it vouches for nothing
    file.write_text(json.dumps(card))
    assert statuses(doctor._data())["data/claims/02"] == "FAIL"


def test_folders_that_are_gone(altered):
    shutil.rmtree(altered / "checkpoints")
    shutil.rmtree(altered / "maps")
    wrong = {finding.name for finding in doctor._data() if finding.status == "FAIL"}
    assert wrong == {f"data/checkpoints/{name}" for name in recipes.RECIPES} | {
        f"data/maps/{name}" for name in ("sweep", "methods", "models", "noise")
    }


def test_the_mends_are_those_of_a_checkout(altered, monkeypatch):
    """What the sentence says where the course's own data is damaged: nothing of COURSE_DATA."""
    (altered / "maps" / "noise.json").unlink()
    monkeypatch.delenv("COURSE_DATA")
    monkeypatch.setattr(files, "_PACKAGE", altered.parent / "course_utils")
    (wrong,) = (finding for finding in doctor._data() if finding.status == "FAIL")
    again = re.escape(f"course maps --out {altered / 'maps'}")
    assert re.fullmatch(
        rf"Restore it \(git checkout -- data, or install the package again\), or make it again: {again}\.", wrong.mend
    )


def test_a_device_that_is_not_there(quick, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DEVICE", "abacus")
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "abacus" in out
    assert "would not run: device, speed." in out


def test_old_and_missing_packages(monkeypatch):
    needs = {"torch": ">=99.1", "numpy": ">=2.1", "no-such-package": ">=1"}
    monkeypatch.setattr(doctor, "requirements", lambda: (">=3.99", needs))
    findings = {finding.name: finding for finding in doctor._packages() + doctor._course()}
    assert statuses(findings.values()) == {
        "torch": "FAIL", "numpy": "ok", "no-such-package": "FAIL", "course": "ok", "Python": "FAIL"
    }  # fmt: skip
    assert 'pip install "torch>=99.1"' in findings["torch"].mend
    assert findings["no-such-package"].detail == "not installed (needs >=1)"


def test_requirements_are_those_of_pyproject(monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python, packages = machine.requirements()
    assert sorted(name + specifier for name, specifier in packages.items()) == sorted(project["dependencies"])
    assert sorted(python.split(",")) == sorted(project["requires-python"].split(","))
    monkeypatch.setattr(machine, "DISTRIBUTION", "not-installed-at-all")
    again, same = machine.requirements()
    assert same == packages
    assert sorted(again.split(",")) == sorted(python.split(","))


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("2.11.0", ">=2.11", True), ("2.9.1", ">=2.11", False), ("2.11", ">=2.11.0", True),
        ("2.11.1+cu128", ">2.11", True), ("1.2", "!=1.2", False), ("1.2", "==1.2", True),
        ("3.14.0rc1", ">=3.11,<3.14", False), ("3.13.9", "<3.14,>=3.11", True), ("7.7.1", ">=7.7.1", True),
        ("7.7", ">=7.7.1", False), ("10.0", ">=9.1", True), ("1.0", "", True),
    ],
)  # fmt: skip
def test_meets(version, specifier, fits):
    assert machine.meets(version, specifier) is fits


@pytest.mark.parametrize(
    ("total", "available", "status"),
    [(0.5, 0.4, "FAIL"), (8, 0.8, "warn"), (8, 6, "ok"), (8, None, "ok"), (1.5, None, "warn"), (None, None, "warn")],
)
def test_memory_is_judged(total, available, status):
    sizes = [None if size is None else int(size * 2**30) for size in (total, available)]
    assert doctor.judge_memory(*sizes).status == status


def test_memory_of_this_machine_is_plausible():
    total, available = machine.memory()
    assert 2**28 < total < 2**45
    assert available is None or 0 < available <= total


def test_memory_of_a_container(monkeypatch):
    files = {
        "/sys/fs/cgroup/memory.max": f"{3 * 2**28}\n", "/sys/fs/cgroup/memory.current": f"{2**28}\n",
        "/proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable:   8388608 kB\n",
    }  # fmt: skip
    monkeypatch.setattr(machine, "_text", lambda path: files.get(path, ""))
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 2**22), raising=False)
    assert machine.memory() == (3 * 2**28, 2 * 2**28)
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert machine.memory() == (2**34, 2**33)


def test_a_front_end_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path / "user")])
    (tmp_path / "user" / "anywidget").mkdir(parents=True)
    (tmp_path / "user" / "anywidget" / "package.json").touch()
    (finding,) = doctor._front_ends()
    assert finding.status == "FAIL"
    assert "front end of jupyterlab_widgets" in finding.detail
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    assert statuses(doctor._front_ends()) == {"widgets": "ok"}


def test_front_ends_of_another_generation(monkeypatch):
    versions = {"ipywidgets": "7.7.1", "jupyterlab_widgets": "3.0.17"}
    monkeypatch.setattr(doctor.importlib.metadata, "version", versions.get)
    assert statuses(doctor._front_ends()) == {"widgets": "warn"}
    for versions["ipywidgets"], versions["jupyterlab_widgets"] in (("8.1.9", "3.0.17"), ("7.8.5", "1.1.11")):
        assert statuses(doctor._front_ends()) == {"widgets": "ok"}


def test_time_scales_with_the_measured_speed(altered, monkeypatch):
    lessons = [
        {"number": "00", "slug": "a", "title": "A", "question": "?", "seconds": 30.0, "images_per_second": 1000.0},
        {"number": "01", "slug": "b", "title": "B", "question": "?", "seconds": 60.0, "images_per_second": 1000.0},
    ]
    (altered / "lessons.json").write_text(json.dumps({"lessons": lessons}))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setattr("course_utils.training.measure_speed", lambda device, seconds: 500.0)
    time = {finding.name: finding for finding in doctor._speed(0.01)}["time"]
    assert time.status == "ok"
    assert time.detail == "about 3 min to run the 2 measured lessons; the longest is lesson 01: 120 s"
    monkeypatch.setattr("course_utils.training.measure_speed", lambda device, seconds: 100.0)
    assert doctor._speed(0.01)[1].status == "warn"
    (altered / "lessons.json").unlink()
    assert statuses(doctor._speed(0.01)) == {"speed": "ok", "time": "warn"}


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "not" / "yet"))
    findings = {finding.name: finding for finding in doctor._disk()}
    assert findings["home"].status == "FAIL"
    assert "COURSE_HOME" in findings["home"].mend
    assert findings["lessons' copies"].status != "FAIL"


def test_no_home_folder_is_said(monkeypatch):
    monkeypatch.delenv("COURSE_HOME")
    monkeypatch.setattr(files.os.path, "expanduser", lambda path: path)
    home = {finding.name: finding for finding in doctor._disk()}["home"]
    assert home.status == "warn"
    assert "this system knows no home folder" in home.detail
    assert "COURSE_HOME" in home.mend


def test_a_crash_while_looking_becomes_a_line(quick, monkeypatch):
    def crash():
        raise KeyError("torn")

    monkeypatch.setattr(doctor, "_data", crash)
    finding = next(finding for finding in doctor.examine() if finding.name == "data")
    assert (finding.status, finding.detail) == ("FAIL", "KeyError: 'torn'")
